"""Two folders of pictures, distorted and reference, paired by name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from unicodedata import normalize

from pydantic import BaseModel, ConfigDict

from tidenhance import images
from tidenhance.components import PathText
from tidenhance.data.pairs import SPLITS, Pair, Pairs, Split, files_in, raise_problems
from tidenhance.errors import DataError, did_you_mean, printable


class Splits(BaseModel):
    """Patterns of the names of the references in each split, as in `["city_*", "portrait"]`."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    train: list[str]
    val: list[str]
    test: list[str] = []

    def of(self, split: Split) -> list[str]:
        """Return a split's patterns."""
        return {"train": self.train, "val": self.val, "test": self.test}[split]


def load(
    *,
    root: PathText | None = None,
    distorted: str = "distorted",
    reference: str = "reference",
    splits: Splits,
) -> Pairs:
    """Return the pairs found in two folders, by split.

    A distorted picture belongs to the reference of the same name, or to that whose name, with an
    underscore after it, its own name begins with: `bridge.jpg` and `bridge_noise.png` both belong
    to `bridge.png`. The longest such name counts; but beside references `bridge_1` and `bridge_2`,
    `bridge_3_noise.png` belongs to none, not to `bridge`. References that no pattern matches are
    left out, and so are hidden files, whose names begin with a dot. Names and patterns are compared
    in Unicode's composed form (NFC), since file systems of Macs may decompose accented letters.

    Args:
        root: the folder that holds the two folders.
        distorted: the folder of distorted pictures inside `root`.
        reference: the folder of references inside `root`.
        splits: patterns of the references' names (without ending) in each split.

    Raises:
        DataError: a folder is missing or holds no pictures, two references or two distorted
            pictures have one name, a distorted picture has no reference, a reference matches two
            splits or has no distorted picture, or a pattern matches no reference; all such names
            are listed.
    """
    if root is None:
        raise DataError(
            "No data folder was named: --data FOLDER, or data.root in the config, or the variable"
            f" TIDENHANCE_DATA. It must hold the folders '{distorted}' and '{reference}'."
        )
    folder = Path(root)
    problems: list[str] = []
    references: dict[str, Path] = {}
    for path in _pictures(folder / reference):
        name = _name(path)
        if name in references:
            problems.append(f"{reference}/{path.name}: {references[name].name} has its name")
        references[name] = path
    series: dict[str, list[str]] = {}
    for name in references:
        base, _, number = name.rpartition("_")
        if number.isdecimal():
            series.setdefault(base, []).append(name)
    split_of: dict[str, Split] = {}
    for split in SPLITS:
        for pattern in splits.of(split):
            composed = normalize("NFC", pattern)
            matching = [name for name in references if fnmatchcase(name, composed)]
            # A name may read as a pattern.
            matching = [composed] if composed in references else matching
            if not matching:
                hint = did_you_mean(composed, references)
                problems.append(f"splits.{split}: no reference matches '{pattern}'.{hint}")
            for name in matching:
                if split_of.setdefault(name, split) != split:
                    problems.append(
                        f"{reference}/{name}: in the splits {split_of[name]} and {split}"
                    )

    pairs: Pairs = {split: [] for split in SPLITS}
    named: dict[str, Path] = {}
    for path in _pictures(folder / distorted):
        name = _name(path)
        if named.setdefault(name, path) != path:
            problems.append(f"{distorted}/{path.name}: {named[name].name} has its name")
        owner = _owner(name, references)
        if owner is None:
            problems.append(f"{distorted}/{path.name}: no reference of that name")
        elif lacking := _lacking(name, owner, series.get(owner, [])):
            problems.append(f"{distorted}/{path.name}: {lacking}")
        elif owner in split_of:
            pairs[split_of[owner]].append(
                Pair(
                    name=name,
                    distorted=path,
                    reference=references[owner],
                    reference_name=owner,
                )
            )
    paired = {pair.reference_name for some in pairs.values() for pair in some}
    problems += [
        f"{reference}/{name}: no distorted picture" for name in sorted(split_of.keys() - paired)
    ]
    raise_problems(folder, problems)
    return pairs


def _pictures(folder: Path) -> list[Path]:
    pictures = [path for path in files_in(folder) if images.is_picture_name(path)]
    if not pictures:
        raise DataError(f"{printable(folder)}: expected pictures in it. Received: none.")
    return pictures


def _name(path: Path) -> str:
    return normalize("NFC", path.stem)


def _owner(name: str, references: dict[str, Path]) -> str | None:
    while name and name not in references:
        name = name.rpartition("_")[0]
    return name or None


def _lacking(name: str, owner: str, series: list[str]) -> str | None:
    """Say which reference of a series is not there, if a picture's name says that it is of one.

    Args:
        name: the distorted picture's name.
        owner: the reference that it would be paired with.
        series: the references of that name with an underscore and a number after it.
    """
    number = name.removeprefix(owner).removeprefix("_").partition("_")[0]
    if not series or not number.isdecimal():
        return None
    nearest = sorted(series, key=lambda other: abs(int(other.rpartition("_")[2]) - int(number)))
    listed = ", ".join(f"'{other}'" for other in nearest[:3])
    return f"no reference '{owner}_{number}'. The nearest are: {listed}."
