"""TID2013's type 18: change of colour saturation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.data.calibration import distort_to_psnr
from tidenhance.images import to_uint8

NUMBER = 18
NAME = "change of colour saturation"
PSNRC = (33.0, 30.0, 27.0, 24.0, 21.1)  # the archive's mean at each level, in dB
LUMA = (0.299, 0.587, 0.114)  # weights of R, G and B; ITU-R BT.601


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with Cb and Cr scaled about 128; level 1 to 5.

    The factor falls from 1 (the picture) over 0 (grey) to -1 (opposite colours) at the lowest: pale
    pictures stay above the target, as in the archive.
    """
    # Scaling Cb and Cr by k is Y + k (RGB - Y) in RGB, with no matrix to invert.
    colour = image - (image @ np.asarray(LUMA, np.float32))[..., np.newaxis]
    return distort_to_psnr(
        image,
        lambda loss: to_uint8((image - loss * colour) / 255),
        PSNRC[level - 1],
        low=0,
        high=2,
    )
