"""A stack of 3x3 convolutions that predicts what to add to the picture."""

from __future__ import annotations

from typing import Annotated

import keras
from pydantic import Field

SIZE_MULTIPLE = 1


def build(
    *,
    channels: Annotated[int, Field(ge=1, le=65_536)] = 64,
    depth: Annotated[int, Field(ge=2, le=1000)] = 20,
) -> keras.Model:
    """Return a residual plain network, as VDSR is built.

    The last layer starts at zero, so that training starts from doing nothing.

    Source: Kim, Lee and Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional
    Networks" (2016), figure 2; its own setting is 20 layers of 64 channels.

    Args:
        channels: the width of each hidden layer.
        depth: the number of convolutions, the last one included.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), unbounded.
    """
    inputs = keras.Input((None, None, 3))
    x = inputs
    for _ in range(depth - 1):
        x = keras.layers.Conv2D(
            channels, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(x)  # (B, H, W, C)
    residual = keras.layers.Conv2D(3, 3, padding="same", kernel_initializer="zeros")(x)
    outputs = keras.layers.Add(dtype="float32")([inputs, residual])  # (B, H, W, 3)
    return keras.Model(inputs, outputs, name="residual_cnn")
