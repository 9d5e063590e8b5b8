"""The curves are drawn, and drawn of the right figures."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from tidenhance import curves

IDENTITY = {"val_loss": 0.01, "val_psnr": 20.0, "val_mae": 0.06}


def history(epochs: int) -> list[dict[str, float]]:
    return [
        {"epoch": n, "loss": 0.02 / n, "val_loss": 0.03 / n, "psnr": 20.0 + n, "val_psnr": 19.0 + n}
        | {"mae": 0.05, "val_mae": 0.06, "learning_rate": 1e-3, "seconds": 2.0}
        for n in range(1, epochs + 1)
    ]


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_a_picture_appears(tmp_path: Path, epochs: int) -> None:
    curves.draw(tmp_path / "curves.png", history(epochs), IDENTITY)
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_each_panel_has_training_validation_and_doing_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    curves.draw(tmp_path / "curves.png", history(3), IDENTITY)
    loss, psnr, mae = drawn[0].axes
    assert [axes.get_yscale() for axes in (loss, psnr, mae)] == ["log", "linear", "log"]
    training, validation, nothing = loss.get_lines()
    assert list(training.get_ydata()) == [0.02, 0.01, 0.02 / 3]
    assert list(validation.get_ydata()) == [0.03, 0.015, 0.01]
    assert set(nothing.get_ydata()) == {0.01}
    assert [text.get_text() for text in psnr.get_legend().get_texts()] == [
        "training",
        "validation",
        "doing nothing",
    ]
