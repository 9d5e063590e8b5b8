import numpy as np
from scipy.spatial import KDTree

from tidenhance.data.distortions import colour_quantization_dither
from tidenhance.data.sample import photographs

IMAGE = photographs()["coffee"][:192, :192]


def palette(picture):
    return np.unique(picture.reshape(-1, 3), axis=0)


def test_palette_shrinks_with_the_level():
    random = np.random.default_rng(0)
    sizes = [
        len(palette(colour_quantization_dither.distort(IMAGE, level, random)))
        for level in range(1, 6)
    ]
    assert sizes[0] <= 256
    assert sizes[-1] >= 2
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 5


def test_dither_keeps_local_means_better_than_the_nearest_colours():
    dithered = colour_quantization_dither.distort(IMAGE, 5, np.random.default_rng(0))
    colours = palette(dithered)
    nearest = colours[KDTree(colours).query(IMAGE)[1]]

    def error_of_means(picture):
        difference = picture.astype(float) - IMAGE
        return np.abs(difference.reshape(12, 16, 12, 16, 3).mean((1, 3))).mean()

    assert error_of_means(dithered) < 0.7 * error_of_means(nearest)
