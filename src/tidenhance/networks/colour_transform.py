"""One affine transform of colours for all pixels, and nothing else."""

from __future__ import annotations

import keras

from tidenhance.networks._colour_transform import ColourTransform, predicted_transform

# Of two convolutions with stride 4.
SIZE_MULTIPLE = 16


def build() -> keras.Model:
    """Return a network that undoes what one affine transform of colours undoes.

    It is what `nafnet` with `colour_transform` ends in, to be trained alone; that network may then
    start from it. Sources are named at `_colour_transform.predicted_transform`.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), unbounded. H and W
        are multiples of 16.
    """
    inputs = keras.Input((None, None, 3))
    outputs = ColourTransform(dtype="float32")([inputs, predicted_transform(inputs)])
    return keras.Model(inputs, outputs, name="colour_transform")
