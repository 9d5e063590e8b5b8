"""NAFNet: a U-Net of blocks that multiply where others have activations."""

from __future__ import annotations

from typing import Annotated

import keras
from keras import KerasTensor, layers, ops
from pydantic import Field

from tidenhance.networks._colour_transform import ColourTransform, predicted_transform
from tidenhance.networks._pixel_shuffle import PixelShuffle

# Of four halvings.
SIZE_MULTIPLE = 16

Blocks = Annotated[list[Annotated[int, Field(ge=0, le=1000)]], Field(min_length=4, max_length=4)]


def build(
    *,
    width: Annotated[int, Field(ge=1, le=65_536)] = 16,
    encoder_blocks: Blocks = [1, 1, 1, 1],  # noqa: B006
    middle_blocks: Annotated[int, Field(ge=0, le=1000)] = 1,
    decoder_blocks: Blocks = [1, 1, 1, 1],  # noqa: B006
    colour_transform: bool = False,
) -> keras.Model:
    """Return NAFNet of four levels.

    Source: Chen, Chu, Zhang and Sun, "Simple Baselines for Image Restoration" (2022), figures 2
    and 3. With width 32 its setting for deblurring, encoder blocks 1, 1, 1, 28 and one block
    everywhere else, has 17.1 million parameters; that for denoising, encoder blocks 2, 2, 4, 8, 12
    in the middle, decoder blocks 2 at each level, has 29.2 million. The defaults, 1.14 million, are
    ours, and so is that convolutions start as Keras has it (Glorot), not as PyTorch does in the
    authors' program: a new network's output lies further from its input.

    Args:
        width: channels of the first level; each further level has twice as many.
        encoder_blocks: blocks at each level on the way down.
        middle_blocks: blocks at the bottom.
        decoder_blocks: blocks at each level on the way up, the deepest first.
        colour_transform: let one affine transform of colours follow, the same for all pixels,
            that a small network of its own predicts from the input. It is ours, not the paper's.

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), unbounded. H and W
        are multiples of 16.
    """
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(width, 3, padding="same")(inputs)  # (B, H, W, C)
    skips = []
    for blocks in encoder_blocks:
        x = _blocks(x, blocks)
        skips.append(x)
        x = layers.Conv2D(2 * x.shape[-1], 2, strides=2)(x)  # (B, H/2, W/2, 2C)
    x = _blocks(x, middle_blocks)  # (B, H/16, W/16, 16C)
    for blocks in decoder_blocks:
        x = layers.Conv2D(2 * x.shape[-1], 1, use_bias=False)(x)
        x = PixelShuffle(2)(x)  # (B, 2H, 2W, C/2)
        x = _blocks(layers.Add()([x, skips.pop()]), blocks)
    residual = layers.Conv2D(3, 3, padding="same")(x)
    outputs = layers.Add(dtype="float32")([inputs, residual])
    if colour_transform:
        outputs = ColourTransform(dtype="float32")([outputs, predicted_transform(inputs)])
    return keras.Model(inputs, outputs, name="nafnet")


def _blocks(x: KerasTensor, count: int) -> KerasTensor:
    for _ in range(count):
        x = _block(x)
    return x


def _block(inputs: KerasTensor) -> KerasTensor:
    """Return a block's output: two residual branches, each of which starts at zero."""
    channels = inputs.shape[-1]
    x = _layer_norm(inputs)
    x = layers.Conv2D(2 * channels, 1)(x)  # (B, H, W, 2C)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = SimpleGate()(x)  # (B, H, W, C)
    x = _simplified_channel_attention(x)
    x = ChannelScale()(layers.Conv2D(channels, 1)(x))
    middle = layers.Add()([inputs, x])
    x = _layer_norm(middle)
    x = layers.Conv2D(2 * channels, 1)(x)
    x = SimpleGate()(x)
    x = ChannelScale()(layers.Conv2D(channels, 1)(x))
    return layers.Add()([middle, x])


def _layer_norm(x: KerasTensor) -> KerasTensor:
    # In float16 its squares overflow.
    return layers.LayerNormalization(epsilon=1e-6, dtype="float32")(x)


def _simplified_channel_attention(x: KerasTensor) -> KerasTensor:
    """Return x times a projection of its mean over the picture, equation 7."""
    mean = layers.GlobalAveragePooling2D(keepdims=True)(x)  # (B, 1, 1, C)
    return layers.Multiply()([x, layers.Conv2D(x.shape[-1], 1)(mean)])


@keras.saving.register_keras_serializable("tidenhance")
class SimpleGate(layers.Layer):
    """The first half of the channels times the second: (B, H, W, 2C) to (B, H, W, C).

    Source: "Simple Baselines for Image Restoration" (2022), equation 4.
    """

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """Return the product."""
        first, second = ops.split(inputs, 2, axis=-1)
        return ops.multiply(first, second)


@keras.saving.register_keras_serializable("tidenhance")
class ChannelScale(layers.Layer):
    """Each channel times a number of its own, which starts at zero."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the numbers."""
        self.scale = self.add_weight((input_shape[-1],), initializer="zeros", name="scale")

    def call(self, inputs: KerasTensor) -> KerasTensor:
        """Return (B, H, W, C) times (C,)."""
        return ops.multiply(inputs, self.scale)
