"""Read what evaluated runs left behind, without TensorFlow, and check that it can be compared."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from tidenhance import config as config_module
from tidenhance import runs
from tidenhance.data.pairs import Split
from tidenhance.errors import ConfigError, RunError, printable
from tidenhance.scores import check_comparable, differences

_KNOWN_METRICS = ("psnr", "psnr_y", "ssim", "ssim_y", "ms_ssim")


class _Read(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class Gain(_Read):
    """By how much a metric is better than doing nothing, and its 95 % interval over references.

    Without `low` and `high` no interval could be given, as for a single reference.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    references: int


class Figures(_Read):
    """Mean metrics of a group of pairs, and of doing nothing to them; PSNR in dB."""

    pairs: int
    psnr: float
    identity: dict[str, float | None]
    gain: dict[str, Gain]
    name: str | None = None

    @model_validator(mode="after")
    def _has_gain(self) -> Self:
        if "psnr" not in self.gain:
            raise ValueError("gain: expected psnr among its keys")
        return self

    def metric(self, name: str) -> float | None:
        """Return a metric's mean, or None where it was not measured."""
        value = getattr(self, name, None)
        return float(value) if isinstance(value, int | float) else None


class Result(Figures):
    """How one method did on all pairs; `seconds_per_picture` is its own time alone."""

    per_type: dict[str, Figures] = {}
    per_level: dict[str, Figures] = {}
    per_reference: dict[str, Figures] = {}
    seconds_per_picture: float | None = None


class Article(_Read):
    """What the article reports where its protocol is that of the run."""

    figures: dict[str, float]
    note: str


class Scores(Result):
    """What `scores.json` holds."""

    tidenhance: str
    split: str
    levels: list[int] | None
    root: str | None = None
    references: int
    data_fingerprint: str
    device: str | None = None
    weights_sha256: str | None = None
    conventions: dict[str, str] = {}
    article: Article | None = None
    baselines: dict[str, Result] = {}


class Layer(_Read):
    """A layer of a network; null in `output` stands for any size."""

    name: str
    type: str
    output: list[list[int | None]]
    parameters: int


class Network(_Read):
    """What `network.json` holds; `multiply_adds` are for `width` x `height`."""

    network: str
    layers: int
    parameters: int
    multiply_adds: int
    width: int
    height: int
    receptive_field: int
    sees_whole_picture: bool
    layer_table: list[Layer]


@dataclass(frozen=True)
class Run:
    """An evaluated run.

    Attributes:
        path: its directory.
        label: what it is called beside the others: its config's name where that is unique.
        config: its config, not validated: that would import TensorFlow.
        config_text: the same, as it stands in the file.
        history: a dictionary an epoch; empty without a history.
        state: how it stands.
        network: None where the run has no `network.json`.
        scores: those of the split that is reported.
        validation: those of the validation split; None without.
        root: the data set's folder: the one given, or where the run was evaluated, or trained.
    """

    path: Path
    label: str
    config: dict[str, Any]
    config_text: str
    history: list[dict[str, float]]
    state: str
    network: Network | None
    scores: Scores
    validation: Scores | None
    root: str | None

    def setting(self, *key: str | int) -> Any:
        """Return a value in the config, or None where there is none."""
        value: Any = self.config
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def eval_command(self, levels: Sequence[int] | None) -> str:
        """Return the command that evaluates the run again, on the data that its scores are of."""
        root = None if self.root == self.setting("data", "root") else self.root
        return eval_command(self.path, self.scores.split, levels, root)


@dataclass(frozen=True)
class Method:
    """A way to restore: a run's network, or a baseline.

    Attributes:
        label: its name in tables and plots.
        kind: which of the two.
        result: how it did.
        run: the run, or for a baseline the run that it was evaluated with.
    """

    label: str
    kind: Literal["network", "baseline"]
    result: Result
    run: Run


def read(
    paths: Sequence[Path],
    split: Split,
    levels: Sequence[int] | None = None,
    root: str | None = None,
) -> list[Run]:
    """Return the runs, once each, with the scores of a split.

    Args:
        paths: the run directories.
        split: whose scores are compared.
        levels: levels of distortion, where not those of the runs' `data.levels`.
        root: the data set's folder, if it is not where the evaluation found it.

    Raises:
        RunError: a run is missing or damaged, has no such scores, or has scores of other data
            than the first run's.
    """
    unique = runs.distinct(paths)
    if not unique:
        raise RunError("Expected at least one run. Received: none.")
    configs = {path: _read_config(path) for path in unique}
    called = _labels(configs)
    found = []
    for path in unique:
        scores = _read_scores(path, split, levels)
        if scores is None:
            raise RunError(
                f"{path}: no {runs.scores_name(split, 'json', levels)}: not evaluated on {split}."
                f" Evaluate it first: {eval_command(path, split, levels)}"
            )
        found.append(
            Run(
                path=path,
                label=called[path],
                config=configs[path],
                config_text=(path / runs.CONFIG).read_text(encoding="utf-8"),
                history=runs.read_history(path),
                state=_read_state(path),
                network=_read_network(path),
                scores=scores,
                validation=_validation_scores(path),
                root=root or _root(configs[path], scores),
            )
        )
    keys = {"split", "levels", "pairs", "data_fingerprint"}
    check_comparable({str(run.path): run.scores.model_dump(include=keys) for run in found})
    return found


