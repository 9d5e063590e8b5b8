"""TID2013's type 8: Gaussian blur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tidenhance.images import to_uint8

NUMBER = 8
NAME = "Gaussian blur"
PSNRC = (36.6, 31.8, 27.9, 24.9, 22.6)  # the archive's mean at each level, in dB
SIGMAS = (0.51, 0.68, 1.08, 1.98, 4.15)  # in pixels


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) convolved with a Gaussian, reflected at the edges; level 1 to 5."""
    sigma = SIGMAS[level - 1]
    return to_uint8(ndimage.gaussian_filter(image.astype(np.float32), (sigma, sigma, 0)) / 255)
