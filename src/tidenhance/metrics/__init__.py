"""Metrics, one file each: `compute(y_true, y_pred) -> one value an image`."""
