"""TID2013 type 11: JPEG2000 compression at the rate that meets a target PSNR."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tidenhance.data.calibration import distort_to_psnr

NUMBER = 11
NAME = "JPEG2000"
PSNRC = (33.0, 30.1, 27.1, 24.0, 21.0)  # the archive's mean at each level, in dB


def distort(
    image: NDArray[np.uint8],
    level: int,
    random: np.random.Generator,  # noqa: ARG001
) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), after a JPEG2000 encoder and decoder (ITU-T T.800).

    The irreversible 9/7 wavelet and colour transforms are used. Nothing is random.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `PSNRC`, the target in dB.
        random: not drawn from.
    """
    picture = Image.fromarray(image)

    def compress(log_rate: float) -> NDArray[np.uint8]:
        stream = io.BytesIO()
        picture.save(
            stream,
            "JPEG2000",
            irreversible=True,
            mct=1,
            codeblock_size=(32, 32),
            quality_mode="rates",
            quality_layers=[math.exp(log_rate)],
        )
        return np.array(Image.open(stream))

    return distort_to_psnr(
        image, compress, PSNRC[level - 1], low=0, high=math.log(10_000), tolerance=0.15
    )
