import math

import numpy as np
import pytest

from tidenhance.data.calibration import distort_to_psnr, psnrc

GREY = np.full((64, 64, 3), 100, np.uint8)


def brighter(strength):
    return GREY + np.uint8(round(strength))


def test_psnrc_of_a_constant_difference():
    # A difference of 10 everywhere: 10 log10(65025 / 100) dB, whichever picture is the brighter.
    assert psnrc(GREY, GREY + np.uint8(10)) == pytest.approx(28.1308, abs=1e-4)
    assert psnrc(GREY + np.uint8(10), GREY) == pytest.approx(28.1308, abs=1e-4)


def test_psnrc_averages_over_all_channels():
    distorted = GREY.copy()
    distorted[..., 2] += 30  # MSE 900 / 3
    assert psnrc(GREY, distorted) == pytest.approx(10 * math.log10(255**2 / 300))


def test_psnrc_of_identical_pictures_is_infinite():
    assert psnrc(GREY, GREY.copy()) == math.inf


def test_search_finds_the_strength():
    found = distort_to_psnr(GREY, brighter, 28.13, low=0, high=100)
    assert np.unique(found).tolist() == [110]


def test_search_returns_the_nearest_where_the_target_is_out_of_reach():
    found = distort_to_psnr(GREY, brighter, 28.13, low=0, high=4)
    assert np.unique(found).tolist() == [104]


def test_search_makes_no_more_pictures_than_allowed():
    strengths = []

    def distort(strength):
        strengths.append(strength)
        return brighter(strength)

    distort_to_psnr(GREY, distort, 28.2, low=0, high=100, tolerance=0, steps=5)
    assert strengths == [50, 25, 12.5, 6.25, 9.375]
