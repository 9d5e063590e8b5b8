"""Weights are saved completely, and only a network's own are loaded."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tidenhance import config, files, runs, weights
from tidenhance.errors import RunError, WriteError
from tidenhance.networks import _colour_transform, colour_transform, nafnet, plain_cnn


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    first, second = plain_cnn.build(channels=[4]), plain_cnn.build(channels=[4])
    weights.save(first, tmp_path / "a.weights.h5")
    weights.load(second, tmp_path / "a.weights.h5")
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]


def test_weights_that_are_replaced_while_they_are_loaded_are_not_taken_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = config.load(config.find("quickstart"), ["network={name: residual_cnn, channels: 4}"])
    (tmp_path / runs.CONFIG).write_text(config.dump(loaded))
    path = tmp_path / runs.BEST_WEIGHTS
    weights.save(weights.build_network(loaded), path)
    *_, digest = weights.trained_network_and_digest(tmp_path)
    assert digest == files.sha256(path)
    real = weights.load

    def load_late(*arguments: Any) -> None:
        real(*arguments)
        weights.save(weights.build_network(loaded), path)

    monkeypatch.setattr(weights, "load", load_late)
    with pytest.raises(RunError, match="just replaced; try again"):
        weights.trained_network_and_digest(tmp_path)


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, path = plain_cnn.build(channels=[4]), tmp_path / "a.weights.h5"
    weights.save(network, path)
    before = path.read_bytes()

    def write_half(_: keras.Model, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save_weights", write_half)
    with pytest.raises(WriteError, match="No space left"):
        weights.save(network, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.weights.h5"]


def test_anothers_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    weights.save(plain_cnn.build(channels=[4]), path)
    with pytest.raises(RunError, match=r"a\.weights\.h5: not the weights of this plain_cnn"):
        weights.load(plain_cnn.build(channels=[8]), path)
    with pytest.raises(RunError, match=r"a\.weights\.h5"):
        weights.load(plain_cnn.build(channels=[4, 4]), path)


@pytest.mark.parametrize("content", [b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"a\.weights\.h5"):
        weights.load(plain_cnn.build(channels=[4]), path)


def test_what_h5py_raises_inside_itself_is_said_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise SystemError("<cyfunction> returned a result with an exception set")

    path = tmp_path / "a.weights.h5"
    weights.save(plain_cnn.build(channels=[4]), path)
    monkeypatch.setattr(weights, "check_arrays", fail)
    with pytest.raises(RunError, match=r"a\.weights\.h5: not the weights of this .*: damaged"):
        weights.load(plain_cnn.build(channels=[4]), path)


def test_a_truncated_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    weights.save(plain_cnn.build(channels=[4]), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(RunError, match=r"a\.weights\.h5"):
        weights.load(plain_cnn.build(channels=[4]), path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        weights.load(plain_cnn.build(channels=[4]), tmp_path / "a.weights.h5")


def test_the_optimisers_state_is_not_among_the_weights(tmp_path: Path) -> None:
    network, path = plain_cnn.build(channels=[4]), tmp_path / "a.weights.h5"
    network.compile(optimizer="adam", loss="mse")
    network.optimizer.build(network.trainable_variables)
    weights.save(network, path)
    weights.load(network, path)
    weights.load(plain_cnn.build(channels=[4]), path)
    plain_cnn.build(channels=[4]).load_weights(path)


def a_nafnet_and_its_parts() -> tuple[keras.Model, keras.Model, keras.Model]:
    """All with random weights, also where a new network's are zeros."""
    parts = nafnet.build(width=4), colour_transform.build()
    for seed, part in enumerate(parts):
        random = np.random.default_rng(seed)
        for variable in part.weights:
            variable.assign(random.normal(0, 0.1, variable.shape))
    return nafnet.build(width=4, colour_transform=True), *parts


