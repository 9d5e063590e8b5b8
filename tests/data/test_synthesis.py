import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from tidenhance import workers
from tidenhance.data import distortions, sample
from tidenhance.data.datasets import tid2013
from tidenhance.data.synthesis import reference_pictures, synthesise
from tidenhance.errors import DataError, ImageError, UserInputError, WriteError
from tidenhance.files import replacing

SIZE = (64, 64)
CHEAP = {"types": [1, 6, 10, 16], "levels": [1, 5], "seed": 3}


def photograph(number, height=80, width=96):
    noise = np.random.default_rng(number).uniform(0, 255, (height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (3, 3, 0))
    return np.uint8(np.interp(smooth, (smooth.min(), smooth.max()), (5, 250)))


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    """Make a folder of 24 photographs of several formats, larger than needed."""
    folder = tmp_path_factory.mktemp("photographs")
    for number in range(24):
        ending = ("png", "bmp", "tif")[number % 3]
        Image.fromarray(photograph(number)).save(folder / f"photo{number:02d}.{ending}")
    (folder / ".DS_Store.png").write_bytes(b"no picture")
    (folder / "readme.txt").write_text("nor this")
    return folder


@pytest.fixture(scope="session")
def references(photographs):
    return list(reference_pictures(str(photographs), SIZE).values())[:3]


@pytest.fixture(scope="session")
def made(references, tmp_path_factory):
    """Make a small tree once; not to be changed."""
    root = tmp_path_factory.mktemp("made") / "deeper" / "tree"
    assert list(synthesise(references, root, workers=2, **CHEAP)) == [(n, 24) for n in range(25)]
    return root


@pytest.fixture
def tree(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "tree"))


def synthesised(references, root, **options):
    list(synthesise(references, root, **{"workers": 1} | CHEAP | options))


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


# The pictures to distort


def test_24_photographs_get_the_drawn_one_as_the_25th(photographs):
    pictures = reference_pictures(str(photographs), SIZE)
    assert [*pictures] == sorted(pictures, key=lambda name: (name == "drawn", name))
    assert len(pictures) == 25
    np.testing.assert_array_equal(pictures["drawn"], sample.drawn(*SIZE))
    # 96 x 80, cropped about its centre.
    np.testing.assert_array_equal(pictures["photo07.bmp"], photograph(7)[8:72, 16:80])
    # Of photographs of many megapixels no more is kept.
    assert pictures["photo07.bmp"].base is None


@pytest.mark.parametrize("count", [1, 23, 25])
def test_other_numbers_of_photographs_stay_as_they_are(tmp_path, count):
    for number in range(count):
        Image.fromarray(photograph(number)).save(tmp_path / f"{number}.png")
    assert "drawn" not in reference_pictures(str(tmp_path), SIZE)


def test_grey_and_palette_photographs_become_rgb(tmp_path):
    Image.fromarray(photograph(1)).convert("L").save(tmp_path / "grey.png")
    Image.fromarray(photograph(1)).quantize(16).save(tmp_path / "palette.png")
    pictures = reference_pictures(str(tmp_path), SIZE, types=[17, 19])
    assert {picture.shape for picture in pictures.values()} == {(64, 64, 3)}


def test_a_grey_photograph_is_not_for_a_change_of_saturation(tmp_path):
    Image.fromarray(photograph(1)).convert("L").save(tmp_path / "grey.png")
    nearly = np.repeat(photograph(2)[..., :1], 3, axis=-1)
    nearly[40, 40, 2] ^= 1
    Image.fromarray(nearly).save(tmp_path / "nearly.png")
    with pytest.raises(DataError) as caught:
        reference_pictures(str(tmp_path), SIZE)
    assert str(caught.value).splitlines() == [
        f"{tmp_path}:",
        "  grey.png: grey, which type 18 (change of colour saturation) does not change; leave the"
        " type out of --types, or the photograph",
    ]


