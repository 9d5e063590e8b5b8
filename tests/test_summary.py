"""Layers, multiply-adds and receptive fields against hand counts and TensorFlow's own."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tidenhance import summary
from tidenhance.config import Training
from tidenhance.networks import (
    conv_autoencoder,
    linear_autoencoder,
    mirnet,
    plain_cnn,
    residual_cnn,
)


def multiply_adds_by_hand(widths: list[int], height: int, width: int) -> int:
    every = [3, *widths, 3]
    return height * width * sum(9 * a * b for a, b in pairwise(every))


@pytest.mark.parametrize("widths", [[128] * 6, [32, 128, 32, 128, 32, 128]])
def test_multiply_adds_of_the_plain_network_by_hand(widths: list[int]) -> None:
    network = plain_cnn.build(channels=widths)
    assert summary.multiply_adds(network, 384, 512) == multiply_adds_by_hand(widths, 384, 512)


def every_kind_of_layer() -> keras.Model:
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same")(inputs)
    x = layers.DepthwiseConv2D(5, padding="same")(x)
    x = layers.Conv2DTranspose(6, 2, strides=2)(x)
    x = layers.Dense(7)(x)
    return keras.Model(inputs, layers.Conv2D(3, 1)(x))


def tensorflows_multiply_adds(network: keras.Model, height: int, width: int) -> int:
    """Half of the floating-point operations that TensorFlow's profiler counts in products."""
    spec = tf.TensorSpec((1, height, width, 3))
    function = tf.function(lambda x: network(x, training=False)).get_concrete_function(spec)
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    options["account_type_regexes"] = ["Conv2D", "DepthwiseConv2dNative", "MatMul"]
    found = tf.compat.v1.profiler.profile(function.graph, cmd="scope", options=options)
    return found.total_float_ops // 2


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: mirnet.build(channels=8, groups=1, blocks=1), id="mirnet"),
        pytest.param(lambda: residual_cnn.build(channels=8, depth=4), id="residual_cnn"),
    ],
)
def test_multiply_adds_are_those_that_tensorflow_counts(network) -> None:
    built = network()
    assert summary.multiply_adds(built, 32, 48) == tensorflows_multiply_adds(built, 32, 48)


def test_multiply_adds_of_every_kind_of_layer_by_hand() -> None:
    half, whole = 16 * 24, 32 * 48
    by_hand = (
        half * 9 * 3 * 4  # strided convolution
        + half * 25 * 4  # depthwise
        + half * 4 * 4 * 6  # transposed: each input position meets the whole kernel
        + whole * 6 * 7  # dense over channels
        + whole * 7 * 3
    )
    assert summary.multiply_adds(every_kind_of_layer(), 32, 48) == by_hand


