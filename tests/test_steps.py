"""Training steps against Keras' own, and against each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance import steps
from tidenhance.metrics import ssim
from tidenhance.networks import plain_cnn

RANDOM = np.random.default_rng(0)
X, Y = (RANDOM.random((5, 8, 8, 3)).astype("float32") for _ in range(2))
BATCH = (tf.constant(X), tf.constant(Y))


class Recorder(keras.optimizers.SGD):
    """Keeps the gradients that it is given in variables."""

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self.kept = [tf.Variable(tf.zeros(variable.shape)) for variable in variables]

    def apply(self, grads: list[tf.Tensor], trainable_variables: Any = None) -> None:
        for kept, gradient in zip(self.kept, grads, strict=True):
            kept.assign(gradient)


def network(
    optimiser: keras.optimizers.Optimizer | None = None, metrics: Sequence[Any] = ("mae",)
) -> keras.Model:
    keras.utils.set_random_seed(2)
    model = plain_cnn.build(channels=[6, 6])
    model.compile(
        optimizer=optimiser or keras.optimizers.SGD(0.1),
        loss="mse",
        metrics=list(metrics),
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)
    shown = np.zeros((1, 16, 16, 3), np.float32)
    model.compute_metrics(shown, shown, shown)
    model.reset_metrics()
    return model


def test_a_step_is_that_of_keras() -> None:
    ours, kerass = network(), network()
    step = steps.training(ours, jit_compile=False)
    for _ in range(3):
        found = step(BATCH)
        expected = kerass.train_step(BATCH)
    assert list(found) == list(expected)
    for name in found:
        assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-6)
    for a, b in zip(ours.get_weights(), kerass.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
def test_the_gradient_of_micro_batches_is_that_of_the_batch(size: int) -> None:
    whole, parts = network(Recorder(0.1)), network(Recorder(0.1))
    expected = steps.training(whole, jit_compile=False)(BATCH)
    found = steps.training(parts, jit_compile=False, micro_batch_size=size)(BATCH)
    for name in expected:
        assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-5)
    for a, b in zip(parts.optimizer.kept, whole.optimizer.kept, strict=True):
        difference = np.linalg.norm(a.numpy() - b.numpy())
        assert difference <= 1e-5 * np.linalg.norm(b.numpy())
        assert np.linalg.norm(b.numpy()) > 0


@pytest.mark.parametrize(("pictures", "parts"), [(1, {"1"}), (4, {"2"}), (5, {"1", "2"})])
def test_xla_computes_micro_batches_and_not_the_batch(pictures: int, parts: set[str]) -> None:
    """So that their memory is theirs: read from what is compiled."""
    batch = (BATCH[0][:pictures], BATCH[1][:pictures])
    plain, compiled = network(Recorder(0.1)), network(Recorder(0.1))
    steps.training(plain, jit_compile=False, micro_batch_size=2)(batch)
    step = steps.training(compiled, jit_compile=True, micro_batch_size=2)
    step(batch)
    for a, b in zip(compiled.optimizer.kept, plain.optimizer.kept, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    compiled_to = step.experimental_get_compiler_ir(batch)(stage="hlo")
    sizes = re.findall(r"= f32\[(.*?),8,8,\d+\]\S* convolution\(", compiled_to)
    assert set(sizes) == parts
    assert "dynamic_slice" in compiled_to or "dynamic-slice" in compiled_to or pictures == 1
    assert not re.search(r"= f32\[\d+,16,16,3\]", compiled_to)  # padded for a slice of any size


@pytest.mark.parametrize("jit_compile", [False, True])
def test_micro_batches_of_batches_whose_size_is_not_known_before(jit_compile: bool) -> None:
    whole, parts = network(metrics=[ssim.compute]), network(metrics=[ssim.compute])

    def uneven() -> Callable[[], Any]:
        """Batches of 4 and 1 pictures, as at the end of a pass over the pairs."""
        large = [np.repeat(np.repeat(one, 2, axis=1), 2, axis=2) for one in (X, Y)]
        return iter(tf.data.Dataset.from_tensor_slices(tuple(large)).batch(4).repeat())

    expected = steps.advancing(steps.training(whole, jit_compile=False), uneven(), together=False)(
        4
    )
    step = steps.training(parts, jit_compile=jit_compile, micro_batch_size=2)
    found = steps.advancing(step, uneven(), together=True)(4)
    for name in expected:
        assert float(found[name]) == pytest.approx(float(expected[name]), rel=1e-4)
    for a, b in zip(parts.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def batches() -> Callable[[], Any]:
    return iter(tf.data.Dataset.from_tensor_slices((X, Y)).repeat().batch(2))


def test_several_steps_in_one_call_are_the_same_steps() -> None:
    one, several = network(), network()
    apart = steps.advancing(steps.training(one, jit_compile=False), batches(), together=False)
    together = steps.advancing(steps.training(several, jit_compile=False), batches(), together=True)
    for count in (3, 1, 4):
        expected, found = apart(count), together(count)
        assert float(found["loss"]) == pytest.approx(float(expected["loss"]), rel=1e-6)
    for a, b in zip(one.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_float16_is_scaled_and_unscaled() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model, accumulated = network(), network()
    finally:
        keras.config.set_dtype_policy("float32")
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    before = model.get_weights()
    steps.training(model, jit_compile=False)(BATCH)
    steps.training(accumulated, jit_compile=False, micro_batch_size=2)(BATCH)
    for a, b in zip(model.get_weights(), accumulated.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)
    assert any(not np.array_equal(a, c) for a, c in zip(model.get_weights(), before, strict=True))
