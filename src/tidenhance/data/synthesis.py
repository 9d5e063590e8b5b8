"""Make a tree in TID2013's layout from pristine photographs."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tidenhance import images
from tidenhance.data import distortions, sample
from tidenhance.data.calibration import psnrc
from tidenhance.data.datasets import tid2013
from tidenhance.errors import DataError
from tidenhance.files import write_text

Pixels = NDArray[np.uint8]

SIZE = (512, 384)
RECORD = "synthesis.json"
PSNRC_FILE = Path("metrics_values") / "PSNRc.txt"


@dataclass(frozen=True)
class Task:
    """One distorted picture to make."""

    root: Path
    seed: int
    reference: int
    type: int
    level: int

    @property
    def name(self) -> str:
        """The distorted picture's name."""
        return tid2013.distorted_name(self.reference, self.type, self.level)


def reference_pictures(source: str, size: tuple[int, int] = SIZE) -> dict[str, Pixels]:
    """Return pristine pictures by name, sorted, each cropped about its centre to `size`.

    Args:
        source: a folder of photographs, or `sample` for those inside scikit-image and the drawn
            picture. To 24 photographs from a folder the drawn picture is added as the 25th.
        size: width and height in pixels.

    Raises:
        DataError: the folder is missing or empty, holds more than 25 pictures, or a picture is
            smaller than `size`.
        ImageError: a picture cannot be read.
    """
    drawn = {"drawn": sample.drawn(*size)}
    if source == "sample":
        return {n: _crop(p, size, n) for n, p in sorted(sample.photographs().items())} | drawn
    folder = Path(source)
    if not folder.is_dir():
        raise DataError(f"{source}: expected a folder of photographs, or the word 'sample'.")
    paths = sorted(p for p in folder.iterdir() if images.is_picture_name(p))
    if not 1 <= len(paths) <= len(tid2013.REFERENCES):
        raise DataError(f"{source}: expected 1 to 25 photographs. Received: {len(paths)}.")
    pictures = {
        path.name: _crop(images.read_picture(path).pixels, size, str(path)) for path in paths
    }
    return pictures | drawn if len(pictures) == len(tid2013.REFERENCES) - 1 else pictures


def synthesise(
    references: Sequence[Pixels],
    root: Path,
    *,
    types: Sequence[int],
    levels: Sequence[int],
    seed: int,
    workers: int,
) -> Iterator[tuple[int, int]]:
    """Write references, distorted pictures and PSNRc.txt; yield (pictures made, pictures in all).

    What is there already from an earlier call with the same references and seed is kept. A picture
    depends on its reference, type, level and the seed, not on the number of workers.

    Args:
        references: uint8 (H, W, 3) each; the first becomes I01.
        root: the tree's folder, made if missing.
        types: numbers of distortion types.
        levels: levels, 1 to 5.
        seed: what all random choices follow from.
        workers: processes.

    Raises:
        DataError: `root` holds something else.
        WriteError: a file cannot be written.
    """
    _claim(root, references, seed)
    for folder in (tid2013.REFERENCE_FOLDER, tid2013.DISTORTED_FOLDER, PSNRC_FILE.parent):
        (root / folder).mkdir(exist_ok=True)
    for number, pixels in enumerate(references, start=1):
        images.write_rgb(_reference_path(root, number), pixels)
    tasks = [
        Task(root, seed, reference, distortion, level)
        for reference in range(1, len(references) + 1)
        for distortion in sorted(set(types))
        for level in sorted(set(levels))
    ]
    missing = [task for task in tasks if not _distorted_path(task).exists()]
    done = len(tasks) - len(missing)
    yield done, len(tasks)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        try:
            for future in as_completed([pool.submit(_make, task) for task in missing]):
                future.result()
                done += 1
                yield done, len(tasks)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _write_psnrc(root, len(references))


def _crop(pixels: Pixels, size: tuple[int, int], name: str) -> Pixels:
    width, height = size
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    if top < 0 or left < 0:
        raise DataError(
            f"{name}: expected at least {width} x {height}."
            f" Received: {pixels.shape[1]} x {pixels.shape[0]}."
        )
    return pixels[top : top + height, left : left + width]


def _claim(root: Path, references: Sequence[Pixels], seed: int) -> None:
    """Note what the tree is made of, or make sure that it is made of the same."""
    digests = [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in references]
    record = {"seed": seed, "references_sha256": digests}
    path = root / RECORD
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != record:
            raise DataError(
                f"{root}: holds pictures made from other references or with another seed"
                f" (see {path.name}). Give another --out."
            )
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root}: expected an empty or new folder, or one made by data synth.")
    else:
        root.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(record, indent=2) + "\n")


def _make(task: Task) -> None:
    random = np.random.default_rng([task.seed, task.reference, task.type, task.level])
    reference = _read_reference(_reference_path(task.root, task.reference))
    distorted = distortions.by_number()[task.type].distort(reference, task.level, random)
    images.write_rgb(_distorted_path(task), distorted)


_read_reference = lru_cache(maxsize=1)(images.read_rgb)


def _write_psnrc(root: Path, references: int) -> None:
    """Write PSNRc of every distorted picture, in the order reference, type, level, as TID2013."""
    lines = []
    for number in range(1, references + 1):
        reference = images.read_rgb(_reference_path(root, number))
        name = tid2013.reference_name(number)
        for path in sorted((root / tid2013.DISTORTED_FOLDER).glob(f"{name}_*.bmp")):
            lines.append(f"{psnrc(reference, images.read_rgb(path)):.5f}\n")
    write_text(root / PSNRC_FILE, "".join(lines))


def _reference_path(root: Path, number: int) -> Path:
    # The archive's own spelling: upper case, but for the last.
    name = f"{tid2013.reference_name(number)}.bmp"
    name = name if number == len(tid2013.REFERENCES) else name.upper()
    return root / tid2013.REFERENCE_FOLDER / name


def _distorted_path(task: Task) -> Path:
    return task.root / tid2013.DISTORTED_FOLDER / f"{task.name}.bmp"
