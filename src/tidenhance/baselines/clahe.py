"""Contrast-limited adaptive histogram equalisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from skimage.exposure import equalize_adapthist

from tidenhance.images import Pixels, to_uint8


def build(*, clip_limit: Annotated[float, Field(gt=0, le=1)] = 0.01) -> Callable[[Pixels], Pixels]:
    """Return scikit-image's CLAHE of HSV's value.

    Source: Zuiderveld, "Contrast limited adaptive histogram equalization" (1994).

    Args:
        clip_limit: from 0 to 1; higher values give more contrast.
    """

    def restore(pixels: Pixels) -> Pixels:
        return to_uint8(equalize_adapthist(pixels, clip_limit=clip_limit))

    return restore
