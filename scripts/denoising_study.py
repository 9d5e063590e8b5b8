"""The manual's comparison of autoencoders that denoise digits, with figures in place of the eye.

The runs named are tried on MNIST's test set under each noise, and on digits from outside MNIST:
`photographed`, rendered in fonts as light paint on walls from nearly black to dark grey, with
texture, shading, blur and grain; `drawn`, white strokes of a brush on black, with grain, saved as
JPEG. Each outside digit goes through `tidenhance enhance`'s own function, from a file to a file. A
small classifier, trained on clean MNIST, says how many digits it recognises. Written are
study.json, study.md, outside.png and the outside digits.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import matplotlib as mpl
import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

from tidenhance import comparison, enhance, forward_tensorflow, images, inference, runs, scores
from tidenhance.data.datasets import mnist_noise
from tidenhance.data.pairs import Pairs
from tidenhance.errors import TidenhanceError

Floats = NDArray[np.float32]

KINDS = ("photographed", "drawn")

SIDE = 224  # of an outside picture
BOX = 160  # of the digit in it, as MNIST's are 20 of 28

FONTS = {
    1: "DejaVuSans.ttf",
    6: "DejaVuSerif-Bold.ttf",
    8: "DejaVuSansMono-Oblique.ttf",
    9: "STIXGeneral.ttf",
    3: "STIXGeneralItalic.ttf",
    5: "DejaVuSans-BoldOblique.ttf",
    4: "DejaVuSerif-Italic.ttf",
    7: "cmr10.ttf",
}

# Strokes of a brush: points of an open curve each, in a box of 1 x 1 with y downwards.
STROKES: dict[int, list[list[tuple[float, float]]]] = {
    0: [[(0.55, 0.02), (0.22, 0.2), (0.15, 0.6), (0.4, 0.97), (0.75, 0.8), (0.82, 0.35),
         (0.6, 0.06), (0.48, 0.05)]],
    2: [[(0.2, 0.25), (0.4, 0.03), (0.75, 0.12), (0.72, 0.42), (0.4, 0.72), (0.15, 0.95)],
        [(0.15, 0.95), (0.5, 0.9), (0.88, 0.96)]],
    3: [[(0.2, 0.12), (0.55, 0.02), (0.75, 0.22), (0.45, 0.45)],
        [(0.45, 0.45), (0.82, 0.62), (0.65, 0.93), (0.2, 0.92)]],
    4: [[(0.35, 0.03), (0.2, 0.35), (0.12, 0.58), (0.5, 0.57), (0.88, 0.54)],
        [(0.68, 0.25), (0.64, 0.6), (0.62, 0.98)]],
    5: [[(0.8, 0.05), (0.5, 0.06), (0.28, 0.08)], [(0.28, 0.08), (0.24, 0.28), (0.22, 0.45)],
        [(0.22, 0.45), (0.6, 0.38), (0.82, 0.65), (0.55, 0.95), (0.18, 0.9)]],
    6: [[(0.7, 0.03), (0.35, 0.25), (0.2, 0.6), (0.3, 0.92), (0.62, 0.95), (0.78, 0.72),
         (0.55, 0.52), (0.25, 0.65)]],
    7: [[(0.15, 0.08), (0.5, 0.1), (0.85, 0.06)], [(0.85, 0.06), (0.6, 0.45), (0.4, 0.98)]],
    9: [[(0.78, 0.2), (0.5, 0.03), (0.22, 0.22), (0.35, 0.47), (0.65, 0.4), (0.78, 0.2)],
        [(0.78, 0.2), (0.74, 0.6), (0.62, 0.97)]],
}  # fmt: skip


class Outside(NamedTuple):
    """A digit from outside MNIST: its file's name, and the clean digit, (28, 28, 1) in [0, 1]."""

    kind: str
    file: str
    digit: int
    clean: Floats


