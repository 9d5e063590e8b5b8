"""Reports are read in a real browser, and their tables against the scores they are made of."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from skimage.metrics import structural_similarity

from tidenhance import plots, report, report_page, scores
from tidenhance.data import sample
from tidenhance.errors import DataError, RunError, WriteError

REFERENCES = (21, 22, 23, 24, 25)
HIGHER_IS_BETTER = {"psnr": True, "ssim": True, "mse": False, "mae": False}
SIZE = (128, 96)
LAYERS: list[dict[str, Any]] = [
    {"name": name, "type": kind, "output": [[None, None, None, channels]], "parameters": count}
    for name, kind, channels, count in (
        ("input_layer", "InputLayer", 3, 0),
        ("conv2d", "Conv2D", 32, 896),
        ("conv2d_1", "Conv2D", 3, 867),
    )
]

Pixels = NDArray[np.uint8]


def noise(pixels: Pixels) -> Pixels:
    spread = np.random.default_rng(1).normal(0, 25, pixels.shape)
    return np.clip(pixels + spread, 0, 255).astype(np.uint8)


def jpeg(pixels: Pixels) -> Pixels:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=6)
    return np.asarray(Image.open(stream))


def darker(pixels: Pixels) -> Pixels:
    return np.clip(pixels.astype(int) - 40, 0, 255).astype(np.uint8)


def blurred(pixels: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1)))


def brighter(pixels: Pixels) -> Pixels:
    return np.clip(pixels.astype(int) + 30, 0, 255).astype(np.uint8)


DISTORTIONS: dict[int, Callable[[Pixels], Pixels]] = {1: noise, 10: jpeg, 16: darker}


def figures(reference: Pixels, picture: Pixels) -> dict[str, float]:
    difference = (picture.astype(float) - reference) / 255
    mse = float(np.mean(difference**2))
    return {
        "psnr": -10 * float(np.log10(mse)),
        "ssim": float(structural_similarity(reference, picture, channel_axis=2)),
        "mse": mse,
        "mae": float(np.mean(np.abs(difference))),
    }


def make_tree(root: Path) -> Path:
    (root / "reference_images").mkdir(parents=True)
    (root / "distorted_images").mkdir()
    photographs = list(sample.photographs().values())
    for n, number in enumerate(REFERENCES):
        whole = Image.fromarray(photographs[n % len(photographs)])
        pixels = np.asarray(whole.crop((100, 60, 356, 252)).resize(SIZE))
        Image.fromarray(pixels).save(root / "reference_images" / f"i{number}.bmp")
        for kind, distort in DISTORTIONS.items():
            distorted = Image.fromarray(distort(pixels))
            distorted.save(root / "distorted_images" / f"i{number}_{kind:02d}_5.bmp")
    return root


def evaluated(root: Path, restore: Callable[[Pixels], Pixels], save: Path | None) -> dict[str, Any]:
    """Return what `evaluation.evaluate` takes from the pairs; write pictures and the table."""
    rows = []
    for number in REFERENCES:
        reference = np.asarray(Image.open(root / "reference_images" / f"i{number}.bmp"))
        for kind in DISTORTIONS:
            name = f"i{number}_{kind:02d}_5"
            distorted = np.asarray(Image.open(root / "distorted_images" / f"{name}.bmp"))
            restored = restore(distorted)
            identity = figures(reference, distorted)
            rows.append(
                {"name": name, "reference": f"i{number}", "type": kind, "level": 5}
                | figures(reference, restored)
                | {f"identity_{key}": value for key, value in identity.items()}
            )
            if save is not None:
                folder = save / "images" / "val"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(restored).save(folder / f"{name}.png")
    if save is not None:
        (save / "scores.csv").write_text(scores.to_csv(rows))
    return scores.aggregate(rows, HIGHER_IS_BETTER) | {"data_fingerprint": scores.fingerprint(rows)}


def make_run(
    path: Path,
    root: Path,
    restore: Callable[[Pixels], Pixels],
    *,
    layers: list[dict[str, Any]] = LAYERS,
    epochs: int = 20,
    seconds: float = 0.5,
    baselines: bool = True,
) -> Path:
    path.mkdir(parents=True)
    config_name = path.name.partition("-")[0]
    config = {
        "seed": 1,
        "network": {"name": "plain_cnn", "channels": [32]},
        "data": {
            "name": "tid2013",
            "root": str(root),
            "levels": [5],
            "types": list(DISTORTIONS),
            "splits": {"train": [], "val": list(REFERENCES), "test": []},
        },
        "loss": {"name": "mse"},
        "metrics": ["psnr", "mae"],
        "training": {"epochs": epochs, "batch_size": 8, "patch_size": 64, "learning_rate": 0.001},
        "validation": {"batch_size": 8, "patch_size": None},
        "provenance": {
            "config": config_name,
            "tidenhance": "0.1.0",
            "keras": "3.15.1",
            "device": "CPU, 2 cores",
            "started": "2026-11-22T05:25:52+00:00",
        },
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (path / "state.json").write_text('{"state": "finished", "process": 1}')
    lines = ["epoch,loss,psnr,mae,val_loss,val_psnr,val_mae,seconds"]
    for epoch in range(1, epochs + 1):
        loss = 0.005 + 0.02 / epoch
        shown = [loss, -10 * np.log10(loss), loss**0.5 * 0.7]
        lines.append(",".join(map(str, [epoch, *shown, *(1.1 * value for value in shown), 12.5])))
    (path / "history.csv").write_text("\n".join(lines) + "\n")
    parameters = sum(layer["parameters"] for layer in layers)
    network = {
        "network": "plain_cnn",
        "layers": len(layers),
        "parameters": parameters,
        "multiply_adds": parameters * 512 * 384,
        "width": 512,
        "height": 384,
        "receptive_field": 5,
        "sees_whole_picture": False,
        "layer_table": layers,
    }
    (path / "network.json").write_text(json.dumps(network))
    found = {
        "run": path.name,
        "config": config_name,
        "tidenhance": "0.1.0",
        "split": "val",
        "levels": [5],
        "device": "CPU, 2 cores",
        "seconds_per_picture": seconds,
        **evaluated(root, restore, path),
        "article": None,
        "conventions": {"range": "images in [0, 1]", "psnr": "R = 1, over R, G and B"},
        "baselines": {},
    }
    if baselines:
        found["baselines"] = {
            "blur": evaluated(root, blurred, None) | {"seconds_per_picture": 0.004},
        }
    (path / "scores.json").write_text(json.dumps(found))
    return path


def edit_scores(run: Path, **changes: Any) -> None:
    found = json.loads((run / "scores.json").read_text())
    (run / "scores.json").write_text(json.dumps(found | changes))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of 15 pairs, and two runs: one that blurs, one that brightens."""
    folder = tmp_path_factory.mktemp("report")
    root = make_tree(folder / "tree")
    make_run(folder / "soft-20261122-052552", root, blurred)
    many = LAYERS[:1] + LAYERS[1:2] * 50 + LAYERS[2:]
    make_run(folder / "bright-20261122-062552", root, brighter, layers=many, seconds=2.5)
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """The same runs, free to be changed; the tree stays where it is."""
    for name in ("soft-20261122-052552", "bright-20261122-062552"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def soft(folder: Path) -> Path:
    return folder / "soft-20261122-052552"


def bright(folder: Path) -> Path:
    return folder / "bright-20261122-062552"


def pages_text(page: str) -> str:
    """The page's text: no markup, no runs of blanks."""
    body = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(body.split())


def html(folder: Path, *runs: Path, **options: Any) -> str:
    out = folder / "report.html"
    report.write(runs, out, file_format="html", **options)
    return out.read_text()


def test_csv_has_a_row_a_method_with_the_scores_as_they_are(made: Path, tmp_path: Path) -> None:
    report.write([soft(made), bright(made)], tmp_path / "out.csv", file_format="csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["name"] for row in rows] == ["doing nothing", "soft", "bright", "blur"]
    assert [row["kind"] for row in rows] == ["nothing", "network", "network", "baseline"]
    written = json.loads((bright(made) / "scores.json").read_text())
    assert float(rows[2]["psnr"]) == written["psnr"]
    assert float(rows[2]["gain_psnr_low"]) == written["gain"]["psnr"]["low"]
    assert float(rows[0]["mse"]) == written["identity"]["mse"]
    assert rows[2]["parameters"] == str(50 * 896 + 867)
    assert rows[3]["parameters"] == ""


def test_markdown_has_every_table(made: Path, tmp_path: Path) -> None:
    report.write([soft(made), bright(made)], tmp_path / "out.md", file_format="markdown")
    text = (tmp_path / "out.md").read_text()
    gain = json.loads((soft(made) / "scores.json").read_text())["gain"]["psnr"]
    shown = f"{gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"
    assert "| soft | 1,763 |" in text
    assert shown.replace("-", "−") in text
    assert "| 10 JPEG | 5 |" in text
    assert "| i25 | 3 |" in text
    assert "| Conv2D | H × W × 32 | 50 | 44,800 |" in text
    assert "- PSNR: R = 1, over R, G and B" in text
    tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert len(tables) == 6
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_equal_runs_give_equal_bytes(made: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        out = tmp_path / name
        report.write([soft(made), bright(made)], out, file_format="html")
        pages.append(out.read_bytes())
    assert pages[0] == pages[1]


def test_reports_need_no_tensorflow(made: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tidenhance import report;"
        "report.write([Path(sys.argv[1])], Path(sys.argv[2]), file_format='html');"
        "print(*sorted({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, soft(made), tmp_path / "out.html"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == ""
    assert "data:image/jpeg" in (tmp_path / "out.html").read_text()


def test_page_says_what_was_run_and_measured(made: Path, tmp_path: Path) -> None:
    text = pages_text(html(tmp_path, soft(made), bright(made)))
    gain = json.loads((soft(made) / "scores.json").read_text())["gain"]["psnr"]
    for wanted in (
        "2 runs on the validation split: level 5; 15 pairs of 5 references",
        f"+{gain['mean']:.2f} dB PSNR",
        f"95 % interval +{gain['low']:.2f} to +{gain['high']:.2f} dB, n = 5 references",
        "better than doing nothing",
        "not clearly different from doing nothing: the interval includes 0",
        "time trained 4 min 10 s",
        "best epoch 20, val_loss 0.00660",
        "Solid: validation; dashed: training.",
        "R = 1, over R, G and B",
        "receptive field 5 x 5 pixels",
        "All 52 layers",
    ):
        assert wanted in text, wanted
    assert "the article" not in text


def test_articles_figures_stand_beside_ours_where_given(copied: Path) -> None:
    figures = {"figures": {"mse": 0.0056, "mae": 0.0527}, "note": "measured on the real archive"}
    edit_scores(soft(copied), article=figures)
    text = pages_text(html(copied, soft(copied), bright(copied)))
    assert "soft and the article" in text
    assert "bright and the article" not in text
    assert "0.0056" in text
    assert "The article’s figures are not ours: measured on the real archive." in text


def test_best_and_worst_are_the_extremes_by_gain_each_of_another_type(
    made: Path, tmp_path: Path
) -> None:
    page = html(tmp_path, bright(made))
    shown = re.findall(r"<h4>(Best|Worst): (\S+): ", page)
    with (bright(made) / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    gains = {row["name"]: float(row["psnr"]) - float(row["identity_psnr"]) for row in rows}
    assert shown[0] == ("Best", max(gains, key=gains.__getitem__))
    assert shown[3] == ("Worst", min(gains, key=gains.__getitem__))
    for group in (shown[:3], shown[3:]):
        assert len({name[4:6] for _, name in group}) == 3


def test_pictures_and_error_map_are_those_of_the_pair(made: Path, tmp_path: Path) -> None:
    page = html(tmp_path, bright(made))
    name = re.findall(r"<h4>Best: (\S+): ", page)[0]
    sources = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', page)[:4]
    restored, distorted, reference, error = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(source)))).astype(float)
        for source in sources
    )
    tree = made / "tree"
    for shown, path in (
        (restored, bright(made) / "images" / "val" / f"{name}.png"),
        (distorted, tree / "distorted_images" / f"{name}.bmp"),
        (reference, tree / "reference_images" / f"{name[:3]}.bmp"),
    ):
        assert np.abs(shown - np.asarray(Image.open(path))).mean() < 4
    # 40 was taken away and 30 added.
    assert name[4:6] == "16"
    expected = matplotlib.colormaps["inferno"](10 / 255 / 0.25, bytes=True)[:3]
    assert np.abs(np.median(error, axis=(0, 1)) - expected).max() < 12


def test_what_is_missing_is_said_with_the_command_that_makes_it(copied: Path) -> None:
    run = soft(copied)
    (run / "network.json").unlink()
    (run / "history.csv").unlink()
    shutil.rmtree(run / "images")
    edit_scores(run, baselines={})
    text = pages_text(html(copied, run))
    assert f"tidenhance summary --config {run}/config.yaml" in text
    assert f"tidenhance train --resume {run}" in text
    assert f"tidenhance eval {run} --save-images" in text
    assert f"tidenhance eval {run} --baseline nlm" in text
    assert "No run has a history." in text
    (run / "scores.csv").unlink()
    assert "no scores.csv" in pages_text(html(copied, run))


def test_without_the_data_there_are_no_pictures(copied: Path) -> None:
    config = soft(copied) / "config.yaml"
    config.write_text(re.sub(r"root: .*", "root: gone", config.read_text()))
    page = html(copied, soft(copied))
    assert "gone: no such folder" in pages_text(page)
    assert "data:image" not in page
    with pytest.raises(DataError, match="also-gone"):
        html(copied, soft(copied), root="also-gone")


def test_pictures_of_another_evaluation_are_not_shown(copied: Path) -> None:
    for path in (soft(copied) / "images" / "val").iterdir():
        shutil.copy(bright(copied) / "images" / "val" / path.name, path)
    page = html(copied, soft(copied))
    assert "the pictures are not those that were evaluated" in pages_text(page)
    assert "data:image" not in page


def test_runs_without_types(copied: Path) -> None:
    edit_scores(soft(copied), per_type={}, levels=None)
    text = pages_text(html(copied, soft(copied)))
    assert "Gain by reference" in text
    assert "Gain by distortion type" not in text


def test_scores_of_other_levels(copied: Path) -> None:
    found = json.loads((soft(copied) / "scores.json").read_text())
    (soft(copied) / "scores-levels-12.json").write_text(json.dumps(found | {"levels": [1, 2]}))
    text = pages_text(html(copied, soft(copied), levels=[1, 2]))
    assert "levels 1, 2; 15 pairs" in text
    assert f"tidenhance eval {soft(copied)} --levels 1,2 --save-images" in text


def test_a_single_reference_has_no_interval(copied: Path) -> None:
    found = json.loads((soft(copied) / "scores.json").read_text())
    found["gain"]["psnr"] |= {"low": None, "high": None, "references": 1}
    (soft(copied) / "scores.json").write_text(json.dumps(found | {"references": 1}))
    assert "no interval: it needs more than one reference" in pages_text(html(copied, soft(copied)))


def test_a_run_named_twice_is_shown_once(made: Path, tmp_path: Path) -> None:
    again = soft(made) / ".." / soft(made).name
    assert "1 run on the validation split" in html(tmp_path, soft(made), again)


def test_names_are_text_not_markup(copied: Path) -> None:
    config = soft(copied) / "config.yaml"
    hostile = "'<script>alert(1)</script> $x_1$ \"&'"
    config.write_text(config.read_text().replace("config: soft", f"config: {hostile}"))
    page = html(copied, soft(copied))
    assert page.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt; $x_1$" in page


def test_a_page_too_large_shows_fewer_pictures(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = len(html(tmp_path, soft(made)))
    monkeypatch.setattr(report_page, "MOST_BYTES", whole - 1)
    fewer = html(tmp_path, soft(made))
    assert len(fewer) < whole
    assert "2 best and 2 worst pictures of each run are shown instead of 3" in pages_text(fewer)
    monkeypatch.setattr(report_page, "MOST_BYTES", 1000)
    with pytest.raises(RunError, match="Report on fewer"):
        html(tmp_path, soft(made))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"data_fingerprint": "beef" * 16}, "data_fingerprint"),
        ({"levels": [1]}, "levels"),
        ({"split": "test"}, "split"),
    ],
)
def test_runs_on_different_data_are_not_compared(
    copied: Path, changes: dict[str, Any], named: str
) -> None:
    edit_scores(bright(copied), **changes)
    with pytest.raises(RunError) as caught:
        html(copied, soft(copied), bright(copied))
    message = str(caught.value)
    assert message.startswith(f"{bright(copied)}: evaluated on other data than {soft(copied)}")
    assert f"Expected as {named}: " in message
    assert f"tidenhance eval {bright(copied)}" in message
    assert not (copied / "report.html").exists()


