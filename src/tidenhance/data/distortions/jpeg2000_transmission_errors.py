"""TID2013 type 13: a JPEG2000 codestream with damaged bytes, decoded as well as the decoder can."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tidenhance.data.calibration import distort_to_psnr

NUMBER = 13
NAME = "JPEG2000 transmission errors"
PSNRC = (33.2, 30.1, 27.1, 24.1, 20.9)  # the archive's mean at each level, in dB
RATE = 6
RESOLUTIONS = 5
CODE_BLOCK = 32
PRECINCT = 128
# A precinct halves with each lower resolution, so packets hold this many code-blocks at most, from
# the lowest resolution to the highest, and for each the packet's header takes fewer bytes than 8.
CODE_BLOCKS = (1, 3, 3, 3, 12)
HEADER_PER_CODE_BLOCK = 8


def distort(image: NDArray[np.uint8], level: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return `image`, uint8 (H, W, 3), after a JPEG2000 coder, a faulty channel and a decoder.

    Randomly chosen bytes of the entropy-coded wavelet coefficients are replaced. From there on the
    decoder reads wrong values in that code-block, so smears and ripples appear at its place, as
    wide as its resolution is coarse. Headers stay whole, so every damaged codestream decodes.

    Args:
        image: pixels, 0 to 255.
        level: 1 to 5, an index of `PSNRC`, the target in dB.
        random: chooses the bytes and their new values.
    """
    stream = io.BytesIO()
    Image.fromarray(image).save(
        stream,
        "JPEG2000",
        no_jp2=True,
        irreversible=True,
        mct=1,
        quality_mode="rates",
        quality_layers=[RATE],
        num_resolutions=RESOLUTIONS,
        codeblock_size=(CODE_BLOCK, CODE_BLOCK),
        precinct_size=(PRECINCT, PRECINCT),
        plt=True,
    )
    data = np.frombuffer(stream.getvalue(), np.uint8)
    order = random.permutation(_coefficient_bytes(stream.getvalue()))
    shifts = random.integers(1, 255, len(order))

    def transmit(log_count: float) -> NDArray[np.uint8]:
        chosen = order[: round(math.exp(log_count))]
        damaged = data.copy()
        damaged[chosen] = (damaged[chosen] + shifts[: len(chosen)]) % 255
        return np.array(Image.open(io.BytesIO(damaged.tobytes())))

    return distort_to_psnr(
        image, transmit, PSNRC[level - 1], low=-1, high=math.log(len(order) + 1), tolerance=0.15
    )


def _coefficient_bytes(codestream: bytes) -> NDArray[np.int64]:
    """Return the positions behind the packet headers of a codestream of one tile.

    The packets' lengths stand in the PLT marker segments (ITU-T T.800, section A.7.3), seven bits
    a byte, the top bit set where a length goes on.
    """
    position = 2
    lengths = [0]
    while (marker := codestream[position : position + 2]) != b"\xff\x93":  # start of data
        size = int.from_bytes(codestream[position + 2 : position + 4], "big")
        if marker == b"\xff\x58":
            for byte in codestream[position + 5 : position + 2 + size]:
                lengths[-1] = lengths[-1] << 7 | byte & 127
                if byte < 128:
                    lengths.append(0)
        position += 2 + size
    ends = position + 2 + np.cumsum(lengths)
    headers = HEADER_PER_CODE_BLOCK * np.repeat(CODE_BLOCKS, len(ends) // RESOLUTIONS)
    packets = zip(ends[:-1] - lengths[:-1] + headers, ends[:-1], strict=True)
    return np.concatenate([np.arange(*packet) for packet in packets])
