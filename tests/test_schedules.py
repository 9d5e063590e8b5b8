"""Learning rate and early stop against Keras' own callbacks, which see the same val_loss."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidenhance import schedules
from tidenhance.config import Training

# TensorFlow's threads take subnormal numbers for zero.
VAL_LOSSES = st.lists(st.floats(0, 1, width=32, allow_subnormal=False), min_size=1, max_size=30)


def history(val_losses: list[float]) -> list[dict[str, float]]:
    return [{"val_loss": val_loss} for val_loss in val_losses]


def training(**options: Any) -> Training:
    return Training.model_validate(
        {"epochs": 1000, "batch_size": 1, "learning_rate": 1e-3, **options}
    )


def kerass(callback: keras.callbacks.Callback, val_losses: list[float]) -> tuple[float, bool]:
    """Return the learning rate after Keras' callback has seen the losses, and whether it stops."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(1e-3), loss="mse")
    model.stop_training = False
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, val_loss in enumerate(val_losses):
        callback.on_epoch_end(epoch, {"val_loss": val_loss})
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)), model.stop_training


@settings(max_examples=60, deadline=None)
@given(VAL_LOSSES, st.integers(1, 4), st.sampled_from([0.0, 1e-4, 5e-4]))
def test_the_rate_on_a_plateau_is_that_of_keras(
    val_losses: list[float], patience: int, minimum: float
) -> None:
    plateau = {"factor": 0.5, "patience": patience, "minimum": minimum}
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=0.5, patience=patience, min_lr=minimum, min_delta=0
    )
    options = training(learning_rate_schedule={"reduce_on_plateau": plateau})
    expected, _ = kerass(callback, val_losses)
    assert schedules.of_epoch(options, val_losses) == pytest.approx(expected, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(VAL_LOSSES, st.integers(1, 4))
def test_the_stop_is_that_of_keras(val_losses: list[float], patience: int) -> None:
    options = training(early_stopping={"patience": patience})
    for epochs in range(1, len(val_losses) + 1):
        callback = keras.callbacks.EarlyStopping("val_loss", patience=patience)
        _, stops = kerass(callback, val_losses[:epochs])
        assert schedules.is_over(options, history(val_losses[:epochs])) == stops
        if stops:
            break


def test_cosine_decay_by_hand() -> None:
    options = training(epochs=2, learning_rate_schedule={"cosine_decay": {"minimum": 1e-4}})
    found = schedules.of_step(options, 50)
    for step in range(100):
        by_hand = 1e-4 + 9e-4 * (1 + np.cos(np.pi * step / 100)) / 2
        assert float(found(step)) == pytest.approx(by_hand, rel=1e-5)


def test_warm_up_by_hand() -> None:
    """Three steps up, all alike, then three down."""
    schedule = {"cosine_decay": {"warm_up_epochs": 1}}
    options = training(epochs=2, learning_rate=4e-3, learning_rate_schedule=schedule)
    found = schedules.of_step(options, 3)
    down = [4e-3 * (1 + np.cos(np.pi * n / 3)) / 2 for n in range(3)]
    for step, by_hand in enumerate([1e-3, 2e-3, 3e-3, *down]):
        assert float(found(step)) == pytest.approx(by_hand, rel=1e-5)


def test_without_a_schedule_the_rate_stays_and_the_epochs_end() -> None:
    options = training(epochs=3)
    assert schedules.of_step(options, 5) is None
    assert schedules.of_epoch(options, [1.0, 2.0]) == 1e-3
    assert [schedules.is_over(options, history([1.0] * epochs)) for epochs in (0, 2, 3)] == [
        *(False, False, True)
    ]


@pytest.mark.parametrize(
    ("metric", "value", "figures", "ends_after"),
    [
        ("loss", 0.3, [0.5, 0.4, 0.3, 0.2], 3),
        ("val_loss", 0.3, [0.5, 0.4, 0.35], None),
        ("psnr", 25.0, [20.0, 25.5, 24.0], 2),
        ("val_mae", 0.1, [0.2, 0.1], 2),
    ],
)
def test_training_stops_after_the_epoch_that_reaches_a_figure(
    metric: str, value: float, figures: list[float], ends_after: int | None
) -> None:
    options = training(stop_at={"metric": metric, "value": value})
    epochs = [{"val_loss": 1.0, metric: figure} for figure in figures]
    over = [schedules.is_over(options, epochs[:count]) for count in range(len(epochs) + 1)]
    first = over.index(True) if True in over else None
    assert first == ends_after


@pytest.mark.parametrize(
    ("val_losses", "best"), [([], -1), ([0.3], 0), ([0.3, 0.1, 0.2], 1), ([0.2, 0.1, 0.1], 1)]
)
def test_the_best_epoch(val_losses: list[float], best: int) -> None:
    assert schedules.best_epoch(val_losses) == best