def outside_digits(folder: Path, seed: int = 1) -> list[Outside]:
    """Write the outside digits' files, and return what they are."""
    random = np.random.default_rng(seed)
    found = []
    for wall, (digit, font) in zip(np.linspace(0.02, 0.25, len(FONTS)), FONTS.items(), strict=True):
        mask = rendered(digit, font)
        file = f"photographed-{digit}-{Path(font).stem}.png"
        images.write_rgb(folder / file, photographed(mask, wall, random))
        found.append(Outside("photographed", file, digit, shrunk(mask)))
    for digit, strokes in STROKES.items():
        mask = brushed(strokes, random)
        file = f"drawn-{digit}.jpg"
        grain = ndimage.gaussian_filter(random.standard_normal(mask.shape), 3)
        grainy = mask + random.uniform(0.02, 0.1) * grain / grain.std()
        colours = images.to_rgb(grainy[..., np.newaxis])
        Image.fromarray(colours).save(folder / file, quality=40)
        found.append(Outside("drawn", file, digit, shrunk(mask)))
    return found


def rendered(digit: int, font: str) -> Floats:
    """Return a digit in a font, (224, 224) in [0, 1]."""
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / font
    canvas = Image.new("L", (2 * SIDE, 2 * SIDE))
    drawing = ImageDraw.Draw(canvas)
    drawing.text((SIDE, SIDE), str(digit), 255, ImageFont.truetype(path, 200), anchor="mm")
    return centred(canvas)


def brushed(
    strokes: Sequence[Sequence[tuple[float, float]]], random: np.random.Generator
) -> Floats:
    """Return a digit drawn with a round, unsteady brush, (224, 224) in [0, 1]."""
    canvas = Image.new("L", (2 * SIDE, 2 * SIDE))
    drawing = ImageDraw.Draw(canvas)
    width = random.uniform(18, 26)
    for stroke in strokes:
        points = (np.array(stroke) + random.normal(0, 0.015, (len(stroke), 2))) * 1.3 * BOX
        times = np.linspace(0, 1, 200)
        along = [np.interp(times, np.linspace(0, 1, len(points)), axis) for axis in points.T]
        x, y = (ndimage.gaussian_filter1d(axis, 14, mode="nearest") for axis in along)
        pressure = 1 + 0.25 * np.sin(times * random.uniform(2, 5) + random.uniform(0, 6))
        for left, top, radius in zip(x + 90, y + 90, width / 2 * pressure, strict=True):
            drawing.ellipse((left - radius, top - radius, left + radius, top + radius), 255)
    return centred(canvas)


def centred(canvas: Image.Image) -> Floats:
    """Return a drawing scaled into the box, its centre of mass in the middle, as MNIST's are."""
    inked = canvas.crop(canvas.getbbox())
    scale = BOX / max(inked.size)
    size = (max(1, round(inked.width * scale)), max(1, round(inked.height * scale)))
    inked = inked.resize(size, Image.Resampling.BICUBIC)
    row, column = ndimage.center_of_mass(np.asarray(inked, np.float64))
    whole = Image.new("L", (SIDE, SIDE))
    whole.paste(inked, (round(SIDE / 2 - column), round(SIDE / 2 - row)))
    return images.to_float(np.asarray(whole.filter(ImageFilter.GaussianBlur(3))))


def shrunk(mask: Floats) -> Floats:
    return images.resize(mask[..., np.newaxis], 28, 28)


