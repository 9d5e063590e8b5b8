"""Which device TensorFlow computes on, and whether it compiles with XLA there."""

from __future__ import annotations

import os
from typing import Literal

import tensorflow as tf

from tidenhance.errors import DeviceError

Requested = Literal["auto", "cpu", "gpu"]
Kind = Literal["cpu", "gpu"]


def decide(requested: Requested, gpus: int) -> Kind:
    """Return the kind of device to use.

    Args:
        requested: `auto` takes a GPU where there is one.
        gpus: how many GPUs TensorFlow sees.

    Raises:
        DeviceError: a GPU was requested and there is none.
    """
    if requested == "gpu" and not gpus:
        raise DeviceError(
            "training.device: gpu was requested, but TensorFlow sees none. Install the CUDA"
            " libraries with pip install 'tidenhance[gpu]', or set training.device to auto or cpu."
        )
    return "gpu" if gpus and requested != "cpu" else "cpu"


def jit_compile(xla: Literal["auto", "on", "off"], kind: Kind) -> bool | Literal["auto"]:
    """Return Keras' `jit_compile`: off on a CPU, Keras' own choice on a GPU, unless told."""
    if xla == "auto":
        return "auto" if kind == "gpu" else False
    return xla == "on"


def use(requested: Requested) -> tuple[Kind, str]:
    """Make TensorFlow use a device, with memory taken as it is needed; return its kind and name.

    Must be called before TensorFlow's first computation.

    Raises:
        DeviceError: a GPU was requested and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    kind = decide(requested, len(gpus))
    if kind == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return kind, f"CPU, {os.cpu_count()} cores"
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(gpus[0])
    return kind, f"GPU, {details.get('device_name', gpus[0].name)}"
