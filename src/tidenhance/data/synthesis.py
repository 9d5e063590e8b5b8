"""Make a tree in TID2013's layout from pristine photographs."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Generator, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tidenhance import images
from tidenhance import workers as workers_module
from tidenhance.data import distortions, sample
from tidenhance.data.calibration import psnrc
from tidenhance.data.datasets import tid2013
from tidenhance.data.distortions import saturation_change
from tidenhance.data.pairs import files_in, raise_problems, size_of
from tidenhance.errors import DataError, ImageError, TidenhanceError, printable
from tidenhance.files import lock, make_folder, remove_unfinished, write_error, write_text
from tidenhance.images import Pixels

SMALLEST_SIDE = 64
RECORD = "synthesis.json"
LOCK = ".lock"
FOLDERS = (tid2013.REFERENCE_FOLDER, tid2013.DISTORTED_FOLDER, tid2013.METRICS_FOLDER)


@dataclass(frozen=True)
class Task:
    """One distorted picture to make."""

    root: Path
    seed: int
    reference: int
    type: int
    level: int


def reference_pictures(
    source: str, size: tuple[int, int] = tid2013.SIZE, types: Collection[int] = tid2013.TYPES
) -> dict[str, Pixels]:
    """Return pristine pictures by name, sorted, each cropped about its centre to `size`.

    Args:
        source: a folder of photographs, or `sample` for those inside scikit-image and the drawn
            picture. To 24 photographs from a folder the drawn picture is added as the 25th.
        size: width and height in pixels, at least 64.
        types: numbers of the distortion types that the pictures are for.

    Raises:
        DataError: the folder is missing or empty, holds more than 25 pictures, a picture is
            smaller than `size`, two are the same once cropped, one is grey where saturation is to
            be changed, or `size` is too small.
        ImageError: a picture cannot be read.
    """
    if min(size) < SMALLEST_SIDE:
        raise DataError(
            f"Expected a size of at least {SMALLEST_SIDE} x {SMALLEST_SIDE}, since some"
            f" distortions work in blocks. Received: {size[0]} x {size[1]}."
        )
    if source == "sample":
        photographs = {n: _crop(p, size, n) for n, p in sorted(sample.photographs().items())}
        return photographs | {"drawn": sample.drawn(*size)}
    try:
        paths = [path for path in files_in(Path(source)) if images.is_picture_name(path)]
    except DataError as error:
        raise DataError(f"{error} Expected photographs in it, or the word 'sample'.") from error
    if not 1 <= len(paths) <= len(tid2013.REFERENCES):
        raise DataError(
            f"{printable(source)}: expected 1 to 25 photographs. Received: {len(paths)}."
        )
    pictures = {
        path.name: _crop(images.read_photograph(path), size, printable(path)) for path in paths
    }
    if len(pictures) == len(tid2013.REFERENCES) - 1:
        pictures["drawn"] = sample.drawn(*size)
    raise_problems(Path(source), [*_equal(pictures), *_unchanged(pictures, types)])
    return pictures


def synthesise(
    references: Sequence[Pixels],
    root: Path,
    *,
    types: Sequence[int],
    levels: Sequence[int],
    seed: int,
    workers: int,
) -> Generator[tuple[int, int], None, None]:
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
        UserInputError: `root`, or what it is in, is a file.
        DataError: `root` holds something else, or another process is writing there.
        ImageError: a picture that is there already is damaged, or of another size.
        WriteError: a file cannot be written.
        TidenhanceError: a worker process was killed.
    """
    make_folder(root)
    with _locked(root):
        _claim(root, references, seed)
        for folder in FOLDERS:
            make_folder(root / folder)
        for part in ("", *FOLDERS):
            remove_unfinished(root / part)
        for number, pixels in enumerate(references, start=1):
            images.write_rgb(_reference_path(root, number), pixels)
        tasks = [
            Task(root, seed, reference, distortion, level)
            for reference in range(1, len(references) + 1)
            for distortion in sorted(set(types))
            for level in sorted(set(levels))
        ]
        missing = [task for task in tasks if not _distorted_path(task).is_file()]
        done = len(tasks) - len(missing)
        yield done, len(tasks)
        for _ in _make_all(missing, workers):
            done += 1
            yield done, len(tasks)
        _write_psnrc(root, len(references))


