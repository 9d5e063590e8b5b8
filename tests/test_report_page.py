"""Pages are read in a real browser, and their texts against the scores they are made of."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tidenhance import comparison, plots, report, report_page, report_tables
from tidenhance.errors import RunError

SIZE = (128, 96)  # of the pictures of the runs in conftest.py


def edit_scores(run: Path, **changes: Any) -> None:
    found = json.loads((run / "scores.json").read_text())
    (run / "scores.json").write_text(json.dumps(found | changes))


def test_page_says_what_was_run_and_measured(
    soft_run: Path, bright_run: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    text = pages_text(html(soft_run, bright_run))
    gain = json.loads((soft_run / "scores.json").read_text())["gain"]["psnr"]
    for wanted in (
        "2 runs on the validation split: level 5; 15 pairs of 5 references",
        f"soft +{gain['mean']:.2f} dB PSNR better than doing nothing 95 % interval"
        f" +{gain['low']:.2f} to +{gain['high']:.2f} dB, n = 5 references",
        "not clearly different from doing nothing: the interval includes 0",
        "time trained 4 min 10 s",
        "best epoch 20, val_loss 0.00660",
        "Solid: validation; dashed: training.",
        "R = 1, over R, G and B",
        "receptive field 5 x 5 pixels",
        "All 52 layers",
    ):
        assert wanted in text, wanted
    assert "the article" not in text


class Tables(HTMLParser):
    """A page's tables, by their label, row and column: the text of each cell, and its classes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, dict[str, tuple[str, set[str]]]]] = {}
        self._label, self._is_sign = "", False
        self._rows: list[list[tuple[list[str], set[str]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        given = dict(attributes)
        self._is_sign = given.get("aria-hidden") == "true"
        if given.get("class") == "scroll":
            self._label = given["aria-label"]
        elif tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append(([], set((given.get("class") or "").split())))

    def handle_endtag(self, tag: str) -> None:
        self._is_sign = False
        if tag == "table":
            texts = [[(" ".join("".join(t).split()), c) for t, c in row] for row in self._rows]
            heading = [text for text, _ in texts[0]]
            self.found[self._label] = {
                row[0][0]: dict(zip(heading[1:], row[1:], strict=True)) for row in texts[1:]
            }
            self._rows = []

    def handle_data(self, data: str) -> None:
        if self._rows and self._rows[-1] and not self._is_sign:
            self._rows[-1][-1][0].append(data)


NOTHING = {"psnr": 20.11, "ssim": 0.6111, "mse": 0.00911, "mae": 0.0611}


def gains(**means: float) -> dict[str, Any]:
    return {
        name: {"mean": mean, "low": mean - 0.5, "high": mean + 0.5, "references": 5}
        for name, mean in means.items()
    }


def invent_scores(run: Path, psnr: float, ssim: float, gain: float, by_group: list[float]) -> None:
    """Give a run figures of which no two are alike, by group a gain in PSNR each."""

    def group(number: int, means: float) -> dict[str, Any]:
        nothing = {name: value + number / 100 for name, value in NOTHING.items()}
        return {
            "pairs": 10 + number,
            "psnr": psnr + number,
            "ssim": ssim + number / 100,
            "identity": nothing,
            "gain": gains(psnr=means, ssim=means / 10),
        }

    groups = [group(number, mean) for number, mean in enumerate(by_group, start=1)]
    edit_scores(
        run,
        psnr=psnr,
        ssim=ssim,
        mse=psnr / 1000,
        mae=psnr / 100,
        identity=NOTHING,
        gain=gains(psnr=gain, ssim=gain / 10),
        per_type={str(n): {**some, "name": f"type {n}"} for n, some in enumerate(groups)},
        per_reference={f"i{n}": some for n, some in enumerate(groups)},
        baselines={},
    )


@pytest.fixture
def invented(soft_copy: Path, bright_copy: Path, html: Callable[..., str]) -> str:
    """The page of two runs with invented scores, the first beside the article."""
    invent_scores(soft_copy, 22.22, 0.7222, 2.13, [2.25, 0.25])
    invent_scores(bright_copy, 23.33, 0.7333, -3.17, [-3.75, -0.45])
    article = {"figures": {"mse": 0.0056, "mae": 0.0527}, "note": "on the real archive"}
    edit_scores(soft_copy, article=article)
    return html(soft_copy, bright_copy)


def test_every_cell_of_the_comparison_is_the_one_that_its_headings_say(invented: str) -> None:
    found = {
        name: {title: text for title, (text, _) in row.items()}
        for name, row in Tables(invented).found["Table of methods"].items()
    }
    gain, ssim_gain = "gain in PSNR (95 % interval)", "gain in SSIM (95 % interval)"
    difference = "difference in PSNR to soft (95 % interval)"
    columns = ("PSNR (dB)", gain, difference, "SSIM", ssim_gain, "MSE", "MAE")
    # By hand: the differences are -6 and -0.7, their standard error 2.65, and t is 12.706.
    for name, expected in {
        "doing nothing": ("20.11", "–", "–", "0.6111", "–", "0.00911", "0.0611"),
        "soft": (
            "22.22", "+2.13 (+1.63 to +2.63)", "–",
            "0.7222", "+0.2130 (−0.2870 to +0.7130)", "0.02222", "0.2222",
        ),
        "bright": (
            "23.33", "−3.17 (−3.67 to −2.67)", "−3.35 (−37.02 to +30.32)",
            "0.7333", "−0.3170 (−0.8170 to +0.1830)", "0.02333", "0.2333",
        ),
    }.items():  # fmt: skip
        assert tuple(found[name][column] for column in columns) == expected
    assert found["soft"]["seconds a picture"] == "0.5"
    assert found["bright"]["seconds a picture"] == "2.5"
    assert found["bright"]["parameters"] == "45,667"


def test_every_cell_of_the_articles_table_is_the_one_that_its_headings_say(invented: str) -> None:
    found = {
        name: {title: text for title, (text, _) in row.items()}
        for name, row in Tables(invented).found["soft and the article"].items()
    }
    columns = ("soft (ours)", "the article", "doing nothing (ours)")
    assert found == {
        "MSE": dict(zip(columns, ("0.02222", "0.0056", "0.00911"), strict=True)),
        "MAE": dict(zip(columns, ("0.2222", "0.0527", "0.0611"), strict=True)),
    }


@pytest.mark.parametrize("title", ["distortion type", "reference"])
def test_every_cell_of_the_heat_maps_is_the_one_that_its_headings_say(
    invented: str, title: str
) -> None:
    """A colour says whether it is better; italics that the interval, 0.5 wide, includes 0."""
    names = {"distortion type": ("0 type 0", "1 type 1"), "reference": ("i0", "i1")}[title]
    better, worse, unclear = {"better"}, {"worse"}, {"unclear"}
    for metric, expected in {
        "PSNR": [
            ("11", "20.12", ("+2.25", better), ("−3.75", worse)),
            ("12", "20.13", ("+0.25", better | unclear), ("−0.45", worse | unclear)),
        ],
        "SSIM": [
            ("11", "0.6211", ("+0.225", better | unclear), ("−0.375", worse | unclear)),
            ("12", "0.6311", ("+0.025", better | unclear), ("−0.045", worse | unclear)),
        ],
    }.items():
        table = Tables(invented).found[f"Gain in {metric} by {title}"]
        assert tuple(table) == names
        for name, (pairs, nothing, *cells) in zip(names, expected, strict=True):
            row = table[name]
            assert (row["pairs"][0], row["doing nothing"][0]) == (pairs, nothing)
            for run, (text, classes) in zip(("soft", "bright"), cells, strict=True):
                assert row[run] == (text, classes | {"number", "gain"}), (metric, name, run)


def test_pictures_stand_beside_their_own_figures(
    soft_run: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    with (soft_run / "scores.csv").open(newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    shown = re.findall(
        r"(Best|Worst): (\S+):.*? ([\d.]+) → ([\d.]+) dB, ([+−][\d.]+)", pages_text(html(soft_run))
    )
    assert [which for which, *_ in shown] == ["Best"] * 3 + ["Worst"] * 3
    found = []
    for _, name, *figures in shown:
        before, after = (float(rows[name][key]) for key in ("identity_psnr", "psnr"))
        gain = f"{after - before:+.2f}".replace("-", "−")
        assert figures == [f"{before:.2f}", f"{after:.2f}", gain]
        found.append(after - before)
    every = [float(row["psnr"]) - float(row["identity_psnr"]) for row in rows.values()]
    assert (found[0], found[3]) == (max(every), min(every))


def test_articles_figures_stand_beside_ours_where_given(
    soft_copy: Path, bright_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    figures = {"figures": {"mse": 0.0056, "mae": 0.0527}, "note": "measured on the real archive"}
    edit_scores(soft_copy, article=figures)
    text = pages_text(html(soft_copy, bright_copy))
    assert "soft and the article" in text
    assert "bright and the article" not in text
    assert "0.0056" in text
    assert "The article’s figures are not ours: measured on the real archive." in text


def test_what_is_missing_is_said_with_the_command_that_makes_it(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    run = soft_copy
    (run / "network.json").unlink()
    (run / "history.csv").unlink()
    shutil.rmtree(run / "images")
    edit_scores(run, baselines={})
    text = pages_text(html(run))
    assert f"tidenhance summary --config {run}/config.yaml" in text
    assert f"no history.csv in {run}" in text
    assert f"tidenhance eval {run} --save-images" in text
    assert f"tidenhance eval {run} --baseline nlm" in text
    assert "No run has a history." in text
    (run / "scores.csv").unlink()
    assert "no scores.csv" in pages_text(html(run))


def test_scores_of_earlier_weights_are_said_to_be(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    command = f"Evaluate it again: tidenhance eval {soft_copy}"
    wanted = f"its scores are of earlier weights than those that are best now. {command}"
    (soft_copy / "best.weights.h5").write_bytes(b"weights")
    edit_scores(soft_copy, weights_sha256=hashlib.sha256(b"weights").hexdigest())
    assert wanted not in pages_text(html(soft_copy))
    (soft_copy / "best.weights.h5").write_bytes(b"others")
    assert wanted in pages_text(html(soft_copy))


def test_the_best_epoch_is_the_config_s(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    with (soft_copy / "history.csv").open("a") as stream:
        stream.write("21,0.005,23.0,0.05,0.009,20.5,0.06,12.5\n")
    assert "best epoch 20, val_loss 0.00660" in pages_text(html(soft_copy))
    config = yaml.safe_load((soft_copy / "config.yaml").read_text())
    config["validation"]["best_epoch"] = "last"
    (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
    assert "best epoch 21, val_loss 0.00900" in pages_text(html(soft_copy))


def test_runs_without_types(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    edit_scores(soft_copy, per_type={}, levels=None)
    text = pages_text(html(soft_copy))
    assert "Gain by reference" in text
    assert "Gain by distortion type" not in text


def test_scores_of_other_levels(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    found = json.loads((soft_copy / "scores.json").read_text())
    (soft_copy / "scores-levels-12.json").write_text(json.dumps(found | {"levels": [1, 2]}))
    text = pages_text(html(soft_copy, levels=[1, 2]))
    assert "levels 1, 2; 15 pairs" in text
    assert f"tidenhance eval {soft_copy} --levels 1,2 --save-images" in text
    (soft_copy / "scores-levels-12.json").write_text(
        json.dumps(found | {"levels": [1, 2], "baselines": {}, "tidenhance": "0.0.1"})
    )
    text = pages_text(html(soft_copy, levels=[1, 2]))
    assert f"evaluate it again: tidenhance eval {soft_copy} --levels 1,2" in text
    assert f"tidenhance eval {soft_copy} --levels 1,2 --baseline nlm" in text


def test_the_best_value_of_each_metric_is_marked(
    soft_copy: Path, bright_copy: Path, html: Callable[..., str]
) -> None:
    """Blurring, and brightening; of errors the smallest is the best, of the others the largest."""
    shown = {
        "doing nothing": {"psnr": 21.0, "ssim": 0.9, "mse": 0.0123, "mae": 0.05},
        "soft": {"psnr": 22.0, "ssim": 0.5, "mse": 0.0045, "mae": 0.06},
        "bright": {"psnr": 20.0, "ssim": 0.6, "mse": 0.0678, "mae": 0.07},
    }
    for run, name in ((soft_copy, "soft"), (bright_copy, "bright")):
        edit_scores(run, identity=shown["doing nothing"], baselines={}, **shown[name])
    page = html(soft_copy, bright_copy)
    best = [cell.strip() for cell in re.findall(r'<td class="number best">([^<]*)</td>', page)]
    assert sorted(best) == sorted(["22.00", "0.9000", "0.00450", "0.0500"])


def test_plots_get_the_figures_of_the_scores(
    soft_copy: Path, monkeypatch: pytest.MonkeyPatch, html: Callable[..., str]
) -> None:
    costs, spreads = {}, []

    def quality_against_cost(name: str, points: Any, **options: Any) -> str:
        costs[name] = (points, options["identity"])
        return "<svg></svg>"

    def gains(_: str, found: Any, **__: Any) -> str:
        spreads.extend(found)
        return "<svg></svg>"

    monkeypatch.setattr(plots, "quality_against_cost", quality_against_cost)
    monkeypatch.setattr(plots, "gains", gains)
    page = html(soft_copy)
    scores = json.loads((soft_copy / "scores.json").read_text())
    network = json.loads((soft_copy / "network.json").read_text())
    gain, before = scores["gain"]["psnr"], scores["identity"]["psnr"]
    assert "95 % interval over references, drawn about the mark" in page
    points, identity = costs["cost-multiply-adds"]
    assert identity == before
    [point] = points
    assert (point.label, point.x) == ("soft", network["multiply_adds"])
    assert point.y == scores["psnr"] == pytest.approx(before + gain["mean"])
    bar = before + gain["low"], before + gain["high"]
    assert (point.low, point.high) == pytest.approx(bar)
    times = {point.label: point.x for point in costs["cost-time"][0]}
    assert times == {"soft": 0.5, "blur": 0.004}
    [spread, _] = spreads
    assert (spread.mean, spread.low, spread.high) == (gain["mean"], gain["low"], gain["high"])
    each = [entry["gain"]["psnr"]["mean"] for entry in scores["per_reference"].values()]
    assert list(spread.gains) == each
    # Where references have different numbers of pictures, the gain is not the means' difference.
    edit_scores(soft_copy, psnr=scores["psnr"] + 1)
    html(soft_copy)
    [point] = costs["cost-multiply-adds"][0]
    assert (point.low, point.high) == pytest.approx((bar[0] + 1, bar[1] + 1))


def test_the_card_says_where_gain_and_psnr_are_different_means(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    wanted = "the gain is the mean over references, PSNR that over pictures"
    assert wanted not in pages_text(html(soft_copy))
    each = json.loads((soft_copy / "scores.json").read_text())["per_reference"]
    each["i21"]["pairs"] += 1
    edit_scores(soft_copy, per_reference=each)
    assert wanted in pages_text(html(soft_copy))


def test_a_clear_loss_is_told(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    gain = {"mean": -2.0, "low": -3.0, "high": -1.0, "references": 5}
    found = json.loads((soft_copy / "scores.json").read_text())["gain"]
    edit_scores(soft_copy, gain=found | {"psnr": gain})
    assert "worse than doing nothing" in pages_text(html(soft_copy))


def test_the_line_for_doing_nothing_is_on_the_losss_scale(
    soft_copy: Path, monkeypatch: pytest.MonkeyPatch, html: Callable[..., str]
) -> None:
    """The loss psnr is minus the metric; of other losses doing nothing is not known."""
    psnr = json.loads((soft_copy / "scores.json").read_text())["identity"]["psnr"]
    mse = json.loads((soft_copy / "scores.json").read_text())["identity"]["mse"]
    config = yaml.safe_load((soft_copy / "config.yaml").read_text())
    drawn = {}

    def curves(_: str, metric: str, *__: Any, identity: float | None, **___: Any) -> str:
        drawn[metric] = identity
        return "<svg></svg>"

    monkeypatch.setattr(plots, "curves", curves)
    for loss, expected in (("mse", mse), ("psnr", -psnr), ("charbonnier", None)):
        config["loss"] = {"name": loss}
        (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
        html(soft_copy)
        assert drawn["loss"] == expected
        assert drawn["psnr"] == psnr


def test_doing_nothing_has_a_line_where_all_runs_validated_on_the_same_pairs(
    soft_copy: Path,
    bright_copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    html: Callable[..., str],
    pages_text: Callable[[str], str],
) -> None:
    drawn = {}

    def curves(_: str, metric: str, *__: Any, identity: float | None, **___: Any) -> str:
        drawn.setdefault(metric, []).append(identity)
        return "<svg></svg>"

    def text(*runs: Path) -> str:
        drawn.clear()
        return pages_text(html(*runs, split="test"))

    monkeypatch.setattr(plots, "curves", curves)
    for run in (soft_copy, bright_copy):
        scores = json.loads((run / "scores.json").read_text())
        (run / "scores-test.json").write_text(json.dumps(scores | {"split": "test"}))
    nothing = scores["identity"]["psnr"]
    dotted = "Dotted: doing nothing, on the whole pictures that were evaluated"
    # A run that has no scores of its validation split may have validated on the same.
    (soft_copy / "scores.json").unlink()
    found = text(soft_copy, bright_copy)
    assert drawn["psnr"] == [nothing]
    assert dotted in found
    assert "No line for doing nothing" not in found
    (soft_copy / "scores.json").write_text(json.dumps(scores | {"data_fingerprint": "beef"}))
    found = text(soft_copy, bright_copy)
    assert drawn["psnr"] == drawn["loss"] == drawn["mae"] == [None]
    assert dotted not in found
    wanted = "in Loss (mse), PSNR (dB), MAE: the runs there were evaluated on different validation"
    assert f"No line for doing nothing {wanted} pairs." in found
    # Each loss has a panel of its own.
    config = yaml.safe_load((bright_copy / "config.yaml").read_text())
    (bright_copy / "config.yaml").write_text(yaml.safe_dump(config | {"loss": {"name": "mae"}}))
    found = text(soft_copy, bright_copy)
    assert drawn["loss"] == [scores["identity"]["mse"], scores["identity"]["mae"]]
    assert dotted in found
    assert "No line for doing nothing in PSNR (dB), MAE: the runs there" in found
    # No line is told of that no plot has: this loss is none of the metrics.
    for run in (soft_copy, bright_copy):
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["loss"] = {"name": "charbonnier"}
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        history = (run / "history.csv").read_text()
        for name in ("psnr", "mae"):
            history = history.replace(f",{name}", f",own_{name}").replace(f"val_{name}", "own")
        (run / "history.csv").write_text(history)
    found = text(soft_copy, bright_copy)
    assert drawn == {"loss": [None]}
    assert dotted not in found
    assert "No line for doing nothing" not in found


def test_curves_of_pairs_made_while_training_are_said_to_be_of_other_pictures(
    soft_copy: Path, bright_run: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    assert "are of different pictures" not in pages_text(html(soft_copy, bright_run))
    config = yaml.safe_load((soft_copy / "config.yaml").read_text())
    config["training"]["synthesis"] = {"photographs": "mine"}
    (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
    wanted = "The two curves of soft are of different pictures: validation"
    assert wanted in pages_text(html(soft_copy, bright_run))


def test_the_recipe_is_told(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    config = yaml.safe_load((soft_copy / "config.yaml").read_text())
    text = pages_text(html(soft_copy))
    for absent in ("pairs made while training", "initial weights"):
        assert absent not in text
    assert "optimiser Adam augmentation none" in text
    config["training"] |= {
        "optimizer": {"beta_2": 0.99, "weight_decay": 0.01, "gradient_clip_norm": None},
        "augmentation": {"flips": True, "rotations": False},
        "synthesis": {"types": [1, 1, 2], "levels": [5, 0, 5]},
        "initial_weights": ["a", "b"],
    }
    (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
    text = pages_text(html(soft_copy))
    for wanted in (
        "optimiser AdamW, beta 2 0.99, weight decay 0.01 augmentation flips",
        "pairs made while training 2 types, levels 0, 5",
        "initial weights a, b",
    ):
        assert wanted in text
    # A stranger's config may hold anything.
    config["training"] |= {"optimizer": "Adam", "synthesis": {"types": 1, "levels": [[1]]}}
    config["training"]["learning_rate_schedule"] = 3
    (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
    assert "optimiser Adam" in pages_text(html(soft_copy))


def test_whatever_differs_between_the_configs_is_told(soft_copy: Path, bright_copy: Path) -> None:
    """Each key that has no row of its own, once; those that are alike are left out."""
    config = yaml.safe_load((soft_copy / "config.yaml").read_text())
    config["training"]["synthesis"] = None
    (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
    config = yaml.safe_load((bright_copy / "config.yaml").read_text())
    config["data"] |= {"levels": [4, 5], "types": [1]}
    config["data"]["splits"]["train"] = [7]
    config["training"] |= {
        "steps_per_epoch": 9,
        "gradient_accumulation_steps": 2,
        "later_patch_sizes": [{"epoch": 5, "patch_size": 96}],
        "synthesis": {"photographs": "mine", "types": [3], "levels": [0], "window": 7},
        "batch_size": 4,
        "learning_rate_schedule": {"cosine_decay": {"minimum": 0.001}},
    }
    config["validation"]["best_epoch"] = "last"
    (bright_copy / "config.yaml").write_text(yaml.safe_dump(config))
    _, rows = report_tables.settings_table(comparison.read([soft_copy, bright_copy], "val"))
    found = {title: values for title, *values in rows if "." in title}
    assert found == {
        "data.levels": ["[5]", "[4, 5]"],
        "data.types": ["[1, 10, 16]", "[1]"],
        "data.splits.train": ["[]", "[7]"],
        "training.steps_per_epoch": ["–", "9"],
        "training.gradient_accumulation_steps": ["–", "2"],
        "training.later_patch_sizes": ["–", "[{'epoch': 5, 'patch_size': 96}]"],
        "training.synthesis.photographs": ["–", "mine"],
        "training.synthesis.types": ["–", "[3]"],
        "training.synthesis.levels": ["–", "[0]"],
        "training.synthesis.window": ["–", "7"],
        "validation.best_epoch": ["–", "last"],
    }
    # What a row of its own tells is not told twice.
    assert ["batch size", "8", "4"] in rows
    assert len(rows) == len({title for title, *_ in rows})


def test_the_kind_of_validation_crops_is_told(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    config = yaml.safe_load((soft_copy / "config.yaml").read_text())
    assert "crops" not in pages_text(html(soft_copy))
    for crop in ("central", "random"):
        config["validation"] = {"batch_size": 8, "patch_size": 64, "crop": crop}
        (soft_copy / "config.yaml").write_text(yaml.safe_dump(config))
        assert f"soft validated on {crop} crops" in pages_text(html(soft_copy))


def test_a_single_reference_has_no_interval(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    found = json.loads((soft_copy / "scores.json").read_text())
    found["gain"]["psnr"] |= {"low": None, "high": None, "references": 1}
    (soft_copy / "scores.json").write_text(json.dumps(found | {"references": 1}))
    assert "no interval: it needs more than one reference" in pages_text(html(soft_copy))


def test_a_run_named_twice_is_shown_once(soft_run: Path, html: Callable[..., str]) -> None:
    again = soft_run / ".." / soft_run.name
    assert "1 run on the validation split" in html(soft_run, again)


def test_names_are_text_not_markup(soft_copy: Path, html: Callable[..., str]) -> None:
    config = soft_copy / "config.yaml"
    hostile = "'<script>alert(1)</script> $x_1$ \"&'"
    config.write_text(config.read_text().replace("config: soft", f"config: {hostile}"))
    page = html(soft_copy)
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_1$" in page


def test_a_page_too_large_shows_fewer_pictures(
    soft_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    html: Callable[..., str],
    pages_text: Callable[[str], str],
) -> None:
    whole = len(html(soft_run))
    monkeypatch.setattr(report_page, "MOST_BYTES", whole - 1)
    fewer = html(soft_run)
    assert len(fewer) < whole
    assert "2 best and 2 worst pictures of each run are shown instead of 3" in pages_text(fewer)
    monkeypatch.setattr(report_page, "MOST_BYTES", 1000)
    with pytest.raises(RunError, match="Report on fewer"):
        html(soft_run)


Driver = Any
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    service = shutil.which("chromedriver")
    if binary is None or service is None:
        reason = "needs chromium and chromedriver (on Debian: apt install chromium-driver)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("browser")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(service))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def page(soft_run: Path, bright_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "browser.html"
    report.write([soft_run, bright_run], out, file_format="html")
    return out


@pytest.fixture
def opened(driver: Driver, page: Path) -> Driver:
    """The report, as on a desktop screen in light colours."""
    emulate(driver)
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(page.as_uri())
    return driver


def emulate(driver: Driver, width: int = 1280, scheme: str = "light", media: str = "") -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def style(driver: Driver, selector: str, name: str) -> str:
    return driver.execute_script(
        "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]",
        selector,
        name,
    )


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of a computed colour, rgb(…) of 255 or color(srgb …) of 1."""
    values = [float(v) for v in re.findall(r"[\d.]+", colour)[:3]]
    parts = [value / (1 if colour.startswith("color(") else 255) for value in values]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_browser_has_nothing_to_complain_of_and_asks_for_nothing(opened: Driver, page: Path):
    time.sleep(0.3)
    assert opened.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in asked
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}


def test_every_picture_loads_and_has_a_text(opened: Driver) -> None:
    pictures = opened.execute_script(
        "return [...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.alt])"
    )
    assert len(pictures) == 2 * 6 * 4
    assert {(width, height) for width, height, _ in pictures} == {SIZE}
    assert all(alt for _, _, alt in pictures)
    assert len({alt for _, _, alt in pictures}) > len(pictures) / 2
    unnamed = "svg.plot:not([aria-label]), input:not([aria-label]), th:empty, a:empty"
    assert opened.execute_script(f"return document.querySelectorAll('{unnamed}').length") == 0


def test_ids_are_unique_and_headings_in_order(opened: Driver) -> None:
    ids = opened.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    levels = opened.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_slider_moves_when_dragged(opened: Driver) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    slider = opened.find_element(By.CSS_SELECTOR, ".compare input")
    opened.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", slider
    )
    time.sleep(0.2)
    before = style(opened, ".distorted", "clipPath")
    width = slider.size["width"]
    drag = ActionChains(opened, duration=50).move_to_element(slider).click_and_hold()
    drag.move_by_offset(-round(width / 4), 0).release().perform()
    assert float(slider.get_property("value")) == pytest.approx(25, abs=1)
    after = style(opened, ".distorted", "clipPath")
    assert after != before
    visible = opened.execute_script(
        "const box = document.querySelector('.compare').getBoundingClientRect();"
        "const cut = document.querySelector('.cut').getBoundingClientRect();"
        "return (cut.left + cut.width / 2 - box.left) / box.width"
    )
    assert visible == pytest.approx(0.25, abs=0.015)


def test_slider_moves_by_keyboard_and_shows_its_focus(opened: Driver) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element(By.CSS_SELECTOR, ".compare input")
    before = style(opened, ".distorted", "clipPath")
    slider.send_keys(Keys.ARROW_RIGHT * 3)
    assert slider.get_property("value") == "51.5"
    assert style(opened, ".distorted", "clipPath") != before
    assert style(opened, ".compare", "outlineStyle") == "solid"
    slider.send_keys(Keys.HOME)
    assert slider.get_property("value") == "0"
    assert "100%" in style(opened, ".distorted", "clipPath")


def test_reference_and_error_map_at_the_press_of_a_button(opened: Driver) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def shown() -> tuple[str, str]:
        return style(opened, ".reference", "visibility"), style(opened, ".error", "visibility")

    reference, error = opened.find_elements(By.CSS_SELECTOR, ".example button")[:2]
    assert shown() == ("hidden", "hidden")
    reference.send_keys(Keys.SPACE)
    assert shown() == ("visible", "hidden")
    assert reference.get_attribute("aria-pressed") == "true"
    error.send_keys(Keys.ENTER)
    assert shown() == ("hidden", "visible")
    assert reference.get_attribute("aria-pressed") == "false"
    opened.find_element(By.CSS_SELECTOR, ".compare input").send_keys(Keys.ARROW_LEFT)
    assert shown() == ("hidden", "hidden")


def test_no_sideways_scrolling_on_a_phone(opened: Driver) -> None:
    emulate(opened, width=375)
    opened.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    inner, scrolled = opened.execute_script(
        "return [innerWidth, document.documentElement.scrollWidth]"
    )
    assert (inner, scrolled) == (375, 375)
    wide = opened.execute_script(
        "return [...document.querySelectorAll('.scroll')].some(b => b.scrollWidth > b.clientWidth)"
    )
    assert wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(opened: Driver, scheme: str) -> None:
    emulate(opened, scheme=scheme)
    background = style(opened, "body", "backgroundColor")
    assert (luminance(background) < 0.05) == (scheme == "dark")
    for selector, name in (
        ("body", "color"),
        (".muted", "color"),
        (".caption", "color"),
        ("nav a", "color"),
        (".series-1", "color"),
        (".series-2", "color"),
        (".plot text", "fill"),
    ):
        assert contrast(style(opened, selector, name), background) > 4.5, selector
    cells = opened.execute_script(
        "return [...document.querySelectorAll('.gain')].map(cell => {"
        " const s = getComputedStyle(cell); return [s.color, s.backgroundColor] })"
    )
    assert len({cell for _, cell in cells}) > 5
    assert min(contrast(text, cell) for text, cell in cells) > 4.5
    strokes = opened.execute_script(
        "return [...document.querySelectorAll('.plot path')]"
        ".map(p => getComputedStyle(p).stroke).filter(s => s.startsWith('rgb'))"
    )
    assert min(contrast(stroke, background) for stroke in strokes) > 3


def test_print_is_light_and_shows_all_four_pictures(opened: Driver) -> None:
    emulate(opened, scheme="dark", media="print")
    assert style(opened, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert style(opened, ".compare input", "display") == "none"
    places = opened.execute_script(
        "return [...document.querySelector('.compare').querySelectorAll('img')]"
        ".map(i => i.getBoundingClientRect()).map(r => [r.left, r.width])"
    )
    assert len({left for left, _ in places}) == 4
    assert all(width > 50 for _, width in places)
    for layer in ("restored", "distorted", "reference", "error"):
        assert style(opened, f".{layer}", "visibility") == "visible"
        assert style(opened, f".{layer}", "clipPath") == "none"


def test_page_works_without_script(opened: Driver, page: Path) -> None:
    opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened.get(page.as_uri())
        assert "50%" in style(opened, ".distorted", "clipPath")
    finally:
        opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_levels_have_a_table_of_their_own_where_there_are_several(html, soft_copy):
    assert "By level</a>" not in html(soft_copy)
    figures = json.loads((soft_copy / "scores.json").read_text())["per_reference"]
    some = next(iter(figures.values()))
    edit_scores(soft_copy, per_level={"4": some, "5": some})
    assert "By level</a>" in html(soft_copy)


def test_a_run_from_another_version_is_noted(html, soft_copy, pages_text):
    edit_scores(soft_copy, tidenhance="0.0.9")
    assert "evaluated by tidenhance 0.0.9, this is" in pages_text(html(soft_copy))
