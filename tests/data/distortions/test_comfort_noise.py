import numpy as np
import pytest

from tidenhance.data.distortions import comfort_noise


def test_texture_keeps_its_mean_and_deviation_but_not_its_pattern():
    random = np.random.default_rng(1)
    deviations = np.repeat([4.0, 16.0], 96)
    texture = deviations[:, np.newaxis] * random.standard_normal((96, 192)).T.reshape(192, 96)
    image = np.rint(np.clip(128 + texture, 0, 255)).astype(np.uint8)[..., np.newaxis].repeat(3, 2)
    changed = comfort_noise.distort(image, 4, np.random.default_rng(0)).astype(float)
    for rows, deviation in ((slice(8, 88), 4), (slice(104, 184), 16)):
        assert changed[rows].mean() == pytest.approx(128, abs=1)
        assert changed[rows].std() == pytest.approx(deviation, rel=0.25)
    pattern = np.corrcoef(image[104:184, :, 0].ravel(), changed[104:184, :, 0].ravel())[0, 1]
    assert pattern < 0.6


def test_noise_has_the_colour_of_the_detail():
    random = np.random.default_rng(1)
    grey = random.integers(60, 200, (96, 96, 1), dtype=np.uint8).repeat(3, 2)
    changed = comfort_noise.distort(grey, 3, np.random.default_rng(0))
    assert not np.array_equal(changed, grey)
    assert np.ptp(changed, axis=2).max() == 0