def test_a_network_starts_from_its_parts(tmp_path: Path) -> None:
    whole, body, transform = a_nafnet_and_its_parts()
    paths = [tmp_path / "body.weights.h5", tmp_path / "transform.weights.h5"]
    weights.save(body, paths[0])
    weights.save(transform, paths[1])
    assert weights.load_initial(whole, paths) == []
    picture = np.random.default_rng(2).random((1, 32, 48, 3), np.float32)
    before, numbers = _colour_transform.parts(whole)(picture)
    np.testing.assert_allclose(before, body(picture), atol=1e-5)
    expected = _colour_transform.parts(transform)(picture)[1]
    np.testing.assert_allclose(numbers, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.1


def test_layers_that_no_file_holds_stay(tmp_path: Path) -> None:
    whole, body, _ = a_nafnet_and_its_parts()
    weights.save(body, tmp_path / "body.weights.h5")
    assert weights.load_initial(whole, [tmp_path / "body.weights.h5"]) == [
        *("colour_conv2d", "colour_conv2d_1", "colour_conv2d_2"),
        *("colour_dense", "colour_dense_1", "colour_dense_2"),
    ]
    picture = np.random.default_rng(2).random((1, 32, 48, 3), np.float32)
    np.testing.assert_allclose(whole(picture), body(picture), atol=1e-5)


def test_what_has_no_place_is_refused(tmp_path: Path) -> None:
    whole, body, _ = a_nafnet_and_its_parts()
    path, before = tmp_path / "a.weights.h5", whole.get_weights()
    weights.save(body, path)

    def refused(*paths: Path) -> str:
        with pytest.raises(RunError) as error:
            weights.load_initial(whole, paths)
        assert str(error.value).startswith(f"{paths[0]}: ")
        return str(error.value)

    assert refused(path, path).endswith(
        "layers/channel_scale/vars/0 is in an earlier one of the initial weights."
    )
    assert refused(tmp_path / "b") == f"{tmp_path / 'b'}: no such file."
    weights.save(nafnet.build(width=8), path)
    assert "expected layers/channel_scale/vars/0 of shape (4,). Received: (8,)" in refused(path)
    weights.save(keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]), path)
    assert "it has no layers/dense/vars/0" in refused(path)
    weights.save(body, path)
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d/vars/1"]
    assert refused(path).endswith("layers/conv2d/vars/1 is missing")
    with h5py.File(path, "w"):
        pass
    assert refused(path).endswith("it holds no arrays")
    path.write_bytes(b"not HDF5")
    refused(path)
    # Finite as float64 only.
    weights.save(body, path)
    with h5py.File(path, "r+") as file:
        del file["layers/conv2d/vars/1"]
        file["layers/conv2d/vars/1"] = np.full(4, 1e300)
    assert refused(path).endswith("layers/conv2d/vars/1 is not finite")
    for a, b in zip(whole.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


LIMITED = """
import resource, sys
from pathlib import Path
from tidenhance import weights
from tidenhance.errors import WriteError
from tidenhance.networks import plain_cnn
network = plain_cnn.build(channels=[32])
for limit in (0, 100, 3000, 8000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, -1))
    try:
        weights.save(network, Path(sys.argv[1]))
    except WriteError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_full_disk_does_not_crash_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0
    assert done.stdout == 4 * f"{path}: cannot be written: File too large.\n"
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def edited(path: Path) -> h5py.File:
    """The weights of a network with one layer of 4 channels, to be changed."""
    weights.save(plain_cnn.build(channels=[4]), path)
    return h5py.File(path, "r+")


KERNEL = "layers/conv2d/vars/0"


def announce_a_terabyte(file: h5py.File, _: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (2**19, 2**19), "f4", chunks=(1024, 1024), compression="gzip")


def add_a_terabyte(file: h5py.File, _: Path) -> None:
    file.create_dataset("more", (2**38,), "f4", chunks=True, compression="gzip")


def link_to_another_file(file: h5py.File, folder: Path) -> None:
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = file[KERNEL][()]
    del file[KERNEL]
    file[KERNEL] = h5py.ExternalLink("other.h5", "x")


def link_within_the_file(file: h5py.File, _: Path) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/layers/conv2d_1/vars/0")


def keep_the_bytes_elsewhere(file: h5py.File, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_bytes(bytes(10_000))
    shape = file[KERNEL].shape
    del file[KERNEL]
    file.create_dataset(KERNEL, shape, "f4", external=[(str(secret), 0, 10_000)])


def make_it_virtual(file: h5py.File, folder: Path) -> None:
    shape = file[KERNEL].shape
    del file[KERNEL]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource(str(folder / "other.h5"), "x", shape)
    file.create_virtual_dataset(KERNEL, layout)


def put_objects(file: h5py.File, _: Path) -> None:
    shape = file[KERNEL].shape
    del file[KERNEL]
    file.create_dataset(KERNEL, shape, h5py.string_dtype())


def use_another_shape(file: h5py.File, _: Path) -> None:
    kernel = file[KERNEL][()]
    del file[KERNEL]
    file[KERNEL] = kernel.reshape(-1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (announce_a_terabyte, r"arrays of shape"),
        (add_a_terabyte, r"arrays of shape"),
        (link_to_another_file, "is a link"),
        (link_within_the_file, "is a link"),
        (keep_the_bytes_elsewhere, "lies in other files"),
        (make_it_virtual, "lies in other files"),
        (put_objects, "holds object in place of numbers"),
        (use_another_shape, "arrays of shape"),
    ],
)
def test_a_strangers_file_is_refused_before_it_is_read(
    tmp_path: Path,
    damage: Callable[[h5py.File, Path], None],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keras.utils.clear_session()
    path = tmp_path / "a.weights.h5"
    with edited(path) as file:
        damage(file, tmp_path)
    network = plain_cnn.build(channels=[4])
    monkeypatch.setattr(keras.Model, "load_weights", lambda *_: pytest.fail("it was read"))
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("it was read"))
    with pytest.raises(RunError, match=rf"a\.weights\.h5: not the weights.*{message}"):
        weights.load(network, path)
    message = message.replace("arrays of shape", r"(of shape|it has no)")
    with pytest.raises(RunError, match=rf"a\.weights\.h5: not the weights of a part.*{message}"):
        weights.load_initial(network, [path])


def test_a_whole_model_with_code_in_it_is_refused(tmp_path: Path) -> None:
    """A .keras archive with a Lambda layer, whose code Keras would run, under the weights' name."""
    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs))
    model.save(tmp_path / "a.keras")
    path = (tmp_path / "a.keras").rename(tmp_path / "a.weights.h5")
    with pytest.raises(RunError, match=r"a\.weights\.h5: not the weights"):
        weights.load(plain_cnn.build(channels=[4]), path)


class Malicious:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("pwned"),)


def test_a_pickle_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.weights.h5"
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(RunError, match=r"a\.weights\.h5: not the weights"):
        weights.load(plain_cnn.build(channels=[4]), path)
    with edited(path) as file:
        del file[KERNEL]
        file[KERNEL] = np.void(pickle.dumps(Malicious()))
    with pytest.raises(RunError, match="in place of numbers"):
        weights.load(plain_cnn.build(channels=[4]), path)
    assert not Path("pwned").exists()


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """A relu at a network's end would hide them."""
    network, path = plain_cnn.build(channels=[4]), tmp_path / "a.weights.h5"
    network.layers[1].kernel.assign(np.full(network.layers[1].kernel.shape, np.nan))
    weights.save(network, path)
    with pytest.raises(RunError, match=r"a\.weights\.h5: .*kernel is not finite"):
        weights.load(network, path)
