"""Mean squared error."""

from __future__ import annotations

import keras


def build() -> keras.losses.Loss:
    """Return the mean over pixels, channels and pictures of (y_true - y_pred)^2.

    For images in [0, 1] doing nothing at TID2013's level 5 gives about 0.009.
    """
    return keras.losses.MeanSquaredError()
