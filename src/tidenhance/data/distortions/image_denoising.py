"""TID2013 type 9: Gaussian noise of a fixed strength, then a denoiser."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means

from tidenhance.images import to_uint8

NUMBER = 9
NAME = "image denoising"
PSNRC = (34.9, 32.7, 29.6, 26.1, 21.4)  # the archive's mean at each level, in dB
SIGMAS = (7.4, 11.5, 22.0, 41.0, 79.0)
FILTER_PER_SIGMA = 0.6
PATCH_SIZE = 5
PATCH_DISTANCE = 5


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), with what non-local means leaves of it and of added noise.

    The noise is Gaussian and independent in R, G and B, and the noisy picture is clipped to 0–255.
    The denoiser, scikit-image's `denoise_nl_means`, knows the noise's strength: Buades, Coll and
    Morel, "A non-local algorithm for image denoising", CVPR 2005.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `SIGMAS` (the noise's standard deviation in grey levels).
        random: draws the noise.
    """
    sigma = SIGMAS[level - 1]
    noise = random.standard_normal(image.shape, np.float32)
    denoised: NDArray[np.float32] = denoise_nl_means(
        np.clip(image + np.float32(sigma) * noise, 0, 255),
        patch_size=PATCH_SIZE,
        patch_distance=PATCH_DISTANCE,
        h=FILTER_PER_SIGMA * sigma,
        sigma=sigma,
        fast_mode=True,
        channel_axis=-1,
    )
    return to_uint8(denoised / 255)
