"""ESPCN's sub-pixel network, which restores a picture at its own size."""

from __future__ import annotations

import keras
from keras import layers

from tidenhance.networks._pixel_shuffle import PixelShuffle

# The paper's upscaling factor r. Its own is 3, of which the width 512 is no multiple.
SIZE_MULTIPLE = 2


def build() -> keras.Model:
    """Return ESPCN with r = 2: convolutions at half the height and width, then a pixel shuffle.

    The paper enlarges a small picture r times. Here the small picture is made of the picture
    itself, by the inverse of the pixel shuffle, which puts each 2 x 2 pixels into the channels of
    one: nothing is lost, and most work is done on a quarter of the positions. r is fixed, since
    whole pictures of 512 x 384 must be multiples of it. 41,196 parameters.

    The first convolution, 5 x 5 on the unshuffled picture, is written as the same convolution on
    the picture itself, 10 x 10 with stride 2. So tools that look at kernels and strides see how
    far the network sees, and backends that cannot unshuffle an unknown size can build it.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network" (2016), figure 1 and equations 1 to 4; filters and
    tanh are those of section 3.2. The paper's pictures are luma, these are RGB.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), unbounded. H and W
        must be multiples of 2.
    """
    r = SIZE_MULTIPLE
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(64, 5 * r, strides=r, padding="same", activation="tanh")(inputs)
    x = layers.Conv2D(32, 3, padding="same", activation="tanh")(x)  # (B, H/2, W/2, 32)
    x = layers.Conv2D(3 * r * r, 3, padding="same", dtype="float32")(x)  # (B, H/2, W/2, 12)
    outputs = PixelShuffle(r, dtype="float32")(x)  # (B, H, W, 3)
    return keras.Model(inputs, outputs, name="espcn")
