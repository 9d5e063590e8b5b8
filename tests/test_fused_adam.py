"""The fused Adam against Keras' own, fed the same gradients."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance.fused_adam import FusedAdam

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
