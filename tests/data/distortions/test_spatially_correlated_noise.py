import numpy as np
import pytest

from tidenhance.data.distortions import spatially_correlated_noise


def test_autocorrelation_is_that_of_a_3x3_mean():
    grey = np.full((256, 256, 3), 128, np.uint8)
    noise = spatially_correlated_noise.distort(grey, 4, np.random.default_rng(0)) - 128.0

    def correlation(rows, columns):
        moved = noise[rows:, columns:]
        return np.mean(moved * noise[: 256 - rows, : 256 - columns]) / noise.var()

    # Two 3x3 windows share 6, 3, 0 and 4 of their 9 pixels.
    assert correlation(0, 1) == pytest.approx(6 / 9, abs=0.02)
    assert correlation(2, 0) == pytest.approx(3 / 9, abs=0.02)
    assert correlation(0, 3) == pytest.approx(0, abs=0.02)
    assert correlation(1, 1) == pytest.approx(4 / 9, abs=0.02)
