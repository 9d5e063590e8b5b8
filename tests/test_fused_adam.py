"""The fused Adam against Keras' own, fed the same gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance.fused_adam import FusedAdam, averaged, keeps_averages

SHAPES = [(3, 3, 4, 8), (8,), (5, 7), ()]


def updated(
    optimiser: keras.optimizers.Optimizer, updates: int, *, graph: bool
) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    # Biases start at zero, so that all there is of them are the updates.
    variables = [
        keras.Variable(start * random.normal(size=shape).astype("float32"))
        for shape in SHAPES
        for start in (0.0, 1.0)
    ]
    optimiser.build(variables)

    def apply(*gradients: tf.Tensor) -> None:
        optimiser.apply(list(gradients), variables)

    step = tf.function(apply, autograph=False) if graph else apply
    for _ in range(updates):
        # Of very different sizes, as gradients are.
        scales = 10.0 ** random.integers(-6, 3, len(variables))
        step(
            *[
                tf.constant(scale * random.normal(size=variable.shape), tf.float32)
                for scale, variable in zip(scales, variables, strict=True)
            ]
        )
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        *({}, {"beta_1": 0.5, "epsilon": 1e-3}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}),
        *({"weight_decay": 0.1}, {"beta_1": 0.9, "beta_2": 0.9}),
    ],
)
def test_ten_updates_are_those_of_keras(options: dict[str, float], graph: bool) -> None:
    fused, kerass = (
        updated(kind(1e-2, **options), 10, graph=graph)
        for kind in (FusedAdam, keras.optimizers.Adam)
    )
    assert len(fused) == len(kerass)
    for found, expected in zip(fused, kerass, strict=True):
        assert np.linalg.norm(expected) > 0
        assert np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)


def kinds_of_operations(optimiser: keras.optimizers.Optimizer) -> list[str]:
    variables = [keras.Variable(np.zeros(3, "float32")) for _ in range(20)]
    optimiser.build(variables)
    graph = tf.function(
        lambda *gradients: optimiser.apply(list(gradients), variables), autograph=False
    ).get_concrete_function(*[tf.TensorSpec(3, tf.float32)] * 20)
    return [op.type for op in graph.graph.get_operations() if op.type != "Placeholder"]


def test_one_operation_a_variable_where_keras_has_many() -> None:
    fused = kinds_of_operations(FusedAdam(1e-3))
    assert fused.count("ResourceApplyAdam") == 20
    assert 5 * len(fused) < len(kinds_of_operations(keras.optimizers.Adam(1e-3)))


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


def test_without_averages_the_weights_stay_in_place() -> None:
    network = one_weight()
    assert not keeps_averages(network)
    with averaged(network):
        np.testing.assert_allclose(network.trainable_variables[0], 1.0)
