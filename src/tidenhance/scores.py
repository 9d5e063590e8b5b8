"""Figures of single pictures become means, gains and their intervals, as JSON and as CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from tidenhance.data import distortions
from tidenhance.errors import RunError
from tidenhance.files import csv_text

CONFIDENCE = 0.95

Row = dict[str, Any]


def aggregate(rows: Sequence[Row], higher_is_better: Mapping[str, bool]) -> dict[str, Any]:
    """Return means and gains over all pairs, and over each type's, level's and reference's.

    Args:
        rows: a pair each, with `name`, `reference`, `type`, `level`, metrics, and the metrics of
            doing nothing as `identity_psnr` and so on. A metric that some row lacks is left out.
        higher_is_better: each metric's name, and whether more of it is better.

    Returns:
        `references`, `per_type` (each with its `name`), `per_level`, `per_reference`, and at the
        top and in each of these groups: `pairs`; each metric's mean; `identity`, the same for
        doing nothing; `gain`, by how much each is better than doing nothing, positive where it is:
        `mean` over the references of each one's mean gain, `low` and `high`, the 95 % interval of
        Student's t over these (1908; None for a single reference), `references`, their number.
    """
    names = [name for name in higher_is_better if all(name in row for row in rows)]
    signs = {name: 1 if higher_is_better[name] else -1 for name in names}

    def group(key: str) -> dict[str, Any]:
        values = sorted({row[key] for row in rows if row[key] is not None})
        return {str(v): _summary([row for row in rows if row[key] == v], signs) for v in values}

    per_type = group("type")
    titles = distortions.by_number()
    return {
        "references": len({row["reference"] for row in rows}),
        **_summary(rows, signs),
        "per_type": {n: {"name": titles[int(n)].NAME, **entry} for n, entry in per_type.items()},
        "per_level": group("level"),
        "per_reference": group("reference"),
    }


def mean_and_interval(values: Sequence[float]) -> dict[str, float | None]:
    """Return `mean`, and `low` and `high`, the 95 % interval of Student's t (1908) about it.

    Args:
        values: independent of each other; of a single one there is no interval, but None.
    """
    mean, low, high = float(np.mean(values)), None, None
    if len(values) > 1:
        half = stats.sem(values) * stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
        low, high = float(mean - half), float(mean + half)
    return {"mean": mean, "low": low, "high": high}


def differences(result: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return by how much each metric is better than in another result on the same pairs.

    References are compared in pairs: what makes one hard for both results cancels out. That two
    gains' own intervals overlap does not say that the results are alike.

    Args:
        result: what `aggregate` returns, of which `per_reference` is read.
        first: the same of what it is compared with.

    Returns:
        For each metric of both what `gain` of `aggregate` holds, of the differences of the
        references' mean gains: positive where `result` is better. Empty where the two have not the
        same references.
    """
    ours, theirs = result["per_reference"], first["per_reference"]
    if not ours or set(ours) != set(theirs):
        return {}
    pairs = [(ours[name]["gain"], theirs[name]["gain"]) for name in ours]
    return {
        metric: _over_references([a[metric]["mean"] - b[metric]["mean"] for a, b in pairs])
        for metric in pairs[0][0]
        if all(metric in gains for pair in pairs for gains in pair)
    }


def check_comparable(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that results were measured on the same pairs.

    Args:
        results: what `evaluation.evaluate` or `measured_on` returns, by what to call the runs.

    Raises:
        RunError: they were not; the message names two runs that differ, and in what.
    """
    (first, expected), *others = results.items()
    for label, received in others:
        for key in ("split", "levels", "pairs", "data_fingerprint"):
            if key in expected and received[key] != expected[key]:
                raise RunError(
                    f"{label}: evaluated on other data than {first}, so that the two cannot be"
                    f" compared. Expected as {key}: {expected[key]}. Received: {received[key]}."
                    " Evaluate both on the same data, as with --data, --split and --levels."
                )


def to_json(value: Any) -> str:
    """Return scores as JSON."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """Return the rows as CSV, a line a pair."""
    return csv_text(rows)


def _summary(rows: Sequence[Row], signs: Mapping[str, int]) -> dict[str, Any]:
    means = {name: float(np.mean([row[name] for row in rows])) for name in signs}
    identity = {name: float(np.mean([row[f"identity_{name}"] for row in rows])) for name in signs}
    return {
        "pairs": len(rows),
        **means,
        "identity": identity,
        "gain": {name: _gain(rows, name, sign) for name, sign in signs.items()},
    }


def _gain(rows: Sequence[Row], name: str, sign: int) -> dict[str, Any]:
    by_reference: dict[str, list[float]] = {}
    for row in rows:
        gain = sign * (row[name] - row[f"identity_{name}"])
        by_reference.setdefault(row["reference"], []).append(gain)
    return _over_references([float(np.mean(some)) for some in by_reference.values()])


def _over_references(values: Sequence[float]) -> dict[str, Any]:
    return {**mean_and_interval(values), "references": len(values)}
