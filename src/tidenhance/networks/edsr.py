"""EDSR: residual blocks without batch normalisation, at the picture's own size."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import keras
from keras import layers
from pydantic import Field

from tidenhance.networks._initialisers import pytorch_uniform

SIZE_MULTIPLE = 1

Tensor: TypeAlias = keras.KerasTensor


def build(
    *,
    channels: Annotated[int, Field(ge=1, le=65_536)] = 64,
    blocks: Annotated[int, Field(ge=1, le=1000)] = 16,
    residual_scaling: Annotated[float, Field(gt=0, le=1)] = 1.0,
) -> keras.Model:
    """Return EDSR without its upsampler: convolution, residual blocks, convolution, convolution.

    The skip around all blocks adds the first convolution's features; the picture itself is not
    added, as in the paper. The paper subtracts its data set's mean colour from the pictures; here
    that is left to the biases. The paper's two sizes are 16 blocks of 64 channels (1,222,147
    parameters here) and 32 of 256, with a residual scaling of 0.1 (38,369,283).

    Source: Lim et al., "Enhanced Deep Residual Networks for Single Image Super-Resolution"
    (2017), figures 2(c) and 3, table 1.

    Args:
        channels: the width of each hidden layer.
        blocks: the number of residual blocks.
        residual_scaling: what a block's convolutions are multiplied by before its skip is added;
            less than 1 keeps wide networks stable.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), unbounded.
    """
    inputs = keras.Input((None, None, 3))
    head = _convolution(inputs, channels)  # (B, H, W, C)
    x = head
    for _ in range(blocks):
        x = _residual_block(x, residual_scaling)
    x = _convolution(x, channels)
    x = layers.Add()([head, x])
    outputs = _convolution(x, 3, dtype="float32")  # (B, H, W, 3)
    return keras.Model(inputs, outputs, name="edsr")


def _residual_block(inputs: Tensor, scaling: float) -> Tensor:
    channels = inputs.shape[-1]
    x = _convolution(inputs, channels, activation="relu")
    x = _convolution(x, channels)
    if scaling != 1:
        x = layers.Rescaling(scaling)(x)
    return layers.Add()([inputs, x])


def _convolution(inputs: Tensor, channels: int, **options: str) -> Tensor:
    # As in the authors' program: with Keras' own the sum of many blocks starts large.
    return layers.Conv2D(
        channels, 3, padding="same", kernel_initializer=pytorch_uniform(), **options
    )(inputs)
