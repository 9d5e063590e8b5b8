import numpy as np
from PIL import Image

from tidenhance.data.distortions import saturation_change


def colours():
    return np.random.default_rng(0).integers(60, 200, (64, 96, 3), dtype=np.uint8)


def test_luma_stays_and_colour_fades_in_proportion():
    image = colours()
    faded = saturation_change.distort(image, 3, np.random.default_rng(0))
    before = np.asarray(Image.fromarray(image).convert("YCbCr")).astype(int)
    after = np.asarray(Image.fromarray(faded).convert("YCbCr")).astype(int)
    assert np.abs(after[..., 0] - before[..., 0]).max() <= 1
    factor = np.polyfit(before[..., 1:].ravel() - 128, after[..., 1:].ravel() - 128, 1)[0]
    assert 0 < factor < 0.9
    np.testing.assert_allclose(after[..., 1:] - 128, factor * (before[..., 1:] - 128), atol=2)


def test_grey_stays_grey():
    image = colours()
    image[:, 48:] = image[:, 48:, :1]
    distorted = saturation_change.distort(image, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(distorted[:, 48:], image[:, 48:])
