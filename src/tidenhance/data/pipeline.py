"""Feed pairs to training and validation: order, crops and flips follow from (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tidenhance import images
from tidenhance.data import pairs as pairs_module
from tidenhance.data.pairs import Pair
from tidenhance.errors import DataError

Pixels = NDArray[np.uint8]
Couple = tuple[Pixels, Pixels]


def training(
    pairs: list[Pair],
    *,
    batch_size: int,
    patch_size: int | None,
    flips: bool = False,
    rotations: bool = False,
    seed: int,
    cache_gib: float,
    size_multiple: int = 1,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return endless batches of (distorted, reference), each float32 (B, H, W, 3) in [0, 1].

    Each epoch holds every pair once, in an order of its own; its last batch may be smaller. Both
    pictures of a pair are cropped, flipped and rotated alike. Every file is read once before this
    returns, so that a damaged one is found at once.

    Args:
        pairs: what to train on.
        batch_size: pairs in a batch.
        patch_size: the side of the random crops in pixels, or None for whole pictures.
        flips: flip left-right and upside down, each with probability 1/2.
        rotations: rotate by 0, 90, 180 or 270 degrees, each with probability 1/4.
        seed: with the epoch's number, all that order, crops, flips and rotations depend on.
        cache_gib: decoded pictures are kept in memory if all of them fit into so many GiB.
        size_multiple: of what whole pictures' height and width must be multiples.
        first_epoch: the number of the first epoch to give.

    Raises:
        ImageError: a file cannot be read.
        DataError: a picture does not suit the patch or batch asked for.
    """
    size = len(pairs)

    def order(epoch: np.int64) -> NDArray[np.int64]:
        return np.random.default_rng([seed, int(epoch)]).permutation(size)

    def transform(couple: Couple, epoch: int, index: int) -> Couple:
        random = np.random.default_rng([seed, epoch, index])
        if patch_size is not None:
            height, width, _ = couple[0].shape
            top = int(random.integers(height - patch_size + 1))
            left = int(random.integers(width - patch_size + 1))
            couple = _crop(couple, top, left, patch_size)
        if flips:
            axes = tuple(axis for axis in (0, 1) if random.integers(2))
            couple = np.flip(couple[0], axes), np.flip(couple[1], axes)
        if rotations:
            quarters = int(random.integers(4))
            couple = np.rot90(couple[0], quarters), np.rot90(couple[1], quarters)
        return couple

    def epoch_of_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        indices = tf.numpy_function(order, [epoch], tf.int64)
        batches = tf.data.Dataset.from_tensor_slices(tf.ensure_shape(indices, [size]))
        return batches.batch(batch_size).map(lambda some: (epoch, some))

    read = _reader(pairs, batch_size, patch_size, size_multiple, cache_gib, rotations)
    batches = tf.data.Dataset.counter(first_epoch).flat_map(epoch_of_batches)
    return _load(batches, read, transform, patch_size)


def validation(
    pairs: list[Pair],
    *,
    batch_size: int,
    patch_size: int | None,
    cache_gib: float,
    size_multiple: int = 1,
) -> tf.data.Dataset:
    """Return every pair once, in order, with nothing random: float32 (B, H, W, 3) in [0, 1].

    Args:
        pairs: what to validate on.
        batch_size: pairs in a batch; the last batch may be smaller.
        patch_size: the side of the central crop in pixels, or None for whole pictures.
        cache_gib: decoded pictures are kept in memory if all of them fit into so many GiB.
        size_multiple: of what whole pictures' height and width must be multiples.

    Raises:
        ImageError: a file cannot be read.
        DataError: a picture does not suit the patch or batch asked for.
    """

    def transform(couple: Couple, _epoch: int, _index: int) -> Couple:
        if patch_size is None:
            return couple
        height, width, _ = couple[0].shape
        return _crop(couple, (height - patch_size) // 2, (width - patch_size) // 2, patch_size)

    read = _reader(pairs, batch_size, patch_size, size_multiple, cache_gib)
    batches = tf.data.Dataset.range(len(pairs)).batch(batch_size)
    batches = batches.map(lambda some: (tf.constant(0, tf.int64), some))
    return _load(batches, read, transform, patch_size)


def _load(
    batches: tf.data.Dataset,
    read: Callable[[int], Couple],
    transform: Callable[[Couple, int, int], Couple],
    patch_size: int | None,
) -> tf.data.Dataset:
    def load(
        epoch: np.int64, indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        couples = [transform(read(int(index)), int(epoch), int(index)) for index in indices]
        distorted, reference = zip(*couples, strict=True)
        return images.to_float(np.stack(distorted)), images.to_float(np.stack(reference))

    def load_tensors(epoch: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, ...]:
        couple = tf.numpy_function(load, [epoch, indices], (tf.float32, tf.float32))
        return tuple(tf.ensure_shape(x, (None, patch_size, patch_size, 3)) for x in couple)

    return batches.map(load_tensors, num_parallel_calls=2, deterministic=True).prefetch(2)


def _crop(couple: Couple, top: int, left: int, side: int) -> Couple:
    window = np.s_[top : top + side, left : left + side]
    return couple[0][window], couple[1][window]


def _reader(
    pairs: list[Pair],
    batch_size: int,
    patch_size: int | None,
    size_multiple: int,
    cache_gib: float,
    rotations: bool = False,
) -> Callable[[int], Couple]:
    """Return what reads pair number `index`, after reading and checking every pair once."""
    read_rgb: Callable[[Path], Pixels] = lru_cache(maxsize=None)(images.read_rgb)
    counted: set[Path] = set()
    decoded = 0
    first: tuple[int, ...] | None = None
    for pair in pairs:
        distorted, _ = pairs_module.read(pair, read_rgb)
        new = {pair.distorted, pair.reference} - counted
        counted |= new
        decoded += len(new) * distorted.nbytes
        if decoded > cache_gib * 2**30:
            read_rgb = images.read_rgb
        first = first or distorted.shape
        height, width, _ = distorted.shape
        problem = ""
        if patch_size is not None and min(height, width) < patch_size:
            problem = f"at least the patch, {patch_size} x {patch_size}"
        elif patch_size is None and (height % size_multiple or width % size_multiple):
            problem = f"multiples of {size_multiple}, or a patch_size in the config"
        elif patch_size is None and batch_size > 1 and distorted.shape != first:
            problem = f"{first[1]} x {first[0]} like the others, or batch_size 1, or a patch_size"
        elif patch_size is None and batch_size > 1 and rotations and height != width:
            problem = "a square, or batch_size 1, or a patch_size, since rotations are on"
        if problem:
            raise DataError(f"{pair.distorted}: expected {problem}. Received: {width} x {height}.")
    return lambda index: pairs_module.read(pairs[index], read_rgb)
