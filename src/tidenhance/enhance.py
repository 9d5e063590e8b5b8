"""A picture in, a restored picture out."""

from __future__ import annotations

import dataclasses
import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tidenhance.errors import (
    ImageError,
    RunError,
    TidenhanceError,
    UserInputError,
    did_you_mean,
    printable,
)
from tidenhance.files import check_may_write, make_folder, write_error
from tidenhance.images import (
    FORMAT_OF_ENDING,
    FORMATS,
    MAX_PIXELS,
    check_is_file,
    check_writable,
    fill_transparent,
    is_picture_name,
    on_white,
    read_picture,
    to_float,
    to_rgb,
    write_picture,
)
from tidenhance.inference import Network, as_input, forward_for_tiles, restore, restore_tiled

SUFFIX = "_enhanced"


def find_pictures(inputs: Sequence[Path]) -> list[Path]:
    """Return the pictures that the inputs stand for, each once.

    A file stands for itself, whatever its name. A folder stands for the pictures directly in it,
    sorted by name, without those that `enhance` itself has made (names ending in `SUFFIX`) and
    hidden ones. All but folders count there, so that a broken link with a picture's name is told
    in its turn.

    Raises:
        ImageError: an input is missing, neither a file nor a folder, or a folder without pictures;
            the message lists all such.
    """
    pictures: dict[Path, Path] = {}
    problems = []
    for path in inputs:
        try:
            for picture in _pictures_of(path):
                pictures.setdefault(_real(picture), picture)
        except ImageError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{printable(path)}: cannot be read: {error.strerror or error}.")
    if problems:
        raise ImageError("\n".join(problems))
    return list(pictures.values())


def left_out(inputs: Sequence[Path]) -> list[Path]:
    """Return what the folders among the inputs hold beside pictures, each once, sorted by name.

    But for hidden files, and pictures that `enhance` itself has made.
    """
    folders = {_real(path): path for path in inputs if path.is_dir()}
    found = [inside for path in folders.values() for inside in sorted(path.iterdir())]
    return [path for path in found if not (_is_source(path) or _is_ours_or_hidden(path))]


def output_path(source: Path, out: Path | None = None, *, out_is_file: bool = False) -> Path:
    """Return where a picture's restoration goes: NAME_enhanced.EXT, beside the source or in `out`.

    Args:
        source: the picture's file.
        out: a folder, or with `out_is_file` the result's own path.
        out_is_file: return `out` itself.
    """
    if out is not None and out_is_file:
        return out
    folder = source.parent if out is None else out
    return folder / f"{source.stem}{SUFFIX}{source.suffix}"


def plan(inputs: Sequence[Path], out: Path | None = None) -> list[tuple[Path, Path]]:
    """Return each picture that the inputs stand for with the path of its restoration.

    Nothing is written. `out` is a folder, there or still to be made; for a single input file it
    may instead be the result's own path, if it ends as a picture's does and is no folder.

    Raises:
        ImageError: as `find_pictures`.
        UserInputError: `out` fits neither case, two pictures would have the same result, or a
            result would take the place of an input.
    """
    pictures = find_pictures(inputs)
    out_is_file = out is not None and _is_result_file(
        out, is_single=len(pictures) == 1 and not any(path.is_dir() for path in inputs)
    )
    jobs = [(source, output_path(source, out, out_is_file=out_is_file)) for source in pictures]

    sources = {_real(source) for source in pictures}
    made_from: dict[Path, Path] = {}
    for source, target in jobs:
        real = _real(target)
        if real in sources:
            raise UserInputError(
                f"{printable(target)}: the result of {printable(source)} would overwrite an input."
            )
        if real in made_from:
            raise UserInputError(
                f"{printable(target)}: the result of both {printable(made_from[real])}"
                f" and {printable(source)}."
            )
        made_from[real] = source
    return jobs


def enhance(
    enhance_one: Callable[[Path, Path], None], jobs: Iterable[tuple[Path, Path]]
) -> Iterator[tuple[Path, Path | TidenhanceError]]:
    """Restore picture after picture, going on after one fails.

    Args:
        enhance_one: `enhance_picture` with all but its source and target given.
        jobs: sources and targets, as `plan` returns them.

    Yields:
        After each picture its source, and the target written or the error that prevented it.
    """
    for source, target in jobs:
        try:
            enhance_one(source, target)
        except TidenhanceError as error:
            yield source, error
        except MemoryError:
            yield source, TidenhanceError(f"{printable(source)}: the memory does not suffice.")
        else:
            yield source, target


