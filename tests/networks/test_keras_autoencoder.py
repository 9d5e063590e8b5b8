"""The autoencoder against Keras' example."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np
import pytest

from tidenhance import summary
from tidenhance.networks import keras_autoencoder


@pytest.mark.parametrize(
    ("channels", "by_layer", "parameters"),
    [
        (1, [320, 0, 9_248, 0, 9_248, 9_248, 289], 28_353),
        (3, [896, 0, 9_248, 0, 9_248, 9_248, 867], 29_507),
    ],
)
def test_parameters_are_the_examples_layer_by_layer(
    channels: Literal[1, 3], by_layer: list[int], parameters: int
) -> None:
    network = keras_autoencoder.build(channels=channels)
    assert [layer.count_params() for layer in network.layers[1:]] == by_layer
    assert network.count_params() == parameters


def test_digits_shrink_to_seven_pixels_and_grow_back() -> None:
    network = keras_autoencoder.build(channels=1)
    x, sizes = np.zeros((1, 28, 28, 1), np.float32), []
    for layer in network.layers[1:]:
        x = layer(x)
        sizes.append(tuple(x.shape[1:]))
    wide = [(side, side, 32) for side in (28, 14, 14, 7, 14, 28)]
    assert sizes == [*wide, (28, 28, 1)]


def test_activations_are_relus_and_a_sigmoid() -> None:
    layers = [x for x in keras_autoencoder.build().layers if hasattr(x, "activation")]
    relu, sigmoid = keras.activations.relu, keras.activations.sigmoid
    assert [layer.activation for layer in layers] == [relu] * 4 + [sigmoid]


def test_the_receptive_field_holds_all_that_an_output_pixel_depends_on() -> None:
    network = keras_autoencoder.build()
    field = summary.receptive_field(network).pixels
    batch = np.random.default_rng(0).random((1, 48, 48, 3), np.float32)
    expected = network(batch)[0, 24, 24].numpy()
    batch[:, :, : 24 - field] = 0
    np.testing.assert_allclose(network(batch)[0, 24, 24], expected, atol=1e-6)
    batch[:, :, : 24 - 4] = 0
    assert np.abs(network(batch)[0, 24, 24] - expected).max() > 1e-5
