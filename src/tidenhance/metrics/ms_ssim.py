"""Multi-scale structural similarity, which TID2013 lists as MSSIM."""

from __future__ import annotations

import tensorflow as tf
from keras import KerasTensor

HIGHER_IS_BETTER = True
CONVENTION = "five scales, mean over R, G and B; Gaussian window 11 x 11, sigma 1.5; R = 1"
MINIMUM_SIZE = 176  # the window at the fifth scale


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's MS-SSIM over five scales, the mean over R, G and B.

    Source: Wang, Simoncelli and Bovik, "Multi-scale Structural Similarity for Image Quality
    Assessment" (2003), equation 7, with its weights 0.0448, 0.2856, 0.3001, 0.2363 and 0.1333;
    the window is that of SSIM, R = 1. Negative terms count as 0.

    Args:
        y_true: the references, (B, H, W, C) in [0, 1], H and W at least 176.
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,), from 0 to 1 (equal).
    """
    return tf.image.ssim_multiscale(y_true, y_pred, max_val=1.0)
