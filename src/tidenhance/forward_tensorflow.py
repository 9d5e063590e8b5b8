"""A network's forward pass in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tidenhance import summary, weights
from tidenhance.inference import Forward, Network, Parts
from tidenhance.networks import _colour_transform


def load(run: Path) -> Network:
    """Return a run's network with its best weights.

    Raises:
        RunError: the run has no config or no best weights, or they are damaged.
    """
    model, config = weights.trained_network(run)
    field = summary.receptive_field(model)
    return Network(
        forward(model),
        weights.size_multiple(config),
        field.pixels,
        field.is_global,
        input_shape=tuple(model.inputs[0].shape[1:]),
        parts=_parts(model),
    )


def forward(model: keras.Model) -> Forward:
    """Return a Keras network's forward pass, dropout and the like switched off, without XLA.

    All sizes share one trace of the network, which sees later changes of its weights.
    """
    run = _run(model)
    return lambda images: run(images)[0]


def _parts(model: keras.Model) -> Parts | None:
    found = _colour_transform.parts(model)
    if found is None:
        return None
    run = _run(found)

    def parts(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        before, numbers = run(images)
        return before, numbers

    return parts


def _run(model: keras.Model) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    def call(images: tf.Tensor) -> list[tf.Tensor]:
        outputs = keras.tree.flatten(model(images, training=False))
        return [tf.cast(output, tf.float32) for output in outputs]

    signature = [tf.TensorSpec(model.inputs[0].shape, tf.float32)]
    graph = tf.function(call, input_signature=signature, jit_compile=False)

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        try:
            return [output.numpy() for output in graph(images)]
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError from error

    return run
