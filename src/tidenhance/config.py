"""Load, override, validate and write back the YAML file that describes an experiment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tidenhance import components, strict_yaml
from tidenhance.components import Kind
from tidenhance.errors import ConfigError, did_you_mean
from tidenhance.strict_yaml import Key

DATA_VARIABLE = "TIDENHANCE_DATA"

COMPONENTS: dict[str, Kind] = {"network": "networks", "data": "data.datasets", "loss": "losses"}

PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A part of a config: frozen, and no keys but its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Component(Section):
    """A component's name, and the options of its function."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments for the component's function."""
        return dict(self.model_extra or {})


class ReduceOnPlateau(Section):
    """Multiply the learning rate by `factor` after `patience` epochs without a lower val_loss."""

    factor: Fraction = 0.5
    patience: PositiveInt = 5
    minimum: Annotated[float, Field(ge=0)] = 0.0


class CosineDecay(Section):
    """Let the learning rate fall along half a cosine, from its start to `minimum` at the end."""

    minimum: Annotated[float, Field(ge=0)] = 0.0


class LearningRateSchedule(Section):
    """How the learning rate changes: at most one of the two; without either it is constant."""

    reduce_on_plateau: ReduceOnPlateau | None = None
    cosine_decay: CosineDecay | None = None

    @model_validator(mode="after")
    def _at_most_one(self) -> LearningRateSchedule:
        if self.reduce_on_plateau and self.cosine_decay:
            raise ValueError("at most one of reduce_on_plateau and cosine_decay")
        return self


class Augmentation(Section):
    """What is done at random to both pictures of a training pair alike, beside cropping."""

    flips: bool = False
    rotations: bool = False


class EarlyStopping(Section):
    """Stop when val_loss has not improved for `patience` epochs."""

    patience: PositiveInt = 10


class Training(Section):
    """How the network is trained. `patch_size` null means whole pictures."""

    epochs: PositiveInt
    steps_per_epoch: PositiveInt | None = None
    batch_size: PositiveInt
    gradient_accumulation_steps: PositiveInt = 1
    patch_size: PositiveInt | None = None
    augmentation: Augmentation = Augmentation()
    learning_rate: PositiveFloat
    learning_rate_schedule: LearningRateSchedule = LearningRateSchedule()
    early_stopping: EarlyStopping | None = None
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    xla: Literal["auto", "on", "off"] = "auto"
    initial_weights: str | None = None
    cache_gib: Annotated[float, Field(ge=0)] = 4.0


class Validation(Section):
    """What is validated on after each epoch: one fixed central crop a pair, or whole pictures."""

    batch_size: PositiveInt
    patch_size: PositiveInt | None = None


class Provenance(Section):
    """What a run was made with; written by the tool, never read by it."""

    config: str
    tidenhance: str
    keras: str
    tensorflow: str
    numpy: str
    python: str
    platform: str
    device: str
    git_commit: str | None
    started: str


class Config(Section):
    """An experiment, validated. Nobody changes it afterwards."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    network: Component
    data: Component
    loss: Component
    metrics: list[str]
    training: Training
    validation: Validation
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
    if path.is_file():
        return path
    stem = name.removesuffix(".yaml")
    if stem in shipped():
        return shipped_folder() / f"{stem}.yaml"
    raise ConfigError(
        f"{name}: no such file, and no config of that name comes with the tool"
        f" ({', '.join(shipped())})." + did_you_mean(stem, shipped())
    )


def load(
    path: Path, overrides: Sequence[str] = (), *, environment: Mapping[str, str] = os.environ
) -> Config:
    """Read a config, apply `KEY=VALUE` overrides, and validate the whole.

    A `data.root` that is null is taken from the variable `TIDENHANCE_DATA`.

    Args:
        path: the YAML file.
        overrides: dotted key and YAML value, as in `training.epochs=5`.
        environment: where `TIDENHANCE_DATA` is looked up.

    Raises:
        ConfigError: the message has one line for each mistake, each with its place, its key, what
            was received and what is allowed.
    """
    data, places = _read(path)
    problems: list[str] = []
    for override in overrides:
        _apply(override, data, places, problems)
    config = _validate(data, places, problems, str(path))
    if config is None or problems:
        raise ConfigError("\n".join(problems))
    root = environment.get(DATA_VARIABLE)
    if root and "root" in config.data.options and config.data.options["root"] is None:
        config = config.model_copy(
            update={
                "data": Component(name=config.data.name, **{**config.data.options, "root": root})
            }
        )
    return config


def dump(config: Config) -> str:
    """Return a config as YAML that `load` reads back to an equal config."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def json_schema() -> str:
    """Return the JSON schema of a config, each component's options included."""
    schema = Config.model_json_schema()
    definitions = schema["$defs"]
    for section, kind in COMPONENTS.items():
        variants = []
        for name in components.names(kind):
            variant = components.options(kind, name).model_json_schema()
            definitions.update(variant.pop("$defs", {}))
            variant.pop("title", None)
            variant["properties"] = {"name": {"const": name}, **variant.get("properties", {})}
            variant["required"] = ["name", *variant.get("required", [])]
            variants.append(variant)
        schema["properties"][section] = {"oneOf": variants}
    schema["properties"]["metrics"]["items"] = {"enum": list(components.names("metrics"))}
    definitions.pop("Component")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2) + "\n"


