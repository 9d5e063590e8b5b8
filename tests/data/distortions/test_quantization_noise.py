import numpy as np

from tidenhance.data.distortions import quantization_noise


def test_values_become_the_nearest_multiples_of_the_step():
    ramp = np.repeat(np.arange(256, dtype=np.uint8), 64 * 3).reshape(256, 64, 3)
    for level, step, count in ((1, 19, 14), (2, 27, 10), (3, 39, 8), (4, 55, 6), (5, 77, 4)):
        distorted = quantization_noise.distort(ramp, level, np.random.default_rng(0))
        # 55 x 5 is beyond 255, and clipped.
        expected = np.minimum(step * np.arange(count), 255)
        assert np.unique(distorted).tolist() == expected.tolist()
        assert np.abs(distorted.astype(int) - ramp).max() == step // 2
