"""TID2013's type 14: non-eccentricity pattern noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUMBER = 14
NAME = "non-eccentricity pattern noise"
PSNRC = (32.9, 30.5, 27.4, 26.0, 24.3)  # the archive's mean at each level, in dB
COUNTS = (30, 50, 105, 150, 230)  # of patches in 512 x 384 pixels
SIDE = 15  # of a patch, in pixels
OFFSET = 5  # to where a patch is copied from, downwards and to the right, in pixels


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with patches replaced by their neighbourhood; level 1 to 5."""
    height, width = image.shape[:2]
    count = max(1, round(COUNTS[level - 1] * height * width / (512 * 384)))
    room = (height - SIDE - OFFSET + 1, width - SIDE - OFFSET + 1)
    corners = random.integers(room, size=(count, 2))
    moved = image[OFFSET:, OFFSET:]
    distorted = image.copy()
    for top, left in corners:
        patch = np.s_[top : top + SIDE, left : left + SIDE]
        distorted[patch] = moved[patch]
    return distorted
