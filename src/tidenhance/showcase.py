"""The best and the worst restorations of a run, as pictures that a web page can hold."""

from __future__ import annotations

import base64
import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

from tidenhance import components, images, runs
from tidenhance import config as config_module
from tidenhance.comparison import Run
from tidenhance.data import pairs
from tidenhance.data.calibration import psnrc
from tidenhance.data.pairs import Pair, Split
from tidenhance.errors import ConfigError, DataError, ImageError, RunError
from tidenhance.images import Pixels

MOST_PIXELS_A_SIDE = 768
ERROR_SCALE = 0.25
ERROR_COLOURS = "inferno"
JPEG_QUALITY = 85
_LOSSLESS_BELOW = 96 * 96  # pixels; a JPEG of so small a picture would be no smaller
_TOLERANCE = 0.05  # dB


class _UnusableError(Exception):
    """Why a run's pictures cannot be shown, and what to do."""


@dataclass(frozen=True)
class Example:
    """A restored picture.

    Attributes:
        name: the pair's.
        about: the type of its distortion and the level, where it has them.
        best: whether it is among the best, not among the worst.
        before: PSNR of the distorted picture in dB.
        after: PSNR of the restored picture in dB.
        width: of the part shown, in pixels.
        height: of the part shown, in pixels.
        cut: whether a part is shown only.
        distorted: as a data URI, as are the following.
        restored: the network's output.
        reference: the pristine picture.
        error: the absolute error's map.
    """

    name: str
    about: str
    best: bool
    before: float
    after: float
    width: int
    height: int
    cut: bool
    distorted: str
    restored: str
    reference: str
    error: str

    @property
    def gain(self) -> float:
        """By how many dB restoring raised the PSNR."""
        return self.after - self.before


def examples(
    run: Run,
    split: Split,
    *,
    levels: Sequence[int] | None = None,
    root: str | None = None,
    most: int = 3,
) -> tuple[list[Example], str | None]:
    """Return a run's best and worst restorations by gain in PSNR, or why there are none.

    Of a type of distortion at most one is among the best, and one among the worst.

    Args:
        run: an evaluated run.
        split: whose pairs.
        levels: levels of distortion, where not those of the run's `data.levels`.
        root: the data set's folder, if it is not where the evaluation found it.
        most: how many best ones, and how many worst ones.

    Raises:
        RunError: the table of the pairs' scores is damaged.
        DataError: `root` was given and does not hold the data.
    """
    try:
        rows = _read_rows(run, split, levels)
        folder = run.path / runs.IMAGES / split
        chosen = _choose(rows, most)
        _check_saved(run, levels, [row["name"] for row, _ in chosen], folder)
        found = {pair.name: pair for pair in _pairs(run, split)}
        return [_example(run, row, best, found, folder, levels) for row, best in chosen], None
    except _UnusableError as reason:
        return [], f"{run.label}: {reason}"
    except (DataError, ImageError, ConfigError) as error:
        if root is not None and isinstance(error, DataError):
            raise
        # Of a list of problems the first line names only the folder.
        first, second = map(str.strip, [*str(error).split("\n"), ""][:2])
        told = f"{first} {second}" if first.endswith(":") else first
        advice = "" if root else " Name its folder: --data ROOT"
        return [], (
            f"{run.label}: no pictures are shown, since the data set cannot be read: {told}{advice}"
        )


def error_gradient(stops: int = 9) -> str:
    """Return the colours of the error maps as a CSS gradient, from no error to `ERROR_SCALE`."""
    colours = matplotlib.colormaps[ERROR_COLOURS](np.linspace(0, 1, stops))
    listed = (matplotlib.colors.to_hex(colour) for colour in colours)
    return f"linear-gradient(to right, {', '.join(listed)})"


def _read_rows(run: Run, split: Split, levels: Sequence[int] | None) -> list[dict[str, Any]]:
    path = run.path / runs.scores_name(split, "csv", levels)
    if not path.is_file():
        raise _UnusableError(
            f"no {path.name}, so no best and worst pictures."
            f" {run.eval_command(levels)} --save-images writes both."
        )
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows: list[dict[str, Any]] = [
                {
                    **row,
                    "before": float(row["identity_psnr"]),
                    "after": float(row["psnr"]),
                }
                for row in csv.DictReader(stream)
            ]
        if not rows:
            raise ValueError("expected a row a pair")
        for row in rows:
            if not row["name"] or not math.isfinite(row["after"] - row["before"]):
                raise ValueError("a row without name or finite PSNR")
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise RunError(
            f"{path}: damaged, or of another version: {error}. Evaluate the run again:"
            f" {run.eval_command(levels)}"
        ) from error
    return rows


