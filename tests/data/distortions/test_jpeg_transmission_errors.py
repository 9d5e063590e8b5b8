import io

import numpy as np
import pytest
from PIL import Image

from tidenhance.data.distortions import jpeg_transmission_errors
from tidenhance.data.sample import photographs


@pytest.mark.parametrize("seed", range(5))
def test_damage_stays_within_restart_intervals(seed):
    width, height = 512, 128  # 8x8 blocks, so each interval of 32 is half a row of blocks
    image = photographs()["motorcycle_left"][:height, :width]
    stream = io.BytesIO()
    Image.fromarray(image).save(
        stream, "JPEG", quality=jpeg_transmission_errors.QUALITY, subsampling=0
    )
    sound = np.asarray(Image.open(stream)).reshape(16, 8, 2, 256, 3)

    shares = []
    for level in (1, 5):
        random = np.random.default_rng(seed)
        damaged = jpeg_transmission_errors.distort(image, level, random).reshape(sound.shape)
        shares.append(np.any(damaged != sound, axis=(1, 3, 4)).mean())
    assert 0 < shares[0] < 0.5
    assert shares[0] < shares[1] <= 1


@pytest.mark.parametrize("content", ["noise", "flat", "stripes"])
def test_every_damaged_file_decodes(content):
    for seed in range(10):
        random = np.random.default_rng(seed)
        image = {
            "noise": random.integers(0, 256, (65, 71, 3), dtype=np.uint8),
            "flat": np.full((65, 71, 3), 200, np.uint8),
            "stripes": np.tile(np.uint8([[[0], [255]]]), (65, 36, 3))[:, :71],
        }[content]
        for level in range(1, 6):
            damaged = jpeg_transmission_errors.distort(image, level, random)
            assert damaged.shape == image.shape
