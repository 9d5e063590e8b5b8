"""Reports as CSV and Markdown say what the scores say; no form of them is left half-written."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from tidenhance import report
from tidenhance.errors import RunError, UserInputError


def test_csv_has_a_row_a_method_with_the_scores_as_they_are(
    soft_run: Path, bright_run: Path, tmp_path: Path
) -> None:
    report.write([soft_run, bright_run], tmp_path / "out.csv", file_format="csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["doing nothing", "soft", "bright", "blur"]
    assert [row["kind"] for row in rows] == ["nothing", "network", "network", "baseline"]
    written = json.loads((bright_run / "scores.json").read_text())
    assert float(rows[2]["psnr"]) == written["psnr"]
    assert float(rows[2]["gain_psnr_low"]) == written["gain"]["psnr"]["low"]
    assert float(rows[0]["mse"]) == written["identity"]["mse"]
    assert rows[2]["parameters"] == str(50 * 896 + 867)
    assert {rows[n]["difference_psnr"] for n in (0, 1)} == {""}
    for row in rows[2:]:
        for metric in ("psnr", "mse"):
            difference = float(row[f"gain_{metric}"]) - float(rows[1][f"gain_{metric}"])
            assert float(row[f"difference_{metric}"]) == pytest.approx(difference, abs=1e-12)
    each = [
        [entry["gain"]["psnr"]["mean"] for entry in scored["per_reference"].values()]
        for scored in (written, json.loads((soft_run / "scores.json").read_text()))
    ]
    expected = stats.ttest_rel(*each).confidence_interval(0.95)
    interval = float(rows[2]["difference_psnr_low"]), float(rows[2]["difference_psnr_high"])
    assert interval == pytest.approx((expected.low, expected.high))
    shown = " to ".join(f"{bound:+.2f}".replace("-", "−") for bound in interval)
    report.write([soft_run, bright_run], tmp_path / "out.md", file_format="markdown")
    text = (tmp_path / "out.md").read_text()
    assert "| difference in PSNR to soft (95 % interval) |" in text
    assert f"({shown}) |" in next(line for line in text.splitlines() if "| bright |" in line)
    assert rows[3]["parameters"] == rows[3]["device"] == ""
    assert rows[2]["device"] == written["device"] != ""


def test_markdown_has_every_table(soft_run: Path, bright_run: Path, tmp_path: Path) -> None:
    report.write([soft_run, bright_run], tmp_path / "out.md", file_format="markdown")
    text = (tmp_path / "out.md").read_text()
    gain = json.loads((soft_run / "scores.json").read_text())["gain"]["psnr"]
    shown = f"{gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
    assert "| soft | 1,763 |" in text
    assert shown.replace("-", "−") in text
    assert "| 10 JPEG | 5 |" in text
    last = json.loads((soft_run / "scores.json").read_text())["per_reference"]["i25"]
    psnr = f"{last['gain']['psnr']['mean']:+.2f}".replace("-", "−")
    assert f"| i25 | 3 | {last['identity']['psnr']:.2f} | {psnr} |" in text
    assert "| Conv2D | H × W × 32 | 50 | 44,800 |" in text
    assert "- PSNR: R = 1, over R, G and B" in text
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 6
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_equal_runs_give_equal_bytes(soft_run: Path, bright_run: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        out = tmp_path / name
        report.write([soft_run, bright_run], out, file_format="html")
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_reports_need_no_tensorflow(soft_run: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tidenhance import report;"
        "report.write([Path(sys.argv[1])], Path(sys.argv[2]), file_format='html');"
        "print(*sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, soft_run, tmp_path / "out.html"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == ""
    assert "data:image/jpeg" in (tmp_path / "out.html").read_text()


@pytest.mark.parametrize(
    "changes", [{"data_fingerprint": "beef" * 16}, {"levels": [1]}, {"split": "test"}]
)
def test_runs_on_different_data_leave_no_file(
    soft_copy: Path, bright_copy: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    found = json.loads((bright_copy / "scores.json").read_text())
    (bright_copy / "scores.json").write_text(json.dumps(found | changes))
    out = tmp_path / "report.html"
    with pytest.raises(RunError, match="evaluated on other data"):
        report.write([soft_copy, bright_copy], out, file_format="html")
    assert not out.exists()


def test_no_place_to_write(soft_run: Path, tmp_path: Path) -> None:
    (tmp_path / "no").touch()
    with pytest.raises(UserInputError, match=r"no: expected a folder\. Received: a file\."):
        report.write([soft_run], tmp_path / "no" / "out.csv", file_format="csv")


def test_missing_folders_are_made(soft_run: Path, tmp_path: Path) -> None:
    report.write([soft_run], tmp_path / "a" / "b" / "out.csv", file_format="csv")
    assert (tmp_path / "a" / "b" / "out.csv").is_file()
