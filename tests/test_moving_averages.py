"""Moving averages of the weights, against those worked out by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance.fused_adam import FusedAdam
from tidenhance.moving_averages import averaged, keeps_averages


def one_weight(policy: str = "float32", **options: float) -> keras.Model:
    """A network whose one weight starts at 1, and whose gradient is 1 whatever it is."""
    with_policy = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    optimiser = FusedAdam(0.1, **options)
    if policy == "mixed_float16":
        optimiser = keras.optimizers.LossScaleOptimizer(optimiser, initial_scale=1.0)
    with_policy.compile(optimiser, loss="mse", jit_compile=False)
    with_policy.optimizer.build(with_policy.trainable_variables)
    return with_policy


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_averages_move_as_polyak_has_them_and_give_way(policy: str) -> None:
    """Adam of a constant gradient goes down by the rate: 0.9, 0.8, 0.7; averages by hand."""
    network = one_weight(policy, use_ema=True, ema_momentum=0.5)
    for _ in range(3):
        network.optimizer.apply([tf.ones((1, 1))], network.trainable_variables)
    [weight] = network.trainable_variables
    np.testing.assert_allclose(weight, 0.7, atol=1e-5)
    with averaged(network):
        np.testing.assert_allclose(weight, ((0.9 + 0.8) / 2 + 0.7) / 2, atol=1e-5)
    np.testing.assert_allclose(weight, 0.7, atol=1e-5)
    with pytest.raises(KeyError), averaged(network):
        raise KeyError
    np.testing.assert_allclose(weight, 0.7, atol=1e-5)


def test_before_the_first_step_there_are_no_averages_and_the_weights_stay_in_place() -> None:
    """Steps in which float16 overflows are none."""
    network = one_weight("mixed_float16", use_ema=True, ema_momentum=0.5)
    network.optimizer.apply([tf.fill((1, 1), np.inf)], network.trainable_variables)
    with averaged(network):
        np.testing.assert_allclose(network.trainable_variables[0], 1.0)


def test_without_averages_the_weights_stay_in_place() -> None:
    network = one_weight()
    assert not keeps_averages(network)
    with averaged(network):
        np.testing.assert_allclose(network.trainable_variables[0], 1.0)
