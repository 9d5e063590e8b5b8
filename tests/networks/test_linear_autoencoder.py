"""The autoencoder of fully connected layers, by NumPy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from tidenhance import components
from tidenhance.networks import linear_autoencoder

# Noise leads out of the range of 0 to 1.
X = np.random.default_rng(0).normal(0.5, 1, (4, 28, 28, 1)).astype(np.float32)


def dense(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]


@pytest.mark.parametrize(
    ("options", "widths"),
    [
        ({}, [784, 256, 128, 64, 128, 256, 784]),
        ({"units": [16, 4]}, [784, 16, 4, 16, 784]),
        ({"units": [9]}, [784, 9, 784]),
    ],
)
def test_widths_go_down_to_the_code_and_back(options: dict[str, Any], widths: list[int]) -> None:
    network = linear_autoencoder.build(**options)
    assert [layer.kernel.shape[0] for layer in dense(network)] == widths[:-1]
    assert [layer.units for layer in dense(network)] == widths[1:]
    # A weight for each pair of neighbours, and a bias.
    by_hand = sum((a + 1) * b for a, b in pairwise(widths))
    assert network.count_params() == by_hand


def test_parameters_of_our_widths_by_hand() -> None:
    by_layer = [200_960, 32_896, 8_256, 8_320, 33_024, 201_488]
    network = linear_autoencoder.build()
    assert [layer.count_params() for layer in dense(network)] == by_layer
    assert network.count_params() == 484_944


@pytest.mark.parametrize("top", [1, 255])
def test_it_computes_what_numpy_does_on_the_scale_of_0_to_top(top: Any) -> None:
    keras.utils.set_random_seed(1)
    network = linear_autoencoder.build(units=[16, 4], top=top)
    values = top * X.reshape(4, 784).astype(float)
    *hidden, last = [layer.get_weights() for layer in dense(network)]
    for kernel, bias in hidden:
        values = np.maximum(values @ kernel + bias, 0)
    expected = 1 / (1 + np.exp(-(values @ last[0] + last[1])))
    found = network.predict_on_batch(X)
    np.testing.assert_allclose(found, expected.reshape(4, 28, 28, 1), atol=1e-4)
    assert np.ptp(found) > 0.02


def test_weights_start_as_pytorchs_do() -> None:
    """Uniform within 1 / sqrt(inputs) of zero, the default of `torch.nn.Linear`."""
    keras.utils.set_random_seed(1)
    for layer in dense(linear_autoencoder.build()):
        kernel = layer.kernel.numpy()
        bound = kernel.shape[0] ** -0.5
        assert 0.99 * bound < np.abs(kernel).max() <= bound
        assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.02)


@pytest.mark.parametrize("options", [{"units": []}, {"units": [0]}, {"top": 256}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        components.options("networks", "linear_autoencoder").model_validate(options)
