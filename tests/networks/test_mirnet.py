"""MIRNet against the article's figures and the published structure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest

from tidenhance.networks import mirnet


@pytest.mark.parametrize(("channels", "parameters"), [(64, 44_157_007), (32, 11_059_295)])
def test_parameters_and_layers_are_the_articles(channels: int, parameters: int) -> None:
    network = mirnet.build(channels=channels)
    assert network.count_params() == parameters
    assert len(network.layers) == 1339


def test_layers_are_of_the_published_structure() -> None:
    """Counted by hand: 6 DAU, 4 SKFF, 6 down and 7 up in a block, 6 blocks, 3 groups."""
    network = mirnet.build(channels=8)
    counts = Counter(type(layer).__name__ for layer in network.layers)
    blocks, dau, skff, down, up = 6, 6, 4, 6, 7
    assert counts["ChannelMeanAndMax"] == counts["Concatenate"] == blocks * dau
    assert counts["GlobalAveragePooling2D"] == counts["Reshape"] == blocks * (dau + skff)
    assert counts["Multiply"] == blocks * (2 * dau + 3 * skff)
    assert counts["MaxPooling2D"] == 2 * blocks * down
    assert counts["UpSampling2D"] == 2 * blocks * up
    assert counts["Add"] == blocks * (dau + 2 * skff + down + up + 1) + 3 + 1


def test_attention_over_channels_or_over_streams_sums_to_one() -> None:
    streams = [
        np.random.default_rng(n).normal(size=(2, 1, 1, 8)).astype("float32") for n in range(3)
    ]
    over_streams = mirnet.StreamSoftmax()(streams)
    np.testing.assert_allclose(sum(np.array(x) for x in over_streams), 1, rtol=1e-6)
    over_channels = mirnet.build(channels=8, groups=1, blocks=1, fusion_softmax="channels")
    softmax = [
        layer
        for layer in over_channels.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.activation is keras.activations.softmax
    ]
    assert len(softmax) == 3 * 4


def test_streams_have_as_many_parameters_as_channels() -> None:
    small = {"channels": 8, "groups": 1, "blocks": 1}
    channels = mirnet.build(**small, fusion_softmax="channels")
    streams = mirnet.build(**small, fusion_softmax="streams")
    assert streams.count_params() == channels.count_params()
    counts = [
        sum(isinstance(layer, mirnet.StreamSoftmax) for layer in network.layers)
        for network in (channels, streams)
    ]
    assert counts == [0, 4]  # one for each selective kernel feature fusion


def test_mean_and_maximum_are_over_channels() -> None:
    x = np.array([[[[1.0, 5.0, 3.0]]]], "float32")
    np.testing.assert_array_equal(mirnet.ChannelMeanAndMax()(x), [[[[3.0, 5.0]]]])


def test_output_is_the_input_plus_a_residual() -> None:
    network = mirnet.build(channels=8, groups=1, blocks=1)
    for weight in network.layers[-2].weights:
        weight.assign(keras.ops.zeros_like(weight))
    x = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    np.testing.assert_array_equal(network.predict_on_batch(x), x)


def test_every_part_reaches_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wiring mistake of a published tutorial leaves one of the three streams unused."""
    made = []

    class Recorded(mirnet.Conv2D):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(mirnet, "Conv2D", Recorded)
    network = mirnet.build(channels=8, groups=1, blocks=1)
    assert made
    assert {id(layer) for layer in made} == {
        id(layer) for layer in network.layers if isinstance(layer, Recorded)
    }
