"""What every network keeps to, whichever file it is in."""

from __future__ import annotations

import functools
import inspect
import json
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tidenhance import components, config, export, forward_onnx, runs, weights

# At the top, in the middle, and at the top again.
FEW_BLOCKS = {"width": 4, "encoder_blocks": [1, 0, 0, 0], "decoder_blocks": [0, 0, 0, 1]}

SMALL: dict[str, dict[str, Any]] = {
    "edsr": {"channels": 8, "blocks": 2},
    "mirnet": {"channels": 8, "groups": 1, "blocks": 1},
    "nafnet": FEW_BLOCKS,
    "nafnet with a colour transform": FEW_BLOCKS | {"colour_transform": True},
    "plain_cnn": {"channels": [8, 8]},
    "residual_cnn": {"channels": 8, "depth": 3},
}


@pytest.fixture(params=[*components.names("networks"), "nafnet with a colour transform"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def component(name: str) -> str:
    return name.partition(" ")[0]


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    return components.make("networks", component(name), SMALL.get(name, {}))


@functools.cache
def input_shape(name: str) -> tuple[int | None, ...]:
    return build(name).inputs[0].shape[1:]


def pictures(name: str, batch: int = 2, sides: tuple[int, int] = (3, 5)) -> np.ndarray:
    """Pictures of the one size that a network takes, or of as many multiples as `sides` says."""
    multiple = components.module("networks", component(name)).SIZE_MULTIPLE
    *own, channels = input_shape(name)
    height, width = (size or side * multiple for size, side in zip(own, sides, strict=True))
    return np.random.default_rng(0).random((batch, height, width, channels), np.float32)


def test_options_are_typed_keywords(name: str) -> None:
    function = components.module("networks", component(name)).build
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is not parameter.empty
    assert components.options("networks", component(name)).model_validate(SMALL.get(name, {}))


def test_output_has_the_shape_of_the_input_at_any_multiple_of_the_size(name: str) -> None:
    network = build(name)
    found = network.predict_on_batch(pictures(name))
    assert found.shape == pictures(name).shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_pictures_of_a_batch_do_not_influence_each_other(name: str) -> None:
    network, batch = build(name), pictures(name)
    alone = network.predict_on_batch(batch[:1])
    np.testing.assert_allclose(network.predict_on_batch(batch)[:1], alone, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_ends_in_float32(name: str, policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        network = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.output.dtype == "float32"
    assert any(layer.compute_dtype == policy.removeprefix("mixed_") for layer in network.layers)
    assert all(weight.dtype == "float32" for weight in network.weights)


def test_weights_load_into_a_second_network(name: str, tmp_path) -> None:
    first = build(name)
    for weight in first.trainable_weights:
        weight.assign(weight.numpy() + 0.01)
    first.save_weights(tmp_path / "x.weights.h5")
    keras.utils.set_random_seed(4)
    second = components.make("networks", component(name), SMALL.get(name, {}))
    assert not np.array_equal(
        second.predict_on_batch(pictures(name)), first.predict_on_batch(pictures(name))
    )
    second.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(
        second.predict_on_batch(pictures(name)), first.predict_on_batch(pictures(name))
    )


def run_onnx(path: Path, batch: np.ndarray) -> np.ndarray:
    return forward_onnx.forward(forward_onnx.session(path.read_bytes(), path), path)(batch)


def run_saved_model(path: Path, batch: np.ndarray) -> np.ndarray:
    loaded = tf.saved_model.load(str(path))
    return loaded.serve(tf.constant(batch)).numpy()


def run_litert(path: Path, batch: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings(action="ignore"):  # of the package that is to take its place
        interpreter = tf.lite.Interpreter(str(path))
    return interpreter.get_signature_runner()(input=batch)["output_0"]


@pytest.mark.parametrize(
    ("file_format", "compute"),
    [
        ("onnx", run_onnx),
        pytest.param("saved_model", run_saved_model, marks=pytest.mark.slow),
        pytest.param("litert", run_litert, marks=pytest.mark.slow),
    ],
)
def test_exports_compute_what_keras_does_at_odd_sizes(name, file_format, compute, tmp_path) -> None:
    if file_format == "onnx":
        for package in ("tf2onnx", "onnx"):
            pytest.importorskip(package)
    multiple = components.module("networks", component(name)).SIZE_MULTIPLE
    options = json.dumps({"name": component(name), **SMALL.get(name, {})})
    patch = f"training.patch_size={8 * multiple}"
    loaded = config.load(config.find("quickstart"), [f"network={options}", patch])
    (tmp_path / runs.CONFIG).write_text(config.dump(loaded))
    network, random = build(name), np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(weight.numpy() + random.normal(0, 0.01, weight.shape))
    weights.save(network, tmp_path / runs.BEST_WEIGHTS)

    path = export.export(tmp_path, file_format)
    batch = pictures(name, sides=(37 // multiple, 53 // multiple))
    expected = network(batch, training=False).numpy()
    assert expected.std() > 1e-3
    np.testing.assert_allclose(compute(path, batch), expected, atol=1e-5)
    turned = batch[:1].swapaxes(1, 2)
    expected = network(turned, training=False).numpy()
    np.testing.assert_allclose(compute(path, turned), expected, atol=1e-5)


@pytest.mark.slow
def test_fitting_lowers_the_loss_and_reaches_every_weight(name: str) -> None:
    network, noisy = build(name), pictures(name, batch=4)
    if name.endswith("_autoencoder"):
        # Of one colour each, since the code in their middle has no room for the detail of noise.
        noisy = np.broadcast_to(noisy[:, :1, :1], noisy.shape)
    target = 0.8 * noisy + 0.1
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", jit_compile=False)
    before = [weight.numpy() for weight in network.trainable_weights]
    losses = network.fit(noisy, target, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    with tf.GradientTape() as tape:
        loss = network.compute_loss(noisy, target, network(noisy, training=True))
    gradients = tape.gradient(loss, network.trainable_weights)
    for old, weight, gradient in zip(before, network.trainable_weights, gradients, strict=True):
        # A gradient may be too small to move a weight, or a relu have died since.
        assert np.any(gradient) or not np.array_equal(old, weight.numpy()), weight.path
