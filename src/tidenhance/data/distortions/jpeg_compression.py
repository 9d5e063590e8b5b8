"""TID2013 type 10: JPEG compression at a fixed quality for each level."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

NUMBER = 10
NAME = "JPEG"
PSNRC = (34.7, 32.2, 28.9, 25.2, 22.2)  # the archive's mean at each level, in dB
QUALITIES = (79, 58, 22, 7, 4)


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), after a baseline JPEG encoder and decoder.

    Colour is subsampled 4:2:0, the quantization tables are Pillow's (ITU-T T.81, annex K, scaled to
    the quality). Nothing is random.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `QUALITIES`.
        random: not drawn from.
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=QUALITIES[level - 1])
    return np.array(Image.open(stream))
