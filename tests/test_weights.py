"""Weights are saved completely, and only a network's own are loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tidenhance import weights
from tidenhance.errors import RunError, WriteError
from tidenhance.networks import plain_cnn


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    first, second = plain_cnn.build(channels=[4]), plain_cnn.build(channels=[4])
    weights.save(first, tmp_path / "a.weights.h5")
    weights.load(second, tmp_path / "a.weights.h5")
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, path = plain_cnn.build(channels=[4]), tmp_path / "a.weights.h5"
    weights.save(network, path)
    before = path.read_bytes()

    def write_half(target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(network, "save_weights", write_half)
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


def test_a_truncated_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    weights.save(plain_cnn.build(channels=[4]), path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(RunError, match=r"a\.weights\.h5"):
        weights.load(plain_cnn.build(channels=[4]), path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        weights.load(plain_cnn.build(channels=[4]), tmp_path / "a.weights.h5")
