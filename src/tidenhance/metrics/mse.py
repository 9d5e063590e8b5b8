"""Mean squared error."""

from __future__ import annotations

from keras import KerasTensor, ops

HIGHER_IS_BETTER = False
CONVENTION = "R, G and B together"


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's mean over pixels and channels of (y_true - y_pred)^2.

    Args:
        y_true: the references, (B, H, W, C) in [0, 1].
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,), from 0 (equal) to 1.
    """
    return ops.mean(ops.square(y_true - y_pred), axis=(1, 2, 3))
