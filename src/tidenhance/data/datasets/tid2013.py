"""TID2013: 25 references, 24 distortion types, 5 levels (Ponomarenko et al., 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tidenhance.data.pairs import Pair, Pairs, Split, index_by_name, raise_problems, shared
from tidenhance.errors import DataError

REFERENCES = tuple(range(1, 26))
TYPES = tuple(range(1, 25))
LEVELS = tuple(range(1, 6))
REFERENCE_FOLDER = "reference_images"
DISTORTED_FOLDER = "distorted_images"

Reference = Annotated[int, Field(ge=1, le=25)]
Type = Annotated[int, Field(ge=1, le=24)]
Level = Annotated[int, Field(ge=1, le=5)]

HOW_TO_GET = """\
TID2013 is free for education and research. To get it:
  1. download tid2013.rar (about 913 MB) from ponomarenko.info/tid2013.htm
  2. unpack it into a folder of its own: unar tid2013.rar (or unrar x, or 7z x)
  3. name that folder, the one that holds reference_images and distorted_images:
     --data FOLDER, or data.root in the config, or the variable TIDENHANCE_DATA
Or make a stand-in from your own photographs, or from the sample ones:
  tidenhance data synth --references FOLDER|sample --out tid2013-synth --levels 5"""


def reference_name(number: int) -> str:
    """Return a reference's name, as in `i05`."""
    return f"i{number:02d}"


def distorted_name(reference: int, distortion: int, level: int) -> str:
    """Return a distorted picture's name, as in `i05_10_3`: reference, type, level."""
    return f"{reference_name(reference)}_{distortion:02d}_{level}"


class Splits(BaseModel):
    """Which references are trained on, validated on and tested on; each in one split at most."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    train: list[Reference] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    val: list[Reference] = [21, 22, 23, 24, 25]
    test: list[Reference] = [16, 17, 18, 19, 20]

    @model_validator(mode="after")
    def _disjoint(self) -> Splits:
        twice = shared(
            {
                split: [reference_name(n) for n in self.of(split)]
                for split in ("train", "val", "test")
            }
        )
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
    root: str | None = None,
    levels: Annotated[list[Level], Field(min_length=1)] = [5],  # noqa: B006
    types: Annotated[list[Type], Field(min_length=1)] = list(TYPES),  # noqa: B006
    splits: Splits = Splits(),  # noqa: B008
) -> Pairs:
    """Return TID2013's pairs of the chosen levels and types, by split.

    Names are matched without regard to case, since the archive mixes `I01.BMP`, `i25.bmp`,
    `I04_11_1.BMP`.

    Args:
        root: the folder that holds `reference_images` and `distorted_images`.
        levels: levels of distortion, 1 (weak) to 5 (strong).
        types: numbers of distortion types.
        splits: the numbers of the references in each split. The default is the article's, with
            the five references that the article leaves out as `test`.

    Raises:
        DataError: the folder is not there, or files that were asked for are missing or exist twice
            under names that differ in case only; all are listed.
    """
    folder = find_root(root)
    references = index_by_name(folder / REFERENCE_FOLDER)
    distorted = index_by_name(folder / DISTORTED_FOLDER)
    problems: list[str] = []

    def only(index: dict[str, list[Path]], folder_name: str, name: str) -> Path:
        found = index.get(name, [])
        if not found:
            problems.append(f"{folder_name}/{name}: missing")
        elif len(found) > 1:
            problems.append(
                f"{folder_name}: only one expected of: {', '.join(p.name for p in found)}"
            )
        return found[0] if found else Path(name)

    pairs: Pairs = {}
    for split in ("train", "val", "test"):
        pairs[split] = []
        for number in splits.of(split):
            reference = only(references, REFERENCE_FOLDER, f"{reference_name(number)}.bmp")
            for distortion in sorted(set(types)):
                for level in sorted(set(levels)):
                    name = distorted_name(number, distortion, level)
                    pairs[split].append(
                        Pair(
                            name=name,
                            distorted=only(distorted, DISTORTED_FOLDER, f"{name}.bmp"),
                            reference=reference,
                            reference_name=reference_name(number),
                            type=distortion,
                            level=level,
                        )
                    )
    raise_problems(folder, problems)
    return pairs


def find_root(root: str | None) -> Path:
    """Return TID2013's folder.

    Raises:
        DataError: none was named, or the folder named is not TID2013's.
    """
    if root is None:
        raise DataError(f"No data folder was named.\n{HOW_TO_GET}")
    folder = Path(root)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder.\n{HOW_TO_GET}")
    missing = [n for n in (REFERENCE_FOLDER, DISTORTED_FOLDER) if not (folder / n).is_dir()]
    if missing:
        inside = sorted(folder.glob(f"*/{DISTORTED_FOLDER}"))
        hint = f" Did you mean '{inside[0].parent}'?" if inside else f"\n{HOW_TO_GET}"
        raise DataError(f"{folder}: expected the folders {' and '.join(missing)} in it.{hint}")
    return folder