def test_a_run_without_scores(copied: Path) -> None:
    (soft(copied) / "scores.json").unlink()
    with pytest.raises(RunError) as caught:
        html(copied, soft(copied))
    assert f"{soft(copied)}: no scores.json" in str(caught.value)
    assert f"tidenhance eval {soft(copied)}" in str(caught.value)
    with pytest.raises(RunError, match=r"scores-test\.json.* --split test"):
        html(copied, bright(copied), split="test")


def test_scores_of_another_version(copied: Path) -> None:
    found = json.loads((soft(copied) / "scores.json").read_text())
    old = {key: found[key] for key in ("run", "split", "pairs", "psnr", "identity")}
    (soft(copied) / "scores.json").write_text(json.dumps(old | {"tidenhance": "0.0.9"}))
    with pytest.raises(RunError) as caught:
        html(copied, soft(copied))
    assert "scores.json: written by tidenhance 0.0.9" in str(caught.value)
    assert "gain: field required" in str(caught.value)
    assert f"Evaluate the run again: tidenhance eval {soft(copied)}" in str(caught.value)


@pytest.mark.parametrize("name", ["scores.json", "network.json", "history.csv", "scores.csv"])
def test_a_damaged_file_is_named(copied: Path, name: str) -> None:
    (soft(copied) / name).write_text('{"half": ')
    with pytest.raises(RunError, match=re.escape(name)):
        html(copied, soft(copied))


