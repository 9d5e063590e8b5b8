"""Structural similarity."""

from __future__ import annotations

import tensorflow as tf
from keras import KerasTensor

HIGHER_IS_BETTER = True
CONVENTION = "mean over R, G and B; Gaussian window 11 x 11, sigma 1.5; R = 1"
MINIMUM_SIZE = 11  # the window


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's SSIM, the mean over R, G and B.

    The window is Gaussian, 11 x 11 with sigma 1.5, and lies wholly inside the picture; K1 = 0.01,
    K2 = 0.03, R = 1. Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From
    Error Visibility to Structural Similarity" (2004), equation 13.

    Args:
        y_true: the references, (B, H, W, C) in [0, 1], H and W at least 11.
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,), at most 1 (equal).
    """
    return tf.image.ssim(y_true, y_pred, max_val=1.0, filter_size=11, filter_sigma=1.5)
