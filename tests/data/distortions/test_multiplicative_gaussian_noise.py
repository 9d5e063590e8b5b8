import numpy as np
import pytest

from tidenhance.data.distortions import multiplicative_gaussian_noise


def test_noise_is_in_proportion_to_the_value():
    image = np.zeros((192, 384, 3), np.uint8)
    image[:, 128:256], image[:, 256:] = 80, 160
    noise = multiplicative_gaussian_noise.distort(image, 3, np.random.default_rng(0))
    black, dark, bright = (noise[:, left : left + 128].std() for left in (0, 128, 256))
    assert black == 0
    assert bright / dark == pytest.approx(2, rel=0.02)
