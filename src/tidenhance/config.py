"""Load, override, validate and write back the YAML file that describes an experiment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from tidenhance import components, mistakes, strict_yaml
from tidenhance.components import Kind
from tidenhance.errors import ConfigError, did_you_mean, printable
from tidenhance.mistakes import Report, Schema
from tidenhance.strict_yaml import Key, dotted

DATA_VARIABLE = "TIDENHANCE_DATA"

COMPONENTS: dict[str, Kind] = {"network": "networks", "data": "data.datasets", "loss": "losses"}

Places = dict[Key, str]

Count = Annotated[int, Field(ge=1, le=1_000_000)]
PositiveFloat = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=0.99999)]  # nearer to 1, float32 has no digits left

# A run directory's name begins with it, and a date and a time follow; names have 255 bytes.
MAX_NAME_BYTES = 200


def _file_name(name: str) -> str:
    if (
        name in ("", ".", "..")
        or {"/", "\\"} & set(name)
        or not name.isprintable()
        or len(name.encode()) > MAX_NAME_BYTES
    ):
        raise ValueError(
            "expected a plain file name: no '/', '\\' or control characters, not '.' or '..',"
            f" at most {MAX_NAME_BYTES} bytes"
        )
    return name


def _mse_of_types(value: Any) -> Any:
    """Return the MSE of types 1 to 24 in a file of scores, 0 where it has none."""
    if not isinstance(value, str):
        return value
    try:
        scores = json.loads(Path(value).read_text(encoding="utf-8"))["per_type"]
        return [scores[str(n)]["mse"] if str(n) in scores else 0.0 for n in range(1, 25)]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "there are none in it"
        raise ValueError(f"expected scores that tidenhance eval wrote: {reason}") from error


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_MSEOfTypes = Annotated[
    list[Annotated[float, Field(ge=0, le=1)]], Field(min_length=24, max_length=24)
]
MSEOfTypes = Annotated[
    _MSEOfTypes, BeforeValidator(_mse_of_types, json_schema_input_type=str | _MSEOfTypes)
]
_Names = Annotated[list[str], Field(min_length=1)]
Names = Annotated[_Names, BeforeValidator(_listed, json_schema_input_type=str | _Names)]


class Section(BaseModel):
    """A part of a config: frozen, and no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Component(Section):
    """A component's name, and the options of its function."""

    model_config = ConfigDict(extra="allow")

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments for the component's function."""
        return dict(self.model_extra or {})


class ReduceOnPlateau(Section):
    """Multiply the learning rate by `factor` after `patience` epochs without a lower val_loss."""

    factor: Fraction = 0.5
    patience: Count = 5
    minimum: Annotated[float, Field(ge=0)] = 0.0


class CosineDecay(Section):
    """Let the learning rate rise for `warm_up_epochs`, then fall along half a cosine to `minimum`.

    It changes with each step; a run's history has that of each epoch's last step.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017),
    equation 5, without restarts.
    """

    warm_up_epochs: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    minimum: Annotated[float, Field(ge=0)] = 0.0


class LearningRateSchedule(Section):
    """How the learning rate changes: at most one of the two; without either it is constant."""

    reduce_on_plateau: ReduceOnPlateau | None = None
    cosine_decay: CosineDecay | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> LearningRateSchedule:
        if self.reduce_on_plateau and self.cosine_decay:
            raise ValueError("expected at most one of reduce_on_plateau and cosine_decay")
        return self


class Optimizer(Section):
    """Adam (Kingma and Ba, 2014), or AdamW (Loshchilov and Hutter, 2019) with a `weight_decay`.

    Each step takes learning_rate x `weight_decay` of every weight, biases included, away from it.
    Gradients whose norm, all together, is above `gradient_clip_norm` are scaled down to it. With
    `exponential_moving_average` m, averages a <- m a + (1 - m) w are kept of the weights w, and in
    place of these are what is validated and kept as best weights.
    """

    beta_1: Share = 0.9
    beta_2: Share = 0.999
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    gradient_clip_norm: PositiveFloat | None = None
    exponential_moving_average: Share | None = None


