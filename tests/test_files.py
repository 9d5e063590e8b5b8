"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tidenhance.errors import UserInputError, WriteError
from tidenhance.files import (
    csv_text,
    lock,
    make_folder,
    new_folder,
    remove_folder,
    remove_unfinished,
    replacing,
    reserve,
    write_text,
)

# A file size limit stands in for a full disk: the system refuses the write in its middle.
LIMITED = """
import resource, sys
from pathlib import Path
from tidenhance.errors import WriteError
from tidenhance.files import replacing, write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
path = Path(sys.argv[1])
try:
    if path.suffix == ".h5":
        import h5py, numpy
        with replacing(path) as temporary, h5py.File(temporary, "w") as file:
            file["x"] = numpy.zeros(100_000)
    else:
        write_text(path, "new" * 100_000)
except WriteError as error:
    print(error)
"""


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_file_systems_that_do_not_sync_folders(tmp_path, monkeypatch):
    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "fsync", fsync)
    with new_folder(tmp_path / "new") as folder:
        (folder / "within").mkdir()
        (folder / "within" / "a.txt").write_text("one")
    assert content(tmp_path / "new" / "within") == {"a.txt": "one"}


def test_a_new_and_an_old_file(tmp_path):
    for text in ("one", "two ü\n"):
        write_text(tmp_path / "a.txt", text)
        assert content(tmp_path) == {"a.txt": text}


