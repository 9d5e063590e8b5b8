"""What every network keeps to, whichever file it is in."""

from __future__ import annotations

import inspect
from typing import Any

import keras
import numpy as np
import pytest

from tidenhance import components

SMALL: dict[str, dict[str, Any]] = {
    "mirnet": {"channels": 8, "groups": 1, "blocks": 1},
    "plain_cnn": {"channels": [8, 8]},
    "residual_cnn": {"channels": 8, "depth": 3},
}


@pytest.fixture(params=components.names("networks"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def build(name: str) -> keras.Model:
    keras.utils.set_random_seed(3)
    return components.make("networks", name, SMALL.get(name, {}))


def pictures(name: str, batch: int = 2) -> np.ndarray:
    multiple = components.module("networks", name).SIZE_MULTIPLE
    shape = (batch, 3 * multiple, 5 * multiple, 3)
    return np.random.default_rng(0).random(shape, np.float32)


def test_options_are_typed_keywords(name: str) -> None:
    function = components.module("networks", name).build
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is not parameter.empty
    assert components.options("networks", name).model_validate(SMALL.get(name, {}))


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
    second = components.make("networks", name, SMALL.get(name, {}))
    assert not np.array_equal(
        second.predict_on_batch(pictures(name)), first.predict_on_batch(pictures(name))
    )
    second.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(
        second.predict_on_batch(pictures(name)), first.predict_on_batch(pictures(name))
    )


@pytest.mark.slow
def test_fitting_lowers_the_loss_and_reaches_every_weight(name: str) -> None:
    network, noisy = build(name), pictures(name, batch=4)
    target = 0.8 * noisy + 0.1
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse", jit_compile=False)
    before = [weight.numpy() for weight in network.trainable_weights]
    first = network.evaluate(noisy, target, verbose=0)
    network.fit(noisy, target, epochs=30, verbose=0)
    assert network.evaluate(noisy, target, verbose=0) < 0.5 * first
    for old, weight in zip(before, network.trainable_weights, strict=True):
        assert not np.array_equal(old, weight.numpy()), weight.path
