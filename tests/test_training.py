"""Whole trainings of tiny networks, and what they leave behind."""

from __future__ import annotations

import csv
import errno
import hashlib
import importlib.util
import io
import json
import logging
import os
import re
import shutil
import signal
import tempfile
import time
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import PIL
import pytest
import skimage
import tensorflow as tf
import yaml
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tidenhance import (
    checkpoints,
    curves,
    device,
    epoch_log,
    export,
    feed,
    forward_onnx,
    images,
    runs,
    schedules,
    session,
    steps,
    training,
    validation,
    weights,
    workers,
)
from tidenhance import config as configs
from tidenhance.config import Config
from tidenhance.data import pipeline, stream
from tidenhance.errors import (
    ConfigError,
    DataError,
    DeviceError,
    ImageError,
    RunError,
    StoppedError,
    TidenhanceError,
    WriteError,
)
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


LATER = "{epoch: 2, patch_size: 32}"


@pytest.fixture
def load(tmp_path: Path, small_tree: Path):
    """Return what loads the small config with overrides."""

    def load(*overrides: str) -> Config:
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump(CONFIG))
        return configs.load(path, [f"data.root={small_tree}", *overrides], environment={})

    return load


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    """A folder with one photograph of 512 x 512."""
    folder = tmp_path_factory.mktemp("photographs")
    Image.fromarray(photograph).save(folder / "astronaut.png")
    return folder


@pytest.fixture
def drawn_and_exported() -> None:
    """Let trainings draw their curves and write ONNX files: most of the time of a small one."""


