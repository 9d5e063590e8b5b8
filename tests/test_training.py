"""Whole trainings of tiny networks, and what they leave behind."""

from __future__ import annotations

import csv
import importlib.util
import io
import logging
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tidenhance import callbacks, runs, training, weights
from tidenhance import config as configs
from tidenhance.config import Config
from tidenhance.data.pairs import Pairs
from tidenhance.errors import ConfigError, DataError, DeviceError, RunError, TidenhanceError
from tidenhance.networks import plain_cnn

CONFIG = {
    "seed": 1,
    "network": {"name": "residual_cnn", "channels": 8, "depth": 3},
    "data": {
        "name": "tid2013",
        "types": [1, 5],
        "splits": {"train": [1, 2], "val": [3], "test": [4]},
    },
    "loss": {"name": "mse"},
    "metrics": ["psnr", "mae"],
    "training": {"epochs": 2, "batch_size": 2, "patch_size": 32, "learning_rate": 1e-3},
    "validation": {"batch_size": 2},
}


@pytest.fixture
def load(tmp_path: Path, small_tree: Path):
    """Return what loads the small config with overrides."""

    def load(*overrides: str) -> Config:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(CONFIG))
        return configs.load(path, [f"data.root={small_tree}", *overrides], environment={})

    return load


def test_a_run_holds_everything_and_its_loss_falls(
    load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tidenhance"):
        run = training.train(
            load("training.epochs=8", "training.steps_per_epoch=10"), "small", tmp_path / "runs"
        )
    assert {path.name for path in run.iterdir()} == {
        *(runs.CONFIG, runs.STATE, runs.HISTORY, runs.CURVES, runs.LOG, runs.NETWORK),
        *(runs.BEST_WEIGHTS, runs.LAST_WEIGHTS),
    }
    with (run / runs.HISTORY).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        *("epoch", "loss", "mae", "psnr", "val_loss", "val_mae", "val_psnr"),
        *("learning_rate", "seconds", "images_per_second"),
    ]
    assert len(rows) == 8
    assert float(rows[-1]["val_loss"]) < 0.9 * float(rows[0]["val_loss"])
    log = (run / runs.LOG).read_text()
    assert log.count("epoch ") == 8
    assert "doing nothing: val_loss" in log
    assert "device: CPU" in log
    assert log.rstrip().endswith("finished")
    [summary] = runs.summaries(tmp_path / "runs")
    assert (summary.state, summary.config, summary.epochs) == ("finished", "small", 8)


def test_the_runs_config_is_resolved_and_trains_again_to_the_same_history(
    load, tmp_path: Path
) -> None:
    augmented = "training.augmentation={flips: true, rotations: true}"
    first = training.train(load(augmented), "small", tmp_path / "runs")
    written = runs.read_config(first)
    assert written.training.cache_gib == 4
    assert written.provenance is not None
    assert written.provenance.keras == keras.__version__
    second = training.train(configs.load(first / runs.CONFIG), "small", tmp_path / "runs")
    assert first != second
    clock = ("seconds", "images_per_second")
    histories = [
        [{k: v for k, v in row.items() if k not in clock} for row in runs.read_history(run)]
        for run in (first, second)
    ]
    assert histories[0] == histories[1]
    other = training.train(load(augmented, "seed=2"), "small", tmp_path / "runs")
    assert runs.read_history(other)[0]["loss"] != histories[0][0]["loss"]


def test_best_weights_give_the_lowest_val_loss_of_the_history(load, tmp_path: Path) -> None:
    run = training.train(load("training.learning_rate=0.02"), "small", tmp_path / "runs")
    network, config = weights.trained_network(run)
    training.compile_network(network, config, "cpu")
    _, validation = training._batches(config, training._pairs(config))
    found = network.evaluate(validation, return_dict=True, verbose=0)
    best = min(row["val_loss"] for row in runs.read_history(run))
    assert found["loss"] == pytest.approx(best, rel=1e-5)


