"""The median of a square around each pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

Pixels = NDArray[np.uint8]


def build(*, size: Annotated[int, Field(ge=2, le=99)] = 3) -> Callable[[Pixels], Pixels]:
    """Return what replaces each channel's values by the median of a square around them.

    Args:
        size: the square's side in pixels.
    """

    def restore(pixels: Pixels) -> Pixels:
        return ndimage.median_filter(pixels, (size, size, 1), mode="reflect")

    return restore
