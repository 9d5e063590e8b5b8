"""Multi-scale structural similarity, which TID2013 lists as MSSIM."""

from __future__ import annotations

from keras import KerasTensor, ops

from tidenhance.metrics import ssim

HIGHER_IS_BETTER = True
CONVENTION = "five scales, mean over R, G and B; Gaussian window 11 x 11, sigma 1.5; R = 1"
MINIMUM_SIZE = 176  # the window at the fifth scale

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def compute(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return each picture's MS-SSIM over five scales, the mean over R, G and B.

    Source: Wang, Simoncelli and Bovik, "Multi-scale Structural Similarity for Image Quality
    Assessment" (2003), equation 7, with its weights 0.0448, 0.2856, 0.3001, 0.2363 and 0.1333;
    the window is that of SSIM, R = 1. Negative terms count as 0. A scale is the mean over 2 x 2
    pixels of the one before; an odd side's last pixels count twice, as in tf.image.ssim_multiscale.

    Args:
        y_true: the references, float32 (B, H, W, C) in [0, 1], H and W at least 176.
        y_pred: the restored pictures, of the same shape and range.

    Returns:
        (B,), from 0 to 1 (equal).
    """
    product = 1.0
    for weight in _WEIGHTS[:-1]:
        _, contrast = ssim.terms(y_true, y_pred)
        product *= _positive_mean(contrast) ** weight
        y_true, y_pred = _halved(y_true), _halved(y_pred)
    luminance, contrast = ssim.terms(y_true, y_pred)
    product *= _positive_mean(luminance * contrast) ** _WEIGHTS[-1]
    return ops.mean(product, axis=-1)


def _positive_mean(term: KerasTensor) -> KerasTensor:
    return ops.relu(ops.mean(term, axis=(1, 2)))


def _halved(x: KerasTensor) -> KerasTensor:
    return ops.average_pool(x, 2, padding="same", data_format="channels_last")
