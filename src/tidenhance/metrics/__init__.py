"""Metrics, one file each.

Each has `compute(y_true, y_pred) -> one value a picture`, `HIGHER_IS_BETTER`, `CONVENTION` (what it
is taken over) and, where it needs pictures of some size, `MINIMUM_SIZE`, or of some number of
channels, `CHANNELS`. `compute` takes float32 tensors, and works in graphs, where sizes are not yet
known.
"""
