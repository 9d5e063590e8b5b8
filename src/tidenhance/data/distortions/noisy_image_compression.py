"""TID2013 type 21: lossy compression of a noisy image."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from tidenhance.data.calibration import distort_to_psnr
from tidenhance.images import to_uint8

NUMBER = 21
NAME = "lossy compression of noisy images"
PSNRC = (33.0, 30.0, 27.0, 24.0, 21.0)  # the archive's mean at each level, in dB
BLOCK = 32
# Rounds 95 % of the noise's coefficients to zero: those within two standard deviations.
STEP_PER_SIGMA = 4


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), with Gaussian noise added and then coarsely coded.

    The coder rounds each channel's 32x32 discrete cosine transform to multiples of four times the
    noise's standard deviation.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `PSNRC`, the target in dB.
        random: draws the noise.
    """
    height, width, _ = image.shape
    padding = ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
    noise = random.standard_normal(image.shape, np.float32)

    def compress(log_sigma: float) -> NDArray[np.uint8]:
        sigma = math.exp(log_sigma)
        step = STEP_PER_SIGMA * sigma
        padded = np.pad(image + np.float32(sigma) * noise, padding, mode="symmetric")
        blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, -1, BLOCK, 3)
        coefficients = scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho", overwrite_x=True)
        coded = np.rint(coefficients / step) * step
        pixels: NDArray[np.float32] = scipy.fft.idctn(coded, axes=(1, 3), norm="ortho")
        return to_uint8(pixels.reshape(padded.shape)[:height, :width] / 255)

    return distort_to_psnr(
        image, compress, PSNRC[level - 1], low=0, high=math.log(255), tolerance=0.1
    )
