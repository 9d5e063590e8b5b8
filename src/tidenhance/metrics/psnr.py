"""Peak signal-to-noise ratio."""

from __future__ import annotations

from keras import KerasTensor, ops

HIGHER_IS_BETTER = True
CONVENTION = "R, G and B together, R = 1, at most 100 dB"


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's PSNR: 10 log10(R^2 / MSE) with R = 1, the top of the range.

    The article writes R = 255; with images in [0, 1] that would add 48.13 dB to every figure.
    The MSE is taken over pixels, R, G and B. The PSNR ends at 100 dB (an MSE of 1e-10), so that a
    picture without any error leaves means finite.

    Args:
        y_true: the references, (B, H, W, C) in [0, 1].
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,) in dB, at most 100.
    """
    mean_squared_error = ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
    return -10 * ops.log10(ops.maximum(mean_squared_error, 1e-10))
