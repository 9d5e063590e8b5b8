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
