"""TID2013's type 6: impulse noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUMBER = 6
NAME = "impulse noise"
PSNRC = (32.5, 29.2, 26.2, 23.2, 20.2)  # the archive's mean at each level, in dB
SHARES = (0.004, 0.0085, 0.017, 0.034, 0.067)  # of the values that are replaced


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with a share of values replaced by uniform 0..255; level 1 to 5."""
    replaced = random.random(image.shape, dtype=np.float32) < SHARES[level - 1]
    return np.where(replaced, random.integers(256, size=image.shape, dtype=np.uint8), image)
