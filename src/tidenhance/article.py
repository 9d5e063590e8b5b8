"""What the article reports, and when it may stand beside a result of ours."""

from __future__ import annotations

from typing import Any

from tidenhance.config import Augmentation, Config, Optimizer
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

    It is ours for its two plain networks, trained from the beginning with Adam and MSE on level 5
    of all types and i01 to i15, as whole pictures in batches of 8, and scored on i21 to i25. The
    article gives neither the learning rate nor the number of epochs; those may differ, and so may
    the parts in which a gradient is computed.

    Args:
        config: what was trained.
        split: what was scored.
        levels: the levels scored.
        identity_mse: the MSE of doing nothing on the pairs scored; by it the note says whether they
            are the real archive's.

    Returns:
        `figures` (`mse`, `mae`), `note`.
    """
    options, training = config.data.options, config.training
    same_protocol = (
        config.data.name == "tid2013"
        and config.loss.name == "mse"
        and training.synthesis is None
        and training.initial_weights is None
        and training.steps_per_epoch is None
        and training.batch_size == 8
        and training.patch_size is None
        and training.augmentation == Augmentation()
        and training.optimizer == Optimizer()
        and training.precision == "float32"
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
    archive = tid2013.IDENTITY_MSE["val"]
    here = f"{identity_mse:.5f}"
    other = f"; the pairs here are not the archive's: doing nothing gives {here}, there {archive}"
    return {"figures": found, "note": NOTE + (other if here != f"{archive:.5f}" else "")}
