"""Wavelet denoising with a threshold for each band."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from skimage.restoration import denoise_wavelet

from tidenhance.images import Pixels, to_float, to_uint8


def build() -> Callable[[Pixels], Pixels]:
    """Return scikit-image's wavelet denoising in YCbCr, thresholds by BayesShrink.

    Source: Chang, Yu and Vetterli, "Adaptive wavelet thresholding for image denoising and
    compression" (2000). A picture in which no noise can be measured, since it has no diagonal
    detail, stays as it is.
    """

    def restore(pixels: Pixels) -> Pixels:
        values = to_float(pixels)
        with warnings.catch_warnings(action="ignore"):
            restored = denoise_wavelet(
                values, convert2ycbcr=True, rescale_sigma=True, channel_axis=-1
            )
        return to_uint8(np.where(np.isfinite(restored), restored, values))

    return restore
