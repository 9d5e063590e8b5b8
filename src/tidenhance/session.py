"""Take the steps of a training, validate, and keep its run directory right at each moment."""

from __future__ import annotations

import filecmp
import json
import logging
import math
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import rich
import tensorflow as tf

from tidenhance import (
    checkpoints,
    curves,
    device,
    epoch_log,
    errors,
    interruption,
    runs,
    schedules,
    steps,
    summary,
    validation,
)
from tidenhance.checkpoints import Progress
from tidenhance.config import Config
from tidenhance.errors import RunError, StoppedError, TidenhanceError
from tidenhance.feed import Feed
from tidenhance.files import make_folder, replacing, write_text
from tidenhance.moving_averages import averaged

logger = logging.getLogger(__name__)

# Ends of the sentence that the memory does not suffice.
TO_TRAIN = (
    "to train. Start a new run with a smaller training.batch_size or patch_size, or with a larger"
    " training.gradient_accumulation_steps, which gives the same gradient."
)
TO_VALIDATE = (
    "to validate. Go on with validation.batch_size=1, or start a new run with a smaller"
    " validation.patch_size."
)


@dataclass(frozen=True)
class Session:
    """A training under way: what trains, on what, into which run, and who watches."""

    network: keras.Model
    config: Config
    run: Path
    feed: Feed
    request: interruption.Request
    bar: epoch_log.Bar

    def train_epoch(self, advance: steps.Advance, start: Progress) -> Progress:
        """Take the steps that are left of the epoch; return the progress, with `logs`."""
        done = start
        at_once, every = self._steps_at_once()
        begun = saved = time.perf_counter()
        self.network.optimizer.learning_rate = schedules.of_epoch(
            self.config.training, start.val_losses
        )
        if start.step == 0:
            self.network.reset_metrics()
        while done.step < self.feed.steps:
            count = min(at_once, self.feed.steps - done.step, every - done.step % every)
            logs = advance(count)
            self._check_finite(float(logs["loss"]), done, count)
            now = time.perf_counter()
            done = replace(done, step=done.step + count, seconds=start.seconds + now - begun)
            if done.step == self.feed.steps:
                done = replace(done, logs={name: float(value) for name, value in logs.items()})
            self.bar.move_to(len(done.history), done.step, logs)
            self.stop_if_asked(done)
            minutes = self.config.training.checkpoint_every.minutes
            is_time = minutes and now - saved > 60 * minutes
            # That of the epoch follows, but only after its validation.
            if is_time or (done.step % every == 0 and not done.logs):
                checkpoints.save(self.run, self.network, done)
                saved = time.perf_counter()
        return done

    def _steps_at_once(self) -> tuple[int, int]:
        """Return how many steps are taken in one call, and after how many there is a checkpoint."""
        every = self.config.training.checkpoint_every.steps or self.feed.steps
        return self.config.training.steps_per_execution, every

    def validate(self, step: steps.Step, trained: Progress) -> Progress:
        """Return the progress with the epoch's row in its history."""
        begun = time.perf_counter()
        epoch = len(trained.history)
        self.bar.validating(epoch)

        def batches() -> Iterator[Any]:
            for batch in self.feed.validation(epoch):
                if self.request.signal is not None:
                    return
                yield batch

        with averaged(self.network):
            validated = validation.figures(self.network, step, batches())
        self.stop_if_asked(trained)
        if not math.isfinite(validated["val_loss"]):
            raise TidenhanceError(
                f"The val_loss of epoch {epoch + 1} is {validated['val_loss']}. {self._advice}"
            )
        figures = trained.logs | validated
        for name, value in figures.items():
            if not math.isfinite(value):
                logger.warning("WARNING: %s of epoch %d is %s.", name, epoch + 1, value)
        row = {
            "epoch": epoch + 1,
            **figures,
            "learning_rate": float(
                keras.ops.convert_to_numpy(self.network.optimizer.learning_rate)
            ),
            "seconds": trained.seconds + time.perf_counter() - begun,
            "images_per_second": self.feed.pictures / trained.seconds,
        }
        return replace(trained, history=[*trained.history, row], step=0, seconds=0.0, logs={})

    def stop_if_asked(self, progress: Progress, *, is_saved: bool = False) -> None:
        """Save a checkpoint and raise `StoppedError`, if Ctrl-C or SIGTERM has come."""
        number = self.request.signal
        if number is not None:
            if not is_saved:
                checkpoints.save(self.run, self.network, progress)
            raise StoppedError(
                f"{number.name} stopped the training after step {progress.step} of epoch"
                f" {len(progress.history) + 1}. Nothing is lost; to go on:"
                f" tidenhance train --resume {shlex.quote(str(self.run))}",
                number,
            )

    def _check_finite(self, loss: float, before: Progress, count: int) -> None:
        if math.isfinite(loss):
            return
        first = _first_batch(self.feed, before)
        files = ", ".join(
            name for number in range(first, first + count) for name in self.feed.names(number)
        )
        last = f" to {before.step + count}" if count > 1 else ""
        raise TidenhanceError(
            f"The loss became {loss} at step {before.step + 1}{last} of epoch"
            f" {len(before.history) + 1}, on {files}. {self._advice}"
        )

    @property
    def _advice(self) -> str:
        advice = "Try a lower training.learning_rate, or training.precision=float32."
        if not (self.run / runs.BEST_WEIGHTS).is_file():
            return advice
        return (
            f"{advice} The weights of the best epoch are kept; training.initial_weights={self.run}"
            " starts from them."
        )


