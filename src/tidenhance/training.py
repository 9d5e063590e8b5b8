"""Train the network of a config on its pairs, into a run directory, and go on where it ended."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import logging
import os
import platform
import subprocess
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import tidenhance
from tidenhance import (
    checkpoints,
    components,
    device,
    export,
    feed,
    inference,
    resuming,
    runs,
    session,
    validation,
    weights,
)
from tidenhance import config as config_module
from tidenhance.checkpoints import Progress
from tidenhance.config import Config, Provenance
from tidenhance.errors import (
    ConfigError,
    DataError,
    RunError,
    StoppedError,
    WriteError,
)
from tidenhance.feed import Feed
from tidenhance.files import remove_unfinished, write_text
from tidenhance.fused_adam import FusedAdam

logger = logging.getLogger(__name__)


def train(config: Config, config_name: str, folder: Path = runs.FOLDER) -> Path:
    """Train, and return the run directory with the files that `runs` names.

    Args:
        config: what to train, on what, and how.
        config_name: what the run is named after.
        folder: where the run directory is made.

    Raises:
        ConfigError: TensorBoard is asked for and not installed, the pictures are too small for the
            loss or a metric, or the network has batch norm and the config what that forbids.
        DataError: pairs are missing, or do not suit the config.
        ImageError: a picture cannot be read.
        DeviceError: a GPU was requested and there is none.
        RunError: the initial weights are missing or belong to another network.
        StoppedError: Ctrl-C or SIGTERM came; a checkpoint was saved.
        TidenhanceError: the loss became infinite or not a number, the memory does not suffice, or
            a process that makes pictures was killed.
        WriteError: a file of the run cannot be written.
    """
    used, fed, network = _prepare(config)
    resolved = _resolved(config, folder)
    fresh = _load_initial_weights(network, resolved, folder)
    started = datetime.now().astimezone()
    run = runs.create(folder, config_name, started)
    with _working_on(run), _state_noted(run):
        provenance = _provenance(config_name, used.name, started)
        resolved = resolved.model_copy(update={"provenance": provenance})
        write_text(run / runs.CONFIG, config_module.dump(resolved))
        logger.info("run: %s", run)
        logger.info("device: %s", used.name)
        _log_fresh(fresh)
        with closing(fed):
            session.fit(network, resolved, run, fed, _beginning(resolved, fed), used.kind)
        export.onnx_beside(run)
    return run


def resume(run: Path, config: Config) -> Path:
    """Go on with a run from its newest good checkpoint, to the result it would have had anyway.

    Args:
        run: the run directory; one without a checkpoint is trained from its beginning.
        config: the run's own, or one that differs in how long, where and how fast it trains.

    Raises:
        ConfigError: the config differs in what leads to another result.
        RunError: another process is training the run, or all its checkpoints are damaged.
        Others as `train`.
    """
    used, fed, network = _prepare(config)
    before = runs.read_config(run)
    with _working_on(run):
        remove_unfinished(run)
        remove_unfinished(run / runs.CHECKPOINTS)
        logger.info("run: %s", run)
        logger.info("device: %s", used.name)
        found = checkpoints.newest(run)
        begun_with = before.training.initial_weights or ()
        resolved = _resolved(config, run.parent, run, begun_with)
        resolved = resolved.model_copy(update={"provenance": before.provenance})
        if found is None:
            resuming.check_unchanged(before.model_dump(mode="json"), resolved)
            logger.info("no checkpoint yet: training from the beginning")
            progress = _beginning(resolved, fed)
            _log_fresh(_load_initial_weights(network, resolved, run.parent))
        else:
            path, progress = found
            resuming.check_unchanged(progress.config, resolved)
            if progress.pairs != fed.digest:
                raise DataError(
                    "data: the pairs are no longer those that the run was begun with: some were"
                    " added, removed or renamed."
                )
            pixels = fed.pixels_digest
            if progress.pixels not in ("", pixels):
                raise DataError(
                    "data: the pictures are no longer those that the run was begun with, though"
                    " they are called the same."
                )
            checkpoints.restore(network, path)
            progress = replace(progress, config=resolved.model_dump(mode="json"), pixels=pixels)
            logger.info("going on from: %s", path.name)
        if resolved != before:
            # Runs are ordered by when it was written first.
            times = (run / runs.CONFIG).stat()
            write_text(run / runs.CONFIG, config_module.dump(resolved))
            os.utime(run / runs.CONFIG, ns=(times.st_atime_ns, times.st_mtime_ns))
        _warn_of_other_surroundings(before.provenance, used.name)
        with _state_noted(run):
            with closing(fed):
                session.fit(network, resolved, run, fed, progress, used.kind)
            export.onnx_beside(run)
    return run


def compile_network(network: keras.Model, config: Config, kind: device.Kind) -> None:
    """Give a network its optimiser, loss and metrics, with all the variables that they need.

    Raises:
        ConfigError: the network has batch norm, and moving averages of weights or parts of batches
            are asked for.
    """
    network.compile(
        optimizer=_optimizer(config),
        loss=components.make("losses", config.loss.name, config.loss.options),
        metrics=validation.metrics(config),
        jit_compile=device.jit_compile(config.training.xla, kind),
    )
    network.optimizer.build(network.trainable_variables)
    if network.non_trainable_weights:
        _check_batch_norm(config)
    # Metrics get their variables only when they are first computed; a picture that is large enough
    # for each of them is enough.
    picture = np.zeros([1, *(size or 192 for size in network.inputs[0].shape[1:])], np.float32)
    network.compute_metrics(picture, picture, picture)
    network.reset_metrics()


def _check_batch_norm(config: Config) -> None:
    has = f"{config.network.name}, which has weights that are not trained, as of batch norm, and"
    if config.training.optimizer.exponential_moving_average is not None:
        raise ConfigError(
            f"training.optimizer.exponential_moving_average: expected null for {has} would not be"
            " averaged alike."
        )
    if config.training.gradient_accumulation_steps > 1:
        raise ConfigError(
            f"training.gradient_accumulation_steps: expected 1 for {has} would be of each part of"
            f" the batch. Received: {config.training.gradient_accumulation_steps}."
        )


def _optimizer(config: Config) -> FusedAdam:
    options = config.training.optimizer
    average = options.exponential_moving_average
    return FusedAdam(
        config.training.learning_rate,
        beta_1=options.beta_1,
        beta_2=options.beta_2,
        weight_decay=options.weight_decay or None,
        global_clipnorm=options.gradient_clip_norm,
        use_ema=average is not None,
        ema_momentum=average or 0.0,
    )


def _prepare(config: Config) -> tuple[device.Used, Feed, keras.Model]:
    """Return the device, what to feed, and the compiled network."""
    if config.logging.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError(
            "logging.tensorboard: TensorBoard is not installed:"
            " pip install 'tidenhance[tensorboard]'"
        )
    used = device.use(config.training.device)
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.training.precision)
    fed = feed.of(config)
    network = weights.build_network(config)
    _check_pictures(network, config, fed)
    compile_network(network, config, used.kind)
    return used, fed, network


def _check_pictures(network: keras.Model, config: Config, fed: Feed) -> None:
    for section, batches in (("training", fed.training(0)), ("validation", fed.validation(0))):
        found = tuple(batches.element_spec[0].shape[1:])
        inference.check_suits(found, network.inputs[0].shape[1:], f"data ({section})")
        later = [later.patch_size for later in config.training.later_patch_sizes]
        if section == "training" and later:
            smallest = min([*later, config.training.patch_size or later[0]])
            found = (smallest, smallest, found[2])
        validation.check_shape(config, found, section)


def _load_initial_weights(network: keras.Model, resolved: Config, folder: Path) -> list[str]:
    """Return the layers that stay fresh although there are initial weights."""
    names = resolved.training.initial_weights
    if names is None:
        return []
    # What is resolved and still a name is a model's.
    models = runs.shipped_models()
    found = [models.get(name) or runs.find_model(name, folder) for name in names]
    return weights.load_initial(network, [run / runs.BEST_WEIGHTS for run in found])


def _log_fresh(layers: list[str]) -> None:
    if layers:
        logger.info("not among the initial weights, and fresh: %s", ", ".join(layers))


def _resolved(
    config: Config, folder: Path, resumed: Path | None = None, begun_with: Collection[str] = ()
) -> Config:
    """Return the config such that the run can be evaluated, and gone on with, from any folder.

    Names in it mean what they meant when the run that is gone on with was started; of those that
    its initial weights were begun with nothing is looked up.
    """
    root = config.data.options.get("root")
    data = config.data
    if root is not None:
        data = data.model_copy(update={"root": str(Path(root).absolute())})
    training = config.training
    if training.synthesis is not None:
        photographs = str(Path(training.synthesis.photographs).absolute())
        synthesis = training.synthesis.model_copy(update={"photographs": photographs})
        training = training.model_copy(update={"synthesis": synthesis})
    if training.initial_weights is not None:
        found = [
            name if name in begun_with else _absolute(name, folder, resumed)
            for name in training.initial_weights
        ]
        training = training.model_copy(update={"initial_weights": found})
    return config.model_copy(update={"data": data, "training": training})


def _absolute(name: str, folder: Path, resumed: Path | None) -> str:
    """Return the path of a run, or the name as it is: of a shipped model, or of what is gone."""
    try:
        run = runs.find_model(name, folder, before=resumed)
    except RunError:
        return name
    return name if run in runs.shipped_models().values() else str(run.absolute())


def _beginning(config: Config, fed: Feed) -> Progress:
    return Progress(config.model_dump(mode="json"), fed.digest, fed.pixels_digest)


class _LogFile(logging.FileHandler):
    """A run's log, to which a full disk is no reason for a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do without the line."""


