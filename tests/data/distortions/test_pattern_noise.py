import numpy as np

from tidenhance.data.distortions import pattern_noise


def test_patches_come_from_five_pixels_down_and_right():
    rows, columns = np.mgrid[:64, :64]
    image = np.stack([2 * rows, 3 * columns, rows + columns], axis=-1).astype(np.uint8)
    # 30 patches in 512 x 384 pixels are 0.6 in 64 x 64.
    distorted = pattern_noise.distort(image, 1, np.random.default_rng(0))
    changed = np.any(distorted != image, axis=2)
    assert changed.sum() == 15 * 15
    difference = distorted[changed].astype(int) - image[changed]
    assert np.unique(difference, axis=0).tolist() == [[10, 15, 10]]


def test_number_of_patches_follows_level_and_area():
    image = np.add.outer(np.arange(384), np.arange(512))[..., np.newaxis].repeat(3, axis=2) % 251
    image = image.astype(np.uint8)
    for level, count in enumerate((30, 50, 105, 150, 230), start=1):
        distorted = pattern_noise.distort(image, level, np.random.default_rng(0))
        share = np.mean(distorted[..., 0] != image[..., 0])
        # Patches fall on top of each other: 1 - (1 - a)^n of the area, a = 225 / (512 x 384).
        assert abs(share - (1 - (1 - 225 / 196608) ** count)) < 0.015
