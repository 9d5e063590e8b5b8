"""How long work tells what it has done so far."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the number of things done and the number in all."""

    def __call__(self, done: int, total: int) -> None:
        """Show how far the work is."""


def ignore(done: int, total: int) -> None:
    """Show nothing."""
