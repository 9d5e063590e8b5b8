"""The forward pass in ONNX Runtime: what is used, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tidenhance import config, export, forward_onnx, forward_tensorflow, runs, weights
from tidenhance.errors import RunError

onnx = pytest.importorskip("onnx")
pytest.importorskip("tf2onnx")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a network that changes pictures visibly, with its ONNX file."""
    folder = tmp_path_factory.mktemp("runs") / "mine-20261125-170000"
    folder.mkdir()
    options = ["network={name: mirnet, channels: 8, groups: 1, blocks: 1}"]
    loaded = config.load(config.find("mirnet32"), options)
    (folder / runs.CONFIG).write_text(config.dump(loaded))
    keras.utils.set_random_seed(1)
    weights.save(weights.build_network(loaded), folder / runs.BEST_WEIGHTS)
    export.export(folder, "onnx")
    return folder


@pytest.fixture
def run(exported: Path, tmp_path: Path) -> Path:
    """The same run, free to be changed."""
    return Path(shutil.copytree(exported, tmp_path / exported.name))


def change(run: Path, edit: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(run / runs.ONNX)
    edit(model)
    onnx.save(model, run / runs.ONNX)


def test_it_is_the_network_that_tensorflow_runs(run: Path) -> None:
    found, expected = forward_onnx.load(run), forward_tensorflow.load(run)
    for attribute in ("size_multiple", "receptive_field", "is_global", "input_shape"):
        assert getattr(found, attribute) == getattr(expected, attribute)
    assert found.input_shape == (None, None, 3)
    batch = np.random.default_rng(0).random((2, 36, 52, 3), np.float32)
    np.testing.assert_allclose(found.forward(batch), expected.forward(batch), atol=1e-5)
    assert np.abs(expected.forward(batch) - batch).max() > 0.1


def test_the_parts_of_a_network_that_ends_in_a_colour_transform(tmp_path: Path) -> None:
    options = ["network={name: nafnet, width: 4, colour_transform: true}"]
    loaded = config.load(config.find("nafnet"), options)
    (tmp_path / runs.CONFIG).write_text(config.dump(loaded))
    keras.utils.set_random_seed(1)
    network = weights.build_network(loaded)
    random = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(weight.numpy() + random.normal(0, 0.05, weight.shape))
    weights.save(network, tmp_path / runs.BEST_WEIGHTS)
    export.export(tmp_path, "onnx")
    found, expected = forward_onnx.load(tmp_path), forward_tensorflow.load(tmp_path)
    picture = random.random((1, 48, 64, 3), np.float32)
    for one, other in zip(found.parts(picture), expected.parts(picture), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert np.abs(expected.parts(picture)[1]).max() > 0.01
    np.testing.assert_allclose(found.forward(picture), network(picture), atol=1e-4)

    def fewer_numbers(model: onnx.ModelProto) -> None:
        del model.graph.output[2]

    change(tmp_path, fewer_numbers)
    with pytest.raises(RunError, match="expected a network from and to"):
        forward_onnx.load(tmp_path)


def test_a_network_of_one_size_in_grey(tmp_path: Path) -> None:
    options = ["network={name: linear_autoencoder, units: [16, 4]}"]
    loaded = config.load(config.find("mnist-linear-coarse"), options)
    (tmp_path / runs.CONFIG).write_text(config.dump(loaded))
    weights.save(weights.build_network(loaded), tmp_path / runs.BEST_WEIGHTS)
    export.export(tmp_path, "onnx")
    found, expected = forward_onnx.load(tmp_path), forward_tensorflow.load(tmp_path)
    assert found.input_shape == expected.input_shape == (28, 28, 1)
    assert found.has_fixed_size
    batch = np.random.default_rng(0).normal(0.5, 1, (3, 28, 28, 1)).astype(np.float32)
    np.testing.assert_allclose(found.forward(batch), expected.forward(batch), atol=1e-5)
    with pytest.raises(RunError, match=r"best\.onnx: ONNX Runtime cannot use it: "):
        found.forward(batch[:, :27])


def reshape(*sizes: int | str) -> Callable[[onnx.ModelProto], None]:
    """Let the file declare, and compute, the identity of another shape."""

    def edit(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            for dimension, size in zip(value.type.tensor_type.shape.dim, sizes, strict=True):
                dimension.Clear()
                if isinstance(size, int):
                    dimension.dim_value = size
                else:
                    dimension.dim_param = size
        del model.graph.node[:], model.graph.initializer[:]
        model.graph.node.append(onnx.helper.make_node("Identity", ["input"], ["output"]))

    return edit


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        (("B", "H", "W", 3), (None, None, 3)),
        (("B", "", "", 1), (None, None, 1)),
        (("B", 28, 30, 1), (28, 30, 1)),
        ((1, 28, 30, 3), (28, 30, 3)),
    ],
)
def test_the_input_shape_is_the_files(run: Path, sizes, shape) -> None:
    change(run, reshape(*sizes))
    assert forward_onnx.load(run).input_shape == shape


@pytest.mark.parametrize(
    ("sizes", "received"),
    [
        (("B", "H", "W", 4), "any x any x 4"),
        (("B", "H", "W", "C"), "any x any x any"),
        (("B", 28, "W", 1), "28 x any x 1"),
        (("B", "H", 28, 3), "any x 28 x 3"),
    ],
)
def test_an_input_shape_that_no_picture_has_is_refused(run: Path, sizes, received: str) -> None:
    change(run, reshape(*sizes))
    with pytest.raises(RunError, match=r"best\.onnx: expected pictures of 1 or 3 chan") as caught:
        forward_onnx.load(run)
    assert str(caught.value).endswith(f"Received: {received}.")


@pytest.mark.parametrize("name", runs.shipped_models())
def test_a_model_that_comes_with_the_tool_is_one_network_in_two_forms(name: str) -> None:
    model = runs.shipped_models()[name]
    in_onnx, in_tensorflow = forward_onnx.load(model), forward_tensorflow.load(model)
    assert in_onnx.input_shape == in_tensorflow.input_shape
    shape = [size or 64 for size in in_onnx.input_shape]
    picture = np.random.default_rng(0).random((1, *shape), np.float32)
    expected = in_tensorflow.forward(picture)
    assert expected.std() > 0.01
    np.testing.assert_allclose(in_onnx.forward(picture), expected, atol=1e-5)


def test_a_file_of_other_weights_is_never_used(run: Path) -> None:
    with (run / runs.BEST_WEIGHTS).open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(RunError, match=r"best\.onnx: made of other weights.* export .* --force"):
        forward_onnx.load(run)
    change(run, lambda model: model.ClearField("metadata_props"))
    with pytest.raises(RunError, match="made of other weights"):
        forward_onnx.load(run)


@pytest.mark.parametrize("content", [b"", b"not ONNX", b"\x08\x08" + bytes(100), b"....ORTM...."])
def test_a_damaged_file_is_one_clear_error(run: Path, content: bytes, capfd) -> None:
    (run / runs.ONNX).write_bytes(content)
    with pytest.raises(RunError, match=r"best\.onnx: ONNX Runtime cannot use it: .") as caught:
        forward_onnx.load(run)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_what_onnx_runtime_tries_again_it_does_not_announce(run: Path, capfd) -> None:
    content = (run / runs.ONNX).read_bytes()
    (run / runs.ONNX).write_bytes(content.replace(b"Conv", b"Co\xa2v"))
    with pytest.raises(RunError, match=r"best\.onnx: ONNX Runtime cannot use it: .|damaged"):
        forward_onnx.load(run)
    assert capfd.readouterr() == ("", "")


def test_a_truncated_file_is_one_clear_error(run: Path) -> None:
    path = run / runs.ONNX
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(RunError, match=r"best\.onnx: "):
        forward_onnx.load(run)


def test_a_missing_file_is_one_clear_error(run: Path) -> None:
    (run / runs.BEST_WEIGHTS).unlink()
    with pytest.raises(RunError, match=r"best\.weights\.h5: cannot be read: No such file"):
        forward_onnx.load(run)


def test_a_file_much_larger_than_the_weights_is_not_read(run: Path, monkeypatch) -> None:
    with (run / runs.ONNX).open("r+b") as stream:
        stream.truncate(2**40)
    monkeypatch.setattr(forward_onnx, "session", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(RunError, match=r"best\.onnx: expected at most 1\d,\d{3},\d{3} bytes"):
        forward_onnx.load(run)


def test_weights_in_other_files_are_refused(run: Path, monkeypatch) -> None:
    model = onnx.load(run / runs.ONNX)
    onnx.save(model, run / runs.ONNX, save_as_external_data=True, location="x", size_threshold=0)
    outside = (run / "x").rename(run.parent / "x")
    model = onnx.load(run / runs.ONNX, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = str(outside)
    (run / runs.ONNX).write_bytes(model.SerializeToString())
    monkeypatch.setattr(forward_onnx, "onnxruntime", lambda: pytest.fail("it was loaded"))
    with pytest.raises(RunError, match=r"expected all weights inside\. Received: another file's"):
        forward_onnx.load(run)


def integers(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    [last] = [node for node in model.graph.node if "output" in node.output]
    last.output[0] = "float"
    cast = onnx.helper.make_node("Cast", ["float"], ["output"], to=onnx.TensorProto.INT64)
    model.graph.node.append(cast)


def two_outputs(model: onnx.ModelProto) -> None:
    model.graph.output.append(onnx.helper.make_tensor_value_info("copy", 1, ["B", "H", "W", 3]))
    model.graph.node.append(onnx.helper.make_node("Identity", ["input"], ["copy"]))


def parts_of_other_kinds(model: onnx.ModelProto) -> None:
    for name in forward_onnx.PARTS:
        value = onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, [1])
        model.graph.output.append(value)
        node = onnx.helper.make_node("Constant", [], [name], value_ints=[1])
        model.graph.node.append(node)


def no_input(model: onnx.ModelProto) -> None:
    del model.graph.node[:], model.graph.input[:], model.graph.initializer[:]
    picture = onnx.numpy_helper.from_array(np.zeros((1, 4, 4, 3), np.float32))
    first = model.graph.output[0]
    model.graph.node.append(onnx.helper.make_node("Constant", [], [first.name], value=picture))
    model.graph.output.append(onnx.helper.make_tensor_value_info("copy", 1, [1, 4, 4, 3]))
    model.graph.node.append(onnx.helper.make_node("Identity", [first.name], ["copy"]))


@pytest.mark.parametrize("edit", [integers, two_outputs, parts_of_other_kinds, no_input])
def test_another_kind_of_network_is_refused(run: Path, edit) -> None:
    change(run, edit)
    with pytest.raises(RunError, match=r"expected a network from and to float32 \(B, H, W, C\)"):
        forward_onnx.load(run)


@pytest.mark.parametrize("value", ["", "0", "-1", "x", "1" * 5000, "00001" * 1000, "٣"])
def test_metadata_that_is_no_number_is_told(run: Path, value: str) -> None:
    def edit(model: onnx.ModelProto) -> None:
        [entry] = [e for e in model.metadata_props if e.key == "size_multiple"]
        entry.value = value

    change(run, edit)
    with pytest.raises(RunError, match="size_multiple: expected a number"):
        forward_onnx.load(run)


def test_what_fails_while_running_is_one_clear_error(run: Path, capfd) -> None:
    network = forward_onnx.load(run)
    for shape in ((1, 4, 4, 1), (1, 6, 6, 3)):
        with pytest.raises(RunError, match=r"best\.onnx: ONNX Runtime cannot use it: ") as caught:
            network.forward(np.zeros(shape, np.float32))
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_an_output_of_another_shape_is_told(run: Path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        [last] = [node for node in model.graph.node if "output" in node.output]
        last.output[0] = "whole"
        model.graph.node.append(onnx.helper.make_node("Concat", ["whole"] * 2, ["output"], axis=1))

    change(run, edit)
    with pytest.raises(RunError, match=r"\(1, 4, 8, 3\)\. Received: \(1, 8, 8, 3\)"):
        forward_onnx.load(run).forward(np.zeros((1, 4, 8, 3), np.float32))


LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from tidenhance import forward_onnx
network = forward_onnx.load(Path(sys.argv[1]))
picture = np.zeros((1, 2000, 2000, 3), np.float32)
resource.setrlimit(resource.RLIMIT_AS, (2**30, -1))
try:
    network.forward(picture)
except MemoryError:
    print("MemoryError")
"""


def test_too_little_memory_is_a_memory_error(run: Path) -> None:
    command = [sys.executable, "-c", LIMITED, run]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("MemoryError\n", "")


def test_it_is_preferred_where_there_is_a_file_and_no_gpu(run, tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(forward_onnx, "_NVIDIA_DRIVER", tmp_path / "none")
    assert forward_onnx.is_preferable(run)
    monkeypatch.setattr(forward_onnx, "_NVIDIA_DRIVER", tmp_path)
    assert not forward_onnx.is_preferable(run)
    for hidden in ("-1", ""):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert forward_onnx.is_preferable(run)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert not forward_onnx.is_preferable(run)
    monkeypatch.setattr(forward_onnx, "_NVIDIA_DRIVER", tmp_path / "none")
    (run / runs.ONNX).unlink()
    assert not forward_onnx.is_preferable(run)


ENHANCE = """
import sys
sys.argv[0] = "tidenhance"
import tidenhance.cli, tidenhance.forward_onnx
tidenhance.forward_onnx._NVIDIA_DRIVER = __import__("pathlib").Path("/none")
try:
    tidenhance.cli.main()
finally:
    heavy = {"tensorflow", "keras", "skimage", "scipy", "onnx", "tidenhance.config"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


def enhance(run: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ENHANCE, "enhance", *map(str, arguments), "--run", run]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_enhance_needs_no_tensorflow_and_gives_its_pixels(run, tmp_path, photograph) -> None:
    source = tmp_path / "x.png"
    Image.fromarray(photograph[100:197, 50:201]).save(source)
    ended = enhance(run, source, "--tile", 64, "--json")
    assert (ended.returncode, ended.stderr) == (0, "[]\n")
    target = tmp_path / "x_enhanced.png"
    assert json.loads(ended.stdout)["pictures"] == [{"input": str(source), "output": str(target)}]
    found = np.asarray(Image.open(target)).astype(int)

    (run / runs.ONNX).write_bytes(b"damaged")
    ended = enhance(run, source, "--tile", 64, "--force")
    assert (ended.returncode, ended.stdout) == (0, f"{target}\n")
    assert f"{run / runs.ONNX}: ONNX Runtime cannot use it" in ended.stderr
    assert "Using TensorFlow" in ended.stderr
    assert "'tensorflow'" in ended.stderr
    expected = np.asarray(Image.open(target)).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert np.abs(found - photograph[100:197, 50:201]).max() > 20
