"""Zero-DCE against its paper."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tidenhance.networks import zero_dce


def test_parameters_are_the_papers() -> None:
    """Layer by layer: 3 → 32, three of 32 → 32, two of 64 → 32, 64 → 24."""
    network = zero_dce.build()
    by_layer = [896, 9_248, 9_248, 9_248, 18_464, 18_464, 13_848]
    assert [x.count_params() for x in network.layers if x.count_params()] == by_layer
    assert network.count_params() == 79_416


def test_concatenation_is_symmetrical() -> None:
    """Figure 2: the third with the fourth, the second with the fifth, the first with the sixth."""
    network = zero_dce.build()
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    joined = [
        [convolutions.index(x._keras_history.operation) + 1 for x in layer.input]
        for layer in network.layers
        if isinstance(layer, keras.layers.Concatenate)
    ]
    assert joined == [[3, 4], [2, 5], [1, 6]]


def test_activations_are_relus_and_a_tanh() -> None:
    layers = [x for x in zero_dce.build().layers if isinstance(x, keras.layers.Conv2D)]
    relu, tanh = keras.activations.relu, keras.activations.tanh
    assert [layer.activation for layer in layers] == [relu] * 6 + [tanh]


def curves(x: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    return np.asarray(zero_dce.Curves()([x, parameters]))


def test_two_curves_by_hand() -> None:
    """0.5 + 1 x 0.5 x 0.5 = 0.75; 0.75 - 0.4 x 0.75 x 0.25 = 0.675."""
    parameters = np.zeros((1, 1, 1, 24), np.float32)
    parameters[..., 0] = 1.0
    parameters[..., 3] = -0.4
    x = np.full((1, 1, 1, 3), 0.5, np.float32)
    np.testing.assert_allclose(curves(x, parameters)[0, 0, 0], [0.675, 0.5, 0.5], rtol=1e-6)


def test_eight_curves_are_equation_3() -> None:
    random = np.random.default_rng(0)
    x = random.random((2, 4, 5, 3), np.float32)
    parameters = random.uniform(-1, 1, (2, 4, 5, 24)).astype(np.float32)
    expected = x.astype(np.float64)
    for n in range(8):
        expected = expected + parameters[..., 3 * n : 3 * n + 3] * expected * (1 - expected)
    np.testing.assert_allclose(curves(x, parameters), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("extreme", [-1, 1])
def test_black_and_white_stay_and_all_else_stays_between(extreme: float) -> None:
    x = np.linspace(0, 1, 33, dtype=np.float32).repeat(3).reshape(1, 1, 33, 3)
    found = curves(x, np.full((1, 1, 33, 24), extreme, np.float32))[0, 0]
    np.testing.assert_array_equal(found[[0, -1]], [[0] * 3, [1] * 3])
    assert (np.diff(found[:, 0]) >= 0).all()
    assert np.abs(found[1:-1] - x[0, 0, 1:-1]).max() > 0.5


def test_initial_weights_are_the_papers_and_differ() -> None:
    layers = [x for x in zero_dce.build().layers if isinstance(x, keras.layers.Conv2D)]
    for layer in layers:
        np.testing.assert_allclose(np.std(layer.kernel), 0.02, rtol=0.1)
    assert not np.array_equal(layers[1].kernel, layers[2].kernel)
