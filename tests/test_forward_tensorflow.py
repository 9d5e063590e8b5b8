"""The forward pass in TensorFlow."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance import config, forward_tensorflow, runs, weights
from tidenhance.forward_tensorflow import forward
from tidenhance.networks import mirnet


def sequential(*layers: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((None, None, 3)), *layers])


def test_all_sizes_share_one_trace_that_sees_new_weights():
    calls = []

    class Scaled(keras.layers.Layer):
        def build(self, _: object) -> None:
            self.scale = self.add_weight(shape=(), initializer="ones")

        def call(self, inputs: tf.Tensor) -> tf.Tensor:
            calls.append(inputs.shape)
            return inputs * self.scale

    layer = Scaled()
    compute = forward(sequential(layer))
    calls.clear()
    for height in range(1, 8):
        output = compute(np.ones((1 + height % 2, height, 9 - height, 3), np.float32))
        assert isinstance(output, np.ndarray)
        assert (output == 1).all()
    assert len(calls) == 1
    layer.scale.assign(3.0)
    assert (compute(np.ones((1, 2, 2, 3), np.float32)) == 3).all()


def test_dropout_is_off():
    images = np.ones((1, 8, 8, 3), np.float32)
    np.testing.assert_array_equal(forward(sequential(keras.layers.Dropout(0.5)))(images), images)


def test_half_precision_networks_give_float32():
    model = sequential(keras.layers.Activation("linear", dtype="mixed_float16"))
    assert forward(model)(np.ones((1, 2, 2, 3), np.float32)).dtype == np.float32


def test_one_channel_networks_of_one_size_work():
    model = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Reshape((4, 4, 1))]
    )
    images = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(forward(model)(images), images)


def test_too_little_memory_is_a_memory_error():
    class Exhausted(keras.layers.Layer):
        def call(self, inputs: tf.Tensor) -> tf.Tensor:
            return tf.numpy_function(self.fail, [inputs], tf.float32)

        def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
            return shape

        def fail(self, _: np.ndarray) -> np.ndarray:
            # NumPy's own becomes TensorFlow's ResourceExhaustedError.
            raise MemoryError

    with pytest.raises(MemoryError) as caught:
        forward(sequential(Exhausted()))(np.ones((1, 2, 2, 3), np.float32))
    assert isinstance(caught.value.__cause__, tf.errors.ResourceExhaustedError)


def test_a_runs_network_knows_its_size_multiple_and_its_receptive_field(tmp_path: Path):
    loaded = config.load(
        config.find("mirnet32"), ["network={name: mirnet, channels: 8, groups: 1, blocks: 1}"]
    )
    (tmp_path / runs.CONFIG).write_text(config.dump(loaded))
    weights.save(weights.build_network(loaded), tmp_path / runs.BEST_WEIGHTS)
    network = forward_tensorflow.load(tmp_path)
    assert network.size_multiple == mirnet.SIZE_MULTIPLE
    assert network.is_global
    assert network.receptive_field > 16
    picture = np.random.default_rng(0).random((1, 8, 12, 3), np.float32)
    model, _ = weights.trained_network(tmp_path)
    np.testing.assert_allclose(network.forward(picture), model(picture).numpy(), atol=1e-6)
