"""Moving averages of the weights, as Keras' optimisers keep them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


def keeps_averages(network: keras.Model) -> bool:
    """Whether a compiled network's optimiser keeps moving averages of the weights."""
    return bool(_inner(network).use_ema)


@contextmanager
def averaged(network: keras.Model) -> Iterator[None]:
    """Put the moving averages, where the optimiser keeps them, in place of the weights."""
    # Where float16 overflowed in each step so far there are none yet.
    if not keeps_averages(network) or int(_inner(network).iterations) == 0:
        yield
        return
    weights = [(variable, variable.numpy()) for variable in network.trainable_variables]
    averages = _inner(network)._model_variables_moving_average
    for (variable, _), average in zip(weights, averages, strict=True):
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in weights:
            variable.assign(value)


def _inner(network: keras.Model) -> keras.optimizers.Optimizer:
    """Return the optimiser inside the one that scales float16's loss, if there is such."""
    return getattr(network.optimizer, "inner_optimizer", network.optimizer)
