import numpy as np
import pytest

from tidenhance.data.distortions import jpeg2000_compression, jpeg_compression
from tidenhance.data.sample import photographs


def blockiness(image):
    """Return the mean step across the borders of 8x8 blocks over the mean step elsewhere."""
    steps = np.abs(np.diff(image.astype(float), axis=1)).mean(axis=(0, 2))
    border = np.arange(1, len(steps) + 1) % 8 == 0
    return steps[border].mean() / steps[~border].mean()


def test_has_no_blocks_where_jpeg_has():
    image = photographs()["coffee"][:256, :256]
    random = np.random.default_rng(0)
    assert blockiness(image) == pytest.approx(1, abs=0.1)
    assert blockiness(jpeg_compression.distort(image, 5, random)) > 2
    assert blockiness(jpeg2000_compression.distort(image, 5, random)) == pytest.approx(1, abs=0.3)
