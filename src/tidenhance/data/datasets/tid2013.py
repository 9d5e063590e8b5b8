"""TID2013: 25 references, 24 distortion types, 5 levels (Ponomarenko et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidenhance.components import PathText
from tidenhance.data.pairs import (
    SPLITS,
    Pair,
    Pairs,
    Split,
    index_by_name,
    raise_problems,
    shared,
)
from tidenhance.errors import DataError, printable

REFERENCES = tuple(range(1, 26))
TYPES = tuple(range(1, 25))
LEVELS = tuple(range(1, 6))
REFERENCE_FOLDER = "reference_images"
DISTORTED_FOLDER = "distorted_images"
METRICS_FOLDER = "metrics_values"
PSNRC_FILE = "PSNRc.txt"

SIZE = (512, 384)
"""Width and height of all pictures."""

IDENTITY_MSE: dict[Split, float] = {"train": 0.00914, "val": 0.00967, "test": 0.00902}
"""MSE of level 5 against the references, at R = 1, from the archive's own PSNRc.txt."""

Reference = Annotated[int, Field(ge=1, le=25)]
Type = Annotated[int, Field(ge=1, le=24)]
Level = Annotated[int, Field(ge=1, le=5)]

Key = tuple[int, int, int]
"""A distorted picture's reference, type and level."""

HOW_TO_GET = """\
TID2013 is free for education and research. To get it:
  1. download tid2013.rar (about 913 MB) from ponomarenko.info/tid2013.htm
  2. unpack it into a folder of its own: unar -D tid2013.rar (or unrar x, or 7z x)
  3. name that folder, the one that holds reference_images and distorted_images:
     --data FOLDER, or data.root in the config, or the variable TIDENHANCE_DATA
Or make a stand-in from your own photographs, or from the sample ones:
  tidenhance data synth --references FOLDER|sample --out tid2013-synth --levels 5"""


_GROUPS: tuple[tuple[Callable[[Key], tuple[int, ...]], str], ...] = (
    (lambda key: key[:1], "reference {}"),
    (lambda key: key[2:], "level {}"),
    (lambda key: key[1:2], "type {}"),
    (lambda key: key[1:], "type {}, level {}"),
)


def reference_name(number: int) -> str:
    """Return a reference's name, as in `i05`."""
    return f"i{number:02d}"


def distorted_name(reference: int, distortion: int, level: int) -> str:
    """Return a distorted picture's name, as in `i05_10_3`: reference, type, level."""
    return f"{reference_name(reference)}_{distortion:02d}_{level}"


def reference_file(number: int) -> str:
    """Return a reference's file name in lower case, as in `i05.bmp`."""
    return f"{reference_name(number)}.bmp"


def distorted_file(reference: int, distortion: int, level: int) -> str:
    """Return a distorted picture's file name in lower case, as in `i05_10_3.bmp`."""
    return f"{distorted_name(reference, distortion, level)}.bmp"


class Splits(BaseModel):
    """Which references are trained on, validated on and tested on; each in one split at most."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    train: list[Reference] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    val: list[Reference] = [21, 22, 23, 24, 25]
    test: list[Reference] = [16, 17, 18, 19, 20]

    @model_validator(mode="after")
    def _disjoint(self) -> Splits:
        twice = shared({split: [reference_name(n) for n in self.of(split)] for split in SPLITS})
        if twice:
            raise ValueError(
                f"each reference belongs to one split only, once; twice: {', '.join(twice)}"
            )
        return self

    def of(self, split: Split) -> list[int]:
        """Return the numbers of a split's references."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]


