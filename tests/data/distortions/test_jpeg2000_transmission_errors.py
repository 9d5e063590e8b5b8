import io

import numpy as np
import pytest
from PIL import Image

from tidenhance.data.distortions import jpeg2000_transmission_errors
from tidenhance.data.sample import photographs


@pytest.mark.parametrize("content", ["noise", "flat", "stripes", "photograph"])
def test_every_damaged_codestream_decodes(content):
    for seed in range(10):
        random = np.random.default_rng(seed)
        image = {
            "noise": random.integers(0, 256, (165, 171, 3), dtype=np.uint8),
            "flat": np.full((165, 171, 3), 200, np.uint8),
            "stripes": np.tile(np.uint8([[[0], [255]]]), (165, 86, 3))[:, :171],
            "photograph": photographs()["rocket"][:165, :171],
        }[content]
        for level in range(1, 6):
            damaged = jpeg2000_transmission_errors.distort(image, level, random)
            assert damaged.shape == image.shape


def test_errors_are_local():
    image = photographs()["rocket"][:384, :512]
    damaged = jpeg2000_transmission_errors.distort(image, 1, np.random.default_rng(0))
    error = np.square(damaged.astype(float) - image).reshape(12, 32, 16, 32, 3).mean(axis=(1, 3, 4))
    worst = np.sort(error, axis=None)[::-1]
    assert worst[: worst.size // 10].sum() > 0.5 * worst.sum()


def test_a_codestream_damaged_at_every_coefficient_byte_decodes():
    image = photographs()["coffee"][:200, :300]
    stream = io.BytesIO()
    options = {"codeblock_size": (32, 32), "precinct_size": (128, 128), "num_resolutions": 5}
    Image.fromarray(image).save(
        stream, "JPEG2000", no_jp2=True, irreversible=True, plt=True, **options
    )
    data = np.frombuffer(stream.getvalue(), np.uint8).copy()
    positions = jpeg2000_transmission_errors._coefficient_bytes(stream.getvalue())
    assert len(np.unique(positions)) == len(positions) > len(data) / 2
    assert positions.max() == len(data) - 3  # the last byte before the end-of-codestream marker
    data[positions] = np.random.default_rng(0).integers(0, 255, len(positions))
    assert Image.open(io.BytesIO(data.tobytes())).size == (300, 200)
    assert np.asarray(Image.open(io.BytesIO(data.tobytes()))).std() > 0
