"""What is read of runs, and which of them are not compared."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tidenhance import comparison
from tidenhance.errors import RunError


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"data_fingerprint": "beef" * 16}, "data_fingerprint"),
        ({"levels": [1]}, "levels"),
        ({"split": "test"}, "split"),
    ],
)
def test_runs_on_different_data_are_not_compared(
    soft_copy: Path, bright_copy: Path, changes: dict[str, Any], named: str
) -> None:
    found = json.loads((bright_copy / "scores.json").read_text())
    (bright_copy / "scores.json").write_text(json.dumps(found | changes))
    with pytest.raises(RunError) as caught:
        comparison.read([soft_copy, bright_copy], "val")
    message = str(caught.value)
    assert message.startswith(f"{bright_copy}: evaluated on other data than {soft_copy}")
    assert f"Expected as {named}: " in message
    assert "Evaluate both on the same data" in message


def test_runs_are_called_by_config_by_folder_or_by_path(soft_copy: Path, bright_copy: Path) -> None:
    def labels(*found: Path) -> list[str]:
        return [run.label for run in comparison.read(list(found), "val")]

    assert labels(soft_copy, bright_copy) == ["soft", "bright"]
    second = Path(shutil.copytree(soft_copy, soft_copy.with_name("soft-2")))
    assert labels(soft_copy, bright_copy, second) == [soft_copy.name, "bright", "soft-2"]
    third = Path(shutil.copytree(soft_copy, soft_copy.parent / "other" / soft_copy.name))
    assert labels(soft_copy, third) == [str(soft_copy), str(third)]
    config = third / "config.yaml"
    config.write_text(config.read_text().replace("config: soft", "config: other"))
    assert labels(soft_copy, third) == ["soft", "other"]
    one, two = (
        Path(shutil.copytree(bright_copy, bright_copy.parent / name)) for name in ("soft", "z")
    )
    assert labels(soft_copy, one, two) == [str(soft_copy), str(one), "z"]
    other = Path(shutil.copytree(bright_copy, bright_copy.parent / "b\udcff"))
    assert labels(bright_copy, other) == [bright_copy.name, r"b\udcff"]


def test_commands_work_as_they_are_printed() -> None:
    command = comparison.eval_command(Path("my runs/a"), "test", [1, 2])
    assert command == "tidenhance eval 'my runs/a' --split test --levels 1,2"
    command = comparison.eval_command(Path("a"), "val", root="my data")
    assert command == "tidenhance eval a --data 'my data'"


def test_a_run_is_evaluated_again_where_it_was(soft_copy: Path, tmp_path: Path) -> None:
    [run] = comparison.read([soft_copy], "val")
    root = run.setting("data", "root")
    scores = json.loads((soft_copy / "scores.json").read_text())
    (tmp_path / "elsewhere").mkdir()
    elsewhere = str(tmp_path / "elsewhere")
    for evaluated, given, used in (
        (None, None, root),
        (root, None, root),
        (elsewhere, None, elsewhere),
        (elsewhere, root, root),
        (elsewhere, "now here", "now here"),
        # It has been moved.
        ("/gone", None, root),
    ):
        (soft_copy / "scores.json").write_text(json.dumps(scores | {"root": evaluated}))
        [run] = comparison.read([soft_copy], "val", root=given)
        assert run.root == used
        told = "" if used == root else f" --data {shlex.quote(used)}"
        assert run.eval_command(None) == f"tidenhance eval {soft_copy}{told}"


def test_a_run_without_scores(soft_copy: Path, bright_copy: Path) -> None:
    (soft_copy / "scores.json").unlink()
    with pytest.raises(RunError) as caught:
        comparison.read([soft_copy], "val")
    assert f"{soft_copy}: no scores.json" in str(caught.value)
    assert f"tidenhance eval {soft_copy}" in str(caught.value)
    with pytest.raises(RunError, match=r"scores-test\.json.* --split test"):
        comparison.read([bright_copy], "test")


def test_scores_of_another_version(soft_copy: Path) -> None:
    found = json.loads((soft_copy / "scores.json").read_text())
    old = {key: found[key] for key in ("run", "split", "pairs", "psnr", "identity")}
    (soft_copy / "scores.json").write_text(json.dumps(old | {"tidenhance": "0.0.9"}))
    with pytest.raises(RunError) as caught:
        comparison.read([soft_copy], "val")
    assert "scores.json: written by tidenhance 0.0.9" in str(caught.value)
    assert "gain: field required" in str(caught.value)
    assert f"Evaluate the run again: tidenhance eval {soft_copy}" in str(caught.value)


def test_validation_scores_that_cannot_be_read_leave_the_test_splits(soft_copy: Path) -> None:
    found = json.loads((soft_copy / "scores.json").read_text())
    (soft_copy / "scores-test.json").write_text(json.dumps(found | {"split": "test"}))
    [run] = comparison.read([soft_copy], "test")
    assert run.validation is not None
    (soft_copy / "scores.json").write_text("{}")
    [run] = comparison.read([soft_copy], "test")
    assert run.validation is None
    assert run.scores.psnr == found["psnr"]


def test_a_run_whose_process_is_gone_is_not_running(soft_copy: Path) -> None:
    (soft_copy / "state.json").write_text('{"state": "running"}')
    [run] = comparison.read([soft_copy], "val")
    assert run.state == "cut off"


@pytest.mark.parametrize("name", ["scores.json", "network.json", "history.csv"])
def test_a_damaged_file_is_named(soft_copy: Path, name: str) -> None:
    (soft_copy / name).write_text('{"half": ')
    with pytest.raises(RunError, match=re.escape(name)):
        comparison.read([soft_copy], "val")


def test_not_a_run_and_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        comparison.read([tmp_path], "val")
    with pytest.raises(RunError, match="at least one run"):
        comparison.read([], "val")
