"""What every metric keeps to, and each against an independent library on a photograph."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from skimage import color
from skimage import metrics as skimage_metrics

from tidenhance import components


@pytest.fixture(params=components.names("metrics"))
def metric(request: pytest.FixtureRequest) -> ModuleType:
    return components.module("metrics", request.param)


@pytest.fixture(scope="module")
def batch(photograph: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two photographs' crops in [0, 1] of odd sides, and noisy versions of different strength."""
    crops = np.stack([photograph[:191, 100:307], photograph[300:491, 200:407]])
    y_true = crops / np.float32(255)
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
    assert metric.CONVENTION


def test_a_picture_scores_alike_alone_and_in_a_batch(metric: ModuleType, batch: tuple) -> None:
    y_true, y_pred = batch
    together = np.array(metric.compute(y_true, y_pred))
    alone = [float(metric.compute(y_true[i : i + 1], y_pred[i : i + 1])[0]) for i in range(2)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_one_graph_serves_all_sizes(metric: ModuleType, batch: tuple) -> None:
    signature = [tf.TensorSpec((None, None, None, 3), tf.float32)] * 2
    graph = tf.function(metric.compute, input_signature=signature, autograph=False)
    for side in (191, 176):
        y_true, y_pred = (pictures[:, :side] for pictures in batch)
        expected = metric.compute(y_true, y_pred)
        np.testing.assert_allclose(graph(y_true, y_pred), expected, rtol=1e-5)


def skimage_luma(picture: np.ndarray) -> np.ndarray:
    return color.rgb2ycbcr(picture)[..., 0] / 255


def skimage_ssim(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """SSIM as its authors have it, which is not scikit-image's default."""
    return skimage_metrics.structural_similarity(
        y_true,
        y_pred,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1 if y_true.ndim == 3 else None,
    )


def numpy_ms_ssim(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """MS-SSIM from its paper's equations, on SciPy's filters."""
    window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window /= window.sum()

    def local_mean(x: np.ndarray) -> np.ndarray:
        filtered = ndimage.correlate1d(ndimage.correlate1d(x, window, axis=0), window, axis=1)
        return filtered[5:-5, 5:-5]

    def halved(x: np.ndarray) -> np.ndarray:
        x = np.pad(x, [(0, length % 2) for length in x.shape], mode="edge")
        return x.reshape(len(x) // 2, 2, -1, 2).mean((1, 3))

    def one_channel(x: np.ndarray, y: np.ndarray) -> float:
        product = 1.0
        for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
            mean_x, mean_y = local_mean(x), local_mean(y)
            variance_x = local_mean(x * x) - mean_x**2
            variance_y = local_mean(y * y) - mean_y**2
            covariance = local_mean(x * y) - mean_x * mean_y
            terms = (2 * covariance + 0.03**2) / (variance_x + variance_y + 0.03**2)
            if scale == 4:
                terms *= (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
            product *= terms.mean() ** weight
            x, y = halved(x), halved(y)
        return product

    channels = zip(np.moveaxis(y_true, -1, 0), np.moveaxis(y_pred, -1, 0), strict=True)
    return float(np.mean([one_channel(x.astype(float), y.astype(float)) for x, y in channels]))


INDEPENDENT = {
    "mse": skimage_metrics.mean_squared_error,
    "mae": lambda a, b: np.abs(a.astype(float) - b).mean(),
    "psnr": lambda a, b: skimage_metrics.peak_signal_noise_ratio(a, b, data_range=1),
    "psnr_y": lambda a, b: skimage_metrics.peak_signal_noise_ratio(
        skimage_luma(a), skimage_luma(b), data_range=1
    ),
    "ssim": skimage_ssim,
    "ssim_y": lambda a, b: skimage_ssim(skimage_luma(a), skimage_luma(b)),
    "ms_ssim": numpy_ms_ssim,
}


def test_values_are_those_of_an_independent_library(metric: ModuleType, batch: tuple) -> None:
    y_true, y_pred = batch
    name = metric.__name__.rpartition(".")[2]
    expected = [INDEPENDENT[name](a, b) for a, b in zip(y_true, y_pred, strict=True)]
    np.testing.assert_allclose(metric.compute(y_true, y_pred), expected, rtol=1e-5)


def test_psnr_ends_at_100_db(batch: tuple) -> None:
    psnr = components.module("metrics", "psnr")
    np.testing.assert_allclose(psnr.compute(batch[0], batch[0]), 100, rtol=1e-6)


def test_a_picture_of_the_least_size_is_enough(metric: ModuleType, batch: tuple) -> None:
    side = getattr(metric, "MINIMUM_SIZE", 1)
    y_true, y_pred = (pictures[:, :side, :side] for pictures in batch)
    assert np.isfinite(np.array(metric.compute(y_true, y_pred))).all()
