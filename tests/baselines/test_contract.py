"""What every classical method keeps to, and what each is known to do."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage

from tidenhance import components
from tidenhance.baselines import clahe, histogram_equalisation, median, sharpen, unsharp_mask
from tidenhance.data.calibration import psnrc


@pytest.fixture(params=components.names("baselines"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def crop(photograph: np.ndarray) -> np.ndarray:
    return photograph[100:196, 150:270]


@pytest.fixture(scope="module")
def noisy(crop: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 20, crop.shape)
    return np.clip(crop + noise, 0, 255).astype(np.uint8)


def test_options_are_typed_keywords_with_defaults(name: str) -> None:
    parameters = inspect.signature(components.module("baselines", name).build).parameters.values()
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters)
    assert components.options("baselines", name).model_validate({}) is not None


def test_a_picture_becomes_another_of_the_same_shape(name: str, noisy: np.ndarray) -> None:
    before = noisy.copy()
    restore = components.make("baselines", name, {})
    restored = restore(noisy)
    assert restored.shape == noisy.shape
    assert restored.dtype == np.uint8
    assert not np.array_equal(restored, noisy)
    np.testing.assert_array_equal(noisy, before)
    np.testing.assert_array_equal(restore(noisy), restored)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (9, 1, 3), (2, 9, 3), (33, 17, 3)])
def test_small_and_odd_sizes_will_do(name: str, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    assert components.make("baselines", name, {})(pixels).shape == shape


def test_a_flat_picture_stays_flat(name: str) -> None:
    restored = components.make("baselines", name, {})(np.full((24, 24, 3), 90, np.uint8))
    assert np.ptp(restored) == 0
    # To equalise a histogram of one value is to move it.
    assert name in ("clahe", "histogram_equalisation") or restored[0, 0, 0] == 90


@pytest.mark.parametrize("name", ["median", "nlm", "wavelet"])
@pytest.mark.parametrize("axis", [0, 1])
def test_an_edge_without_noise_stays_sharp(name: str, axis: int) -> None:
    pixels = np.zeros((48, 48, 3), np.uint8)
    np.moveaxis(pixels, axis, 0)[20:] = (200, 150, 90)
    np.testing.assert_array_equal(components.make("baselines", name, {})(pixels), pixels)


def test_a_square_s_median_is_around_a_pixel() -> None:
    with pytest.raises(ValidationError, match="odd"):
        components.options("baselines", "median").model_validate({"size": 4})


@pytest.mark.parametrize("name", ["median", "nlm", "wavelet", "total_variation"])
def test_a_channel_of_one_value_does_not_spoil_the_others(
    name: str, crop: np.ndarray, noisy: np.ndarray
) -> None:
    restore = components.make("baselines", name, {})
    clean, distorted = crop.copy(), noisy.copy()
    clean[..., 2] = distorted[..., 2] = 0
    assert psnrc(clean, restore(distorted)) > psnrc(clean, distorted) + 2


@pytest.mark.parametrize("name", ["median", "nlm", "wavelet", "total_variation"])
def test_denoisers_denoise(name: str, crop: np.ndarray, noisy: np.ndarray) -> None:
    restored = components.make("baselines", name, {})(noisy)
    assert psnrc(crop, restored) > psnrc(crop, noisy) + 2


@pytest.mark.parametrize("build", [unsharp_mask.build, sharpen.build])
def test_sharpeners_undo_some_blur(build, crop: np.ndarray) -> None:
    blurred = ndimage.gaussian_filter(crop, (0.8, 0.8, 0))
    assert psnrc(crop, build()(blurred)) > psnrc(crop, blurred) + 1


def test_the_sharpening_kernel_by_hand() -> None:
    pixels = np.full((3, 3, 3), 10, np.uint8)
    pixels[1, 1] = 20
    expected = [[10, 0, 10], [0, 60, 0], [10, 0, 10]]
    np.testing.assert_array_equal(sharpen.build()(pixels)[..., 0], expected)


def test_the_median_removes_a_single_pixel() -> None:
    pixels = np.full((5, 5, 3), 10, np.uint8)
    pixels[2, 2] = 255
    np.testing.assert_array_equal(median.build()(pixels), 10)


@pytest.mark.parametrize("build", [histogram_equalisation.build, clahe.build])
def test_equalisation_widens_a_narrow_histogram(build, crop: np.ndarray) -> None:
    dull = (100 + crop / 8).astype(np.uint8)
    assert build()(dull).std() > 2 * dull.std()
