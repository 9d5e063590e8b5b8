"""The cross-entropy of each value, for networks that end in a sigmoid."""

from __future__ import annotations

import keras


def build() -> keras.losses.Loss:
    """Return the mean over values and pictures of -t log(p) - (1 - t) log(1 - p).

    t is the reference's value and p the prediction, both in [0, 1]. It is least where both are
    equal, but not zero there. Where the network's last layer is the sigmoid, Keras computes it from
    what the sigmoid is given, so that unlike MSE it does not let go of one that is wholly wrong;
    else, as for doing nothing, p is kept 1e-7 away from both ends.
    """
    return keras.losses.BinaryCrossentropy()