def test_the_temporary_file_ends_as_the_file_does(tmp_path):
    with replacing(tmp_path / "best.weights.h5") as temporary:
        assert temporary.name.endswith(".weights.h5")
        assert temporary.parent == tmp_path


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_in_the_block_keeps_the_old_file(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")

    def fail():
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert content(tmp_path) == {"a.txt": "old"}


@pytest.mark.parametrize("name", ["a.txt", "a.h5"])
def test_a_full_disk_keeps_the_old_file(tmp_path, name):
    (tmp_path / name).write_text("old")
    command = [sys.executable, "-c", LIMITED, str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / name}: cannot be written: File too large.\n"
    assert content(tmp_path) == {name: "old"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(WriteError, match=r"a\.txt: cannot be written: Permission denied\."):
            write_text(tmp_path / "a.txt", "")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(WriteError, match=r"b/a\.txt: cannot be written: No such file or directory"):
        write_text(tmp_path / "b" / "a.txt", "")
    assert content(tmp_path) == {}


def test_makes_a_folder_and_those_that_it_is_in(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("below", ["", "b", "b/c"])
def test_a_file_where_a_folder_is_to_be_made_is_named(tmp_path, below):
    (tmp_path / "a").write_text("old")
    with pytest.raises(UserInputError) as caught:
        make_folder(tmp_path / "a" / below)
    assert str(caught.value) == f"{tmp_path / 'a'}: expected a folder. Received: a file."
    assert content(tmp_path) == {"a": "old"}


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(WriteError, match=r"link: cannot be written: File exists\."):
        make_folder(tmp_path / "link")
    with pytest.raises(WriteError, match=r"yy: cannot be written: File name too long\."):
        make_folder(tmp_path / ("y" * 300))


def test_a_folder_in_the_files_place(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(WriteError, match=r"a: cannot be written: Is a directory\."):
        write_text(tmp_path / "a", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_longest_name_that_a_file_can_have(tmp_path):
    name = "x" * 251 + ".txt"
    write_text(tmp_path / name, "text")
    assert content(tmp_path) == {name: "text"}


def test_characters_that_utf8_cannot_hold_become_escapes(tmp_path):
    write_text(tmp_path / "a.txt", "name \udcff")
    assert content(tmp_path) == {"a.txt": "name \\udcff"}


def fill(folder: Path, text: str) -> None:
    with new_folder(folder) as temporary:
        (temporary / "a.txt").write_text(text)


def test_a_folder_appears_when_it_is_filled(tmp_path):
    for text in ("one", "two"):
        with new_folder(tmp_path / "new") as temporary:
            assert temporary.parent == tmp_path
            (temporary / "a.txt").write_text(text)
            assert (tmp_path / "new").exists() == (text == "two")
        assert [path.name for path in tmp_path.iterdir()] == ["new"]
        assert content(tmp_path / "new") == {"a.txt": text}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_while_it_is_filled_keeps_the_old_folder(tmp_path, error):
    fill(tmp_path / "a", "old")

    def fail():
        with new_folder(tmp_path / "a") as temporary:
            (temporary / "a.txt").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert content(tmp_path / "a") == {"a.txt": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_a_link_leads_to_is_replaced(tmp_path):
    fill(tmp_path / "a", "old")
    (tmp_path / "link").symlink_to("a")
    fill(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "a") == {"a.txt": "new"}
    assert {path.name for path in tmp_path.iterdir()} == {"a", "link"}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("interrupted", ["the new", "the old"])
def test_an_interruption_of_the_renames_keeps_one_folder(tmp_path, monkeypatch, interrupted, after):
    fill(tmp_path / "a", "old")
    real, waiting = Path.rename, [True]

    def rename(path, target):
        is_new = target == tmp_path / "a" and content(path) == {"a.txt": "new"}
        comes = (is_new if interrupted == "the new" else path == tmp_path / "a") and waiting
        if comes and not after:
            waiting.clear()
            raise KeyboardInterrupt
        renamed = real(path, target)
        if comes:
            waiting.clear()
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "a", "new")
    kept = "new" if interrupted == "the new" and after else "old"
    assert content(tmp_path / "a") == {"a.txt": kept}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("failing", ["the new", "the old"])
def test_a_folder_that_cannot_be_renamed_keeps_the_old_one(tmp_path, monkeypatch, failing):
    fill(tmp_path / "a", "old")
    real = Path.rename

    def rename(path, target):
        is_new = target == tmp_path / "a" and content(path) == {"a.txt": "new"}
        if is_new if failing == "the new" else path == tmp_path / "a":
            raise OSError(errno.EIO, "Input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(WriteError, match=r"a: cannot be written: Input/output error\."):
        fill(tmp_path / "a", "new")
    assert content(tmp_path / "a") == {"a.txt": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_where_none_can_be(tmp_path):
    with pytest.raises(WriteError, match=r"b/a: cannot be written: No such file or directory\."):
        fill(tmp_path / "b" / "a", "")


def test_a_folder_is_removed_and_need_not_be_there(tmp_path):
    fill(tmp_path / "a", "text")
    for _ in range(2):
        remove_folder(tmp_path / "a")
        assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tidenhance.files import new_folder, replacing
folder = Path(sys.argv[1])
with replacing(folder / "a.txt") as file, new_folder(folder / "b") as inside:
    file.write_text("half")
    (inside / "c.txt").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_leaves_is_recognised_and_removed(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 3
    remove_unfinished(tmp_path)
    assert content(tmp_path) == {"a.txt": "old"}


def test_space_that_is_not_there_is_told_at_once(tmp_path):
    path = tmp_path / "a.h5"
    path.touch()
    reserve(path, 1000)
    assert path.stat().st_size == 1000
    with pytest.raises(OSError, match=r"No space left|too large"):
        reserve(path, 2**60)


def test_csv_has_all_keys_in_the_order_of_first_appearance():
    rows = [{"b": 1, "a": 0.1}, {"a": None, "c": 'x, "y"'}]
    assert csv_text(rows) == 'b,a,c\n1,0.1,\n,,"x, ""y"""\n'


def test_a_file_is_locked_once_and_keeps_what_it_holds(tmp_path):
    path = tmp_path / "log.txt"
    descriptor = lock(path)
    path.write_text("kept")
    with pytest.raises(BlockingIOError):
        lock(path)
    os.close(descriptor)
    os.close(lock(path))
    assert path.read_text() == "kept"


def test_a_file_that_is_removed_while_it_is_locked_is_not_locked(tmp_path, monkeypatch):
    path = tmp_path / "lock"
    monkeypatch.setattr(fcntl, "flock", lambda *_: path.unlink())
    with pytest.raises(BlockingIOError):
        lock(path)