def fit(
    network: keras.Model,
    config: Config,
    run: Path,
    feed: Feed,
    progress: Progress,
    kind: device.Kind,
) -> None:
    """Train epoch after epoch. The checkpoints come first; all other files follow from them.

    Args:
        network: compiled, with the weights that `progress` says it has.
        config: what it is trained by.
        run: the run directory.
        feed: what it is fed with.
        progress: how far it is.
        kind: what it is trained on.

    Raises:
        ImageError: a picture cannot be read.
        StoppedError: Ctrl-C or SIGTERM came; a checkpoint was saved.
        WriteError: a file of the run cannot be written.
        TidenhanceError: the loss became infinite or not a number, the memory does not suffice, or
            a process that makes pictures was killed.
    """
    logger.info("network: %s, %s parameters", network.name, f"{network.count_params():,}")
    logger.info(
        "%s: %d to train on; pairs: %d to validate on",
        "pairs" if config.training.synthesis is None else "photographs",
        *(len(feed.pairs[split]) for split in ("train", "val")),
    )
    with _tensorflows_errors(TO_VALIDATE):
        identity = validation.identity_figures(config, feed.validation(0))
    logger.info("doing nothing: %s", epoch_log.figures(identity))
    make_folder(run / runs.CHECKPOINTS)
    if progress.history:
        _write_results(run, network, config, progress, identity)
    tensorboard = None
    if config.logging.tensorboard:
        with _tensorflows_errors(TO_VALIDATE):
            folder = run / runs.TENSORBOARD
            tensorboard = epoch_log.TensorBoard(folder, network, feed.validation(0))
    batches = device.prefetched(feed.training(_first_batch(feed, progress)), kind)
    advance = steps.advancing(
        steps.training(
            network,
            **_compiled(
                network, config, batches, few_sizes=bool(config.training.later_patch_sizes)
            ),
            micro_batch_size=_micro_batch_size(config),
            learning_rate=schedules.of_step(config.training, feed.steps),
        ),
        iter(batches),
        together=config.training.steps_per_execution > 1,
    )
    test_step = steps.validation(network, **_compiled(network, config, feed.validation(0)))
    advice = "stopping after this step, with a checkpoint; once more stops at once"
    with (
        device.graph_optimiser_for_training(kind, len(network.layers)),
        interruption.requests(advice) as request,
        epoch_log.bar(rich.get_console(), feed.steps, config.training.epochs) as bar,
    ):
        session = Session(network, config, run, feed, request, bar)
        while not schedules.is_over(config.training, progress.history):
            if not progress.logs:
                with _tensorflows_errors(TO_TRAIN):
                    progress = session.train_epoch(advance, progress)
            with _tensorflows_errors(TO_VALIDATE):
                progress = session.validate(test_step, progress)
            checkpoints.save(run, network, progress)
            _write_results(run, network, config, progress, identity)
            epoch, row = len(progress.history), progress.history[-1]
            figures = {name: value for name, value in row.items() if name != "epoch"}
            logger.info(
                "epoch %d/%d: %s", epoch, config.training.epochs, epoch_log.figures(figures)
            )
            with _tensorflows_errors(TO_VALIDATE), averaged(network):
                if epoch == 1:
                    _warn_of_dead_channels(network, feed.validation(0), config.seed)
                if tensorboard:
                    tensorboard.write(epoch - 1, figures)
            if not schedules.is_over(config.training, progress.history):
                session.stop_if_asked(progress, is_saved=True)


