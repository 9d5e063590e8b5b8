"""Total-variation denoising."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from skimage.restoration import denoise_tv_chambolle

from tidenhance.images import Pixels, to_float, to_uint8


def build(
    *, weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
) -> Callable[[Pixels], Pixels]:
    """Return scikit-image's total-variation denoising.

    Source: Chambolle, "An algorithm for total variation minimization and applications" (2004).

    Args:
        weight: how much smoothness counts against likeness, for images in [0, 1].
    """

    def restore(pixels: Pixels) -> Pixels:
        return to_uint8(denoise_tv_chambolle(to_float(pixels), weight=weight, channel_axis=-1))

    return restore