def _read(path: Path) -> tuple[dict[str, Any], dict[Key, str]]:
    try:
        if path.stat().st_size > strict_yaml.MAX_BYTES:
            raise ConfigError(f"{path}: expected at most {strict_yaml.MAX_BYTES:,} bytes of YAML.")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: {error.reason}.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}.") from error
    data, lines = strict_yaml.parse(text, str(path))
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected keys and values. Received: {_shown(data)}.")
    return data, {key: f"{path}:{line}" for key, line in lines.items()}


def _apply(
    override: str, data: dict[str, Any], places: dict[Key, str], problems: list[str]
) -> None:
    dotted, equals, text = override.partition("=")
    place = f"argument '{override}'"
    key: Key = tuple(dotted.split("."))
    if not equals or not all(key):
        problems.append(f"{place}: expected KEY=VALUE, as in training.epochs=5.")
        return
    try:
        value, _ = strict_yaml.parse(text, place)
    except ConfigError as error:
        problems.append(str(error))
        return
    section: Any = data
    for depth, part in enumerate(key[:-1]):
        if section.get(part) is None:
            section[part] = {}
        section = section[part]
        if not isinstance(section, dict):
            dotted = ".".join(map(str, key[: depth + 1]))
            problems.append(f"{place}: {dotted} has no keys of its own.")
            return
    section[key[-1]] = value
    for known in [known for known in places if known[: len(key)] == key]:
        del places[known]
    places[key] = place


def _validate(
    data: dict[str, Any], places: dict[Key, str], problems: list[str], source: str
) -> Config | None:
    def report(key: Key, message: str) -> None:
        inside = [place for known, place in places.items() if known[: len(key)] == key]
        around = [places[key[:n]] for n in range(len(key) - 1, 0, -1) if key[:n] in places]
        nearest = [*inside[:1], *around, source][0]
        dotted = ".".join(map(str, key))
        problems.append(f"{nearest}: {dotted}: {message}" if dotted else f"{nearest}: {message}")

    checked = dict(data)
    for section, kind in COMPONENTS.items():
        entry = data.get(section)
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            continue
        try:
            model = components.options(kind, entry["name"])
        except ConfigError as error:
            report((section, "name"), str(error))
            continue
        arguments = {key: value for key, value in entry.items() if key != "name"}
        try:
            options = model.model_validate(arguments)
        except ValidationError as error:
            _report_all(error, model, report, (section,))
            continue
        checked[section] = {"name": entry["name"], **dict(options)}
    for index, name in enumerate(data["metrics"] if isinstance(data.get("metrics"), list) else []):
        if isinstance(name, str) and name not in components.names("metrics"):
            report(
                ("metrics", index),
                f"expected one of {', '.join(components.names('metrics'))}. Received: '{name}'."
                + did_you_mean(name, components.names("metrics")),
            )
    try:
        config = Config.model_validate(checked)
    except ValidationError as error:
        _report_all(error, Config, report, ())
        return None
    if not problems:
        _check_together(config, report)
    return config


def _check_together(config: Config, report: Any) -> None:
    """Report what is wrong between keys that are each right by themselves."""
    training = config.training
    multiple = components.module("networks", config.network.name).SIZE_MULTIPLE
    for key, size in (
        (("training", "patch_size"), training.patch_size),
        (("validation", "patch_size"), config.validation.patch_size),
    ):
        if size is not None and size % multiple:
            report(key, f"{config.network.name} takes multiples of {multiple}. Received: {size}.")
    if training.batch_size % training.gradient_accumulation_steps:
        report(
            ("training", "gradient_accumulation_steps"),
            f"expected a divisor of training.batch_size, {training.batch_size}."
            f" Received: {training.gradient_accumulation_steps}.",
        )


def _report_all(error: ValidationError, model: type[BaseModel], report: Any, prefix: Key) -> None:
    for problem in error.errors():
        location = problem["loc"]
        received = f" Received: {_shown(problem['input'])}."
        if problem["type"] == "extra_forbidden":
            allowed = _fields(model, location[:-1])
            if not prefix and not location[:-1]:
                received = ""
            message = f"unknown key; allowed here: {', '.join(allowed)}."
            message += did_you_mean(str(location[-1]), allowed)
        elif problem["type"] == "missing":
            message = "required, but not given."
        else:
            message = problem["msg"].removeprefix("Value error, ")
            message = message[0].lower() + message[1:] + "." + received
            expected = problem.get("ctx", {}).get("expected")
            if expected and isinstance(problem["input"], str):
                message += did_you_mean(
                    problem["input"],
                    str(expected).replace("'", "").replace(" or ", ", ").split(", "),
                )
        report((*prefix, *location), message)


def _fields(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys allowed at a place in a model."""
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        choices = [annotation, *getattr(annotation, "__args__", ())]
        model = next(c for c in choices if isinstance(c, type) and issubclass(c, BaseModel))
    return list(model.model_fields)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
