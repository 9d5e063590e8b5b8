"""A plain stack of 3x3 convolutions, each followed by a relu: the article's comparison network."""

from __future__ import annotations

from typing import Annotated

import keras
from pydantic import Field

SIZE_MULTIPLE = 1


def build(
    *,
    channels: Annotated[list[Annotated[int, Field(ge=1, le=65_536)]], Field(min_length=1)],
) -> keras.Model:
    """Return `Conv2D(C, 3x3, same, relu)` for each C in `channels`, then `Conv2D(3, …, relu)`.

    Six times 128 channels give 744,963 parameters, six times 256 give 2,964,483. The relu at the
    end is the article's: a colour channel whose weights start unluckily is zero for ever.

    Args:
        channels: the width of each hidden layer.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), at least 0.
    """
    inputs = keras.Input((None, None, 3))
    x = inputs
    for width in channels:
        x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(x)  # (B, H, W, C)
    outputs = keras.layers.Conv2D(3, 3, padding="same", activation="relu", dtype="float32")(x)
    return keras.Model(inputs, outputs, name="plain_cnn")
