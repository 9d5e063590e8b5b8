"""The manual's convolutional autoencoder, which denoises handwritten digits."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import keras
from keras import KerasTensor, layers
from pydantic import Field

SIZE_MULTIPLE = 1


class _Variant(NamedTuple):
    """Kernel and stride of the outer and of the inner convolution."""

    outer: tuple[int, int]
    inner: tuple[int, int]


# I: 28 to 8 to 6. II: 28 to 12 to 5; of it the manual has these sizes only.
_VARIANTS = {"I": _Variant((7, 3), (3, 1)), "II": _Variant((6, 2), (4, 2))}


def build(
    *,
    variant: Literal["I", "II"] = "I",
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2,
) -> keras.Model:
    """Return two convolutions, and two transposed ones that undo what they do to the size.

    Each but the last is followed by relu, batch norm and dropout, in this order, the last by a
    sigmoid. The manual feeds pictures on the scale of 0 to 255, so the first layer scales them.
    Batch norm has PyTorch's defaults, since the manual's network is written in PyTorch.

    Args:
        variant: `I` goes from 28 to 8, 6, 8 and 28 pixels, `II` from 28 to 12, 5, 12 and 28.
        dropout: the share of values that training sets to zero after each hidden layer.

    Returns:
        A network from float32 (B, 28, 28, 1), on the scale of [0, 1] and not clipped to it, to
        float32 (B, 28, 28, 1) in [0, 1].
    """
    outer, inner = _VARIANTS[variant]
    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(255.0)(inputs)
    x = _hidden(layers.Conv2D(32, *outer, activation="relu")(x), dropout)  # (B, 8, 8, 32)
    x = _hidden(layers.Conv2D(64, *inner, activation="relu")(x), dropout)  # (B, 6, 6, 64)
    x = _hidden(layers.Conv2DTranspose(32, *inner, activation="relu")(x), dropout)  # (B, 8, 8, 32)
    outputs = layers.Conv2DTranspose(1, *outer, activation="sigmoid", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="conv_autoencoder")


def _hidden(x: KerasTensor, dropout: float) -> KerasTensor:
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.Dropout(dropout)(x)
