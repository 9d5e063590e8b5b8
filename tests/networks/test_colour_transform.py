"""The colour transform that a network may end in."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tidenhance import inference
from tidenhance.networks import _colour_transform, nafnet
from tidenhance.networks._colour_transform import ColourTransform


def test_it_is_affine_and_changes_contrast_about_the_mean() -> None:
    x = np.array([[[[1.0, 2.0, 4.0], [0.0, 3.0, 2.0]]]], np.float32)
    numbers = np.array([[0, 0, 1, 0, 0.5, 0, 0, 0, 0, 0.1, 0, -0.1, 2]], np.float32)
    found = ColourTransform()([x, numbers])
    # Blue gets red's value besides, green half its own; the mean is 2.
    without_contrast = np.array([[1.1, 3.0, 4.9], [0.1, 4.5, 1.9]])
    np.testing.assert_allclose(found[0, 0], without_contrast + 2 * (x[0, 0] - 2), rtol=1e-6)


def test_it_starts_as_the_identity_and_is_the_same_for_all_pixels() -> None:
    keras.utils.set_random_seed(1)
    plain = nafnet.build(width=4)
    keras.utils.set_random_seed(1)
    network = nafnet.build(width=4, colour_transform=True)
    parts = _colour_transform.parts(network)
    picture = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)
    np.testing.assert_array_equal(parts(picture)[1], np.zeros((2, 13)))
    last = next(layer for layer in network.layers if getattr(layer, "units", None) == 13)
    last.bias.assign([0.0] * 9 + [0.1, 0.2, 0.3, 0.0])
    shifted = network(picture) - parts(picture)[0]
    np.testing.assert_allclose(shifted, np.full(picture.shape, [0.1, 0.2, 0.3]), atol=1e-6)
    assert network.count_params() - plain.count_params() == pytest.approx(114_000, rel=0.01)


def test_it_is_told_from_a_few_pixels_far_away() -> None:
    keras.utils.set_random_seed(1)
    network = nafnet.build(width=4, colour_transform=True)
    last = next(layer for layer in network.layers if getattr(layer, "units", None) == 13)
    last.kernel.assign(np.random.default_rng(0).normal(0, 0.1, last.kernel.shape))
    picture = np.full((1, 128, 128, 3), 0.5, np.float32)
    other = picture.copy()
    other[:, 120:, 120:] = 1.0
    parts = _colour_transform.parts(network)
    assert np.abs(parts(picture)[1] - parts(other)[1]).max() > 1e-3


def test_it_is_what_tiles_are_transformed_by() -> None:
    random = np.random.default_rng(0)
    x, numbers = random.random((1, 5, 7, 3), np.float32), random.normal(size=(1, 13))
    numbers = numbers.astype(np.float32)
    found = inference.colour_transformed(x, numbers[0], x.mean())
    np.testing.assert_allclose(found, ColourTransform()([x, numbers]), rtol=1e-5, atol=1e-5)


def test_a_network_without_it_has_no_parts() -> None:
    assert _colour_transform.parts(nafnet.build(width=4)) is None
