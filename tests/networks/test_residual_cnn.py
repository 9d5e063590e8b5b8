"""The residual network against its paper."""

from __future__ import annotations

import numpy as np

from tidenhance.networks import residual_cnn


def test_vdsr_has_its_papers_parameters() -> None:
    """20 layers of 64 channels: 1,792 + 18 x 36,928 + 1,731 on three channels."""
    assert residual_cnn.build().count_params() == 1_792 + 18 * 36_928 + 1_731


def test_training_starts_from_doing_nothing() -> None:
    x = np.random.default_rng(0).random((1, 6, 7, 3), np.float32)
    found = residual_cnn.build(channels=8, depth=3).predict_on_batch(x)
    np.testing.assert_array_equal(found, x)
