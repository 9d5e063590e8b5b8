"""What a run directory holds, under which names, and which runs there are."""

from __future__ import annotations

import csv
import fcntl
import json
import math
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tidenhance.errors import ConfigError, RunError, did_you_mean, printable
from tidenhance.files import csv_text, lock, make_folder, new_folder, sha256, write_text

if TYPE_CHECKING:
    from tidenhance.config import Config

FOLDER = Path("runs")

# The shipped model that `enhance` takes where no run is for colour pictures of any size.
DEFAULT_MODEL = "nafnet-open"

CONFIG = "config.yaml"
STATE = "state.json"
HISTORY = "history.csv"
CURVES = "curves.png"
BEST_WEIGHTS = "best.weights.h5"
ONNX = "best.onnx"
CHECKPOINTS = "checkpoints"
LOG = "log.txt"
NETWORK = "network.json"
IMAGES = "images"
TENSORBOARD = "tensorboard"

# Sums of much larger numbers overflow. A history is of float32.
_LARGEST, _LARGEST_IN_HISTORY = 1e18, 3.5e38

State = Literal["running", "finished", "interrupted", "failed", "cut off", "damaged"]
NOTED: tuple[State, ...] = ("running", "finished", "interrupted", "failed")


def scores_name(split: str, ending: str, levels: Sequence[int] | None = None) -> str:
    """Return a score file's name, as in `scores.json` (validation) and `scores-test.json`.

    With `levels`, where they are not the run's `data.levels`, the name ends in them.
    """
    parts = ["scores", *([split] if split != "val" else [])]
    if levels is not None:
        parts.append(f"levels-{''.join(map(str, sorted(levels)))}")
    return f"{'-'.join(parts)}.{ending}"


@dataclass(frozen=True)
class Summary:
    """A line in the list of runs.

    Attributes:
        path: the run directory.
        state: `cut off` is a run whose process is gone without a word; `damaged` one of whose
            files cannot be read.
        config: the name of the config it was started from.
        epochs: epochs finished.
        planned_epochs: epochs planned.
        best_val_loss: of the best epoch so far, by the run's own choice of it.
        scores: what `scores.json` holds, where there is one of the best weights.
        problem: what is damaged.
    """

    path: Path
    state: State
    config: str = "?"
    epochs: int = 0
    planned_epochs: int | None = None
    best_val_loss: float | None = None
    scores: dict[str, Any] | None = None
    problem: str | None = None


def create(folder: Path, config_name: str, now: datetime) -> Path:
    """Make a run directory of its own, named after the config and the time; return its path.

    Raises:
        UserInputError: `folder`, or what it is in, is a file.
        RunError: it cannot be made.
        WriteError: `folder` cannot be made.
    """
    name = f"{config_name}-{now:%Y%m%d-%H%M%S}"
    candidates = [name, *(f"{name}-{n}" for n in range(2, 100))]
    make_folder(folder)
    for candidate in candidates:
        try:
            (folder / candidate).mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{folder / candidate}: cannot be made: {error.strerror}.") from error
        return folder / candidate
    raise RunError(f"{folder / name}: exists, and so do {len(candidates) - 1} after it.")


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Keep other processes from training a run; the system unlocks it when the process ends.

    Raises:
        RunError: another process is training it, or it cannot be locked.
    """
    try:
        descriptor = lock(run / LOG)
    except BlockingIOError as error:
        raise RunError(f"{run}: another process is training this run.") from error
    except OSError as error:
        raise RunError(f"{run / LOG}: cannot be written: {error.strerror}.") from error
    try:
        yield
    finally:
        os.close(descriptor)


def set_state(run: Path, state: State) -> None:
    """Note how a run stands.

    Raises:
        WriteError: the file cannot be written.
    """
    write_text(run / STATE, json.dumps({"state": state}) + "\n")


def read_config(run: Path) -> Config:
    """Return the config that a run was trained with.

    Raises:
        RunError: it has none, or it is damaged.
    """
    # It takes as long to import as restoring a small picture takes.
    from tidenhance import config as config_module

    path = run / CONFIG
    if not path.is_file():
        raise RunError(f"{run}: not a run directory: it has no {CONFIG}.")
    try:
        return config_module.load(path)
    except ConfigError as error:
        raise RunError(str(error)) from error


def write_history(run: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the history, a row an epoch, complete or not at all.

    Raises:
        WriteError: the file cannot be written.
    """
    write_text(run / HISTORY, csv_text(history))


