"""What happens while a network trains: history, curves, weights, progress, warnings."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidenhance import curves, runs, weights
from tidenhance.errors import TidenhanceError

logger = logging.getLogger(__name__)

Logs = dict[str, Any]


class StopWhenNotFinite(keras.callbacks.Callback):
    """Stop with an error as soon as the loss is not a finite number."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Look at the loss after each step."""
        if not math.isfinite(logs["loss"]):
            raise TidenhanceError(
                f"The loss became {logs['loss']} at step {batch + 1} of the epoch. Try a lower"
                " training.learning_rate, or training.precision=float32. The weights saved after"
                " the epochs before are kept."
            )


class EpochTimes(keras.callbacks.Callback):
    """Add the learning rate, seconds and pictures a second to each epoch's logs.

    Seconds are those of training and validation; pictures a second are of training alone.
    """

    def __init__(self, pictures_per_epoch: int) -> None:
        super().__init__()
        self._pictures = pictures_per_epoch

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Start the clock."""
        self._start = time.perf_counter()
        self._trained = math.nan

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Note when training ended and validation began."""
        self._trained = time.perf_counter() - self._start

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Add to the logs, which the callbacks after this one receive."""
        logs["learning_rate"] = float(
            keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        )
        logs["seconds"] = time.perf_counter() - self._start
        logs["images_per_second"] = self._pictures / self._trained


class RunFiles(keras.callbacks.Callback):
    """After each epoch write history, curves, and the last and best weights (lowest val_loss)."""

    def __init__(self, run: Path, identity: dict[str, float]) -> None:
        super().__init__()
        self._run = run
        self._identity = identity
        self._history: list[dict[str, float]] = []

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write everything that the epoch changed."""
        best = min((row["val_loss"] for row in self._history), default=math.inf)
        self._history.append({"epoch": epoch + 1, **{k: float(v) for k, v in logs.items()}})
        weights.save(self.model, self._run / runs.LAST_WEIGHTS)
        if logs["val_loss"] < best:
            weights.save(self.model, self._run / runs.BEST_WEIGHTS)
        runs.write_history(self._run, self._history)
        curves.draw(self._run / runs.CURVES, self._history, self._identity)


class Report(keras.callbacks.Callback):
    """Log a line an epoch and, on a terminal, show a progress bar with the time left."""

    def __init__(self, console: Console, steps_per_epoch: int) -> None:
        super().__init__()
        self._console = console
        self._steps = steps_per_epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Show the bar."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        total = self.params["epochs"] * self._steps
        self._task = self._progress.add_task("", total=total, figures="")
        self._progress.start()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Name the epoch."""
        self._epoch = f"epoch {epoch + 1}/{self.params['epochs']}"
        self._progress.update(
            self._task, description=self._epoch, completed=epoch * self._steps, refresh=True
        )

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Move on by a step."""
        shown = {name: value for name, value in logs.items() if name in ("loss", "psnr")}
        self._progress.update(self._task, advance=1, figures=figures(shown))

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Say that validation has begun."""
        self._progress.update(self._task, description=f"{self._epoch}, validating")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Log the epoch's figures."""
        logger.info("%s: %s", self._epoch, figures(logs))

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Take the bar away, also where training ended with an error."""
        if hasattr(self, "_progress"):
            self._progress.stop()


class WarnOfDeadChannels(keras.callbacks.Callback):
    """After the first epoch, warn of an output channel that is zero on all validation pixels."""

    def __init__(self, validation: tf.data.Dataset, seed: int) -> None:
        super().__init__()
        self._validation = validation
        self._seed = seed

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Look for such channels; as a rule the first batch shows that there are none."""
        if epoch == 0:
            for channel in dead_channels(self.model, self._validation):
                logger.warning(
                    "WARNING: the %s channel of the output is zero on all validation pixels and"
                    " will stay so: the last relu started dead. Train with another seed"
                    " (seed=%d here).",
                    channel,
                    self._seed,
                )


class ValidationImages(keras.callbacks.Callback):
    """Show the first validation batch to TensorBoard: distorted, restored and reference."""

    def __init__(self, folder: Path, validation: tf.data.Dataset) -> None:
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(folder))
        self._distorted, self._reference = next(iter(validation))

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Restore the batch, and write it with its pictures side by side."""
        restored = np.clip(self.model.predict_on_batch(self._distorted), 0, 1)
        beside = np.concatenate([self._distorted, restored, self._reference], axis=2)
        with self._writer.as_default(step=epoch):
            tf.summary.image("distorted, restored, reference", beside, max_outputs=len(beside))

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Write what is left."""
        self._writer.close()


def dead_channels(network: keras.Model, validation: tf.data.Dataset) -> list[str]:
    """Return the names of the output channels that are zero on every pixel of every batch.

    Args:
        network: from (B, H, W, 3) to (B, H, W, 3).
        validation: batches of (distorted, reference).
    """
    alive = np.zeros(3, bool)
    for distorted, _ in validation:
        alive |= np.any(network.predict_on_batch(distorted), axis=(0, 1, 2))
        if alive.all():
            break
    return [name for name, lives in zip(("red", "green", "blue"), alive, strict=True) if not lives]


def figures(logs: Logs) -> str:
    """Return losses, metrics and times in one line."""
    formats = {"psnr": ".2f", "learning_rate": ".3g", "seconds": ".1f", "images_per_second": ".2f"}
    shown = {
        name: format(float(value), formats.get(name.removeprefix("val_"), ".5f"))
        for name, value in logs.items()
    }
    return "  ".join(f"{name} {value}" for name, value in shown.items())
