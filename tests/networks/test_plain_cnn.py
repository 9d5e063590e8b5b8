"""The plain network against the article's table."""

from __future__ import annotations

import keras
import pytest

from tidenhance.networks import plain_cnn


@pytest.mark.parametrize(
    ("channels", "by_layer"),
    [
        ([128] * 6, [3_584, *[147_584] * 5, 3_459]),
        ([256] * 6, [7_168, *[590_080] * 5, 6_915]),
    ],
)
def test_parameters_are_the_articles_layer_by_layer(
    channels: list[int], by_layer: list[int]
) -> None:
    network = plain_cnn.build(channels=channels)
    assert [layer.count_params() for layer in network.layers[1:]] == by_layer
    assert len(network.layers) == 7 + 1


def test_the_irregular_network_is_a_list_of_widths() -> None:
    assert plain_cnn.build(channels=[32, 128, 32, 128, 32, 128]).count_params() == 189_123


def test_every_convolution_is_3x3_and_ends_in_a_relu() -> None:
    for layer in plain_cnn.build(channels=[4, 4]).layers[1:]:
        assert layer.kernel_size == (3, 3)
        assert layer.padding == "same"
        assert layer.activation is keras.activations.relu
