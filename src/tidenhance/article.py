"""What the article reports, and when it may stand beside a result of ours."""

from __future__ import annotations

from typing import Any

from tidenhance.config import Config
from tidenhance.data import check
from tidenhance.data.datasets import tid2013
from tidenhance.data.pairs import Split

NOTE = (
    "the article's final val_loss (MSE) and val_mae, measured on the real TID2013, there not"
    " clipped nor rounded"
)

_FIGURES = {
    (128,) * 6: {"mse": 0.0056, "mae": 0.0527},
    (256,) * 6: {"mse": 0.0055, "mae": 0.0519},
}


def figures(
    config: Config, split: Split, levels: list[int], identity_mse: float
) -> dict[str, Any] | None:
    """Return the article's figures for a network, or None where its protocol is not ours.

    It is ours for its two plain networks, trained with MSE on level 5 of all types and i01 to i15,
    and scored on i21 to i25.

    Args:
        config: what was trained.
        split: what was scored.
        levels: the levels scored.
        identity_mse: the MSE of doing nothing on the pairs scored; by it the note says whether they
            are the real archive's.

    Returns:
        `figures` (`mse`, `mae`), `note`.
    """
    options = config.data.options
    same_protocol = (
        config.data.name == "tid2013"
        and config.loss.name == "mse"
        and config.training.synthesis is None
        and split == "val"
        and levels == options["levels"] == [5]
        and sorted(options["types"]) == list(tid2013.TYPES)
        and options["splits"] == tid2013.Splits()
    )
    if not same_protocol or config.network.name != "plain_cnn":
        return None
    found = _FIGURES.get(tuple(config.network.options["channels"]))
    if found is None:
        return None
    archive = check.IDENTITY_MSE["val"]
    here = f"{identity_mse:.5f}"
    other = f"; the pairs here are not the archive's: doing nothing gives {here}, there {archive}"
    return {"figures": found, "note": NOTE + (other if here != f"{archive:.5f}" else "")}
