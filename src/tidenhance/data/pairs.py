"""Pairs of a distorted picture and its reference, and the splits they fall into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tidenhance import images
from tidenhance.errors import DataError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class Pair:
    """A distorted picture and its pristine reference.

    Attributes:
        name: what the pair is called in tables and errors.
        distorted: the distorted picture's file.
        reference: the reference's file.
        reference_name: what the reference is called; pairs are split by it.
        type: TID2013's number of the distortion type, where there is one.
        level: TID2013's level of distortion, 1 to 5, where there is one.
    """

    name: str
    distorted: Path
    reference: Path
    reference_name: str
    type: int | None = None
    level: int | None = None


Pairs = dict[Split, list[Pair]]


def read(
    pair: Pair, read_rgb: Callable[[Path], NDArray[np.uint8]] = images.read_rgb
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the distorted picture and the reference, each uint8 (H, W, 3) of one size.

    Args:
        pair: what to read.
        read_rgb: what reads a file, where it is not to be read from disk each time.

    Raises:
        ImageError: one of the files cannot be read, or is not 8-bit RGB.
        DataError: the two sizes differ.
    """
    distorted, reference = read_rgb(pair.distorted), read_rgb(pair.reference)
    if distorted.shape != reference.shape:
        raise DataError(
            f"{pair.distorted}: expected the size of its reference {pair.reference.name},"
            f" {_size(reference)}. Received: {_size(distorted)}."
        )
    return distorted, reference


def shared(splits: dict[Split, list[str]]) -> list[str]:
    """Return the references that are in more than one split, or twice in one, sorted."""
    counts = Counter(name for names in splits.values() for name in names)
    return sorted(name for name, count in counts.items() if count > 1)


def index_by_name(folder: Path) -> dict[str, list[Path]]:
    """Return a folder's files by lower-case name; where names collide, there are several.

    Raises:
        DataError: the folder cannot be listed.
    """
    index: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.iterdir()):
            index.setdefault(path.name.lower(), []).append(path)
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed: {error.strerror or error}.") from error
    return index


def raise_problems(where: Path, problems: Iterable[str], most: int = 40) -> None:
    """Raise one error that lists all problems, if there are any.

    Raises:
        DataError: there are problems.
    """
    listed = list(problems)
    if not listed:
        return
    rest = [f"… and {len(listed) - most} more"] if len(listed) > most else []
    raise DataError("\n  ".join([f"{where}:", *listed[:most], *rest]))


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]}"
