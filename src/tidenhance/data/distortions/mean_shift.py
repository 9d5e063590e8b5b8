"""TID2013's type 16: mean shift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUMBER = 16
NAME = "mean shift"
PSNRC = (32.6, 28.2, 22.2, 18.7, 16.4)  # the archive's mean at each level, in dB
SHIFTS = (-6, 10, -20, 30, -40)  # of 8-bit values


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with a constant added to every value; level 1 to 5."""
    return np.clip(image.astype(np.int16) + SHIFTS[level - 1], 0, 255).astype(np.uint8)
