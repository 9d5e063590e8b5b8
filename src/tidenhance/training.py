"""Train the network of a config on its pairs, into a run directory."""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import keras
import numpy as np
import rich
import tensorflow as tf

import tidenhance
from tidenhance import callbacks, components, device, runs, summary, weights
from tidenhance import config as config_module
from tidenhance.config import Component, Config, Provenance
from tidenhance.data import pipeline
from tidenhance.data.pairs import Pairs
from tidenhance.errors import ConfigError, DataError, TidenhanceError
from tidenhance.files import write_text

logger = logging.getLogger(__name__)


def train(config: Config, config_name: str, folder: Path = runs.FOLDER) -> Path:
    """Train, and return the run directory with the files that `runs` names.

    Args:
        config: what to train, on what, and how.
        config_name: what the run is named after.
        folder: where the run directory is made.

    Raises:
        ConfigError: TensorBoard is asked for and not installed.
        DataError: pairs are missing, or do not suit the config.
        ImageError: a picture cannot be read.
        DeviceError: a GPU was requested and there is none.
        RunError: the initial weights are missing or belong to another network.
        TidenhanceError: the loss became infinite or not a number.
        WriteError: a file of the run cannot be written.
    """
    if config.logging.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            "logging.tensorboard: TensorBoard is not installed:"
            " pip install 'tidenhance[tensorboard]'"
        )
    kind, device_name = device.use(config.training.device)
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.training.precision)
    pairs = _pairs(config)
    training, validation = _batches(config, pairs)
    network = weights.build_network(config)
    if config.training.initial_weights is not None:
        initial = runs.find(config.training.initial_weights, folder)
        weights.load(network, initial / runs.BEST_WEIGHTS)
    compile_network(network, config, kind)

    started = datetime.now().astimezone()
    run = runs.create(folder, config_name, started)
    provenance = _provenance(config_name, device_name, started)
    resolved = config.model_copy(
        update={"provenance": provenance, "data": _with_absolute_root(config.data)}
    )
    write_text(run / runs.CONFIG, config_module.dump(resolved))
    with _state_and_log(run):
        logger.info("run: %s", run)
        logger.info("device: %s", device_name)
        logger.info("network: %s, %s parameters", network.name, f"{network.count_params():,}")
        logger.info(
            "pairs: %d to train on, %d to validate on", len(pairs["train"]), len(pairs["val"])
        )
        _describe(network, config, run)
        identity = identity_figures(config, validation)
        logger.info("doing nothing: %s", callbacks.figures(identity))
        _fit(network, config, run, training, validation, len(pairs["train"]), identity)
    return run


def compile_network(network: keras.Model, config: Config, kind: device.Kind) -> None:
    """Give a network its optimiser, loss and metrics."""
    accumulation = config.training.gradient_accumulation_steps
    network.compile(
        optimizer=keras.optimizers.Adam(
            config.training.learning_rate,
            gradient_accumulation_steps=accumulation if accumulation > 1 else None,
        ),
        loss=components.make("losses", config.loss.name, config.loss.options),
        metrics=[
            keras.metrics.MeanMetricWrapper(components.module("metrics", name).compute, name=name)
            for name in config.metrics
        ],
        jit_compile=device.jit_compile(config.training.xla, kind),
    )


def identity_figures(config: Config, validation: tf.data.Dataset) -> dict[str, float]:
    """Return val_loss and each val_ metric of doing nothing, on the pairs as they are fed.

    Args:
        config: names the loss and the metrics.
        validation: batches of (distorted, reference).
    """
    inputs = keras.Input((None, None, 3))
    identity = keras.Model(inputs, keras.layers.Identity(dtype="float32")(inputs))
    compile_network(identity, config, "cpu")
    found = identity.evaluate(validation, return_dict=True, verbose=0)
    return {f"val_{name}": float(value) for name, value in found.items()}


def learning_rate_callbacks(config: Config) -> list[keras.callbacks.Callback]:
    """Return the callbacks that change the learning rate, and that stop early."""
    training = config.training
    plateau = training.learning_rate_schedule.reduce_on_plateau
    cosine = training.learning_rate_schedule.cosine_decay
    found: list[keras.callbacks.Callback] = []
    if plateau:
        found.append(
            keras.callbacks.ReduceLROnPlateau(
                "val_loss",
                factor=plateau.factor,
                patience=plateau.patience,
                min_lr=plateau.minimum,
                min_delta=0,
            )
        )
    if cosine:
        schedule = keras.optimizers.schedules.CosineDecay(
            training.learning_rate,
            decay_steps=training.epochs,
            alpha=cosine.minimum / training.learning_rate,
        )
        found.append(keras.callbacks.LearningRateScheduler(lambda epoch: float(schedule(epoch))))
    if training.early_stopping:
        patience = training.early_stopping.patience
        found.append(keras.callbacks.EarlyStopping("val_loss", patience=patience))
    return found


