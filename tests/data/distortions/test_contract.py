"""What every distortion module promises; a new file in the package is checked by itself."""

import functools
import importlib
import pkgutil

import numpy as np
import pytest

from tidenhance.data import distortions
from tidenhance.data.calibration import psnrc
from tidenhance.data.sample import photographs

NAMES = sorted(module.name for module in pkgutil.iter_modules(distortions.__path__))
# More blocks of less contrast: the archive's own PSNR is 25.9, 25.1, 24.7, 24.2 and 24.6 dB.
HARDLY_FALLING = {"block_wise_distortion"}
FOLLOWING_THE_PICTURE = {8, 14, 17}  # more than the recipe


@pytest.fixture(params=NAMES)
def module(request):
    return importlib.import_module(f"{distortions.__name__}.{request.param}")


@functools.cache
def photograph(height, width):
    picture = photographs()["astronaut"][:height, 128 : 128 + width].copy()
    picture.flags.writeable = False
    return picture


def test_numbers_are_those_of_tid2013():
    modules = [importlib.import_module(f"{distortions.__name__}.{name}") for name in NAMES]
    assert sorted(module.NUMBER for module in modules) == list(range(1, 25))
    assert len({module.NAME for module in modules if module.NAME}) == 24


@pytest.mark.parametrize("size", [(64, 64), (65, 97)])
def test_returns_another_picture_of_the_same_kind(module, size):
    image = photograph(*size)
    before = image.copy()
    distorted = module.distort(image, 5, np.random.default_rng(1))
    assert distorted.shape == image.shape
    assert distorted.dtype == np.uint8
    assert not np.array_equal(distorted, image)
    assert not np.shares_memory(distorted, image)
    np.testing.assert_array_equal(image, before)


def test_depends_on_nothing_but_its_arguments(module):
    image = photograph(65, 97)
    generators = [np.random.default_rng(seed) for seed in (1, 1, 2)]
    first, again, other = [module.distort(image, 3, random) for random in generators]
    np.testing.assert_array_equal(first, again)

    untouched = np.random.default_rng(2).bit_generator.state
    draws_numbers = generators[2].bit_generator.state != untouched
    assert draws_numbers != np.array_equal(first, other)


def test_psnr_is_near_the_archives_and_falls_with_the_level(module):
    image = photograph(192, 192)
    values = [
        psnrc(image, module.distort(image, level, np.random.default_rng(1)))
        for level in range(1, 6)
    ]
    tolerance = 3 if module.NUMBER in FOLLOWING_THE_PICTURE else 2
    np.testing.assert_allclose(values, module.PSNRC, atol=tolerance)
    if module.__name__.rpartition(".")[2] in HARDLY_FALLING:
        assert np.ptp(values) < 4
    else:
        assert np.all(np.diff(values) < -0.5), values
