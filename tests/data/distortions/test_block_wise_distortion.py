import numpy as np

from tidenhance.data.distortions import block_wise_distortion


def test_blocks_are_flat_and_do_not_overlap():
    image = np.random.default_rng(0).integers(90, 110, (384, 512, 3), dtype=np.uint8)
    for level, count in enumerate((2, 4, 8, 16, 32), start=1):
        distorted = block_wise_distortion.distort(image, level, np.random.default_rng(0))
        changed = np.any(distorted != image, axis=2)
        assert changed.sum() == count * 32 * 32
        tops, lefts = np.nonzero(changed)
        first = distorted[tops[0] : tops[0] + 32, lefts[0] : lefts[0] + 32]
        assert np.ptp(first, axis=(0, 1)).max() == 0
