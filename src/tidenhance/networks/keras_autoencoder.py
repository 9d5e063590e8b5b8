"""The convolutional autoencoder of Keras' own example of denoising."""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

SIZE_MULTIPLE = 4


def build(*, channels: Literal[1, 3] = 3) -> keras.Model:
    """Return two convolutions with pooling, two transposed convolutions, and one that ends it.

    All it knows of the picture has passed through a quarter of the height and width, and nothing
    leads around that: fine detail is lost. With one channel it has 28,353 parameters, as in the
    source, with three 29,507.

    Source: S. L. Valdarrama, "Convolutional autoencoder for image denoising" (2021),
    keras.io/examples/vision/autoencoder, which denoises MNIST's digits.

    Args:
        channels: the pictures' channels: 1 for grey, as in the source, 3 for RGB.

    Returns:
        A network from float32 (B, H, W, channels) in [0, 1] to float32 (B, H, W, channels), in
        [0, 1] by a sigmoid. H and W must be multiples of 4.
    """
    inputs = keras.Input((None, None, channels))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(inputs)  # (B, H, W, 32)
    x = layers.MaxPooling2D(2)(x)  # (B, H/2, W/2, 32)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)  # (B, H/4, W/4, 32)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)
    outputs = layers.Conv2D(channels, 3, padding="same", activation="sigmoid", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="keras_autoencoder")
