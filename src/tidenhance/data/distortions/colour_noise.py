"""TID2013's type 2: noise stronger in colour than in luminance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.data.calibration import add_noise_to_psnr

NUMBER = 2
NAME = "noise stronger in colour than in luminance"
PSNRC = (33.3, 30.3, 27.3, 24.3, 21.4)  # the archive's mean at each level, in dB
DEVIATIONS = (1, 2, 2)  # of Y, Cb and Cr, relative to each other
YCBCR_TO_RGB = ((1, 0, 1.402), (1, -0.344136, -0.714136), (1, 1.772, 0))  # ITU-T T.871


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with Gaussian noise on Y, Cb and Cr; level 1 to 5."""
    noise = random.standard_normal(image.shape, dtype=np.float32)
    noise = noise * np.asarray(DEVIATIONS, np.float32) @ np.asarray(YCBCR_TO_RGB, np.float32).T
    return add_noise_to_psnr(image, noise, PSNRC[level - 1])
