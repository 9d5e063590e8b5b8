"""The autoencoder of fully connected layers that the manual compares its convolutional one with."""

from __future__ import annotations

from typing import Annotated, Literal

import keras
from keras import layers
from pydantic import Field

from tidenhance.networks._initialisers import pytorch_uniform

SIZE_MULTIPLE = 1

Units = Annotated[int, Field(ge=1, le=65_536)]


def build(
    *,
    units: Annotated[list[Units], Field(min_length=1)] = [256, 128, 64],  # noqa: B006
    top: Literal[1, 255] = 255,
) -> keras.Model:
    """Return fully connected layers down to a code and back up, relu inside and a sigmoid out.

    The manual gives no widths; those here are ours. The kernels start as PyTorch's do, in which
    the manual's network is written: fed with 0 to 255, and started as Keras' do, whole layers die.

    Args:
        units: the widths from the first hidden layer to the code; the way back mirrors them.
        top: what white is inside the network. The manual feeds pictures on the scale of 0 to 255,
            so the first layer scales them; without batch norm it matters.

    Returns:
        A network from float32 (B, 28, 28, 1), on the scale of [0, 1] and not clipped to it, to
        float32 (B, 28, 28, 1) in [0, 1].
    """
    inputs = keras.Input((28, 28, 1))
    x = layers.Flatten()(layers.Rescaling(float(top))(inputs))  # (B, 784)
    for width in [*units, *units[-2::-1]]:
        x = layers.Dense(width, activation="relu", kernel_initializer=pytorch_uniform())(x)
    x = layers.Dense(28 * 28, kernel_initializer=pytorch_uniform(), dtype="float32")(x)
    x = layers.Reshape((28, 28, 1), dtype="float32")(x)
    # Last, where a cross-entropy finds what it was given.
    outputs = layers.Activation("sigmoid", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="linear_autoencoder")