def test_only_a_change_of_saturation_leaves_a_grey_picture_as_it_is():
    grey = np.repeat(photograph(1)[..., :1], 3, axis=-1)
    unchanged = [
        number
        for number, module in distortions.by_number().items()
        if np.array_equal(module.distort(grey, 1, np.random.default_rng(1)), grey)
    ]
    assert unchanged == [18]
    nearly = grey.copy()
    nearly[40, 40, 2] ^= 1
    saturated = distortions.by_number()[18].distort(nearly, 1, np.random.default_rng(1))
    assert not np.array_equal(saturated, nearly)


def test_sample_pictures_are_those_of_scikit_image_and_the_drawn_one():
    pictures = reference_pictures("sample")
    assert [*pictures] == [
        "astronaut",
        "coffee",
        "hubble_deep_field",
        "ihc",
        "motorcycle_left",
        "retina",
        "rocket",
        "drawn",
    ]
    assert {picture.shape for picture in pictures.values()} == {(384, 512, 3)}


@pytest.mark.parametrize("count", [0, 26])
def test_too_few_or_too_many_photographs(tmp_path, count):
    for number in range(count):
        Image.new("RGB", SIZE).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=f"expected 1 to 25 photographs. Received: {count}"):
        reference_pictures(str(tmp_path), SIZE)


def test_a_photograph_that_is_too_small_is_named(tmp_path):
    Image.new("RGB", (200, 63)).save(tmp_path / "flat.png")
    with pytest.raises(DataError) as caught:
        reference_pictures(str(tmp_path), SIZE)
    assert str(caught.value) == (
        f"{tmp_path / 'flat.png'}: expected at least 64 x 64. Received: 200 x 63."
    )
    with pytest.raises(DataError, match=r"astronaut: .* Received: 512 x 512\."):
        reference_pictures("sample", (513, 384))


def test_photographs_that_are_the_same_are_named(tmp_path):
    wider = np.pad(photograph(1), ((8, 8), (0, 0), (0, 0)))
    Image.fromarray(photograph(2)).save(tmp_path / "bridge.png")
    for name, pixels in (("a.png", photograph(1)), ("b.bmp", photograph(1)), ("c.png", wider)):
        Image.fromarray(pixels).save(tmp_path / name)
    with pytest.raises(DataError) as caught:
        reference_pictures(str(tmp_path), SIZE)
    assert str(caught.value).splitlines() == [
        f"{tmp_path}:",
        "  b.bmp: the same picture as a.png; leave one of them out",
        "  c.png: the same picture as a.png; leave one of them out",
    ]


def test_a_size_that_is_too_small():
    with pytest.raises(DataError, match=r"at least 64 x 64.* Received: 512 x 63"):
        reference_pictures("sample", (512, 63))


def test_a_damaged_photograph_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.png"):
        reference_pictures(str(tmp_path), SIZE)


@pytest.mark.parametrize("name", ["absent", "file"])
def test_no_folder_of_photographs(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="or the word 'sample'") as caught:
        reference_pictures(str(tmp_path / name), SIZE)
    assert str(tmp_path / name) in str(caught.value)


# The tree


def test_layout_and_names_are_tid2013_s(made):
    assert {path.name for path in made.iterdir()} == {
        "reference_images",
        "distorted_images",
        "metrics_values",
        "synthesis.json",
    }
    assert {path.name for path in (made / "reference_images").iterdir()} == {
        "I01.BMP",
        "I02.BMP",
        "I03.BMP",
    }
    assert {path.name for path in (made / "distorted_images").iterdir()} == {
        f"i0{number}_{kind:02d}_{level}.bmp"
        for number in (1, 2, 3)
        for kind in (1, 6, 10, 16)
        for level in (1, 5)
    }
    for path in made.rglob("*.[bB][mM][pP]"):
        with Image.open(path) as picture:
            assert (picture.format, picture.mode, picture.size) == ("BMP", "RGB", SIZE)


def test_references_are_written_as_they_are(made, references):
    for number, pixels in enumerate(references, start=1):
        with Image.open(made / "reference_images" / f"I0{number}.BMP") as picture:
            np.testing.assert_array_equal(np.asarray(picture), pixels)


def test_a_type_by_hand(made, references):
    # Type 16 at level 5 is a mean shift of -40.
    with Image.open(made / "distorted_images" / "i02_16_5.bmp") as picture:
        expected = np.maximum(references[1].astype(int) - 40, 0)
        np.testing.assert_array_equal(np.asarray(picture), expected)