def read_history(run: Path) -> list[dict[str, float]]:
    """Return the history, a dictionary an epoch; empty before the first epoch has ended.

    Raises:
        RunError: the file is damaged.
    """
    path = run / HISTORY
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            if "epoch" not in (reader.fieldnames or ()):
                raise ValueError("no column of epochs")
            return [
                {k: _bounded(v, float, _LARGEST_IN_HISTORY) for k, v in row.items()}
                for row in reader
            ]
    except (OSError, TypeError, ValueError, csv.Error) as error:
        raise RunError(f"{path}: damaged: expected a table of numbers: {error}.") from error


def read_scores(run: Path, split: str = "val") -> dict[str, Any] | None:
    """Return the scores of a split, or None where there are none yet.

    Raises:
        RunError: the file is damaged.
    """
    path = run / scores_name(split, "json")
    if not path.is_file():
        return None
    scores = read_json(path)
    for key in (("psnr",), ("gain", "psnr", "mean")):
        value: Any = scores
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        if not isinstance(value, int | float) or not abs(value) < 1e6:
            dotted = ".".join(key)
            raise RunError(f"{path}: damaged: expected a number as {dotted}. Received: {value!r}.")
    return scores


def are_best_weights(run: Path, digest: str | None) -> bool:
    """Return whether weights that were scored are the run's best, as far as is known.

    Training that goes on after an evaluation may replace them.

    Args:
        run: the run directory.
        digest: their file's SHA-256; None in scores of versions that did not note it.

    Raises:
        RunError: the weights cannot be read.
    """
    exists = (run / BEST_WEIGHTS).is_file()
    return digest is None or (exists and digest == digest_of_best_weights(run))


def digest_of_best_weights(run: Path) -> str:
    """Return the SHA-256 of the file of a run's best weights.

    Raises:
        RunError: it cannot be read.
    """
    path = run / BEST_WEIGHTS
    try:
        return sha256(path)
    except OSError as error:
        raise RunError(f"{printable(path)}: cannot be read: {error.strerror}.") from error


def find(name: str, folder: Path = FOLDER) -> Path:
    """Return the run directory that a path, or a name under `runs/`, stands for.

    Raises:
        RunError: there is none.
    """
    found = _found(name, folder)
    if found is None:
        newest = newest_of(name, folder)
        known = [path.name for path in _directories(folder)]
        hint = f" Did you mean '{newest.name}'?" if newest else did_you_mean(name, known)
        raise RunError(f"{name}: no such run under {folder}/.{hint}")
    return found


def is_run(name: str, folder: Path = FOLDER) -> bool:
    """Return whether `find` finds a run directory of that name."""
    return _found(name, folder) is not None


def distinct(paths: Sequence[Path]) -> list[Path]:
    """Return the paths without those that lead to a folder named before."""
    found: dict[Path, Path] = {}
    for path in paths:
        found.setdefault(path.resolve(), path)
    return list(found.values())


def shipped_models() -> dict[str, Path]:
    """Return the run directories that come with the tool, by name."""
    folder = Path(__file__).parent / "models"
    return {path.name: path for path in sorted(folder.iterdir()) if (path / CONFIG).is_file()}


def find_or_copy(name: str, folder: Path = FOLDER) -> Path:
    """Return the run directory that `find` returns, or else a copy of the model, to be written to.

    The copy is in the folder `models` under `folder`, so that it is nobody's newest run. Its name
    ends in a digest of the weights: another version's model is not taken for it.

    Raises:
        RunError: there is neither.
        UserInputError: `folder`, or what it is in, is a file.
        WriteError: the copy cannot be written.
    """
    path = find_model(name, folder)
    if path.resolve() not in {model.resolve() for model in shipped_models().values()}:
        return path
    copy = folder / "models" / f"{path.name}-{digest_of_best_weights(path)[:8]}"
    if _started(copy) is None:
        make_folder(copy.parent)
        with new_folder(copy) as temporary:
            shutil.copytree(path, temporary, dirs_exist_ok=True)
    return copy


