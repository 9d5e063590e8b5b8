"""Structural similarity of the luma."""

from __future__ import annotations

from keras import KerasTensor

from tidenhance.metrics import ssim
from tidenhance.metrics.psnr_y import luma

HIGHER_IS_BETTER = True
CONVENTION = "luma of ITU-R BT.601 (16 to 235); Gaussian window 11 x 11, sigma 1.5; R = 1"
CHANNELS = 3
MINIMUM_SIZE = ssim.MINIMUM_SIZE


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's SSIM of the luma (ITU-R BT.601, 16 to 235 of 255), R = 1.

    Args:
        y_true: the references, (B, H, W, 3) in [0, 1], H and W at least 11.
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,), at most 1 (equal).
    """
    return ssim.compute(luma(y_true), luma(y_pred))
