"""Plots show the figures that they are given, and numbers as an engineer writes them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tidenhance import plots
from tidenhance.plots import Point, Spread


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that become SVG, in order."""
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "_svg", lambda figure, *_: figures.append(figure) or "")
    return figures


def marks(axes: Axes) -> dict[tuple[float, float], str]:
    """Return the fill of each mark, by its place."""
    return {
        tuple(map(float, place)): str(collection.get_facecolor())
        for collection in axes.collections
        for place in np.asarray(collection.get_offsets())
    }


def lines(axes: Axes) -> list[tuple[list[float], list[float], str]]:
    """Return each line's x, y and style."""
    return [
        ([*map(float, line.get_xdata())], [*map(float, line.get_ydata())], line.get_linestyle())
        for line in axes.lines
    ]


def test_curves_are_solid_in_validation_dashed_in_training_and_dotted_for_nothing(drawn):
    histories = {
        0: [{"epoch": 1, "mse": 0.3, "val_mse": 0.4}, {"epoch": 2, "mse": 0.1, "val_mse": 0.2}],
        1: [{"epoch": 1, "mse": 0.7, "val_mse": 0.9}, {"epoch": 2, "mse": 0.5, "val_mse": np.nan}],
    }
    plots.curves("a", "mse", histories, title="MSE", identity=0.05, logarithmic=True)
    plots.curves("b", "mse", histories, title="MSE", identity=None, logarithmic=False)
    axes, without = (figure.axes[0] for figure in drawn)
    expected = [
        ([1, 2], [0.3, 0.1], "--"),
        ([1, 2], [0.4, 0.2], "-"),
        ([1, 2], [0.7, 0.5], "--"),
        ([1], [0.9], "-"),
    ]
    assert lines(axes) == [*expected, ([0, 1], [0.05, 0.05], ":")]
    assert lines(without) == expected
    assert (axes.get_yscale(), without.get_yscale()) == ("log", "linear")
    training, validation, other, *_ = (line.get_color() for line in axes.lines)
    assert training == validation != other
    assert axes.get_title(loc="left") == "MSE"


def test_methods_lie_at_their_cost_and_quality_with_their_interval(drawn):
    points = [
        Point("one", 0, 0.5, 24.0, low=23.0, high=26.0, area=100),
        Point("two", 1, 8.0, 25.0),
        Point("nlm", None, 2.0, 22.0, low=21.5, high=22.25),
    ]
    texts = {"title": "Quality against time", "cost": "time a picture", "quality": "PSNR (dB)"}
    plots.quality_against_cost("a", points, unit="s", identity=20.0, **texts)
    [axes] = drawn[0].axes
    found = marks(axes)
    assert set(found) == {(0.5, 24.0), (8.0, 25.0), (2.0, 22.0)}
    assert len(set(found.values())) == 3
    assert [collection.get_sizes().tolist() for collection in axes.collections] == [
        [100],
        [60],
        [60],
    ]
    assert lines(axes) == [
        ([0, 1], [20, 20], ":"),
        ([0.5, 0.5], [23, 26], "-"),
        ([2, 2], [21.5, 22.25], "-"),
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time a picture", "PSNR (dB)")
    assert axes.get_xscale() == "log"
    labels = {label.get_text(): label.xy for label in axes.texts}
    nothing = labels.pop("doing nothing")
    assert nothing[1] == 20
    assert labels == {"one": (0.5, 24.0), "two": (8.0, 25.0), "nlm": (2.0, 22.0)}


def test_each_method_has_a_row_of_gains_with_its_mean_and_interval(drawn):
    spreads = [
        Spread("one", 0, [1.0, 2.0, 4.0], 2.5, 0.5, 4.5),
        Spread("alone", 1, [-3.0], -3.25, None, None),
        Spread("nlm", None, [0.25, 0.75], 0.5, -2.0, 3.0),
    ]
    plots.gains("a", spreads, title="Gains", axis="gain in PSNR (dB)")
    [axes] = drawn[0].axes
    rings, means = axes.collections[::2], axes.collections[1::2]
    rows = enumerate(spreads)
    for (row, spread), ring, mean in zip(rows, rings, means, strict=True):
        assert ring.get_offsets().tolist() == [[gain, row] for gain in spread.gains]
        assert mean.get_offsets().tolist() == [[spread.mean, row]]
    assert lines(axes) == [
        ([0, 0], [0, 1], ":"),
        ([0.5, 4.5], [0, 0], "-"),
        ([-2, 3], [2, 2], "-"),
    ]
    ticks = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    assert {text.get_text(): int(row) for row, text in ticks} == {"one": 0, "alone": 1, "nlm": 2}
    # The first is at the top.
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert axes.get_xlabel() == "gain in PSNR (dB)"


@pytest.mark.parametrize("length", [24, 70, 200])
def test_long_names_leave_room_for_the_gains(drawn, length):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.gains(
            "a", [Spread("n" * length, 0, [1.0], 2.5, None, None)], title="Gains", axis="gain (dB)"
        )
    [axes] = drawn[0].axes
    assert axes.get_position().width * drawn[0].get_figwidth() > 2  # inches


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (146_000_000_000, "", "146 G"),
        (999_999, "", "1 M"),
        (0.0042, "s", "4.2 ms"),
        (1, "s", "1 s"),
        (0, "", "0"),
    ],
)
def test_engineering(value: float, unit: str, shown: str) -> None:
    assert plots.engineering(value, unit) == shown
