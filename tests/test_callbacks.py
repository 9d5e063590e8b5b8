"""The callbacks, on a tiny network fitted for real."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

from tidenhance import callbacks, runs
from tidenhance.errors import TidenhanceError
from tidenhance.networks import plain_cnn

X = np.random.default_rng(0).random((4, 6, 6, 3), np.float32)
IDENTITY = {"val_loss": 0.1}


def fitted(epochs: int, *some: keras.callbacks.Callback, rate: float = 1e-3) -> keras.Model:
    keras.utils.set_random_seed(1)
    network = plain_cnn.build(channels=[4])
    network.compile(optimizer=keras.optimizers.Adam(rate), loss="mse", jit_compile=False)
    network.fit(
        X, X, batch_size=2, epochs=epochs, validation_data=(X, X), verbose=0, callbacks=list(some)
    )
    return network


def test_history_and_both_weights_are_written_each_epoch(tmp_path: Path) -> None:
    network = fitted(2, callbacks.EpochTimes(4), callbacks.RunFiles(tmp_path, IDENTITY))
    history = runs.read_history(tmp_path)
    assert [row["epoch"] for row in history] == [1, 2]
    assert list(history[0]) == [
        *("epoch", "loss", "val_loss", "learning_rate", "seconds", "images_per_second")
    ]
    assert all(row["learning_rate"] == pytest.approx(1e-3) for row in history)
    assert all(row["images_per_second"] > 4 / row["seconds"] for row in history)
    assert {p.name for p in tmp_path.iterdir()} == {
        *(runs.HISTORY, runs.CURVES, runs.BEST_WEIGHTS, runs.LAST_WEIGHTS)
    }
    last = plain_cnn.build(channels=[4])
    last.load_weights(tmp_path / runs.LAST_WEIGHTS)
    np.testing.assert_array_equal(last.get_weights()[0], network.get_weights()[0])


def test_the_best_weights_are_those_of_the_lowest_val_loss(tmp_path: Path) -> None:
    files = callbacks.RunFiles(tmp_path, IDENTITY)
    network = plain_cnn.build(channels=[4])
    files.set_model(network)
    for epoch, val_loss in enumerate([0.3, 0.1, 0.2]):
        network.layers[1].bias.assign([float(epoch)] * 4)
        files.on_epoch_end(epoch, {"loss": 0.5, "val_loss": val_loss})
    network.load_weights(tmp_path / runs.BEST_WEIGHTS)
    np.testing.assert_array_equal(network.layers[1].bias.numpy(), [1] * 4)


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path: Path) -> None:
    with pytest.raises(TidenhanceError, match=r"loss became (inf|nan) at step"):
        fitted(50, callbacks.StopWhenNotFinite(), callbacks.RunFiles(tmp_path, IDENTITY), rate=1e30)
    saved = list(tmp_path.glob("*.h5"))
    network = plain_cnn.build(channels=[4])
    for path in saved:
        network.load_weights(path)
        assert all(np.isfinite(weight).all() for weight in network.get_weights())


def report(*, terminal: bool) -> tuple[io.StringIO, callbacks.Report]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120)
    return stream, callbacks.Report(console, steps_per_epoch=2)


def test_without_a_terminal_there_is_one_line_an_epoch(caplog: pytest.LogCaptureFixture) -> None:
    stream, shown = report(terminal=False)
    with caplog.at_level(logging.INFO, "tidenhance"):
        fitted(2, shown)
    shown.close()
    assert stream.getvalue().strip() == ""
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "epoch 1/2",
        "epoch 2/2",
    ]
    assert "val_loss 0." in caplog.text


def test_on_a_terminal_there_is_a_bar_with_the_time_left() -> None:
    stream, shown = report(terminal=True)
    fitted(2, shown)
    shown.close()
    assert "epoch 2/2" in stream.getvalue()
    assert "4/4" in stream.getvalue()
    assert "loss 0." in stream.getvalue()
    assert "0:00:0" in stream.getvalue()


def network_with_dead(channels: list[int]) -> keras.Model:
    network = plain_cnn.build(channels=[4])
    bias = np.full(3, 5.0, np.float32)
    bias[channels] = -100
    network.layers[-1].bias.assign(bias)
    return network


@pytest.mark.parametrize(("dead", "names"), [([], []), ([1], ["green"]), ([0, 2], ["red", "blue"])])
def test_dead_output_channels_are_named(dead: list[int], names: list[str]) -> None:
    validation = tf.data.Dataset.from_tensor_slices((X, X)).batch(2)
    assert callbacks.dead_channels(network_with_dead(dead), validation) == names


def test_the_warning_names_the_channel_and_the_seed(caplog: pytest.LogCaptureFixture) -> None:
    warn = callbacks.WarnOfDeadChannels(tf.data.Dataset.from_tensor_slices((X, X)).batch(2), 77)
    warn.set_model(network_with_dead([2]))
    warn.on_epoch_end(1)
    assert not caplog.records
    warn.on_epoch_end(0)
    assert "the blue channel" in caplog.text
    assert "seed=77" in caplog.text
