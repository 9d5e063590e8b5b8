"""Pictures that are made while a network trains: each follows from its number alone."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tidenhance import images, workers
from tidenhance.config import Augmentation
from tidenhance.data import pipeline, stream
from tidenhance.data.calibration import psnrc
from tidenhance.data.stream import Stream
from tidenhance.errors import DataError, TidenhanceError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photograph: np.ndarray) -> Path:
    """Two photographs of other sizes than the pictures'."""
    folder = tmp_path_factory.mktemp("photographs")
    large = Image.fromarray(photograph).resize((1200, 900))
    images.write_rgb(folder / "large.png", np.asarray(large))
    images.write_rgb(folder / "small.bmp", photograph[:384])
    return folder


def of(folder: Path, **options: object) -> Stream:
    settings = {"types": (1, 16), "levels": (0, 5), "seed": 3} | options
    paths = tuple(path for path, _ in stream.photographs(folder))
    return Stream(paths, **settings)  # type: ignore[arg-type]


@pytest.fixture
def executor() -> Iterator[ProcessPoolExecutor]:
    made = workers.executor(1)
    yield made
    workers.end(made)


def make(made: Stream, number: int) -> tuple[np.ndarray, np.ndarray]:
    return stream.make(made, number, images.read_picture(made.photograph(number)).pixels)


def test_a_picture_follows_from_its_number_and_the_seed(folder: Path) -> None:
    [large] = (path for path, _ in stream.photographs(folder) if path.name == "large.png")
    made, other_seed = (Stream((large,), (1, 16), (0, 5), seed) for seed in (3, 4))
    first, again, other, seed = (
        make(*arguments) for arguments in ((made, 7), (made, 7), (made, 8), (other_seed, 7))
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[1], other[1])
    assert not np.array_equal(first[1], seed[1])


def test_types_and_levels_are_those_asked_for_and_described(folder: Path) -> None:
    """Mean shift at level 5 takes 40 away; at level 0 nothing is done."""
    made = of(folder, types=(16,))
    for number in range(12):
        distorted, pristine = make(made, number)
        assert distorted.shape == pristine.shape == (384, 512, 3)
        changed = pristine >= 40
        [difference] = set((pristine[changed].astype(int) - distorted[changed]).tolist())
        assert f"(type 16, level {difference // 8})" in made.describe(number)
    levels = [made.distortion(number)[1] for number in range(12)]
    assert set(levels) == {0, 5}


def test_types_are_as_likely_as_asked_for(folder: Path) -> None:
    made = of(folder, types=(1, 16, 5), probabilities=(0.75, 0.25, 0.0))
    types = [made.distortion(number)[0] for number in range(400)]
    # Within five standard deviations.
    assert types.count(1) / 400 == pytest.approx(0.75, abs=0.11)
    assert types.count(5) == 0


def test_a_picture_shows_a_part_of_the_photograph(folder: Path, photograph: np.ndarray) -> None:
    made = of(folder, levels=(0,))
    small = [n for n in range(64) if made.photograph(n).name == "small.bmp"]
    assert 0 < len(small) < 64
    assert all(made.photograph(n) == made.photograph(n - n % 8) for n in range(64))
    np.testing.assert_array_equal(make(made, small[0])[1], photograph[:384])
    # Of a ramp, what is shown tells where it is from: as wide to high as 4 to 3, and inside.
    y, x = np.mgrid[0:900, 0:1200]
    ramp = np.stack([x / 1200, y / 900, np.zeros_like(x)], axis=-1)
    for number in range(8):
        part = stream.make(made, number, images.to_uint8(ramp))[1].astype(float)
        left, right = part[:, 0, 0].mean() / 255 * 1200, part[:, -1, 0].mean() / 255 * 1200
        top, bottom = part[0, :, 1].mean() / 255 * 900, part[-1, :, 1].mean() / 255 * 900
        assert right - left >= 0.95 * 512
        assert (right - left) / (bottom - top) == pytest.approx(4 / 3, abs=0.05)


def test_pristine_pictures_are_raised_to_powers(folder: Path) -> None:
    plain, raised = of(folder, types=(16,)), of(folder, types=(16,), gamma=1.5)
    powers = []
    for number in range(12):
        distorted, after = make(raised, number)
        before = make(plain, number)[1] / 255
        tones = (before > 0.1) & (before < 0.9)
        found = np.log(after[tones] / 255) / np.log(before[tones])
        powers.append(float(np.median(found)))
        # Of pictures that are rounded to 256 tones, before and after.
        np.testing.assert_allclose(after / 255, before ** powers[-1], atol=0.02)
        # What is distorted is the raised one.
        shift = 40 if raised.distortion(number)[1] else 0
        np.testing.assert_array_equal(distorted, after - np.minimum(after, shift))
    assert all(1 / 1.51 < power < 1.51 for power in powers)
    assert min(powers) < 0.85
    assert max(powers) > 1.2
    brightened = make(raised, powers.index(min(powers)))[1]
    # Raised tone by tone, dark tones would lie apart.
    assert np.bincount(brightened.ravel(), minlength=256)[20:60].all()


