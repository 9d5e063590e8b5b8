"""A wheel, installed outside the checkout, does what the checkout does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tidenhance import images

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment that holds the wheel, and sees the packages it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, CHECKOUT], check=True
    )
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment)
    python = environment / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    # Folders that a .pth file names are searched, but their own .pth files (the checkout) are not.
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", query], check=True, capture_output=True, text=True)
    needed = sysconfig.get_path("purelib")
    (Path(found.stdout.strip()) / "needed.pth").write_text(needed + "\n")
    return environment


def run(installed: Path, cwd: Path, *arguments: object) -> str:
    command = [installed / "bin" / "tidenhance", *map(str, arguments)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TIDENHANCE"))}
    found = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=clean, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.slow
def test_an_installed_wheel_does_the_whole_job(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [installed / "bin" / "python", "-c", "import tidenhance; print(tidenhance.__file__)"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout.strip()).is_relative_to(installed)

    names = set(json.loads(run(installed, tmp_path, "configs", "--json")))
    assert names == {path.stem for path in (CHECKOUT / "configs").glob("*.yaml")}
    summary = json.loads(run(installed, tmp_path, "summary", "--config", "plain128.yaml", "--json"))
    assert (summary["layers"], summary["parameters"]) == (8, 744_963)

    run(
        *(installed, tmp_path, "data", "synth", "--references", "sample", "--out", "data"),
        *("--types", "1", "--levels", "5", "--size", "96x64", "--workers", "1"),
    )
    run(
        *(installed, tmp_path, "train", "--config", "quickstart.yaml", "--data", "data"),
        *("data.types=[1]", "network.channels=4", "network.depth=2"),
        *("training.epochs=1", "training.steps_per_epoch=2", "training.patch_size=32"),
    )
    scores = json.loads(run(installed, tmp_path, "eval", "--split", "test", "--json"))
    assert scores["pairs"] == 2
    [trained] = (tmp_path / "runs").iterdir()
    run(installed, tmp_path, "report", trained.name, "--split", "test")
    assert "<h1>" in (tmp_path / "report.html").read_text()
    run(installed, tmp_path, "enhance", "data/distorted_images/i07_01_5.bmp", "-o", "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["i07_01_5_enhanced.bmp"]
    run(
        *(installed, tmp_path, "enhance", "data/reference_images/I01.BMP", "-o", "digit.png"),
        *("--run", "mnist-conv-coarse"),
    )
    assert images.read_picture(tmp_path / "digit.png").pixels.shape == (28, 28, 3)
