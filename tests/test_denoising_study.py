"""`scripts/denoising_study` on the model that ships, with scikit-learn's digits for MNIST's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tidenhance import images, runs

SCRIPT = Path(__file__).parents[1] / "scripts" / "denoising_study.py"


@pytest.mark.slow
def test_the_study_runs_to_its_end_and_finds_what_is_there(tmp_path: Path) -> None:
    model = runs.shipped_models()["mnist-conv-coarse"]
    out, copy = tmp_path / "study", shutil.copytree(model, tmp_path / "other-seed")
    done = subprocess.run(
        [sys.executable, SCRIPT, model, copy, "--source", "digits", "--epochs", "20", "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    study = json.loads((out / "study.json").read_text())
    assert study["pictures"]["photographed"] == study["pictures"]["drawn"] == 8
    table = study["table"]
    assert set(table) == {"doing nothing", "mnist-conv-coarse", "other-seed"}
    assert table["other-seed"] == table["mnist-conv-coarse"]
    # By hand: x n has the mean square of x, and clipping to [0, 1] takes some of it away.
    assert table["doing nothing"]["speckle"]["mse"] > 5 * table["doing nothing"]["mild"]["mse"]
    speckle = [cells["speckle"]["psnr"] for cells in table.values()]
    assert speckle[1] > speckle[0] + 1
    assert study["classifier_on_clean"]["speckle"] > 0.9
    pictures = sorted(out.glob("drawn-*_mnist-conv-coarse.png"))
    assert len(pictures) == 8
    assert all(images.read_picture(picture).pixels.shape == (28, 28, 3) for picture in pictures)
    assert "| mnist-conv-coarse |" in (out / "study.md").read_text()
