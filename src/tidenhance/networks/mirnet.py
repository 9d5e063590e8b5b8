"""MIRNet, as the article modified it: multi-scale residual blocks with selective fusion.

Source: Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement"
(2020), by way of the Keras tutorial "Low-light image enhancement using MIRNet". The article's
layers are 1339 Keras layers; with 64 channels 44,157,007 parameters, with 32 11,059,295.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import keras
from keras import layers, ops
from pydantic import Field

from tidenhance.networks._convolution import Conv2D

SIZE_MULTIPLE = 4

Tensor: TypeAlias = keras.KerasTensor
FusionSoftmax = Literal["channels", "streams"]


def build(
    *,
    channels: Annotated[int, Field(ge=8, le=65_536, multiple_of=8)] = 64,
    groups: Annotated[int, Field(ge=1, le=1000)] = 3,
    blocks: Annotated[int, Field(ge=1, le=1000)] = 2,
    fusion_softmax: FusionSoftmax = "channels",
) -> keras.Model:
    """Return MIRNet: convolution, recursive residual groups, convolution, added to the input.

    Args:
        channels: the channels C at full resolution; half resolution has 2C, a quarter 4C.
        groups: the number of recursive residual groups.
        blocks: the number of multi-scale residual blocks in a group.
        fusion_softmax: over what the attention of selective kernel feature fusion sums to one:
            each stream's `channels` (the article) or, for each channel, the three `streams`
            (the original paper, equation 3).

    Returns:
        A network from float32 (B, H, W, 3) in [0, 1] to float32 (B, H, W, 3), unbounded. H and W
        must be multiples of 4.
    """
    inputs = keras.Input((None, None, 3))
    x = Conv2D(channels, 3, padding="same")(inputs)  # (B, H, W, C)
    for _ in range(groups):
        x = _recursive_residual_group(x, blocks, fusion_softmax)
    residual = Conv2D(3, 3, padding="same")(x)  # (B, H, W, 3)
    outputs = layers.Add(dtype="float32")([inputs, residual])
    return keras.Model(inputs, outputs, name="mirnet")


def _recursive_residual_group(inputs: Tensor, blocks: int, fusion_softmax: FusionSoftmax) -> Tensor:
    channels = inputs.shape[-1]
    x = Conv2D(channels, 3, padding="same")(inputs)
    for _ in range(blocks):
        x = _multi_scale_residual_block(x, fusion_softmax)
    x = Conv2D(channels, 3, padding="same")(x)
    return layers.Add()([inputs, x])


def _multi_scale_residual_block(inputs: Tensor, fusion_softmax: FusionSoftmax) -> Tensor:
    level1 = inputs  # (B, H, W, C)
    level2 = _down(level1)  # (B, H/2, W/2, 2C)
    level3 = _down(level2)  # (B, H/4, W/4, 4C)

    d1 = _dual_attention_unit(level1)
    d2 = _dual_attention_unit(level2)
    d3 = _dual_attention_unit(level3)

    s1 = _selective_kernel_feature_fusion([d1, _up(d2), _up(_up(d3))], fusion_softmax)
    s2 = _selective_kernel_feature_fusion([_down(d1), d2, _up(d3)], fusion_softmax)
    s3 = _selective_kernel_feature_fusion([_down(_down(d1)), _down(d2), d3], fusion_softmax)

    e1 = _dual_attention_unit(s1)
    e2 = _up(_dual_attention_unit(s2))
    e3 = _up(_up(_dual_attention_unit(s3)))

    fused = _selective_kernel_feature_fusion([e1, e2, e3], fusion_softmax)  # (B, H, W, C)
    fused = Conv2D(inputs.shape[-1], 3, padding="same")(fused)
    return layers.Add()([inputs, fused])


def _dual_attention_unit(inputs: Tensor) -> Tensor:
    channels = inputs.shape[-1]
    features = Conv2D(channels, 3, padding="same", activation="relu")(inputs)
    features = Conv2D(channels, 3, padding="same")(features)
    attended = layers.Concatenate()([_channel_attention(features), _spatial_attention(features)])
    attended = Conv2D(channels, 1)(attended)  # (B, H, W, 2C) → (B, H, W, C)
    return layers.Add()([inputs, attended])


def _channel_attention(inputs: Tensor) -> Tensor:
    channels = inputs.shape[-1]
    x = layers.GlobalAveragePooling2D()(inputs)  # (B, C)
    x = layers.Reshape((1, 1, channels))(x)
    x = Conv2D(channels // 8, 1, activation="relu")(x)
    x = Conv2D(channels, 1, activation="sigmoid")(x)  # (B, 1, 1, C)
    return layers.Multiply()([inputs, x])


def _spatial_attention(inputs: Tensor) -> Tensor:
    x = ChannelMeanAndMax()(inputs)  # (B, H, W, 2)
    x = Conv2D(1, 1)(x)
    x = layers.Activation("sigmoid")(x)  # (B, H, W, 1)
    return layers.Multiply()([inputs, x])


def _selective_kernel_feature_fusion(
    streams: list[Tensor], fusion_softmax: FusionSoftmax
) -> Tensor:
    channels = streams[0].shape[-1]
    x = layers.Add()(streams)  # (B, H, W, C)
    x = layers.GlobalAveragePooling2D()(x)  # (B, C)
    x = layers.Reshape((1, 1, channels))(x)
    x = Conv2D(channels // 8, 1, activation="relu")(x)  # (B, 1, 1, C/8)
    if fusion_softmax == "channels":
        attention = [Conv2D(channels, 1, activation="softmax")(x) for _ in streams]
    else:
        attention = StreamSoftmax()([Conv2D(channels, 1)(x) for _ in streams])
    weighted = [
        layers.Multiply()([stream, a]) for stream, a in zip(streams, attention, strict=True)
    ]
    return layers.Add()(weighted)


def _down(inputs: Tensor) -> Tensor:
    channels = inputs.shape[-1]
    x = Conv2D(channels, 1, activation="relu")(inputs)
    x = Conv2D(channels, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D(2)(x)  # (B, H/2, W/2, C)
    x = Conv2D(2 * channels, 1)(x)
    shortcut = layers.MaxPooling2D(2)(inputs)
    shortcut = Conv2D(2 * channels, 1)(shortcut)
    return layers.Add()([x, shortcut])  # (B, H/2, W/2, 2C)


def _up(inputs: Tensor) -> Tensor:
    channels = inputs.shape[-1]
    x = Conv2D(channels, 1, activation="relu")(inputs)
    x = Conv2D(channels, 3, padding="same", activation="relu")(x)
    # A 1 x 1 convolution and nearest upsampling can change places, and this way round the step
    # takes a sixth less time.
    x = Conv2D(channels // 2, 1)(x)  # (B, H, W, C/2)
    x = layers.UpSampling2D(2, interpolation="nearest")(x)  # (B, 2H, 2W, C/2)
    shortcut = Conv2D(channels // 2, 1)(inputs)
    shortcut = layers.UpSampling2D(2, interpolation="nearest")(shortcut)
    return layers.Add()([x, shortcut])  # (B, 2H, 2W, C/2)


@keras.saving.register_keras_serializable("tidenhance")
class ChannelMeanAndMax(layers.Layer):
    """The mean and the maximum over channels, stacked: (B, H, W, C) to (B, H, W, 2)."""

    def call(self, inputs: Tensor) -> Tensor:
        """Return (B, H, W, 2): the mean, then the maximum, over the channels of (B, H, W, C)."""
        mean = ops.mean(inputs, axis=-1, keepdims=True)
        maximum = ops.max(inputs, axis=-1, keepdims=True)
        return ops.concatenate([mean, maximum], axis=-1)


@keras.saving.register_keras_serializable("tidenhance")
class StreamSoftmax(layers.Layer):
    """Softmax across streams: three (B, 1, 1, C) to three (B, 1, 1, C) that sum to one."""

    def call(self, inputs: list[Tensor]) -> list[Tensor]:
        """Return the streams' weights, for each channel positive and summing to one."""
        weights = ops.softmax(ops.stack(inputs, axis=0), axis=0)
        return [weights[stream] for stream in range(len(inputs))]