class Synthesis(Section):
    """Train on pairs made meanwhile, in place of the data set's.

    `photographs` is a folder of pristine ones, each at least 512 x 384, and none of them, under
    whatever name, one that is validated or tested on, or whose middle is. Each entry of `types` is
    as likely, and each of `levels` (0: not distorted); what is listed twice is twice as likely.
    `types_by_mse`, the scores that `tidenhance eval` wrote or 24 numbers, makes each type as likely
    as its MSE is large. `pictures_per_step` new pictures are made a step, eight one after the other
    from the same photograph, and each is there to cut patches from until `window` newer ones are
    made. With `gamma` above 1 each pristine picture is first raised to a power between 1 / gamma
    and gamma, so that a network with few photographs learns what distortions leave, not how bright
    these few are.
    """

    photographs: components.PathText
    types: Annotated[list[Annotated[int, Field(ge=1, le=24)]], Field(min_length=1)] = [
        *range(1, 25)
    ]
    types_by_mse: MSEOfTypes | None = None
    levels: Annotated[list[Annotated[int, Field(ge=0, le=5)]], Field(min_length=1)] = [*range(6)]
    pictures_per_step: PositiveFloat = 1.0
    window: Annotated[int, Field(ge=1, le=4096)] = 256
    gamma: Annotated[float, Field(ge=1, le=4)] = 1.0
    processes: Count | None = None

    @model_validator(mode="after")
    def _types_are_likely(self) -> Synthesis:
        for number, probability in zip(self.types, self.probabilities or (), strict=False):
            if not probability:
                raise ValueError(f"expected types_by_mse above 0 for each of types: {number} has 0")
        return self

    @property
    def probabilities(self) -> list[float] | None:
        """How likely each entry of `types` is, if they are not alike."""
        if self.types_by_mse is None:
            return None
        errors = [self.types_by_mse[number - 1] for number in self.types]
        total = sum(errors) or 1.0
        return [error / total for error in errors]


class LaterPatchSize(Section):
    """Another side of the random crops, from the beginning of an epoch on: progressive learning.

    Source: Zamir et al., "Restormer: Efficient Transformer for High-Resolution Image Restoration"
    (2022), section 3.3.
    """

    epoch: Annotated[int, Field(ge=2, le=1_000_000)]
    patch_size: Count


class Augmentation(Section):
    """What is done at random to both pictures of a training pair alike, beside cropping.

    `flips` are left-right and upside down, each with probability 1/2; `rotations` by 0, 90, 180 or
    270 degrees, all as likely; `rgb_permutation` puts the channels of colour pictures into one of
    six orders, all as likely.

    Source of the last: Yoo, Ahn and Sohn, "Rethinking Data Augmentation for Image Super-resolution"
    (2020), section 2.
    """

    flips: bool = False
    rotations: bool = False
    rgb_permutation: bool = False


class EarlyStopping(Section):
    """Stop when val_loss has not improved for `patience` epochs."""

    patience: Count = 10


class StopAt(Section):
    """Stop after the first epoch in which a loss or a metric is `value`, or better."""

    metric: str
    value: float


class CheckpointEvery(Section):
    """Save a checkpoint within an epoch too: after so many steps, so many minutes, or neither."""

    steps: Count | None = None
    minutes: PositiveFloat | None = 10.0


class Training(Section):
    """How the network is trained.

    `patch_size` null means whole pictures. `initial_weights` are of one run, or of several whose
    networks are parts of this one; each is named by its directory, or by its config for the newest.
    """

    epochs: Count
    steps_per_epoch: Count | None = None
    batch_size: Count
    gradient_accumulation_steps: Count = 1
    steps_per_execution: Count = 1
    patch_size: Count | None = None
    later_patch_sizes: list[LaterPatchSize] = []
    synthesis: Synthesis | None = None
    augmentation: Augmentation = Augmentation()
    learning_rate: PositiveFloat
    learning_rate_schedule: LearningRateSchedule = LearningRateSchedule()
    optimizer: Optimizer = Optimizer()
    early_stopping: EarlyStopping | None = None
    stop_at: StopAt | None = None
    checkpoint_every: CheckpointEvery = CheckpointEvery()
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    xla: Literal["auto", "on", "off"] = "auto"
    initial_weights: Names | None = None
    cache_gib: Annotated[float, Field(ge=0)] = 4.0


