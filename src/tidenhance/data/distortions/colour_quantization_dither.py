"""TID2013's type 22: colour quantization with dither."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tidenhance.data.calibration import distort_to_psnr

NUMBER = 22
NAME = "colour quantization with dither"
PSNRC = (33.0, 30.0, 26.9, 24.1, 21.0)  # the archive's mean at each level, in dB
STRIDE = 4  # palettes are made from every fourth pixel of every fourth row, for speed


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return uint8 (H, W, 3) in 2 to 256 colours, Floyd–Steinberg dithered; level 1 to 5.

    The palette is that of median cut, refined by k-means: without it, 256 colours are too few for
    level 1's target on many photographs.
    """
    picture = Image.fromarray(image)
    sample = Image.fromarray(np.ascontiguousarray(image[::STRIDE, ::STRIDE]))

    def dither(bits: float) -> NDArray[np.uint8]:
        colours = round(2**-bits)
        palette = sample.quantize(colours, method=Image.Quantize.MEDIANCUT, kmeans=1)
        indexed = picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
        return np.array(indexed.convert("RGB"))

    return distort_to_psnr(image, dither, PSNRC[level - 1], low=-8, high=-1, steps=8)
