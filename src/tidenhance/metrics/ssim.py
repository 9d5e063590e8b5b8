"""Structural similarity."""

from __future__ import annotations

import numpy as np
from keras import KerasTensor, ops

HIGHER_IS_BETTER = True
CONVENTION = "mean over R, G and B; Gaussian window 11 x 11, sigma 1.5; R = 1"
MINIMUM_SIZE = 11  # the window

_C1, _C2 = 0.01**2, 0.03**2

_GAUSSIAN = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
_WINDOW = (_GAUSSIAN / _GAUSSIAN.sum()).astype(np.float32)


def terms(y_true: KerasTensor, y_pred: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
    """Return SSIM's two factors where the window lies wholly inside the picture.

    Args:
        y_true: the references, float32 (B, H, W, C) in [0, 1], H and W at least 11.
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        The luminance term, and the contrast and structure terms as one (equation 13's left and
        right fractions), each (B, H - 10, W - 10, C), at most 1 (equal).
    """
    mean_true, mean_pred = _local_mean(y_true), _local_mean(y_pred)
    means = 2 * mean_true * mean_pred
    squared_means = ops.square(mean_true) + ops.square(mean_pred)
    covariance = 2 * _local_mean(y_true * y_pred) - means
    variances = _local_mean(ops.square(y_true) + ops.square(y_pred)) - squared_means
    return (means + _C1) / (squared_means + _C1), (covariance + _C2) / (variances + _C2)


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's SSIM, the mean over R, G and B.

    The window is Gaussian, 11 x 11 with sigma 1.5, and lies wholly inside the picture; K1 = 0.01,
    K2 = 0.03, R = 1. Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From
    Error Visibility to Structural Similarity" (2004), equation 13.

    Args:
        y_true: the references, float32 (B, H, W, C) in [0, 1], H and W at least 11.
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,), at most 1 (equal).
    """
    luminance, contrast = terms(y_true, y_pred)
    return ops.mean(luminance * contrast, axis=(1, 2, 3))


def _local_mean(x: KerasTensor) -> KerasTensor:
    # Down, then across: a fifth of the arithmetic of tf.image.ssim's window, which is not split.
    for shape in ((-1, 1, 1, 1), (1, -1, 1, 1)):
        kernel = np.tile(_WINDOW.reshape(shape), (1, 1, x.shape[-1], 1))
        x = ops.depthwise_conv(x, kernel, padding="valid", data_format="channels_last")
    return x
