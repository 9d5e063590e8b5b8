"""Find the module that a name in YAML stands for, and the options that its function takes."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, create_model

from tidenhance.errors import ConfigError, did_you_mean

Kind = Literal["networks", "data.datasets", "data.distortions", "losses", "metrics", "baselines"]

_ENTRY = {"networks": "build", "data.datasets": "load", "losses": "build", "baselines": "build"}


def _not_empty(path: str) -> str:
    # It would be the folder that one is in.
    if not path:
        raise ValueError("expected a path")
    return path


PathText = Annotated[str, AfterValidator(_not_empty)]
"""A path in a config: any text but an empty one, also what is not UTF-8 in a name."""


@cache
def names(kind: Kind) -> tuple[str, ...]:
    """Return the names of all components of a kind, sorted.

    They are the files in its folder, without those whose names begin with an underscore.
    """
    package = importlib.import_module(f"tidenhance.{kind}")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def module(kind: Kind, name: str) -> ModuleType:
    """Return the module of a component.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in names(kind):
        raise ConfigError(
            f"expected one of {', '.join(names(kind))}. Received: '{name}'."
            + did_you_mean(name, names(kind))
        )
    return importlib.import_module(f"tidenhance.{kind}.{name}")


@cache
def options(kind: Kind, name: str) -> type[BaseModel]:
    """Return a model of the keyword arguments that a component's function takes.

    The signature is the only list of them: names, types, defaults and bounds.
    """
    function = getattr(module(kind, name), _ENTRY[kind])
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    fields: dict[str, Any] = {
        p.name: (p.annotation, ... if p.default is p.empty else p.default) for p in parameters
    }
    rules = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    return create_model(name, __config__=rules, **fields)


def label(kind: Kind, name: str, arguments: dict[str, Any]) -> str:
    """Return a component's name, and those of its options that are not the defaults."""
    fields = options(kind, name).model_fields
    changed = [f"{key} {value}" for key, value in arguments.items() if value != fields[key].default]
    return ", ".join([name, *changed])


def make(kind: Kind, name: str, arguments: dict[str, Any]) -> Any:
    """Call a component's function with `arguments` and return what it makes."""
    return getattr(module(kind, name), _ENTRY[kind])(**arguments)