def test_psnrc_file_agrees_with_scikit_image_in_order_and_value(made, references):
    lines = (made / "metrics_values" / "PSNRc.txt").read_text().splitlines()
    expected = []
    for number in (1, 2, 3):
        for kind in (1, 6, 10, 16):
            for level in (1, 5):
                name = f"i0{number}_{kind:02d}_{level}.bmp"
                with Image.open(made / "distorted_images" / name) as picture:
                    distorted = np.asarray(picture)
                expected.append(
                    peak_signal_noise_ratio(references[number - 1], distorted, data_range=255)
                )
    assert [float(line) for line in lines] == pytest.approx(expected, abs=1e-5)


def test_loads_as_tid2013(made):
    pairs = tid2013.load(
        root=str(made),
        types=CHEAP["types"],
        levels=CHEAP["levels"],
        splits=tid2013.Splits(train=[1], val=[2], test=[3]),
    )
    assert [len(some) for some in pairs.values()] == [8, 8, 8]


def test_the_25th_reference_is_in_lower_case(photographs, tmp_path):
    pictures = reference_pictures(str(photographs), SIZE)
    synthesised([*pictures.values()], tmp_path, types=[16], levels=[5])
    names = {path.name for path in (tmp_path / "reference_images").iterdir()}
    assert names == {*(f"I{n:02d}.BMP" for n in range(1, 25)), "i25.bmp"}
    assert [*map(len, tid2013.load(root=str(tmp_path), types=[16]).values())] == [15, 5, 5]


def test_number_of_workers_changes_nothing(made, references, tmp_path):
    synthesised(references, tmp_path / "tree", workers=1)
    assert contents(tmp_path / "tree") == contents(made)


def test_seed_and_place_change_the_noise(made, references, tmp_path):
    synthesised([references[0]] * 2, tmp_path, types=[1], levels=[5], seed=4)
    pictures = contents(tmp_path / "distorted_images")
    assert pictures["i01_01_5.bmp"] != pictures["i02_01_5.bmp"]
    assert pictures["i01_01_5.bmp"] != contents(made / "distorted_images")["i01_01_5.bmp"]


def test_goes_on_where_it_ended(made, tree, references):
    gone = ["i01_01_5.bmp", "i03_16_1.bmp"]
    for name in gone:
        (tree / "distorted_images" / name).unlink()
    (tree / "metrics_values" / "PSNRc.txt").unlink()
    kept = {path: path.stat().st_mtime_ns for path in (tree / "distorted_images").iterdir()}
    assert list(synthesise(references, tree, workers=1, **CHEAP)) == [(22, 24), (23, 24), (24, 24)]
    assert contents(tree) == contents(made)
    assert all(path.stat().st_mtime_ns == time_before for path, time_before in kept.items())


def test_a_damaged_picture_is_named_and_made_again_once_it_is_gone(made, tree, references):
    path = tree / "distorted_images" / "i01_01_5.bmp"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ImageError, match=r"i01_01_5\.bmp.*Remove it: data synth, told its type"):
        list(synthesise(references, tree, workers=1, **CHEAP))
    path.unlink()
    list(synthesise(references, tree, workers=1, **CHEAP))
    assert contents(tree) == contents(made)


def test_adds_types_and_levels_to_a_tree(made, tmp_path, references):
    synthesised(references, tmp_path, types=[16, 10], levels=[5])
    synthesised(references, tmp_path, types=[1, 6], levels=[1, 5])
    synthesised(references, tmp_path, types=[10, 16], levels=[1])
    assert contents(tmp_path) == contents(made)


def test_removes_what_a_killed_call_left_unfinished(made, tree, references):
    left = []
    for path in (
        tree / "synthesis.json",
        tree / "reference_images" / "I02.BMP",
        tree / "distorted_images" / "i01_10_5.bmp",
        tree / "metrics_values" / "PSNRc.txt",
    ):
        with contextlib.suppress(WriteError), replacing(path) as temporary:
            left.append(temporary)
            temporary.rename(path.with_name("kept"))
        path.with_name("kept").rename(temporary)
    assert all(path.exists() for path in left)
    synthesised(references, tree)
    assert contents(tree) == contents(made)


