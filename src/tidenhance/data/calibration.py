"""Choose a distortion's strength so that a picture's PSNR meets a target."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tidenhance.images import Pixels, to_uint8


def psnrc(reference: Pixels, distorted: Pixels) -> float:
    """Return TID2013's colour PSNR in dB: 10 log10(255^2 / MSE over pixels and R, G, B).

    Both pictures are uint8 (H, W, 3). Identical pictures give infinity.
    """
    difference = reference.astype(np.int32) - distorted
    mean_squared_error = float(np.mean(np.square(difference)))
    return math.inf if mean_squared_error == 0 else 10 * math.log10(255**2 / mean_squared_error)


def distort_to_psnr(
    reference: Pixels,
    distort: Callable[[float], Pixels],
    target: float,
    *,
    low: float,
    high: float,
    tolerance: float = 0.1,
    steps: int = 16,
) -> Pixels:
    """Return the distorted picture whose PSNRc comes nearest to `target`, found by bisection.

    Args:
        reference: the pristine picture, uint8 (H, W, 3).
        distort: strength to distorted picture; PSNRc falls as strength grows, and equal strengths
            give equal pictures.
        target: PSNRc in dB.
        low: the weakest strength tried.
        high: the strongest strength tried.
        tolerance: the search ends this near to the target, in dB.
        steps: the most pictures made.
    """
    best, best_miss = reference.copy(), math.inf
    for _ in range(steps):
        strength = (low + high) / 2
        distorted = distort(strength)
        value = psnrc(reference, distorted)
        if abs(value - target) < best_miss:
            best, best_miss = distorted, abs(value - target)
        if best_miss <= tolerance:
            break
        low, high = (strength, high) if value > target else (low, strength)
    return best


def add_noise_to_psnr(reference: Pixels, noise: NDArray[np.float32], target: float) -> Pixels:
    """Return the picture with noise added, scaled so that PSNRc comes nearest to `target`.

    Args:
        reference: the pristine picture, uint8 (H, W, 3).
        noise: float32 (H, W, 3), on any scale.
        target: PSNRc in dB.
    """
    # At strength 1 it meets the target, but for what is clipped at 0 and 255.
    size = float(np.sqrt(np.mean(np.square(noise)))) or 1.0
    scaled = noise * np.float32(255 * 10 ** (-target / 20) / size)
    return distort_to_psnr(
        reference,
        lambda strength: to_uint8((reference + strength * scaled) / 255),
        target,
        low=0,
        high=2,
    )
