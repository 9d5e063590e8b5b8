import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tidenhance.data.pairs import (
    Pair,
    files_in,
    index_by_name,
    raise_problems,
    read,
    shared,
    size_of,
)
from tidenhance.errors import DataError, ImageError


def picture(height, width, value=0):
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def pair(tmp_path):
    Image.fromarray(picture(6, 8, 10)).save(tmp_path / "noisy.bmp")
    Image.fromarray(picture(6, 8, 200)).save(tmp_path / "clean.bmp")
    return Pair("noisy", tmp_path / "noisy.bmp", tmp_path / "clean.bmp", "clean")


def test_reads_distorted_then_reference(pair):
    distorted, reference = read(pair)
    assert distorted.dtype == reference.dtype == np.uint8
    assert distorted.shape == reference.shape == (6, 8, 3)
    assert np.unique(distorted).tolist() == [10]
    assert np.unique(reference).tolist() == [200]


def test_refuses_two_sizes(pair):
    Image.fromarray(picture(8, 6)).save(pair.distorted)
    with pytest.raises(DataError) as caught:
        read(pair)
    message = str(caught.value)
    assert str(pair.distorted) in message
    assert "its reference clean.bmp, 8 x 6. Received: 6 x 8." in message


NOISY = np.linspace(-0.5, 1.5, 24).astype(np.float16).reshape(4, 6, 1)
CLEAN = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)


def test_pictures_in_memory_are_given_as_they_are():
    distorted, reference = read(Pair("noisy", NOISY, CLEAN, "clean"))
    assert distorted is NOISY
    assert reference is CLEAN


def test_one_picture_may_be_in_memory_and_the_other_in_a_file(pair):
    noisy = np.full((6, 8, 3), 1.5, np.float32)
    distorted, reference = read(Pair("noisy", noisy, pair.reference, "clean"))
    assert distorted is noisy
    assert np.unique(reference).tolist() == [200]


def test_two_sizes_in_memory_name_the_pair():
    with pytest.raises(DataError) as caught:
        read(Pair("noisy7", NOISY, CLEAN.swapaxes(0, 1), "digit 5"))
    assert str(caught.value) == (
        "noisy7: expected the size of its reference digit 5, 4 x 6, grey. Received: 6 x 4, grey."
    )


def test_in_errors_a_pair_is_where_its_distorted_picture_is(pair):
    assert pair.place == str(pair.distorted)
    assert Pair("a", Path("b\nc.png"), Path("d.png"), "d").place == r"b\nc.png"
    assert Pair("noisy7", NOISY, CLEAN, "digit 5").place == "noisy7"


def deepen(path):
    """Make the picture one of 16 bits a channel, which Pillow reads as if it had 8."""
    tifffile.imwrite(path, np.zeros((6, 8, 3), np.uint16), photometric="rgb")


def replace(path, make):
    path.unlink()
    make(path)


def bomb(path):
    """Let the file declare 30,000 x 30,000 pixels; a BMP says so in its bytes 18 to 25."""
    content = path.read_bytes()
    path.write_bytes(content[:18] + struct.pack("<ii", 30_000, 30_000) + content[26:])


@pytest.mark.parametrize("which", ["distorted", "reference"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "truncated"),
        (lambda path: path.write_bytes(b"GIF, or so it says"), "expected a picture"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: Image.new("L", (8, 6)).save(path), "expected 8-bit RGB. Received: mode L"),
        (lambda path: path.unlink(), "no such file"),
        (deepen, "expected 8-bit RGB. Received: mode RGB, more than 8 bits a channel"),
        (lambda path: Image.new("I;16", (8, 6)).save(path, "TIFF"), "Received: mode I;16"),
        (lambda path: replace(path, Path.mkdir), "Received: a folder"),
        (lambda path: replace(path, os.mkfifo), "Received: a pipe or a device"),
        (lambda path: replace(path, lambda p: p.symlink_to(p)), "Too many levels of symbolic"),
        (lambda path: replace(path, lambda p: p.symlink_to("no")), "a link to a file that is not"),
        (bomb, "expected at most 178,956,970 pixels"),
    ],
)
def test_names_the_file_at_fault(pair, which, damage, reason):
    path = getattr(pair, which)
    damage(path)
    with pytest.raises(ImageError, match=re.escape(str(path))) as caught:
        read(pair)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()


def test_shared_names_references_in_two_splits_or_twice_in_one():
    splits = {"train": ["a", "b", "c"], "val": ["b", "d", "d"], "test": ["e"]}
    assert shared(splits) == ["b", "d"]


def test_index_ignores_case_and_hidden_files(tmp_path):
    for name in ("I04_11_1.BMP", "i04_11_1.bmp", "i25.bmp", ".DS_Store", "._i25.bmp"):
        (tmp_path / name).touch()
    assert {
        name: [path.name for path in paths] for name, paths in index_by_name(tmp_path).items()
    } == {
        "i04_11_1.bmp": ["I04_11_1.BMP", "i04_11_1.bmp"],
        "i25.bmp": ["i25.bmp"],
    }


def test_what_systems_leave_in_folders_is_not_listed(tmp_path):
    for name in (".DS_Store", "._a.png", "Thumbs.db", "THUMBS.DB", "desktop.ini", "Desktop.ini"):
        (tmp_path / name).touch()
    (tmp_path / "Thumbs.db.png").touch()
    assert files_in(tmp_path) == [tmp_path / "Thumbs.db.png"]


def test_listing_what_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "circle").symlink_to("circle")
    for path, reason in (
        (tmp_path / "absent", "no such folder"),
        (tmp_path / "file", "Received: a file"),
        (tmp_path / "file" / "inside", "Received: a file"),
        (tmp_path / "circle", "cannot be listed: Too many levels of symbolic links"),
        (tmp_path / "line\nbreak", r"line\\nbreak: no such folder"),
        (Path("nul\0"), "cannot be listed"),
    ):
        with pytest.raises(DataError, match=reason):
            files_in(path)


def test_a_folder_that_one_may_not_read(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir(mode=0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    user = os.geteuid()
    os.seteuid(user or 65534)  # root may read everything
    try:
        with pytest.raises(DataError, match="folder: cannot be listed: Permission denied"):
            files_in(Path("folder"))
    finally:
        os.seteuid(user)


def test_problems_take_a_line_each_whatever_the_names():
    with pytest.raises(DataError) as caught:
        raise_problems(Path("he\nre"), ["a\nb.png: missing"])
    assert str(caught.value) == "he\\nre:\n  a\\nb.png: missing"


def test_problems_are_listed_up_to_a_number():
    raise_problems(Path("here"), [])
    with pytest.raises(DataError) as caught:
        raise_problems(Path("here"), (f"problem {n}" for n in range(5)), most=3)
    assert str(caught.value).splitlines() == [
        "here:",
        "  problem 0",
        "  problem 1",
        "  problem 2",
        "  … and 2 more",
    ]


def test_size_has_the_width_first():
    assert size_of(picture(384, 512)) == "512 x 384"
