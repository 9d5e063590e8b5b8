"""TID2013's type 15: local block-wise distortions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tidenhance.data.calibration import distort_to_psnr

NUMBER = 15
NAME = "local block-wise distortions"
PSNRC = (25.9, 25.1, 24.7, 24.2, 24.6)  # the archive's mean at each level, in dB
COUNTS = (2, 4, 8, 16, 32)  # of blocks in 512 x 384 pixels
SIDE = 32  # of a block, in pixels


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) with blocks painted in one flat colour each; level 1 to 5.

    The more blocks, the weaker their contrast: it moves each colour from the block's own mean
    towards black or white, channel by channel, whichever is further.
    """
    height, width = image.shape[:2]
    count = max(1, round(COUNTS[level - 1] * height * width / (512 * 384)))
    rows, columns = height // SIDE, width // SIDE
    cells = random.choice(rows * columns, count, replace=False)
    tops = cells // columns * SIDE + random.integers(height % SIDE + 1)
    lefts = cells % columns * SIDE + random.integers(width % SIDE + 1)
    blocks = [np.s_[y : y + SIDE, x : x + SIDE] for y, x in zip(tops, lefts, strict=True)]
    means = [image[block].mean((0, 1)) for block in blocks]

    def paint(contrast: float) -> NDArray[np.uint8]:
        distorted = image.copy()
        for block, mean in zip(blocks, means, strict=True):
            extreme = np.where(mean < 127.5, 255, 0)
            distorted[block] = np.rint(mean + contrast * (extreme - mean))
        return distorted

    return distort_to_psnr(image, paint, PSNRC[level - 1], low=0, high=1)
