import numpy as np
import pytest

from tidenhance.data.distortions import masked_noise


def test_noise_is_in_proportion_to_local_deviation():
    image = np.full((192, 384, 3), 128, np.uint8)
    image[:, :128:2] += 10  # stripes of deviation 5 (1 - 1/49)^(1/2) in a window of 7 columns
    image[:, 256::2] += 40  # and of 4 times that
    noise = masked_noise.distort(image, 1, np.random.default_rng(0)) - image.astype(float)
    weak, strong = noise[:, 8:120].std(), noise[:, 264:376].std()
    assert noise[:, 136:248].std() < weak / 2
    expected = (20 * np.sqrt(48 / 49) + 1) / (5 * np.sqrt(48 / 49) + 1)
    assert strong / weak == pytest.approx(expected, rel=0.03)