def _compiled(
    network: keras.Model, config: Config, batches: tf.data.Dataset, *, few_sizes: bool = False
) -> dict[str, Any]:
    """Return how to compile a step on batches: for each size anew, but for one graph of many."""
    many_sizes = None in batches.element_spec[0].shape[1:3] and not few_sizes
    avoided = many_sizes and config.training.xla == "auto"
    return {
        "jit_compile": bool(network.jit_compile) and not avoided,
        "signature": batches.element_spec if many_sizes else None,
    }


def _first_batch(feed: Feed, progress: Progress) -> int:
    return len(progress.history) * feed.steps + progress.step


def _micro_batch_size(config: Config) -> int | None:
    accumulation = config.training.gradient_accumulation_steps
    return config.training.batch_size // accumulation if accumulation > 1 else None


def _write_results(
    run: Path,
    network: keras.Model,
    config: Config,
    progress: Progress,
    identity: dict[str, float],
) -> None:
    """Write what follows from a run's checkpoints: history, curves, and the best weights.

    And, once, what the network is made of, and what it costs at TID2013's picture size or at the
    one size that it takes.
    """
    if not (run / runs.NETWORK).exists():
        height, width = summary.picture_size(network, 384, 512)
        figures = summary.describe(network, config.training, height, width)
        write_text(run / runs.NETWORK, json.dumps(figures, indent=2) + "\n")
    runs.write_history(run, progress.history)
    curves.draw(run / runs.CURVES, progress.history, identity)
    if config.validation.best_epoch == "last":
        epoch = len(progress.history)
    else:
        epoch = schedules.best_epoch(progress.val_losses) + 1
    best = checkpoints.path_of(run, epoch)
    if best.exists():
        validated = checkpoints.validated_weights(best)
        if not _is_same(validated, run / runs.BEST_WEIGHTS):
            try:
                checkpoints.check(best)
            except RunError as error:
                logger.warning("WARNING: %s %s stays as it is.", error, runs.BEST_WEIGHTS)
                return
            with replacing(run / runs.BEST_WEIGHTS) as temporary:
                shutil.copyfile(validated, temporary)


def _is_same(checkpointed: Path, weights_file: Path) -> bool:
    try:
        return filecmp.cmp(checkpointed, weights_file, shallow=False)
    except OSError:
        return False


def _warn_of_dead_channels(
    network: keras.Model, validation_batches: tf.data.Dataset, seed: int
) -> None:
    for channel in validation.dead_channels(network, validation_batches):
        logger.warning(
            "WARNING: the %s channel of the output is zero on all validation pixels and will stay"
            " so: the last relu started dead. Train with another seed (seed=%d here).",
            channel,
            seed,
        )


@contextmanager
def _tensorflows_errors(purpose: str) -> Iterator[None]:
    """Turn what TensorFlow raises into errors that a user can act on."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise TidenhanceError(f"The memory does not suffice {purpose}") from error
    except tf.errors.OpError as error:
        # An error of our own inside the input pipeline comes back as text, traceback and all.
        ours = re.search(r"^tidenhance\.errors\.(\w+): (.*)", error.message, re.MULTILINE)
        if ours:
            raise getattr(errors, ours[1])(ours[2]) from error
        raise TidenhanceError(f"TensorFlow stopped: {error.message.strip()}") from error