@pytest.fixture(autouse=True)
def _neither_drawn_nor_exported(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if "drawn_and_exported" not in request.fixturenames:
        monkeypatch.setattr(curves, "draw", lambda *_: None)
        monkeypatch.setattr(export, "onnx_beside", lambda *_: None)


def train(*arguments: Any) -> Path:
    """Train with the names of layers that a process of its own would give."""
    keras.utils.clear_session()
    return training.train(*arguments)


def resume(*arguments: Any) -> Path:
    keras.utils.clear_session()
    return training.resume(*arguments)


@pytest.mark.usefixtures("drawn_and_exported")
def test_a_run_holds_everything_and_its_loss_falls(
    load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "tidenhance"):
        run = train(
            load("training.epochs=8", "training.steps_per_epoch=10"), "small", tmp_path / "runs"
        )
    assert {path.name for path in run.iterdir()} == {
        *(runs.CONFIG, runs.STATE, runs.HISTORY, runs.CURVES, runs.LOG, runs.NETWORK),
        *(runs.BEST_WEIGHTS, runs.ONNX, runs.CHECKPOINTS),
    }
    forward_onnx.load(run)
    with (run / runs.HISTORY).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        *("epoch", "loss", "psnr", "mae", "val_loss", "val_psnr", "val_mae"),
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
    first = train(load(augmented), "small", tmp_path / "runs")
    written = runs.read_config(first)
    assert written.training.cache_gib == 4
    assert written.provenance is not None
    assert written.provenance.keras == keras.__version__
    assert written.provenance.pillow == PIL.__version__
    assert written.provenance.scikit_image == skimage.__version__
    second = train(configs.load(first / runs.CONFIG), "small", tmp_path / "runs")
    assert first != second
    assert history(first) == history(second)
    other = train(load(augmented, "seed=2"), "small", tmp_path / "runs")
    assert history(other)[0]["loss"] != history(first)[0]["loss"]


def history(run: Path) -> list[dict[str, float]]:
    """A run's history without clock times."""
    clock = ("seconds", "images_per_second")
    return [{k: v for k, v in row.items() if k not in clock} for row in runs.read_history(run)]


def test_best_weights_give_the_lowest_val_loss_of_the_history(load, tmp_path: Path) -> None:
    run = train(load("training.learning_rate=0.02"), "small", tmp_path / "runs")
    network, config = weights.trained_network(run)
    training.compile_network(network, config, "cpu")
    found = network.evaluate(validation_batches(config), return_dict=True, verbose=0)
    losses = [row["val_loss"] for row in runs.read_history(run)]
    assert losses.index(min(losses)) < len(losses) - 1
    assert found["loss"] == pytest.approx(min(losses), rel=1e-5)


def test_the_last_epoch_is_the_best_where_the_config_says_so(load, tmp_path: Path) -> None:
    config = load("training.learning_rate=0.02", "validation.best_epoch=last")
    run = train(config, "small", tmp_path / "runs")
    losses = [row["val_loss"] for row in runs.read_history(run)]
    assert losses.index(min(losses)) < len(losses) - 1
    last = checkpoints.path_of(run, len(losses)) / checkpoints.WEIGHTS
    assert (run / runs.BEST_WEIGHTS).read_bytes() == last.read_bytes()


def test_doing_nothing_is_measured_on_the_pairs_as_they_are_fed(load) -> None:
    config = load("training.batch_size=1", "validation.batch_size=2")
    batches = validation_batches(config)
    errors = [
        np.square(distorted.numpy() - reference.numpy()).mean(axis=(1, 2, 3))
        for distorted, reference in batches
    ]
    found = validation.identity_figures(config, batches)
    assert found["val_loss"] == pytest.approx(np.concatenate(errors).mean(), rel=1e-5)
    psnr = -10 * np.log10(np.concatenate(errors))
    assert found["val_psnr"] == pytest.approx(psnr.mean(), rel=1e-5)


@pytest.mark.parametrize(("crop", "alike"), [("central", True), ("random", False)])
def test_each_epoch_may_be_validated_on_other_crops(
    load, tmp_path: Path, crop: str, alike: bool
) -> None:
    config = load(
        "training.learning_rate=1e-12",
        f"validation={{batch_size: 2, patch_size: 32, crop: {crop}}}",
    )
    first, second = history(train(config, "small", tmp_path / "runs"))
    assert (first["val_loss"] == pytest.approx(second["val_loss"], rel=1e-4)) == alike


def test_accumulated_gradients_are_those_of_the_whole_batch(load, tmp_path: Path) -> None:
    """Of four pairs, batches of 3 and 1, in micro-batches of one."""
    whole, accumulated = (
        train(load("training.batch_size=3", *more), "small", tmp_path / "runs")
        for more in ((), ("training.gradient_accumulation_steps=3",))
    )
    for row, same in zip(history(whole), history(accumulated), strict=True):
        assert row == pytest.approx(same, rel=1e-5)
    for a, b in zip(
        weights.trained_network(whole)[0].get_weights(),
        weights.trained_network(accumulated)[0].get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_initial_weights_come_from_a_run(load, tmp_path: Path) -> None:
    first = train(load(), "small", tmp_path / "runs")
    rate = "training.learning_rate=1e-12"
    run = train(load(rate, "training.initial_weights=small"), "small", tmp_path / "runs")
    assert runs.read_config(run).training.initial_weights == [str(first)]
    for a, b in zip(
        weights.trained_network(first)[0].get_weights(),
        weights.trained_network(run)[0].get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-9)
    with pytest.raises(RunError, match="not the weights"):
        train(
            load("network.channels=4", f"training.initial_weights={first.name}"),
            "small",
            tmp_path / "runs",
        )
    # A config's name still means the run that it meant then, and not the newest, this one.
    resume(run, load(rate, "training.initial_weights=small", "training.epochs=3"))
    assert runs.read_config(run).training.initial_weights == [str(first)]
    assert len(runs.read_history(run)) == 3


@pytest.mark.parametrize("save", [1, 2])
def test_a_run_goes_on_from_a_model_that_is_called_as_its_config(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: int
) -> None:
    trained = train(load("training.epochs=1"), "small", tmp_path / "package")
    monkeypatch.setattr(runs, "shipped_models", lambda: {"small": trained})
    config = load("training.initial_weights=small")
    whole = train(config, "small", tmp_path / "whole")
    # Before and after the first epoch, from which on this run is that config's newest.
    run = cut_off(config, "small", tmp_path / "runs", save=save, after=False)
    later = train(load("training.epochs=1"), "small", tmp_path / "runs")
    # Nor does one count that was started before, but had no weights then.
    earlier = Path(shutil.copytree(later, run.with_name("small-earlier")))
    os.utime(earlier / runs.CONFIG, ns=(0, 0))
    resume(run, runs.read_config(run))
    assert runs.read_config(run).training.initial_weights == ["small"]
    assert_same(run, whole)


def test_what_stays_fresh_is_in_the_log(load, tmp_path: Path, monkeypatch, caplog) -> None:
    caplog.set_level("INFO")
    first = train(load("training.epochs=1"), "small", tmp_path / "runs")
    monkeypatch.setattr(weights, "load_initial", lambda *_: ["dense", "dense_1"])
    config = load("training.epochs=1", f"training.initial_weights={first.name}")
    run = train(config, "small", tmp_path / "runs")
    line = "not among the initial weights, and fresh: dense, dense_1"
    assert line in (run / runs.LOG).read_text()


def test_initial_weights_come_from_a_model_that_comes_with_the_tool(load, tmp_path: Path) -> None:
    model = runs.shipped_models()[runs.DEFAULT_MODEL]
    network = json.dumps(runs.read_config(model).network.model_dump(mode="json"))
    config = load(f"network={network}", f"training.initial_weights=[{model.name}]")
    built = weights.build_network(config)
    assert training._load_initial_weights(built, config, tmp_path) == []
    for a, b in zip(
        weights.trained_network(model)[0].get_weights(), built.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("mixed_bfloat16", "bfloat16"), ("mixed_float16", "float16")]
)
def test_mixed_precision_trains(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, dtype: str
) -> None:
    made = []

    def build(config: Config) -> keras.Model:
        made.append(real(config))
        return made[0]

    real = weights.build_network
    monkeypatch.setattr(weights, "build_network", build)
    run = train(load(f"training.precision={precision}"), "small", tmp_path / "runs")
    [network] = made
    assert {layer.compute_dtype for layer in network.layers if layer.weights} == {dtype}
    assert all(np.isfinite(list(row.values())).all() for row in runs.read_history(run))


def test_the_optimisers_options_are_the_configs(load) -> None:
    plain = training._optimizer(load())
    found = (plain.beta_1, plain.beta_2, plain.weight_decay, plain.global_clipnorm, plain.use_ema)
    assert found == (0.9, 0.999, None, None, False)
    options = {
        "beta_1": 0.8,
        "beta_2": 0.7,
        "weight_decay": 0.6,
        "gradient_clip_norm": 0.5,
        "exponential_moving_average": 0.4,
    }
    other = training._optimizer(load(f"training.optimizer={json.dumps(options)}"))
    found = (other.beta_1, other.beta_2, other.weight_decay, other.global_clipnorm)
    assert (*found, other.use_ema, other.ema_momentum) == (0.8, 0.7, 0.6, 0.5, True, 0.4)
    assert float(other.learning_rate) == pytest.approx(1e-3)


def test_the_rate_of_each_step_is_that_of_the_schedule(load, tmp_path: Path) -> None:
    """Of the last step of each epoch in the history: so the last epoch ends near the minimum."""
    by_hand = [1e-5 + 0.99e-3 * (1 + np.cos(np.pi * step / 10)) / 2 for step in (4, 9)]
    for number, how in enumerate(
        ("steps_per_execution=1", "steps_per_execution=5", "xla=on", "precision=mixed_float16")
    ):
        config = load(
            "training={epochs: 2, steps_per_epoch: 5, batch_size: 2, learning_rate: 1e-3}",
            "training.learning_rate_schedule={cosine_decay: {minimum: 1e-5}}",
            f"training.{how}",
        )
        run = train(config, "small", tmp_path / f"{number}")
        assert learning_rates(run) == pytest.approx(by_hand, rel=1e-5), how


def learning_rates(run: Path) -> list[float]:
    return [row["learning_rate"] for row in runs.read_history(run)]


def test_the_rate_halves_on_a_plateau_and_training_stops_early(load, tmp_path: Path) -> None:
    config = load(
        "training.epochs=9",
        "training.learning_rate=1e-30",
        "training.learning_rate_schedule.reduce_on_plateau={factor: 0.5, patience: 2}",
        "training.early_stopping.patience=4",
    )
    rates = learning_rates(train(config, "small", tmp_path / "runs"))
    assert rates == pytest.approx([1e-30, 1e-30, 1e-30, 5e-31, 5e-31], rel=1e-5)


def test_a_diverging_run_fails_says_so_and_leaves_good_checkpoints(load, tmp_path: Path) -> None:
    config = load("training.learning_rate=1e30", "training.checkpoint_every.steps=1")
    with pytest.raises(
        TidenhanceError, match=r"loss became inf at step 2 of epoch 1.*\.bmp"
    ) as caught:
        train(config, "small", tmp_path / "runs")
    assert "learning_rate" in str(caught.value)
    # There is no best epoch yet.
    assert "initial_weights" not in str(caught.value)
    [summary] = runs.summaries(tmp_path / "runs")
    assert summary.state == "failed"
    assert "loss became" in (summary.path / runs.LOG).read_text()
    saved = list(summary.path.rglob("*.weights.h5"))
    assert saved
    for path in saved:
        network = weights.build_network(config)
        weights.load(network, path)
        assert all(np.isfinite(weight).all() for weight in network.get_weights())
        assert np.isfinite(network.predict_on_batch(np.ones((1, 8, 8, 3)))).all()


def test_a_damaged_checkpoint_never_takes_the_best_weights_place(
    load, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(load("training.epochs=3"), "small", tmp_path)
    _, progress = checkpoints.newest(run)
    best = checkpoints.path_of(run, schedules.best_epoch(progress.val_losses) + 1)
    good = (run / runs.BEST_WEIGHTS).read_bytes()
    path = checkpoints.validated_weights(best)
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    network = weights.build_network(load())
    caplog.clear()
    identity = dict.fromkeys(("val_loss", "val_psnr", "val_mae"), 0.1)
    session._write_results(run, network, load(), progress, identity)
    assert (run / runs.BEST_WEIGHTS).read_bytes() == good
    assert f"{path}: damaged" in caplog.text
    path.unlink()
    caplog.clear()
    session._write_results(run, network, load(), progress, identity)
    assert (run / runs.BEST_WEIGHTS).read_bytes() == good
    assert f"{best}: damaged: No such file" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupted_run_says_so(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def interrupt(*_: object) -> None:
        raise error

    monkeypatch.setattr(session, "fit", interrupt)
    with pytest.raises(type(error)):
        train(load(), "small", tmp_path / "runs")
    assert runs.summaries(tmp_path / "runs")[0].state == "interrupted"


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["training.device=gpu"], DeviceError, "training.device"),
        (["data.splits.val=[]"], DataError, r"data\.splits\.val"),
        (["training.patch_size=64"], DataError, "at least the patch, 64 x 64"),
        (["data.types=[2]"], DataError, "all 4 of level 5 missing"),
        (["training.initial_weights=none"], RunError, "no such run"),
        (
            ["metrics=[ssim]", "training.patch_size=8", f"training.later_patch_sizes=[{LATER}]"],
            ConfigError,
            "at least 11 pixels a side for training. Received: 8",
        ),
    ],
)
def test_what_cannot_be_trained_leaves_no_run(
    load, tmp_path: Path, overrides: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(load(*overrides), "small", tmp_path / "runs")
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
        run = train(config, name, tmp_path / "runs")
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
    run = train(load("training.epochs=1"), "small", tmp_path / "runs")
    assert "the red channel of the output is zero" in (run / runs.LOG).read_text()


def test_a_file_that_disappears_while_training_is_named(
    load, tmp_path: Path, small_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(small_tree, tree)
    fit = session.fit

    def remove_then_fit(*args: object) -> None:
        (tree / "distorted_images" / "i01_01_5.bmp").unlink()
        fit(*args)

    monkeypatch.setattr(session, "fit", remove_then_fit)
    config = load(f"data.root={tree}", "training.cache_gib=0")
    with pytest.raises(ImageError, match=r"i01_01_5\.bmp") as caught:
        train(config, "small", tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert runs.summaries(tmp_path / "runs")[0].state == "failed"


def test_tensorboard_gets_figures_and_validation_images(load, tmp_path: Path) -> None:
    run = train(load("logging.tensorboard=true"), "small", tmp_path / "runs")
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
        distorted, reference = next(iter(validation_batches(load())))
        shown = np.asarray(picture)
        np.testing.assert_allclose(shown[:, :48], 255 * distorted[0], atol=1)
        np.testing.assert_allclose(shown[:, -48:], 255 * reference[0], atol=1)


def validation_batches(config: Config) -> tf.data.Dataset:
    return feed.of(config).validation(0)


def test_tensorboard_that_is_not_installed_is_asked_for(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'tidenhance\[tensorboard\]'"):
        train(load("logging.tensorboard=true"), "small", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_can_be_evaluated_from_any_folder(
    load, tmp_path: Path, small_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_tree.parent)
    run = train(load(f"data.root={small_tree.name}"), "small", tmp_path / "runs")
    assert runs.read_config(run).data.options["root"] == str(small_tree)


@pytest.mark.parametrize(
    ("overrides", "pictures"),
    [
        ([], 4),
        # Batches of 3 and 1 of the four pairs, 2 on average.
        (["training.batch_size=3", "training.steps_per_epoch=3"], 6),
        (["training.batch_size=4", "training.gradient_accumulation_steps=2"], 4),
    ],
)
def test_images_per_second_count_the_pictures_that_were_fed(
    load, tmp_path: Path, overrides: list[str], pictures: int
) -> None:
    config = load("training.epochs=1", *overrides)
    assert feed.of(config).pictures == pictures
    run = train(config, "small", tmp_path / "runs")
    [row] = runs.read_history(run)
    assert row["images_per_second"] > pictures / row["seconds"]


EVERYTHING = (
    "training.epochs=5",
    "training.steps_per_epoch=3",
    "training.learning_rate=0.02",
    "training.augmentation={flips: true, rotations: true}",
    "training.learning_rate_schedule.reduce_on_plateau={patience: 1}",
    "training.early_stopping.patience=3",
    "validation={batch_size: 2, patch_size: 32, crop: random}",
)


def with_dropout(*, batch_norm: bool, **_: object) -> keras.Model:
    """A network that draws random numbers, and keeps averages where it has batch norm."""
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.BatchNormalization()(x) if batch_norm else x
    x = keras.layers.Dropout(0.3)(x)
    x = keras.layers.Conv2D(3, 3, padding="same", dtype="float32")(x)
    return keras.Model(inputs, x, name="with_dropout")


def assert_same(run: Path, other: Path) -> None:
    """All that two runs hold is the same bit for bit, but for times of day and of the clock."""
    names = {path.relative_to(run) for path in run.rglob("*") if path.is_file()}
    assert names == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    clocked = {runs.CONFIG, runs.HISTORY, runs.LOG, checkpoints.PROGRESS, checkpoints.CHECKSUMS}
    for name in names:
        if name.name not in clocked:
            assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert history(run) == history(other)


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it. `scripts/torture` does it for real."""


def cut_off(config: Config, name: str, folder: Path, *, save: int, after: bool) -> Path:
    """Return a run whose process ended before or after the given call of `checkpoints.save`."""
    real, calls = checkpoints.save, iter(range(1, 1000))

    def dying(*arguments: Any) -> Path:
        number = next(calls)
        if number == save and not after:
            raise KilledError
        path = real(*arguments)
        if number == save:
            raise KilledError
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "save", dying)
        with pytest.raises(KilledError):
            train(config, name, folder)
    [run] = folder.iterdir()
    return run


# Saves 1 and 2 are within the first epoch, 3 ends it, 4 is within the second, …
EVERYWHERE = ((1, True), (5, True), (6, False))


@pytest.mark.parametrize(
    ("overrides", "cuts"),
    [
        (("training.checkpoint_every.steps=1",), EVERYWHERE),
        (
            (
                "training.checkpoint_every.steps=1",
                "training.batch_size=4",
                "training.gradient_accumulation_steps=2",
                "training.learning_rate=0.2",
            ),
            EVERYWHERE,
        ),
        (("training.checkpoint_every.steps=1", "training.precision=mixed_bfloat16"), EVERYWHERE),
        # Two steps at once, and then the one that is left of the epoch.
        (
            (
                "training.checkpoint_every.steps=2",
                "training.steps_per_execution=2",
                "training.learning_rate_schedule={cosine_decay: {warm_up_epochs: 1}}",
            ),
            ((1, True), (3, True), (4, False)),
        ),
    ],
)
@pytest.mark.usefixtures("drawn_and_exported")
def test_a_run_cut_off_anywhere_comes_to_the_same_end(
    load,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    overrides: tuple[str, ...],
    cuts: tuple[tuple[int, bool], ...],
) -> None:
    config = load(*EVERYTHING, *overrides)
    build = partial(with_dropout, batch_norm=config.training.gradient_accumulation_steps == 1)
    monkeypatch.setattr("tidenhance.networks.residual_cnn.build", build)
    whole = train(config, "whole", tmp_path / "runs")
    rates = [row["learning_rate"] for row in history(whole)]
    assert rates[-1] < rates[0]
    for save, after in cuts:
        folder = tmp_path / f"cut-{save}-{after}"
        run = cut_off(config, "whole", folder, save=save, after=after)
        assert resume(run, runs.read_config(run)) == run
        assert_same(run, whole)
        assert runs.summaries(folder)[0].state == "finished"


@pytest.mark.usefixtures("drawn_and_exported")
def test_a_finished_run_can_be_trained_longer(load, tmp_path: Path) -> None:
    whole = train(load("training.epochs=4"), "whole", tmp_path / "whole")
    run = train(load("training.epochs=2"), "short", tmp_path / "short")
    started = (run / runs.CONFIG).stat().st_mtime_ns
    resume(run, load("training.epochs=4"))
    forward_onnx.load(run)
    assert_same(run, whole)
    assert runs.read_config(run).training.epochs == 4
    # Runs are ordered by when they were started.
    assert (run / runs.CONFIG).stat().st_mtime_ns == started
    before = runs.read_config(run)
    resume(run, before)
    assert_same(run, whole)
    assert runs.read_config(run) == before


@pytest.mark.usefixtures("drawn_and_exported")
def test_a_training_succeeds_where_its_network_cannot_be_exported(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no such operation")

    monkeypatch.setattr(export, "_write_onnx", fail)
    with caplog.at_level(logging.INFO, "tidenhance"):
        run = train(load("training.epochs=1"), "small", tmp_path)
    log = (run / runs.LOG).read_text()
    assert "WARNING: no best.onnx: " in log
    assert "cannot be written as onnx: no such operation\n" in log
    assert log.rstrip().endswith("finished")
    assert not (run / runs.ONNX).exists()


@pytest.mark.usefixtures("drawn_and_exported")
def test_what_a_kill_left_half_done_is_mended(load, tmp_path: Path) -> None:
    """A kill between a checkpoint and what follows from it, and one while a file is written."""
    whole = train(load(), "small", tmp_path / "whole")
    run = train(load(), "small", tmp_path / "runs")
    for name in (runs.HISTORY, runs.BEST_WEIGHTS, runs.CURVES, runs.NETWORK):
        (run / name).unlink()
    (run / ".unfinished-x.history.csv").write_text("half")
    (run / runs.CHECKPOINTS / ".unfinished-y").mkdir()
    resume(run, runs.read_config(run))
    assert_same(run, whole)


def test_a_run_goes_on_only_with_its_own_config_and_pairs(
    load, tmp_path: Path, small_tree: Path
) -> None:
    run = train(load(), "small", tmp_path / "runs")
    with pytest.raises(ConfigError, match=r"learning_rate: the run was begun with 0\.001"):
        resume(run, load("training.learning_rate=0.1"))
    text = (run / runs.CONFIG).read_text()
    (run / runs.CONFIG).write_text(text.replace("seed: 1", "seed: 2"))
    with pytest.raises(ConfigError, match="seed: the run was begun with 1"):
        resume(run, runs.read_config(run))
    (run / runs.CONFIG).write_text(text)
    path = run / runs.CHECKPOINTS / "epoch-0002" / checkpoints.PROGRESS
    progress = path.read_text()
    path.write_text(progress.replace('"pairs": "', '"pairs": "0'))
    sums = path.with_name(checkpoints.CHECKSUMS)
    lines = [line for line in sums.read_text().splitlines() if "progress" not in line]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    sums.write_text("\n".join([*lines, f"{digest}  {path.name}\n"]))
    with pytest.raises(DataError, match="the pairs are no longer those"):
        resume(run, runs.read_config(run))
    # What is refused has not failed.
    assert runs.summaries(run.parent)[0].state == "finished"


def test_a_run_goes_on_with_pictures_elsewhere_only_if_they_are_the_same(
    load, tmp_path: Path, small_tree: Path
) -> None:
    run = train(load(), "small", tmp_path / "runs")
    moved = Path(shutil.copytree(small_tree, tmp_path / "moved"))
    resume(run, load(f"data.root={moved}"))
    assert runs.read_config(run).data.options["root"] == str(moved)
    others = Path(shutil.copytree(small_tree, tmp_path / "others"))
    (others / "distorted_images" / "i03_01_5.bmp").write_bytes(
        (others / "distorted_images" / "i03_05_5.bmp").read_bytes()
    )
    with pytest.raises(DataError, match="the pictures are no longer those"):
        resume(run, load(f"data.root={others}"))
    assert runs.read_config(run).data.options["root"] == str(moved)


def test_a_run_that_another_process_trains_is_refused(load, tmp_path: Path) -> None:
    run = train(load(), "small", tmp_path / "runs")
    with runs.locked(run), pytest.raises(RunError, match="another process"):
        resume(run, runs.read_config(run))
    assert runs.summaries(run.parent)[0].state == "finished"


def test_before_the_first_checkpoint_a_run_starts_again(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(load("seed=2", "training.epochs=1"), "first", tmp_path / "first")
    monkeypatch.chdir(first.parent)
    config = load(f"training.initial_weights=[{first.name}]")
    whole = train(config, "small", tmp_path / "whole")
    run = cut_off(config, "small", tmp_path / "runs", save=1, after=False)
    with pytest.raises(ConfigError, match="seed: the run was begun with 1"):
        resume(run, load(f"training.initial_weights=[{first}]", "seed=3"))
    monkeypatch.chdir(tmp_path)
    resume(run, runs.read_config(run))
    assert_same(run, whole)


@pytest.mark.parametrize("stage", ["training", "validation"])
def test_a_request_to_stop_saves_a_checkpoint(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    config = load("training.steps_per_epoch=3")
    whole = train(config, "small", tmp_path / "whole")
    place = (epoch_log.Bar, "move_to") if stage == "training" else (epoch_log.Bar, "validating")
    real, calls = getattr(*place), iter(range(1000))

    def asking(*arguments: Any) -> None:
        real(*arguments)
        if next(calls) == 1:
            signal.raise_signal(signal.SIGTERM)
            time.sleep(0.5)

    with monkeypatch.context() as patch:
        patch.setattr(*place, asking)
        with pytest.raises(StoppedError, match=r"SIGTERM stopped .* --resume") as caught:
            train(config, "small", tmp_path / "runs")
    assert caught.value.signal == signal.SIGTERM
    [run] = (tmp_path / "runs").iterdir()
    assert runs.summaries(run.parent)[0].state == "interrupted"
    found = checkpoints.newest(run)
    assert found is not None
    expected = (0, 2) if stage == "training" else (1, 3)
    assert (len(found[1].history), found[1].step) == expected
    resume(run, runs.read_config(run))
    assert_same(run, whole)


@pytest.mark.parametrize(("epoch", "state"), [(1, "interrupted"), (2, "finished")])
def test_a_request_at_an_epochs_end_saves_nothing_twice_and_the_last_is_the_end(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int, state: str
) -> None:
    saved: list[int] = []
    real = checkpoints.save

    def save(*arguments: Any) -> Path:
        saved.append(len(arguments[2].history))
        path = real(*arguments)
        if len(saved) == epoch:
            signal.raise_signal(signal.SIGTERM)
            time.sleep(0.5)
        return path

    monkeypatch.setattr(checkpoints, "save", save)
    with (
        pytest.raises(StoppedError, match="after step 0 of epoch 2")
        if state == "interrupted"
        else nullcontext()
    ):
        train(load(), "small", tmp_path / "runs")
    assert saved == list(range(1, epoch + 1))
    assert runs.summaries(tmp_path / "runs")[0].state == state


def test_minutes_too_are_a_reason_for_a_checkpoint(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    real = checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *a: (saved.append(a[2].step), real(*a))[1])
    config = load("training.epochs=1", "training.steps_per_epoch=4")
    train(config, "small", tmp_path / "runs")
    assert saved == [0]
    config = load(
        "training.epochs=1", "training.steps_per_epoch=4", "training.checkpoint_every.minutes=1e-9"
    )
    train(config, "small", tmp_path / "runs")
    assert saved == [0, 1, 2, 3, 4, 0]


@pytest.mark.parametrize(
    ("sides", "overrides", "compiled"),
    [
        ((48, 48), [], {"training": True, "validation": True}),
        ((48, 56), ["validation.batch_size=1"], {"training": True, "validation": False}),
        (
            (48, 56),
            ["training.batch_size=1", "training.patch_size=null", "validation.patch_size=32"],
            {"training": False, "validation": True},
        ),
        (
            (48, 56),
            [
                "training.epochs=2",
                "training.later_patch_sizes=[{epoch: 2, patch_size: 48}]",
                "validation.patch_size=32",
            ],
            {"training": True, "validation": True},
        ),
        (
            (48, 56),
            ["validation.batch_size=1", "training.xla=on"],
            {"training": True, "validation": True},
        ),
    ],
)
def test_xla_does_not_compile_for_each_size_of_picture(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sides, overrides, compiled
) -> None:
    for name, side in zip(("a1", "a2", "b1", "b2"), 2 * sides, strict=True):
        for folder in ("reference", "distorted"):
            (tmp_path / "photos" / folder).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (side, 48)).save(tmp_path / "photos" / folder / f"{name}.png")
    splits = "{train: ['a*'], val: ['b*']}"
    data = f"data={{name: image_folder, root: {tmp_path}/photos, splits: {splits}}}"
    # As on a GPU.
    monkeypatch.setattr(device, "jit_compile", lambda *_: True)
    found = {}

    def noted(name: str) -> Any:
        real = getattr(steps, name)

        def made(*arguments: Any, jit_compile: bool, **options: Any) -> steps.Step:
            found[name] = jit_compile
            return real(*arguments, jit_compile=False, **options)

        return made

    for name in ("training", "validation"):
        monkeypatch.setattr(steps, name, noted(name))
    config = load(data, "training.epochs=1", "training.steps_per_epoch=1", *overrides)
    train(config, "small", tmp_path / "runs")
    assert found == compiled


@pytest.mark.parametrize(
    ("name", "advice"),
    [("training", "gradient_accumulation_steps"), ("validation", "validation.batch_size=1")],
)
def test_what_to_do_where_the_memory_does_not_suffice(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, advice: str
) -> None:
    def exhausted(_: Any) -> steps.Logs:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(steps, name, lambda *_, **__: exhausted)
    with pytest.raises(TidenhanceError, match=rf"^The memory does not suffice.*{advice}"):
        train(load(), "small", tmp_path / "runs")


def test_a_metric_that_is_not_finite_is_told(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = steps.training
    infinite = {"psnr": tf.constant(-np.inf)}
    monkeypatch.setattr(
        steps, "training", lambda *a, **o: lambda batch: real(*a, **o)(batch) | infinite
    )
    run = train(load("training.epochs=1"), "small", tmp_path / "runs")
    assert "WARNING: psnr of epoch 1 is -inf." in caplog.text
    monkeypatch.undo()
    assert runs.read_history(resume(run, load()))[0]["psnr"] == -np.inf


def test_the_batch_of_a_loss_that_is_not_finite_is_named(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load("training.steps_per_epoch=5", "training.batch_size=1")
    fed = feed.of(config)
    real, calls = steps.training, iter(range(100))

    def poisoned(*arguments: Any, **options: Any) -> steps.Step:
        step = real(*arguments, **options)
        return lambda batch: step(batch) | ({"loss": np.nan} if next(calls) == 6 else {})

    monkeypatch.setattr(steps, "training", poisoned)
    with pytest.raises(TidenhanceError, match="loss became nan at step 2 of epoch 2") as caught:
        train(config, "small", tmp_path / "runs")
    _, [index] = pipeline.batch(6, pairs=4, batch_size=1, seed=1)
    assert str(fed.pairs["train"][index].distorted) in str(caught.value)
    assert str(caught.value).count(".bmp") == 1
    [run] = (tmp_path / "runs").iterdir()
    found = checkpoints.newest(run)
    assert found is not None
    assert (len(found[1].history), found[1].step) == (1, 0)
    # Of several steps at once it cannot be told which.
    poison = {"loss": tf.constant(np.nan)}
    monkeypatch.setattr(
        steps, "training", lambda *a, **o: lambda batch: real(*a, **o)(batch) | poison
    )
    with pytest.raises(
        TidenhanceError, match="loss became nan at step 1 to 2 of epoch 1"
    ) as caught:
        train(
            load(
                "training.steps_per_epoch=4",
                "training.batch_size=1",
                "training.steps_per_execution=2",
            ),
            "small",
            tmp_path / "several",
        )
    indices = [pipeline.batch(n, pairs=4, batch_size=1, seed=1)[1][0] for n in (0, 1)]
    for index in indices:
        assert str(fed.pairs["train"][index].distorted) in str(caught.value)
    assert str(caught.value).count(".bmp") == 2


def test_other_versions_are_warned_of(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(load(), "small", tmp_path / "runs")
    monkeypatch.setattr(keras, "__version__", "9.9")
    resume(run, runs.read_config(run))
    assert "going on with 9.9" in caplog.text
    assert "begun with device" not in caplog.text
    monkeypatch.setattr(workers, "available_cores", lambda: 99)
    resume(run, runs.read_config(run))
    assert "going on with CPU, 99 cores: the last digits may differ." in caplog.text


def test_a_full_disk_is_one_clear_error(
    load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load("training.epochs=3")
    whole = train(config, "small", tmp_path / "whole")
    real, full = tempfile.mkdtemp, []

    def filling(*arguments: Any, **options: Any) -> str:
        if len(list(tmp_path.glob("runs/*/checkpoints/epoch-*"))) == 2 and not full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)

    monkeypatch.setattr(tempfile, "mkdtemp", filling)
    with pytest.raises(WriteError, match="epoch-0003: cannot be written: No space left on device"):
        train(config, "small", tmp_path / "runs")
    [run] = (tmp_path / "runs").iterdir()
    assert len(runs.read_history(run)) == 2
    full.append(False)
    resume(run, runs.read_config(run))
    assert_same(run, whole)


DIGITS = {
    "seed": 1,
    "network": {"name": "linear_autoencoder", "units": [16, 4]},
    "data": {"name": "mnist_noise", "source": "digits"},
    "loss": {"name": "mse"},
    "metrics": ["psnr"],
    "training": {"epochs": 2, "batch_size": 32, "steps_per_epoch": 5, "learning_rate": 3e-3},
    "validation": {"batch_size": 72},
}


@pytest.fixture
def load_digits(tmp_path: Path):
    """Return what loads a config of digits in memory, with overrides."""

    def load(*overrides: str) -> Config:
        path = tmp_path / "digits.yaml"
        path.write_text(yaml.safe_dump(DIGITS))
        return configs.load(path, overrides, environment={})

    return load


@pytest.mark.usefixtures("drawn_and_exported")
def test_pictures_in_memory_train_a_network_of_one_size(
    load_digits, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_digits("training.steps_per_epoch=40")
    with caplog.at_level(logging.INFO, "tidenhance"):
        run = train(config, "digits", tmp_path / "runs")
    first, last = runs.read_history(run)
    assert {"val_loss", "psnr", "val_psnr"} <= set(first)
    assert last["val_loss"] < 0.9 * first["val_loss"]
    network = json.loads((run / runs.NETWORK).read_text())
    assert network["input_shape"] == [28, 28, 1]
    assert (network["width"], network["height"]) == (28, 28)
    assert forward_onnx.load(run).input_shape == (28, 28, 1)
    costs = [
        np.square(np.clip(pair.distorted.astype(float), 0, 1) - pair.reference / 255).mean()
        for pair in feed._pairs(config)["val"]
    ]
    [told] = re.findall(r"doing nothing: val_loss (\S+)", (run / runs.LOG).read_text())
    assert float(told) == pytest.approx(np.mean(costs), abs=1e-5)


def test_training_stops_where_the_config_says_and_goes_on_where_it_no_longer_does(
    load_digits, tmp_path: Path
) -> None:
    whole = train(load_digits(), "digits", tmp_path / "whole")
    reached = "training.stop_at={metric: loss, value: 10.0}"
    run = train(load_digits(reached, "training.epochs=9"), "digits", tmp_path / "runs")
    assert history(run) == history(whole)[:1]
    assert runs.summaries(run.parent)[0].state == "finished"
    resume(run, runs.read_config(run))
    assert history(run) == history(whole)[:1]
    resume(run, load_digits())
    assert_same(run, whole)


def test_a_training_in_memory_that_was_cut_off_comes_to_the_same_end(
    load_digits, tmp_path: Path
) -> None:
    config = load_digits("training.checkpoint_every.steps=2")
    whole = train(config, "digits", tmp_path / "whole")
    run = cut_off(config, "digits", tmp_path / "runs", save=1, after=True)
    resume(run, runs.read_config(run))
    assert_same(run, whole)


def test_pairs_in_memory_are_named_where_the_loss_is_not_finite(
    load_digits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = steps.training

    def poisoned(*arguments: Any, **options: Any) -> steps.Step:
        step = real(*arguments, **options)
        return lambda batch: step(batch) | {"loss": np.nan}

    monkeypatch.setattr(steps, "training", poisoned)
    config = load_digits("training.batch_size=2")
    with pytest.raises(TidenhanceError, match="loss became nan at step 1 of epoch 1") as caught:
        train(config, "digits", tmp_path / "runs")
    pairs = feed._pairs(config)["train"]
    _, indices = pipeline.batch(0, pairs=len(pairs), batch_size=2, seed=1)
    assert f", on {', '.join(pairs[index].name for index in indices)}. " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (
            ["network={name: plain_cnn, channels: [4]}"],
            DataError,
            r"data \(training\): expected .* any x any x 3, .* Received: 28 x 28 x 1\.",
        ),
        (
            ["training.patch_size=14"],
            DataError,
            r"data \(training\): expected .* 28 x 28 x 1, .* Received: 14 x 14 x 1\.",
        ),
        (
            ["validation.patch_size=14"],
            DataError,
            r"data \(validation\): expected .* 28 x 28 x 1, .* Received: 14 x 14 x 1\.",
        ),
        (["metrics=[psnr_y]"], ConfigError, r"metrics: .*psnr_y.* Received: 1\b"),
        (
            ["metrics=[ms_ssim]"],
            DataError,
            r"176 x 176 for metrics: ms_ssim\. .*: 28 x 28",
        ),
    ],
)
def test_networks_and_metrics_that_do_not_suit_the_digits(
    load_digits, tmp_path: Path, overrides: list[str], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        train(load_digits(*overrides), "digits", tmp_path / "runs")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("size", [[], ["training.patch_size=28", "validation.patch_size=28"]])
def test_colour_pictures_do_not_suit_a_network_of_grey_ones(
    load, tmp_path: Path, size: list[str]
) -> None:
    found = "28 x 28 x 3" if size else "32 x 32 x 3"
    with pytest.raises(DataError, match=rf"data \(training\): .* 28 x 28 x 1, .* {found}\."):
        train(load("network={name: linear_autoencoder}", *size), "small", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_pairs_made_meanwhile_train_and_go_on_bit_for_bit(
    load, tmp_path: Path, photographs: Path
) -> None:
    """With all that the recipe has: AdamW, clipping, averages, warm-up."""
    synthesis = f"{{photographs: {photographs}, types: [1, 16], levels: [0, 5], window: 4}}"
    recipe = [
        f"training.synthesis={synthesis}",
        "training.epochs=3",
        "training.steps_per_epoch=4",
        "training.checkpoint_every.steps=2",
        "training.learning_rate_schedule.cosine_decay.warm_up_epochs=1",
        "training.optimizer={weight_decay: 1e-4, gradient_clip_norm: 1.0,"
        " exponential_moving_average: 0.5}",
    ]
    whole = train(load(*recipe), "made", tmp_path / "whole")
    cut = Path(shutil.copytree(whole, tmp_path / "cut"))
    for path in (cut / runs.CHECKPOINTS).iterdir():
        if path.name != "epoch-0002":
            shutil.rmtree(path)
    resume(cut, configs.load(cut / runs.CONFIG))
    one, two = (checkpoints.path_of(run, 3) for run in (whole, cut))
    for name in (checkpoints.WEIGHTS, checkpoints.AVERAGES, checkpoints.STATE):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    best = min(runs.read_history(whole), key=lambda row: row["val_loss"])
    averages = checkpoints.path_of(whole, int(best["epoch"])) / checkpoints.AVERAGES
    assert (whole / runs.BEST_WEIGHTS).read_bytes() == averages.read_bytes()


def test_the_worst_types_are_the_most_likely(load, tmp_path: Path, photographs: Path) -> None:
    scores = tmp_path / "scores.json"
    mse = {"1": 0.01, "5": 0.03, "16": 1e-9}
    scores.write_text(json.dumps({"per_type": {n: {"mse": value} for n, value in mse.items()}}))
    synthesis = f"{{photographs: {photographs}, types: [1, 5, 5, 16], types_by_mse: {scores}}}"
    config = load(f"training.synthesis={synthesis}", "training.steps_per_epoch=1")
    assert config.training.synthesis.probabilities == pytest.approx(
        [1 / 7, 3 / 7, 3 / 7, 0], abs=1e-7
    )
    with closing(feed.of(config)) as fed:
        names = [name for number in range(40) for name in fed.names(number)]
    assert len(names) == 80
    assert not any("(type 16," in name for name in names)
    # Kept with the config, whatever becomes of the file.
    scores.unlink()
    dumped = tmp_path / "dumped.yaml"
    dumped.write_text(configs.dump(config))
    assert configs.load(dumped, environment={}) == config


@pytest.mark.parametrize(
    ("scores", "problem"),
    [
        ('{"per_type": {"1": {"mse": 0.1}}}', "above 0 for each of types: 16 has 0"),
        ('{"per_type": {"1": {"mse": 1e999}}}', r"types_by_mse\.0: expected a number"),
        ('{"per_type": {"16": {"mse": [0.1]}}}', r"types_by_mse\.15: expected a number"),
        (
            '{"per_type": {"16": {}}}',
            r"types_by_mse: expected scores .* Received: '.*scores\.json'",
        ),
        ('{"per_type": 5}', "expected scores that tidenhance eval wrote: there are none in it"),
        ("[" * 100_000, "expected scores that tidenhance eval wrote: there are none in it"),
        (None, "expected scores that tidenhance eval wrote: No such file or directory"),
    ],
)
def test_other_files_than_scores_are_refused(
    load, tmp_path: Path, monkeypatch, scores: str | None, problem: str
) -> None:
    # Of a long path the message would show the beginning only.
    monkeypatch.chdir(tmp_path)
    if scores is not None:
        Path("scores.json").write_text(scores)
    synthesis = "{photographs: x, types: [1, 16], types_by_mse: scores.json}"
    with pytest.raises(ConfigError, match=problem):
        load(f"training.synthesis={synthesis}", "training.steps_per_epoch=1")


def test_synthesis_needs_an_end_of_the_epoch(load, photographs: Path) -> None:
    with pytest.raises(ConfigError, match=r"steps_per_epoch: expected a number, since"):
        load(f"training.synthesis={{photographs: {photographs}}}")


def test_a_loss_that_is_not_finite_names_the_photographs(load, photographs: Path) -> None:
    synthesis = f"{{photographs: {photographs}, types: [1], window: 2}}"
    config = load(f"training.synthesis={synthesis}", "training.steps_per_epoch=1")
    fed = feed.of(config)
    for name in fed.names(0):
        assert name.startswith(f"{photographs / 'astronaut.png'} (type 1, level ")
    assert fed.pictures == 2


@pytest.mark.parametrize("margin", [0, 7])
def test_photographs_are_none_that_is_validated_on(
    load, small_tree: Path, tmp_path: Path, monkeypatch, margin: int
) -> None:
    """Nor one that a reference is cut from, as `data synth` does."""
    monkeypatch.setattr(stream, "WIDTH", 48)
    monkeypatch.setattr(stream, "HEIGHT", 48)
    folder = tmp_path / "photographs"
    folder.mkdir()
    config = load(f"training.synthesis={{photographs: {folder}}}", "training.steps_per_epoch=1")
    for number, name in ((1, "trained on"), (3, "validated on")):
        pixels = images.read_rgb(small_tree / "reference_images" / f"I{number:02d}.BMP")
        # The odd pixel lies at the far side.
        pixels = np.pad(pixels, [*[(margin, margin + margin % 2)] * 2, (0, 0)])
        images.write_rgb(folder / f"{name}.png", pixels)
        if number == 1:
            assert [pair.name for pair in feed._pairs(config)["train"]] == ["trained on.png"]
    with pytest.raises(DataError, match=r"validated or tested on.*validated on\.png.*I03\.BMP"):
        feed._pairs(config)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "training.optimizer.exponential_moving_average=0.9",
            "exponential_moving_average: expected null for conv",
        ),
        (
            "training.gradient_accumulation_steps=2",
            "gradient_accumulation_steps: expected 1 for conv.* Received: 2",
        ),
    ],
)
def test_what_batch_norm_does_not_go_with_is_refused(
    override: str, message: str, load, tmp_path: Path
) -> None:
    overrides = [
        "network={name: conv_autoencoder}",
        "data={name: mnist_noise, source: digits}",
        "training.patch_size=null",
        override,
    ]
    with pytest.raises(ConfigError, match=message):
        train(load(*overrides, "data.root=null"), "averages", tmp_path)
    assert not list(tmp_path.glob("averages*"))


def test_patches_grow_when_their_epoch_comes(load, tmp_path: Path) -> None:
    config = load(
        "training.later_patch_sizes=[{epoch: 2, patch_size: 40}, {epoch: 3, patch_size: 48}]",
        "training.epochs=3",
    )
    fed = feed.of(config)
    sides = [batch[0].shape[1:3] for batch in fed.training(0).take(3 * fed.steps)]
    assert sides == [(32, 32)] * fed.steps + [(40, 40)] * fed.steps + [(48, 48)] * fed.steps
    [resumed] = fed.training(2 * fed.steps).take(1)
    assert resumed[0].shape[1:3] == (48, 48)
    assert len(runs.read_history(train(config, "grows", tmp_path))) == 3


def test_growing_patches_go_on_bit_for_bit(load, tmp_path: Path) -> None:
    """Averages over 48 x 48 are rounded, unlike those over 32 x 32, and as their graph does it."""
    config = load(
        "network={name: nafnet, width: 4}",
        "validation.patch_size=32",
        "training.later_patch_sizes=[{epoch: 2, patch_size: 48}]",
    )
    whole = train(config, "grows", tmp_path / "whole")
    run = cut_off(config, "grows", tmp_path / "cut", save=1, after=True)
    resume(run, config)
    assert_same(run, whole)