def _crop(pixels: Pixels, size: tuple[int, int], name: str) -> Pixels:
    width, height = size
    if pixels.shape[0] < height or pixels.shape[1] < width:
        raise DataError(
            f"{name}: expected at least {width} x {height}. Received: {size_of(pixels)}."
        )
    # Not a view, which would keep the whole photograph.
    return images.centre(pixels, height, width).copy()


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Keep other processes from writing to a tree, and from removing what is unfinished in it."""
    path = root / LOCK
    try:
        descriptor = lock(path)
    except BlockingIOError as error:
        raise DataError(
            f"{printable(root)}: another process is writing there. Wait for it, or give another"
            " --out."
        ) from error
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _equal(pictures: dict[str, Pixels]) -> Iterator[str]:
    """Yield a line for each picture that is another one again, and might be in another split."""
    first_with: dict[bytes, str] = {}
    for name, pixels in pictures.items():
        same = first_with.setdefault(pixels.tobytes(), name)
        if same != name:
            yield f"{name}: the same picture as {same}; leave one of them out"


def _unchanged(pictures: dict[str, Pixels], types: Collection[int]) -> Iterator[str]:
    """Yield a line for each picture that a type would leave as it is."""
    if saturation_change.NUMBER not in types:
        return
    for name, pixels in pictures.items():
        if np.array_equal(pixels, np.broadcast_to(pixels[..., :1], pixels.shape)):
            yield (
                f"{name}: grey, which type {saturation_change.NUMBER}"
                f" ({saturation_change.NAME}) does not change; leave the type out of --types, or"
                " the photograph"
            )


def _claim(root: Path, references: Sequence[Pixels], seed: int) -> None:
    """Note what the tree is made of, or make sure that it is made of the same."""
    digests = [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in references]
    record = {"seed": seed, "references_sha256": digests}
    path = root / RECORD
    if path.is_file():
        found = _read_record(path)
        if found != record:
            made = (
                "from other references, or in another size"
                if found.get("seed") == seed
                else f"with the seed {found.get('seed')}. Received: {seed}"
            )
            raise DataError(f"{printable(root)}: holds pictures made {made}. Give another --out.")
    elif files_in(root):
        raise DataError(
            f"{printable(root)}: expected an empty or new folder, or one made by data synth."
        )
    else:
        write_text(path, json.dumps(record, indent=2) + "\n")


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{printable(path)}: cannot be read: {error}.") from error
    if not isinstance(record, dict):
        raise DataError(
            f"{printable(path)}: expected what data synth writes. Received: something else."
        )
    return record


def _make_all(tasks: Sequence[Task], workers: int) -> Iterator[None]:
    """Make the pictures in processes of their own; yield after each."""
    pool = workers_module.executor(workers)
    try:
        with workers_module.interrupts_held_back():
            futures = [pool.submit(_make, task) for task in tasks]
        for future in as_completed(futures):
            future.result()
            yield
    except BrokenProcessPool as error:
        raise TidenhanceError(
            "A worker process was killed, perhaps for want of memory. The same command goes on"
            " where this one ended; give it fewer --workers."
        ) from error
    finally:
        # Nothing is waited for: a second Ctrl-C would end the waiting in its middle. Each picture
        # is there complete or not at all.
        workers_module.end(pool)


def _make(task: Task) -> None:
    random = np.random.default_rng([task.seed, task.reference, task.type, task.level])
    reference = _read_reference(_reference_path(task.root, task.reference))
    distorted = distortions.by_number()[task.type].distort(reference, task.level, random)
    images.write_rgb(_distorted_path(task), distorted)


_read_reference = lru_cache(maxsize=1)(images.read_rgb)


def _write_psnrc(root: Path, references: int) -> None:
    """Write PSNRc of every distorted picture, in the order reference, type, level, as TID2013."""
    advice = "Remove it: data synth, told its type and level, makes it again."
    lines = []
    for number in range(1, references + 1):
        reference = images.read_rgb(_reference_path(root, number))
        name = tid2013.reference_name(number)
        for path in sorted((root / tid2013.DISTORTED_FOLDER).glob(f"{name}_*.bmp")):
            try:
                distorted = images.read_rgb(path)
            except ImageError as error:
                raise ImageError(f"{error} {advice}") from error
            if distorted.shape != reference.shape:
                raise ImageError(
                    f"{printable(path)}: expected {size_of(reference)}."
                    f" Received: {size_of(distorted)}. {advice}"
                )
            lines.append(f"{psnrc(reference, distorted):.5f}\n")
    write_text(root / tid2013.METRICS_FOLDER / tid2013.PSNRC_FILE, "".join(lines))


def _reference_path(root: Path, number: int) -> Path:
    # The archive's own spelling: upper case, but for the last.
    name = tid2013.reference_file(number)
    name = name if number == len(tid2013.REFERENCES) else name.upper()
    return root / tid2013.REFERENCE_FOLDER / name


def _distorted_path(task: Task) -> Path:
    name = tid2013.distorted_file(task.reference, task.type, task.level)
    return task.root / tid2013.DISTORTED_FOLDER / name
