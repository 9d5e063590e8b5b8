"""How well a trained network restores the pairs of a split, beside doing nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tidenhance import components, device, images, inference, runs, weights
from tidenhance.data import distortions, pairs
from tidenhance.data.pairs import Pair, Split
from tidenhance.errors import DataError
from tidenhance.files import write_text
from tidenhance.progress import Progress, ignore

METRICS = ("mse", "mae", "psnr")

CONVENTIONS = {
    "range": "images in [0, 1]; PSNR with R = 1, at most 100 dB",
    "channels": "R, G and B together",
    "crop": "none, whole pictures",
    "rounding": "clipped to [0, 1] and rounded to 8 bits, as saved",
    "mean": "each figure is the mean over pictures of the picture's own",
}

Row = dict[str, Any]


def evaluate(
    run: Path,
    split: Split,
    *,
    root: str | None = None,
    progress: Progress = ignore,
) -> dict[str, Any]:
    """Restore every pair of a split with a run's best weights; return the scores, and write them.

    `scores.json` and `scores.csv` (a row a pair) are written into the run directory.

    Args:
        run: the run directory.
        split: `val`, `test` or `train`.
        root: the data set's folder, if it is not where the run found it.
        progress: called with the pairs done and in all.

    Returns:
        What `scores.json` holds: `run`, `split`, `pairs`, `references`; `mse`, `mae`, `psnr` of
        the restored pictures; `identity` with the same three for doing nothing; `gain_psnr` in dB;
        `per_type` and `per_reference`, each with the same figures; `conventions`.

    Raises:
        RunError: the run has no config or no best weights, or they are damaged.
        DataError: the split's pairs are missing, or there are none.
        ImageError: a picture cannot be read.
        WriteError: the scores cannot be written.
    """
    device.use("auto")
    network, config = weights.trained_network(run)
    options = config.data.options if root is None else {**config.data.options, "root": root}
    found = components.make("data.datasets", config.data.name, options)[split]
    if not found:
        raise DataError(f"data.splits.{split}: no pairs to evaluate on.")
    rows = []
    for done, pair in enumerate(found):
        progress(done, len(found))
        rows.append(_row(network, pair, weights.size_multiple(config)))
    progress(len(found), len(found))
    scores = {"run": run.name, "split": split, **aggregate(rows), "conventions": CONVENTIONS}
    write_text(run / runs.scores_name(split, "csv"), _csv(rows))
    write_text(run / runs.scores_name(split, "json"), to_json(scores))
    return scores


def picture_figures(reference: NDArray[np.uint8], picture: NDArray[np.uint8]) -> dict[str, float]:
    """Return each metric of a picture against its reference, both uint8 (H, W, 3)."""
    y_true, y_pred = (images.to_float(x)[np.newaxis] for x in (reference, picture))
    return {
        name: float(
            keras.ops.convert_to_numpy(components.module("metrics", name).compute(y_true, y_pred))[
                0
            ]
        )
        for name in METRICS
    }


def aggregate(rows: list[Row]) -> dict[str, Any]:
    """Return means over all pairs, over each type's and over each reference's.

    Args:
        rows: a pair each, with `name`, `reference`, `type`, `level`, the metrics, and the metrics
            of doing nothing under `identity_mse`, ….
    """
    types = sorted({row["type"] for row in rows if row["type"] is not None})
    titles = {number: module.NAME for number, module in distortions.by_number().items()}
    return {
        "references": len({row["reference"] for row in rows}),
        **_means(rows),
        "per_type": {
            str(number): {
                "name": titles[number],
                **_means(row for row in rows if row["type"] == number),
            }
            for number in types
        },
        "per_reference": {
            name: _means(row for row in rows if row["reference"] == name)
            for name in sorted({row["reference"] for row in rows})
        },
    }


def to_json(scores: dict[str, Any]) -> str:
    """Return scores as JSON."""
    return json.dumps(scores, indent=2, allow_nan=False) + "\n"


def _row(network: keras.Model, pair: Pair, size_multiple: int) -> Row:
    distorted, reference = pairs.read(pair)
    restored = inference.restore(network, images.to_float(distorted), size_multiple=size_multiple)
    identity = picture_figures(reference, distorted)
    return {
        "name": pair.name,
        "reference": pair.reference_name,
        "type": pair.type,
        "level": pair.level,
        **picture_figures(reference, images.to_uint8(restored)),
        **{f"identity_{name}": value for name, value in identity.items()},
    }


def _means(rows: Iterable[Row]) -> dict[str, Any]:
    listed = list(rows)
    mean = {
        key: float(np.mean([row[key] for row in listed]))
        for name in METRICS
        for key in (name, f"identity_{name}")
    }
    return {
        "pairs": len(listed),
        **{name: mean[name] for name in METRICS},
        "identity": {name: mean[f"identity_{name}"] for name in METRICS},
        "gain_psnr": mean["psnr"] - mean["identity_psnr"],
    }


def _csv(rows: list[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