class Validation(Section):
    """What is validated on after each epoch: whole pictures, or one crop a pair.

    The crop is the central one, or another after each epoch; then doing nothing is measured on the
    first epoch's, and which epoch is best depends on its crops too. `best_epoch` is the one whose
    weights are kept as the best: that of the lowest val_loss, or, where validation pictures are too
    few to choose by, the last.
    """

    batch_size: Count
    patch_size: Count | None = None
    crop: Literal["central", "random"] = "central"
    best_epoch: Literal["lowest_val_loss", "last"] = "lowest_val_loss"

    @model_validator(mode="after")
    def _crop_of_a_size(self) -> Validation:
        if self.crop == "random" and self.patch_size is None:
            raise ValueError("expected a patch_size where crop is random")
        return self


class Logging(Section):
    """Where a run is logged to, beside its own directory."""

    tensorboard: bool = False


class Provenance(Section):
    """What a run was made with, written by the tool; of it only the config's name is read."""

    # The next run's directory is named after it, and must not lead out of the folder of runs.
    config: Annotated[str, AfterValidator(_file_name)]
    tidenhance: str
    keras: str
    tensorflow: str
    numpy: str
    pillow: str | None = None
    scipy: str | None = None
    scikit_image: str | None = None
    python: str
    platform: str
    device: str
    git_commit: str | None
    started: str


class Config(Section):
    """An experiment, validated. Nobody changes it afterwards."""

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    network: Component
    data: Component
    loss: Component
    metrics: list[str]
    training: Training
    validation: Validation
    logging: Logging = Logging()
    provenance: Provenance | None = None