def find_model(name: str, folder: Path = FOLDER, *, before: Path | None = None) -> Path:
    """Return the run directory that `find` returns, or else the newest run of that config.

    It is the one that was started last of the runs under `folder` whose config is called so and
    that have best weights. Or else the shipped model of that name.

    Args:
        name: of a run, a config or a model, or a path.
        folder: where the runs are.
        before: a run; of a config those that were started earlier are looked at only.

    Raises:
        RunError: there is none of these.
    """
    models = shipped_models()
    try:
        return find(name, folder)
    except RunError as error:
        try:
            trained = _trained(folder, before)
        except RunError:
            # A model needs no runs.
            if name in models:
                return models[name]
            raise
        of_config = [path for path in trained if _config_name(path) == name]
        if of_config:
            return of_config[-1]
        if name in models:
            return models[name]
        if newest := newest_of(name, folder):
            advice = (
                f"{newest} is being trained, and has them after its first epoch."
                if _is_locked(newest)
                else f"To go on with one: tidenhance train --resume {shlex.quote(str(newest))}"
            )
            raise RunError(
                f"{name}: none of its runs under {folder}/ has best weights yet. {advice}"
            ) from error
        from tidenhance import config as config_module

        if name in config_module.shipped():
            hint = f" It is a config; train it first: tidenhance train --config {name}"
        else:
            hint = did_you_mean(name, models)
            hint = hint or f" Models that come with the tool: {', '.join(models)}."
        raise RunError(f"{error}{hint}") from error


def newest_of(config_name: str, folder: Path = FOLDER) -> Path | None:
    """Return the run under `folder` that was started last of those of a config, or None."""
    of_config = [path for path in _directories(folder) if _config_name(path) == config_name]
    return of_config[-1] if of_config else None


def newest_with_weights(folder: Path = FOLDER) -> Path:
    """Return the run under `folder` that was started last of those that have best weights.

    Raises:
        RunError: there is none.
    """
    trained = _trained(folder)
    if not trained:
        raise RunError(
            f"No trained run under {folder}/. Train one first, as in:"
            " tidenhance train --config quickstart"
        )
    return trained[-1]


def newest_for_any_picture(folder: Path = FOLDER) -> Path | None:
    """Return, of the trained runs for colour pictures of any size, that started last, or None."""
    suitable = [path for path in _trained(folder) if not _is_special(path)]
    return suitable[-1] if suitable else None


def _trained(folder: Path, before: Path | None = None) -> list[Path]:
    """Return the runs that have best weights, oldest first; of those before a run, if given."""
    found = [path for path in _directories(folder) if (path / BEST_WEIGHTS).is_file()]
    limit = None if before is None else _started(before)
    return found if limit is None else [path for path in found if (_started(path) or 0) < limit]


def _is_special(run: Path) -> bool:
    """Whether a run's network takes grey pictures only, or pictures of one size."""
    if not (run / NETWORK).is_file():
        return False
    try:
        shape = read_json(run / NETWORK).get("input_shape")
    except RunError:
        return False
    return shape is not None and shape != [None, None, 3]


def summaries(folder: Path = FOLDER) -> list[Summary]:
    """Return a summary of every run under `folder`, oldest first; empty without such a folder."""
    return [_summary(path) for path in _directories(folder)]


def _found(name: str, folder: Path) -> Path | None:
    candidates = (Path(name), folder / name) if name else ()
    found = next((path for path in candidates if _started(path) is not None), None)
    # Of the folder that one is in, `.` is not what it is called.
    return found.resolve() if found is not None and found.name in ("", "..") else found


