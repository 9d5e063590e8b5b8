"""Loss and metrics on the validation pairs: a network's, and those of doing nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tidenhance import components, steps
from tidenhance.config import Config


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
    inputs = keras.Input((None, None, 3))
    identity = keras.Model(inputs, keras.layers.Identity(dtype="float32")(inputs))
    identity.compile(
        loss=components.make("losses", config.loss.name, config.loss.options),
        metrics=metrics(config),
        jit_compile=False,
    )
    found = identity.evaluate(validation, return_dict=True, verbose=0)
    return {f"val_{name}": float(value) for name, value in found.items()}


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

    As a rule the first batch shows that there are none.

    Args:
        network: from (B, H, W, 3) to (B, H, W, 3).
        validation: batches of (distorted, reference).
    """
    alive = np.zeros(3, bool)
    for distorted, _ in validation:
        alive |= np.any(network.predict_on_batch(distorted), axis=(0, 1, 2))
        if alive.all():
            break
    return [name for name, lives in zip(("red", "green", "blue"), alive, strict=True) if not lives]
