"""Initial weights that Keras does not have by name."""

from __future__ import annotations

import keras


def pytorch_uniform() -> keras.Initializer:
    """Return PyTorch's default for kernels: uniform within 1 / sqrt(inputs) of zero.

    An initialiser gives the same weights whenever it is asked, so each layer needs its own.
    """
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
