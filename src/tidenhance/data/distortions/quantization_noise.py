"""TID2013's type 7: quantization noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.images import to_uint8

NUMBER = 7
NAME = "quantization noise"
PSNRC = (33.3, 30.3, 27.2, 24.1, 21.1)  # the archive's mean at each level, in dB
STEPS = (19, 27, 39, 55, 77)  # of 8-bit values; these give the archive's PSNR image by image


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with every value rounded to a multiple of a step; level 1 to 5."""
    step = STEPS[level - 1]
    return to_uint8(np.rint(image / np.float32(step)) * step / 255)