def _directories(folder: Path) -> list[Path]:
    """Return the run directories under a folder, oldest first; of none that is not there yet.

    Raises:
        RunError: it is no folder, or cannot be listed.
    """
    try:
        inside = list(folder.iterdir())
    except FileNotFoundError as error:
        if folder.is_symlink():
            raise RunError(f"{printable(folder)}: leads to no folder.") from error
        return []
    except NotADirectoryError as error:
        raise RunError(f"{printable(folder)}: expected a folder. Received: a file.") from error
    except OSError as error:
        raise RunError(f"{printable(folder)}: cannot be listed: {error.strerror}.") from error
    started = {path: time for path in inside if (time := _started(path)) is not None}
    return sorted(started, key=lambda path: (started[path], path.name))


def _started(run: Path) -> int | None:
    """Return when a run directory's config was written, or None if it is not a run directory."""
    try:
        return (run / CONFIG).stat().st_mtime_ns
    except (OSError, ValueError):
        return None


def _summary(run: Path) -> Summary:
    try:
        config = _config_as_written(run)
        history = read_history(run)
        scores = read_scores(run)
        if scores and not are_best_weights(run, scores.get("weights_sha256")):
            scores = None
        state = state_of(run)
    except (ConfigError, RunError) as error:
        return Summary(run, "damaged", problem=str(error))
    training = config.get("training")
    epochs = training.get("epochs") if isinstance(training, dict) else None
    validation = config.get("validation")
    best = best_row(history, validation.get("best_epoch") if isinstance(validation, dict) else None)
    return Summary(
        path=run,
        state=state,
        config=_config_name(run),
        epochs=len(history),
        planned_epochs=epochs if isinstance(epochs, int) else None,
        best_val_loss=best["val_loss"] if best else None,
        scores=scores,
    )


def best_row(history: Sequence[dict[str, float]], best_epoch: Any) -> dict[str, float] | None:
    """Return the epoch of a history whose weights are the best, or None if none was validated.

    Args:
        history: as `read_history` returns it.
        best_epoch: the config's `validation.best_epoch`: the last epoch if it is `last`, else that
            of the lowest val_loss, the first of several.
    """
    rows = [row for row in history if math.isfinite(row.get("val_loss", math.nan))]
    if rows and best_epoch == "last":
        return rows[-1]
    return min(rows, key=lambda row: row["val_loss"], default=None)


def _config_as_written(run: Path) -> dict[str, Any]:
    """Return a run's config; not the validated one, which would import TensorFlow."""
    from tidenhance import config as config_module

    if not (run / CONFIG).is_file():
        raise RunError(f"{run / CONFIG}: expected a file.")  # a pipe would be waited for
    return config_module.read(run / CONFIG)[0]


def _config_name(run: Path) -> str:
    """Return the name of the config that a run was made from, or a question mark."""
    try:
        provenance = _config_as_written(run).get("provenance")
    except (ConfigError, RunError):
        return "?"
    return str(provenance.get("config", "?")) if isinstance(provenance, dict) else "?"


def state_of(run: Path) -> State:
    """Return how a run stands.

    Raises:
        RunError: it is not noted, or the file is damaged.
    """
    state: State = read_json(run / STATE).get("state")  # type: ignore[assignment]
    if state not in NOTED:
        raise RunError(f"{run / STATE}: damaged: expected one of {', '.join(NOTED)} as state.")
    return "cut off" if state == "running" and not _is_locked(run) else state


def _is_locked(run: Path) -> bool:
    if not (run / LOG).is_file():
        return False  # a pipe would be waited for
    try:
        with (run / LOG).open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _bounded(text: str, kind: type[int] | type[float], largest: float = _LARGEST) -> Any:
    value = kind(text)
    if largest < abs(value) < math.inf:
        raise ValueError(f"expected numbers up to {largest:.0e}. Received: {printable(text[:30])}")
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a run's JSON file; NaN and infinities in it become None.

    Raises:
        RunError: the file cannot be read, or holds something else.
    """
    if path.exists() and not path.is_file():
        raise RunError(f"{path}: damaged: expected a file.")  # a pipe would be waited for
    try:
        value = json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=lambda _: None,
            parse_int=lambda text: _bounded(text, int),
            parse_float=lambda text: _bounded(text, float),
        )
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"{path}: damaged: {reason}.") from error
    if not isinstance(value, dict):
        raise RunError(f"{path}: damaged: expected a JSON object.")
    return value
