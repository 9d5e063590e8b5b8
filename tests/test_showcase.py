"""The pictures on a page are the right ones, and none where they cannot be."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import yaml
from PIL import Image

from tidenhance.errors import DataError, RunError


def test_best_and_worst_are_the_extremes_by_gain_each_of_another_type(
    bright_run: Path, html: Callable[..., str]
) -> None:
    page = html(bright_run)
    shown = re.findall(r"<h4>(Best|Worst): (\S+): ", page)
    with (bright_run / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    gains = {row["name"]: float(row["psnr"]) - float(row["identity_psnr"]) for row in rows}
    assert shown[0] == ("Best", max(gains, key=gains.__getitem__))
    assert shown[3] == ("Worst", min(gains, key=gains.__getitem__))
    for group in (shown[:3], shown[3:]):
        assert len({name[4:6] for _, name in group}) == 3


def test_pictures_and_error_map_are_those_of_the_pair(
    bright_run: Path, html: Callable[..., str]
) -> None:
    page = html(bright_run)
    name = re.findall(r"<h4>Best: (\S+): ", page)[0]
    sources = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', page)[:4]
    restored, distorted, reference, error = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))).astype(float)
        for source in sources
    )
    tree = bright_run.parent / "tree"
    for shown, path in (
        (restored, bright_run / "images" / "val" / f"{name}.png"),
        (distorted, tree / "distorted_images" / f"{name}.bmp"),
        (reference, tree / "reference_images" / f"{name[:3]}.bmp"),
    ):
        assert np.abs(shown - np.asarray(Image.open(path))).mean() < 4
    # 40 was taken away and 30 added.
    assert name[4:6] == "16"
    expected = matplotlib.colormaps["inferno"](10 / 255 / 0.25, bytes=True)[:3]
    assert np.abs(np.median(error, axis=(0, 1)) - expected).max() < 12


def test_without_the_data_there_are_no_pictures(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    config = soft_copy / "config.yaml"
    config.write_text(re.sub(r"root: .*", "root: gone", config.read_text()))
    page = html(soft_copy)
    assert "gone: no such folder" in pages_text(page)
    assert "data:image" not in page
    assert "Name its folder: --data ROOT" in pages_text(page)
    with pytest.raises(DataError, match="also-gone"):
        html(soft_copy, root="also-gone")


@pytest.mark.parametrize("section", ["", "null", "tid2013", "[1]"])
def test_without_a_section_on_data_there_are_no_pictures(
    soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str], section: str
) -> None:
    config = soft_copy / "config.yaml"
    text = yaml.safe_load(config.read_text())
    del text["data"]
    config.write_text(yaml.safe_dump(text) + (f"data: {section}\n" if section else ""))
    page = html(soft_copy)
    assert "config.yaml: data: expected keys and values." in pages_text(page)
    assert "data:image" not in page


def test_the_pictures_are_of_the_data_that_was_evaluated(
    soft_run: Path, soft_copy: Path, html: Callable[..., str]
) -> None:
    config = soft_copy / "config.yaml"
    config.write_text(re.sub(r"root: .*", "root: null", config.read_text()))
    assert "data:image" not in html(soft_copy)
    scores = json.loads((soft_copy / "scores.json").read_text())
    root = str(soft_run.parent / "tree")
    (soft_copy / "scores.json").write_text(json.dumps(scores | {"root": root}))
    assert html(soft_copy).count("data:image") == html(soft_run).count("data:image") > 0


def test_the_advice_to_name_a_folder_is_for_those_who_named_none(
    soft_run: Path, soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    tree = Path(shutil.copytree(soft_run.parent / "tree", soft_copy.parent / "damaged"))
    for path in (tree / "distorted_images").iterdir():
        path.write_text("no picture")
    page = pages_text(html(soft_copy, root=str(tree)))
    assert "the data set cannot be read" in page
    assert "--data ROOT" not in page


def test_pictures_of_another_evaluation_are_not_shown(
    soft_copy: Path, bright_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    for path in (soft_copy / "images" / "val").iterdir():
        shutil.copy(bright_copy / "images" / "val" / path.name, path)
    page = html(soft_copy)
    assert "the pictures are not those that were evaluated" in pages_text(page)
    assert f"Restore them again: tidenhance eval {soft_copy} --save-images" in pages_text(page)
    assert "data:image" not in page


def test_what_the_data_set_lacks_is_said(
    soft_run: Path, soft_copy: Path, html: Callable[..., str], pages_text: Callable[[str], str]
) -> None:
    config = soft_copy / "config.yaml"
    tree = Path(shutil.copytree(soft_run.parent / "tree", soft_copy.parent / "another"))
    config.write_text(re.sub(r"root: .*", f"root: {tree}", config.read_text()))
    distorted = min((tree / "distorted_images").iterdir())
    distorted.unlink()
    page = pages_text(html(soft_copy))
    assert f"cannot be read: {tree}: " in page
    assert distorted.name in page


def test_a_damaged_table_of_pairs_is_named(soft_copy: Path, html: Callable[..., str]) -> None:
    (soft_copy / "scores.csv").write_text('{"half": ')
    with pytest.raises(RunError, match=re.escape("scores.csv")):
        html(soft_copy)
