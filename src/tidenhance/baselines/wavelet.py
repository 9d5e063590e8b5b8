"""Wavelet denoising with a threshold for each band."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_wavelet

from tidenhance.images import to_float, to_uint8

Pixels = NDArray[np.uint8]


def build() -> Callable[[Pixels], Pixels]:
    """Return scikit-image's wavelet denoising in YCbCr, thresholds by BayesShrink.

    Source: Chang, Yu and Vetterli, "Adaptive wavelet thresholding for image denoising and
    compression" (2000).
    """

    def restore(pixels: Pixels) -> Pixels:
        restored = denoise_wavelet(
            to_float(pixels), convert2ycbcr=True, rescale_sigma=True, channel_axis=-1
        )
        return to_uint8(restored)

    return restore
