"""Pairs of a distorted picture and its reference, and the splits they fall into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tidenhance import images
from tidenhance.errors import DataError, printable

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

MADE_BY_WINDOWS = ("thumbs.db", "desktop.ini")
"""In lower case: files that Windows leaves in folders that one looks into."""

Picture = NDArray[Any]
"""A picture (H, W, C): uint8, or floating on the scale of [0, 1], which noise may leave."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A distorted picture and its pristine reference.

    Attributes:
        name: what the pair is called in tables and errors.
        distorted: the distorted picture's file, or the picture itself.
        reference: the reference's file, or the picture itself.
        reference_name: what the reference is called, or the group that it belongs to: intervals
            are over these.
        type: TID2013's number of the distortion type, where there is one.
        level: TID2013's level of distortion, 1 to 5, where there is one.
    """

    name: str
    distorted: Path | Picture
    reference: Path | Picture
    reference_name: str
    type: int | None = None
    level: int | None = None

    @property
    def place(self) -> str:
        """Where the distorted picture is, for errors."""
        return printable(self.distorted) if isinstance(self.distorted, Path) else self.name


Pairs = dict[Split, list[Pair]]


def read(
    pair: Pair, read_rgb: Callable[[Path], NDArray[np.uint8]] = images.read_rgb
) -> tuple[Picture, Picture]:
    """Return the distorted picture and the reference, each (H, W, C) of one size.

    Args:
        pair: what to read.
        read_rgb: what reads a file, where it is not to be read from disk each time.

    Raises:
        ImageError: one of the files cannot be read, or is not 8-bit RGB.
        DataError: the two sizes differ.
    """
    distorted, reference = (
        read_rgb(picture) if isinstance(picture, Path) else picture
        for picture in (pair.distorted, pair.reference)
    )
    if distorted.shape != reference.shape:
        name = pair.reference.name if isinstance(pair.reference, Path) else pair.reference_name
        raise DataError(
            f"{pair.place}: expected the size of its reference {printable(name)},"
            f" {size_of(reference)}. Received: {size_of(distorted)}."
        )
    return distorted, reference


def size_of(pixels: Picture) -> str:
    """Return the size of a picture, (H, W, C), as people write it: `512 x 384`, width first.

    Grey pictures are said to be so.
    """
    return f"{pixels.shape[1]} x {pixels.shape[0]}{', grey' if pixels.shape[2] == 1 else ''}"


def shared(splits: dict[Split, list[str]]) -> list[str]:
    """Return the references that are in more than one split, or twice in one, sorted."""
    counts = Counter(name for names in splits.values() for name in names)
    return sorted(name for name, count in counts.items() if count > 1)


def files_in(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted, without hidden files and those that Windows makes.

    Names of hidden files begin with a dot.

    Raises:
        DataError: the folder is not there, or cannot be listed.
    """
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith(".") and path.name.lower() not in MADE_BY_WINDOWS
        )
    except FileNotFoundError as error:
        raise DataError(f"{printable(folder)}: no such folder.") from error
    except NotADirectoryError as error:
        raise DataError(f"{printable(folder)}: expected a folder. Received: a file.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{printable(folder)}: cannot be listed: {reason}.") from error


def index_by_name(folder: Path) -> dict[str, list[Path]]:
    """Return a folder's files by lower-case name; where names collide, there are several.

    Raises:
        DataError: the folder is not there, or cannot be listed.
    """
    index: dict[str, list[Path]] = {}
    for path in files_in(folder):
        index.setdefault(path.name.lower(), []).append(path)
    return index


def raise_problems(where: Path, problems: Iterable[str], most: int = 40) -> None:
    """Raise one error that lists the problems, the first `most` of them, if there are any.

    Raises:
        DataError: there are problems.
    """
    listed = list(problems)
    if not listed:
        return
    rest = [f"… and {len(listed) - most} more"] if len(listed) > most else []
    raise DataError("\n  ".join([f"{printable(where)}:", *map(printable, listed[:most]), *rest]))
