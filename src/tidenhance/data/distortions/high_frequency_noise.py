"""TID2013's type 5: high-frequency noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tidenhance.data.calibration import add_noise_to_psnr

NUMBER = 5
NAME = "high-frequency noise"
PSNRC = (33.0, 30.1, 25.1, 20.2, 15.3)  # the archive's mean at each level, in dB
SIGMA = 0.7  # of the Gaussian whose low-pass is taken away, in pixels


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with high-passed Gaussian noise on R, G and B; level 1 to 5."""
    noise = random.standard_normal(image.shape, dtype=np.float32)
    noise -= ndimage.gaussian_filter(noise, (SIGMA, SIGMA, 0))
    return add_noise_to_psnr(image, noise, PSNRC[level - 1])
