"""Checkpoints hold all that a training goes on from, and are told from damaged ones."""

from __future__ import annotations

import dataclasses
import math
import subprocess
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tidenhance import checkpoints, files, runs, weights
from tidenhance.checkpoints import Progress
from tidenhance.errors import RunError, TidenhanceError, WriteError

X = np.random.default_rng(0).random((4, 8, 8, 3), np.float32)


def network(**optimiser: Any) -> keras.Model:
    """A compiled network that draws random numbers and remembers averages."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    model = keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same", dtype="float32")(x))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-2, **optimiser),
        loss="mse",
        metrics=["mae"],
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    model.compute_metrics(X, X, X)
    model.reset_metrics()
    return model


def train(model: keras.Model, steps: int) -> None:
    for _ in range(steps):
        model.train_step((X, X))


def state(model: keras.Model) -> list[np.ndarray]:
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def progress(*val_losses: float, step: int = 0) -> Progress:
    rows = [{"epoch": n + 1, "loss": 0.1, "val_loss": x} for n, x in enumerate(val_losses)]
    return Progress(config={"seed": 1}, pairs="abc", history=rows, step=step)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / runs.CHECKPOINTS).mkdir()
    return tmp_path


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / runs.CHECKPOINTS).iterdir())


@pytest.mark.parametrize(
    "optimiser", [{}, {"use_ema": True}, {"gradient_accumulation_steps": 3}, {"amsgrad": True}]
)
def test_training_goes_on_as_if_nothing_had_been(run: Path, optimiser: dict[str, Any]) -> None:
    first = network(**optimiser)
    train(first, 4)
    saved = progress(0.5, step=4)
    path = checkpoints.save(run, first, saved)
    expected = state(first)
    train(first, 3)

    second = network(**optimiser)
    train(second, 1)
    assert checkpoints.newest(run) == (path, saved)
    checkpoints.restore(second, path)
    for a, b in zip(state(second), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    train(second, 3)
    for a, b in zip(state(second), state(first), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_metric_that_was_infinite_is_remembered(run: Path) -> None:
    history = [{"epoch": 1, "loss": 3e18, "mse": math.inf, "psnr": -math.inf, "val_loss": 0.1}]
    saved = Progress(config={"seed": 1}, pairs="abc", history=history)
    path = checkpoints.save(run, network(), saved)
    assert checkpoints.newest(run) == (path, saved)


def test_the_loss_scale_is_remembered(run: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        first, second = network(), network()
    finally:
        keras.config.set_dtype_policy("float32")
    train(first, 3)
    first.optimizer.dynamic_scale.assign(64.0)
    checkpoints.restore(second, checkpoints.save(run, first, progress(0.5)))
    assert float(second.optimizer.dynamic_scale.numpy()) == 64.0
    assert int(second.optimizer.inner_optimizer.iterations.numpy()) == int(
        first.optimizer.inner_optimizer.iterations.numpy()
    )


def test_sha256sum_checks_a_checkpoint(run: Path) -> None:
    path = checkpoints.save(run, network(), progress(0.5))
    command = ["sha256sum", "--check", "--strict", checkpoints.CHECKSUMS]
    found = subprocess.run(command, cwd=path, capture_output=True, text=True, check=True)
    assert found.stdout.count(": OK") == 3


def test_the_last_two_and_the_best_are_kept(run: Path) -> None:
    model = network()
    losses = [0.5, 0.2, 0.4, 0.3, 0.35]
    for epochs in range(1, 6):
        checkpoints.save(run, model, progress(*losses[:epochs]))
    assert names(run) == ["epoch-0002", "epoch-0004", "epoch-0005"]
    ends = names(run)
    for step in (7, 8):
        checkpoints.save(run, model, progress(*losses, step=step))
        assert names(run) == [*ends, f"epoch-0005-step-{step:06d}"]
        found = checkpoints.newest(run)
        assert found is not None
        assert found[1] == progress(*losses, step=step)
    checkpoints.save(run, model, progress(*losses, 0.6))
    assert names(run) == ["epoch-0002", "epoch-0005", "epoch-0006"]


def test_without_checkpoints_there_is_none(tmp_path: Path) -> None:
    assert checkpoints.newest(tmp_path) is None


@pytest.mark.parametrize("name", [*checkpoints.FILES, checkpoints.CHECKSUMS])
@pytest.mark.parametrize("how", ["changed", "cut", "emptied", "removed", "folder"])
def test_a_damaged_one_is_named_and_passed_over(
    run: Path, name: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    model = network()
    older = checkpoints.save(run, model, progress(0.5))
    newer = checkpoints.save(run, model, progress(0.5, 0.4))
    file = newer / name
    content = file.read_bytes()
    file.unlink()
    if how == "changed":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif how in ("cut", "emptied"):
        file.write_bytes(content[: -1 if how == "cut" else 0])
    elif how == "folder":
        file.mkdir()
    found = checkpoints.newest(run)
    assert found is not None
    assert found[0] == older
    assert "epoch-0002" in caplog.text
    assert "damaged" in caplog.text

    # Training goes on from the older one; then the damaged one is in nobody's way.
    caplog.clear()
    checkpoints.save(run, model, progress(0.5, step=3))
    assert names(run) == ["epoch-0001", "epoch-0001-step-000003"]
    checkpoints.save(run, model, progress(0.5, 0.4))
    assert checkpoints.newest(run) == (newer, progress(0.5, 0.4))
    assert not caplog.records


def test_if_all_are_damaged_nothing_is_guessed(run: Path) -> None:
    for losses in ([0.5], [0.5, 0.4]):
        path = checkpoints.save(run, network(), progress(*losses))
        (path / checkpoints.WEIGHTS).write_bytes(b"")
    with pytest.raises(RunError, match=r"all checkpoints are damaged \(epoch-0002, epoch-0001\)"):
        checkpoints.newest(run)


def with_right_checksums(path: Path) -> None:
    sums = [f"{files.sha256(path / name)}  {name}\n" for name in checkpoints.FILES]
    (path / checkpoints.CHECKSUMS).write_text("".join(sums))


@pytest.mark.parametrize(
    "text", ["{}", "[]", "5", '{"config": 1, "pairs": "", "history": 5}', "{" * 100_000]
)
def test_a_strangers_progress_with_right_checksums_is_one_clear_error(run: Path, text: str) -> None:
    path = checkpoints.save(run, network(), progress(0.5))
    (path / checkpoints.PROGRESS).write_text(text)
    with_right_checksums(path)
    with pytest.raises(RunError, match="all checkpoints are damaged"):
        checkpoints.newest(run)


def test_a_strangers_state_is_refused_before_it_is_read(run: Path) -> None:
    path = checkpoints.save(run, network(), progress(0.5))
    with h5py.File(path / checkpoints.STATE, "r+") as file:
        del file["0"]
        file.create_dataset("0", (2**19, 2**19), "f4", chunks=(1024, 1024), compression="gzip")
    with pytest.raises(RunError, match=r"state\.h5: not the state of this training: .*shape"):
        checkpoints.restore(network(), path)


def test_another_optimisers_state_is_refused(run: Path) -> None:
    path = checkpoints.save(run, network(), progress(0.5))
    with pytest.raises(RunError, match=r"state\.h5: not the state of this training"):
        checkpoints.restore(network(amsgrad=True), path)


def test_weights_that_are_not_finite_are_never_saved(run: Path) -> None:
    model = network()
    checkpoints.save(run, model, progress(0.5))
    model.layers[1].kernel.assign(np.full(model.layers[1].kernel.shape, np.nan))
    with pytest.raises(TidenhanceError, match=r"conv2d\w*/kernel are no longer finite"):
        checkpoints.save(run, model, progress(0.5, 0.4))
    assert names(run) == ["epoch-0001"]


@pytest.mark.parametrize("name", checkpoints.FILES)
def test_a_failed_save_leaves_the_others(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    checkpoints.save(run, network(), progress(0.5))
    before = dataclasses.asdict(progress(0.5))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    place = {
        checkpoints.WEIGHTS: "tidenhance.weights.write",
        checkpoints.STATE: "tidenhance.checkpoints._write_state",
        checkpoints.PROGRESS: "pathlib.Path.write_text",
    }
    with monkeypatch.context() as patch:
        patch.setattr(place[name], fail)
        with pytest.raises(WriteError, match="epoch-0002: cannot be written: No space left"):
            checkpoints.save(run, network(), progress(0.5, 0.4))
    assert names(run) == ["epoch-0001"]
    found = checkpoints.newest(run)
    assert found is not None
    assert dataclasses.asdict(found[1]) == before


def test_averages_are_saved_beside_the_weights_and_are_what_was_validated(run: Path) -> None:
    model = network(use_ema=True, ema_momentum=0.5)
    train(model, 3)
    weights_before = state(model)
    path = checkpoints.save(run, model, progress(0.5))
    for before, after in zip(weights_before, state(model), strict=True):
        np.testing.assert_array_equal(before, after)
    validated = checkpoints.validated_weights(path)
    assert validated.name == checkpoints.AVERAGES
    other = network()
    weights.load(other, validated)
    averages = model.optimizer._model_variables_moving_average
    for variable, average in zip(other.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, average)
    within = checkpoints.save(run, model, progress(0.5, step=1))
    assert not (within / checkpoints.AVERAGES).exists()
    validated.write_bytes(validated.read_bytes()[:-1])
    found, _ = checkpoints.newest(run)
    assert found == within
    within.joinpath(checkpoints.WEIGHTS).unlink()
    with pytest.raises(RunError, match="damaged"):
        checkpoints.newest(run)


def test_without_averages_the_weights_are_what_was_validated(run: Path) -> None:
    path = checkpoints.save(run, network(), progress(0.5))
    assert checkpoints.validated_weights(path) == path / checkpoints.WEIGHTS