def photographed(mask: Floats, wall: float, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return the digit as a photograph of light paint on an uneven wall, dark as `wall` says."""
    rough = sum(
        strength * smooth / smooth.std()
        for sigma, strength in ((1.5, 0.03), (6, 0.04), (25, 0.05))
        for smooth in [ndimage.gaussian_filter(random.standard_normal((SIDE, SIDE)), sigma)]
    )
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    shade = 0.12 * (np.cos(angle) * x + np.sin(angle) * y)
    blurred = ndimage.gaussian_filter(mask, random.uniform(1, 6))
    tint, paint = wall * random.uniform(0.8, 1.2, 3), random.uniform(0.75, 1.0, 3)
    light = (1 + shade + 1.5 * rough)[..., np.newaxis]
    ink = blurred[..., np.newaxis] * (1 - 0.8 * np.abs(rough))[..., np.newaxis]
    scene = (tint * (1 - ink) + paint * ink) * light
    return images.to_uint8(scene + random.normal(0, 0.06, scene.shape))


def classifier(clean: Floats, labels: NDArray[np.int64], epochs: int) -> keras.Model:
    """Return a small convolutional classifier, trained on clean digits."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(clean, labels, batch_size=128, epochs=epochs, verbose=0)
    return model


def figures(
    clean: Floats, picture: Floats, labels: NDArray[np.int64], judge: keras.Model
) -> dict[str, Any]:
    """Return PSNR, MSE and accuracy over pictures, and each picture's PSNR and recognition."""
    # As it is saved: clipped, 8 bits.
    seen = images.to_float(images.to_uint8(picture))
    mse = np.mean((seen - clean) ** 2, axis=(1, 2, 3))
    psnr = -10 * np.log10(np.maximum(mse, 1e-10))
    found = judge.predict(seen, batch_size=500, verbose=0).argmax(axis=1)
    return {
        "psnr": float(psnr.mean()),
        "mse": float(mse.mean()),
        "accuracy": float(np.mean(found == labels)),
        "each_psnr": psnr,
        "each_found": found,
    }


def stacked(pairs: Sequence[Any]) -> tuple[Floats, Floats, NDArray[np.int64]]:
    noisy = np.stack([images.to_float(pair.distorted) for pair in pairs])
    clean = np.stack([images.to_float(pair.reference) for pair in pairs])
    labels = np.array([int(pair.reference_name.split()[-1]) for pair in pairs])
    return noisy, clean, labels


def sets(load: Callable[[int], Pairs]) -> dict[str, tuple[Floats, Floats, NDArray[np.int64]]]:
    """Return the test set under each noise."""
    mild, coarse = load(1)["test"], load(2)["test"]
    chosen = {
        "mild": [pair for pair in mild if pair.type == mnist_noise.ADDITIVE],
        "coarse": [pair for pair in coarse if pair.type == mnist_noise.ADDITIVE],
        "speckle": [pair for pair in coarse if pair.type == mnist_noise.MULTIPLICATIVE],
    }
    return {name: stacked(pairs) for name, pairs in chosen.items()}


def restored_outside(
    label: str, network: inference.Network, outside: Sequence[Outside], folder: Path
) -> Floats:
    """Enhance the outside digits' files; return (N, 28, 28, 1) in [0, 1]."""
    found = []
    for digit in outside:
        target = folder / f"{Path(digit.file).stem}_{label.replace('/', '-')}.png"
        enhance.enhance_picture(folder / digit.file, target, network=network, force=True)
        found.append(images.to_float(np.asarray(Image.open(target)))[..., np.newaxis])
    return np.stack(found)


def draw(path: Path, columns: dict[str, Floats], guesses: dict[str, NDArray[np.int64]]) -> None:
    """Draw the outside digits, a column each, a row for each way to restore them."""
    count = len(next(iter(columns.values())))
    figure, axes = pyplot.subplots(
        len(columns), count, figsize=(0.85 * count + 1.6, 0.98 * len(columns)), squeeze=False
    )
    for row, (label, pictures) in zip(axes, columns.items(), strict=True):
        for axis, picture, guess in zip(row, pictures, guesses[label], strict=True):
            axis.imshow(picture[..., 0], cmap="gray", vmin=0, vmax=1)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_title(str(guess), fontsize=8, pad=2)
        row[0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def markdown(study: dict[str, Any]) -> str:
    names = list(study["pictures"])
    lines = [
        "| restored by | " + " | ".join(names) + " |",
        "| --- |" + " ---: |" * len(names),
    ]
    for method, cells in study["table"].items():
        shown = [
            f"{cell['psnr']:.2f} dB, {cell['mse']:.4f}, {100 * cell['accuracy']:.1f} %"
            for cell in (cells[name] for name in names)
        ]
        lines.append(f"| {method} | " + " | ".join(shown) + " |")
    lines += ["", "| comparison | on | difference in PSNR, 95 % interval | recognised |"]
    lines += ["| --- | --- | ---: | ---: |"]
    for row in study["comparisons"]:
        psnr = row["psnr"]
        lines.append(
            f"| {row['first']} – {row['second']} | {row['on']} | {psnr['mean']:+.2f} dB"
            f" ({psnr['low']:+.2f} to {psnr['high']:+.2f}) | {100 * row['accuracy']:+.1f} % |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="RUN", help="runs of the manual's configs")
    parser.add_argument("--runs", type=Path, default=runs.FOLDER, help="the folder of all runs")
    parser.add_argument("--data", metavar="FILE", help="mnist.npz; downloaded if not given")
    parser.add_argument("--source", choices=["mnist", "digits"], default="mnist")
    parser.add_argument("--epochs", type=int, default=5, help="of the classifier")
    parser.add_argument("--out", type=Path, default=Path("denoising-study"))
    arguments = parser.parse_args()
    compared = runs.distinct([runs.find_model(name, arguments.runs) for name in arguments.names])

    def load(level: int) -> Pairs:
        return mnist_noise.load(root=arguments.data, source=arguments.source, levels=[level])

    _, digits, labels = stacked(load(1)["train"])
    judge = classifier(digits, labels, arguments.epochs)
    tests = sets(load)
    arguments.out.mkdir(parents=True, exist_ok=True)
    outside = outside_digits(arguments.out)
    all_clean = np.stack([digit.clean for digit in outside])
    pictures = [images.read_picture(arguments.out / digit.file).pixels for digit in outside]
    columns = {"outside": np.stack([inference.as_input(one, (28, 28, 1)) for one in pictures])}

    def outside_figures(restored: Floats) -> dict[str, dict[str, Any]]:
        found = {}
        for kind in KINDS:
            where = np.array([digit.kind == kind for digit in outside])
            labels = np.array([digit.digit for digit in outside])[where]
            found[kind] = figures(all_clean[where], restored[where], labels, judge)
        return found

    table = {"doing nothing": {n: figures(c, x, y, judge) for n, (x, c, y) in tests.items()}}
    table["doing nothing"] |= outside_figures(columns["outside"])
    for run, label in zip(compared, comparison.labels(compared), strict=True):
        network = forward_tensorflow.load(run)
        table[label] = {
            n: figures(
                c, np.concatenate(list(map(network.forward, np.array_split(x, 8)))), y, judge
            )
            for n, (x, c, y) in tests.items()
        }
        columns[label] = restored_outside(label, network, outside, arguments.out)
        table[label] |= outside_figures(columns[label])
    clean = {n: figures(c, c, y, judge) for n, (_, c, y) in tests.items()}
    clean |= outside_figures(all_clean)
    columns["clean"] = all_clean
    methods = {"outside": table["doing nothing"], **table, "clean": clean}
    guesses = {
        label: np.concatenate([methods[label][kind]["each_found"] for kind in KINDS])
        for label in columns
    }
    draw(arguments.out / "outside.png", columns, guesses)

    comparisons = [
        {
            "first": first,
            "second": second,
            "on": on,
            "psnr": scores.mean_and_interval(
                table[first][on]["each_psnr"] - table[second][on]["each_psnr"]
            ),
            "accuracy": table[first][on]["accuracy"] - table[second][on]["accuracy"],
        }
        for first, second in (
            ("mnist-conv-coarse", "mnist-linear-coarse"),
            ("mnist-conv-mild", "mnist-linear-mild"),
            ("mnist-conv-coarse", "mnist-conv-mild"),
            ("mnist-conv-coarse", "mnist-conv2-coarse"),
        )
        if first in table and second in table
        for on in table[first]
    ]
    study = {
        "pictures": {name: len(cell["each_psnr"]) for name, cell in clean.items()},
        "classifier_on_clean": {name: cell["accuracy"] for name, cell in clean.items()},
        "table": {
            method: {on: {k: v for k, v in cell.items() if not k.startswith("each")}
                     for on, cell in cells.items()}
            for method, cells in table.items()
        },
        "comparisons": comparisons,
    }  # fmt: skip
    (arguments.out / "study.json").write_text(json.dumps(study, indent=2) + "\n")
    (arguments.out / "study.md").write_text(markdown(study))
    print(markdown(study))
    print(f"clean digits recognised: {study['classifier_on_clean']}")
    print(f"written: {arguments.out}/study.json, study.md, outside.png")


if __name__ == "__main__":
    try:
        main()
    except TidenhanceError as error:
        sys.exit(f"error: {error}")
