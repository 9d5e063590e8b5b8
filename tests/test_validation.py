"""Validation figures, and output channels that are dead."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance import config as configs
from tidenhance import validation
from tidenhance.errors import ConfigError
from tidenhance.networks import conv_autoencoder, plain_cnn

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


def test_the_size_that_pictures_need_is_the_largest_of_loss_and_metrics() -> None:
    found = validation.minimum(load("metrics=[psnr, ms_ssim, ssim]", "loss={name: ssim_mae}"))
    assert found == (176, "metrics: ms_ssim")
    assert validation.minimum(load("metrics=[psnr]"))[0] == 1
    assert validation.minimum(load("metrics=[]", "loss={name: ssim_mae}")) == (11, "loss: ssim_mae")


def test_no_channel_is_dead_that_no_reference_has() -> None:
    references = X * np.float32([1, 0, 1])
    batches = tf.data.Dataset.from_tensor_slices((X, references)).batch(2)
    assert validation.dead_channels(network_with_dead([1, 2]), batches) == ["blue"]


def test_figures_are_those_of_keras_and_forget_what_was_before() -> None:
    network = plain_cnn.build(channels=[4])
    network.compile(loss="mse", metrics=["mae"], jit_compile=False)
    expected = network.evaluate(BATCHES, return_dict=True, verbose=0)
    for _ in range(2):
        found = validation.figures(network, network.test_step, BATCHES)
        assert found == pytest.approx({f"val_{k}": v for k, v in expected.items()}, rel=1e-6)


@pytest.mark.parametrize(("bias", "names"), [(0, []), (-1e4, ["grey"])])
def test_the_one_channel_of_a_grey_network_may_be_dead(bias: float, names: list[str]) -> None:
    network = conv_autoencoder.build()
    network.layers[-1].bias.assign([bias])
    pictures = np.random.default_rng(0).random((5, 28, 28, 1), np.float32)
    batches = tf.data.Dataset.from_tensor_slices((pictures, pictures)).batch(2)
    assert validation.dead_channels(network, batches) == names


def load(*overrides: str) -> configs.Config:
    return configs.load(configs.find("quickstart"), overrides, environment={})


@pytest.mark.parametrize("channels", [1, 3])
def test_doing_nothing_costs_what_the_clipped_picture_costs(channels: int) -> None:
    """As a picture is saved: noise outside [0, 1] is lost."""
    random = np.random.default_rng(0)
    clean = random.random((5, 6, 6, channels), np.float32)
    noisy = clean + random.normal(0, 0.8, clean.shape).astype(np.float32)
    assert noisy.min() < -0.5
    assert noisy.max() > 1.5
    batches = tf.data.Dataset.from_tensor_slices((noisy, clean)).batch(2)
    errors = np.square(np.clip(noisy, 0, 1) - clean).mean(axis=(1, 2, 3))
    found = validation.identity_figures(load("loss={name: mse}", "metrics=[psnr]"), batches)
    assert found["val_loss"] == pytest.approx(errors.mean(), rel=1e-5)
    assert found["val_psnr"] == pytest.approx((-10 * np.log10(errors)).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("metrics", "shape"),
    [
        ("[psnr, mse, mae, ssim]", (28, 28, 1)),
        ("[psnr_y, ssim_y]", (11, 28, 3)),
        # What is not known cannot be refused.
        ("[ms_ssim]", (None, None, 3)),
        ("[]", (1, 1, 1)),
    ],
)
def test_metrics_that_suit_the_pictures(metrics: str, shape: tuple[int | None, ...]) -> None:
    validation.check_shape(load(f"metrics={metrics}"), shape, "training")


@pytest.mark.parametrize(
    ("metrics", "shape", "name", "expected", "received"),
    [
        ("[psnr, psnr_y]", (28, 28, 1), "psnr_y", "3 channels", 1),
        ("[ssim_y]", (None, None, 1), "ssim_y", "3 channels", 1),
        ("[ssim]", (28, 10, 1), "ssim", "at least 11 pixels a side", 10),
        ("[psnr, ms_ssim]", (28, 28, 1), "ms_ssim", "pixels a side", 28),
    ],
)
def test_metrics_that_do_not_suit_the_pictures(
    metrics: str, shape: tuple[int | None, ...], name: str, expected: str, received: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        validation.check_shape(load(f"metrics={metrics}"), shape, "validation")
    message = str(caught.value)
    assert message.startswith("metrics: ")
    assert {name, "validation"} <= set(re.findall(r"\w+", message))
    assert expected in message
    assert message.endswith(f"Received: {received}.")


def test_a_loss_that_does_not_suit_the_pictures() -> None:
    with pytest.raises(ConfigError, match=r"loss: ssim_mae: expected at least 11 pixels a side"):
        validation.check_shape(load("loss={name: ssim_mae}"), (8, 8, 3), "training")
