"""Draw a run's learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from tidenhance.files import replacing

LOGARITHMIC = ("loss", "mae", "mse")
TITLES = {"loss": "Loss", "psnr": "PSNR (dB)", "mae": "MAE", "mse": "MSE"}


def draw(path: Path, history: Sequence[Mapping[str, float]], identity: dict[str, float]) -> None:
    """Draw loss and metrics over the epochs, training beside validation, into a PNG file.

    Errors are drawn on a logarithmic axis. A dotted line shows what doing nothing gives on the
    validation pairs.

    Args:
        path: the PNG file; it appears complete or not at all.
        history: a dictionary an epoch, with `epoch`, and `loss` and metrics, with `val_` and
            without.
        identity: for `val_loss` and each `val_` metric, its value when nothing is done.

    Raises:
        WriteError: the file cannot be written.
    """
    names = [name for name in history[0] if f"val_{name}" in history[0]]
    figure = Figure(figsize=(5 * len(names), 4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    marker = "o" if len(history) == 1 else None
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            axes.plot(epochs, [row[key] for row in history], label=label, marker=marker)
        axes.axhline(identity[f"val_{name}"], color="grey", linestyle=":", label="doing nothing")
        if name in LOGARITHMIC and all(
            row[k] > 0 for row in history for k in (name, f"val_{name}")
        ):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:.4g}")
            axes.yaxis.set_minor_formatter("{x:.4g}")
        axes.set_title(TITLES.get(name, name))
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(which="both", alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
