"""The Charbonnier loss, a smooth form of the absolute error."""

from __future__ import annotations

from typing import Annotated

import keras
from keras import ops
from pydantic import Field


def build(*, epsilon: Annotated[float, Field(gt=0)] = 1e-3) -> keras.losses.Loss:
    """Return the mean over pixels, channels and pictures of sqrt((y_true - y_pred)^2 + epsilon^2).

    Source: Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement"
    (2020), equation 7, where epsilon is 1e-3 for images in [0, 1].

    Args:
        epsilon: where the loss turns from quadratic to linear, in units of the images.
    """
    return Charbonnier(epsilon)


class Charbonnier(keras.losses.Loss):
    """sqrt((y_true - y_pred)^2 + epsilon^2), averaged over channels, then over all else."""

    def __init__(self, epsilon: float) -> None:
        super().__init__(name="charbonnier")
        self._epsilon = epsilon

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return (B, H, W) from (B, H, W, C)."""
        return ops.mean(ops.sqrt(ops.square(y_true - y_pred) + self._epsilon**2), axis=-1)
