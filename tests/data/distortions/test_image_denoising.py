import numpy as np

from tidenhance.data.distortions import image_denoising


def test_removes_most_noise_and_keeps_the_edge():
    image = np.full((96, 96, 3), 60, np.uint8)
    image[:, 48:] = 190
    denoised = image_denoising.distort(image, 3, np.random.default_rng(0)).astype(float)
    error = denoised - image
    assert np.sqrt(np.mean(error**2)) < image_denoising.SIGMAS[2] / 2
    edge = denoised[:, 48].mean() - denoised[:, 47].mean()
    assert edge > 0.9 * (190 - 60)
