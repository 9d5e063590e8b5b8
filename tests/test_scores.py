"""Means, gains and intervals worked out by hand and by SciPy's own test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tidenhance import scores
from tidenhance.errors import RunError

BETTER = {"psnr": True, "mse": False}


def row(name: str, reference: str, kind: int, psnr: float, identity: float) -> scores.Row:
    mse = {"mse": 1 / psnr, "identity_mse": 1 / identity}
    pair = {"name": name, "reference": reference, "type": kind, "level": 5}
    return {**pair, "psnr": psnr, "identity_psnr": identity, **mse}


ROWS = [
    row("a1", "a", 1, 25, 20),
    row("a2", "a", 10, 23, 22),
    row("b1", "b", 1, 30, 21),
    row("b2", "b", 10, 20, 21),
    row("c1", "c", 1, 24, 20),
    row("c2", "c", 10, 22, 21),
]


def test_means_and_gains_by_hand() -> None:
    found = scores.aggregate(ROWS, BETTER)
    assert found["pairs"] == 6
    assert found["references"] == 3
    assert found["psnr"] == pytest.approx(24)
    assert found["identity"]["psnr"] == pytest.approx(125 / 6)
    assert found["gain"]["psnr"]["mean"] == pytest.approx(24 - 125 / 6)
    assert found["per_type"]["1"]["gain"]["psnr"]["mean"] == pytest.approx((5 + 9 + 4) / 3)
    assert found["per_type"]["10"]["name"] == "JPEG"
    assert found["per_reference"]["b"]["psnr"] == 25
    assert found["per_level"]["5"]["pairs"] == 6


def test_the_interval_is_that_of_scipys_paired_t_test_over_references() -> None:
    gain = scores.aggregate(ROWS, BETTER)["gain"]["psnr"]
    expected = stats.ttest_rel([24, 25, 23], [21, 21, 20.5]).confidence_interval(0.95)
    assert (gain["low"], gain["high"]) == pytest.approx((expected.low, expected.high))
    assert gain["references"] == 3


def test_a_gain_is_positive_where_less_is_better() -> None:
    found = scores.aggregate(ROWS[:1], BETTER)
    assert found["gain"]["mse"]["mean"] == pytest.approx(1 / 20 - 1 / 25)
    assert found["gain"]["mse"]["low"] is None


def test_references_weigh_alike_in_the_gain_however_many_pairs_they_have() -> None:
    gain = scores.aggregate([*ROWS[:2], ROWS[2]], BETTER)["gain"]["psnr"]
    assert gain["mean"] == pytest.approx(((5 + 1) / 2 + 9) / 2)


def test_a_metric_that_some_picture_lacks_is_left_out() -> None:
    partial = [{k: v for k, v in ROWS[0].items() if k != "mse"}, *ROWS[1:]]
    found = scores.aggregate(partial, BETTER)
    assert "mse" not in found
    assert "mse" not in found["identity"]
    assert list(found["gain"]) == ["psnr"]


def test_pairs_without_types_have_no_groups_of_them() -> None:
    rows = [{**r, "type": None, "level": None} for r in ROWS]
    found = scores.aggregate(rows, BETTER)
    assert found["per_type"] == found["per_level"] == {}
    assert set(found["per_reference"]) == {"a", "b", "c"}


def test_two_results_are_compared_in_pairs_of_references() -> None:
    """By hand and by SciPy: every reference is better by about 1 dB, whatever its own gain is."""
    better = {"a1": 1.0, "a2": 1.4, "b1": 0.9, "b2": 0.7, "c1": 1.1, "c2": 0.9}
    other = [{**r, "psnr": r["psnr"] + better[r["name"]], "mse": r["mse"] / 2} for r in ROWS]
    first, second = (scores.aggregate(rows, BETTER) for rows in (ROWS, other))
    found = scores.differences(second, first)
    assert set(found) == set(BETTER)
    expected = stats.ttest_rel([25.2, 25.8, 24], [24, 25, 23]).confidence_interval(0.95)
    psnr = found["psnr"]
    assert psnr["mean"] == pytest.approx(1.0)
    assert (psnr["low"], psnr["high"]) == pytest.approx((expected.low, expected.high))
    assert psnr["references"] == 3
    # Marginal intervals overlap widely, and yet the difference's leaves 0 out.
    assert first["gain"]["psnr"]["high"] > second["gain"]["psnr"]["mean"]
    assert psnr["low"] > 0
    assert found["mse"]["mean"] == pytest.approx(np.mean([r["mse"] for r in ROWS]) / 2)
    reverse = scores.differences(first, second)["psnr"]
    assert (reverse["low"], reverse["high"]) == pytest.approx((-psnr["high"], -psnr["low"]))


def test_a_difference_is_of_the_same_references_or_not_there() -> None:
    whole, part = scores.aggregate(ROWS, BETTER), scores.aggregate(ROWS[:4], BETTER)
    assert scores.differences(whole, part) == {}
    one = scores.aggregate(ROWS[:2], BETTER)
    alone = {"mean": 0.0, "low": None, "high": None, "references": 1}
    assert scores.differences(one, one)["psnr"] == alone


def test_only_results_on_the_same_pairs_are_compared() -> None:
    one = {
        "split": "val",
        "pairs": 24,
        "levels": [5],
        "data_fingerprint": "a1",
    }
    scores.check_comparable({"one": one, "two": one})
    for change, what in (
        ({"split": "test"}, "split: val. Received: test"),
        ({"levels": [1]}, r"levels: \[5\]. Received: \[1\]"),
        ({"pairs": 1}, "pairs: 24. Received: 1"),
        ({"data_fingerprint": "b2"}, "data_fingerprint: a1. Received: b2"),
    ):
        with pytest.raises(RunError, match=f"two: evaluated on other data than one.* {what}"):
            scores.check_comparable({"one": one, "two": {**one, **change}})


def test_csv_has_a_line_a_pair() -> None:
    lines = scores.to_csv(ROWS).splitlines()
    assert lines[0] == "name,reference,type,level,psnr,identity_psnr,mse,identity_mse"
    assert len(lines) == 7
    assert np.isclose(float(lines[1].split(",")[4]), 25)
