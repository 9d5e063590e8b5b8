"""Handwritten digits under Gaussian noise and speckle, for denoising autoencoders.

The noise is that of the manual whose study this repeats; its parameters are on the 0 to 255 scale.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from tidenhance.components import PathText
from tidenhance.data.pairs import Pair, Pairs, Split
from tidenhance.errors import DataError, did_you_mean, printable
from tidenhance.images import resize, to_float, to_uint8

Level = Annotated[int, Field(ge=1, le=2)]
Digits = NDArray[np.uint8]
Labels = NDArray[np.integer[Any]]

# Without a root Keras has MNIST; the variable TIDENHANCE_DATA is for data that must be named.
ROOT_IS_OPTIONAL = True

# Mean and variance at level 1, mild, and at level 2, coarse.
GAUSSIAN = {1: (-5.9, 35.0), 2: (-20.0, 600.0)}

# TID2013's numbers of the two types: additive and multiplicative Gaussian noise.
ADDITIVE, MULTIPLICATIVE = 1, 19

FILE = "mnist.npz"

# So that no array of all pictures' noise in float32 is ever made.
_AT_ONCE = 4096

HOW_TO_GET = f"""\
MNIST, {FILE}, is a file of 11 MB, which Keras downloads:
  python -c "import keras; keras.datasets.mnist.load_data()"
A copy of it is named by --data {FILE}, or data.root in the config.
Or take scikit-learn's digits in its place, 1,797 in all: data.source=digits"""


def load(
    *,
    root: PathText | None = None,
    source: Literal["mnist", "digits"] = "mnist",
    levels: Annotated[list[Level], Field(min_length=1)] = [2],  # noqa: B006
    seed: Annotated[int, Field(ge=0)] = 1,
    dtype: Literal["float16", "float32"] = "float16",
) -> Pairs:
    """Return noisy and clean digits, (28, 28, 1), by split.

    The first half of each split has additive Gaussian noise, of mean -5.9 and variance 35 at level
    1 and of mean -20 and variance 600 at level 2. The second half has speckle, x + x n with n of
    mean 0 and variance 1, at either level. These are on the scale of 0 to 255; pairs are on that
    of 0 to 1, and the noisy pictures are not clipped to it.

    MNIST's training set is trained on. Of its test set every fifth picture is validated on, and
    the others are for testing.

    Args:
        root: MNIST as Keras keeps it, the file `mnist.npz` or its folder. Without it, Keras' own
            loader gets it, from the network the first time.
        source: `mnist`, or `digits`: scikit-learn's 8 x 8 digits scaled to 28 x 28, four fifths to
            train on, for want of MNIST.
        levels: 1 is mild Gaussian noise, 2 coarse; of several, each has all pictures.
        seed: what the noise follows from.
        dtype: of the noisy pictures.

    Raises:
        DataError: there is no such file, it is damaged, or the download or scikit-learn is missing.
    """
    parts = _digits() if source == "digits" else _mnist(root)
    found: Pairs = {"train": [], "val": [], "test": []}
    for number, (split, (clean, labels)) in enumerate(parts.items()):
        for level in sorted(set(levels)):
            noisy = noised(clean, level, [seed, number], dtype)
            for index, (distorted, reference, label) in enumerate(
                zip(noisy, clean[..., np.newaxis], labels.tolist(), strict=True)
            ):
                kind = ADDITIVE if index < half(len(clean)) else MULTIPLICATIVE
                found[split].append(
                    Pair(
                        name=f"{split}{index:05d}_{kind:02d}_{level}",
                        distorted=distorted,
                        reference=reference,
                        reference_name=f"digit {label}",
                        type=kind,
                        level=level,
                    )
                )
    return found


