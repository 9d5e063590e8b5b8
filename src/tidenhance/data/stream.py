"""Distorted pictures without end, made by processes of their own while a network trains on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tidenhance import images, workers
from tidenhance.data import distortions
from tidenhance.data.datasets import tid2013
from tidenhance.data.pairs import files_in, size_of
from tidenhance.errors import DataError, TidenhanceError, printable
from tidenhance.images import Pixels, to_uint8

Couple = tuple[Pixels, Pixels]

WIDTH, HEIGHT = tid2013.SIZE

# Cut from one photograph, since to read it takes longer than most distortions.
_TOGETHER = 8

# Photographs whose pictures are made ahead, for each process.
_AHEAD = 2


@dataclass(frozen=True)
class Stream:
    """What the pictures of a stream are made of; number n follows from this and n alone.

    Attributes:
        photographs: pristine ones, each at least `WIDTH` x `HEIGHT`.
        types: numbers of distortion types; each entry is as likely.
        levels: levels, 1 to 5, and 0 for no distortion; each entry is as likely.
        seed: what all random choices follow from.
        probabilities: of each entry of `types`, if they are not alike.
        gamma: pristine pictures are raised to a power between 1 / gamma and gamma first.
    """

    photographs: tuple[Path, ...]
    types: tuple[int, ...]
    levels: tuple[int, ...]
    seed: int
    probabilities: Sequence[float] | None = None
    gamma: float = 1.0

    def photograph(self, number: int) -> Path:
        """Return the photograph that picture number `number` is cut from."""
        random = np.random.default_rng([self.seed, number // _TOGETHER])
        return self.photographs[random.integers(len(self.photographs))]

    def distortion(self, number: int) -> tuple[int, int]:
        """Return the type and the level of picture number `number`."""
        random = np.random.default_rng([self.seed, number, 0])
        distortion = random.choice(self.types, p=self.probabilities)
        return int(distortion), int(random.choice(self.levels))

    def describe(self, number: int) -> str:
        """Return what picture number `number` is, for errors."""
        distortion, level = self.distortion(number)
        return f"{printable(self.photograph(number))} (type {distortion}, level {level})"


def photographs(folder: Path) -> Iterator[tuple[Path, Pixels]]:
    """Yield the photographs in a folder, sorted, with their pixels, uint8 (H, W, 3).

    Raises:
        DataError: there is no such folder, it holds none, or one is too small.
        ImageError: one cannot be read.
    """
    found = [path for path in files_in(folder) if images.is_picture_name(path)]
    if not found:
        raise DataError(f"{printable(folder)}: expected photographs in it. Received: none.")
    for path in found:
        pixels = images.read_photograph(path)
        if pixels.shape[0] < HEIGHT or pixels.shape[1] < WIDTH:
            raise DataError(
                f"{printable(path)}: expected at least {WIDTH} x {HEIGHT}."
                f" Received: {size_of(pixels)}."
            )
        yield path, pixels


def make(stream: Stream, number: int, photograph: Pixels) -> Couple:
    """Return picture number `number` of a stream, distorted and pristine: uint8 (384, 512, 3).

    It shows a part of its photograph, at the photograph's own scale or smaller, in the proportions
    4 : 3.

    Args:
        stream: what is made.
        number: the picture's.
        photograph: that which `stream.photograph` names, uint8 (H, W, 3).
    """
    random = np.random.default_rng([stream.seed, number, 1])
    whole = Image.fromarray(photograph)
    scale = random.uniform(1, min(whole.width / WIDTH, whole.height / HEIGHT))
    left = random.uniform(0, whole.width - scale * WIDTH)
    top = random.uniform(0, whole.height - scale * HEIGHT)
    # Where nothing is scaled, nothing is to be interpolated either.
    if scale < 1.05:
        left, top, scale = int(left), int(top), 1.0
    box = (left, top, left + scale * WIDTH, top + scale * HEIGHT)
    pristine = np.asarray(whole.resize(tid2013.SIZE, Image.Resampling.LANCZOS, box, reducing_gap=3))
    if stream.gamma > 1:
        pristine = _with_gamma(pristine, stream.gamma ** random.uniform(-1, 1), random)
    distortion, level = stream.distortion(number)
    if level == 0:
        return pristine, pristine
    return distortions.by_number()[distortion].distort(pristine, level, random), pristine


def _with_gamma(pristine: Pixels, gamma: float, random: np.random.Generator) -> Pixels:
    # What was rounded away is drawn anew, lest dark tones lie apart as if they were quantized.
    unrounded = np.clip(pristine + random.uniform(-0.5, 0.5, pristine.shape), 0, 255)
    return to_uint8((unrounded / 255) ** gamma)


def first_of_window(step: int, pictures_per_step: float) -> int:
    """Return the number of the first picture that a training step may be cut from."""
    return int(step * pictures_per_step)


def windows(
    stream: Stream, first: int, executor: Executor, *, pictures_per_step: float, size: int
) -> Iterator[list[Couple]]:
    """Yield, for step number `first` and each after it, the pictures that it may be cut from.

    There are `size` of them; each is there for `size` / `pictures_per_step` steps.

    Args:
        stream: what is made.
        first: a step's number, from 0.
        executor: in whose processes they are made.
        pictures_per_step: new pictures a step.
        size: pictures at a time.

    Raises:
        TidenhanceError: a process was killed.
        ImageError: a photograph can no longer be read.
    """
    made: dict[int, Future[list[Couple]]] = {}
    processes = getattr(executor, "_max_workers", 1)
    step = first
    while True:
        start = first_of_window(step, pictures_per_step)
        groups = range(start // _TOGETHER, (start + size - 1) // _TOGETHER + 1)
        try:
            with workers.interrupts_held_back():
                for group in range(groups.start, groups.stop + _AHEAD * processes):
                    if group not in made:
                        made[group] = executor.submit(_make_together, stream, group)
            pictures = [
                made[number // _TOGETHER].result()[number % _TOGETHER]
                for number in range(start, start + size)
            ]
        except BrokenProcessPool as error:
            raise TidenhanceError(
                "A process that makes training pictures was killed, perhaps for want of memory."
            ) from error
        for group in [group for group in made if group < groups.start]:
            del made[group]
        yield pictures
        step += 1


def _make_together(stream: Stream, group: int) -> list[Couple]:
    numbers = range(group * _TOGETHER, (group + 1) * _TOGETHER)
    photograph = images.read_photograph(stream.photograph(numbers.start))
    return [make(stream, number, photograph) for number in numbers]
