"""Validation figures, and output channels that are dead."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance import validation
from tidenhance.networks import plain_cnn

X = np.random.default_rng(0).random((5, 6, 6, 3), np.float32)
BATCHES = tf.data.Dataset.from_tensor_slices((X, 1 - X)).batch(2)


def network_with_dead(channels: list[int]) -> keras.Model:
    network = plain_cnn.build(channels=[4])
    bias = np.full(3, 5.0, np.float32)
    bias[channels] = -100
    network.layers[-1].bias.assign(bias)
    return network


@pytest.mark.parametrize(("dead", "names"), [([], []), ([1], ["green"]), ([0, 2], ["red", "blue"])])
def test_dead_output_channels_are_named(dead: list[int], names: list[str]) -> None:
    assert validation.dead_channels(network_with_dead(dead), BATCHES) == names


def test_figures_are_those_of_keras_and_forget_what_was_before() -> None:
    network = plain_cnn.build(channels=[4])
    network.compile(loss="mse", metrics=["mae"], jit_compile=False)
    expected = network.evaluate(BATCHES, return_dict=True, verbose=0)
    for _ in range(2):
        found = validation.figures(network, network.test_step, BATCHES)
        assert found == pytest.approx({f"val_{k}": v for k, v in expected.items()}, rel=1e-6)
