"""Structural similarity and the absolute error, mixed."""

from __future__ import annotations

from typing import Annotated

import keras
from pydantic import Field

from tidenhance.metrics import mae, ssim

MINIMUM_SIZE = ssim.MINIMUM_SIZE


def build(*, share: Annotated[float, Field(ge=0, le=1)] = 0.84) -> keras.losses.Loss:
    """Return the mean over pictures of `share` (1 - SSIM) + (1 - `share`) MAE.

    Source: Zhao, Gallo, Frosio and Kautz, "Loss Functions for Image Restoration with Neural
    Networks" (2017), equation 14 and its weight of 0.84. There SSIM is of several scales, which
    needs patches of 176 pixels, and the absolute error is weighted by its window; here neither.
    Patches have at least 11 pixels a side.

    Args:
        share: the weight of structural similarity, from 0 to 1.
    """
    return SSIMAndMAE(share)


class SSIMAndMAE(keras.losses.Loss):
    """`share` (1 - SSIM) + (1 - `share`) MAE of each picture."""

    def __init__(self, share: float) -> None:
        super().__init__(name="ssim_mae")
        self._share = share

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        """Return (B,) from (B, H, W, C) in [0, 1]."""
        structure = 1 - ssim.compute(y_true, y_pred)
        return self._share * structure + (1 - self._share) * mae.compute(y_true, y_pred)
