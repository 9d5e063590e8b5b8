"""Write a run's network for use without Keras."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

import tidenhance
from tidenhance import forward_onnx, runs, summary, weights
from tidenhance.errors import TidenhanceError, UserInputError, printable
from tidenhance.files import make_folder, new_folder, replacing, write_error
from tidenhance.networks import _colour_transform

Format = Literal["onnx", "saved_model", "litert"]

NAMES: dict[Format, str] = {
    "onnx": runs.ONNX,
    "saved_model": "best_saved_model",
    "litert": "best.tflite",
}

# Of 2022: read by ONNX Runtime from 1.12 on, and by TensorRT and OpenVINO.
OPSET = 17

# By how much outputs may differ from Keras', relative to the largest.
TOLERANCE = 1e-4

logger = logging.getLogger(__name__)


def export(
    run: Path, file_format: Format, path: Path | None = None, *, force: bool = False
) -> Path:
    """Write a run's network with its best weights; return the path.

    The network computes in float32, whatever precision it was trained in, and takes any batch
    size, height and width that it takes in Keras. ONNX files (opset 17) carry metadata, under the
    keys that `forward_onnx` names.

    Args:
        run: the run directory.
        file_format: `onnx` and `litert` are files, `saved_model` is a folder.
        path: where to; if None, in the run directory, under the name in `NAMES`.
        force: replace what is there.

    Raises:
        UserInputError: there is something at `path` already, it lies in what is no folder, its name
            does not suit the format, or a package is not installed.
        RunError: the run has no config or no best weights, or they are damaged or just replaced.
        WriteError: it cannot be written; what was at `path` is then as before.
        TidenhanceError: the network cannot be converted.
    """
    target = path or run / NAMES[file_format]
    _check_target(target, file_format, force=force)
    if file_format == "onnx":
        _check_installed("tf2onnx", "onnx")
    with _in_float32():
        network, config, digest = weights.trained_network_and_digest(run)
    make_folder(target.parent)
    try:
        with _quiet():
            if file_format == "onnx":
                _write_onnx(network, target, _metadata(network, config, digest))
            elif file_format == "saved_model":
                _write_saved_model(network, target)
            else:
                _write_litert(network, target)
    except TidenhanceError:
        raise
    except OSError as error:
        raise write_error(target, error) from error
    # Converters raise almost anything.
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise TidenhanceError(
            f"{printable(run)}: {network.name} cannot be written as {file_format}: {reason}"
        ) from error
    return target


def onnx_beside(run: Path) -> None:
    """Write the run's ONNX file, which `enhance` uses; say so in the log, or why it is not there.

    Without the packages of the extra `onnx` nothing is written, nor said.
    """
    if all(map(importlib.util.find_spec, ("tf2onnx", "onnx"))):
        try:
            logger.info("written: %s", export(run, "onnx", force=True))
        except TidenhanceError as error:
            logger.warning("WARNING: no %s: %s", runs.ONNX, error)


def _check_target(target: Path, file_format: Format, *, force: bool) -> None:
    ending = Path(NAMES[file_format]).suffix
    problem = ""
    try:
        if ending and (target.suffix != ending or target.is_dir()):
            received = "a folder" if target.is_dir() else target.suffix or "no ending"
            problem = f"expected a file name ending in {ending}. Received: {received}."
        elif target.exists() and not force:
            problem = "exists already; --force replaces it."
        # Nobody's other files are removed.
        elif not ending and target.exists() and not _is_saved_model(target):
            problem = (
                "expected a new folder, or a SavedModel and nothing else in it to replace."
                " Received: something else."
            )
    except OSError as error:
        raise write_error(target, error) from error
    if problem:
        raise UserInputError(f"{printable(target)}: {problem}")


def _is_saved_model(folder: Path) -> bool:
    known = {"assets", "fingerprint.pb", "saved_model.pb", "variables"}
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return "saved_model.pb" in found and found <= known


def _check_installed(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise UserInputError(
            f"--format onnx: not installed: {', '.join(missing)}. pip install 'tidenhance[onnx]'"
        )


def _metadata(network: keras.Model, config: Any, digest: str) -> dict[str, str]:
    field = summary.receptive_field(network)
    return {
        forward_onnx.NETWORK: network.name,
        forward_onnx.VERSION: tidenhance.__version__,
        forward_onnx.WEIGHTS_SHA256: digest,
        forward_onnx.SIZE_MULTIPLE: str(weights.size_multiple(config)),
        forward_onnx.RECEPTIVE_FIELD: str(field.pixels),
        forward_onnx.SEES_WHOLE_PICTURE: "true" if field.is_global else "false",
    }


class _NearestUpSampling2D(keras.layers.UpSampling2D):
    """Nearest upsampling as one operation of TensorFlow, whose output has known channels.

    Keras makes it of a dozen operations; LiteRT has none of them for convolutions to follow.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        size = tf.shape(inputs)[1:3] * self.size
        # Unlike `tf.image.resize`, of the same result, it becomes standard ONNX.
        return tf.raw_ops.ResizeNearestNeighbor(images=inputs, size=size)


