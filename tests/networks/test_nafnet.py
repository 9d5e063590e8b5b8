"""NAFNet against the paper's figures, and its parts by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from tidenhance import summary
from tidenhance.networks import nafnet

DEBLURRING = {"width": 32, "encoder_blocks": [1, 1, 1, 28]}
DENOISING = {
    "width": 32,
    "encoder_blocks": [2, 2, 4, 8],
    "middle_blocks": 12,
    "decoder_blocks": [2, 2, 2, 2],
}


@pytest.mark.parametrize(
    ("options", "millions", "giga_multiply_adds"),
    [(DEBLURRING, 17.1, 16), (DENOISING, 29.2, 16), ({}, 1.14, None)],
)
def test_size_and_cost_are_the_published_ones(
    options: dict[str, Any], millions: float, giga_multiply_adds: int | None
) -> None:
    """Section 5 and the authors' tables: multiply-adds at 256 x 256."""
    network = nafnet.build(**options)
    assert network.count_params() / 1e6 == pytest.approx(millions, abs=0.05)
    if giga_multiply_adds:
        found = summary.multiply_adds(network, 256, 256) / 1e9
        assert found == pytest.approx(giga_multiply_adds, abs=0.5)


def test_a_block_starts_as_the_identity_and_its_scales_are_trained() -> None:
    inputs = keras.Input((8, 8, 4))
    block = keras.Model(inputs, nafnet._block(inputs))
    x = np.random.default_rng(0).random((1, 8, 8, 4), np.float32)
    np.testing.assert_array_equal(block(x), x)
    scales = [layer for layer in block.layers if isinstance(layer, nafnet.ChannelScale)]
    assert [layer.trainable_weights[0].shape for layer in scales] == [(4,), (4,)]
    for layer in scales:
        layer.scale.assign([1.0, 0.0, 0.0, 0.0])
    changed = np.any(np.asarray(block(x)) != x, axis=(0, 1, 2))
    assert changed.tolist() == [True, False, False, False]


def test_the_gate_multiplies_the_halves_of_the_channels() -> None:
    found = nafnet.SimpleGate()(np.array([[[[2.0, 3.0, 5.0, 7.0]]]], np.float32))
    np.testing.assert_array_equal(found, [[[[10.0, 21.0]]]])


def test_channel_attention_multiplies_with_a_projection_of_the_mean() -> None:
    inputs = keras.Input((2, 1, 2))
    attention = keras.Model(inputs, nafnet._simplified_channel_attention(inputs))
    attention.layers[2].set_weights([np.array([[[[1.0, 2.0], [0.0, 1.0]]]]), np.array([0.5, 0.0])])
    found = attention(np.array([[[[1.0, 10.0]], [[3.0, 30.0]]]], np.float32))
    # The mean is (2, 20), its projection (2 + 0.5, 4 + 20).
    np.testing.assert_allclose(found, [[[[2.5, 240.0]], [[7.5, 720.0]]]])


def test_layer_norm_is_over_channels() -> None:
    inputs = keras.Input((1, 1, 2))
    norm = keras.Model(inputs, nafnet._layer_norm(inputs))
    np.testing.assert_allclose(
        norm(np.array([[[[1.0, 3.0]]]], np.float32)), [[[[-1, 1]]]], atol=1e-5
    )


def test_the_colour_transform_adds_a_product_and_an_offset() -> None:
    x = np.array([[[[1.0, 2.0, 4.0]]]], np.float32)
    transform = np.array([[0, 0, 1, 0, 0.5, 0, 0, 0, 0, 0.1, 0, -0.1]], np.float32)
    found = nafnet.ColourTransform()([x, transform])
    # Blue gets red's value besides, green half its own.
    np.testing.assert_allclose(found, [[[[1.1, 3.0, 4.9]]]], rtol=1e-6)


def test_the_colour_transform_starts_as_the_identity_and_is_the_same_for_all_pixels() -> None:
    keras.utils.set_random_seed(1)
    plain = nafnet.build(width=4)
    keras.utils.set_random_seed(1)
    network = nafnet.build(width=4, colour_transform=True)
    transform = keras.Model(network.input, network.layers[-1].input[1])
    picture = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)
    np.testing.assert_array_equal(transform(picture), np.zeros((2, 12)))
    last = next(layer for layer in network.layers if getattr(layer, "units", None) == 12)
    last.bias.assign([0.0] * 9 + [0.1, 0.2, 0.3])
    before = keras.Model(network.input, network.layers[-1].input[0])
    shifted = network(picture) - before(picture)
    np.testing.assert_allclose(shifted, np.full(picture.shape, [0.1, 0.2, 0.3]), atol=1e-6)
    assert network.count_params() - plain.count_params() == pytest.approx(114_000, rel=0.01)


def test_the_colour_transform_is_told_from_a_few_pixels_far_away() -> None:
    keras.utils.set_random_seed(1)
    network = nafnet.build(width=4, colour_transform=True)
    last = next(layer for layer in network.layers if getattr(layer, "units", None) == 12)
    last.kernel.assign(np.random.default_rng(0).normal(0, 0.1, last.kernel.shape))
    picture = np.full((1, 128, 128, 3), 0.5, np.float32)
    other = picture.copy()
    other[:, 120:, 120:] = 1.0
    transform = keras.Model(network.input, network.layers[-1].input[1])
    assert np.abs(transform(picture) - transform(other)).max() > 1e-3
