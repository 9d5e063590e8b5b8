"""What every loss keeps to, and the values of each worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import structural_similarity

from tidenhance import components

# 12 x 12, for the window of structural similarity.
Y_TRUE = np.tile(np.array([0.0, 0.5, 1.0, 0.25], np.float32).reshape(1, 2, 2, 1), (1, 6, 6, 3))
Y_PRED = np.tile(np.array([0.0, 0.2, 1.4, 0.25], np.float32).reshape(1, 2, 2, 1), (1, 6, 6, 3))


@pytest.fixture(params=components.names("losses"))
def loss(request: pytest.FixtureRequest) -> keras.losses.Loss:
    return components.make("losses", request.param, {})


def test_a_loss_is_a_scalar_that_is_least_where_both_are_equal(loss: keras.losses.Loss) -> None:
    equal, different = loss(Y_TRUE, Y_TRUE), loss(Y_TRUE, Y_PRED)
    assert different.shape == ()
    assert float(equal) < float(different)


def test_the_gradient_is_finite_where_both_are_equal(loss: keras.losses.Loss) -> None:
    y_pred = tf.Variable(Y_TRUE)
    with tf.GradientTape() as tape:
        value = loss(Y_TRUE, y_pred)
    assert np.isfinite(tape.gradient(value, y_pred)).all()


def test_pictures_count_alike(loss: keras.losses.Loss) -> None:
    both = loss(np.concatenate([Y_TRUE, Y_TRUE]), np.concatenate([Y_TRUE, Y_PRED]))
    mean = (float(loss(Y_TRUE, Y_TRUE)) + float(loss(Y_TRUE, Y_PRED))) / 2
    np.testing.assert_allclose(float(both), mean, rtol=1e-5)


def test_mse_by_hand() -> None:
    loss = components.make("losses", "mse", {})
    np.testing.assert_allclose(loss(Y_TRUE, Y_PRED), (0.3**2 + 0.4**2) / 4, rtol=1e-5)


def test_mae_by_hand() -> None:
    loss = components.make("losses", "mae", {})
    np.testing.assert_allclose(loss(Y_TRUE, Y_PRED), (0.3 + 0.4) / 4, rtol=1e-5)


def test_charbonnier_by_hand() -> None:
    """With epsilon 0.4 and a difference of 0.3 the root of 0.25 is 0.5."""
    loss = components.make("losses", "charbonnier", {"epsilon": 0.4})
    y_true = np.zeros((1, 1, 1, 3), np.float32)
    np.testing.assert_allclose(loss(y_true, y_true + 0.3), 0.5, rtol=1e-6)
    default = components.make("losses", "charbonnier", {})
    np.testing.assert_allclose(default(y_true, y_true), 1e-3, rtol=1e-6)


def test_psnr_by_hand() -> None:
    """Everywhere off by 0.1 is an MSE of 0.01, 20 dB; the loss of two pictures is their mean."""
    loss = components.make("losses", "psnr", {})
    np.testing.assert_allclose(loss(Y_TRUE, Y_TRUE + 0.1), -20, rtol=1e-4)
    off = Y_TRUE + np.array([0.1, 1.0], np.float32).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(loss(np.tile(Y_TRUE, (2, 1, 1, 1)), off), -10, atol=1e-3)


def test_ssim_and_mae_against_scikit_image() -> None:
    expected = structural_similarity(
        Y_TRUE[0].astype(float),
        Y_PRED[0].astype(float),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1,
        full=True,
    )[1][5:-5, 5:-5].mean()
    loss = components.make("losses", "ssim_mae", {"share": 0.75})
    by_hand = 0.75 * (1 - expected) + 0.25 * (0.3 + 0.4) / 4
    np.testing.assert_allclose(float(loss(Y_TRUE, Y_PRED)), by_hand, rtol=1e-4)


def test_cross_entropy_by_hand() -> None:
    """Of 0.25 where it is 1, and of 0.75 where it is 0: log 4 both."""
    loss = components.make("losses", "binary_crossentropy", {})
    y_true = np.array([1.0, 0.0], np.float32).reshape(1, 2, 1, 1)
    y_pred = np.array([0.25, 0.75], np.float32).reshape(1, 2, 1, 1)
    np.testing.assert_allclose(loss(y_true, y_pred), np.log(4), rtol=1e-5)
