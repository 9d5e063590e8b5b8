"""Whether a run may go on with a config: what may change, and what makes it another experiment."""

from __future__ import annotations

from typing import Any

from tidenhance import mistakes
from tidenhance.config import COMPONENTS, Config, checked
from tidenhance.errors import ConfigError
from tidenhance.strict_yaml import leaves

# How long, how safely, where and how fast a run trains. Validation is a mean over pictures, which
# its batches change by no more than rounding does.
FREE = (
    "training.early_stopping",
    "training.stop_at",
    "training.checkpoint_every",
    "training.device",
    "training.xla",
    "training.steps_per_execution",
    "training.synthesis.photographs",
    "training.synthesis.processes",
    "training.cache_gib",
    "validation.batch_size",
    "data.root",
    "logging",
    "provenance",
)


def check_unchanged(before: dict[str, Any], config: Config) -> None:
    """Check that a run begun with one config leads to the same result with another.

    Args:
        before: what the run was begun with, as `Config.model_dump(mode="json")` gives it.
        config: what it is to go on with.

    Raises:
        ConfigError: it does not; the message lists every key that stands against it.
    """
    free = list(FREE)
    if config.training.learning_rate_schedule.cosine_decay is None:
        free.append("training.epochs")
    old, new = (_flat(data) for data in (_with_defaults(before), config.model_dump(mode="json")))
    changed = [
        f"{key}: the run was begun with {mistakes.shown(old.get(key))}."
        f" Received: {mistakes.shown(new.get(key))}."
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
        and not any(key == name or key.startswith(f"{name}.") for name in free)
    ]
    if changed:
        advice = "Start a new run for these, or go on without them."
        raise ConfigError("\n".join([*changed, advice]))


def _with_defaults(before: dict[str, Any]) -> dict[str, Any]:
    """Return what a run was begun with, and the defaults of keys that came after."""
    config = Config.model_validate(before)
    components = {}
    for section, kind in COMPONENTS.items():
        begun = getattr(config, section)
        options = checked(kind, begun.name, begun.options, section)
        components[section] = {"name": begun.name, **options}
    return Config.model_validate(before | components).model_dump(mode="json")


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    return {".".join(map(str, key)): value for key, value in leaves(data)}
