"""Scores against scikit-image on the very pictures, and what is written."""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from scipy import ndimage
from skimage import metrics as skimage_metrics

from tidenhance import components, evaluation, images, runs, weights
from tidenhance import config as configs
from tidenhance.data import pairs
from tidenhance.data.datasets import mnist_noise
from tidenhance.data.pairs import Pair
from tidenhance.errors import ConfigError, DataError, RunError, WriteError


@pytest.fixture
def run(tmp_path: Path, small_tree: Path) -> Path:
    """A run whose network adds 25 of 255 to every value."""
    data = {"root": str(small_tree), "types": [1, 10], "splits": {"train": [1], "val": [2, 3]}}
    config = {
        "seed": 1,
        "network": {"name": "residual_cnn", "channels": 4, "depth": 2},
        "data": {"name": "tid2013", **data, "splits": {**data["splits"], "test": [4]}},
        "loss": {"name": "mse"},
        "metrics": [],
        "training": {"epochs": 1, "batch_size": 1, "learning_rate": 1},
        "validation": {"batch_size": 1},
    }
    path = runs.create(tmp_path / "runs", "adds", datetime.now().astimezone())
    (path / runs.CONFIG).write_text(yaml.safe_dump(config))
    network = weights.build_network(configs.load(path / runs.CONFIG))
    network.layers[-2].bias.assign([25 / 255] * 3)
    weights.save(network, path / runs.BEST_WEIGHTS)
    runs.set_state(path, "finished")
    return path


def independent(tree: Path, reference: int, distortion: int) -> dict[str, float]:
    """Restore with NumPy, score with scikit-image on 8-bit pictures."""
    y_true = np.asarray(Image.open(tree / "reference_images" / f"I{reference:02d}.BMP"))
    name = f"i{reference:02d}_{distortion:02d}_5.bmp"
    distorted = np.asarray(Image.open(tree / "distorted_images" / name))
    restored = np.clip(distorted.astype(int) + 25, 0, 255).astype(np.uint8)
    return {
        "psnr": skimage_metrics.peak_signal_noise_ratio(y_true, restored),
        "mse": skimage_metrics.mean_squared_error(y_true / 255, restored / 255),
        "identity_psnr": skimage_metrics.peak_signal_noise_ratio(y_true, distorted),
    }


def test_scores_are_those_of_an_independent_library(run: Path, small_tree: Path) -> None:
    scores = evaluation.evaluate(run, "val")
    expected = {(r, t): independent(small_tree, r, t) for r in (2, 3) for t in (1, 10)}

    def mean(key: str, *pairs: tuple[int, int]) -> float:
        return float(np.mean([expected[pair][key] for pair in pairs or expected]))

    assert scores["psnr"] == pytest.approx(mean("psnr"), abs=1e-4)
    assert scores["mse"] == pytest.approx(mean("mse"), rel=1e-5)
    assert scores["identity"]["psnr"] == pytest.approx(mean("identity_psnr"), abs=1e-4)
    gain = scores["psnr"] - scores["identity"]["psnr"]
    assert scores["gain"]["psnr"]["mean"] == pytest.approx(gain)
    assert scores["per_type"]["10"]["name"] == "JPEG"
    identity = scores["per_type"]["10"]["identity"]["psnr"]
    assert identity == pytest.approx(mean("identity_psnr", (2, 10), (3, 10)), abs=1e-4)
    identity = scores["per_reference"]["i03"]["identity"]["psnr"]
    assert identity == pytest.approx(mean("identity_psnr", (3, 1), (3, 10)), abs=1e-4)
    assert (scores["pairs"], scores["references"], scores["split"]) == (4, 2, "val")


