"""A network and an array in, a restored array out, whole or in tiles; free of TensorFlow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tidenhance.errors import TidenhanceError
from tidenhance.images import to_float, to_uint8

Scalar = TypeVar("Scalar", bound=np.generic)

# A network's forward pass, from float32 (B, H, W, C) to float32 (B, H, W, C') of the same height
# and width. Raises MemoryError where the memory does not suffice.
Forward: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Network:
    """What restoring needs to know of a network.

    Attributes:
        forward: its forward pass.
        size_multiple: the number that it needs H and W to be multiples of.
        receptive_field: pixels, along one axis, that an output pixel depends on.
        is_global: whether each output depends on the whole input.
    """

    forward: Forward
    size_multiple: int
    receptive_field: int
    is_global: bool


def restore(
    forward: Forward, image: NDArray[np.float32], *, size_multiple: int = 1
) -> NDArray[np.float32]:
    """Return the network's output for one image.

    The image is padded by reflection at the bottom and the right to a multiple of
    `size_multiple`, and the output cropped back.

    Args:
        forward: the network's forward pass.
        image: float32 (H, W, C) in the range the network was trained on, from 1 x 1 up.
        size_multiple: the number that the network needs H and W to be multiples of.

    Returns:
        float32 (H, W, C'), not clipped.

    Raises:
        TidenhanceError: the output holds NaN or infinity, or the memory does not suffice.
    """
    height, width = image.shape[:2]
    padded = _pad_to_multiple(image, size_multiple)
    try:
        output = forward(padded[np.newaxis])[0]
    except MemoryError as error:
        raise TidenhanceError(
            f"The memory does not suffice to restore {width} x {height} pixels at once. "
            "Choose a smaller tile."
        ) from error
    if not np.isfinite(output).all():
        raise TidenhanceError(
            "The network's output is not finite: its weights are damaged, or its training diverged."
        )
    return output[:height, :width]


def restore_tiled(
    forward: Forward,
    pixels: NDArray[np.uint8],
    *,
    size_multiple: int = 1,
    overlap: int,
    feathered: bool,
    tile: int = 512,
) -> NDArray[np.uint8]:
    """Return a restored picture, computed in overlapping tiles so that memory stays bounded.

    A picture of no more pixels than a tile is restored whole. All tiles of a picture have one
    size, at most `tile`, chosen for least overlap; they start at multiples of `size_multiple`, so
    that the pooling grids of neighbours agree.

    Without feathering each pixel comes from the one tile that it lies deepest in: this equals the
    whole picture's restoration if the network's receptive field is at most `overlap` + 2 -
    `size_multiple`. Feathering blends neighbours linearly across their overlap, for networks
    whose every output depends on the whole input.

    Args:
        forward: a network's forward pass from RGB in [0, 1] to RGB in [0, 1], (B, H, W, 3).
        pixels: uint8 (H, W, 3).
        size_multiple: the number that the network needs H and W to be multiples of.
        overlap: pixels that neighbouring tiles share at least, less than `tile`.
        feathered: blend the tiles.
        tile: longest side of a tile, in pixels.

    Returns:
        uint8 (H, W, 3).

    Raises:
        TidenhanceError: as `restore`.
    """
    height, width = pixels.shape[:2]
    longest = max(tile // size_multiple, 1) * size_multiple
    padded = _pad_to_multiple(pixels, size_multiple)
    padded_height, padded_width = padded.shape[:2]
    if padded_height * padded_width <= longest * longest:
        return to_uint8(restore(forward, to_float(pixels), size_multiple=size_multiple))

    tops, tile_height = _starts(padded_height, longest, overlap, size_multiple)
    lefts, tile_width = _starts(padded_width, longest, overlap, size_multiple)
    row_weights = _weights(tops, tile_height, feathered=feathered)
    column_weights = _weights(lefts, tile_width, feathered=feathered)

    restored = np.empty_like(padded)
    band = np.zeros((tile_height, padded_width, 3), np.float32)
    for top, next_top, row_weight in zip(
        tops, [*tops[1:], padded_height], row_weights, strict=True
    ):
        for left, column_weight in zip(lefts, column_weights, strict=True):
            corner = padded[top : top + tile_height, left : left + tile_width]
            weight = row_weight[:, np.newaxis, np.newaxis] * column_weight[:, np.newaxis]
            band[:, left : left + tile_width] += weight * restore(
                forward, to_float(corner), size_multiple=size_multiple
            )
        finished = next_top - top
        restored[top:next_top] = to_uint8(band[:finished])
        band = np.concatenate([band[finished:], np.zeros_like(band[:finished])])
    return restored[:height, :width]


def _pad_to_multiple(image: NDArray[Scalar], multiple: int) -> NDArray[Scalar]:
    height, width = image.shape[:2]
    below, right = -height % multiple, -width % multiple
    if below == 0 and right == 0:
        return image
    return np.pad(image, ((0, below), (0, right), (0, 0)), mode="reflect")


def _starts(length: int, longest: int, overlap: int, multiple: int) -> tuple[list[int], int]:
    """Return where tiles start along an axis, and their length; all multiples of `multiple`."""
    if length <= longest:
        return [0], length
    shared = min(_round_up(overlap, multiple), longest - multiple)
    count = math.ceil((length - shared) / (longest - shared))
    tile = _round_up(math.ceil((length + (count - 1) * shared) / count), multiple)
    return [min(index * (tile - shared), length - tile) for index in range(count)], tile


def _weights(starts: list[int], tile: int, *, feathered: bool) -> list[NDArray[np.float32]]:
    """Return each tile's float32 (tile,) weights; where tiles overlap their weights sum to 1."""
    shared = [first + tile - second for first, second in itertools.pairwise(starts)]
    position = np.arange(tile) + 0.5
    windows = []
    for before, after in zip([0, *shared], [*shared, 0], strict=True):
        rising = position / before if before else np.ones(tile)
        falling = (tile - position) / after if after else np.ones(tile)
        if feathered:
            windows.append(np.clip(np.minimum(rising, falling), 0, 1))
        else:
            windows.append(((rising > 0.5) & (falling >= 0.5)).astype(float))
    total = np.zeros(starts[-1] + tile)
    for start, window in zip(starts, windows, strict=True):
        total[start : start + tile] += window
    return [
        (window / total[start : start + tile]).astype(np.float32)
        for start, window in zip(starts, windows, strict=True)
    ]


def _round_up(value: int, multiple: int) -> int:
    return math.ceil(value / multiple) * multiple
