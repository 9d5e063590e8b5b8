"""The convolutional autoencoder against the manual."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np
import pytest
from keras import layers

from tidenhance.networks import conv_autoencoder

# Noise leads out of the range of 0 to 1.
X = np.random.default_rng(0).normal(0.5, 1, (4, 28, 28, 1)).astype(np.float32)


def build(**options) -> keras.Model:
    keras.utils.set_random_seed(2)
    return conv_autoencoder.build(**options)


def convolutions(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if layer.name.startswith("conv2d")]


@pytest.mark.parametrize(
    ("variant", "sides", "kernels", "strides"),
    [
        ("I", [8, 6, 8, 28], [7, 3, 3, 7], [3, 1, 1, 3]),
        ("II", [12, 5, 12, 28], [6, 4, 4, 6], [2] * 4),
    ],
)
def test_sizes_are_the_manuals_layer_by_layer(
    variant: Literal["I", "II"], sides: list[int], kernels: list[int], strides: list[int]
) -> None:
    network = build(variant=variant)
    assert network.input.shape == (None, 28, 28, 1)
    found = convolutions(network)
    assert [layer.output.shape[1:] for layer in found] == [
        (side, side, channels) for side, channels in zip(sides, (32, 64, 32, 1), strict=True)
    ]
    assert [layer.kernel_size for layer in found] == [(k, k) for k in kernels]
    assert [layer.strides for layer in found] == [(s, s) for s in strides]
    assert {layer.padding for layer in found} == {"valid"}


@pytest.mark.parametrize(
    ("variant", "by_layer", "parameters"),
    [
        # Weights and biases, then scale, offset, moving mean and moving variance; from 7 x 7 x 32.
        ("I", [1_600, 128, 18_496, 256, 18_464, 128, 1_569], 40_641),
        ("II", [1_184, 128, 32_832, 256, 32_800, 128, 1_153], 68_481),
    ],
)
def test_parameters_by_hand(
    variant: Literal["I", "II"], by_layer: list[int], parameters: int
) -> None:
    network = build(variant=variant)
    assert [n for n in (layer.count_params() for layer in network.layers) if n] == by_layer
    assert network.count_params() == parameters


def test_each_hidden_layer_is_followed_by_relu_batch_norm_and_dropout() -> None:
    network = build(dropout=0.3)
    hidden = [layers.BatchNormalization, layers.Dropout]
    kinds = [layers.Conv2D, *hidden, layers.Conv2D, *hidden, layers.Conv2DTranspose, *hidden]
    assert [type(layer) for layer in network.layers[2:]] == [*kinds, layers.Conv2DTranspose]
    relu, sigmoid = keras.activations.relu, keras.activations.sigmoid
    assert [layer.activation for layer in convolutions(network)] == [relu] * 3 + [sigmoid]
    assert [layer.rate for layer in network.layers if hasattr(layer, "rate")] == [0.3] * 3
    assert build().layers[4].rate == 0.2


def test_batch_norm_has_pytorchs_defaults() -> None:
    """An epsilon of 1e-5, and a tenth of each batch's mean, which PyTorch calls momentum 0.1."""
    network = build(dropout=0.0)
    first, norm = network.layers[2:4]
    batch_mean = np.mean(first(255 * X), axis=(0, 1, 2))
    assert np.ptp(batch_mean) > 1
    network(X, training=True)
    np.testing.assert_allclose(norm.moving_mean, 0.1 * batch_mean, rtol=1e-3)
    ones = np.ones((1, 1, 1, 32), np.float32)
    norm.moving_mean.assign(np.zeros(32))
    norm.moving_variance.assign(np.zeros(32))
    np.testing.assert_allclose(norm(ones), np.full_like(ones, 1e-5**-0.5), rtol=1e-5)


def test_dropout_is_off_when_restoring() -> None:
    network = build()
    np.testing.assert_array_equal(network(X), network(X))
    np.testing.assert_array_equal(network.predict_on_batch(X[:1]), network.predict_on_batch(X[:1]))
    assert not np.array_equal(network(X, training=True), network(X, training=True))


def test_output_is_within_the_range_for_any_input() -> None:
    found = build().predict_on_batch(100 * X)
    assert found.shape == X.shape
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.ptp(found) > 0.5


def test_inside_pictures_are_on_the_scale_of_0_to_255_and_not_clipped() -> None:
    network = build()
    expected = 255 * X
    for layer in network.layers[2:]:
        expected = layer(expected)
    found = network.predict_on_batch(X)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    clipped = network.predict_on_batch(np.clip(X, 0, 1))
    assert np.abs(found - clipped).max() > 0.1