def _choose(rows: Sequence[dict[str, Any]], most: int) -> list[tuple[dict[str, Any], bool]]:
    """Return the best and the worst rows, each with whether it is among the best."""
    ranked = sorted(rows, key=lambda row: (row["before"] - row["after"], row["name"]))
    most = min(most, len(ranked) // 2) or min(most, len(ranked))
    best = _of_different_types(ranked, most)
    rest = [row for row in reversed(ranked) if row not in best]
    worst = _of_different_types(rest, most)
    return [(row, True) for row in best] + [(row, False) for row in worst]


def _of_different_types(ranked: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    chosen: dict[str, dict[str, Any]] = {}
    for row in ranked:
        if len(chosen) < most:
            chosen.setdefault(row.get("type") or row["name"], row)
    return list(chosen.values())


def _check_saved(
    run: Run, levels: Sequence[int] | None, names: Sequence[str], folder: Path
) -> None:
    if missing := [name for name in names if not (folder / f"{name}.png").is_file()]:
        raise _UnusableError(
            f"no restored pictures ({missing[0]}.png is not in {folder}). Make them:"
            f" {run.eval_command(levels)} --save-images"
        )


def _pairs(run: Run, split: Split) -> list[Pair]:
    section, where = run.setting("data"), f"{run.path / runs.CONFIG}: data"
    if not isinstance(section, dict):
        raise DataError(f"{where}: expected keys and values.")
    given = {key: value for key, value in section.items() if key != "name"}
    if run.root is not None:
        given["root"] = run.root
    if run.scores.levels is not None:
        given["levels"] = run.scores.levels
    try:
        name = str(section.get("name"))
        options = config_module.checked("data.datasets", name, given, where)
    except ConfigError as error:
        raise DataError(str(error)) from error
    found: list[Pair] = components.make("data.datasets", name, options)[split]
    return found


def _example(
    run: Run,
    row: Mapping[str, Any],
    best: bool,
    found: Mapping[str, Pair],
    folder: Path,
    levels: Sequence[int] | None,
) -> Example:
    name = row["name"]
    if name not in found:
        raise _UnusableError(f"the data set has no pair {name}; name its folder: --data ROOT")
    distorted, reference = map(images.to_rgb, pairs.read(found[name]))
    again = f"{run.eval_command(levels)} --save-images"
    try:
        restored = images.read_rgb(folder / f"{name}.png")
    except ImageError as problem:
        raise _UnusableError(f"{problem} Restore it again: {again}") from problem
    elsewhere = "Evaluate again, or name the right folder: --data ROOT"
    what = {
        "before": (distorted, found[name].place, elsewhere),
        "after": (restored, folder, f"Restore them again: {again}"),
    }
    for key, (pixels, where, advice) in what.items():
        measured = _psnr(pixels, reference)
        if not abs(measured - row[key]) < _TOLERANCE:
            raise _UnusableError(
                f"the pictures are not those that were evaluated: {where}: {name} has"
                f" {measured:.2f} dB. Expected: {row[key]:.2f} dB. {advice}"
            )
    height, width = (min(side, MOST_PIXELS_A_SIDE) for side in reference.shape[:2])
    type_name = run.scores.per_type.get(row.get("type") or "")
    about = [type_name.name or "" if type_name else ""]
    about += [f"level {row['level']}"] if row.get("level") else []
    error = np.abs(images.to_float(restored) - images.to_float(reference)).mean(axis=2)
    coloured = matplotlib.colormaps[ERROR_COLOURS](np.minimum(error / ERROR_SCALE, 1), bytes=True)
    shown = [
        _data_uri(np.ascontiguousarray(images.centre(pixels, height, width)))
        for pixels in (distorted, restored, reference, coloured[..., :3])
    ]
    return Example(
        name, ", ".join(filter(None, about)), best, row["before"], row["after"],
        width, height, (height, width) != reference.shape[:2], *shown,
    )  # fmt: skip


def _psnr(pixels: Pixels, reference: Pixels) -> float:
    if pixels.shape != reference.shape:
        return math.nan
    return min(100.0, psnrc(reference, pixels))


def _data_uri(pixels: Pixels) -> str:
    stream = io.BytesIO()
    lossless = pixels.shape[0] * pixels.shape[1] <= _LOSSLESS_BELOW
    if lossless:
        Image.fromarray(pixels).save(stream, format="PNG", optimize=True)
    else:
        # Not `optimize`: on noisy pictures libjpeg then finds Pillow's buffer too small.
        Image.fromarray(pixels).save(
            stream, format="JPEG", quality=JPEG_QUALITY, subsampling="4:4:4"
        )
    encoded = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{encoded}"