def test_what_is_written_is_what_is_returned(run: Path) -> None:
    scores = evaluation.evaluate(run, "val")
    assert json.loads((run / "scores.json").read_text()) == scores
    with (run / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["i02_01_5", "i02_10_5", "i03_01_5", "i03_10_5"]
    assert np.mean([float(row["psnr"]) for row in rows]) == pytest.approx(scores["psnr"])
    assert runs.summaries(run.parent)[0].scores == scores


def test_splits_are_scored_apart(run: Path) -> None:
    evaluation.evaluate(run, "val")
    before = (run / "scores.json").read_text()
    test = evaluation.evaluate(run, "test")
    assert test["pairs"] == 2
    assert (run / "scores.json").read_text() == before
    assert json.loads((run / "scores-test.json").read_text()) == test


def test_the_time_a_picture_is_the_median(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first picture's takes in what is made once for all."""
    clock = itertools.accumulate([0, 100, 0, 1, 0, 2, 0, 4])
    monkeypatch.setattr(evaluation, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert evaluation.evaluate(run, "val")["seconds_per_picture"] == 3


def test_progress_counts_the_pairs(run: Path) -> None:
    seen: list[tuple[int, int]] = []
    evaluation.evaluate(run, "val", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 4) for done in range(5)]


def test_the_data_may_have_moved(run: Path, small_tree: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.symlink_to(small_tree)
    scores = evaluation.evaluate(run, "val", root=str(moved))
    assert scores["pairs"] == 4
    with pytest.raises(DataError, match="no such folder"):
        evaluation.evaluate(run, "val", root=str(tmp_path / "nowhere"))


def test_a_run_without_weights_is_named(run: Path) -> None:
    (run / runs.BEST_WEIGHTS).unlink()
    with pytest.raises(RunError, match=r"best\.weights\.h5: no such file"):
        evaluation.evaluate(run, "val")


def test_a_run_that_cannot_be_written_to_is_told_before_all_computing(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != run)
    monkeypatch.setattr(pairs, "read", None)
    with pytest.raises(WriteError, match=r"/scores\.json: cannot be written: Permission denied\."):
        evaluation.evaluate(run, "val")


def test_pictures_without_any_error_keep_the_mean_finite() -> None:
    same = np.zeros((4, 4, 3), np.uint8)
    figures = evaluation.picture_figures(same, same)
    assert figures == {"mse": 0, "mae": 0, "psnr": pytest.approx(100), "psnr_y": pytest.approx(100)}


def test_baselines_are_scored_on_the_same_pairs(run: Path, small_tree: Path) -> None:
    found = evaluation.evaluate(run, "val", baselines=[("median", {"size": 3})])
    baseline = found["baselines"]["median"]
    assert baseline["identity"] == found["identity"]
    assert baseline["pairs"] == 4
    expected = [
        skimage_metrics.peak_signal_noise_ratio(
            np.asarray(Image.open(small_tree / "reference_images" / f"I{r:02d}.BMP")),
            ndimage.median_filter(
                np.asarray(Image.open(small_tree / "distorted_images" / f"i{r:02d}_{t:02d}_5.bmp")),
                (3, 3, 1),
            ),
        )
        for r in (2, 3)
        for t in (1, 10)
    ]
    assert baseline["psnr"] == pytest.approx(np.mean(expected), abs=1e-4)


def test_restored_pictures_are_kept_where_asked(run: Path, small_tree: Path) -> None:
    evaluation.evaluate(run, "test", save_images=True)
    names = sorted(path.name for path in (run / runs.IMAGES / "test").iterdir())
    assert names == ["i04_01_5.png", "i04_10_5.png"]
    restored = np.asarray(Image.open(run / runs.IMAGES / "test" / names[0])).astype(int)
    distorted = np.asarray(Image.open(small_tree / "distorted_images" / "i04_01_5.bmp"))
    np.testing.assert_array_equal(restored, np.minimum(distorted.astype(int) + 25, 255))


def test_other_levels_have_a_file_of_their_own(run: Path) -> None:
    evaluation.evaluate(run, "val")
    before = (run / "scores.json").read_text()
    with pytest.raises(DataError, match="level 4"):
        evaluation.evaluate(run, "val", levels=[4, 5])
    evaluation.evaluate(run, "val", levels=[5])
    assert (run / "scores-levels-5.json").is_file()
    assert (run / "scores.json").read_text() == before


def test_levels_are_the_same_in_whatever_order(run: Path) -> None:
    text = (run / runs.CONFIG).read_text()
    (run / runs.CONFIG).write_text(text.replace("root:", "levels: [5, 5]\n  root:"))
    assert evaluation.evaluate(run, "val")["levels"] == [5]


def test_every_result_states_its_conventions(run: Path) -> None:
    found = evaluation.evaluate(run, "val")
    assert {"range", "crop", "rounding", "mean", "gain", "interval"} <= set(found["conventions"])
    assert set(found["gain"]) <= set(found["conventions"])
    # 48 pixels are too few for MS-SSIM's fifth scale.
    assert set(found["gain"]) == {"mse", "mae", "psnr", "psnr_y", "ssim", "ssim_y"}
    assert found["levels"] == [5]
    assert found["article"] is None
    assert found["seconds_per_picture"] > 0


def test_metrics_are_computed_on_the_cpu() -> None:
    """So that they are the same on all machines: a GPU's convolutions may be less exact."""
    found = evaluation._figures(("psnr", "ssim")).get_concrete_function()
    computed = {
        op.type: op.device for op in found.graph.get_operations() if op.type != "Placeholder"
    }
    assert "DepthwiseConv2dNative" in computed
    assert all("CPU:0" in where for name, where in computed.items() if name != "Identity")


def test_psnr_is_the_archives_psnrc(small_tree: Path) -> None:
    """Over 8-bit pixels and R, G and B: 10 log10(255^2 / MSE), as PSNRc.txt lists it."""
    listed = (small_tree / "metrics_values" / "PSNRc.txt").read_text().split()
    reference = np.asarray(Image.open(small_tree / "reference_images" / "I01.BMP"))
    names = ("i01_01_5", "i01_05_5", "i01_10_5")
    for name, psnrc in zip(names, listed, strict=False):
        picture = np.asarray(Image.open(small_tree / "distorted_images" / f"{name}.bmp"))
        figures = evaluation.picture_figures(reference, picture)
        assert figures["psnr"] == pytest.approx(float(psnrc), abs=1e-4)


def test_baselines_with_other_options_stand_beside_each_other(run: Path) -> None:
    given = [("median", {"size": 3}), ("median", {"size": 5})]
    found = evaluation.evaluate(run, "test", baselines=given)["baselines"]
    assert list(found) == ["median", "median, size 5"]
    assert [entry["options"]["size"] for entry in found.values()] == [3, 5]
    assert found["median"]["psnr"] != found["median, size 5"]["psnr"]
    with pytest.raises(ConfigError, match="given twice: median, size 5"):
        evaluation.evaluate(run, "test", baselines=given[1:] * 2)


def test_baselines_are_kept_as_long_as_the_pairs_are_the_same(run: Path) -> None:
    def evaluate(*sizes: int, split: str = "test", **options: Any) -> dict[str, Any]:
        baselines = [("median", {"size": size}) for size in sizes]
        return evaluation.evaluate(run, split, baselines=baselines, **options)["baselines"]

    first = evaluate(3, 5)
    path = run / "scores-test.json"
    stored = json.loads(path.read_text())
    assert evaluate(save_images=True) == first == json.loads(path.read_text())["baselines"]
    stored["baselines"]["median"]["psnr"] = 1.0
    stored["baselines"]["median, size 5"]["psnr"] = 2.0
    path.write_text(json.dumps(stored))
    # What is scored now wins.
    found = {name: entry["psnr"] for name, entry in evaluate(3).items()}
    assert found == {"median": first["median"]["psnr"], "median, size 5": 2.0}
    assert evaluate(split="val") == {}
    for change in ({"data_fingerprint": "beef"}, {"tidenhance": "0.0.1"}, {"baselines": 3}):
        path.write_text(json.dumps(stored | change))
        assert evaluate() == {}
    path.write_text('{"half": ')
    assert evaluate() == {}


def test_another_run_s_baselines_are_taken_where_the_pixels_are_the_same(
    run: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(run, tmp_path / "runs" / "other"))
    first = evaluation.evaluate(run, "test", baselines=[("median", {"size": 3})])
    found = evaluation.evaluate(other, "test", alike=first)
    assert found["baselines"] == first["baselines"]
    assert json.loads((other / "scores-test.json").read_text())["baselines"] == first["baselines"]
    (other / "scores-test.json").unlink()
    for change in ({"data_fingerprint": "beef"}, {"tidenhance": "0.0.1"}):
        assert evaluation.evaluate(other, "test", alike=first | change)["baselines"] == {}


def test_what_is_measured_on_is_known_before(run: Path, tmp_path: Path) -> None:
    for split in ("val", "test"):
        known = evaluation.measured_on(run, split)
        assert known.items() <= evaluation.evaluate(run, split).items()
        assert set(known) == {"split", "levels", "pairs"}
    with pytest.raises(DataError, match="level 4"):
        evaluation.measured_on(run, "val", levels=[4, 5])
    with pytest.raises(DataError, match="nowhere"):
        evaluation.measured_on(run, "val", root=str(tmp_path / "nowhere"))


def test_the_data_s_folder_is_noted(
    run: Path, small_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluation.evaluate(run, "val")["root"] == str(small_tree)
    shutil.copytree(small_tree, tmp_path / "same")
    monkeypatch.chdir(tmp_path)
    assert evaluation.evaluate(run, "val", root="same")["root"] == str(tmp_path / "same")


def test_the_fingerprint_is_of_the_pixels(run: Path, small_tree: Path, tmp_path: Path) -> None:
    same = tmp_path / "same"
    shutil.copytree(small_tree, same)
    first = evaluation.evaluate(run, "test")["data_fingerprint"]
    assert evaluation.evaluate(run, "test", root=str(same))["data_fingerprint"] == first
    path = same / "distorted_images" / "i04_01_5.bmp"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    assert evaluation.evaluate(run, "test", root=str(same))["data_fingerprint"] != first


def test_a_reference_is_read_once_for_all_its_pairs(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    read_rgb = images.read_rgb
    monkeypatch.setattr(
        images, "read_rgb", lambda path: [read.append(path.name), read_rgb(path)][1]
    )
    evaluation.evaluate(run, "val")
    assert [name for name in read if name in ("I02.BMP", "I03.BMP")] == ["I02.BMP", "I03.BMP"]
    assert len(read) == 6


def test_figures_are_the_metrics_own_at_any_size(photograph: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 60, photograph.shape, np.uint8)
    for height, width in ((200, 180), (177, 300), (40, 300), (11, 11), (1, 3)):
        reference = photograph[:height, :width]
        picture = np.maximum(reference, noise[:height, :width])
        figures = evaluation.picture_figures(reference, picture)
        y_true, y_pred = (images.to_float(x)[np.newaxis] for x in (reference, picture))
        for name in components.names("metrics"):
            metric = components.module("metrics", name)
            if min(height, width) < getattr(metric, "MINIMUM_SIZE", 1):
                assert name not in figures
            else:
                expected = float(metric.compute(y_true, y_pred)[0])
                assert figures[name] == pytest.approx(expected, rel=1e-5), (name, height, width)


@pytest.fixture(scope="module")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a network for noisy digits in memory, with fresh weights."""
    path = tmp_path_factory.mktemp("runs") / "digits-20261125-170000"
    path.mkdir()
    overrides = ["data.source=digits", "network={name: linear_autoencoder, units: [16, 4]}"]
    loaded = configs.load(configs.find("mnist-linear-coarse"), overrides, environment={})
    (path / runs.CONFIG).write_text(configs.dump(loaded))
    keras.utils.set_random_seed(1)
    weights.save(weights.build_network(loaded), path / runs.BEST_WEIGHTS)
    return path


def test_pictures_in_memory_are_scored_as_they_are_saved(digits_run: Path) -> None:
    """The network gets the noise that leaves the range; what is scored is 8-bit RGB."""
    scores = evaluation.evaluate(digits_run, "val", save_images=True)
    network, config = weights.trained_network(digits_run)
    pairs = mnist_noise.load(**config.data.options)["val"]
    noisy = np.stack([pair.distorted for pair in pairs]).astype(np.float32)
    as_saved = [np.rint(255 * x) for x in (network.predict_on_batch(noisy), np.clip(noisy, 0, 1))]
    errors = np.stack([pair.reference for pair in pairs]) - np.stack(as_saved)
    restored, identity = 20 * np.log10(255 / np.sqrt(np.square(errors).mean(axis=(2, 3, 4))))
    assert scores["psnr"] == pytest.approx(restored.mean(), abs=1e-3)
    assert scores["identity"]["psnr"] == pytest.approx(identity.mean(), abs=1e-3)
    assert scores["psnr"] != pytest.approx(scores["identity"]["psnr"], abs=0.1)
    # 28 pixels are too few for MS-SSIM.
    assert set(scores["gain"]) == {"mse", "mae", "psnr", "psnr_y", "ssim", "ssim_y"}
    clipped = network.predict_on_batch(np.clip(noisy, 0, 1))
    assert np.abs(255 * clipped - as_saved[0]).max() > 2
    folder = digits_run / runs.IMAGES / "val"
    assert {path.stem for path in folder.iterdir()} == {pair.name for pair in pairs}
    saved = np.asarray(Image.open(folder / f"{pairs[0].name}.png"))
    np.testing.assert_allclose(saved, as_saved[0][0].repeat(3, axis=-1), atol=1)


def test_digits_are_scored_by_kind_of_noise_and_by_digit(digits_run: Path) -> None:
    scores = evaluation.evaluate(digits_run, "test", baselines=[("median", {"size": 3})])
    assert {number: entry["name"] for number, entry in scores["per_type"].items()} == {
        "1": "additive Gaussian noise",
        "19": "multiplicative Gaussian noise",
    }
    assert [entry["pairs"] for entry in scores["per_type"].values()] == [143, 142]
    assert set(scores["per_reference"]) == {f"digit {n}" for n in range(10)}
    assert (scores["pairs"], scores["references"], scores["levels"]) == (285, 10, [2])
    assert scores["baselines"]["median"]["identity"] == scores["identity"]
    assert scores["article"] is None
    assert scores["root"] is None
    with (digits_run / "scores-test.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["name"] for row in rows}) == 285
    mild = evaluation.evaluate(digits_run, "test", levels=[1])
    assert mild["levels"] == [1]
    assert (digits_run / "scores-test-levels-1.json").is_file()
    additive, speckle = (
        [found["per_type"][number]["identity"]["mse"] for found in (mild, scores)]
        for number in ("1", "19")
    )
    assert additive[0] < 0.2 * additive[1]
    assert speckle[0] == speckle[1]


def test_a_level_that_the_noise_has_not(digits_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"--levels: levels\.0: .* Received: 3\."):
        evaluation.evaluate(digits_run, "test", levels=[3])


def test_pairs_that_do_not_suit_the_network_are_named(
    digits_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    square = np.zeros((30, 30, 1), np.uint8)
    pair = Pair("mine", square, square, "digit 1")
    monkeypatch.setattr(mnist_noise, "load", lambda **_: {"val": [pair]})
    with pytest.raises(DataError, match=r"mine: expected .* 28 x 28 x 1, .* 30 x 30 x 1"):
        evaluation.evaluate(digits_run, "val")