def test_distorted_pictures_have_the_strength_of_whole_pictures(folder: Path) -> None:
    made = of(folder, types=(1,), levels=(5,))
    found = [psnrc(*reversed(make(made, number))) for number in range(4)]
    assert found == pytest.approx([21.2] * 4, abs=0.5)  # the archive's mean


def test_windows_move_by_so_many_pictures_a_step(
    folder: Path, executor: ProcessPoolExecutor
) -> None:
    made = of(folder)
    options = {"pictures_per_step": 1.5, "size": 3}
    six = list(itertools.islice(stream.windows(made, 0, executor, **options), 6))
    expected = [make(made, number)[0] for number in range(10)]
    for step, window in enumerate(six):
        assert len(window) == 3
        for place, (distorted, _) in enumerate(window):
            np.testing.assert_array_equal(distorted, expected[step * 3 // 2 + place])
    [later] = itertools.islice(stream.windows(made, 5, executor, **options), 1)
    np.testing.assert_array_equal(later, six[5])


def test_batches_from_a_later_number_are_those_of_the_beginning(
    folder: Path, executor: ProcessPoolExecutor
) -> None:
    batches = pipeline.synthesised(
        of(folder),
        executor,
        batch_size=2,
        patch_size=32,
        augmentation=Augmentation(flips=True, rotations=True),
        pictures_per_step=1,
        window=4,
    )
    whole = list(itertools.islice(batches(0).as_numpy_iterator(), 4))
    rest = list(itertools.islice(batches(2).as_numpy_iterator(), 2))
    for one, two in zip(whole[2:], rest, strict=True):
        for a, b in zip(one, two, strict=True):
            assert (a.dtype, a.shape) == (np.float32, (2, 32, 32, 3))
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_a_killed_process_is_told(folder: Path) -> None:
    """Whether the pool has noticed already, or notices while the pictures are waited for."""
    for wait in (0.0, 2.0):
        pool = workers.executor(1)
        windows = stream.windows(of(folder), 0, pool, pictures_per_step=100, size=1)
        next(windows)
        for process in list(pool._processes.values()):
            process.kill()
        time.sleep(wait)
        with pytest.raises(TidenhanceError, match="was killed"):
            next(windows)
        workers.end(pool)


def test_processes_outlive_sigterm_and_end_when_told(folder: Path) -> None:
    pool = workers.executor(1, ignore_terminate=True)
    windows = stream.windows(of(folder), 0, pool, pictures_per_step=100, size=1)
    next(windows)
    [process] = pool._processes.values()
    process.terminate()
    next(windows)
    workers.end(pool)
    assert process.exitcode == -signal.SIGKILL


def test_processes_end_in_the_middle_of_a_result() -> None:
    """What they have sent of it is some of a hundred megabytes, and nobody sends the rest."""
    for wait in (0.0, 0.02, 0.05, 0.1):
        pool = workers.executor(1)
        assert len(pool.submit(bytes, 1).result()) == 1
        for _ in range(4):
            pool.submit(bytes, 10**8)
        time.sleep(wait)
        ending = threading.Thread(target=workers.end, args=(pool,), daemon=True)
        ending.start()
        ending.join(60)
        assert not ending.is_alive()


def test_photographs_that_do_not_do_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        list(stream.photographs(tmp_path / "none"))
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="expected photographs in it"):
        list(stream.photographs(tmp_path))
    images.write_rgb(tmp_path / "tiny.png", np.zeros((384, 511, 3), np.uint8))
    with pytest.raises(DataError, match=r"tiny.png: expected at least 512 x 384.*511 x 384"):
        list(stream.photographs(tmp_path))


@pytest.mark.parametrize(
    ("patch_size", "later", "rotations", "named"),
    [
        (400, {}, False, "patch_size"),
        (128, {4: 512}, False, "later_patch_sizes"),
        (None, {}, True, "patch_size"),
    ],
)
def test_patches_that_do_not_fit_are_told(
    folder: Path,
    executor: ProcessPoolExecutor,
    patch_size: int | None,
    later: dict[int, int],
    rotations: bool,
    named: str,
) -> None:
    with pytest.raises(DataError, match=rf"training\.{named}: expected at most 384"):
        pipeline.synthesised(
            of(folder),
            executor,
            batch_size=1,
            patch_size=patch_size,
            later_patch_sizes=later,
            augmentation=Augmentation(rotations=rotations),
            pictures_per_step=1,
            window=1,
        )
