"""Which device is chosen, and whether XLA compiles there."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tidenhance import device
from tidenhance.errors import DeviceError


@pytest.mark.parametrize(
    ("requested", "gpus", "kind"),
    [
        ("auto", 0, "cpu"),
        ("auto", 1, "gpu"),
        ("auto", 4, "gpu"),
        ("cpu", 0, "cpu"),
        ("cpu", 2, "cpu"),
        ("gpu", 1, "gpu"),
    ],
)
def test_the_choice_of_a_device(requested, gpus, kind):
    assert device.decide(requested, gpus) == kind


def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(DeviceError, match=r"training\.device: gpu was requested") as error:
        device.decide("gpu", 0)
    assert "auto or cpu" in str(error.value)
    assert "tidenhance[gpu]" in str(error.value)


@pytest.mark.parametrize(
    ("xla", "kind", "jit_compile"),
    [
        ("auto", "cpu", False),
        ("auto", "gpu", "auto"),
        ("on", "cpu", True),
        ("on", "gpu", True),
        ("off", "cpu", False),
        ("off", "gpu", False),
    ],
)
def test_xla_is_off_on_a_cpu_and_keras_choice_on_a_gpu_unless_told(xla, kind, jit_compile):
    assert device.jit_compile(xla, kind) == jit_compile


def test_the_cpu_can_always_be_used():
    kind, name = device.use("cpu")
    assert kind == "cpu"
    assert name.startswith("CPU, ")


@pytest.mark.parametrize(("began_on", "kind"), [("GPU:0", "gpu"), (None, "cpu")])
def test_after_the_first_computation_it_stays_where_it_is(monkeypatch, began_on, kind):
    def begun(*_: object) -> None:
        raise RuntimeError("cannot be modified after being initialized")

    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: [gpu])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda _: [began_on] if began_on else [])
    monkeypatch.setattr(tf.config, "set_visible_devices", begun)
    experimental = tf.config.experimental
    monkeypatch.setattr(experimental, "set_memory_growth", begun)
    monkeypatch.setattr(experimental, "get_device_details", lambda _: {"device_name": "a GPU"})
    for requested in ("auto", "cpu"):
        assert device.use(requested).kind == kind
    if kind == "cpu":
        with pytest.raises(DeviceError, match="has begun on the CPU"):
            device.use("gpu")


def test_of_several_gpus_the_first_alone_is_opened(monkeypatch):
    gpus = [tf.config.PhysicalDevice(f"/physical_device:GPU:{n}", "GPU") for n in range(3)]
    calls = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: gpus)
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda *given: calls.append(("visible", *given))
    )
    experimental = tf.config.experimental
    monkeypatch.setattr(
        experimental, "set_memory_growth", lambda *given: calls.append(("growth", *given))
    )
    monkeypatch.setattr(experimental, "get_device_details", lambda _: {"device_name": "a GPU"})
    assert device.use("auto") == ("gpu", "GPU, a GPU")
    assert calls == [("visible", gpus[:1], "GPU"), ("growth", gpus[0], True)]


def graph_optimiser_is_off() -> bool:
    return bool(tf.config.optimizer.get_experimental_options().get("disable_meta_optimizer"))


def test_the_graph_optimiser_is_off_while_a_cpu_trains_a_large_network():
    with device.graph_optimiser_for_training("cpu", 1339):
        assert graph_optimiser_is_off()
    for kind, layers in (("cpu", 8), ("gpu", 1339)):
        with device.graph_optimiser_for_training(kind, layers):
            assert not graph_optimiser_is_off()
    assert not graph_optimiser_is_off()


def test_batches_are_copied_ahead_to_a_gpu_only():
    batches = tf.data.Dataset.range(3)
    assert device.prefetched(batches, "cpu") is batches
    assert device.prefetched(batches, "gpu") is not batches
