import numpy as np
import scipy.fft

from tidenhance.data.distortions import noisy_image_compression


def test_few_multiples_of_one_step_remain():
    image = np.full((64, 96, 3), 128, np.uint8)
    coded = noisy_image_compression.distort(image, 3, np.random.default_rng(0)).astype(float)
    blocks = coded.reshape(2, 32, 3, 32, 3)
    sizes = np.abs(scipy.fft.dctn(blocks, axes=(1, 3), norm="ortho"))
    sizes[:, 0, :, 0] = 0  # the block's mean
    kept = sizes[sizes > 4]  # rounding to 8 bits leaves a deviation of about 0.3
    assert 0.03 < kept.size / sizes.size < 0.07  # 4.6 % of Gaussian values lie beyond 2 sigma
    step = np.median(kept)
    multiples = kept / step
    assert np.abs(multiples - np.rint(multiples)).max() < 0.05