def _convertible(network: keras.Model) -> keras.Model:
    """Return a network of the same layers and weights, in operations that the formats have."""

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        is_nearest = isinstance(layer, keras.layers.UpSampling2D) and (
            layer.interpolation == "nearest" and layer.data_format == "channels_last"
        )
        if not is_nearest:
            return layer
        # The policy in force may be another, that of the training.
        return _NearestUpSampling2D(layer.size, dtype=layer.dtype_policy)

    return keras.models.clone_model(network, clone_function=replace)


def _traced(network: keras.Model) -> Any:
    """Return the network as a `tf.function`, dropout and the like switched off."""

    def serve(input: tf.Tensor) -> Any:  # noqa: A002
        outputs = network(input, training=False)
        return keras.tree.map_structure(lambda x: tf.identity(x, name="output"), outputs)

    signature = [tf.TensorSpec(network.inputs[0].shape, tf.float32, name="input")]
    return tf.function(serve, input_signature=signature, autograph=False, jit_compile=False)


def _with_parts(network: keras.Model) -> keras.Model:
    """Return a network whose outputs include those of its parts, if it has any."""
    parts = _colour_transform.parts(network)
    if parts is None:
        return network
    return keras.Model(network.input, [network.output, *parts.outputs])


def _write_onnx(network: keras.Model, path: Path, metadata: dict[str, str]) -> None:
    import onnx
    from tf2onnx import tf_loader, tfonnx

    with tf.device("/cpu:0"):
        concrete = _traced(_convertible(_with_parts(network))).get_concrete_function()
        names = [concrete.inputs[0].name], [output.name for output in concrete.outputs]
        outputs = (forward_onnx.OUTPUT, *forward_onnx.PARTS)
        frozen = tf_loader.from_function(concrete, *names)
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            converted = tfonnx.process_tf_graph(
                graph,
                opset=OPSET,
                input_names=names[0],
                output_names=names[1],
                tensors_to_rename={
                    names[0][0]: "input",
                    **dict(zip(names[1], outputs, strict=False)),
                },
            ).make_model(network.name)
    with replacing(path) as temporary:
        # In place of tf2onnx's own optimiser, which takes minutes for MIRNet. The basic level is
        # of standard operators only, for any processor.
        onnxruntime = forward_onnx.onnxruntime()
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(temporary)
        onnxruntime.InferenceSession(
            converted.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        model = onnx.load(temporary)
        used = {node.domain for node in model.graph.node}
        kept = [opset for opset in model.opset_import if opset.domain in used]
        del model.opset_import[:]
        model.opset_import.extend(kept)
        for value in (*model.graph.input, *model.graph.output):
            for dimension, axis in zip(value.type.tensor_type.shape.dim, "BHW", strict=False):
                if not dimension.dim_value:
                    dimension.dim_param = axis
        _name_by_order(model.graph)
        model.producer_name, model.producer_version = "tidenhance", tidenhance.__version__
        onnx.helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        onnx.save(model, temporary)
        multiple = int(metadata[forward_onnx.SIZE_MULTIPLE])
        _check_equal(temporary.read_bytes(), path, network, multiple)


def _name_by_order(graph: Any) -> None:
    """Name operations and tensors by their order, so that equal networks make equal files.

    The layers' names, which are in those that the converter gives, count the layers of a process.
    """
    # Inside a loop or a branch, names stand for tensors outside.
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        return
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    for index, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{index}"
        for tensors in (node.input, node.output):
            tensors[:] = [names.setdefault(name, f"tensor_{len(names)}") for name in tensors]
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    graph.initializer.sort(key=lambda tensor: (len(tensor.name), tensor.name))
    del graph.value_info[:]


def _check_equal(written: bytes, path: Path, network: keras.Model, multiple: int) -> None:
    """Check on one small picture that ONNX Runtime computes what Keras does, parts included."""
    shape = [size or 8 * multiple for size in network.inputs[0].shape[1:]]
    picture = np.random.default_rng(0).random((1, *shape), np.float32)
    session = forward_onnx.session(written, path)
    parts = forward_onnx.parts(session, path)
    found = [forward_onnx.forward(session, path)(picture), *(parts(picture) if parts else ())]
    with tf.device("/cpu:0"):
        outputs = keras.tree.flatten(_with_parts(network)(picture, training=False))
    for ours, expected in zip(found, map(keras.ops.convert_to_numpy, outputs), strict=True):
        difference = float(np.abs(ours - expected).max())
        if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
            raise TidenhanceError(
                f"{printable(path)}: not written: ONNX Runtime's output differs from Keras' by"
                f" {difference:.2g}."
            )


def _write_saved_model(network: keras.Model, path: Path) -> None:
    convertible = _convertible(network)
    archive = keras.export.ExportArchive()
    archive.track(convertible)
    archive.add_endpoint("serve", _traced(convertible))
    with new_folder(path) as temporary:
        archive.write_out(temporary, verbose=False)


def _write_litert(network: keras.Model, path: Path) -> None:
    signature = [tf.TensorSpec(network.inputs[0].shape, tf.float32, name="input")]
    with replacing(path) as temporary:
        _convertible(network).export(
            temporary, format="litert", input_signature=signature, verbose=False
        )


@contextmanager
def _in_float32() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the converters' warnings and log lines from the user, who can do nothing about them."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
