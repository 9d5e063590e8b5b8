import numpy as np

from tidenhance.data.distortions import gaussian_blur


def test_a_white_dot_becomes_the_gaussian():
    image = np.zeros((65, 97, 3), np.uint8)
    image[30, 40, 1] = 255
    for level, sigma in enumerate((0.51, 0.68, 1.08, 1.98, 4.15), start=1):
        line = np.exp(-(np.arange(-30, 31) ** 2) / (2 * sigma**2))
        line /= line.sum()
        distorted = gaussian_blur.distort(image, level, np.random.default_rng(0))
        expected = 255 * line[30 - 5 : 30 + 6, np.newaxis] * line[30 - 5 : 30 + 6]
        np.testing.assert_allclose(distorted[25:36, 35:46, 1], expected, atol=0.51)
        assert not distorted[..., [0, 2]].any()
