"""Which device TensorFlow computes on, and whether it compiles with XLA there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import tensorflow as tf

from tidenhance import workers
from tidenhance.errors import DeviceError

MANY_LAYERS = 300

Requested = Literal["auto", "cpu", "gpu"]
Kind = Literal["cpu", "gpu"]


class Used(NamedTuple):
    """The device that is used.

    Attributes:
        kind: `cpu` or `gpu`.
        name: what to call it, as in `CPU, 2 cores`.
    """

    kind: Kind
    name: str


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


def use(requested: Requested) -> Used:
    """Make TensorFlow use a device, of GPUs the first, memory as it is needed, and return it.

    After TensorFlow's first computation nothing changes: it is the device that that was on.

    Raises:
        DeviceError: a GPU was requested and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    kind = decide(requested, len(gpus))
    try:
        if kind == "cpu":
            tf.config.set_visible_devices([], "GPU")
        else:
            # Of those that CUDA_VISIBLE_DEVICES leaves; on the others there would be a context too.
            tf.config.set_visible_devices(gpus[:1], "GPU")
            tf.config.experimental.set_memory_growth(gpus[0], True)
    except RuntimeError:  # TensorFlow's, that it has begun
        kind = "gpu" if tf.config.get_visible_devices("GPU") else "cpu"
        if requested == "gpu" and kind == "cpu":
            raise DeviceError(
                "training.device: gpu was requested, and this process has begun on the CPU."
            ) from None
    if kind == "cpu":
        return Used(kind, f"CPU, {workers.available_cores()} cores")
    details = tf.config.experimental.get_device_details(gpus[0])
    return Used(kind, f"GPU, {details.get('device_name', gpus[0].name)}")


def prefetched(batches: tf.data.Dataset, kind: Kind) -> tf.data.Dataset:
    """Return the batches such that on a GPU the next one is copied there during the step before."""
    if kind == "cpu":
        return batches
    return batches.apply(tf.data.experimental.prefetch_to_device("/gpu:0"))


@contextmanager
def graph_optimiser_for_training(kind: Kind, layers: int) -> Iterator[None]:
    """Switch TensorFlow's graph optimiser off in the block, on a CPU for a network of many layers.

    With MIRNet's 1339 it takes longer than all else before the first step, and the steps are no
    faster for it; a plain network's are, by 5 %. On a GPU it also chooses layouts, and stays on.
    """
    before = tf.config.optimizer.get_experimental_options()
    if kind == "cpu" and layers > MANY_LAYERS:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        earlier = {"disable_meta_optimizer": before.get("disable_meta_optimizer", False)}
        tf.config.optimizer.set_experimental_options(earlier)
