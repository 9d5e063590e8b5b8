"""A network's forward pass in TensorFlow."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tidenhance import summary, weights
from tidenhance.inference import Forward, Network


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
    )


def forward(model: keras.Model) -> Forward:
    """Return a Keras network's forward pass, dropout and the like switched off, without XLA.

    All sizes share one trace of the network, which sees later changes of its weights.
    """

    def call(images: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(images, training=False), tf.float32)

    signature = [tf.TensorSpec(model.inputs[0].shape, tf.float32)]
    graph = tf.function(call, input_signature=signature, jit_compile=False)

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            output: NDArray[np.float32] = graph(images).numpy()
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError from error
        return output

    return run
