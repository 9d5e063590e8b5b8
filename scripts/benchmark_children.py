"""What `scripts/benchmark` measures in processes of their own; what is returned is printed."""

from __future__ import annotations

import contextlib
import json
import math
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def tutorial(network: Json, root: str, steps: int, patch: int) -> Json:
    """Train as a tutorial does; print when each step ended.

    MIRNet is the same, but as it is published: of Keras' own layers, upsampling before the 1 x 1
    convolution.
    """
    started = float(os.environ["STARTED"])
    import keras
    import tensorflow as tf
    from keras import layers

    from tidenhance.networks import mirnet

    def up(inputs: Any) -> Any:
        channels = inputs.shape[-1]
        x = layers.Conv2D(channels, 1, activation="relu")(inputs)
        x = layers.Conv2D(channels, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(channels // 2, 1)(layers.UpSampling2D(2)(x))
        shortcut = layers.Conv2D(channels // 2, 1)(layers.UpSampling2D(2)(inputs))
        return layers.Add()([x, shortcut])

    mirnet.Conv2D, mirnet._up = layers.Conv2D, up
    model = build(network)
    folder = Path(root)
    distorted = sorted(str(path) for path in (folder / "distorted_images").iterdir())[:120]
    references = [
        str(folder / "reference_images" / f"{Path(name).name[:3].upper()}.BMP")
        for name in distorted
    ]

    def load(first: Any, second: Any) -> tuple[Any, Any]:
        pair = [
            tf.cast(tf.io.decode_bmp(tf.io.read_file(name), 3), tf.float32) / 255.0
            for name in (first, second)
        ]
        cropped = tf.image.random_crop(tf.concat(pair, axis=-1), (patch, patch, 6))
        return cropped[..., :3], cropped[..., 3:]

    data = tf.data.Dataset.from_tensor_slices((distorted, references))
    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    data = data.batch(4, drop_remainder=True).prefetch(tf.data.AUTOTUNE)

    def psnr(y_true: Any, y_pred: Any) -> Any:
        return tf.image.psnr(y_pred, y_true, max_val=1.0)

    ended: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_end(self, *_: Any, **__: Any) -> None:
            ended.append(time.time() - started)

    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mse", metrics=[psnr, "mae"])
    model.fit(data, epochs=1, steps_per_epoch=steps, callbacks=[Clock()], verbose=0)
    return {"ended": ended}


def train(steps: int, arguments: list[str]) -> Json:
    """Run `tidenhance train`; print when each step ended, and how long data was waited for."""
    started = float(os.environ["STARTED"])
    from tidenhance import cli, epoch_log
    from tidenhance import steps as steps_module

    ended: list[float] = []
    waited: list[float] = []

    class Enough(BaseException):
        pass

    def move_to(*_: Any) -> None:
        ended.append(time.time() - started)
        if len(ended) >= steps:
            raise Enough

    advancing = steps_module.advancing

    def timed(step: Any, batches: Any, **options: Any) -> Any:
        class Timed:
            def __next__(self) -> Any:
                begun = time.perf_counter()
                batch = next(batches)
                waited.append(time.perf_counter() - begun)
                return batch

        return advancing(step, Timed(), **options)

    epoch_log.Bar.move_to = move_to  # type: ignore[method-assign]
    steps_module.advancing = timed
    sys.argv = ["tidenhance", "train", *arguments]
    with contextlib.suppress(Enough):
        cli.main()
    return {"ended": ended, "waited": waited}


def step(side: str, network: Json, shape: list[int], steps: int) -> Json:
    """Time steps on random pictures in memory: ours, Keras' fit, or PyTorch's eager mode."""
    times = list(
        {"ours": ours_steps, "fit": fit_steps, "torch": torch_steps}[side](
            network, shape, steps + 2
        )
    )
    return {"seconds": times[2:], "peak_bytes": peak()}


def ours_steps(network: Json, shape: list[int], steps: int, **options: Any) -> Iterator[float]:
    import numpy as np
    import tensorflow as tf

    from tidenhance import device, training
    from tidenhance import steps as steps_module

    kind = device.use("auto").kind
    model = build(network)
    training.compile_network(model, _config(), kind)
    pictures = tf.constant(np.random.default_rng(1).random(shape, np.float32))
    step = steps_module.training(model, jit_compile=bool(model.jit_compile), **options)
    with device.graph_optimiser_for_training(kind, len(model.layers)):
        for _ in range(steps):
            begun = time.perf_counter()
            float(step((pictures, pictures))["loss"])
            yield time.perf_counter() - begun


def fit_steps(network: Json, shape: list[int], steps: int) -> Iterator[float]:
    import keras
    import numpy as np
    import tensorflow as tf

    model = build(network)
    pictures = np.random.default_rng(1).random(shape, np.float32)
    data = tf.data.Dataset.from_tensors((pictures, pictures)).cache().repeat().prefetch(2)
    times: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_train_batch_begin(self, *_: Any, **__: Any) -> None:
            self.begun = time.perf_counter()

        def on_train_batch_end(self, *_: Any, **__: Any) -> None:
            times.append(time.perf_counter() - self.begun)

    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    model.fit(data, steps_per_epoch=steps, callbacks=[Clock()], verbose=0)
    yield from times


def torch_steps(network: Json, shape: list[int], steps: int) -> Iterator[float]:
    import torch

    layers: list[Any] = []
    before = 3
    for channels in [*network["channels"], 3]:
        layers += [torch.nn.Conv2d(before, channels, 3, padding=1), torch.nn.ReLU()]
        before = channels
    model = torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    batch, height, width, _ = shape
    pictures = torch.rand(batch, 3, height, width).to(memory_format=torch.channels_last)
    for _ in range(steps):
        begun = time.perf_counter()
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(model(pictures), pictures)
        loss.backward()
        optimiser.step()
        loss.item()
        yield time.perf_counter() - begun


def torch_digits(pictures: int, workers: int) -> Json:
    """Time the second epoch of the manual's convolutional autoencoder as the manual has it."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    def hidden(channels: int) -> list[Any]:
        return [nn.ReLU(), nn.BatchNorm2d(channels), nn.Dropout(0.2)]

    model = nn.Sequential(
        *(nn.Conv2d(1, 32, 7, 3), *hidden(32), nn.Conv2d(32, 64, 3), *hidden(64)),
        *(nn.ConvTranspose2d(64, 32, 3), *hidden(32)),
        *(nn.ConvTranspose2d(32, 1, 7, 3), nn.Sigmoid()),
    )
    shape = (pictures, 1, 28, 28)
    data = TensorDataset(255 * torch.rand(shape), torch.rand(shape))
    loader = DataLoader(
        data, batch_size=32, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(2):
        begun = time.perf_counter()
        for noisy, clean in loader:
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(model(noisy), clean)
            loss.backward()
            optimiser.step()
            loss.item()
    return {"seconds": time.perf_counter() - begun}


def accumulated(network: Json, shape: list[int], micro_batch_size: int) -> Json:
    """Train one step in micro-batches; print the time and the memory at its peak."""
    [seconds] = list(ours_steps(network, shape, 1, micro_batch_size=micro_batch_size))
    return {"seconds": seconds, "peak_bytes": peak()}


def adam(network: Json) -> Json:
    """Ten updates of a network's variables, fed the same gradients; the largest difference."""
    import keras
    import numpy as np

    from tidenhance.fused_adam import FusedAdam

    model = build(network)
    start = model.get_weights()
    found = []
    for kind in (FusedAdam, keras.optimizers.Adam):
        model.set_weights(start)
        optimiser, random = kind(1e-4), np.random.default_rng(1)
        optimiser.build(model.trainable_variables)
        for _ in range(10):
            gradients = [
                keras.ops.convert_to_tensor(random.normal(size=v.shape).astype("float32"))
                for v in model.trainable_variables
            ]
            optimiser.apply(gradients, model.trainable_variables)
        found.append(model.get_weights())
    differences = [
        float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in zip(*found, strict=True)
    ]
    return {"largest": max(differences), "variables": len(differences)}


def pipeline(root: str, types: list[int], patch: int | None, pictures: int) -> Json:
    """Pictures a second that the pipeline gives, from memory and decoded anew."""
    from tidenhance.data import pipeline as pipelines
    from tidenhance.data.datasets import tid2013

    splits = tid2013.Splits(train=[1, 2, 3, 4, 5], val=[6], test=[7])
    pairs = tid2013.load(root=root, types=types, splits=splits)["train"]
    rates = {}
    for name, cache_gib in (("memory", 4.0), ("disk", 0.0)):
        batches = iter(
            pipelines.training(pairs, batch_size=4, patch_size=patch, seed=1, cache_gib=cache_gib)(
                0
            )
        )
        for _ in range(4):
            next(batches)
        begun = time.perf_counter()
        for _ in range(pictures // 4):
            next(batches)
        rates[name] = pictures / (time.perf_counter() - begun)
    return rates


def evaluation(run: str, split: str) -> Json:
    """The time of an evaluation, and that of the forward passes in it."""
    from tidenhance import evaluation as evaluations

    spent: list[float] = []
    make = evaluations._network_restorer

    def timed(*arguments: Any) -> Any:
        restore = make(*arguments)

        def timing(pixels: Any) -> Any:
            begun = time.perf_counter()
            restored = restore(pixels)
            spent.append(time.perf_counter() - begun)
            return restored

        return timing

    evaluations._network_restorer = timed
    begun = time.perf_counter()
    try:
        evaluations.evaluate(Path(run), split)
    finally:
        evaluations._network_restorer = make
    return {"seconds": time.perf_counter() - begun, "network": sum(spent), "pairs": len(spent)}


def graph(network: Json, shape: list[int]) -> Json:
    """Launches, FLOPs and bytes of a training step, from its graph."""
    import tensorflow as tf

    from tidenhance import steps as steps_module
    from tidenhance import summary, training

    model = build(network)
    training.compile_network(model, _config(), "cpu")
    step = steps_module.training(model, jit_compile=bool(model.jit_compile))
    batch, height, width, _ = shape
    spec = tf.TensorSpec(shape, tf.float32)
    graph = step.get_concrete_function((spec, spec)).graph  # type: ignore[attr-defined]
    silent = {
        *("Const", "Placeholder", "Identity", "IdentityN", "NoOp", "ReadVariableOp", "Reshape"),
        *("Shape", "StridedSlice", "ExpandDims", "Squeeze", "Pack", "BroadcastGradientArgs"),
    }
    launches = sum(operation.type not in silent for operation in graph.get_operations())
    outputs = sum(
        math.prod(x.shape[1:]) for c in summary._calls(model, height, width) for x in c.outputs
    )
    return {
        "launches": launches,
        "flops": 6 * batch * summary.multiply_adds(model, height, width),
        "bytes": 6 * 4 * batch * outputs,
    }


def build(network: Json) -> Any:
    from tidenhance import components

    options = {key: value for key, value in network.items() if key != "name"}
    return components.make("networks", network["name"], options)


def _config() -> Any:
    from tidenhance import config

    return config.load(
        config.find("plain128"), ["data.root=unused", "metrics=[mae]"], environment={}
    )


def peak() -> int:
    """The most memory so far, in bytes; `ru_maxrss` may be what the parent took."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def check_gpu() -> Json:
    """Fail where there is no GPU."""
    from tidenhance import device

    return {"device": device.use("gpu").name}


def write_tiled(source: str, width: int, height: int, path: str) -> Json:
    """Write a picture of a size, made of one that is repeated."""
    import numpy as np
    from PIL import Image

    with Image.open(source) as opened:
        pixels = np.asarray(opened)
    times = (-(-height // pixels.shape[0]), -(-width // pixels.shape[1]), 1)
    Image.fromarray(np.tile(pixels, times)[:height, :width]).save(path)
    return {}


def forward(run: str, size: list[int], times: int) -> Json:
    """The median time of a forward pass in ONNX Runtime."""
    import numpy as np

    from tidenhance import forward_onnx

    forward = forward_onnx.load(Path(run)).forward
    picture = np.random.default_rng(1).random((1, *size, 3), np.float32)
    seconds = []
    for _ in range(times + 1):
        begun = time.perf_counter()
        forward(picture)
        seconds.append(time.perf_counter() - begun)
    return {"seconds": statistics.median(seconds[1:])}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