def test_doing_nothing_is_measured_on_the_pairs_as_they_are_fed(load) -> None:
    config = load("training.batch_size=1", "validation.batch_size=2")
    _, validation = training._batches(config, training._pairs(config))
    errors = [
        np.square(distorted.numpy() - reference.numpy()).mean(axis=(1, 2, 3))
        for distorted, reference in validation
    ]
    found = training.identity_figures(config, validation)
    assert found["val_loss"] == pytest.approx(np.concatenate(errors).mean(), rel=1e-5)
    psnr = -10 * np.log10(np.concatenate(errors))
    assert found["val_psnr"] == pytest.approx(psnr.mean(), rel=1e-5)


def test_accumulated_gradients_are_those_of_the_whole_batch(load, tmp_path: Path) -> None:
    whole, accumulated = (
        training.train(
            load("training.batch_size=4", "training.epochs=3", *more), "small", tmp_path / "runs"
        )
        for more in ((), ("training.gradient_accumulation_steps=2",))
    )
    for a, b in zip(
        weights.trained_network(whole)[0].get_weights(),
        weights.trained_network(accumulated)[0].get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_initial_weights_come_from_a_run(load, tmp_path: Path) -> None:
    first = training.train(load(), "small", tmp_path / "runs")
    rate = "training.learning_rate=1e-12"
    run = training.train(
        load(rate, f"training.initial_weights={first.name}"), "small", tmp_path / "runs"
    )
    for a, b in zip(
        weights.trained_network(first)[0].get_weights(),
        weights.trained_network(run)[0].get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-9)
    with pytest.raises(RunError, match="not the weights"):
        training.train(
            load("network.channels=4", f"training.initial_weights={first.name}"),
            "small",
            tmp_path / "runs",
        )


@pytest.mark.parametrize(
    ("precision", "dtype"), [("mixed_bfloat16", "bfloat16"), ("mixed_float16", "float16")]
)
def test_mixed_precision_trains(load, tmp_path: Path, precision: str, dtype: str) -> None:
    try:
        run = training.train(load(f"training.precision={precision}"), "small", tmp_path / "runs")
        assert keras.config.dtype_policy().compute_dtype == dtype
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(list(row.values())).all() for row in runs.read_history(run))


def learning_rates(run: Path) -> list[float]:
    return [row["learning_rate"] for row in runs.read_history(run)]


