"""Channels become pixels."""

from __future__ import annotations

import keras
from keras import KerasTensor, layers, ops


@keras.saving.register_keras_serializable("tidenhance")
class PixelShuffle(layers.Layer):
    """Each position's channels, laid out as r x r pixels: (B, H, W, r^2 C) to (B, rH, rW, C).

    Pixel (y, x) of a square has the channels (r y + x) C and following.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network" (2016), equation 4.
    """

    def __init__(self, scale: int, **options: object) -> None:
        super().__init__(**options)
        self.scale = scale

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """Return the larger picture."""
        return ops.depth_to_space(inputs, self.scale)

    def get_config(self) -> dict[str, object]:
        """Return what the layer is made of."""
        return {**super().get_config(), "scale": self.scale}
