"""EDSR against its paper."""

from __future__ import annotations

from collections import Counter

import keras
import numpy as np
import pytest

from tidenhance import components
from tidenhance.networks import edsr


@pytest.mark.parametrize(
    ("channels", "blocks", "upsampler", "published"),
    [
        (64, 16, 2 * (9 * 64 * 256 + 256), 1_517_571),
        (256, 32, 2 * (9 * 256 * 1024 + 1024), 43_089_923),
    ],
)
def test_with_the_papers_upsampler_parameters_are_the_published(
    channels: int, blocks: int, upsampler: int, published: int
) -> None:
    """The published are of enlarging four times, with two convolutions to 4 times the channels."""
    network = edsr.build(channels=channels, blocks=blocks)
    assert network.count_params() + upsampler == published


def test_blocks_are_of_the_papers_structure() -> None:
    """Figure 2(c): two convolutions, a relu between them, and a skip; no batch normalisation."""
    network = edsr.build(channels=8, blocks=5)
    counts = Counter(type(layer).__name__ for layer in network.layers)
    assert counts == {"InputLayer": 1, "Conv2D": 2 * 5 + 3, "Add": 5 + 1}
    relus = [getattr(x, "activation", None) is keras.activations.relu for x in network.layers]
    assert sum(relus) == 5


def weigh(network: keras.Model, values: list[float]) -> None:
    """Make each convolution multiply the one channel it looks at, by its value."""
    layers = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    for layer, value in zip(layers, values, strict=True):
        kernel = np.zeros(layer.kernel.shape, np.float32)
        kernel[1, 1, 0] = value
        layer.set_weights([kernel, np.zeros(layer.bias.shape, np.float32)])


@pytest.mark.parametrize("scaling", [1.0, 0.1])
def test_one_block_by_hand(scaling: float) -> None:
    """The head gives 2x, the block adds its scaled 3 x 5 x 2x, the body's end takes that 7 times.

    The skip around it adds 2x, and the last convolution halves the sum.
    """
    options = components.options("networks", "edsr")(channels=1, blocks=1, residual_scaling=scaling)
    network = components.make("networks", "edsr", options.model_dump())
    weigh(network, [2, 3, 5, 7, 0.5])
    x = np.random.default_rng(0).random((1, 4, 5, 3), np.float32)
    red = x[..., :1]
    expected = 0.5 * (2 * red + 7 * (2 * red + scaling * 15 * 2 * red))
    found = network.predict_on_batch(x)
    np.testing.assert_allclose(found, np.repeat(expected, 3, axis=-1), rtol=1e-5)


def test_the_relu_of_a_block_is_between_its_convolutions() -> None:
    """With -1 before it nothing is left to add; with -1 after it all is."""
    network = edsr.build(channels=1, blocks=1)
    x = np.full((1, 3, 3, 3), 0.5, np.float32)
    weigh(network, [1, -1, 1, 1, 1])
    np.testing.assert_allclose(network.predict_on_batch(x), 0.5 + 0.5)
    weigh(network, [1, 1, -1, 1, 1])
    np.testing.assert_allclose(network.predict_on_batch(x), 0.5 + (0.5 - 0.5))


def test_training_starts_on_the_scale_of_the_pictures() -> None:
    """With Keras' own initial weights the standard deviation is 2 and more."""
    keras.utils.set_random_seed(1)
    network = edsr.build()
    layers = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert not np.array_equal(layers[1].kernel, layers[2].kernel)
    x = np.random.default_rng(0).random((1, 24, 24, 3), np.float32)
    assert network.predict_on_batch(x).std() < 1