def shipped_folder() -> Path:
    """Return the folder of the configs that come with the tool."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parents[1] / "configs"


def shipped() -> dict[str, str]:
    """Return the name of each config that comes with the tool, and its one-line purpose."""
    return {
        path.stem: path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        for path in sorted(shipped_folder().glob("*.yaml"))
    }


def find(name: str) -> Path:
    """Return the file that `--config` names: a path, or a shipped config with or without `.yaml`.

    Raises:
        ConfigError: there is no such file.
    """
    path = Path(name)
    stem = name.removesuffix(".yaml")
    try:
        is_folder = path.is_dir()
        if path.exists() and not is_folder:
            return path
    except OSError as error:
        raise ConfigError(
            f"--config: '{printable(name)}' cannot be read: {error.strerror}."
        ) from error
    if stem in shipped():
        return shipped_folder() / f"{stem}.yaml"
    if is_folder:
        inside = sorted(map(str, path.glob("*.yaml")))
        raise ConfigError(
            f"--config: expected a YAML file. Received: the folder '{printable(name)}'."
            + (f" Did you mean '{printable(inside[0])}'?" if len(inside) == 1 else "")
        )
    likely = [*(f"{known}.yaml" for known in shipped()), *map(str, path.parent.glob("*.yaml"))]
    raise ConfigError(
        f"--config: no file '{printable(name)}', and no config of that name comes with the tool"
        f" ({', '.join(shipped())})." + did_you_mean(f"{stem}.yaml", likely)
    )


def read(path: Path, problems: list[str] | None = None) -> tuple[dict[str, Any], Places]:
    """Return a config file's data, not validated, and the place of each key.

    Args:
        path: the YAML file.
        problems: see `strict_yaml.parse`.

    Raises:
        ConfigError: the file cannot be read, or is not strict YAML with keys at the top.
    """
    shown = printable(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(strict_yaml.MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{line}: not UTF-8 text: {error.reason}.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{shown}: cannot be read: {reason}.") from error
    data, places = strict_yaml.parse(text, lambda line: f"{shown}:{line}", problems)
    if not isinstance(data, dict):
        received = "nothing" if data is None else mistakes.shown(data)
        raise ConfigError(f"{shown}:1: expected keys and values. Received: {received}.")
    return data, places


def load(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    root: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Config:
    """Read a config, apply `KEY=VALUE` overrides, and validate the whole.

    A `data.root` that is null or not given is taken from the variable `TIDENHANCE_DATA`.

    Args:
        path: the YAML file.
        overrides: dotted key and YAML value, as in `training.epochs=5`; of one key the last counts.
        root: takes the place of `data.root`.
        environment: where `TIDENHANCE_DATA` is looked up.

    Raises:
        ConfigError: the message has one line for each mistake, each with its place, its key, what
            was received and what is allowed; of more than `mistakes.MOST` it says that there are.
    """
    problems: list[str] = []
    data, places = read(path, problems)
    for override in overrides:
        _apply(override, data, places, problems)
    if root is not None:
        _set(("data", "root"), root, "--data", data, places, problems)
    config = _validate(data, places, problems, printable(path), environment.get(DATA_VARIABLE))
    if config is None or problems:
        more = ["… and more"] if len(problems) > mistakes.MOST else []
        raise ConfigError("\n".join([*problems[: mistakes.MOST], *more]))
    return config


def run_name(config: Config, path: Path) -> str:
    """Return what a run of a config is named after: the config it was made from, else its file.

    Args:
        config: the config.
        path: the file it was loaded from.

    Raises:
        ConfigError: the file's name is none that a run's can begin with.
    """
    if config.provenance is not None:
        return config.provenance.config
    try:
        return _file_name(path.stem)
    except ValueError as error:
        raise ConfigError(
            f"{printable(path)}: runs are named after the config's file: {error}."
            f" Received: '{printable(path.stem)}'."
        ) from error


def dump(config: Config) -> str:
    """Return a config as YAML that `load` reads back to an equal config."""
    return strict_yaml.dump(config.model_dump(mode="json"))


def json_schema() -> str:
    """Return the JSON schema of a config, each component's options included."""
    schema = _schema()
    definitions = schema["$defs"]
    for section, kind in COMPONENTS.items():
        variants = []
        for name in components.names(kind):
            variant = components.options(kind, name).model_json_schema(
                ref_template=f"#/$defs/{name}.{{model}}"
            )
            for model, definition in variant.pop("$defs", {}).items():
                definitions[f"{name}.{model}"] = definition
            variant.pop("title", None)
            variant["properties"] = {"name": {"const": name}, **variant.get("properties", {})}
            variant["required"] = ["name", *variant.get("required", [])]
            variants.append(variant)
        schema["properties"][section] = {"oneOf": variants}
    definitions.pop("Component")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2) + "\n"


