"""TID2013's type 19: multiplicative Gaussian noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.data.calibration import add_noise_to_psnr

NUMBER = 19
NAME = "multiplicative Gaussian noise"
PSNRC = (33.0, 30.0, 27.0, 24.0, 21.0)  # the archive's mean at each level, in dB


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with values times 1 + s n, n standard Gaussian; level 1 to 5."""
    noise = image * random.standard_normal(image.shape, dtype=np.float32)
    return add_noise_to_psnr(image, noise, PSNRC[level - 1])
