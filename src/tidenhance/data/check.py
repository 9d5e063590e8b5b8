"""Compare a TID2013 folder with what the archive holds and measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidenhance import images
from tidenhance.data import distortions
from tidenhance.data.calibration import psnrc
from tidenhance.data.datasets import tid2013
from tidenhance.data.pairs import SPLITS, Split, index_by_name
from tidenhance.errors import ImageError
from tidenhance.progress import Progress, ignore

LEVEL = 5
MEASURED_ON = range(1, 16)
IDENTITY_MSE: dict[Split, float] = {"train": 0.00914, "val": 0.00967, "test": 0.00902}


def check(root: Path, progress: Progress = ignore) -> dict[str, Any]:
    """Return what a TID2013 folder holds, and what is wrong with it.

    Args:
        root: the folder that holds `reference_images` and `distorted_images`.
        progress: called with the references done and in all.

    Returns:
        `pairs`: the number of level-5 pairs by split, the article's splits; `identity_mse`: the
        mean over those pairs of the MSE of doing nothing, images in [0, 1], by split, null where
        there are none; `identity_mse_of_the_archive`: the same, measured on the real archive;
        `references`, `distorted`: numbers of files; `sizes`: pictures by size, as "512 x 384";
        `psnrc`: for each type and level the mean in dB over i01 to i15, and the archive's;
        `problems`: one line each.

    Raises:
        DataError: the folder is not there, or is not TID2013's.
    """
    folder = tid2013.find_root(str(root))
    references = index_by_name(folder / tid2013.REFERENCE_FOLDER)
    distorted = index_by_name(folder / tid2013.DISTORTED_FOLDER)
    problems = [
        f"{tid2013.REFERENCE_FOLDER if paths is references else tid2013.DISTORTED_FOLDER}:"
        f" only one expected of: {', '.join(path.name for path in same)}"
        for paths in (references, distorted)
        for same in paths.values()
        if len(same) > 1
    ]
    values: dict[tuple[int, int, int], float] = {}
    sizes: dict[str, int] = {}
    expected = set()
    for number in tid2013.REFERENCES:
        progress(number - 1, len(tid2013.REFERENCES))
        reference_file = f"{tid2013.reference_name(number)}.bmp"
        names = {
            f"{tid2013.distorted_name(number, distortion, level)}.bmp": (number, distortion, level)
            for distortion in tid2013.TYPES
            for level in tid2013.LEVELS
        }
        expected |= {reference_file, *names}
        if reference_file not in references:
            problems.append(f"{tid2013.REFERENCE_FOLDER}/{reference_file}: missing")
            continue
        absent = [name for name in names if name not in distorted]
        problems += [f"{tid2013.DISTORTED_FOLDER}/{name}: missing" for name in absent]
        try:
            reference = images.read_rgb(references[reference_file][0])
        except ImageError as error:
            problems.append(str(error))
            continue
        _count(sizes, reference)
        for name, key in names.items():
            if name in absent:
                continue
            try:
                picture = images.read_rgb(distorted[name][0])
            except ImageError as error:
                problems.append(str(error))
                continue
            _count(sizes, picture)
            if picture.shape == reference.shape:
                values[key] = psnrc(reference, picture)
            else:
                problems.append(f"{distorted[name][0]}: another size than its reference")
    progress(len(tid2013.REFERENCES), len(tid2013.REFERENCES))
    for index, name in (
        (references, tid2013.REFERENCE_FOLDER),
        (distorted, tid2013.DISTORTED_FOLDER),
    ):
        problems += [
            f"{name}/{index[f][0].name}: not part of TID2013" for f in index if f not in expected
        ]
    if len(sizes) > 1:
        problems.append(f"pictures of several sizes: {', '.join(sizes)}")
    return {
        "root": str(folder),
        "references": sum(map(len, references.values())),
        "distorted": sum(map(len, distorted.values())),
        "sizes": sizes,
        "level": LEVEL,
        **_by_split(values),
        "identity_mse_of_the_archive": IDENTITY_MSE,
        "psnrc": _by_type(values),
        "problems": problems,
    }


def _count(sizes: dict[str, int], picture: NDArray[np.uint8]) -> None:
    size = f"{picture.shape[1]} x {picture.shape[0]}"
    sizes[size] = sizes.get(size, 0) + 1


def _by_split(values: dict[tuple[int, int, int], float]) -> dict[str, Any]:
    article = tid2013.Splits()
    errors = {
        split: [
            10 ** (-value / 10)
            for (number, _, level), value in values.items()
            if level == LEVEL and number in article.of(split)
        ]
        for split in SPLITS
    }
    return {
        "pairs": {split: len(some) for split, some in errors.items()},
        "identity_mse": {s: float(np.mean(some)) if some else None for s, some in errors.items()},
    }


def _by_type(values: dict[tuple[int, int, int], float]) -> dict[str, Any]:
    found = {}
    for distortion, module in distortions.by_number().items():
        means = []
        for level in tid2013.LEVELS:
            some = [values[k] for n in MEASURED_ON if (k := (n, distortion, level)) in values]
            means.append(float(np.mean(some)) if some else None)
        found[str(distortion)] = {"name": module.NAME, "mean": means, "archive": list(module.PSNRC)}
    return found
