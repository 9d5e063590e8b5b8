"""Loss and metrics on the validation pairs: a network's, and those of doing nothing."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tidenhance import components, forward_tensorflow, steps
from tidenhance.config import Config
from tidenhance.errors import ConfigError


def metrics(config: Config) -> list[keras.metrics.Metric]:
    """Return the config's metrics, each the mean over pictures of the picture's own."""
    return [
        keras.metrics.MeanMetricWrapper(components.module("metrics", name).compute, name=name)
        for name in config.metrics
    ]


def identity_figures(config: Config, validation: tf.data.Dataset) -> dict[str, float]:
    """Return val_loss and each val_ metric of doing nothing, on the pairs as they are fed.

    Args:
        config: names the loss and the metrics.
        validation: batches of (distorted, reference).
    """
    inputs = keras.Input((None, None, None))
    # As a picture is saved: noise may lead out of the range.
    identity = keras.Model(inputs, keras.ops.clip(inputs, 0.0, 1.0))
    identity.compile(
        loss=components.make("losses", config.loss.name, config.loss.options),
        metrics=metrics(config),
        jit_compile=False,
    )
    found = identity.evaluate(validation, return_dict=True, verbose=0)
    return {f"val_{name}": float(value) for name, value in found.items()}


def check_shape(config: Config, shape: tuple[int | None, ...], section: str) -> None:
    """Check that the config's loss and metrics can be computed on pictures of a shape, (H, W, C).

    Args:
        config: names the loss and the metrics.
        shape: None where the pictures differ.
        section: whose pictures they are, for the error: `training` or `validation`.

    Raises:
        ConfigError: one of them needs larger pictures, or others than grey ones.
    """
    *sides, channels = shape
    smallest = min((side for side in sides if side), default=None)
    for name, module in _modules(config).items():
        least, needed = getattr(module, "MINIMUM_SIZE", 1), getattr(module, "CHANNELS", channels)
        if channels != needed:
            problem = f"pictures of {needed} channels for {section}. Received: {channels}."
        elif smallest is not None and smallest < least:
            problem = f"at least {least} pixels a side for {section}. Received: {smallest}."
        else:
            continue
        raise ConfigError(f"{name}: expected {problem}")


def minimum(config: Config) -> tuple[int, str]:
    """Return the side, in pixels, that the loss and metrics need, and which of them needs it."""
    sides = {name: getattr(module, "MINIMUM_SIZE", 1) for name, module in _modules(config).items()}
    name = max(sides, key=sides.__getitem__)
    return sides[name], name


def _modules(config: Config) -> dict[str, ModuleType]:
    modules = {f"metrics: {name}": components.module("metrics", name) for name in config.metrics}
    return modules | {f"loss: {config.loss.name}": components.module("losses", config.loss.name)}


def figures(
    network: keras.Model, test_step: steps.Step, batches: Iterable[Any]
) -> dict[str, float]:
    """Return val_loss and each val_ metric of a network.

    Args:
        network: compiled.
        test_step: its `test_step`, as a graph function.
        batches: of (distorted, reference).
    """
    network.reset_metrics()
    logs: dict[str, tf.Tensor] = {}
    for batch in batches:
        logs = test_step(batch)
    return {f"val_{name}": float(value) for name, value in logs.items()}


def dead_channels(network: keras.Model, validation: tf.data.Dataset) -> list[str]:
    """Return the names of the output channels that are zero on every pixel of every batch.

    Not those of which all references are zero too. As a rule the first batch shows that there are
    none.

    Args:
        network: from (B, H, W, C) to (B, H, W, C), with 1 or 3 channels.
        validation: batches of (distorted, reference).
    """
    names = {1: ("grey",), 3: ("red", "green", "blue")}[network.outputs[0].shape[-1]]
    forward = forward_tensorflow.forward(network)
    alive, wanted = np.zeros(len(names), bool), np.zeros(len(names), bool)
    for distorted, reference in validation:
        alive |= np.any(forward(distorted), axis=(0, 1, 2))
        wanted |= np.any(reference, axis=(0, 1, 2))
        if alive.all():
            break
    dead = wanted & ~alive
    return [name for name, is_dead in zip(names, dead, strict=True) if is_dead]