def enhance_picture(
    source: Path,
    target: Path,
    *,
    network: Network,
    tile: int = 512,
    force: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> None:
    """Restore the picture in one file and write it to another, whose folder is made if missing.

    A network for grey pictures is given, and gives, the picture in grey; one for pictures of one
    size is given the picture at that size, on white where it is transparent, and gives it so.

    Args:
        source: the picture to restore; it is never changed.
        target: the file to write, in the format of its ending.
        network: a network from [0, 1] to [0, 1], (B, H, W, C), with 1 or 3 channels.
        tile: the network is given at most so many pixels squared at once; larger pictures come in
            tiles. Where it is less than about twice the receptive field, or each output depends on
            the whole input, tiles are blended.
        force: replace `target` if it exists.
        max_pixels: most pixels to accept.

    Raises:
        ImageError: the source cannot be used, or the target's format cannot hold it.
        UserInputError: the target exists (without `force`), is the source itself, or lies in what
            is no folder.
        WriteError: the target cannot be written; it is then as it was before.
        RunError: the run's ONNX file turns out not to hold such a network.
        TidenhanceError: the network's output is not finite, or the memory does not suffice.
    """
    check_is_file(source)
    _check_target(source, target, force=force)
    picture = read_picture(source, max_pixels=max_pixels)
    if network.has_fixed_size and picture.alpha is not None:
        picture = dataclasses.replace(
            picture, pixels=on_white(picture.pixels, picture.alpha), alpha=None
        )
    check_writable(target, picture)
    make_folder(target.parent)
    check_may_write(target)
    pixels = picture.pixels
    if picture.alpha is not None:
        pixels = fill_transparent(pixels, picture.alpha)
    try:
        restored = _restore(network, pixels, tile)
    except RunError:
        raise
    except TidenhanceError as error:
        advice = " Choose a smaller --tile." if isinstance(error.__cause__, MemoryError) else ""
        raise TidenhanceError(f"{printable(source)}: {error}{advice}") from error
    grey = picture.grey or network.input_shape[-1] == 1
    write_picture(target, dataclasses.replace(picture, pixels=restored, grey=grey))


def _restore(network: Network, pixels: NDArray[np.uint8], tile: int) -> NDArray[np.uint8]:
    picture = as_input(pixels, network.input_shape)
    if network.has_fixed_size:
        return to_rgb(restore(network.forward, to_float(picture)))
    # A tile that is mostly overlap would cost many times the work for what blending hides.
    exact_overlap = network.receptive_field + network.size_multiple
    feathered = network.is_global or exact_overlap > tile // 2
    return restore_tiled(
        forward_for_tiles(network, picture, tile),
        picture,
        size_multiple=network.size_multiple,
        overlap=tile // 4 if feathered else exact_overlap,
        feathered=feathered,
        tile=tile,
    )


def _pictures_of(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(inside for inside in path.iterdir() if _is_source(inside))
        if not found:
            raise ImageError(
                f"{printable(path)}: a folder without pictures ({', '.join(FORMATS)})."
            )
        return found
    if not path.exists() and not path.is_symlink():
        siblings = [s.name for s in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ImageError(
            f"{printable(path)}: no such file or folder.{did_you_mean(path.name, siblings)}"
        )
    check_is_file(path)
    return [path]


def _real(path: Path) -> Path:
    # Up to Python 3.12 `Path.resolve` fails on links that lead in a circle.
    return Path(os.path.realpath(path))


def _is_source(path: Path) -> bool:
    return is_picture_name(path) and not _is_ours_or_hidden(path) and not path.is_dir()


def _is_ours_or_hidden(path: Path) -> bool:
    return path.stem.endswith(SUFFIX) or path.name.startswith(".")


def _is_result_file(out: Path, *, is_single: bool) -> bool:
    try:
        is_folder, exists = out.is_dir(), out.exists()
    except OSError as error:
        raise write_error(out, error) from error
    if is_folder:
        return False
    if is_picture_name(out):
        if is_single:
            return True
        raise UserInputError(
            f"{printable(out)}: expected a folder for the results of several pictures. "
            "Received: a picture's name."
        )
    if exists:
        raise UserInputError(
            f"{printable(out)}: expected a folder for the results. Received: a file."
        )
    if (mimetypes.guess_type(out.name)[0] or "").startswith("image/"):
        raise UserInputError(
            f"{printable(out)}: expected a folder, or a name ending in"
            f" {', '.join(FORMAT_OF_ENDING)}. Received: {out.suffix}."
        )
    return False


def _check_target(source: Path, target: Path, *, force: bool) -> None:
    try:
        exists = target.exists()
        is_source = exists and target.samefile(source)
    except OSError as error:
        raise write_error(target, error) from error
    problem = ""
    if is_source:
        problem = "the result would overwrite the picture it is made from."
    elif exists and target.is_dir():
        problem = "expected a file name for the result. Received: a folder."
    elif exists and not force:
        problem = "exists already; --force replaces it."
    if problem:
        raise UserInputError(f"{printable(target)}: {problem}")
