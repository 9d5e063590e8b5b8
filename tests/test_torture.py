"""A short form of `scripts/torture`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "torture.py"
COUNTS = {"kills": 2, "kills-while-saving": 3, "stops": 1, "limits": 1, "full-disks": 1}


@pytest.mark.slow
def test_five_kills_a_stop_two_full_disks_and_a_damaged_checkpoint(tmp_path: Path) -> None:
    counts = {**COUNTS, "damages": 1}
    (tmp_path / "torture").mkdir()
    (tmp_path / "torture" / "thesis.txt").touch()
    options = [f"--{name}={count}" for name, count in counts.items()]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options, "--folder", str(tmp_path / "torture")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    # Not everybody may mount a small disk to fill.
    mounting = "fill_the_disk: SKIPPED: mounting a small file system is not allowed" in done.stdout
    count = 8 if mounting else 9
    assert f"{count} of {count} trainings came to the same result, bit for bit" in done.stdout
    assert [path.name for path in (tmp_path / "torture").iterdir()] == ["thesis.txt"]
