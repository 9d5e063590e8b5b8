"""A network's forward pass in ONNX Runtime, free of TensorFlow and ready in a tenth of its time.

The run's ONNX file is made of its best weights, whose SHA-256 it carries; one that is older than
they are is never used.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidenhance import runs
from tidenhance.errors import RunError, printable
from tidenhance.files import sha256
from tidenhance.inference import Forward, Network, Parts, Shape, shape_text

# The keys of the file's metadata.
NETWORK = "network"
VERSION = "tidenhance"
WEIGHTS_SHA256 = "weights_sha256"
SIZE_MULTIPLE = "size_multiple"
RECEPTIVE_FIELD = "receptive_field"
SEES_WHOLE_PICTURE = "sees_whole_picture"

# The names of its outputs: the last two where the network ends in a colour transform.
OUTPUT = "output"
BEFORE_COLOUR_TRANSFORM = "before_colour_transform"
COLOUR_TRANSFORM = "colour_transform"
PARTS = [BEFORE_COLOUR_TRANSFORM, COLOUR_TRANSFORM]

# Beside the weights the file holds a few hundred bytes for each operation.
_BYTES_BESIDE_THE_WEIGHTS = 2**24

# A tensor whose data lie in another file has this key; a name that holds it costs only speed.
_EXTERNAL_DATA = b"location"

_NVIDIA_DRIVER = Path("/dev/nvidiactl")


def is_preferable(run: Path) -> bool:
    """Whether the run has an ONNX file, and no NVIDIA GPU is there that may be used.

    The GPU is TensorFlow's, and worth the seconds that TensorFlow takes to start.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    return (run / runs.ONNX).is_file() and (hidden or not _NVIDIA_DRIVER.exists())


def load(run: Path) -> Network:
    """Return the network in a run's ONNX file.

    Raises:
        RunError: the file is missing, damaged, not made of the run's best weights, or a stranger's
            that is far larger than they are or leads to other files.
    """
    path, weights_file = run / runs.ONNX, run / runs.BEST_WEIGHTS
    if weights_file.exists() and not weights_file.is_file():
        raise RunError(f"{printable(weights_file)}: expected a file.")  # a pipe would be waited for
    try:
        largest = 2 * weights_file.stat().st_size + _BYTES_BESIDE_THE_WEIGHTS
        with path.open("rb") as stream:
            model = stream.read(largest + 1)
        expected = sha256(weights_file)
    except OSError as error:
        raise RunError(
            f"{printable(error.filename or path)}: cannot be read: {error.strerror}."
        ) from error
    if len(model) > largest:
        raise RunError(
            f"{printable(path)}: expected at most {largest:,} bytes, by the size of the best"
            " weights. Received: more."
        )
    loaded = session(model, path)
    try:
        metadata: dict[str, str] = loaded.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as error:
        raise _error(path, error) from error
    if metadata.get(WEIGHTS_SHA256) != expected:
        raise RunError(
            f"{printable(path)}: made of other weights than {weights_file.name}; to make it anew:"
            f" tidenhance export {printable(shlex.quote(str(run)))} --format onnx --force"
        )
    return Network(
        forward(loaded, path),
        size_multiple=_positive(metadata, SIZE_MULTIPLE, path),
        receptive_field=_positive(metadata, RECEPTIVE_FIELD, path),
        is_global=metadata.get(SEES_WHOLE_PICTURE) != "false",
        input_shape=_input_shape(loaded, path),
        parts=parts(loaded, path),
    )


def onnxruntime() -> Any:
    """Return the package ONNX Runtime, its warnings off: they are on what a user cannot change."""
    # Its builds note what they run on in the home folder, to be sent to their maker.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as package

    package.set_default_logger_severity(4)
    return package