@contextmanager
def _working_on(run: Path) -> Iterator[None]:
    """Lock a run, and keep its log."""
    with runs.locked(run):
        handler = _LogFile(run / runs.LOG, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        package_logger = logging.getLogger("tidenhance")
        package_logger.addHandler(handler)
        try:
            yield
        except StoppedError:
            raise
        except Exception as error:
            # Whoever called reports it to the user.
            handler.handle(
                logger.makeRecord(logger.name, logging.ERROR, "", 0, "%s", (error,), None)
            )
            raise
        finally:
            package_logger.removeHandler(handler)
            with contextlib.suppress(OSError):
                handler.close()


@contextmanager
def _state_noted(run: Path) -> Iterator[None]:
    """Note a run's state, whatever way the training inside ends."""
    state: runs.State = "failed"
    try:
        runs.set_state(run, "running")
        yield
        state = "finished"
    # Outside the epochs, SIGTERM is a SystemExit.
    except (KeyboardInterrupt, SystemExit, StoppedError):
        state = "interrupted"
        raise
    finally:
        # Where the disk is full, the lock alone tells that the run has ended.
        with contextlib.suppress(WriteError):
            runs.set_state(run, state)
        logger.info("%s", state)


def _warn_of_other_surroundings(before: Provenance | None, device_name: str) -> None:
    for name, version in {**_versions(), "device": device_name}.items():
        earlier = getattr(before, name, None)
        if earlier not in (None, version):
            logger.warning(
                "WARNING: begun with %s %s, going on with %s: the last digits may differ.",
                name.replace("_", "-"),
                earlier,
                version,
            )


def _versions() -> dict[str, str]:
    """Return the versions of what the digits depend on; the last three make distorted pictures."""
    packages = {"pillow": "pillow", "scipy": "scipy", "scikit_image": "scikit-image"}
    return {
        "tidenhance": tidenhance.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        **{name: importlib.metadata.version(package) for name, package in packages.items()},
    }


def _provenance(config_name: str, device_name: str, started: datetime) -> Provenance:
    return Provenance(
        config=config_name,
        **_versions(),
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