def tensorboard_callbacks(
    config: Config, run: Path, validation: tf.data.Dataset
) -> list[keras.callbacks.Callback]:
    """Return what writes figures and pictures for TensorBoard, where the config asks for it."""
    if not config.logging.tensorboard:
        return []
    folder = run / runs.TENSORBOARD
    return [
        keras.callbacks.TensorBoard(folder, write_graph=False),
        callbacks.ValidationImages(folder / "images", validation),
    ]


def _pairs(config: Config) -> Pairs:
    pairs: Pairs = components.make("data.datasets", config.data.name, config.data.options)
    for split in ("train", "val"):
        if not pairs[split]:
            raise DataError(f"data.splits.{split}: expected at least one pair. Received: none.")
    return pairs


def _batches(config: Config, pairs: Pairs) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    multiple = weights.size_multiple(config)
    training = pipeline.training(
        pairs["train"],
        batch_size=config.training.batch_size // config.training.gradient_accumulation_steps,
        patch_size=config.training.patch_size,
        flips=config.training.augmentation.flips,
        rotations=config.training.augmentation.rotations,
        seed=config.seed,
        cache_gib=config.training.cache_gib,
        size_multiple=multiple,
    )
    validation = pipeline.validation(
        pairs["val"],
        batch_size=config.validation.batch_size,
        patch_size=config.validation.patch_size,
        cache_gib=config.training.cache_gib,
        size_multiple=multiple,
    )
    return training, validation


def _with_absolute_root(data: Component) -> Component:
    """Return the data section such that the run can be evaluated from any folder."""
    root = data.options.get("root")
    if root is None:
        return data
    return data.model_copy(update={"root": str(Path(root).absolute())})


def _describe(network: keras.Model, config: Config, run: Path) -> None:
    """Write what the network is made of and what it costs at TID2013's picture size."""
    at_once = config.training.batch_size // config.training.gradient_accumulation_steps
    width, height = 512, 384
    figures = summary.describe(network, at_once, height, width)
    write_text(run / runs.NETWORK, json.dumps(figures, indent=2) + "\n")


def _fit(
    network: keras.Model,
    config: Config,
    run: Path,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    pairs: int,
    identity: dict[str, float],
) -> None:
    batch_size = config.training.batch_size
    micro_batches = config.training.gradient_accumulation_steps
    steps = config.training.steps_per_epoch or math.ceil(pairs / batch_size)
    # The last micro-batch of each pass over the pairs may be smaller than the others.
    per_micro_batch = pairs / math.ceil(pairs / (batch_size // micro_batches))
    pictures = round(steps * micro_batches * per_micro_batch)
    report = callbacks.Report(rich.get_console(), steps * micro_batches)
    try:
        network.fit(
            training,
            epochs=config.training.epochs,
            steps_per_epoch=steps * micro_batches,
            validation_data=validation,
            verbose=0,
            shuffle=False,
            callbacks=[
                callbacks.StopWhenNotFinite(),
                callbacks.EpochTimes(pictures),
                callbacks.RunFiles(run, identity),
                report,
                callbacks.WarnOfDeadChannels(validation, config.seed),
                *learning_rate_callbacks(config),
                *tensorboard_callbacks(config, run, validation),
            ],
        )
    except tf.errors.ResourceExhaustedError as error:
        raise TidenhanceError(
            "The memory does not suffice. Try a smaller training.batch_size or patch_size, or a"
            " larger training.gradient_accumulation_steps, which gives the same gradient."
        ) from error
    except tf.errors.OpError as error:
        # An error of our own inside the input pipeline comes back as text, traceback and all.
        ours = re.search(r"^tidenhance\.errors\.\w+: (.*)", error.message, re.MULTILINE)
        reason = ours[1] if ours else f"TensorFlow stopped: {error.message.strip()}"
        raise TidenhanceError(reason) from error
    finally:
        report.close()


@contextmanager
def _state_and_log(run: Path) -> Iterator[None]:
    """Keep the run's state and its log, whatever way the training inside ends."""
    handler = logging.FileHandler(run / runs.LOG, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    package_logger = logging.getLogger("tidenhance")
    package_logger.addHandler(handler)
    state: runs.State = "failed"
    runs.set_state(run, "running")
    try:
        yield
        state = "finished"
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    except Exception as error:
        # Whoever called reports it to the user.
        handler.handle(logger.makeRecord(logger.name, logging.ERROR, "", 0, "%s", (error,), None))
        raise
    finally:
        runs.set_state(run, state)
        logger.info("%s", state)
        package_logger.removeHandler(handler)
        handler.close()


def _provenance(config_name: str, device_name: str, started: datetime) -> Provenance:
    return Provenance(
        config=config_name,
        tidenhance=tidenhance.__version__,
        keras=keras.__version__,
        tensorflow=tf.__version__,
        numpy=np.__version__,
        python=platform.python_version(),
        platform=platform.platform(),
        device=device_name,
        git_commit=_git_commit(),
        started=started.isoformat(timespec="seconds"),
    )


def _git_commit() -> str | None:
    """Return the commit of the checkout this package runs from, if it runs from one."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
