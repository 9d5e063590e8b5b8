"""TID2013's type 17: contrast change."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.images import to_uint8

NUMBER = 17
NAME = "contrast change"
PSNRC = (33.9, 28.8, 25.9, 22.5, 19.9)  # the archive's mean at each level, in dB
FACTORS = (0.9, 1.2, 0.75, 1.46, 0.48)


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) scaled about the mean of all its values; level 1 to 5."""
    mean = float(image.mean())
    values = image.astype(np.float32)
    return to_uint8((mean + FACTORS[level - 1] * (values - mean)) / 255)