def test_cosine_decay_by_hand(load, tmp_path: Path) -> None:
    config = load(
        "training.epochs=4",
        "training.learning_rate_schedule.cosine_decay.minimum=1e-4",
    )
    rates = learning_rates(training.train(config, "small", tmp_path / "runs"))
    by_hand = [1e-4 + 9e-4 * (1 + np.cos(np.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates == pytest.approx(by_hand, rel=1e-5)


def test_the_rate_halves_on_a_plateau_and_training_stops_early(load, tmp_path: Path) -> None:
    config = load(
        "training.epochs=9",
        "training.learning_rate=1e-30",
        "training.learning_rate_schedule.reduce_on_plateau={factor: 0.5, patience: 2}",
        "training.early_stopping.patience=4",
    )
    rates = learning_rates(training.train(config, "small", tmp_path / "runs"))
    assert rates == pytest.approx([1e-30, 1e-30, 1e-30, 5e-31, 5e-31], rel=1e-5)


def test_a_diverging_run_fails_and_says_so(load, tmp_path: Path) -> None:
    config = load("network.name=residual_cnn", "training.learning_rate=1e30", "training.epochs=9")
    with pytest.raises(TidenhanceError, match="learning_rate"):
        training.train(config, "small", tmp_path / "runs")
    [summary] = runs.summaries(tmp_path / "runs")
    assert summary.state == "failed"
    assert "loss became" in (summary.path / runs.LOG).read_text()


def test_an_interrupted_run_says_so(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(load(), "small", tmp_path / "runs")
    assert runs.summaries(tmp_path / "runs")[0].state == "interrupted"


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["training.device=gpu"], DeviceError, "training.device"),
        (["data.splits.val=[]"], DataError, r"data\.splits\.val"),
        (["training.patch_size=64"], DataError, "at least the patch, 64 x 64"),
        (["data.types=[2]"], DataError, "all 4 of level 5 missing"),
        (["training.initial_weights=none"], RunError, "no such run"),
    ],
)
def test_what_cannot_be_trained_leaves_no_run(
    load, tmp_path: Path, overrides: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        training.train(load(*overrides), "small", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_the_articles_networks_train_in_their_own_way(load, tmp_path: Path) -> None:
    """MIRNet on crops, validated on fixed crops; the plain network on whole pictures."""
    mirnet = load(
        "network={name: mirnet, channels: 8, groups: 1, blocks: 1}",
        "validation={batch_size: 2, patch_size: 32}",
        "training.epochs=3",
    )
    plain = load(
        "network={name: plain_cnn, channels: [8, 8]}",
        "training={epochs: 5, batch_size: 4, learning_rate: 1e-3}",
    )
    for config, name in ((mirnet, "mirnet"), (plain, "plain_cnn")):
        run = training.train(config, name, tmp_path / "runs")
        history = runs.read_history(run)
        assert history[-1]["loss"] < history[0]["loss"]


def test_a_dead_channel_is_announced_in_a_real_run(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(**_: object) -> keras.Model:
        network = plain_cnn.build(channels=[4])
        network.layers[-1].bias.assign([-9.0, 1.0, 1.0])
        return network

    monkeypatch.setattr("tidenhance.networks.residual_cnn.build", dead)
    monkeypatch.setattr(weights, "build_network", lambda _: dead())
    run = training.train(load("training.epochs=1"), "small", tmp_path / "runs")
    assert "the red channel of the output is zero" in (run / runs.LOG).read_text()


def test_a_file_that_disappears_while_training_is_named(
    load, tmp_path: Path, small_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small_tree, tree)
    fit = training._fit

    def remove_then_fit(*args: object) -> None:
        (tree / "distorted_images" / "i01_01_5.bmp").unlink()
        fit(*args)

    monkeypatch.setattr(training, "_fit", remove_then_fit)
    config = load(f"data.root={tree}", "training.cache_gib=0")
    with pytest.raises(TidenhanceError, match=r"i01_01_5\.bmp") as caught:
        training.train(config, "small", tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert runs.summaries(tmp_path / "runs")[0].state == "failed"


def test_tensorboard_gets_figures_and_validation_images(load, tmp_path: Path) -> None:
    run = training.train(load("logging.tensorboard=true"), "small", tmp_path / "runs")
    events = EventAccumulator(str(run / runs.TENSORBOARD / "validation"))
    events.Reload()
    losses = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors("epoch_loss")]
    history = [row["val_loss"] for row in runs.read_history(run)]
    assert losses == pytest.approx(history, rel=1e-5)
    pictures = EventAccumulator(str(run / runs.TENSORBOARD / "images"))
    pictures.Reload()
    [tag] = pictures.Tags()["tensors"]
    width, height, first, *_ = pictures.Tensors(tag)[-1].tensor_proto.string_val
    assert (int(width), int(height)) == (3 * 48, 48)
    with Image.open(io.BytesIO(first)) as picture:
        distorted, reference = next(iter(training._batches(*prepared(load))[1]))
        shown = np.asarray(picture)
        np.testing.assert_allclose(shown[:, :48], 255 * distorted[0], atol=1)
        np.testing.assert_allclose(shown[:, -48:], 255 * reference[0], atol=1)


def prepared(load) -> tuple[Config, Pairs]:
    config = load()
    return config, training._pairs(config)


def test_tensorboard_that_is_not_installed_is_asked_for(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'tidenhance\[tensorboard\]'"):
        training.train(load("logging.tensorboard=true"), "small", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_can_be_evaluated_from_any_folder(
    load, tmp_path: Path, small_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_tree.parent)
    run = training.train(load(f"data.root={small_tree.name}"), "small", tmp_path / "runs")
    assert runs.read_config(run).data.options["root"] == str(small_tree)


@pytest.mark.parametrize(
    ("overrides", "pictures"),
    [
        ([], 4),
        # Batches of 3 and 1 of the four pairs, 2 on average.
        (["training.batch_size=3", "training.steps_per_epoch=3"], 6),
        (["training.batch_size=2", "training.gradient_accumulation_steps=2"], 4),
    ],
)
def test_images_per_second_count_the_pictures_that_were_fed(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], pictures: int
) -> None:
    counted: list[int] = []
    times = callbacks.EpochTimes
    monkeypatch.setattr(callbacks, "EpochTimes", lambda n: (counted.append(n), times(n))[1])
    training.train(load("training.epochs=1", *overrides), "small", tmp_path / "runs")
    assert counted == [pictures]
