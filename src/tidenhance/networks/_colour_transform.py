"""One affine transform of colours for all pixels, predicted from the whole picture."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers, ops


def predicted_transform(inputs: KerasTensor) -> KerasTensor:
    """Return the (B, 13) numbers of a `ColourTransform` that follow from a picture, (B, H, W, 3).

    What adds a constant to a picture, or changes its contrast or its saturation, is undone by one
    affine transform of colours, which a few pixels do not tell. Source: Gharbi et al., "Deep
    Bilateral Learning for Real-Time Image Enhancement" (2017), whose affine transforms of colours
    are local; both kinds of pooling are of Woo et al., "CBAM: Convolutional Block Attention Module"
    (2018). The layers are ours, 114 thousand parameters. The last starts at zero, so that training
    starts from doing nothing.
    """
    # In half precision a picture's mean is too coarse.
    precise = {"dtype": "float32"}
    features = []
    x = ColourConv2D(32, 4, strides=4, activation="relu", **precise)(inputs)  # (B, H/4, W/4, 32)
    features += _pooled(x)
    x = ColourConv2D(64, 4, strides=4, activation="relu", **precise)(x)  # (B, H/16, W/16, 64)
    x = ColourConv2D(64, 3, padding="same", activation="relu", **precise)(x)
    x = layers.Concatenate(**precise)(features + _pooled(x))  # (B, 192)
    for _ in range(2):
        x = ColourDense(128, activation="relu", **precise)(x)
    return ColourDense(13, kernel_initializer="zeros", **precise)(x)


def _pooled(x: KerasTensor) -> list[KerasTensor]:
    return [
        pooling(dtype="float32")(x)
        for pooling in (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
    ]


# Files of weights count layers of each class. With classes of its own, what predicts the transform
# has the same names in a network that has more layers.
@keras.saving.register_keras_serializable("tidenhance")
class ColourConv2D(layers.Conv2D):
    """A convolution of what predicts a `ColourTransform`."""


@keras.saving.register_keras_serializable("tidenhance")
class ColourDense(layers.Dense):
    """A dense layer of what predicts a `ColourTransform`."""


@keras.saving.register_keras_serializable("tidenhance")
class ColourTransform(layers.Layer):
    """One affine transform of all colours: (B, H, W, 3) and its (B, 13) numbers to (B, H, W, 3).

    A pixel x becomes x + x A + b + c (x - m), where A are the first 9 numbers, b the next 3, c the
    last, and m the mean of the picture's values: a change of contrast is about the mean.
    """

    def call(self, inputs: list[KerasTensor]) -> KerasTensor:
        """Return the transformed picture."""
        x, numbers = inputs
        matrix = ops.reshape(numbers[:, :9], (-1, 1, 3, 3))
        offset = ops.reshape(numbers[:, 9:12], (-1, 1, 1, 3))
        contrast = ops.reshape(numbers[:, 12:], (-1, 1, 1, 1))
        about_mean = ops.subtract(x, ops.mean(x, axis=(1, 2, 3), keepdims=True))
        added = ops.add(ops.matmul(x, matrix), ops.multiply(contrast, about_mean))
        return ops.add(x, ops.add(added, offset))


def parts(network: keras.Model) -> keras.Model | None:
    """Return a network up to its colour transform, if it ends in one.

    Its outputs are the picture before the transform, and the transform's numbers.
    """
    last = network.layers[-1]
    return keras.Model(network.input, last.input) if isinstance(last, ColourTransform) else None
