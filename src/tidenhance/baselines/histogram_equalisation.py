"""Histogram equalisation of the brightness."""

from __future__ import annotations

from collections.abc import Callable

from skimage.color.adapt_rgb import adapt_rgb, hsv_value
from skimage.exposure import equalize_hist

from tidenhance.images import Pixels, to_float, to_uint8


def build() -> Callable[[Pixels], Pixels]:
    """Return scikit-image's histogram equalisation of HSV's value."""

    def restore(pixels: Pixels) -> Pixels:
        return to_uint8(adapt_rgb(hsv_value)(equalize_hist)(to_float(pixels)))

    return restore
