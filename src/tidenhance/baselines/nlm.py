"""Non-local means: averages of similar patches."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field
from skimage.restoration import denoise_nl_means, estimate_sigma

from tidenhance.images import Pixels, to_float, to_uint8


def build(
    *, strength: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.8
) -> Callable[[Pixels], Pixels]:
    """Return scikit-image's non-local means.

    Source: Buades, Coll and Morel, "A non-local algorithm for image denoising" (2005).

    Args:
        strength: the cut-off in patch distance, in standard deviations of the noise, which are
            estimated from the picture.
    """

    def restore(pixels: Pixels) -> Pixels:
        values = to_float(pixels)
        # Of a channel without diagonal detail it is not a number.
        with warnings.catch_warnings(action="ignore"):
            sigmas = estimate_sigma(values, channel_axis=-1)
        sigma = float(np.mean([one for one in sigmas if np.isfinite(one)] or [0]))
        restored = denoise_nl_means(
            values,
            patch_size=5,
            patch_distance=6,
            h=max(strength * sigma, 1e-6),
            sigma=sigma,
            fast_mode=True,
            channel_axis=-1,
        )
        # Of a picture with a side of 1 pixel it is squeezed.
        return to_uint8(restored.reshape(pixels.shape))

    return restore
