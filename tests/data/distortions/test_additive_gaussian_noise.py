import numpy as np
import pytest

from tidenhance.data.distortions import additive_gaussian_noise

GREY = np.full((256, 256, 3), 128, np.uint8)


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5])
def test_variance_doubles_with_each_level(level):
    noise = additive_gaussian_noise.distort(GREY, level, np.random.default_rng(0)) - 128.0
    assert noise.mean() == pytest.approx(0, abs=0.2)
    # Rounding to integers adds 1/12.
    assert noise.var() == pytest.approx(32.5 * 2 ** (level - 1) + 1 / 12, rel=0.02)


def test_channels_are_independent():
    noise = additive_gaussian_noise.distort(GREY, 3, np.random.default_rng(0))
    correlation = np.corrcoef(noise.reshape(-1, 3), rowvar=False)
    np.testing.assert_allclose(correlation, np.eye(3), atol=0.02)
