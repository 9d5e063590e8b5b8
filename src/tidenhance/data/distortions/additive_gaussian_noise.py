"""TID2013's type 1: additive Gaussian noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.images import to_uint8

NUMBER = 1
NAME = "additive Gaussian noise"
PSNRC = (33.1, 30.1, 27.1, 24.1, 21.2)  # the archive's mean at each level, in dB
VARIANCES = (32.5, 65, 130, 260, 520)  # of 8-bit values


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with independent noise on R, G and B; level 1 to 5."""
    noise = random.standard_normal(image.shape, dtype=np.float32)
    return to_uint8((image + VARIANCES[level - 1] ** 0.5 * noise) / 255)
