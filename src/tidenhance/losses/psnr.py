"""The negative peak signal-to-noise ratio."""

from __future__ import annotations

import keras
from keras import ops


def build() -> keras.losses.Loss:
    """Return the mean over pictures of 10 log10(MSE + 1e-8), the MSE over pixels and channels.

    That is minus the picture's PSNR in dB. Unlike with MSE, a picture that is nearly right counts
    as much as one that is far off. Source: Chen et al., "HINet: Half Instance Normalization Network
    for Image Restoration" (2021), equation 2; the 1e-8 is of the authors' code.
    """
    return NegativePSNR()


class NegativePSNR(keras.losses.Loss):
    """10 log10(MSE + 1e-8) of each picture."""

    def __init__(self) -> None:
        super().__init__(name="psnr")

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return (B,) in dB from (B, H, W, C) in [0, 1]."""
        mean_squared_error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
        return 10 * ops.log10(mean_squared_error + 1e-8)
