"""Pictures that are made while a network trains: each follows from its number alone."""

from __future__ import annotations

import itertools
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tidenhance import images
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
    return Stream(stream.photographs(folder), **settings)  # type: ignore[arg-type]


def test_a_picture_follows_from_its_number_and_the_seed(folder: Path) -> None:
    [large] = (path for path in stream.photographs(folder) if path.name == "large.png")
    made, other_seed = (Stream((large,), (1, 16), (0, 5), seed) for seed in (3, 4))
    first, again, other, seed = (
        stream.make(*arguments) for arguments in ((made, 7), (made, 7), (made, 8), (other_seed, 7))
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first[1], other[1])
    assert not np.array_equal(first[1], seed[1])


def test_types_and_levels_are_those_asked_for(folder: Path) -> None:
    """Mean shift at level 5 takes 40 away; at level 0 nothing is done."""
    made = of(folder, types=(16,))
    differences = set()
    for number in range(12):
        distorted, pristine = stream.make(made, number)
        assert distorted.shape == pristine.shape == (384, 512, 3)
        changed = pristine >= 40
        differences |= set((pristine[changed].astype(int) - distorted[changed]).tolist())
    assert differences == {0, 40}


def test_a_picture_shows_a_part_of_the_photograph(folder: Path, photograph: np.ndarray) -> None:
    made = of(folder, levels=(0,))
    small = [n for n in range(64) if stream.photograph_of(made, n).name == "small.bmp"]
    assert 0 < len(small) < 64
    np.testing.assert_array_equal(stream.make(made, small[0])[1], photograph[:384])
    large = next(n for n in range(64) if n not in small)
    # Whichever part it is, it looks like a photograph: its neighbours are alike.
    part = stream.make(made, large)[1].astype(float)
    assert np.abs(np.diff(part, axis=1)).mean() < 0.2 * part.std()


def test_distorted_pictures_have_the_strength_of_whole_pictures(folder: Path) -> None:
    made = of(folder, types=(1,), levels=(5,))
    found = [psnrc(*reversed(stream.make(made, number))) for number in range(4)]
    assert found == pytest.approx([21.2] * 4, abs=0.5)  # the archive's mean


def test_windows_move_by_so_many_pictures_a_step(folder: Path) -> None:
    made = of(folder)
    options = {"pictures_per_step": 0.5, "size": 3, "processes": 1}
    six = list(itertools.islice(stream.windows(made, 0, **options), 6))
    expected = [stream.make(made, number)[0] for number in range(5)]
    for step, window in enumerate(six):
        assert len(window) == 3
        for place, (distorted, _) in enumerate(window):
            np.testing.assert_array_equal(distorted, expected[step // 2 + place])
    [later] = itertools.islice(stream.windows(made, 5, **options), 1)
    np.testing.assert_array_equal(later, six[5])


def test_batches_from_a_later_number_are_those_of_the_beginning(folder: Path) -> None:
    batches = pipeline.synthesised(
        of(folder),
        batch_size=2,
        patch_size=32,
        flips=True,
        rotations=True,
        pictures_per_step=1,
        window=4,
        processes=1,
    )
    whole = list(itertools.islice(batches(0).as_numpy_iterator(), 4))
    rest = list(itertools.islice(batches(2).as_numpy_iterator(), 2))
    for one, two in zip(whole[2:], rest, strict=True):
        for a, b in zip(one, two, strict=True):
            assert (a.dtype, a.shape) == (np.float32, (2, 32, 32, 3))
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_a_killed_process_is_told(folder: Path) -> None:
    windows = stream.windows(of(folder), 0, pictures_per_step=100, size=1, processes=1)
    next(windows)
    for worker in multiprocessing.active_children():
        worker.kill()
    with pytest.raises(TidenhanceError, match="was killed"):
        next(windows)


def test_photographs_that_do_not_do_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        stream.photographs(tmp_path / "none")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="expected photographs in it"):
        stream.photographs(tmp_path)
    images.write_rgb(tmp_path / "tiny.png", np.zeros((384, 511, 3), np.uint8))
    with pytest.raises(DataError, match=r"tiny.png: expected at least 512 x 384.*511 x 384"):
        stream.photographs(tmp_path)


@pytest.mark.parametrize(("patch_size", "rotations"), [(400, False), (None, True)])
def test_patches_that_do_not_fit_are_told(
    folder: Path, patch_size: int | None, rotations: bool
) -> None:
    with pytest.raises(DataError, match="at most 384"):
        pipeline.synthesised(
            of(folder),
            batch_size=1,
            patch_size=patch_size,
            rotations=rotations,
            pictures_per_step=1,
            window=1,
            processes=1,
        )
