import numpy as np

from tidenhance.data.distortions import contrast_change


def test_values_are_scaled_about_the_mean_of_all():
    image = np.full((64, 64, 3), 100, np.uint8)
    image[:32] = 200
    random = np.random.default_rng(0)
    found = [
        np.unique(contrast_change.distort(image, level, random)).tolist() for level in (1, 2, 4, 5)
    ]
    # The mean is 150: 150 -+ 50 times 0.9, 1.2, 1.46 and 0.48.
    assert found == [[105, 195], [90, 210], [77, 223], [126, 174]]


def test_values_are_clipped():
    image = np.zeros((64, 64, 3), np.uint8)
    image[:32] = 255
    distorted = contrast_change.distort(image, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(distorted, image)
