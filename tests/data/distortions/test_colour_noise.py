import numpy as np
import pytest
from PIL import Image

from tidenhance.data.distortions import colour_noise


def test_noise_in_colour_has_twice_the_deviation_of_that_in_luminance():
    grey = np.full((256, 256, 3), 128, np.uint8)
    distorted = colour_noise.distort(grey, 5, np.random.default_rng(0))
    luma, blue, red = np.asarray(Image.fromarray(distorted).convert("YCbCr")).std((0, 1))
    assert blue / luma == pytest.approx(2, rel=0.03)
    assert red / luma == pytest.approx(2, rel=0.03)
