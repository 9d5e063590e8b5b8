"""Peak signal-to-noise ratio of the luma, as the super-resolution literature has it."""

from __future__ import annotations

from keras import KerasTensor, ops

from tidenhance.metrics import psnr

HIGHER_IS_BETTER = True
CHANNELS = 3
CONVENTION = "luma of ITU-R BT.601 (16 to 235), R = 1, no border left out, at most 100 dB"

# ITU-R BT.601 for R, G and B in [0, 1], as MATLAB's rgb2ycbcr: luma from 16 to 235.
_LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
_OFFSET = 16 / 255


def luma(pictures: KerasTensor) -> KerasTensor:
    """Return the luma of ITU-R BT.601, not rounded.

    Args:
        pictures: (B, H, W, 3), R, G and B in [0, 1].

    Returns:
        (B, H, W, 1), from 16/255 to 235/255.
    """
    weights = ops.convert_to_tensor(_LUMA, dtype="float32")
    return ops.sum(pictures * weights, axis=-1, keepdims=True) + _OFFSET


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's PSNR of the luma, 10 log10(R^2 / MSE) with R = 1 (255 of 255).

    No border is left out. Since luma spans 16 to 235 only, this is about 1.3 dB above the PSNR of
    a grey picture.

    Args:
        y_true: the references, (B, H, W, 3) in [0, 1].
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,) in dB, at most 100.
    """
    return psnr.compute(luma(y_true), luma(y_pred))
