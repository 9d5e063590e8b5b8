"""TID2013 type 12: a JPEG file with damaged bytes, decoded as well as the decoder can."""

from __future__ import annotations

import io
import math
import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tidenhance.data.calibration import distort_to_psnr, psnrc

NUMBER = 12
NAME = "JPEG transmission errors"
PSNRC = (33.6, 30.7, 26.9, 24.1, 21.0)  # the archive's mean at each level, in dB
QUALITY = 92
INTERVAL = 32
ERRORS_PER_INTERVAL = 3
ATTEMPTS = 4
NEAR = 0.5  # dB; one byte can spoil a whole interval and so miss by more, then others are tried


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), after a JPEG coder, a faulty channel and a JPEG decoder.

    Restart markers (ITU-T T.81, section E.1.4) cut the scan into intervals that are decoded
    independently. One byte is replaced in each interval of a random choice; from there to the end
    of its interval the decoder reads wrong symbols, so blocks change, move and take wrong colours.
    The markers themselves stay whole, so every damaged file decodes.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `PSNRC`, the target in dB.
        random: chooses the intervals, the bytes and their new values.
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(
        stream, "JPEG", quality=QUALITY, subsampling=0, restart_marker_blocks=INTERVAL
    )
    target = PSNRC[level - 1]
    best, best_miss = image.copy(), math.inf
    for _ in range(ATTEMPTS):
        distorted = _transmit(image, stream.getvalue(), target, random)
        miss = abs(psnrc(image, distorted) - target)
        if miss < best_miss:
            best, best_miss = distorted, miss
        if miss <= NEAR:
            break
    return best


def _transmit(
    image: NDArray[np.uint8], data: bytes, target: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a decoded picture of `data`, with so many of its bytes replaced as meet `target`."""
    intervals = _intervals(data)
    order = random.permutation(np.repeat(np.arange(len(intervals)), ERRORS_PER_INTERVAL))
    places = random.random(len(order))
    shifts = random.integers(1, 255, len(order))

    def decode(strength: float) -> NDArray[np.uint8]:
        damaged = bytearray(data)
        count = min(int(strength) + 1, len(order))
        # The last error moves forwards from its interval's end as the strength grows: a finer step.
        last = 1 - (1 - places[count - 1]) * (strength - (count - 1))
        for which, place, shift in zip(
            order[:count], [*places[: count - 1], last], shifts[:count], strict=True
        ):
            start, stop = intervals[which]
            position = start + int(place * (stop - start))
            # Bytes 255 open markers, and those after them belong to them.
            if position < stop and 255 not in data[position - 1 : position + 1]:
                damaged[position] = (data[position] + shift) % 255
        return np.array(Image.open(io.BytesIO(damaged)))

    return distort_to_psnr(image, decode, target, low=0, high=len(order), tolerance=0.15)


def _intervals(data: bytes) -> list[tuple[int, int]]:
    """Return the start and stop of each restart interval's entropy-coded bytes in a JPEG file."""
    header = data.rindex(b"\xff\xda") + 2
    start = header + int.from_bytes(data[header : header + 2], "big")
    stop = len(data) - 2
    markers = [found.span() for found in re.finditer(rb"\xff[\xd0-\xd7]", data[start:stop])]
    edges = [start, *(start + edge for span in markers for edge in span), stop]
    return list(zip(edges[::2], edges[1::2], strict=True))
