import numpy as np

from tidenhance.data.distortions import mean_shift


def test_values_are_shifted_and_clipped():
    image = np.zeros((64, 64, 3), np.uint8)
    image[0, 0] = (3, 100, 250)
    random = np.random.default_rng(0)
    first = [mean_shift.distort(image, level, random)[0, 0].tolist() for level in range(1, 6)]
    assert first == [[0, 94, 244], [13, 110, 255], [0, 80, 230], [33, 130, 255], [0, 60, 210]]