def noised(
    clean: Digits, level: int, seed: list[int], dtype: Literal["float16", "float32"] = "float32"
) -> NDArray[np.floating]:
    """Return pictures with the noise of a level, not clipped: (N, H, W, 1), 255 as 1.

    Args:
        clean: uint8 (N, H, W).
        level: 1 or 2.
        seed: what the noise follows from; it is the same for both levels but for its strength.
        dtype: of the result.
    """
    mean, variance = GAUSSIAN[level]
    random = np.random.default_rng(seed)
    noisy = np.empty((*clean.shape, 1), dtype)
    for start in range(0, len(clean), _AT_ONCE):
        values = to_float(clean[start : start + _AT_ONCE])
        normal = random.standard_normal(values.shape, np.float32)
        additive = np.arange(start, start + len(values)) < half(len(clean))
        noise = np.where(
            additive[:, np.newaxis, np.newaxis],
            np.float32(mean / 255) + np.float32(variance**0.5 / 255) * normal,
            values * normal,
        )
        noisy[start : start + _AT_ONCE, ..., 0] = values + noise
    return noisy


def half(pictures: int) -> int:
    """Return how many of so many pictures have additive noise: half, the odd one included."""
    return (pictures + 1) // 2


def _mnist(root: str | None) -> dict[Split, tuple[Digits, Labels]]:
    if root is None:
        (train, train_labels), (rest, rest_labels) = _downloaded()
    else:
        train, train_labels, rest, rest_labels = _read(Path(root))
    validated = np.arange(len(rest)) % 5 == 0
    return {
        "train": (train, train_labels),
        "val": (rest[validated], rest_labels[validated]),
        "test": (rest[~validated], rest_labels[~validated]),
    }


def _downloaded() -> Any:
    import keras

    try:
        # Keras says on the standard output what it downloads, where figures may be expected.
        with contextlib.redirect_stdout(sys.stderr):
            return keras.datasets.mnist.load_data()
    # Keras raises a bare Exception where the network is missing.
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"MNIST cannot be had: {printable(reason)}.\n{HOW_TO_GET}") from error


def _read(path: Path) -> list[NDArray[Any]]:
    try:
        path = path / FILE if path.is_dir() else path
        is_there = path.is_file()
    # Before Python 3.14 of a name that is too long, or in a folder that may not be searched.
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read: {error.strerror}.") from error
    if not is_there:
        near = sorted(file.name for file in path.parent.glob("*.npz"))
        hint = did_you_mean(path.name, near)
        raise DataError(f"{printable(path)}: no such file.{hint}\n{HOW_TO_GET}")
    arrays = []
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            # NumPy itself does not look at the checksums.
            if damaged := file.zip.testzip():
                raise ValueError(f"{damaged} in it is damaged")
            for part in ("train", "test"):
                pictures, labels = file[f"x_{part}"], file[f"y_{part}"]
                shape = (labels.size, 28, 28)
                if (
                    (pictures.dtype, pictures.shape) != (np.uint8, shape)
                    or (labels.dtype.kind, labels.ndim) not in (("u", 1), ("i", 1))
                    or not labels.size
                ):
                    raise ValueError(
                        f"expected x_{part} as uint8 (N, 28, 28) and y_{part} as whole numbers"
                        f" (N,). Received: {pictures.dtype} {pictures.shape} and {labels.dtype}"
                        f" {labels.shape}"
                    )
                arrays += [pictures, labels]
    # Damaged archives make NumPy raise almost anything.
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{printable(path)}: not MNIST: {printable(reason)}.") from error
    return arrays


def _digits() -> dict[Split, tuple[Digits, Labels]]:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError(
            "data.source: digits are scikit-learn's, which is not installed:"
            " pip install 'tidenhance[digits]'"
        ) from error
    small, labels = datasets.load_digits(return_X_y=True)
    # They have 17 shades.
    shades = (small / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    pictures = np.stack([to_uint8(resize(digit, 28, 28)[..., 0]) for digit in shades])
    place = np.arange(len(pictures)) % 25
    # Of each 25, 20 to train on, 1 to validate on, 4 to test on, as MNIST's test set is divided.
    chosen: dict[Split, NDArray[np.bool_]] = {
        "train": place < 20,
        "val": place == 20,
        "test": place > 20,
    }
    return {split: (pictures[where], labels[where]) for split, where in chosen.items()}
