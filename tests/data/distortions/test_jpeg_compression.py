import io

import numpy as np
import pytest
from PIL import Image

from tidenhance.data.distortions import jpeg_compression
from tidenhance.data.sample import photographs


@pytest.mark.parametrize(("level", "quality"), [(1, 79), (2, 58), (3, 22), (4, 7), (5, 4)])
def test_is_a_jpeg_file_of_that_quality(level, quality):
    image = photographs()["coffee"][:90, :70]
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    distorted = jpeg_compression.distort(image, level, np.random.default_rng(0))
    np.testing.assert_array_equal(distorted, np.asarray(Image.open(stream)))
