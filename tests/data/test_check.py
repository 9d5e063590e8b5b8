import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tidenhance.data.check import check
from tidenhance.data.synthesis import synthesise
from tidenhance.errors import DataError

GREY = 100
LEVELS = range(1, 6)
TYPES = range(1, 25)


def write(path, value, size=(6, 4)):
    Image.new("RGB", size, (value,) * 3).save(path)


def shift(number, kind, level):
    """Return how much brighter than its reference a picture is."""
    return 10 * level + kind % 3 + number % 2


def make_tree(root, references=range(1, 26), types=TYPES, levels=LEVELS):
    """Write flat pictures whose difference from their references is known."""
    root.mkdir(exist_ok=True)
    (root / "synthesis.json").write_text("{}")  # as where they are not of TID2013's size
    for folder in ("reference_images", "distorted_images"):
        (root / folder).mkdir(parents=True)
    for number in references:
        name = f"I{number:02d}.BMP" if number < 25 else "i25.bmp"
        write(root / "reference_images" / name, GREY + number)
        for kind, level in itertools.product(types, levels):
            name = f"i{number:02d}_{kind:02d}_{level}.bmp"
            name = name.upper() if (number + kind) % 7 == 0 else name
            write(root / "distorted_images" / name, GREY + number + shift(number, kind, level))
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Make a tree of all 3,025 pictures; not to be changed."""
    return make_tree(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def tree(tmp_path):
    """Make a tree of 2 references, 3 types and all levels."""
    return make_tree(tmp_path / "tree", references=(1, 25), types=(1, 2, 3))


def problems(root):
    """Return what is wrong beside what the small tree lacks on purpose."""
    return [
        line
        for line in check(root)["problems"]
        if not line.endswith("missing") or line.startswith("distorted_images/")
    ]


def psnr(difference):
    return 20 * math.log10(255 / abs(difference))


def test_a_whole_tree_has_no_problems(whole):
    calls = []
    found = check(whole, lambda done, total: calls.append((done, total)))
    assert calls == [(n, 25) for n in range(26)]
    assert found["problems"] == []
    assert found["root"] == str(whole)
    assert (found["references"], found["distorted"]) == (25, 3000)
    assert found["sizes"] == {"6 x 4": 3025}
    assert found["pairs"] == {"train": 360, "val": 120, "test": 120}
    splits = {"train": range(1, 16), "val": range(21, 26), "test": range(16, 21)}
    for split, numbers in splits.items():
        differences = [shift(number, kind, 5) for number in numbers for kind in TYPES]
        expected = np.mean([(difference / 255) ** 2 for difference in differences])
        assert found["identity_mse"][split] == pytest.approx(expected)
    for kind in TYPES:
        for level in LEVELS:
            values = [psnr(shift(number, kind, level)) for number in range(1, 16)]
            measured = found["psnrc"][str(kind)]["mean"][level - 1]
            assert measured == pytest.approx(np.mean(values))


def test_the_archive_s_values_stand_beside(whole):
    found = check(whole)
    # The means over i01 to i15 in the authors' PSNRc.txt, and the MSE that follows from it.
    assert found["psnrc"]["1"]["archive"] == [33.1, 30.1, 27.1, 24.1, 21.2]
    assert found["psnrc"]["24"]["archive"] == [33.0, 30.0, 27.0, 24.0, 21.0]
    assert found["psnrc"]["10"]["name"].startswith("JPEG")
    archive = {"train": 0.00914, "val": 0.00967, "test": 0.00902}
    assert found["identity_mse_of_the_archive"] == archive


def test_a_missing_reference_is_one_line(tmp_path):
    make_tree(tmp_path, references=range(1, 9), levels=[5])
    found = check(tmp_path)
    assert found["problems"] == [
        *(f"reference_images/i{number:02d}.bmp: missing" for number in range(9, 26)),
        *(f"distorted_images: all 192 of level {level} missing" for level in range(1, 5)),
    ]
    assert found["pairs"] == {"train": 192, "val": 0, "test": 0}
    assert found["identity_mse"]["val"] is None
    assert found["psnrc"]["7"]["mean"][:4] == [None] * 4


def test_what_is_missing_as_a_whole_is_counted_and_the_rest_named(tmp_path):
    make_tree(tmp_path, types=[1, 2, 3, 4], levels=[4, 5])
    for name in (
        "i02_03_5.bmp",
        "i06_02_4.bmp",
        *(f"i05_{t:02d}_{n}.bmp" for t in TYPES for n in LEVELS),
    ):
        for path in (
            tmp_path / "distorted_images" / name,
            tmp_path / "distorted_images" / name.upper(),
        ):
            path.unlink(missing_ok=True)
    for path in (tmp_path / "distorted_images").glob("?*_04_5.*"):
        path.unlink()
    assert check(tmp_path)["problems"] == [
        "distorted_images: all 120 of reference 5 missing",
        *(f"distorted_images: all 576 of level {level} missing" for level in (1, 2, 3)),
        *(f"distorted_images: all 48 of type {kind} missing" for kind in range(5, 25)),
        "distorted_images: all 24 of type 4, level 5 missing",
        "distorted_images/i02_03_5.bmp: missing",
        "distorted_images/i06_02_4.bmp: missing",
    ]


def test_single_missing_files_are_named(tree):
    for name in ("i01_01_1.bmp", "i25_01_5.bmp"):
        (tree / "distorted_images" / name).unlink()
    assert problems(tree) == [
        "distorted_images/i01_01_1.bmp: missing",
        "distorted_images/i25_01_5.bmp: missing",
    ]


def test_what_does_not_belong_is_named(tree):
    write(tree / "distorted_images" / "i01_25_1.bmp", GREY)
    write(tree / "distorted_images" / "i01_01_6.bmp", GREY)
    (tree / "reference_images" / "notes.txt").write_bytes(b"")
    for folder in ("reference_images", "distorted_images"):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
            (tree / folder / name).write_bytes(b"hidden, or a system's own")
        (tree / folder / ".a1b2c3d4.i01_01_1.bmp").write_bytes(b"unfinished")
    assert problems(tree) == [
        "reference_images/notes.txt: not part of TID2013",
        "distorted_images/i01_01_6.bmp: not part of TID2013",
        "distorted_images/i01_25_1.bmp: not part of TID2013",
    ]
    assert check(tree)["distorted"] == 32


def test_a_distorted_picture_of_a_missing_reference_belongs(tree):
    (tree / "reference_images" / "i25.bmp").unlink()
    assert problems(tree) == []
    assert check(tree)["pairs"] == {"train": 3, "val": 0, "test": 0}


def test_colliding_names_are_listed(tree):
    write(tree / "distorted_images" / "I01_01_1.BMP", GREY)
    write(tree / "reference_images" / "i01.bmp", GREY)
    assert problems(tree) == [
        "reference_images: only one expected of: I01.BMP, i01.bmp",
        "distorted_images: only one expected of: I01_01_1.BMP, i01_01_1.bmp",
    ]


def test_names_of_others_do_not_reach_the_terminal_raw(tree):
    for name in ("x\x1b[31m\n1.txt", "X\x1b[31m\n1.TXT"):
        (tree / "distorted_images" / name).write_bytes(b"")
    found = problems(tree)
    assert r"distorted_images: only one expected of: X\x1b[31m\n1.TXT, x\x1b[31m\n1.txt" in found
    assert all(line.isprintable() for line in found)


def test_folders_of_any_case(tree):
    (tree / "reference_images").rename(tree / "Reference_Images")
    (tree / "distorted_images").rename(tree / "DISTORTED_IMAGES")
    found = check(tree)
    assert (found["references"], found["distorted"]) == (2, 30)
    assert found["pairs"] == {"train": 3, "val": 3, "test": 0}


def test_damaged_pictures_are_named(tree):
    distorted = tree / "distorted_images"
    (distorted / "i01_01_2.bmp").write_bytes((distorted / "i01_01_1.bmp").read_bytes()[:-9])
    (distorted / "i01_01_3.bmp").write_bytes(b"no picture")
    Image.new("L", (6, 4)).save(distorted / "i01_01_4.bmp")
    lines = problems(tree)
    assert len(lines) == 3
    for level, reason in zip((2, 3, 4), ("truncated", "expected a picture", "mode L"), strict=True):
        assert lines[level - 2].startswith(str(distorted / f"i01_01_{level}.bmp"))
        assert reason in lines[level - 2]
    assert check(tree)["pairs"] == {"train": 3, "val": 3, "test": 0}


def test_what_is_no_file_is_named(tree):
    made = {
        "i01_01_1.bmp": (lambda path: path.mkdir(), "Received: a folder"),
        "i01_01_2.bmp": (os.mkfifo, "Received: a pipe or a device"),
        "i01_01_3.bmp": (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        "i01_01_4.bmp": (
            lambda path: path.symlink_to("none"),
            "a link to a file that is not there",
        ),
        "i01_01_5.bmp": (Path.touch, "an empty file"),
    }
    for name, (make, _) in made.items():
        (tree / "distorted_images" / name).unlink()
        make(tree / "distorted_images" / name)
    lines = problems(tree)
    assert len(lines) == len(made)
    for line, (name, (_, reason)) in zip(lines, made.items(), strict=True):
        assert line.startswith(f"{tree}/distorted_images/{name}: ")
        assert reason in line


def test_a_damaged_reference_is_one_line(tree):
    (tree / "reference_images" / "i25.bmp").write_bytes(b"no picture")
    (line,) = problems(tree)
    assert line.startswith(str(tree / "reference_images" / "i25.bmp"))


def test_references_that_are_the_same_are_named(tree):
    for name in ("I07.BMP", "I09.BMP"):
        write(tree / "reference_images" / name, GREY + 1)
    write(tree / "reference_images" / "I11.BMP", GREY + 1, size=(4, 6))
    folder = tree / "reference_images"
    assert [line for line in problems(tree) if "all 120 of" not in line] == [
        f"{folder / 'I07.BMP'}: the same picture as I01.BMP",
        f"{folder / 'I09.BMP'}: the same picture as I01.BMP",
        "pictures of several sizes: 6 x 4, 4 x 6",
    ]


def test_other_sizes_are_named(tree):
    write(tree / "distorted_images" / "i01_01_5.bmp", GREY, size=(4, 6))
    found = check(tree)
    assert found["sizes"] == {"6 x 4": 31, "4 x 6": 1}
    assert problems(tree) == [
        f"{tree / 'distorted_images' / 'i01_01_5.bmp'}: expected the size of its reference"
        " I01.BMP, 6 x 4. Received: 4 x 6.",
        "pictures of several sizes: 6 x 4, 4 x 6",
    ]
    assert found["pairs"]["train"] == 2


def test_an_undistorted_picture_is_named_and_counts_as_no_error(tree):
    write(tree / "distorted_images" / "i01_01_5.bmp", GREY + 1)
    found = check(tree)
    assert problems(tree) == [
        f"{tree / 'distorted_images' / 'i01_01_5.bmp'}: the same as its reference I01.BMP"
    ]
    rest = [(shift(1, kind, 5) / 255) ** 2 for kind in (2, 3)]
    assert found["identity_mse"]["train"] == pytest.approx(sum(rest) / 3)
    assert found["psnrc"]["1"]["mean"][4] is None
    json.dumps(found, allow_nan=False)


LISTED = "metrics_values/PSNRc.txt"


def list_psnr(root, references=range(1, 26), types=TYPES, levels=LEVELS):
    """Write what TID2013 has: one PSNR a line, in the order reference, type, level."""
    keys = itertools.product(references, types, levels)
    (root / LISTED).parent.mkdir(exist_ok=True)
    (root / LISTED).write_text("".join(f"{psnr(shift(*key)):.5f}\n" for key in keys))


@pytest.fixture(params=["the whole archive", "what is there"])
def listed_tree(request, tree):
    selected = {"references": (1, 25), "types": (1, 2, 3)}
    list_psnr(tree, **selected if request.param == "what is there" else {})
    return tree


def exchange(folder, name, other):
    (folder / name).rename(folder / "kept")
    (folder / other).rename(folder / name)
    (folder / "kept").rename(folder / other)


def test_pictures_of_the_listed_psnr_are_no_problem(listed_tree):
    assert problems(listed_tree) == []
    assert check(listed_tree)["compared"] == 30


def test_exchanged_pictures_differ_from_the_listed_psnr(listed_tree):
    folder = listed_tree / "distorted_images"
    exchange(folder, "i01_01_2.bmp", "i25_02_4.bmp")
    # References differ in brightness by 24.
    values = {"i01_01_2.bmp": (43 + 24, 22), "i25_02_4.bmp": (22 - 24, 43)}
    assert problems(listed_tree) == [
        f"{folder / name}: PSNR {psnr(found):.2f} dB, where {LISTED} has {psnr(listed):.2f} dB"
        for name, (found, listed) in values.items()
    ]


def test_a_damaged_interior_differs_from_the_listed_psnr(listed_tree):
    path = listed_tree / "distorted_images" / "i01_02_3.bmp"
    with Image.open(path) as picture:
        damaged = picture.copy()
    damaged.putpixel((2, 2), (0, 0, 0))
    damaged.save(path)
    (line,) = problems(listed_tree)
    assert line.startswith(f"{path}: PSNR ")


def test_a_listed_psnr_that_is_no_number_is_not_the_pictures(listed_tree):
    lines = (listed_tree / LISTED).read_text().splitlines()
    (listed_tree / LISTED).write_text("\n".join(["nan", *lines[1:]]))
    (line,) = problems(listed_tree)
    assert line.endswith(f"where {LISTED} has nan dB")


def test_many_that_differ_are_counted(listed_tree):
    write(listed_tree / "reference_images" / "I01.BMP", GREY + 6)
    lines = problems(listed_tree)
    assert len(lines) == 11
    assert all("I01_" in line.upper() and f"where {LISTED} has" in line for line in lines[:10])
    assert lines[10] == f"… and 5 more whose PSNR differs from {LISTED}"


def test_up_to_a_tenth_of_a_decibel_is_no_difference(tree):
    list_psnr(tree)
    lines = [float(line) for line in (tree / LISTED).read_text().split()]
    for offset, count in ((0.09, 0), (-0.09, 0), (0.11, 11), (-0.11, 11)):
        (tree / LISTED).write_text("\n".join(str(value + offset) for value in lines))
        assert len(problems(tree)) == count


def test_an_undistorted_picture_is_named_once_whatever_is_listed(listed_tree):
    path = listed_tree / "distorted_images" / "i01_01_5.bmp"
    write(path, GREY + 1)
    assert problems(listed_tree) == [f"{path}: the same as its reference I01.BMP"]
    values = (listed_tree / LISTED).read_text().split()
    values[4] = "inf"
    (listed_tree / LISTED).write_text("\r\n".join(values))
    assert problems(listed_tree) == [f"{path}: the same as its reference I01.BMP"]
    write(path, GREY + 1 + shift(1, 1, 5))
    (line,) = problems(listed_tree)
    assert line.endswith(f"where {LISTED} has inf dB")


def test_listed_values_in_folders_of_any_case(listed_tree):
    (listed_tree / LISTED).rename(listed_tree / "metrics_values" / "PSNRC.TXT")
    (listed_tree / "metrics_values").rename(listed_tree / "Metrics_Values")
    write(listed_tree / "distorted_images" / "i01_01_5.bmp", GREY)
    assert len(problems(listed_tree)) == 1


@pytest.mark.parametrize(
    "make",
    [
        Path.unlink,
        lambda path: path.write_text("33.1\n" * 29),
        lambda path: path.write_text("33,1\n" * 30),
        lambda path: path.write_bytes(b"\xff\n" * 30),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.parent.rmdir(), path.parent.touch()),
    ],
)
def test_values_that_cannot_be_used_are_no_problem(tree, make):
    list_psnr(tree)
    make(tree / LISTED)
    assert problems(tree) == []
    assert check(tree)["compared"] == 0


def test_other_sizes_than_tid2013_s_are_a_problem_but_for_what_was_made_here(tree):
    assert problems(tree) == []
    (tree / "synthesis.json").unlink()
    assert problems(tree) == ["expected pictures of 512 x 384, as TID2013's. Received: 6 x 4."]


def test_pictures_of_tid2013_s_size_need_no_record(tmp_path):
    for name, value in (("reference_images/I01.BMP", 90), ("distorted_images/i01_01_5.bmp", 99)):
        (tmp_path / name).parent.mkdir()
        write(tmp_path / name, value, size=(512, 384))
    assert all(line.endswith("missing") for line in check(tmp_path)["problems"])


def test_no_such_folder(tmp_path):
    with pytest.raises(DataError, match=r"ponomarenko\.info"):
        check(tmp_path / "absent")
    make_tree(tmp_path / "inside", references=[1], types=[1], levels=[1])
    with pytest.raises(DataError, match=r"Did you mean '.*inside'"):
        check(tmp_path)


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tidenhance", "data", "check", *map(str, arguments)],
        capture_output=True,
        text=True,
    )


def test_a_synthesised_tree_from_the_command_line(tmp_path):
    random = np.random.default_rng(1)
    references = [np.uint8(random.integers(40, 216, (64, 64, 3))) for _ in range(2)]
    list(synthesise(references, tmp_path, types=[16], levels=[4, 5], seed=1, workers=1))
    process = command(tmp_path, "--json")
    assert process.returncode == 2
    assert process.stderr == ""
    found = json.loads(process.stdout)
    # Mean shift: +30 at level 4 and -40 at level 5, nothing clipped.
    assert found["psnrc"]["16"]["mean"][3:] == pytest.approx([psnr(30), psnr(40)])
    assert found["identity_mse"] == {
        "train": pytest.approx((40 / 255) ** 2),
        "val": None,
        "test": None,
    }
    assert found["pairs"] == {"train": 2, "val": 0, "test": 0}
    assert len(found["problems"]) == 23 + 3 + 23


def test_a_whole_tree_from_the_command_line(whole):
    process = command(whole)
    assert process.returncode == 0
    assert process.stderr == ""
    assert "25 references, 3000 distorted; 3025 of 6 x 4" in process.stdout
    assert process.stdout.endswith("0 problems\n")
