"""ESPCN against its paper, and its unshuffling convolution against an unshuffled picture."""

from __future__ import annotations

import keras
import numpy as np

from tidenhance import summary
from tidenhance.networks import espcn
from tidenhance.networks._pixel_shuffle import PixelShuffle


def test_parameters_are_those_of_the_papers_filters() -> None:
    """Of 5 x 5, 3 x 3 and 3 x 3, on 4 times 3 channels at either end."""
    by_layer = [25 * 12 * 64 + 64, 9 * 64 * 32 + 32, 9 * 32 * 12 + 12]
    network = espcn.build()
    assert [x.count_params() for x in network.layers if x.count_params()] == by_layer
    assert network.count_params() == 41_196


def test_all_but_the_last_layer_is_at_half_the_size() -> None:
    x, shapes = np.zeros((1, 12, 20, 3), np.float32), []
    for layer in espcn.build().layers[1:]:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(6, 10, 64), (6, 10, 32), (6, 10, 12), (12, 20, 3)]


def test_the_last_convolution_alone_has_no_tanh() -> None:
    layers = [x for x in espcn.build().layers if isinstance(x, keras.layers.Conv2D)]
    tanh, linear = keras.activations.tanh, keras.activations.linear
    assert [layer.activation for layer in layers] == [tanh, tanh, linear]


def test_the_shuffle_lays_channels_out_as_the_paper_does() -> None:
    """Equation 4, by hand: four groups of channels are the four pixels, row by row."""
    x = np.array([[[[0, 1, 2, 3]], [[4, 5, 6, 7]]]], np.float32)
    shuffled = PixelShuffle(2)(x)
    np.testing.assert_array_equal(shuffled[0, :, :, 0], [[0, 1], [2, 3], [4, 5], [6, 7]])


def test_the_shuffle_keeps_colours_together() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 1, 1, 12)
    shuffled = PixelShuffle(2)(x)
    np.testing.assert_array_equal(shuffled[0, 0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(shuffled[0, 1], [[6, 7, 8], [9, 10, 11]])


def test_the_shuffle_undoes_the_unshuffle() -> None:
    x = np.random.default_rng(0).random((2, 6, 10, 3), np.float32)
    unshuffled = keras.ops.space_to_depth(x, espcn.SIZE_MULTIPLE)
    assert unshuffled.shape == (2, 3, 5, 12)
    np.testing.assert_array_equal(PixelShuffle(2)(unshuffled), x)


def test_the_first_convolution_is_5x5_on_the_unshuffled_picture() -> None:
    r = espcn.SIZE_MULTIPLE
    first = espcn.build().layers[1]
    x = np.random.default_rng(0).random((2, 12, 20, 3), np.float32)
    kernel = first.kernel.numpy().reshape(5, r, 5, r, 3, 64)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(5, 5, r * r * 3, 64)
    unshuffled = keras.ops.space_to_depth(x, r)
    expected = np.tanh(keras.ops.conv(unshuffled, kernel, padding="same") + first.bias)
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(first(x), expected, atol=1e-5)


def test_the_receptive_field_is_nine_positions_of_two_pixels() -> None:
    network = espcn.build()
    assert summary.receptive_field(network).pixels == 18
    batch = np.random.default_rng(0).random((1, 40, 40, 3), np.float32)
    expected = network(batch)[0, 20, 20].numpy()
    batch[:, :, : 20 - 8] = 0
    np.testing.assert_allclose(network(batch)[0, 20, 20], expected, atol=1e-6)
    batch[:, :, 20 - 8] = 0
    assert np.abs(network(batch)[0, 20, 20] - expected).max() > 1e-5
