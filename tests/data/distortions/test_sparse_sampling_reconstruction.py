import numpy as np

from tidenhance.data.calibration import psnrc
from tidenhance.data.distortions import sparse_sampling_reconstruction
from tidenhance.data.sample import photographs


def kept(image, level):
    distorted = sparse_sampling_reconstruction.distort(image, level, np.random.default_rng(0))
    return np.all(distorted == image, axis=2)


def test_keeps_a_random_share_of_the_pixels():
    image = photographs()["motorcycle_left"][200:328, 200:328]
    many, few = kept(image, 2), kept(image, 5)
    assert 0.02 < few.mean() < many.mean() < 0.98
    # Chosen without regard to the place: the four quarters have equal shares.
    quarters = many.reshape(2, 64, 2, 64).mean(axis=(1, 3))
    assert np.ptp(quarters) < 0.12
    assert many[few].mean() > 0.95


def test_restores_a_fine_cosine_from_few_pixels():
    cosine = np.rint(128 + 80 * np.cos(2 * np.pi * np.arange(128) / 16)).astype(np.uint8)
    image = np.tile(cosine[np.newaxis, :, np.newaxis], (128, 1, 3))
    random = np.random.default_rng(0)
    known = random.random((128, 128, 1)) < 0.2
    shifts = random.integers(0, 16, (8, 2))
    restored = sparse_sampling_reconstruction._reconstruct(image, known, 0.2, shifts)
    np.testing.assert_array_equal(restored[known[:, :, 0]], image[known[:, :, 0]])
    # Local means of the known pixels, without thresholding, give 26 dB.
    assert psnrc(image, restored) > 33
