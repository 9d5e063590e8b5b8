"""Files and folders that appear complete or not at all, and the text of those that are tables."""

from __future__ import annotations

import csv
import errno
import fcntl
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tidenhance.errors import UserInputError, WriteError, printable

UNFINISHED = ".unfinished-"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well.

    The temporary name ends as `path` does, since Keras and Pillow choose formats by ending. When
    the block has ended well, the file is on the disk, whatever happens to the machine.

    Raises:
        WriteError: the file cannot be written; `path` is then as it was before.
    """
    try:
        # Only the end of the name: a long one must not become too long.
        suffix = f".{path.name[-50:]}"
        descriptor, name = tempfile.mkstemp(prefix=UNFINISHED, suffix=suffix, dir=path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, that becomes `path` when the block ends well.

    A folder that is at `path` already, or that a link there leads to, gives way to it.

    Raises:
        WriteError: a file cannot be written, or the folder not be made; `path` is then as before.
    """
    given, path = path, Path(os.path.realpath(path))
    try:
        temporary = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=path.parent))
    except OSError as error:
        raise write_error(given, error) from error
    try:
        yield temporary
        for path_within in temporary.rglob("*"):
            (_sync_folder if path_within.is_dir() else _sync)(path_within)
        _sync_folder(temporary)
        temporary.chmod(0o777 & ~_umask())
        aside = _moved_aside(path)
        try:
            temporary.rename(path)
        # An interruption too, which comes before or after it.
        except BaseException:
            if aside is not None and not path.exists():
                aside.rename(path)
            elif aside is not None and not temporary.exists():
                shutil.rmtree(aside, ignore_errors=True)
            raise
        _sync_folder(path.parent)
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise write_error(given, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """Make a folder and those that it is in; those that are there are fine.

    Raises:
        UserInputError: one of them is a file.
        WriteError: one of them cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if isinstance(error, FileExistsError | NotADirectoryError):
            for path in filter(Path.is_file, (folder, *folder.parents)):
                raise UserInputError(
                    f"{printable(path)}: expected a folder. Received: a file."
                ) from error
        raise write_error(folder, error) from error


def check_may_write(path: Path) -> None:
    """Check that a file can be made in its folder, before what takes minutes to compute.

    Raises:
        WriteError: it cannot.
    """
    if not os.access(path.parent, os.W_OK):
        raise write_error(path, PermissionError(errno.EACCES, ""))


def remove_folder(path: Path) -> None:
    """Remove a folder such that it is whole or gone at every moment; one that is not there is fine.

    Raises:
        WriteError: it cannot be removed.
    """
    try:
        aside = _moved_aside(path)
        if aside is not None:
            shutil.rmtree(aside)
    except OSError as error:
        raise WriteError(f"{path}: cannot be removed: {error.strerror}.") from error


def _moved_aside(folder: Path) -> Path | None:
    """Return where a folder now lies as something unfinished, or None if there was none."""
    if not folder.exists():
        return None
    aside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
    try:
        return folder.rename(aside)
    except BaseException:
        if folder.exists():
            aside.rmdir()
        else:
            aside.rename(folder)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left in a folder."""
    for path in folder.glob(f"{UNFINISHED}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def lock(path: Path) -> int:
    """Open a file, made if missing, and keep other processes from locking it.

    The system unlocks it when the process ends.

    Returns:
        its descriptor, which closed unlocks the file.

    Raises:
        BlockingIOError: another process has locked it.
        OSError: it cannot be opened for writing, or not be locked.
    """
    # Not a folder itself: network file systems lock only files that are open for writing. Not to
    # be waited for, if it is a pipe.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            raise BlockingIOError(errno.EWOULDBLOCK, "removed by the process that had locked it")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def reserve(path: Path, size: int) -> None:
    """Raise the system's error now if the disk does not hold `size` bytes more in the file `path`.

    For libraries that do not survive a disk that fills while they write, as HDF5 does not.

    Raises:
        OSError: the space is not there.
    """
    with path.open("rb+") as stream:
        os.posix_fallocate(stream.fileno(), 0, size)


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, complete or not at all.

    What UTF-8 cannot hold (a file's name may have such characters) is written as an escape.

    Raises:
        WriteError: the file cannot be written; `path` is then as it was before.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as CSV, after a line of all their keys in the order of first appearance.

    What a row lacks, or has None for, is left empty.
    """
    text = io.StringIO()
    fields = dict.fromkeys(key for row in rows for key in row)
    writer = csv.DictWriter(text, fieldnames=list(fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    # What was written is there already, also in a folder that may not be read.
    with suppress(OSError):
        _sync(path)


def write_error(path: Path, error: OSError) -> WriteError:
    """Return the error that says that, and why, a file cannot be written."""
    # HDF5 writes a report of many lines where others have the system's message.
    reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
    return WriteError(f"{printable(path)}: cannot be written: {reason}.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
