"""What many tests share: small trees in TID2013's layout, and evaluated runs on one of them."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageFilter

os.environ["KERAS_BACKEND"] = "tensorflow"
# A shell's background jobs, and what they start, ignore Ctrl-C; the tests of it must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

SIDE = 48

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


@pytest.fixture(autouse=True)
def _nothing_global_stays() -> Iterator[None]:
    """Take back what the tool sets for its whole process."""
    logger = logging.getLogger("tidenhance")
    handlers, level = list(logger.handlers), logger.level
    variables = {name: os.environ.get(name) for name in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND")}
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def photograph() -> NDArray[np.uint8]:
    """A real photograph, uint8 (512, 512, 3)."""
    from tidenhance.data import sample

    return sample.photographs()["astronaut"]


@pytest.fixture(scope="session")
def small_tree(tmp_path_factory: pytest.TempPathFactory, photograph: NDArray[np.uint8]) -> Path:
    """Four references of 48 x 48 and their level-5 pictures of types 1, 5 and 10."""
    from tidenhance.data import synthesis

    root = tmp_path_factory.mktemp("data") / "tree"
    corners = [(100, 150), (100, 200), (300, 100), (350, 300)]
    references = [photograph[top : top + SIDE, left : left + SIDE] for top, left in corners]
    for _ in synthesis.synthesise(
        references, root, types=[1, 5, 10], levels=[5], seed=1, workers=1
    ):
        pass
    return root


@pytest.fixture(scope="session")
def soft_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated run that blurs, on 15 pairs in the folder `tree` beside it."""
    folder = tmp_path_factory.mktemp("runs")
    return make_run(folder / "soft-20261122-052552", make_tree(folder / "tree"), blurred)


@pytest.fixture(scope="session")
def bright_run(soft_run: Path) -> Path:
    """An evaluated run that brightens, of a longer network, on the same pairs."""
    many = LAYERS[:1] + LAYERS[1:2] * 50 + LAYERS[2:]
    folder = soft_run.parent
    return make_run(
        folder / "bright-20261122-062552", folder / "tree", brighter, layers=many, seconds=2.5
    )


@pytest.fixture
def soft_copy(soft_run: Path, tmp_path: Path) -> Path:
    """The same run, free to be changed; the tree stays where it is."""
    return Path(shutil.copytree(soft_run, tmp_path / soft_run.name))


@pytest.fixture
def bright_copy(bright_run: Path, tmp_path: Path) -> Path:
    """The same run, free to be changed; the tree stays where it is."""
    return Path(shutil.copytree(bright_run, tmp_path / bright_run.name))


@pytest.fixture
def html(tmp_path: Path) -> Callable[..., str]:
    """Write a report on runs; return its source."""
    from tidenhance import report

    def write(*runs: Path, **options: Any) -> str:
        out = tmp_path / "report.html"
        report.write(runs, out, file_format="html", **options)
        return out.read_text()

    return write


@pytest.fixture
def pages_text() -> Callable[[str], str]:
    """Return a page's text: no markup, no runs of blanks."""

    def strip(page: str) -> str:
        body = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
        return " ".join(body.split())

    return strip


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
    from skimage.metrics import structural_similarity

    difference = (picture.astype(float) - reference) / 255
    mse = float(np.mean(difference**2))
    return {
        "psnr": -10 * float(np.log10(mse)),
        "ssim": float(structural_similarity(reference, picture, channel_axis=2)),
        "mse": mse,
        "mae": float(np.mean(np.abs(difference))),
    }


def make_tree(root: Path) -> Path:
    from tidenhance.data import sample

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
    from tidenhance import scores

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
    return scores.aggregate(rows, HIGHER_IS_BETTER) | {"data_fingerprint": "a1b2c3"}


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
            "tensorflow": "2.21.0",
            "numpy": "2.3.5",
            "python": "3.11.7",
            "platform": "Linux",
            "git_commit": None,
            "device": "CPU, 2 cores",
            "started": "2026-11-22T05:25:52+00:00",
        },
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (path / "state.json").write_text('{"state": "finished"}')
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