def load(
    *,
    root: PathText | None = None,
    levels: Annotated[list[Level], Field(min_length=1)] = [5],  # noqa: B006
    types: Annotated[list[Type], Field(min_length=1)] = list(TYPES),  # noqa: B006
    splits: Splits = Splits(),  # noqa: B008
) -> Pairs:
    """Return TID2013's pairs of the chosen levels and types, by split.

    Names are matched without regard to case, since the archive mixes `I01.BMP`, `i25.bmp`,
    `I04_11_1.BMP`; those of the two folders too.

    Args:
        root: the folder that holds `reference_images` and `distorted_images`.
        levels: levels of distortion, 1 (weak) to 5 (strong).
        types: numbers of distortion types.
        splits: the numbers of the references in each split. The default is the article's, with
            the five references that the article leaves out as `test`.

    Raises:
        DataError: the folder is not there, or files that were asked for are missing or exist twice
            under names that differ in case only; they are listed.
    """
    folder = find_root(root)
    inside = index_by_name(folder)
    references = index_by_name(inside[REFERENCE_FOLDER][0])
    distorted = index_by_name(inside[DISTORTED_FOLDER][0])
    keys: dict[Split, list[Key]] = {
        split: [
            (number, distortion, level)
            for number in splits.of(split)
            for distortion in sorted(set(types))
            for level in sorted(set(levels))
        ]
        for split in SPLITS
    }
    chosen = [key for split in SPLITS for key in keys[split]]
    reference_files = [reference_file(number) for split in SPLITS for number in splits.of(split)]
    raise_problems(
        folder,
        [
            *(
                f"{REFERENCE_FOLDER}/{name}: missing"
                for name in reference_files
                if name not in references
            ),
            *missing_lines(
                [key for key in chosen if distorted_file(*key) not in distorted], chosen
            ),
            *colliding_lines(REFERENCE_FOLDER, references, reference_files),
            *colliding_lines(DISTORTED_FOLDER, distorted, [distorted_file(*k) for k in chosen]),
        ],
    )
    return {
        split: [
            Pair(
                name=distorted_name(number, distortion, level),
                distorted=distorted[distorted_file(number, distortion, level)][0],
                reference=references[reference_file(number)][0],
                reference_name=reference_name(number),
                type=distortion,
                level=level,
            )
            for number, distortion, level in keys[split]
        ]
        for split in SPLITS
    }


def missing_lines(missing: Iterable[Key], expected: Iterable[Key]) -> list[str]:
    """Return one line a missing distorted picture, or one for many that go together.

    Where all the expected pictures of a reference, a level, a type, or a type at one level are
    missing, and they are more than one, they are counted in one line.

    Args:
        missing: the pictures that are not there.
        expected: the pictures that should be there, the missing among them.
    """
    left, rest = set(missing), set(expected)
    lines: list[str] = []
    for part_of, title in _GROUPS:
        groups: dict[tuple[int, ...], set[Key]] = {}
        for key in sorted(rest):
            groups.setdefault(part_of(key), set()).add(key)
        for part, group in groups.items():
            if len(group) > 1 and group <= left:
                name = title.format(*part)
                lines.append(f"{DISTORTED_FOLDER}: all {len(group)} of {name} missing")
                left -= group
                rest = rest - group
    return lines + [f"{DISTORTED_FOLDER}/{distorted_file(*key)}: missing" for key in sorted(left)]


def colliding_lines(folder: str, index: dict[str, list[Path]], names: Iterable[str]) -> list[str]:
    """Return one line for each name that several files have, but for upper and lower case.

    Args:
        folder: the name of the folder, for the lines.
        index: the folder's files by lower-case name.
        names: the lower-case names to look at.
    """
    return [
        f"{folder}: only one expected of: {', '.join(printable(path.name) for path in index[name])}"
        for name in names
        if len(index.get(name, ())) > 1
    ]


def find_root(root: str | None) -> Path:
    """Return TID2013's folder.

    In it there is one folder each whose name is REFERENCE_FOLDER or DISTORTED_FOLDER but for upper
    and lower case.

    Raises:
        DataError: none was named, or the folder named is not TID2013's.
    """
    if root is None:
        raise DataError(f"No data folder was named.\n{HOW_TO_GET}")
    folder = Path(root)
    try:
        inside = index_by_name(folder)
    except DataError as error:
        raise DataError(f"{error}\n{HOW_TO_GET}") from error
    missing = [name for name in (REFERENCE_FOLDER, DISTORTED_FOLDER) if name not in inside]
    if missing:
        around = [*folder.absolute().parent.glob("*"), *sorted(folder.glob("*/*"))]
        near = [path for path in around if path.name.lower() == DISTORTED_FOLDER]
        hint = f" Did you mean '{printable(near[0].parent)}'?" if near else f"\n{HOW_TO_GET}"
        raise DataError(f"{printable(folder)}: expected {' and '.join(missing)} in it.{hint}")
    colliding = colliding_lines(printable(folder), inside, (REFERENCE_FOLDER, DISTORTED_FOLDER))
    if colliding:
        raise DataError("\n".join(colliding))
    return folder
