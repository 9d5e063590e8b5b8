"""Compare a TID2013 folder with what the archive holds and measures."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tidenhance import images
from tidenhance.data import distortions
from tidenhance.data.calibration import psnrc
from tidenhance.data.datasets import tid2013
from tidenhance.data.datasets.tid2013 import Key
from tidenhance.data.pairs import SPLITS, index_by_name, size_of
from tidenhance.data.synthesis import RECORD
from tidenhance.errors import DataError, ImageError, printable
from tidenhance.progress import Progress, ignore

LEVEL = 5
MEASURED_ON = range(1, 16)
TOLERANCE = 0.1  # dB between a picture's PSNRc and the listed one
MOST_LISTED = 10


def check(root: Path, progress: Progress = ignore) -> dict[str, Any]:
    """Return what a TID2013 folder holds, and what is wrong with it.

    Args:
        root: the folder that holds `reference_images` and `distorted_images`.
        progress: called with the references done and in all.

    Returns:
        `pairs`: the number of level-5 pairs by split, the article's splits; `identity_mse`: the
        mean over those pairs of the MSE of doing nothing, images in [0, 1], by split, null where
        there are none; `identity_mse_of_the_archive`: the same, measured on the real archive;
        `references`, `distorted`: numbers of files, hidden ones aside; `sizes`: pictures by size,
        as "512 x 384"; `psnrc`: for each type and level the mean in dB over i01 to i15, and the
        archive's; `problems`: one line each, and one for all the pictures of a level, a type or a
        reference where all are missing. Where `metrics_values/PSNRc.txt` lists the whole archive,
        or what is there, a picture is a problem too if its PSNRc is not the listed one; `compared`
        is the number of pictures that were compared with it.

    Raises:
        DataError: the folder is not there, or is not TID2013's.
    """
    folder = tid2013.find_root(str(root))
    inside = index_by_name(folder)
    references = index_by_name(inside[tid2013.REFERENCE_FOLDER][0])
    distorted = index_by_name(inside[tid2013.DISTORTED_FOLDER][0])
    problems = _names_at_fault(references, distorted)
    values: dict[Key, float] = {}
    sizes: Counter[str] = Counter()
    first_with: dict[tuple[str, bytes], Path] = {}
    for number in tid2013.REFERENCES:
        progress(number - 1, len(tid2013.REFERENCES))
        if tid2013.reference_file(number) not in references:
            continue
        reference_path = references[tid2013.reference_file(number)][0]
        try:
            reference = images.read_rgb(reference_path)
        except ImageError as error:
            problems.append(str(error))
            continue
        sizes[size_of(reference)] += 1
        same = first_with.setdefault((size_of(reference), reference.tobytes()), reference_path)
        if same != reference_path:
            problems.append(f"{printable(reference_path)}: the same picture as {same.name}")
        for key in _keys(number):
            if tid2013.distorted_file(*key) not in distorted:
                continue
            path = distorted[tid2013.distorted_file(*key)][0]
            try:
                picture = images.read_rgb(path)
            except ImageError as error:
                problems.append(str(error))
                continue
            sizes[size_of(picture)] += 1
            if picture.shape != reference.shape:
                problems.append(
                    f"{printable(path)}: expected the size of its reference {reference_path.name},"
                    f" {size_of(reference)}. Received: {size_of(picture)}."
                )
                continue
            values[key] = psnrc(reference, picture)
            if math.isinf(values[key]):
                problems.append(
                    f"{printable(path)}: the same as its reference {reference_path.name}"
                )
    progress(len(tid2013.REFERENCES), len(tid2013.REFERENCES))
    listed = _listed(inside, distorted)
    problems += _differing(values, listed, distorted)
    problems += _sizes_at_fault(sizes, made_here=RECORD in inside)
    return {
        "root": str(folder),
        "references": sum(map(len, references.values())),
        "distorted": sum(map(len, distorted.values())),
        "sizes": dict(sizes),
        "level": LEVEL,
        **_by_split(values),
        "identity_mse_of_the_archive": tid2013.IDENTITY_MSE,
        "psnrc": _by_type(values),
        "compared": len(values.keys() & listed.keys()),
        "problems": problems,
    }


def _keys(number: int) -> list[Key]:
    return [(number, kind, level) for kind in tid2013.TYPES for level in tid2013.LEVELS]


def _names_at_fault(
    references: dict[str, list[Path]], distorted: dict[str, list[Path]]
) -> list[str]:
    """Return one line for each name that is missing, exists twice, or is not part of TID2013."""
    reference_files = {number: tid2013.reference_file(number) for number in tid2013.REFERENCES}
    lines = [
        f"{tid2013.REFERENCE_FOLDER}/{name}: missing"
        for name in reference_files.values()
        if name not in references
    ]
    expected = [
        key for n, name in reference_files.items() if name in references for key in _keys(n)
    ]
    missing = [key for key in expected if tid2013.distorted_file(*key) not in distorted]
    lines += tid2013.missing_lines(missing, expected)
    distorted_files = {tid2013.distorted_file(*k) for n in tid2013.REFERENCES for k in _keys(n)}
    for folder, index, known in (
        (tid2013.REFERENCE_FOLDER, references, set(reference_files.values())),
        (tid2013.DISTORTED_FOLDER, distorted, distorted_files),
    ):
        lines += tid2013.colliding_lines(folder, index, index)
        lines += [
            f"{folder}/{printable(paths[0].name)}: not part of TID2013"
            for name, paths in index.items()
            if name not in known
        ]
    return lines


def _listed(inside: dict[str, list[Path]], distorted: dict[str, list[Path]]) -> dict[Key, float]:
    """Return the PSNRc in dB that come with the tree, or none where it cannot be told whose."""
    try:
        path = index_by_name(inside[tid2013.METRICS_FOLDER][0])[tid2013.PSNRC_FILE.lower()][0]
        if not path.is_file():
            return {}  # a pipe would be waited for
        values = [float(word) for word in path.read_text(encoding="utf-8").split()]
    except (KeyError, DataError, OSError, ValueError):
        return {}
    archive = [key for number in tid2013.REFERENCES for key in _keys(number)]
    found = [key for key in archive if tid2013.distorted_file(*key) in distorted]
    for keys in (archive, found):
        if len(values) == len(keys):
            return dict(zip(keys, values, strict=True))
    return {}


def _differing(
    values: dict[Key, float], listed: dict[Key, float], distorted: dict[str, list[Path]]
) -> list[str]:
    """Return a line for each picture whose PSNRc is not the listed one; many are counted.

    Not for those that are the same as their reference, which is a problem by itself.
    """
    lines = [
        f"{printable(distorted[tid2013.distorted_file(*key)][0])}: PSNR {value:.2f} dB, where"
        f" {tid2013.METRICS_FOLDER}/{tid2013.PSNRC_FILE} has {listed[key]:.2f} dB"
        for key, value in values.items()
        if key in listed and math.isfinite(value) and not abs(value - listed[key]) <= TOLERANCE
    ]
    rest = len(lines) - MOST_LISTED
    if rest > 0:
        lines[MOST_LISTED:] = [
            f"… and {rest} more whose PSNR differs from"
            f" {tid2013.METRICS_FOLDER}/{tid2013.PSNRC_FILE}"
        ]
    return lines


def _sizes_at_fault(sizes: Counter[str], *, made_here: bool) -> list[str]:
    """Return a line on the pictures' sizes, where they are wrong.

    Args:
        sizes: the number of pictures by size.
        made_here: the tree was made by `data synth`, in a size of its own.
    """
    expected = "{} x {}".format(*tid2013.SIZE)
    if not made_here and set(sizes) - {expected}:
        return [f"expected pictures of {expected}, as TID2013's. Received: {', '.join(sizes)}."]
    return [f"pictures of several sizes: {', '.join(sizes)}"] if len(sizes) > 1 else []


def _by_split(values: dict[Key, float]) -> dict[str, Any]:
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


def _by_type(values: dict[Key, float]) -> dict[str, Any]:
    found = {}
    for distortion, module in distortions.by_number().items():
        means = []
        for level in tid2013.LEVELS:
            some = [values.get((n, distortion, level), math.inf) for n in MEASURED_ON]
            finite = [value for value in some if math.isfinite(value)]
            means.append(float(np.mean(finite)) if finite else None)
        found[str(distortion)] = {"name": module.NAME, "mean": means, "archive": list(module.PSNRC)}
    return found
