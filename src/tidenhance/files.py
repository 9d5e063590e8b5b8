"""Files that appear complete or not at all, and the text of those that are tables."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tidenhance.errors import WriteError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends well.

    The temporary name ends as `path` does, since Keras and Pillow choose formats by ending.

    Raises:
        WriteError: the file cannot be written; `path` is then as it was before.
    """
    try:
        # Only the end of the name: a long one must not become too long.
        suffix = f".{path.name[-50:]}"
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=suffix, dir=path.parent)
    except OSError as error:
        raise _write_error(path, error) from error
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


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


def _write_error(path: Path, error: OSError) -> WriteError:
    # HDF5 writes a report of many lines where others have the system's message.
    reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
    return WriteError(f"{path}: cannot be written: {reason}.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
