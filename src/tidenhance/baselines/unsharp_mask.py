"""Unsharp masking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from skimage.filters import unsharp_mask

from tidenhance.images import Pixels, to_float, to_uint8


def build(
    *,
    radius: Annotated[float, Field(gt=0, le=100)] = 1.0,
    amount: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0,
) -> Callable[[Pixels], Pixels]:
    """Return what adds the difference from a Gaussian blur to the picture.

    Args:
        radius: the blur's standard deviation in pixels.
        amount: how much of the detail is added.
    """

    def restore(pixels: Pixels) -> Pixels:
        # With channel_axis=-1 scikit-image 0.26 leaves most of its result uninitialised.
        sharp = unsharp_mask(to_float(pixels), radius=radius, amount=amount, channel_axis=2)
        return to_uint8(sharp)

    return restore