def test_not_a_run_and_no_place_to_write(made: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        html(tmp_path, tmp_path)
    with pytest.raises(RunError, match="at least one run"):
        html(tmp_path)
    with pytest.raises(WriteError, match="cannot be written"):
        report.write([soft(made)], tmp_path / "no" / "out.csv", file_format="csv")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (146_000_000_000, "", "146 G"),
        (999_999, "", "1 M"),
        (0.0042, "s", "4.2 ms"),
        (1, "s", "1 s"),
        (0, "", "0"),
    ],
)
def test_engineering(value: float, unit: str, shown: str) -> None:
    assert plots.engineering(value, unit) == shown


Driver = Any
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    service = shutil.which("chromedriver")
    if binary is None or service is None:
        reason = "needs chromium and chromedriver (on Debian: apt install chromium-driver)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("browser")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(service))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def page(made: Path) -> Path:
    out = made / "browser.html"
    report.write([soft(made), bright(made)], out, file_format="html")
    return out


@pytest.fixture
def opened(driver: Driver, page: Path) -> Driver:
    """The report, as on a desktop screen in light colours."""
    emulate(driver)
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(page.as_uri())
    return driver


def emulate(driver: Driver, width: int = 1280, scheme: str = "light", media: str = "") -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def style(driver: Driver, selector: str, name: str) -> str:
    return driver.execute_script(
        "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]",
        selector,
        name,
    )


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of a computed colour, rgb(…) of 255 or color(srgb …) of 1."""
    values = [float(v) for v in re.findall(r"[\d.]+", colour)[:3]]
    parts = [value / (1 if colour.startswith("color(") else 255) for value in values]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_browser_has_nothing_to_complain_of_and_asks_for_nothing(opened: Driver, page: Path):
    time.sleep(0.3)
    assert opened.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert page.as_uri() in asked
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}


def test_every_picture_loads_and_has_a_text(opened: Driver) -> None:
    pictures = opened.execute_script(
        "return [...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.alt])"
    )
    assert len(pictures) == 2 * 6 * 4
    assert {(width, height) for width, height, _ in pictures} == {SIZE}
    assert all(alt for _, _, alt in pictures)
    assert len({alt for _, _, alt in pictures}) > len(pictures) / 2
    unnamed = "svg.plot:not([aria-label]), input:not([aria-label]), th:empty, a:empty"
    assert opened.execute_script(f"return document.querySelectorAll('{unnamed}').length") == 0


def test_ids_are_unique_and_headings_in_order(opened: Driver) -> None:
    ids = opened.execute_script("return [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    levels = opened.execute_script(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_slider_moves_when_dragged(opened: Driver) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    slider = opened.find_element(By.CSS_SELECTOR, ".compare input")
    opened.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", slider
    )
    time.sleep(0.2)
    before = style(opened, ".distorted", "clipPath")
    width = slider.size["width"]
    drag = ActionChains(opened, duration=50).move_to_element(slider).click_and_hold()
    drag.move_by_offset(-round(width / 4), 0).release().perform()
    assert float(slider.get_property("value")) == pytest.approx(25, abs=1)
    after = style(opened, ".distorted", "clipPath")
    assert after != before
    visible = opened.execute_script(
        "const box = document.querySelector('.compare').getBoundingClientRect();"
        "const cut = document.querySelector('.cut').getBoundingClientRect();"
        "return (cut.left + cut.width / 2 - box.left) / box.width"
    )
    assert visible == pytest.approx(0.25, abs=0.015)


def test_slider_moves_by_keyboard_and_shows_its_focus(opened: Driver) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    slider = opened.find_element(By.CSS_SELECTOR, ".compare input")
    before = style(opened, ".distorted", "clipPath")
    slider.send_keys(Keys.ARROW_RIGHT * 3)
    assert slider.get_property("value") == "51.5"
    assert style(opened, ".distorted", "clipPath") != before
    assert style(opened, ".compare", "outlineStyle") == "solid"
    slider.send_keys(Keys.HOME)
    assert slider.get_property("value") == "0"
    assert "100%" in style(opened, ".distorted", "clipPath")


def test_reference_and_error_map_at_the_press_of_a_button(opened: Driver) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def shown() -> tuple[str, str]:
        return style(opened, ".reference", "visibility"), style(opened, ".error", "visibility")

    reference, error = opened.find_elements(By.CSS_SELECTOR, ".example button")[:2]
    assert shown() == ("hidden", "hidden")
    reference.send_keys(Keys.SPACE)
    assert shown() == ("visible", "hidden")
    assert reference.get_attribute("aria-pressed") == "true"
    error.send_keys(Keys.ENTER)
    assert shown() == ("hidden", "visible")
    assert reference.get_attribute("aria-pressed") == "false"
    opened.find_element(By.CSS_SELECTOR, ".compare input").send_keys(Keys.ARROW_LEFT)
    assert shown() == ("hidden", "hidden")


def test_no_sideways_scrolling_on_a_phone(opened: Driver) -> None:
    emulate(opened, width=375)
    opened.execute_script("document.querySelectorAll('details').forEach(d => { d.open = true })")
    inner, scrolled = opened.execute_script(
        "return [innerWidth, document.documentElement.scrollWidth]"
    )
    assert (inner, scrolled) == (375, 375)
    wide = opened.execute_script(
        "return [...document.querySelectorAll('.scroll')].some(b => b.scrollWidth > b.clientWidth)"
    )
    assert wide


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(opened: Driver, scheme: str) -> None:
    emulate(opened, scheme=scheme)
    background = style(opened, "body", "backgroundColor")
    assert (luminance(background) < 0.05) == (scheme == "dark")
    for selector, name in (
        ("body", "color"),
        (".muted", "color"),
        (".caption", "color"),
        ("nav a", "color"),
        (".series-1", "color"),
        (".series-2", "color"),
        (".plot text", "fill"),
    ):
        assert contrast(style(opened, selector, name), background) > 4.5, selector
    cells = opened.execute_script(
        "return [...document.querySelectorAll('.gain')].map(cell => {"
        " const s = getComputedStyle(cell); return [s.color, s.backgroundColor] })"
    )
    assert len({cell for _, cell in cells}) > 5
    assert min(contrast(text, cell) for text, cell in cells) > 4.5
    strokes = opened.execute_script(
        "return [...document.querySelectorAll('.plot path')]"
        ".map(p => getComputedStyle(p).stroke).filter(s => s.startsWith('rgb'))"
    )
    assert min(contrast(stroke, background) for stroke in strokes) > 3


def test_print_is_light_and_shows_all_four_pictures(opened: Driver) -> None:
    emulate(opened, scheme="dark", media="print")
    assert style(opened, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert style(opened, ".compare input", "display") == "none"
    places = opened.execute_script(
        "return [...document.querySelector('.compare').querySelectorAll('img')]"
        ".map(i => i.getBoundingClientRect()).map(r => [r.left, r.width])"
    )
    assert len({left for left, _ in places}) == 4
    assert all(width > 50 for _, width in places)
    for layer in ("restored", "distorted", "reference", "error"):
        assert style(opened, f".{layer}", "visibility") == "visible"
        assert style(opened, f".{layer}", "clipPath") == "none"


def test_page_works_without_script(opened: Driver, page: Path) -> None:
    opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened.get(page.as_uri())
        assert "50%" in style(opened, ".distorted", "clipPath")
    finally:
        opened.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