def labels(paths: Sequence[Path]) -> list[str]:
    """Return what runs, each of them there once, are called beside each other.

    By their configs' names, where these are alike by their folders', and by their paths where both
    are.

    Raises:
        RunError: one is no run directory, or its config is damaged.
    """
    return list(_labels({path: _read_config(path) for path in paths}).values())


def methods(compared: Sequence[Run]) -> list[Method]:
    """Return the runs' networks, and after them the baselines, each as first evaluated."""
    baselines: dict[str, Method] = {}
    for run in compared:
        for name, result in run.scores.baselines.items():
            baselines.setdefault(name, Method(name, "baseline", result, run))
    return [Method(run.label, "network", run.scores, run) for run in compared] + list(
        baselines.values()
    )


def differences_to_first(method: Method, compared: Sequence[Run]) -> dict[str, Gain]:
    """Return by how much each metric of a method is better than the first run's, in pairs.

    Empty for the first run itself, and where the method was not scored by reference.
    """
    first = compared[0].scores
    if method.result is first:
        return {}
    result, other = (x.model_dump(include={"per_reference"}) for x in (method.result, first))
    return {name: Gain(**gain) for name, gain in differences(result, other).items()}


def metrics(compared: Sequence[Run]) -> list[str]:
    """Return the names of the metrics that some run has: the usual ones first, errors last."""
    found = list(
        dict.fromkeys(
            name
            for run in compared
            for name, value in run.scores.identity.items()
            if value is not None
        )
    )
    errors = [name for name in ("mse", "mae") if name in found]
    known = [name for name in _KNOWN_METRICS if name in found]
    return known + [name for name in found if name not in (*known, *errors)] + errors


def eval_command(
    path: Path, split: str, levels: Sequence[int] | None = None, root: str | None = None
) -> str:
    """Return the command that evaluates a run."""
    where = "" if split == "val" else f" --split {split}"
    which = "" if levels is None else f" --levels {','.join(map(str, levels))}"
    data = "" if root is None else f" --data {shlex.quote(root)}"
    return f"tidenhance eval {shlex.quote(str(path))}{where}{which}{data}"


def _read_config(path: Path) -> dict[str, Any]:
    if not (path / runs.CONFIG).is_file():
        raise RunError(f"{path}: not a run directory: it has no {runs.CONFIG}.")
    try:
        return config_module.read(path / runs.CONFIG)[0]
    except ConfigError as error:
        raise RunError(str(error)) from error


def _labels(configs: Mapping[Path, dict[str, Any]]) -> dict[Path, str]:
    names = {path: _config_name(path, config) for path, config in configs.items()}
    folders = {path: path.resolve().name for path in configs}
    counts, same_folder = Counter(names.values()), Counter(folders.values())
    found = {}
    for path in configs:
        folder = folders[path] if same_folder[folders[path]] == 1 else str(path)
        found[path] = names[path] if counts[names[path]] == 1 else folder
    # A folder may be called as another run's config is.
    counts = Counter(found.values())
    return {path: printable(label if counts[label] == 1 else path) for path, label in found.items()}


def _config_name(path: Path, config: dict[str, Any]) -> str:
    provenance = config.get("provenance")
    name = provenance.get("config") if isinstance(provenance, dict) else None
    return str(name or path.resolve().name)


def _read_scores(path: Path, split: str, levels: Sequence[int] | None) -> Scores | None:
    file = path / runs.scores_name(split, "json", levels)
    if not file.is_file():
        return None
    data = runs.read_json(file)
    try:
        return Scores.model_validate(data)
    except ValidationError as error:
        raise RunError(
            f"{file}: written by tidenhance {data.get('tidenhance', 'of an older version')}, whose"
            f" keys do not fit this version: {_mistakes(error)}. Evaluate the run again:"
            f" {eval_command(path, split, levels)}"
        ) from error


def _validation_scores(path: Path) -> Scores | None:
    """Return the validation split's scores; those that cannot be read are not what is compared."""
    try:
        return _read_scores(path, "val", None)
    except RunError:
        return None


def _root(config: Mapping[str, Any], scores: Scores) -> str | None:
    # It may have been moved since. `Path.exists` raises where one may not look.
    if scores.root is not None and os.path.exists(scores.root):  # noqa: PTH110
        return scores.root
    data = config.get("data")
    return data.get("root") if isinstance(data, dict) else None


def _read_network(path: Path) -> Network | None:
    file = path / runs.NETWORK
    if not file.is_file():
        return None
    try:
        return Network.model_validate(runs.read_json(file))
    except ValidationError as error:
        raise RunError(f"{file}: damaged, or of another version: {_mistakes(error)}.") from error


def _read_state(path: Path) -> str:
    return runs.state_of(path) if (path / runs.STATE).is_file() else "not noted"


def _mistakes(error: ValidationError, most: int = 4) -> str:
    listed = [
        f"{'.'.join(map(str, one['loc'])) or 'the whole'}: {one['msg'].lower()}"
        for one in error.errors()
    ]
    more = [f"and {len(listed) - most} more"] if len(listed) > most else []
    return "; ".join([*listed[:most], *more])
