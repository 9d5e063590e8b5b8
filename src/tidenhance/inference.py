"""A network and an array in, a restored array out, whole or in tiles; free of TensorFlow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from tidenhance.errors import DataError, TidenhanceError
from tidenhance.images import resize, to_float, to_grey, to_rgb

Scalar = TypeVar("Scalar", bound=np.generic)

Shape: TypeAlias = tuple[int | None, ...]
Picture: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]

# A network's forward pass, from float32 (B, H, W, C) to float32 (B, H, W, C') of the same height
# and width. Raises MemoryError where the memory does not suffice.
Forward: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# The forward pass of a network up to its colour transform: the pictures before it, and the
# transform's 13 numbers, (B, 13). Raises MemoryError likewise.
Parts: TypeAlias = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Network:
    """What restoring needs to know of a network.

    Attributes:
        forward: its forward pass.
        size_multiple: the number that it needs H and W to be multiples of.
        receptive_field: pixels, along one axis, that an output pixel depends on.
        is_global: whether each output depends on the whole input.
        input_shape: H, W and C of what it takes; None where any will do.
        parts: its forward pass up to its colour transform, if it ends in one.
    """

    forward: Forward
    size_multiple: int
    receptive_field: int
    is_global: bool
    input_shape: Shape = (None, None, 3)
    parts: Parts | None = None

    @property
    def has_fixed_size(self) -> bool:
        """Whether it takes pictures of one size only."""
        return None not in self.input_shape[:2]


def shape_text(shape: Shape) -> str:
    """Return a shape as people read it: `28 x 28 x 1`, `any x any x 3`."""
    return " x ".join("any" if size is None else str(size) for size in shape)


def check_suits(shape: Shape, expected: Shape, what: str) -> None:
    """Check that a network takes pictures of a shape, (H, W, C).

    Args:
        shape: the pictures'; None where they differ.
        expected: what the network takes; None where any will do.
        what: what the pictures are called in the error.

    Raises:
        DataError: it does not.
    """
    if any(own not in (None, size) for own, size in zip(expected, shape, strict=True)):
        raise DataError(
            f"{what}: expected height x width x channels {shape_text(expected)}, which the network"
            f" takes. Received: {shape_text(shape)}."
        )


def as_input(pixels: NDArray[np.uint8], shape: Shape) -> Picture:
    """Return a colour picture as a network of an input shape takes it.

    For one channel it is the mean of R, G and B; for a fixed size it is resized, whatever its
    proportions.

    Args:
        pixels: uint8 (H, W, 3).
        shape: height, width and channels (1 or 3); None where any will do.

    Returns:
        (H, W, C): the pixels themselves where they suit, else float32 in [0, 1].
    """
    height, width, channels = shape
    picture: Picture = to_grey(pixels) if channels == 1 else pixels
    if height is None or width is None or picture.shape[:2] == (height, width):
        return picture
    return resize(picture, height, width)


def forward_for_tiles(network: Network, picture: Picture, tile: int) -> Forward:
    """Return a network's forward pass for tiles of a picture.

    A colour transform that the network ends in is that of the whole picture, shrunk to a tile, so
    that it is the same for all of them.

    Args:
        network: one that takes pictures of any size.
        picture: (H, W, C), uint8 or float32 in [0, 1].
        tile: longest side of a tile, in pixels.

    Raises:
        TidenhanceError: as `restore`.
    """
    parts, multiple = network.parts, network.size_multiple
    if parts is None or _fits(picture, _longest(tile, multiple), multiple):
        return network.forward
    shrink = tile / max(picture.shape[:2])
    height, width = (
        max(round(shrink * side) // multiple, 1) * multiple for side in picture.shape[:2]
    )
    with _memory_enough_for(height, width):
        before, numbers = parts(resize(picture, height, width)[np.newaxis])
    mean = before.mean()
    return lambda tiles: colour_transformed(parts(tiles)[0], numbers[0], mean)


def colour_transformed(
    x: NDArray[np.float32], numbers: NDArray[np.float32], mean: np.float32
) -> NDArray[np.float32]:
    """Return x + x A + b + c (x - m), as the networks' colour transform does.

    Args:
        x: float32 (..., 3).
        numbers: (13,), the 3 x 3 of A row by row, the 3 of b, and c.
        mean: m.
    """
    matrix, offset, contrast = numbers[:9].reshape(3, 3), numbers[9:12], numbers[12]
    return x + x @ matrix + offset + contrast * (x - mean)


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
    with _memory_enough_for(height, width):
        output = forward(padded[np.newaxis])[0]
    if not np.isfinite(output).all():
        raise TidenhanceError(
            "The network's output is not finite: its weights are damaged, or its training diverged."
        )
    return output[:height, :width]


def restore_tiled(
    forward: Forward,
    picture: Picture,
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
        forward: a network's forward pass from [0, 1] to [0, 1], (B, H, W, C).
        picture: (H, W, C), uint8 or float32 in [0, 1].
        size_multiple: the number that the network needs H and W to be multiples of.
        overlap: pixels that neighbouring tiles share at least, less than `tile`.
        feathered: blend the tiles.
        tile: longest side of a tile, in pixels.

    Returns:
        uint8 (H, W, 3).

    Raises:
        TidenhanceError: as `restore`.
    """
    height, width, channels = picture.shape
    longest = _longest(tile, size_multiple)
    if _fits(picture, longest, size_multiple):
        return to_rgb(restore(forward, to_float(picture), size_multiple=size_multiple))

    padded = _pad_to_multiple(picture, size_multiple)
    padded_height, padded_width = padded.shape[:2]
    tops, tile_height = _starts(padded_height, longest, overlap, size_multiple)
    lefts, tile_width = _starts(padded_width, longest, overlap, size_multiple)
    row_weights = _weights(tops, tile_height, feathered=feathered)
    column_weights = _weights(lefts, tile_width, feathered=feathered)

    restored = np.empty((padded_height, padded_width, 3), np.uint8)
    band = np.zeros((tile_height, padded_width, channels), np.float32)
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
        restored[top:next_top] = to_rgb(band[:finished])
        band = np.concatenate([band[finished:], np.zeros_like(band[:finished])])
    return restored[:height, :width]


@contextmanager
def _memory_enough_for(height: int, width: int) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise TidenhanceError(
            f"The memory does not suffice to restore {width} x {height} pixels at once."
        ) from error


def _longest(tile: int, multiple: int) -> int:
    return max(tile // multiple, 1) * multiple


def _fits(picture: Picture, longest: int, multiple: int) -> bool:
    """Return whether a picture is restored whole."""
    height, width = (_round_up(side, multiple) for side in picture.shape[:2])
    return height * width <= longest * longest


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
