"""What every metric keeps to, and each against an independent library on a photograph."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from skimage import metrics as skimage_metrics

from tidenhance import components


@pytest.fixture(params=components.names("metrics"))
def metric(request: pytest.FixtureRequest) -> ModuleType:
    return components.module("metrics", request.param)


@pytest.fixture(scope="module")
def batch(photograph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two photographs' crops in [0, 1], and noisy versions of different strength."""
    y_true = np.stack([photograph[100:164, 100:180], photograph[300:364, 200:280]]) / np.float32(
        255
    )
    strength = np.array([0.02, 0.1], np.float32).reshape(2, 1, 1, 1)
    noise = np.random.default_rng(0).normal(size=y_true.shape).astype(np.float32)
    return y_true, np.clip(y_true + strength * noise, 0, 1)


def test_one_finite_value_a_picture(metric: ModuleType, batch: tuple) -> None:
    for y_pred in batch:
        values = np.array(metric.compute(batch[0], y_pred))
        assert values.shape == (2,)
        assert np.isfinite(values).all()


def test_the_better_picture_has_the_better_value(metric: ModuleType, batch: tuple) -> None:
    y_true, y_pred = batch
    slight, strong = np.array(metric.compute(y_true, y_pred))
    none = np.array(metric.compute(y_true, y_true))[0]
    assert (none > slight > strong) if metric.HIGHER_IS_BETTER else (none < slight < strong)


def test_a_picture_scores_alike_alone_and_in_a_batch(metric: ModuleType, batch: tuple) -> None:
    y_true, y_pred = batch
    together = np.array(metric.compute(y_true, y_pred))
    alone = [float(metric.compute(y_true[i : i + 1], y_pred[i : i + 1])[0]) for i in range(2)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


INDEPENDENT = {
    "mse": skimage_metrics.mean_squared_error,
    "mae": lambda a, b: np.abs(a.astype(float) - b).mean(),
    "psnr": lambda a, b: skimage_metrics.peak_signal_noise_ratio(a, b, data_range=1),
}


def test_values_are_those_of_an_independent_library(metric: ModuleType, batch: tuple) -> None:
    y_true, y_pred = batch
    name = metric.__name__.rpartition(".")[2]
    expected = [INDEPENDENT[name](a, b) for a, b in zip(y_true, y_pred, strict=True)]
    np.testing.assert_allclose(metric.compute(y_true, y_pred), expected, rtol=1e-4)


def test_psnr_ends_at_100_db(batch: tuple) -> None:
    psnr = components.module("metrics", "psnr")
    np.testing.assert_allclose(psnr.compute(batch[0], batch[0]), 100, rtol=1e-6)
