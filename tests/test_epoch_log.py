"""The line an epoch, and the bar."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tidenhance import epoch_log


def shown(*, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120)
    with epoch_log.bar(console, steps_per_epoch=2, epochs=2) as bar:
        for epoch in range(2):
            for step in (1, 2):
                bar.move_to(epoch, step, {"loss": 0.25, "psnr": 20.0, "mae": 0.1})
            bar.validating(epoch)
    return stream.getvalue()


def test_without_a_terminal_there_is_no_bar() -> None:
    assert shown(terminal=False).strip() == ""


def test_on_a_terminal_there_is_a_bar_with_the_time_left() -> None:
    text = shown(terminal=True)
    assert "epoch 2/2" in text
    assert "validating" in text
    assert "4/4" in text
    assert "loss 0.25000" in text
    assert "0:00:0" in text


def test_the_bar_is_gone_after_an_error() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with pytest.raises(ValueError, match="x"), epoch_log.bar(console, 2, 2):
        raise ValueError("x")
    assert stream.getvalue().endswith("\x1b[2K")
    assert "\x1b[?25h" in stream.getvalue()


def test_figures_have_the_digits_that_they_are_read_with() -> None:
    row = {"loss": 0.1234567, "val_psnr": 20.123, "learning_rate": 0.001, "seconds": 1.26}
    assert epoch_log.figures(row) == (
        "loss 0.12346  val_psnr 20.12  learning_rate 0.001  seconds 1.3"
    )
