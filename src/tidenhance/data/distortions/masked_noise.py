"""TID2013's type 4: masked noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from tidenhance.data.calibration import add_noise_to_psnr

NUMBER = 4
NAME = "masked noise"
PSNRC = (32.9, 30.1, 27.1, 24.1, 21.2)  # the archive's mean at each level, in dB
SIDE = 7  # of the window that measures local activity, in pixels
FLOOR = 1  # added to the activity, in 8-bit values, so that flat pictures get noise too


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with noise that the picture's own detail masks; level 1 to 5.

    The noise is Gaussian, in proportion to the local standard deviation of each channel.
    """
    values = image.astype(np.float32)
    mean = ndimage.uniform_filter(values, (SIDE, SIDE, 1))
    variance = ndimage.uniform_filter(np.square(values), (SIDE, SIDE, 1)) - np.square(mean)
    activity = np.sqrt(np.maximum(variance, 0)) + FLOOR
    noise = activity * random.standard_normal(image.shape, dtype=np.float32)
    return add_noise_to_psnr(image, noise, PSNRC[level - 1])