def component(kind: Kind, text: str, argument: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options that a command-line value gives for a component.

    Args:
        kind: what it is.
        text: a name, as in `nlm`, or YAML as in a config, `{name: nlm, strength: 1}`.
        argument: what to call it in errors, as in `--baseline`.

    Raises:
        ConfigError: there is no such component, or it does not take such options.
    """
    value, _ = strict_yaml.parse(text, lambda _: argument)
    entry = dict(value) if isinstance(value, dict) else {"name": value}
    name = entry.pop("name", None)
    if name not in components.names(kind):
        raise ConfigError(f"{argument}: {mistakes.one_of(components.names(kind), name)}")
    return name, checked(kind, name, entry, argument)


def checked(kind: Kind, name: str, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the arguments for a component's function, validated, with the defaults of the rest.

    Args:
        kind: what it is.
        name: of a component that there is.
        arguments: by name.
        where: what to say in errors that they come from.

    Raises:
        ConfigError: it does not take such; the message has a line for each mistake.
    """
    model = components.options(kind, name)
    problems: list[str] = []
    try:
        return dict(model.model_validate(arguments))
    except ValidationError as error:

        def report(key: Key, message: str) -> None:
            problems.append(f"{where}: {dotted(key)}: {message}")

        mistakes.report_all(error, model.model_json_schema(), report, owner=f"'{name}' takes")
        raise ConfigError("\n".join(problems)) from error


def _schema() -> Schema:
    schema = Config.model_json_schema()
    schema["properties"]["metrics"]["items"] = {"enum": list(components.names("metrics"))}
    return schema


def _apply(override: str, data: dict[str, Any], places: Places, problems: list[str]) -> None:
    name, equals, text = override.partition("=")
    place = f"argument {mistakes.shown(override)}"
    key = tuple(name.split("."))
    if not equals or not all(key):
        problems.append(f"{place}: expected KEY=VALUE, as in training.epochs=5.")
        return
    if not text.strip():
        problems.append(f"{place}: {dotted(key)}: nothing follows. Write null for none.")
        return
    try:
        value, _ = strict_yaml.parse(text, lambda _: place)
    except ConfigError as error:
        problems.append(str(error))
        return
    _set(key, value, place, data, places, problems)


def _set(
    key: tuple[str, ...],
    value: Any,
    place: str,
    data: dict[str, Any],
    places: Places,
    problems: list[str],
) -> None:
    section: Any = data
    for depth, part in enumerate(key[:-1]):
        if section.get(part) is None:
            section[part] = {}
        section = section[part]
        if not isinstance(section, dict):
            problems.append(f"{place}: {dotted(key[: depth + 1])} has no keys of its own.")
            return
    section[key[-1]] = value
    for known in [known for known in places if known[: len(key)] == key]:
        del places[known]
    places[key] = place


def _validate(
    data: dict[str, Any],
    places: Places,
    problems: list[str],
    source: str,
    default_root: str | None,
) -> Config | None:
    def report(key: Key, message: str) -> None:
        inside = [place for known, place in places.items() if known[: len(key)] == key]
        around = [places[key[:n]] for n in range(len(key) - 1, 0, -1) if key[:n] in places]
        nearest = [*inside[:1], *around, source][0]
        line = f"{nearest}: {dotted(key)}: {message}" if key else f"{nearest}: {message}"
        if line not in problems:
            problems.append(line)

    checked = dict(data)
    for section, kind in COMPONENTS.items():
        entry = data.get(section)
        if not isinstance(entry, dict):
            continue
        name = entry.get("name")
        if name not in components.names(kind):
            allowed = mistakes.one_of(components.names(kind), name)
            given = "name" in entry
            report((section, "name"), allowed if given else f"required, but not given: {allowed}")
            checked[section] = {"name": ""}
            continue
        arguments = {key: value for key, value in entry.items() if key != "name"}
        model = components.options(kind, name)
        needs_root = (
            section == "data"
            and "root" in model.model_fields
            and not getattr(components.module(kind, name), "ROOT_IS_OPTIONAL", False)
        )
        if needs_root and default_root and arguments.get("root") is None:
            arguments["root"] = default_root
            places["data", "root"] = f"variable {DATA_VARIABLE}"
        try:
            options = model.model_validate(arguments)
        except ValidationError as error:
            schema = model.model_json_schema()
            mistakes.report_all(error, schema, report, (section,), f"{section} '{name}' takes")
        else:
            checked[section] = {"name": name, **dict(options)}
    try:
        config = Config.model_validate(checked)
    except ValidationError as error:
        mistakes.report_all(error, _schema(), report)
        return None
    finally:
        _check_metrics(data.get("metrics"), report)
        _check_together(checked, report)
    return config


def _check_metrics(metrics: Any, report: Report) -> None:
    names = components.names("metrics")
    for index, name in enumerate(metrics[: mistakes.MOST] if isinstance(metrics, list) else ()):
        if isinstance(name, str) and name not in names:
            report(("metrics", index), mistakes.one_of(names, name))
        elif name in metrics[:index]:
            report(
                ("metrics", index), f"expected each metric once. Received: {mistakes.shown(name)}."
            )


def history_names(metrics: Sequence[str]) -> list[str]:
    """Return what the history of a training holds of each epoch, beside its number and time."""
    names = ["loss", *metrics]
    return [*names, *(f"val_{name}" for name in names)]


def _check_together(data: dict[str, Any], report: Report) -> None:
    """Report what is wrong between keys that are each right by themselves."""

    def number(*key: str, kind: tuple[type, ...] = (int,)) -> Any:
        """Return the number at a key, or None where there is none that could be right."""
        value: Any = data
        for part in key:
            value = value.get(part) if isinstance(value, dict) else None
        right = isinstance(value, kind)
        return value if right and value > 0 else None

    name = data["network"].get("name") if isinstance(data.get("network"), dict) else None
    multiple = components.module("networks", name).SIZE_MULTIPLE if name else 1
    given = data.get("training")
    training: dict[str, Any] = given if isinstance(given, dict) else {}
    later = training.get("later_patch_sizes")
    later = later if isinstance(later, list) else []
    # What is no section is told elsewhere; the others keep their places.
    later = [one if isinstance(one, dict) else {} for one in later]
    sizes: dict[Key, Any] = {
        (section, "patch_size"): number(section, "patch_size")
        for section in ("training", "validation")
    }
    for index, one in enumerate(later):
        sizes["training", "later_patch_sizes", index, "patch_size"] = one.get("patch_size")
    for key, size in sizes.items():
        if isinstance(size, int) and size > 0 and size % multiple:
            report(key, f"expected a multiple of {multiple} for {name}. Received: {size}.")
    if later and training.get("patch_size") is None:
        report(
            ("training", "patch_size"),
            "expected a number, since there are later_patch_sizes. Received: null.",
        )
    epochs_from = {index: one.get("epoch") for index, one in enumerate(later) if one}
    told = list(epochs_from.values())
    if all(isinstance(epoch, int) for epoch in told) and told != sorted(set(told)):
        report(
            ("training", "later_patch_sizes"),
            f"expected epochs in order, each once. Received: {told}.",
        )
    epochs = number("training", "epochs")
    for index, epoch in epochs_from.items():
        if epochs and isinstance(epoch, int) and epoch > epochs:
            report(
                ("training", "later_patch_sizes", index, "epoch"),
                f"expected at most training.epochs, {epochs}. Received: {epoch}.",
            )
    batch_size = number("training", "batch_size")
    accumulation = number("training", "gradient_accumulation_steps")
    if batch_size and accumulation and batch_size % accumulation:
        report(
            ("training", "gradient_accumulation_steps"),
            f"expected a divisor of training.batch_size, {batch_size}. Received: {accumulation}.",
        )
    per_step = number("training", "synthesis", "pictures_per_step", kind=(int, float))
    window = number("training", "synthesis", "window")
    if per_step and window and per_step > window:
        report(
            ("training", "synthesis", "pictures_per_step"),
            f"expected at most training.synthesis.window, {window}. Received: {per_step}.",
        )
    stop_at = training.get("stop_at")
    stop_metric = stop_at.get("metric") if isinstance(stop_at, dict) else None
    metrics = data.get("metrics")
    if isinstance(stop_metric, str) and isinstance(metrics, list):
        known = history_names([name for name in metrics if isinstance(name, str)])
        if stop_metric not in known:
            report(("training", "stop_at", "metric"), mistakes.one_of(known, stop_metric))
    if training.get("synthesis") is not None and training.get("steps_per_epoch") is None:
        report(
            ("training", "steps_per_epoch"),
            "expected a number, since training.synthesis has no end. Received: null.",
        )
    warm_up = ("training", "learning_rate_schedule", "cosine_decay", "warm_up_epochs")
    rising = number(*warm_up)
    if rising and epochs and rising >= epochs:
        report(warm_up, f"expected less than training.epochs, {epochs}. Received: {rising}.")
    rate = number("training", "learning_rate", kind=(int, float))
    for schedule in ("cosine_decay", "reduce_on_plateau"):
        key = ("training", "learning_rate_schedule", schedule, "minimum")
        minimum = number(*key, kind=(int, float))
        if rate and minimum and minimum > rate:
            report(key, f"expected at most training.learning_rate, {rate}. Received: {minimum}.")
