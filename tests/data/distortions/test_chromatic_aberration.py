import numpy as np
import pytest
from scipy import ndimage

from tidenhance.data.distortions import chromatic_aberration


def test_red_and_blue_move_apart_and_green_stays():
    image = np.zeros((96, 128, 3), np.uint8)
    image[40:56, 50:70] = 200
    distorted = chromatic_aberration.distort(image, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(distorted[..., 1], image[..., 1])
    red, green, blue = (
        np.array(ndimage.center_of_mass(distorted[..., channel])) for channel in range(3)
    )
    moved = red - green
    assert moved[0] > 0.2
    assert moved[0] == pytest.approx(moved[1], abs=0.02)
    np.testing.assert_allclose(blue - green, -moved, atol=0.02)
