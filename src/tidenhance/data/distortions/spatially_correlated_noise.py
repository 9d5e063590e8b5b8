"""TID2013's type 3: spatially correlated noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tidenhance.data.calibration import add_noise_to_psnr

NUMBER = 3
NAME = "spatially correlated noise"
PSNRC = (33.1, 30.1, 27.1, 24.1, 21.2)  # the archive's mean at each level, in dB
SIDE = 3  # of the window that smooths the noise, in pixels


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with smoothed Gaussian noise on R, G and B; level 1 to 5."""
    noise = random.standard_normal(image.shape, dtype=np.float32)
    noise = ndimage.uniform_filter(noise, (SIDE, SIDE, 1))
    return add_noise_to_psnr(image, noise, PSNRC[level - 1])
