"""TID2013 type 20: fine detail replaced by noise of the same local variance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tidenhance.data.calibration import distort_to_psnr
from tidenhance.images import to_uint8

NUMBER = 20
NAME = "comfort noise"
PSNRC = (33.0, 30.0, 27.0, 24.0, 21.0)  # the archive's mean at each level, in dB


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), with its fine detail replaced by noise.

    Fine detail is what a Gaussian low-pass takes away. High-passed Gaussian noise of the detail's
    local variance stands in for it, the same noise in R, G and B, so texture keeps its contrast
    and its colour but not its pattern.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `PSNRC`, the target in dB.
        random: draws the noise.
    """
    pixels = image.astype(np.float32)
    noise = random.standard_normal((*image.shape[:2], 1), np.float32)

    def replace_detail(log_sigma: float) -> NDArray[np.uint8]:
        sigma = math.exp(log_sigma)
        coarse = _low_pass(pixels, sigma)
        variance = _low_pass(np.square(pixels - coarse), 1 + sigma)
        fine = noise - _low_pass(noise, sigma)
        replaced: NDArray[np.float32] = coarse + np.sqrt(variance) * fine / np.std(fine)
        return to_uint8(replaced / 255)

    return distort_to_psnr(
        image, replace_detail, PSNRC[level - 1], low=math.log(0.25), high=math.log(32), steps=12
    )


def _low_pass(values: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(gaussian_filter(values, (sigma, sigma, 0), truncate=3), np.float32)
