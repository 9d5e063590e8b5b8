import numpy as np
import pytest

from tidenhance.data.distortions import impulse_noise


@pytest.mark.parametrize(
    ("level", "share"), [(1, 0.004), (2, 0.0085), (3, 0.017), (4, 0.034), (5, 0.067)]
)
def test_share_of_replaced_values(level, share):
    image = np.zeros((512, 512, 3), np.uint8)
    distorted = impulse_noise.distort(image, level, np.random.default_rng(0))
    # One in 256 is replaced by the value it had.
    assert np.mean(distorted > 0) == pytest.approx(share * 255 / 256, rel=0.04)
    # Uniform on 1..255: mean 128, deviation 73.6.
    assert distorted[distorted > 0].mean() == pytest.approx(128, abs=5)
    assert distorted[distorted > 0].std() == pytest.approx(73.6, abs=3)
