"""`scripts/benchmark` in small: that it runs to its end and writes what it found, not how fast."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "benchmark.py"


def test_a_part_that_there_is_not(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--only", "step", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "expected some of synthesis, help, " in done.stderr


@pytest.mark.slow
def test_the_short_form_runs_to_its_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--short", "--out", str(tmp_path / "new" / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "new" / "out" / "benchmark.json").read_text())
    for row in found["table"]:
        assert row["figure"] is None or row["figure"] > 0, row
    adam = next(row for row in found["table"] if "Adam" in row["what"])
    assert adam["met"]
    assert {row["network"] for row in found["predicted"]} == {"plain"}
    text = (tmp_path / "new" / "out" / "benchmark.md").read_text()
    assert all(f"| {row['what']} |" in text for row in (*found["table"], *found["growth"]))