def session(model: bytes, path: Path) -> Any:
    """Return an `onnxruntime.InferenceSession` of a network from and to float32 (B, H, W, C).

    One that ends in a colour transform has `PARTS` for further outputs.

    Args:
        model: an ONNX file's content.
        path: what to call it in errors.

    Raises:
        RunError: it is damaged, another kind of network, or leads to other files.
    """
    if _EXTERNAL_DATA in model:
        raise RunError(f"{printable(path)}: expected all weights inside. Received: another file's.")
    try:
        runtime = onnxruntime()
        options = runtime.SessionOptions()
        options.log_severity_level = 4
        # With it, tiles take twice the memory and are no faster.
        options.enable_mem_pattern = False
        # Threads that spin while they wait take the processor from others, and here gain nothing.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.load_model_format", "ONNX")
        # A second try would be announced on standard output.
        loaded = runtime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        sides = loaded.get_inputs(), loaded.get_outputs()
        kinds = [[(value.type, len(value.shape)) for value in side] for side in sides]
        has_parts = _has_parts(loaded)
    # ONNX Runtime's exceptions have no common base.
    except Exception as error:
        raise _error(path, error) from error
    pictures, numbers = ("tensor(float)", 4), ("tensor(float)", 2)
    outputs = [pictures, pictures, numbers] if has_parts else [pictures]
    if kinds != [[pictures], outputs]:
        received = ", ".join(f"{value.type} {value.shape}" for side in sides for value in side)
        raise RunError(
            f"{printable(path)}: expected a network from and to float32 (B, H, W, C)."
            f" Received: {printable(received)}."
        )
    return loaded


def forward(session: Any, path: Path) -> Forward:
    """Return the forward pass of a network that ONNX Runtime has loaded.

    Args:
        session: as the function `session` returns it.
        path: what to call it in errors.
    """
    run = _run(session, path, [session.get_outputs()[0].name])
    return lambda images: run(images)[0]


def parts(session: Any, path: Path) -> Parts | None:
    """Return the forward pass up to the colour transform, if the network ends in one.

    Args:
        session: as the function `session` returns it.
        path: what to call it in errors.
    """
    if not _has_parts(session):
        return None
    run = _run(session, path, PARTS)

    def run_parts(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        before, numbers = run(images)
        if numbers.shape != (len(images), 13):
            raise RunError(
                f"{printable(path)}: {COLOUR_TRANSFORM}: expected 13 numbers a picture."
                f" Received: {numbers.shape}."
            )
        return before, numbers

    return run_parts


def _has_parts(session: Any) -> bool:
    return [value.name for value in session.get_outputs()[1:]] == PARTS


def _run(
    session: Any, path: Path, outputs: list[str]
) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return what computes some outputs, of which the first has the input's shape."""
    name = session.get_inputs()[0].name

    def run(images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        try:
            computed: list[NDArray[np.float32]] = session.run(outputs, {name: images})
        except Exception as error:
            if "allocat" in str(error):
                raise MemoryError from error
            raise _error(path, error) from error
        if computed[0].shape != images.shape:
            raise RunError(
                f"{printable(path)}: expected an output of the input's shape, {images.shape}."
                f" Received: {computed[0].shape}."
            )
        return computed

    return run


def _input_shape(session: Any, path: Path) -> Shape:
    # Dynamic dimensions have a name, or none, in place of a number.
    sizes = [size if isinstance(size, int) else None for size in session.get_inputs()[0].shape]
    shape = tuple(sizes[1:])
    channels = (3,) if _has_parts(session) else (1, 3)
    if shape[-1] not in channels or (shape[0] is None) != (shape[1] is None):
        raise RunError(
            f"{printable(path)}: expected pictures of {' or '.join(map(str, channels))} channels,"
            f" and height and width both fixed or neither. Received: {shape_text(shape)}."
        )
    return shape


def _error(path: Path, error: Exception) -> RunError:
    reason = str(error).partition("\n")[0][:300]
    return RunError(f"{printable(path)}: ONNX Runtime cannot use it: {printable(reason)}")


def _positive(metadata: dict[str, str], key: str, path: Path) -> int:
    text = metadata.get(key, "")
    if not (len(text) < 5 and text.isdecimal() and text.isascii() and int(text) > 0):
        raise RunError(
            f"{printable(path)}: {key}: expected a number from 1 on. Received: '{printable(text)}'."
        )
    return int(text)
