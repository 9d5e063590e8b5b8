"""The median of a square around each pixel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field
from scipy import ndimage

from tidenhance.images import Pixels


def _odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError("expected an odd number, so that there is a pixel in the middle")
    return size


Size = Annotated[int, Field(ge=3, le=99), AfterValidator(_odd)]


def build(*, size: Size = 3) -> Callable[[Pixels], Pixels]:
    """Return what replaces each channel's values by the median of a square around them.

    Args:
        size: the square's side in pixels, odd.
    """

    def restore(pixels: Pixels) -> Pixels:
        return ndimage.median_filter(pixels, (size, size, 1), mode="reflect")

    return restore
