"""Distorted pictures without end, made by processes of their own while a network trains on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tidenhance import images
from tidenhance.data import distortions, workers
from tidenhance.data.pairs import files_in, size_of
from tidenhance.errors import DataError, TidenhanceError, printable

Pixels = NDArray[np.uint8]
Couple = tuple[Pixels, Pixels]

# Large enough for every distortion's own structure, and TID2013's size.
WIDTH, HEIGHT = 512, 384

# So many pictures are cut from a photograph before the next is read, which takes longer than most
# distortions.
_OF_ONE_PHOTOGRAPH = 8


@dataclass(frozen=True)
class Stream:
    """What the pictures of a stream are made of; number n follows from this and n alone.

    Attributes:
        photographs: pristine ones, each at least `WIDTH` x `HEIGHT`.
        types: numbers of distortion types; each is as likely.
        levels: levels, 1 to 5, and 0 for no distortion; each is as likely.
        seed: what all random choices follow from.
    """

    photographs: tuple[Path, ...]
    types: tuple[int, ...]
    levels: tuple[int, ...]
    seed: int


def photographs(folder: Path) -> tuple[Path, ...]:
    """Return the photographs in a folder, sorted, after reading each of them once.

    Raises:
        DataError: there is no such folder, it holds none, or one is too small.
        ImageError: one cannot be read.
    """
    found = tuple(path for path in files_in(folder) if images.is_picture_name(path))
    if not found:
        raise DataError(f"{printable(folder)}: expected photographs in it. Received: none.")
    for path in found:
        pixels = images.read_picture(path).pixels
        if pixels.shape[0] < HEIGHT or pixels.shape[1] < WIDTH:
            raise DataError(
                f"{printable(path)}: expected at least {WIDTH} x {HEIGHT}."
                f" Received: {size_of(pixels)}."
            )
    return found


def photograph_of(stream: Stream, number: int) -> Path:
    """Return the photograph that a picture of a stream is cut from."""
    random = np.random.default_rng([stream.seed, number // _OF_ONE_PHOTOGRAPH])
    return stream.photographs[random.integers(len(stream.photographs))]


def make(stream: Stream, number: int) -> Couple:
    """Return picture number `number` of a stream, distorted and pristine: uint8 (384, 512, 3).

    It shows a part of the photograph, at its own scale or smaller, in the proportions 4 : 3.
    """
    random = np.random.default_rng([stream.seed, number, 1])
    photograph = Image.fromarray(_read(photograph_of(stream, number)))
    largest = min(photograph.width / WIDTH, photograph.height / HEIGHT)
    scale = random.uniform(1, largest)
    left = random.uniform(0, photograph.width - scale * WIDTH)
    top = random.uniform(0, photograph.height - scale * HEIGHT)
    # Where nothing is scaled, nothing is to be interpolated either.
    if scale < 1.05:
        left, top, scale = int(left), int(top), 1.0
    box = (left, top, left + scale * WIDTH, top + scale * HEIGHT)
    resized = photograph.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box, reducing_gap=3)
    pristine = np.asarray(resized)
    distortion = distortions.by_number()[int(random.choice(stream.types))]
    level = int(random.choice(stream.levels))
    return (distortion.distort(pristine, level, random) if level else pristine), pristine


def windows(
    stream: Stream, first: int, *, pictures_per_step: float, size: int, processes: int
) -> Iterator[list[Couple]]:
    """Yield, for step number `first` and each after it, the pictures that it may be cut from.

    Step n has the pictures from number `pictures_per_step` n on, `size` of them, so that each is
    there for `size` / `pictures_per_step` steps.

    Args:
        stream: what is made.
        first: a step's number, from 0.
        pictures_per_step: new pictures a step.
        size: pictures at a time.
        processes: in which they are made.

    Raises:
        TidenhanceError: a worker process was killed.
    """
    made: deque[Future[Couple]] = deque()
    submitted = 0
    step = first
    with workers.pool(processes) as pool:
        while True:
            start = int(step * pictures_per_step)
            while made and submitted - len(made) < start:
                made.popleft()
            submitted = max(submitted, start)
            with workers.interrupts_held_back():
                # Some more than are needed now, so that no process has to wait.
                while submitted < start + size + 4 * processes:
                    made.append(pool.submit(make, stream, submitted))
                    submitted += 1
            try:
                window = [made[index].result() for index in range(size)]
            except BrokenProcessPool as error:
                raise TidenhanceError(
                    "A process that makes training pictures was killed, perhaps for want of memory."
                ) from error
            yield window
            step += 1


_read = lru_cache(maxsize=2)(lambda path: images.read_picture(path).pixels)
