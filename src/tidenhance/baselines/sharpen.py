"""Sharpening with the 3 x 3 kernel 0 -1 0 / -1 5 -1 / 0 -1 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from tidenhance.images import Pixels

KERNEL = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])


def build() -> Callable[[Pixels], Pixels]:
    """Return what convolves each channel with the kernel."""

    def restore(pixels: Pixels) -> Pixels:
        values = ndimage.convolve(pixels.astype(np.int32), KERNEL[:, :, np.newaxis], mode="reflect")
        return np.clip(values, 0, 255).astype(np.uint8)

    return restore
