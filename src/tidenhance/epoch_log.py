"""What a training tells while it runs: a line an epoch, a bar, figures and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tidenhance import forward_tensorflow


class Bar:
    """A progress bar over the steps of all epochs; nothing where there is no terminal."""

    def __init__(self, progress: Progress, steps_per_epoch: int, epochs: int) -> None:
        self._progress = progress
        self._steps, self._epochs = steps_per_epoch, epochs
        self._task = progress.add_task("", total=epochs * steps_per_epoch, figures="")

    def move_to(self, epoch: int, step: int, logs: Mapping[str, float]) -> None:
        """Show how many epochs, and steps of the next, are done, and its loss and PSNR so far."""
        self._progress.update(
            self._task,
            description=f"epoch {epoch + 1}/{self._epochs}",
            completed=epoch * self._steps + step,
            figures=figures({name: logs[name] for name in ("loss", "psnr") if name in logs}),
        )

    def validating(self, epoch: int) -> None:
        """Say that the epoch's validation has begun."""
        self._progress.update(
            self._task, description=f"epoch {epoch + 1}/{self._epochs}, validating"
        )


@contextmanager
def bar(console: Console, steps_per_epoch: int, epochs: int) -> Iterator[Bar]:
    """Yield a progress bar with the time left, and take it away in the end."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield Bar(progress, steps_per_epoch, epochs)


class TensorBoard:
    """Writes figures and pictures for TensorBoard."""

    def __init__(self, folder: Path, network: keras.Model, validation: tf.data.Dataset) -> None:
        self._writers = {
            name: tf.summary.create_file_writer(str(folder / name))
            for name in ("train", "validation", "images")
        }
        self._forward = forward_tensorflow.forward(network)
        self._distorted, self._reference = next(iter(validation))

    def write(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Write an epoch's figures, and the first validation batch as the network restores it now.

        Its pictures lie side by side: distorted, restored and reference.

        Args:
            epoch: its number, from 0.
            logs: figures of training by name, and of validation by `val_` and name.
        """
        for key, value in logs.items():
            name = key.removeprefix("val_")
            part = "validation" if key.startswith("val_") else "train"
            with self._writers[part].as_default(step=epoch):
                tf.summary.scalar(f"epoch_{name}", value)
        restored = np.clip(self._forward(self._distorted), 0, 1)
        beside = np.concatenate([self._distorted, restored, self._reference], axis=2)
        with self._writers["images"].as_default(step=epoch):
            tf.summary.image("distorted, restored, reference", beside, max_outputs=len(beside))
        for writer in self._writers.values():
            writer.flush()


def figures(logs: Mapping[str, float]) -> str:
    """Return losses, metrics and times in one line."""
    formats = {"psnr": ".2f", "learning_rate": ".3g", "seconds": ".1f", "images_per_second": ".2f"}
    shown = {
        name: format(float(value), formats.get(name.removeprefix("val_"), ".5f"))
        for name, value in logs.items()
    }
    return "  ".join(f"{name} {value}" for name, value in shown.items())