def measured_receptive_field(network: keras.Model, side: int) -> int:
    """The widest stretch of outputs that one changed input pixel changes."""
    for weight in network.weights:
        weight.assign(0.1 * keras.ops.ones_like(weight))
    picture = np.zeros((1, side, side, 3), np.float32)
    before = network.predict_on_batch(picture)
    widest = 0
    for shift in range(4):
        changed = picture.copy()
        changed[0, side // 2 + shift, side // 2 + shift] = 1
        rows = np.any(network.predict_on_batch(changed) != before, axis=(0, 2, 3)).nonzero()[0]
        widest = max(widest, int(rows[-1] - rows[0]) + 1)
    return widest


def u_shape() -> keras.Model:
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(2, 3, padding="same")(inputs)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Conv2D(2, 3, padding="same")(x)
    x = layers.UpSampling2D(2)(x)
    return keras.Model(inputs, layers.Conv2D(3, 3, padding="same")(x))


@pytest.mark.parametrize(
    ("network", "tolerance"),
    [
        pytest.param(lambda: plain_cnn.build(channels=[4] * 6), 0, id="plain"),
        pytest.param(lambda: residual_cnn.build(channels=4, depth=5), 0, id="residual"),
        # A pixel's place in the grid of 2 x 2 adds up to one pixel on each side.
        pytest.param(u_shape, 2, id="u-shape"),
    ],
)
def test_the_receptive_field_is_what_one_pixel_reaches(network, tolerance: int) -> None:
    built = network()
    field = summary.receptive_field(built)
    assert 0 <= measured_receptive_field(built, 64) - field.pixels <= tolerance
    assert not field.is_global


def test_seven_layers_of_3x3_see_15_pixels() -> None:
    assert summary.receptive_field(plain_cnn.build(channels=[4] * 6)).pixels == 15


def test_global_pooling_sees_the_whole_picture() -> None:
    assert summary.receptive_field(mirnet.build(channels=8, groups=1, blocks=1)).is_global


def test_memory_grows_in_proportion_to_the_batch() -> None:
    network = plain_cnn.build(channels=[16] * 6)
    weights = 16 * network.count_params()
    one, four = (summary.training_memory(network, batch, 64, 64) - weights for batch in (1, 4))
    assert four == 4 * one
    assert one > 6 * 64 * 64 * 16 * 4


def test_memory_is_told_for_every_number_of_accumulation_steps() -> None:
    training = Training(epochs=1, batch_size=6, gradient_accumulation_steps=3, learning_rate=1e-3)
    network = plain_cnn.build(channels=[4])
    found = summary.describe(network, training, 32, 32)
    told = found["training_memory_bytes_by_accumulation"]
    assert list(told) == [1, 2, 3, 6]
    assert told[1] == summary.training_memory(network, 6, 32, 32)
    averages = summary.training_memory(network, 6, 32, 32, averages=True)
    assert averages - told[1] == 4 * network.count_params()
    assert told[3] == summary.training_memory(network, 2, 32, 32, accumulated=True)
    assert (found["training_memory_bytes"], found["pictures_at_once"]) == (told[3], 2)
    assert told[1] > told[2] > told[3] > told[6]


def test_looking_at_a_network_does_not_change_it(tmp_path) -> None:
    network = residual_cnn.build(channels=4, depth=3)
    parameters, count = network.count_params(), len(network.layers)
    summary.receptive_field(network)
    summary.multiply_adds(network, 32, 32)
    network.save_weights(tmp_path / "x.weights.h5")
    assert (network.count_params(), len(network.layers)) == (parameters, count)
    assert [layer["parameters"] for layer in summary.layer_table(network)][1:3] == [112, 148]


def test_the_one_size_that_a_network_takes() -> None:
    assert summary.picture_size(linear_autoencoder.build(units=[4]), 384, 512) == (28, 28)
    assert summary.picture_size(plain_cnn.build(channels=[4]), 384, 512) == (384, 512)
    high = keras.Model(inputs := keras.Input((7, None, 3)), layers.Conv2D(3, 1)(inputs))
    assert summary.picture_size(high, 384, 512) == (7, 512)


def test_the_shape_that_a_network_takes_is_told() -> None:
    training = Training(epochs=1, batch_size=1, learning_rate=1e-3)
    for network, shape in (
        (linear_autoencoder.build(units=[4]), [28, 28, 1]),
        (plain_cnn.build(channels=[4]), [None, None, 3]),
    ):
        assert summary.describe(network, training, 28, 28)["input_shape"] == shape


def test_multiply_adds_of_the_autoencoders_by_hand() -> None:
    assert summary.multiply_adds(linear_autoencoder.build(units=[16, 4]), 28, 28) == (
        784 * 16 + 16 * 4 + 4 * 16 + 16 * 784
    )
    assert summary.multiply_adds(conv_autoencoder.build(), 28, 28) == (
        8 * 8 * 49 * 32  # outputs of the convolutions
        + 6 * 6 * 9 * 32 * 64
        + 6 * 6 * 9 * 64 * 32  # inputs of the transposed ones
        + 8 * 8 * 49 * 32
    )


@pytest.mark.parametrize(
    ("variant", "by_hand"),
    [
        # From the output back: 3 and 5 pixels of the transposed ones, 7, and (7 - 1) x 3 + 7.
        ("I", 25),
        # 3 and 3 pixels, (3 - 1) x 2 + 4, and (8 - 1) x 2 + 6; the phases of strides add a few.
        ("II", 20),
    ],
)
def test_the_autoencoders_receptive_field_by_hand(variant, by_hand: int) -> None:
    field = summary.receptive_field(conv_autoencoder.build(variant=variant))
    assert 0 <= field.pixels - by_hand <= 3
    assert not field.is_global


def test_fully_connected_layers_see_the_whole_picture() -> None:
    assert summary.receptive_field(linear_autoencoder.build(units=[4])).is_global
