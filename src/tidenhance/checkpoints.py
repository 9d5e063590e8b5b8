"""Save all that a training goes on from, find the newest good checkpoint, and restore it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from pydantic import TypeAdapter, ValidationError

from tidenhance import runs, schedules, weights
from tidenhance.errors import RunError, TidenhanceError
from tidenhance.files import new_folder, remove_folder, reserve, sha256
from tidenhance.moving_averages import averaged, keeps_averages

logger = logging.getLogger(__name__)

WEIGHTS = "model.weights.h5"
STATE = "state.h5"
PROGRESS = "progress.json"
CHECKSUMS = "SHA256SUMS"
FILES = (WEIGHTS, STATE, PROGRESS)

# The moving averages, where they are what was validated.
AVERAGES = "averages.weights.h5"

_NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?")


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        config: the config, as `Config.model_dump(mode="json")` gives it.
        pairs: SHA-256 of the names of the pairs, in order.
        pixels: SHA-256 of pixels of the pairs; empty in checkpoints from before that was noted.
        history: a dictionary an epoch, of those that are finished.
        step: steps done of the next epoch.
        seconds: how long they took.
        logs: loss and metrics of the next epoch, once all its steps are done; empty before.
    """

    config: dict[str, Any]
    pairs: str
    pixels: str = ""
    history: list[dict[str, int | float]] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0
    logs: dict[str, float] = field(default_factory=dict)

    @property
    def val_losses(self) -> list[float]:
        """The val_loss of each finished epoch."""
        return [row["val_loss"] for row in self.history]


def path_of(run: Path, epoch: int, step: int = 0) -> Path:
    """Return where the checkpoint of so many epochs, and steps of the next, is kept."""
    name = f"epoch-{epoch:04d}" + (f"-step-{step:06d}" if step else "")
    return run / runs.CHECKPOINTS / name


def save(run: Path, network: keras.Model, progress: Progress) -> Path:
    """Save a checkpoint, remove those no longer needed, and return its path.

    Those of the last two epochs and of the epoch with the lowest val_loss are kept, and the last
    one within an epoch until the epoch ends. The checkpoint appears complete or not at all: a
    folder with the weights as Keras saves them, after an epoch also their moving averages where the
    optimiser keeps such, what else the network, optimiser (moments, averages, loss scale, learning
    rate) and metrics remember, the progress, and checksums as `sha256sum --check` reads them.

    Raises:
        TidenhanceError: a weight is not finite; nothing is written.
        WriteError: a file cannot be written; the earlier checkpoints are as they were.
    """
    for variable in network.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise TidenhanceError(
                f"The weights {variable.path} are no longer finite: no checkpoint is made of them."
            )
    path = path_of(run, len(progress.history), progress.step)
    with new_folder(path) as folder:
        (folder / WEIGHTS).touch()
        weights.write(network, folder / WEIGHTS)
        _write_state(network, folder / STATE)
        (folder / PROGRESS).write_text(json.dumps(asdict(progress), indent=1) + "\n")
        files = list(FILES)
        if keeps_averages(network) and progress.step == 0:
            with averaged(network):
                (folder / AVERAGES).touch()
                weights.write(network, folder / AVERAGES)
            files.append(AVERAGES)
        sums = (f"{sha256(folder / name)}  {name}\n" for name in files)
        (folder / CHECKSUMS).write_text("".join(sums))
    best = schedules.best_epoch(progress.val_losses) + 1
    # Later ones were damaged, and training went on from an earlier one.
    ends = [end for end in _all(run) if _order(end)[1] == 0 and _order(end) <= _order(path)]
    kept = {path, path_of(run, best), *ends[-2:]}
    for other in _all(run):
        if other not in kept:
            remove_folder(other)
    return path


def newest(run: Path) -> tuple[Path, Progress] | None:
    """Return a run's newest good checkpoint, with the progress in it; None if it has none yet.

    Damaged ones that are newer are named in the log.

    Raises:
        RunError: there are checkpoints, and all of them are damaged.
    """
    damaged = []
    for path in reversed(_all(run)):
        try:
            progress = _read_progress(path)
        except RunError as error:
            logger.warning("WARNING: %s Falling back to the checkpoint before.", error)
            damaged.append(path.name)
        else:
            return path, progress
    if damaged:
        raise RunError(
            f"{run / runs.CHECKPOINTS}: all checkpoints are damaged ({', '.join(damaged)})."
            " Remove them to train this run from its beginning."
        )
    return None


def check(path: Path) -> None:
    """Check that a checkpoint is as it was written.

    Raises:
        RunError: it is damaged; the message names the file.
    """
    _read_progress(path)


def validated_weights(path: Path) -> Path:
    """Return the file, in an epoch's checkpoint, of the weights that were validated."""
    averages = path / AVERAGES
    return averages if averages.exists() else path / WEIGHTS


def restore(network: keras.Model, path: Path) -> None:
    """Bring a compiled network, its optimiser and its metrics to where they were.

    Raises:
        RunError: the checkpoint is of another network or optimiser, or damaged.
    """
    weights.load(network, path / WEIGHTS)
    state = path / STATE
    variables = list(_state_variables(network))
    try:
        weights.check_arrays(state, variables)
        with h5py.File(state, "r") as file:
            for index, variable in enumerate(variables):
                variable.assign(file[str(index)][()])
    except weights.DAMAGE as error:
        reason = weights.reason(error)
        raise RunError(f"{state}: not the state of this training: {reason}.") from error


def _write_state(network: keras.Model, path: Path) -> None:
    path.touch()
    variables = list(_state_variables(network))
    reserve(path, weights.space_for(variables))
    with h5py.File(path, "w") as file:
        for index, variable in enumerate(variables):
            dataset = file.create_dataset(str(index), data=keras.ops.convert_to_numpy(variable))
            dataset.attrs["path"] = variable.path


def _state_variables(network: keras.Model) -> Iterator[keras.Variable]:
    """Yield what training remembers beside the weights: seeds, the optimiser's and metrics' state.

    These exist once `training.compile_network` has returned.
    """
    saved = {id(variable) for variable in network.weights}
    for variable in (
        *network.variables,
        *network.optimizer.variables,
        *network.metrics_variables,
    ):
        if id(variable) not in saved:
            saved.add(id(variable))
            yield variable


def _all(run: Path) -> list[Path]:
    """Return the paths of a run's checkpoints, oldest first."""
    folder = run / runs.CHECKPOINTS
    found = [path for path in folder.glob("epoch-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=_order)


def _order(path: Path) -> tuple[int, int]:
    epoch, step = _NAME.fullmatch(path.name).groups(default="0")  # type: ignore[union-attr]
    return int(epoch), int(step)


def _read_progress(path: Path) -> Progress:
    try:
        listed = (path / CHECKSUMS).read_text(encoding="utf-8")
        averages = [AVERAGES] if f"  {AVERAGES}\n" in listed else []
        for name in (*FILES, *averages):
            if f"{sha256(path / name)}  {name}\n" not in listed:
                raise RunError(f"{path / name}: damaged: its checksum has changed.")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path}: damaged: {reason}.") from error
    try:
        # A metric in its history may be infinite.
        return TypeAdapter(Progress).validate_json((path / PROGRESS).read_bytes())
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise RunError(f"{path / PROGRESS}: damaged, or of another version: {reason}.") from error
