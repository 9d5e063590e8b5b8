"""What is written for use without Keras, and what is not."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tidenhance
from tidenhance import config, export, files, forward_onnx, runs, weights
from tidenhance.errors import RunError, TidenhanceError, UserInputError
from tidenhance.files import UNFINISHED

onnx = pytest.importorskip("onnx")
tf2onnx = pytest.importorskip("tf2onnx")

FORMATS = ["onnx", "saved_model", "litert"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return run_of("{name: residual_cnn, channels: 4, depth: 3}", tmp_path / "run")


def run_of(network: str, folder: Path) -> Path:
    folder.mkdir()
    loaded = config.load(config.find("quickstart"), [f"network={network}"])
    (folder / runs.CONFIG).write_text(config.dump(loaded))
    keras.utils.set_random_seed(1)
    weights.save(weights.build_network(loaded), folder / runs.BEST_WEIGHTS)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_onnx_files_say_what_they_are(run: Path) -> None:
    model = onnx.load(export.export(run, "onnx"))
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "network": "residual_cnn",
        "tidenhance": tidenhance.__version__,
        "weights_sha256": files.sha256(run / runs.BEST_WEIGHTS),
        "size_multiple": "1",
        "receptive_field": "7",
        "sees_whole_picture": "false",
    }
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", export.OPSET)]
    [given], [made] = model.graph.input, model.graph.output
    assert (given.name, made.name) == ("input", "output")
    for value in (given, made):
        dimensions = value.type.tensor_type.shape.dim
        assert [d.dim_param or d.dim_value for d in dimensions] == ["B", "H", "W", 3]


def test_equal_networks_make_equal_files(run: Path) -> None:
    before = export.export(run, "onnx").read_bytes()
    assert b"conv2d" not in before
    assert export.export(run, "onnx", force=True).read_bytes() == before


@pytest.mark.parametrize(
    ("network", "resizes"),
    [
        ("{name: residual_cnn, channels: 4, depth: 3}", False),
        ("{name: mirnet, channels: 8, groups: 1, blocks: 1}", True),
    ],
)
def test_mixed_precision_is_written_as_float32_and_stays_in_force(
    network: str, resizes: bool, tmp_path: Path
) -> None:
    run = run_of(network, tmp_path / "run")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = onnx.load(export.export(run, "onnx"))
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert onnx.TensorProto.FLOAT in kinds
    kinds |= {
        attribute.i
        for node in model.graph.node
        if node.op_type == "Cast"
        for attribute in node.attribute
    }
    assert not kinds & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    if not resizes:
        assert "Cast" not in {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("file_format", FORMATS)
def test_nothing_is_overwritten_unless_forced(run: Path, file_format: str) -> None:
    path = export.export(run, file_format)
    before = path.stat().st_ino
    with pytest.raises(UserInputError, match="exists already; --force replaces it"):
        export.export(run, file_format)
    assert path.stat().st_ino == before
    assert export.export(run, file_format, force=True) == path
    assert path.stat().st_ino != before
    assert not [name for name in names(run) if name.startswith(UNFINISHED)]


def test_force_removes_no_folder_but_a_saved_model(run: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"a")
    shutil.copytree(tmp_path / "photos", tmp_path / "both")
    (tmp_path / "both" / "saved_model.pb").touch()
    for out in ("photos", "photos/a.png", "both"):
        with pytest.raises(UserInputError, match=r"a SavedModel .* to replace\. Received: somethi"):
            export.export(run, "saved_model", tmp_path / out, force=True)
    assert (tmp_path / "both" / "a.png").is_file()
    assert (tmp_path / "photos" / "a.png").read_bytes() == b"a"


@pytest.mark.parametrize(
    ("file_format", "name", "message"),
    [
        ("onnx", "x.tflite", r"a file name ending in \.onnx\. Received: \.tflite"),
        ("litert", "x", r"a file name ending in \.tflite\. Received: no ending"),
        ("onnx", "folder.onnx", r"a file name ending in \.onnx\. Received: a folder"),
    ],
)
def test_names_that_do_not_suit_the_format_are_told(run, tmp_path, file_format, name, message):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UserInputError, match=message):
        export.export(run, file_format, tmp_path / name)


def test_folders_are_made(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "x.onnx"
    assert export.export(run, "onnx", path) == path
    assert names(path.parent) == {"x.onnx"}


def test_missing_packages_are_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name)
    )
    with pytest.raises(UserInputError, match=r"tf2onnx\. pip install 'tidenhance\[onnx\]'"):
        export.export(run, "onnx")
    export.onnx_beside(run)
    assert names(run) == {runs.CONFIG, runs.BEST_WEIGHTS}


def test_what_cannot_be_converted_is_one_error_and_changes_nothing(run, monkeypatch, caplog):
    def fail(*_: object, **__: object) -> None:
        raise ValueError("no such operation\nand more")

    path = run / runs.ONNX
    path.write_bytes(b"old")
    monkeypatch.setattr(tf2onnx.tfonnx, "process_tf_graph", fail)
    with pytest.raises(
        TidenhanceError, match=r"residual_cnn cannot be written as onnx: no such operation$"
    ):
        export.export(run, "onnx", force=True)
    with caplog.at_level(logging.INFO, logger="tidenhance"):
        export.onnx_beside(run)
    [record] = caplog.records
    assert record.getMessage().startswith(f"WARNING: no {runs.ONNX}: ")
    assert path.read_bytes() == b"old"
    assert names(run) == {runs.CONFIG, runs.BEST_WEIGHTS, runs.ONNX}


def test_operations_that_onnx_lacks_are_told_once(run, monkeypatch, caplog) -> None:
    class Foreign(keras.layers.Layer):
        def call(self, inputs: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(np.copy, [inputs], tf.float32), inputs.shape)

    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, Foreign()(inputs), name="foreign")
    monkeypatch.setattr(export, "_convertible", lambda _: network)
    with pytest.raises(TidenhanceError, match=r"residual_cnn cannot be written as onnx: ."):
        export.export(run, "onnx")
    assert caplog.records == []
    assert names(run) == {runs.CONFIG, runs.BEST_WEIGHTS}


def test_a_file_that_computes_something_else_is_not_written(run, monkeypatch):
    right = forward_onnx.forward

    def wrong(*arguments: object) -> object:
        return lambda images: right(*arguments)(images) + np.float32(1e-3)

    monkeypatch.setattr(forward_onnx, "forward", wrong)
    with pytest.raises(TidenhanceError, match=r"differs from Keras' by 0\.001"):
        export.export(run, "onnx")
    assert names(run) == {runs.CONFIG, runs.BEST_WEIGHTS}


def test_runs_without_good_weights_are_told(run: Path) -> None:
    (run / runs.BEST_WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(RunError, match="not the weights of this residual_cnn"):
        export.export(run, "onnx")
    (run / runs.BEST_WEIGHTS).unlink()
    with pytest.raises(RunError, match=r"best\.weights\.h5: no such file"):
        export.export(run, "onnx")


def test_the_log_names_what_was_written_beside_the_weights(run: Path, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="tidenhance"):
        export.onnx_beside(run)
    assert [record.getMessage() for record in caplog.records] == [f"written: {run / runs.ONNX}"]
    forward_onnx.load(run)


@pytest.mark.slow
@pytest.mark.parametrize("file_format", FORMATS)
def test_the_command_prints_the_path_alone(run: Path, file_format: str) -> None:
    command = [sys.executable, "-m", "tidenhance", "export", run, "--format", file_format]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    path = run / export.NAMES[file_format]
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{path}\n", "")
    assert path.exists()
