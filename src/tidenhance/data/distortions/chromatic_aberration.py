"""TID2013's type 23: chromatic aberrations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tidenhance.data.calibration import distort_to_psnr
from tidenhance.images import to_uint8

NUMBER = 23
NAME = "chromatic aberrations"
PSNRC = (32.9, 28.0, 25.0, 23.0, 21.0)  # the archive's mean at each level, in dB


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with R moved down and right and B up and left; level 1 to 5."""
    red, blue = image[..., 0].astype(np.float32), image[..., 2].astype(np.float32)

    def misalign(octaves: float) -> NDArray[np.uint8]:
        pixels = 2**octaves
        distorted = image.copy()
        for channel, values, shift in ((0, red, pixels), (2, blue, -pixels)):
            moved = ndimage.shift(values, (shift, shift), order=1, mode="nearest")
            distorted[..., channel] = to_uint8(moved / 255)
        return distorted

    # From 1/16 to 32 pixels.
    return distort_to_psnr(image, misalign, PSNRC[level - 1], low=-4, high=5)