def test_goes_on_where_even_the_record_is_missing(made, tmp_path, references):
    with contextlib.suppress(WriteError), replacing(tmp_path / "synthesis.json") as temporary:
        temporary.rename(tmp_path / "kept")
    (tmp_path / "kept").rename(temporary)
    synthesised(references, tmp_path)
    assert contents(tmp_path) == contents(made)


def test_a_second_call_at_once_is_refused(made, references, tmp_path):
    first = synthesise(references, tmp_path, workers=1, **CHEAP)
    next(first)
    unfinished = tmp_path / "distorted_images" / ".unfinished-of-the-first.bmp"
    unfinished.touch()
    before = contents(tmp_path)
    with pytest.raises(DataError) as caught:
        synthesised(references, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: another process is writing there. Wait for it, or give another --out."
    )
    assert contents(tmp_path) == before
    unfinished.unlink()
    list(first)
    assert contents(tmp_path) == contents(made)


def test_a_lock_that_a_killed_call_has_left_is_taken_over(made, references, tmp_path):
    (tmp_path / ".lock").touch()
    synthesised(references, tmp_path)
    assert contents(tmp_path) == contents(made)


def test_a_tree_that_cannot_be_locked_is_one_error(references, tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(WriteError, match=r"\.lock: cannot be written: Is a directory"):
        synthesised(references, tmp_path)


def test_refuses_other_references_and_another_seed(made, tree, references):
    with pytest.raises(DataError, match=r"made with the seed 3\. Received: 4"):
        synthesised(references, tree, seed=4)
    for others in (references[:2], references[::-1], [p[:, :63] for p in references]):
        with pytest.raises(DataError, match="made from other references"):
            synthesised(others, tree)
    assert contents(tree) == contents(made)


@pytest.mark.parametrize("record", ["", "[]", '{"seed": ', "\0", "[" * 100_000])
def test_refuses_a_record_that_is_none(tree, references, record):
    (tree / "synthesis.json").write_text(record)
    with pytest.raises(DataError, match=r"synthesis\.json"):
        synthesised(references, tree)


def test_refuses_a_folder_of_something_else(tmp_path, references):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(DataError, match="expected an empty or new folder"):
        synthesised(references, tmp_path)
    a_file = r"thesis\.tex: expected a folder\. Received: a file\."
    with pytest.raises(UserInputError, match=a_file):
        synthesised(references, tmp_path / "thesis.tex")
    with pytest.raises(UserInputError, match=a_file):
        synthesised(references, tmp_path / "thesis.tex" / "tree")
    assert contents(tmp_path) == {"thesis.tex": b"precious"}


def test_a_picture_that_has_become_another_is_named(tree, references):
    path = tree / "distorted_images" / "i02_10_1.bmp"
    with Image.open(path) as picture:
        smaller = picture.resize((32, 48))
    smaller.save(path)
    told = (
        f"{path}: expected 64 x 64. Received: 32 x 48. Remove it: data synth, told its type and"
        " level, makes it again."
    )
    with pytest.raises(ImageError, match=re.escape(told)):
        synthesised(references, tree)


def test_a_failure_in_a_worker_is_one_error(made, tree, references):
    path = tree / "distorted_images" / "i02_10_1.bmp"
    path.unlink()
    path.mkdir()
    with pytest.raises(WriteError, match=re.escape(f"{path}: cannot be written: Is a directory")):
        synthesised(references, tree)
    path.rmdir()
    assert not [*tree.rglob(".*")]
    synthesised(references, tree)
    assert contents(tree) == contents(made)


def test_interrupt_while_workers_start_is_not_lost(monkeypatch, references, tmp_path):
    class Pool(workers.ProcessPoolExecutor):
        def submit(self, *arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return super().submit(*arguments)

    monkeypatch.setattr(workers, "ProcessPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        synthesised(references, tmp_path)


# The command, from outside


def command(photographs, out, *options):
    return [
        *(sys.executable, "-m", "tidenhance", "data", "synth", "--references", str(photographs)),
        *("--out", str(out), "--size", "64x64", "--workers", "2", *options),
    ]


def start(*arguments):
    return subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def session(number):
    """Return the command lines of a session's living processes, by process number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with contextlib.suppress(OSError):
            state, _, _, its_session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == number and state != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_text()
    return found


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def wait_for_pictures(process, root, count=6):
    def enough():
        assert process.poll() is None
        return len([*root.glob("distorted_images/i*.bmp")]) >= count

    wait_until(enough)


def test_a_grey_photograph_is_for_the_types_that_change_it(tmp_path):
    (tmp_path / "photographs").mkdir()
    Image.fromarray(photograph(1)).convert("L").save(tmp_path / "photographs" / "grey.png")
    root = tmp_path / "tree"
    for types, code in (("16,18", 2), ("16", 0)):
        process = subprocess.run(
            command(tmp_path / "photographs", root, "--types", types, "--levels", "5"),
            capture_output=True,
            text=True,
        )
        assert process.returncode == code, process.stderr
        assert root.exists() == (code == 0)


on_linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
# Reconstruction from samples, the slowest type: there is time to interrupt it.
SLOW = ("--types", "24", "--levels", "3-5")


@pytest.fixture(scope="session")
def uninterrupted(photographs, tmp_path_factory):
    root = tmp_path_factory.mktemp("uninterrupted") / "tree"
    process = subprocess.run(command(photographs, root, *SLOW), capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"75 distorted pictures of 25 references in {root}\n"
    return root


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize("interrupts", [1, 2, None])
def test_an_interrupted_command_goes_on(photographs, uninterrupted, tmp_path, interrupts):
    process = start(photographs, tmp_path, *SLOW)
    wait_for_pictures(process, tmp_path)
    if interrupts:
        for _ in range(interrupts):
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            time.sleep(0.001)
    else:
        process.kill()
    _, errors = process.communicate(timeout=30)
    assert process.returncode not in (0, 2)
    assert "Traceback" not in errors
    wait_until(lambda: not session(process.pid))
    unfinished = contents(tmp_path)
    assert len([*tmp_path.glob("distorted_images/i*.bmp")]) < 40
    for name, data in unfinished.items():
        if not Path(name).name.startswith("."):
            assert data == contents(uninterrupted)[name]

    again = subprocess.run(command(photographs, tmp_path, *SLOW), capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert contents(tmp_path) == contents(uninterrupted)


def workers_of(process):
    return [number for number, line in session(process.pid).items() if "spawn_main" in line]


@on_linux
@pytest.mark.slow
def test_workers_leave_ctrl_c_to_the_command(photographs, uninterrupted, tmp_path):
    process = start(photographs, tmp_path, *SLOW)
    for count in (0, 6, 12):
        wait_for_pictures(process, tmp_path, count)
        wait_until(lambda: len(workers_of(process)) == 2)
        for worker in workers_of(process):
            os.kill(worker, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert contents(tmp_path) == contents(uninterrupted)


@on_linux
@pytest.mark.slow
def test_a_killed_worker_is_one_error(photographs, tmp_path):
    process = start(photographs, tmp_path, *SLOW)
    wait_for_pictures(process, tmp_path)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.startswith("error: A worker process was killed")
    assert len(errors.splitlines()) == 1
    wait_until(lambda: not session(process.pid))


@on_linux
@pytest.mark.slow
def test_a_full_disk_is_one_error(tmp_path):
    (tmp_path / "photographs").mkdir()
    Image.fromarray(photograph(1, 256, 256)).save(tmp_path / "photographs" / "photo.png")
    root = tmp_path / "tree"
    process = subprocess.run(
        command(tmp_path / "photographs", root, "--size", "256x256"),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert process.returncode == 1
    assert process.stdout == ""
    path = root / "reference_images" / "I01.BMP"
    assert process.stderr.startswith(f"error: {path}: cannot be written: File too large")
    assert len(process.stderr.splitlines()) == 1
    assert [*contents(root)] == ["synthesis.json"]
