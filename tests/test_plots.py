"""Axes and tables show numbers as an engineer writes them."""

from __future__ import annotations

import pytest

from tidenhance import plots


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
