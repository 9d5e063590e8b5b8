"""Zero-DCE: a small network that estimates, for each pixel, curves to map its brightness by."""

from __future__ import annotations

from typing import TypeAlias

import keras
from keras import layers, ops

SIZE_MULTIPLE = 1

ITERATIONS = 8

Tensor: TypeAlias = keras.KerasTensor


def build() -> keras.Model:
    """Return DCE-Net, seven convolutions with symmetrical concatenation, and its curves.

    The network can only map each pixel's colours, by eight quadratic curves one after the other,
    whose parameters it takes from the pixel's surroundings: black stays black and white stays
    white. 79,416 parameters, as in the paper.

    The paper trains it without references, by losses on exposure, colour, smoothness and spatial
    consistency. Here it is trained as every network is, towards the reference.

    Source: Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement"
    (2020), equation 3 and section 3.2; initial weights as in section 4.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), in [0, 1].
    """
    inputs = keras.Input((None, None, 3))
    x1 = _convolution(inputs, 32, "relu")  # (B, H, W, 32)
    x2 = _convolution(x1, 32, "relu")
    x3 = _convolution(x2, 32, "relu")
    x4 = _convolution(x3, 32, "relu")
    x5 = _convolution(layers.Concatenate()([x3, x4]), 32, "relu")  # (B, H, W, 64) → 32
    x6 = _convolution(layers.Concatenate()([x2, x5]), 32, "relu")
    parameters = _convolution(layers.Concatenate()([x1, x6]), 3 * ITERATIONS, "tanh")
    outputs = Curves(dtype="float32")([inputs, parameters])  # (B, H, W, 3)
    return keras.Model(inputs, outputs, name="zero_dce")


def _convolution(inputs: Tensor, channels: int, activation: str) -> Tensor:
    # An initialiser gives the same weights whenever it is asked, so each layer has its own.
    normal = keras.initializers.RandomNormal(stddev=0.02)
    return layers.Conv2D(
        channels, 3, padding="same", activation=activation, kernel_initializer=normal
    )(inputs)


@keras.saving.register_keras_serializable("tidenhance")
class Curves(layers.Layer):
    """The picture x and curve parameters A: x + A x (1 - x), once for each three channels of A."""

    def call(self, inputs: list[Tensor]) -> Tensor:
        """Return (B, H, W, 3) in [0, 1].

        Args:
            inputs: the picture (B, H, W, 3) in [0, 1] and the parameters (B, H, W, 24) in
                [-1, 1]; of these the first three channels belong to the first curve's R, G, B.
        """
        x, parameters = inputs
        for a in ops.split(parameters, ITERATIONS, axis=-1):
            x = x + a * x * (1 - x)
        return x
