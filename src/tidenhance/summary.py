"""What a network is made of, how far it sees, and what it costs."""

from __future__ import annotations

import functools
import math
import os
from dataclasses import dataclass
from typing import Any

import keras

from tidenhance.config import Training
from tidenhance.networks._pixel_shuffle import PixelShuffle

BYTES_PER_FLOAT = 4

_WHOLE_PICTURE = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Flatten,
)
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_POOLING = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


@dataclass(frozen=True)
class ReceptiveField:
    """From how many input pixels an output pixel is made.

    Attributes:
        pixels: the side of the square, along paths that do not look at the whole picture.
        is_global: whether some path looks at the whole picture, as global pooling does.
    """

    pixels: int
    is_global: bool


@dataclass(frozen=True)
class _Call:
    layer: keras.layers.Layer
    inputs: list[keras.KerasTensor]
    outputs: list[keras.KerasTensor]


def describe(model: keras.Model, training: Training, height: int, width: int) -> dict[str, Any]:
    """Return a network's figures at an input size, under the names that `summary --json` prints.

    Among them is the memory of a training step for each number of accumulation steps that the
    batch size can be divided by, beside the machine's own.
    """
    field = receptive_field(model)
    accumulation = training.gradient_accumulation_steps
    averages = training.optimizer.exponential_moving_average is not None
    memory = {
        n: training_memory(
            model, training.batch_size // n, height, width, accumulated=n > 1, averages=averages
        )
        for n in range(1, training.batch_size + 1)
        if training.batch_size % n == 0
    }
    return {
        "network": model.name,
        "input_shape": list(model.inputs[0].shape[1:]),
        "layers": len(model.layers),
        "parameters": model.count_params(),
        "width": width,
        "height": height,
        "multiply_adds": multiply_adds(model, height, width),
        "receptive_field": field.pixels,
        "sees_whole_picture": field.is_global,
        "pictures_at_once": training.batch_size // accumulation,
        "training_memory_bytes": memory[accumulation],
        "gradient_accumulation_steps": accumulation,
        "training_memory_bytes_by_accumulation": memory,
        "machine_memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "layer_table": layer_table(model),
    }


def picture_size(model: keras.Model, height: int, width: int) -> tuple[int, int]:
    """Return the height and width that a network takes, or those given where it takes any."""
    own_height, own_width = model.inputs[0].shape[1:3]
    return own_height or height, own_width or width


def receptive_field(model: keras.Model) -> ReceptiveField:
    """Return a network's receptive field, from its layers' kernels and strides.

    Along a path of layers with kernel k, dilation d and stride s it grows by (k - 1) d j, where j
    is the number of input pixels from one position to the next, which s multiplies and upsampling
    divides. Where paths meet, the largest counts. Source: Araujo, Norris and Sim, "Computing
    Receptive Fields of Convolutional Neural Networks" (2019).
    """
    fields = {id(x): (1.0, 1.0, False) for x in model.inputs}
    calls = _calls(model, *model.inputs[0].shape[1:3])
    for call in calls:
        inputs = [fields.get(id(x), (1.0, 1.0, False)) for x in call.inputs]
        size, jump = max(f[0] for f in inputs), max(f[1] for f in inputs)
        is_global = any(f[2] for f in inputs)
        layer = call.layer
        if isinstance(layer, _WHOLE_PICTURE):
            size, is_global = 1.0, True
        elif isinstance(layer, _CONVOLUTIONS):
            kernel = zip(layer.kernel_size, layer.dilation_rate, strict=True)
            size += max((k - 1) * dilation for k, dilation in kernel) * jump
            jump *= max(layer.strides)
        elif isinstance(layer, _POOLING):
            size += (max(layer.pool_size) - 1) * jump
            jump *= max(layer.strides)
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            jump /= max(layer.strides)
            size += (max(layer.kernel_size) - 1) * jump
        elif isinstance(layer, keras.layers.UpSampling2D):
            jump /= max(layer.size)
        elif isinstance(layer, PixelShuffle):
            jump /= layer.scale
        fields |= {id(x): (size, jump, is_global) for x in call.outputs}
    size, _, is_global = fields[id(calls[-1].outputs[0])]
    return ReceptiveField(math.ceil(size), is_global)


def multiply_adds(model: keras.Model, height: int, width: int) -> int:
    """Return the multiply-adds of convolutions and dense layers for one picture.

    Biases, activations and elementwise operations are not counted, as the literature has it.
    """
    return sum(_layer_multiply_adds(call) for call in _calls(model, height, width))


def training_memory(
    model: keras.Model,
    batch_size: int,
    height: int,
    width: int,
    *,
    accumulated: bool = False,
    averages: bool = False,
) -> int:
    """Return an estimate, in bytes, of the memory that a training step takes at its peak.

    Counted are the weights four times (with gradients and Adam's two moments; where gradients are
    `accumulated`, twice more, for their sum before and after; where `averages` are kept, once
    more), every layer's output, which the backward pass needs, and four times the largest output
    (two gradients and a convolution's work space). TensorFlow itself and cached pictures come on
    top; plain128 at (8, 384, 512, 3), for which this gives 8.1 GB, was measured to take 8.6 GB in
    all.
    """
    outputs = [math.prod(x.shape[1:]) for c in _calls(model, height, width) for x in c.outputs]
    copies = 4 + 2 * accumulated + averages
    floats = copies * model.count_params() + batch_size * (sum(outputs) + 4 * max(outputs))
    return BYTES_PER_FLOAT * floats


def layer_table(model: keras.Model) -> list[dict[str, Any]]:
    """Return name, type, output shape and parameters of each layer."""
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output": [list(x.shape) for x in keras.tree.flatten(layer.output)],
            "parameters": layer.count_params(),
        }
        for layer in model.layers
    ]


@functools.lru_cache(maxsize=2)
def _calls(model: keras.Model, height: int | None, width: int | None) -> list[_Call]:
    """Return the calls of a functional network's layers in order, at an input size."""
    calls: list[_Call] = []

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        outputs = layer(*args, **kwargs)
        calls.append(_Call(layer, keras.tree.flatten((args, kwargs)), keras.tree.flatten(outputs)))
        return outputs

    # A model of its own, since cloning would carry over what the network is compiled with.
    keras.models.clone_model(
        keras.Model(model.input, model.output),
        input_tensors=keras.Input((height, width, model.inputs[0].shape[-1])),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return calls


def _layer_multiply_adds(call: _Call) -> int:
    layer, product = call.layer, math.prod
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return product(call.inputs[0].shape[1:3]) * product(layer.kernel.shape)
    if isinstance(layer, _CONVOLUTIONS):
        return product(call.outputs[0].shape[1:3]) * product(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        return product(call.outputs[0].shape[1:-1]) * product(layer.kernel.shape)
    return 0
