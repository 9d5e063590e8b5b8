"""Feed training and validation: what is random follows from seed and number alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tidenhance import images, workers
from tidenhance.config import Augmentation
from tidenhance.data import pairs as pairs_module
from tidenhance.data.pairs import Pair, Picture
from tidenhance.data.stream import HEIGHT, WIDTH, Stream, windows
from tidenhance.errors import DataError

Couple = tuple[Picture, Picture]
Batch = tuple[int, NDArray[np.int64]]
Shape = tuple[int | None, int | None, int]
Floats = tuple[NDArray[np.float32], NDArray[np.float32]]

NONE_LATER: Mapping[int, int] = MappingProxyType({})
NONE_AUGMENTED = Augmentation()

# The side that pictures must have at least, and what needs it.
Minimum = tuple[int, str]
NO_MINIMUM = (1, "")


def training(
    pairs: list[Pair],
    *,
    batch_size: int,
    patch_size: int | None,
    later_patch_sizes: Mapping[int, int] = NONE_LATER,
    augmentation: Augmentation = NONE_AUGMENTED,
    seed: int,
    cache_gib: float,
    size_multiple: int = 1,
    minimum: Minimum = NO_MINIMUM,
) -> Callable[[int], tf.data.Dataset]:
    """Return what gives endless batches of (distorted, reference) from the one of a number on.

    Each is float32 (B, H, W, C) on the scale of [0, 1]. Batches are numbered from the first pass's
    first. Each pass holds every pair once, in an order of its own; its last batch may be smaller.
    Both pictures of a pair are cropped and augmented alike. Every file is read once before
    this returns, so that a damaged one is found at once.

    Args:
        pairs: what to train on.
        batch_size: pairs in a batch.
        patch_size: the side of the random crops in pixels, or None for whole pictures.
        later_patch_sizes: other sides, each from the batch of the number on that is its key.
        augmentation: what is done to them beside.
        seed: with the pass's number, all that order, crops and augmentation depend on.
        cache_gib: of the decoded pictures as many are kept in memory as fit into so many GiB.
        size_multiple: of what whole pictures' height and width must be multiples.
        minimum: the side that whole pictures must have at least, and what needs it, for the error.

    Raises:
        ImageError: a file cannot be read.
        DataError: a picture does not suit the patch, batch or augmentation asked for.
    """

    def choose(number: int) -> Batch:
        return batch(number, pairs=len(pairs), batch_size=batch_size, seed=seed)

    unchanged = patch_size is None and augmentation == NONE_AUGMENTED

    def transform(couple: Couple, number: int, number_of_pass: int, index: int) -> Couple:
        if unchanged:
            return couple
        random = np.random.default_rng([seed, number_of_pass, index])
        side = _patch_size(number, patch_size, later_patch_sizes)
        return _augmented(couple, random, side, augmentation)

    largest = _largest(patch_size, later_patch_sizes)
    rotations = augmentation.rotations
    read, shape = _reader(
        pairs, batch_size, largest, size_multiple, cache_gib, minimum, rotations=rotations
    )
    if augmentation.rgb_permutation and shape[2] != 3:
        raise DataError(
            "training.augmentation.rgb_permutation: expected false, since the pictures have"
            f" {shape[2]} channel. Received: true."
        )
    shape = (None, None, shape[2]) if later_patch_sizes else shape

    def batches(first: int) -> tf.data.Dataset:
        return _load(tf.data.Dataset.counter(first), choose, read, transform, shape)

    return batches


def synthesised(
    stream: Stream,
    executor: Executor,
    *,
    batch_size: int,
    patch_size: int | None,
    later_patch_sizes: Mapping[int, int] = NONE_LATER,
    augmentation: Augmentation = NONE_AUGMENTED,
    pictures_per_step: float,
    window: int,
) -> Callable[[int], tf.data.Dataset]:
    """Return what gives endless batches of pairs that are made meanwhile, from a number on.

    As `training`, but that each batch is cut from pictures that `chosen` names, all different as
    long as there are enough of them. What is returned can be iterated once.

    Args:
        stream: what is made.
        executor: in whose processes.
        batch_size: pairs in a batch.
        patch_size: the side of the random crops in pixels, or None for whole pictures.
        later_patch_sizes: as in `training`.
        augmentation: as in `training`.
        pictures_per_step: as in `stream.windows`.
        window: as `size` in `stream.windows`.

    Raises:
        DataError: patches are larger than the pictures, or rotations are on and pictures whole.
    """
    largest = _largest(patch_size, later_patch_sizes)
    if largest is None and augmentation.rotations:
        raise DataError(
            f"training.patch_size: expected at most {HEIGHT}, since rotations are on and the"
            f" pictures that are made are {WIDTH} x {HEIGHT}. Received: null."
        )
    if largest is not None and largest > HEIGHT:
        key = "patch_size" if largest == patch_size else "later_patch_sizes"
        raise DataError(
            f"training.{key}: expected at most {HEIGHT}, the height of the pictures that are"
            f" made. Received: {largest}."
        )
    shape: Shape = (HEIGHT, WIDTH, 3) if largest is None else (largest, largest, 3)
    shape = (None, None, 3) if later_patch_sizes else shape

    def batches(first: int) -> tf.data.Dataset:
        made = windows(stream, first, executor, pictures_per_step=pictures_per_step, size=window)

        def load(number: np.int64) -> Floats:
            pictures = next(made)
            couples = [
                _augmented(
                    pictures[place],
                    np.random.default_rng([stream.seed, int(number), index]),
                    _patch_size(int(number), patch_size, later_patch_sizes),
                    augmentation,
                )
                for index, place in enumerate(chosen(stream, int(number), batch_size, window))
            ]
            return _floats(couples)

        # One after the other, and not of `from_generator`, which lets TensorFlow change how the
        # whole process gives memory back.
        numbers = tf.data.Dataset.counter(first)
        return numbers.map(_tensors(load, shape)).prefetch(2)

    return batches


def chosen(stream: Stream, number: int, batch_size: int, window: int) -> NDArray[np.int64]:
    """Return the places, in its window, of the pictures that a batch is cut from."""
    random = np.random.default_rng([stream.seed, number, batch_size, window])
    return random.choice(window, batch_size, replace=batch_size > window)


def batch(number: int, *, pairs: int, batch_size: int, seed: int) -> Batch:
    """Return which pass over the pairs a training batch belongs to, and its pairs' indices.

    Args:
        number: the batch's, counted from the first pass's first.
        pairs: how many there are.
        batch_size: pairs in a batch; the last batch of a pass may be smaller.
        seed: what the order of each pass follows from.
    """
    number_of_pass, place = divmod(number, math.ceil(pairs / batch_size))
    order = _order(seed, number_of_pass, pairs)
    return number_of_pass, order[place * batch_size : (place + 1) * batch_size]


def validation(
    pairs: list[Pair],
    *,
    batch_size: int,
    patch_size: int | None,
    random_crops: bool = False,
    seed: int = 0,
    cache_gib: float,
    size_multiple: int = 1,
    minimum: Minimum = NO_MINIMUM,
) -> Callable[[int], tf.data.Dataset]:
    """Return what gives every pair once, in order, for the validation of a number.

    Validations are numbered from 0. Each batch is float32 (B, H, W, C) as in training.

    Args:
        pairs: what to validate on.
        batch_size: pairs in a batch; the last batch may be smaller.
        patch_size: the side of the crop in pixels, or None for whole pictures.
        random_crops: crop anew for each validation; the crop is the central one otherwise.
        seed: with the validation's number, all that random crops follow from.
        cache_gib: of the decoded pictures as many are kept in memory as fit into so many GiB.
        size_multiple: of what whole pictures' height and width must be multiples.
        minimum: the side that whole pictures must have at least, and what needs it, for the error.

    Raises:
        ImageError: a file cannot be read.
        DataError: a picture does not suit the patch or batch asked for.
    """
    read, shape = _reader(pairs, batch_size, patch_size, size_multiple, cache_gib, minimum)
    numbers = tf.data.Dataset.range(math.ceil(len(pairs) / batch_size))

    def batches(validation_number: int) -> tf.data.Dataset:
        def choose(number: int) -> Batch:
            indices = np.arange(len(pairs))[number * batch_size : (number + 1) * batch_size]
            return validation_number, indices

        return _load(numbers, choose, read, transform, shape)

    def transform(couple: Couple, _number: int, validation_number: int, index: int) -> Couple:
        if patch_size is None:
            return couple
        if random_crops:
            random = np.random.default_rng([seed, validation_number, index])
            return _augmented(couple, random, patch_size, NONE_AUGMENTED)
        height, width, _ = couple[0].shape
        return _crop(couple, (height - patch_size) // 2, (width - patch_size) // 2, patch_size)

    return batches


@lru_cache(maxsize=8)
def _order(seed: int, number_of_pass: int, pairs: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, number_of_pass]).permutation(pairs)


def _load(
    numbers: tf.data.Dataset,
    choose: Callable[[int], Batch],
    read: Callable[[int], Couple],
    transform: Callable[[Couple, int, int, int], Couple],
    shape: Shape,
) -> tf.data.Dataset:
    def load(number: np.int64) -> Floats:
        number_of_pass, indices = choose(int(number))
        return _floats(
            [transform(read(int(i)), int(number), number_of_pass, int(i)) for i in indices]
        )

    tensors = _tensors(load, shape)
    # Each call holds a batch that may be of whole pictures.
    calls = min(workers.available_cores(), 8)
    return numbers.map(tensors, num_parallel_calls=calls, deterministic=True).prefetch(2)


def _floats(couples: Sequence[Couple]) -> Floats:
    distorted, reference = zip(*couples, strict=True)
    return images.to_float(np.stack(distorted)), images.to_float(np.stack(reference))


def _tensors(
    load: Callable[[np.int64], Floats], shape: Shape
) -> Callable[[tf.Tensor], tuple[tf.Tensor, ...]]:
    def load_tensors(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
        couple = tf.numpy_function(load, [number], (tf.float32, tf.float32))
        return tuple(tf.ensure_shape(x, (None, *shape)) for x in couple)

    return load_tensors


def _largest(patch_size: int | None, later_patch_sizes: Mapping[int, int]) -> int | None:
    return max((patch_size, *later_patch_sizes.values())) if patch_size else None


def _patch_size(
    number: int, patch_size: int | None, later_patch_sizes: Mapping[int, int]
) -> int | None:
    """Return the side of the crops of batch number `number`."""
    reached = [first for first in later_patch_sizes if first <= number]
    return later_patch_sizes[max(reached)] if reached else patch_size


def _augmented(
    couple: Couple,
    random: np.random.Generator,
    patch_size: int | None,
    augmentation: Augmentation,
) -> Couple:
    if patch_size is not None:
        height, width, _ = couple[0].shape
        top = int(random.integers(height - patch_size + 1))
        left = int(random.integers(width - patch_size + 1))
        couple = _crop(couple, top, left, patch_size)
    if augmentation.flips:
        axes = tuple(axis for axis in (0, 1) if random.integers(2))
        couple = np.flip(couple[0], axes), np.flip(couple[1], axes)
    if augmentation.rotations:
        quarters = int(random.integers(4))
        couple = np.rot90(couple[0], quarters), np.rot90(couple[1], quarters)
    if augmentation.rgb_permutation:
        order = random.permutation(3)
        couple = couple[0][..., order], couple[1][..., order]
    return couple


def _crop(couple: Couple, top: int, left: int, side: int) -> Couple:
    window = np.s_[top : top + side, left : left + side]
    return couple[0][window], couple[1][window]


def _reader(
    pairs: list[Pair],
    batch_size: int,
    patch_size: int | None,
    size_multiple: int,
    cache_gib: float,
    minimum: Minimum,
    *,
    rotations: bool = False,
) -> tuple[Callable[[int], Couple], Shape]:
    """Return what reads pair number `index`, and the shape of what is cut from it.

    Every pair is read and checked once.
    """
    kept: dict[Path, NDArray[np.uint8]] = {}
    room = cache_gib * 2**30

    def read_rgb(path: Path) -> NDArray[np.uint8]:
        return kept[path] if path in kept else images.read_rgb(path)

    shapes: dict[tuple[int, ...], None] = {}
    for pair in pairs:
        distorted, reference = pairs_module.read(pair, read_rgb)
        for file, pixels in ((pair.distorted, distorted), (pair.reference, reference)):
            if isinstance(file, Path) and file not in kept and pixels.nbytes <= room:
                kept[file] = pixels
                room -= pixels.nbytes
        shapes.setdefault(distorted.shape)
        first = next(iter(shapes))
        height, width, _ = distorted.shape
        problem = ""
        if patch_size is not None and min(height, width) < patch_size:
            problem = f"at least the patch, {patch_size} x {patch_size}"
        elif patch_size is None and min(height, width) < minimum[0]:
            problem = f"at least {minimum[0]} x {minimum[0]} for {minimum[1]}"
        elif patch_size is None and (height % size_multiple or width % size_multiple):
            problem = f"multiples of {size_multiple}, or a patch_size in the config"
        elif patch_size is None and batch_size > 1 and distorted.shape != first:
            problem = f"{first[1]} x {first[0]} like the others, or batch_size 1, or a patch_size"
        elif patch_size is None and batch_size > 1 and rotations and height != width:
            problem = "a square, or batch_size 1, or a patch_size, since rotations are on"
        if problem:
            raise DataError(f"{pair.place}: expected {problem}. Received: {width} x {height}.")
    height, width, channels = next(iter(shapes))
    if patch_size is not None:
        shape: Shape = (patch_size, patch_size, channels)
    elif len(shapes) == 1 and (height == width or not rotations):
        shape = (height, width, channels)
    else:
        shape = (None, None, channels)
    return lambda index: pairs_module.read(pairs[index], read_rgb), shape
