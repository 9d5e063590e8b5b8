"""Learning rate and early stop, as functions of what was trained so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keras.optimizers.schedules import CosineDecay

from tidenhance import components
from tidenhance.config import StopAt, Training


def of_step(training: Training, steps: int) -> CosineDecay | None:
    """Return the learning rate as a function of the steps so far, or None where it is an epoch's.

    Args:
        training: has the schedule.
        steps: an epoch's.
    """
    cosine = training.learning_rate_schedule.cosine_decay
    if cosine is None:
        return None
    rate, rising = training.learning_rate, cosine.warm_up_epochs * steps
    return CosineDecay(
        rate / (rising + 1) if rising else rate,
        training.epochs * steps - rising,
        alpha=cosine.minimum / rate,
        warmup_target=rate if rising else None,
        warmup_steps=rising,
    )


def of_epoch(training: Training, val_losses: Sequence[float]) -> float:
    """Return the learning rate of the epoch after those whose val_loss is given.

    Where `of_step` gives that of each step, it is the config's own.

    Args:
        training: has the first epoch's rate, and the schedule.
        val_losses: one for each epoch so far.
    """
    plateau = training.learning_rate_schedule.reduce_on_plateau
    rate = training.learning_rate
    if plateau:
        best, waited = float("inf"), 0
        for val_loss in val_losses:
            waited = 0 if val_loss < best else waited + 1
            best = min(best, val_loss)
            if waited == plateau.patience:
                rate, waited = max(rate * plateau.factor, plateau.minimum), 0
    return rate


def is_over(training: Training, history: Sequence[Mapping[str, float]]) -> bool:
    """Return whether training ends after the epochs in a history, a dictionary each."""
    if len(history) >= training.epochs:
        return True
    if training.stop_at and any(_is_reached(training.stop_at, epoch) for epoch in history):
        return True
    stopping = training.early_stopping
    val_losses = [epoch["val_loss"] for epoch in history]
    return bool(stopping and len(val_losses) - 1 - best_epoch(val_losses) >= stopping.patience)


def _is_reached(stop_at: StopAt, epoch: Mapping[str, float]) -> bool:
    name = stop_at.metric.removeprefix("val_")
    higher_is_better = name != "loss" and components.module("metrics", name).HIGHER_IS_BETTER
    found = epoch[stop_at.metric]
    return found >= stop_at.value if higher_is_better else found <= stop_at.value


def best_epoch(val_losses: Sequence[float]) -> int:
    """Return the index of the lowest val_loss, the first of equals; -1 before the first epoch."""
    return min(range(len(val_losses)), key=val_losses.__getitem__, default=-1)
