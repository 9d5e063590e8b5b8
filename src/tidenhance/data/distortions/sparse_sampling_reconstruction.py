"""TID2013 type 24: a random share of the pixels, and a reconstruction of the others from them."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tidenhance.data.calibration import distort_to_psnr
from tidenhance.images import to_uint8

NUMBER = 24
NAME = "sparse sampling and reconstruction"
PSNRC = (33.0, 30.0, 27.0, 24.0, 21.0)  # the archive's mean at each level, in dB
BLOCK = 16
THRESHOLDS = np.geomspace(160, 10, 8)


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), with all but a random share of its pixels reconstructed.

    The pixels kept stay as they are. The others start from a local mean of these and are then
    made sparse in the discrete cosine transform by iterated hard thresholding: Guleryuz,
    "Nonlinear approximation based image recovery using adaptive sparse reconstructions and
    iterated denoising", IEEE Transactions on Image Processing 15 (2006).

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `PSNRC`, the target in dB.
        random: chooses the pixels kept and shifts the blocks.
    """
    lots = random.random(image.shape[:2])
    shifts = random.integers(0, BLOCK, (len(THRESHOLDS), 2))

    def sample(strength: float) -> NDArray[np.uint8]:
        share = math.exp(-strength)
        known = (lots < max(share, lots.min() + 1e-9))[:, :, np.newaxis]
        return _reconstruct(image, known, share, shifts)

    return distort_to_psnr(
        image, sample, PSNRC[level - 1], low=0, high=math.log(2000), tolerance=0.15, steps=12
    )


def _reconstruct(
    image: NDArray[np.uint8],
    known: NDArray[np.bool_],
    share: float,
    shifts: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with the pixels of `image` where `known`, uses no others.

    `known` is (H, W, 1), `share` the mean of it, `shifts` (iterations, 2) the blocks' offsets.
    """
    height, width, _ = image.shape
    sigma = (0.6 / math.sqrt(share), 0.6 / math.sqrt(share), 0)
    weights = gaussian_filter(known.astype(np.float32), sigma, truncate=6) + np.float32(1e-20)
    estimate = gaussian_filter(np.where(known, image, np.float32(0)), sigma, truncate=6) / weights
    for threshold, (top, left) in zip(THRESHOLDS, shifts, strict=True):
        estimate = np.where(known, image, estimate)
        padding = ((top, -(height + top) % BLOCK), (left, -(width + left) % BLOCK), (0, 0))
        padded = np.pad(estimate, padding, mode="symmetric")
        blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, -1, BLOCK, 3)
        coefficients = scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho", overwrite_x=True)
        coefficients[np.abs(coefficients) < threshold] = 0
        pixels = scipy.fft.idctn(coefficients, axes=(1, 3), norm="ortho", overwrite_x=True)
        estimate = pixels.reshape(padded.shape)[top : top + height, left : left + width]
    return np.where(known, image, to_uint8(estimate / 255))
