"""Read and write pictures; the only place where 8-bit pixels become [0, 1] floats and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tidenhance.errors import ImageError
from tidenhance.files import replacing

FORMATS = ("BMP", "PNG", "JPEG", "TIFF", "WEBP")


def to_float(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return 8-bit values as float32 in [0, 1]: value / 255."""
    return pixels.astype(np.float32) / np.float32(255)


def to_uint8(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return values in [0, 1] as 8-bit: clipped, times 255, rounded to nearest (ties to even)."""
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Return a picture's pixels as uint8 (H, W, 3).

    Raises:
        ImageError: the file is missing, damaged, or not an 8-bit RGB picture.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            if picture.mode != "RGB":
                raise ImageError(f"{path}: expected 8-bit RGB. Received: mode {picture.mode}.")
            return np.asarray(picture)
    except UnidentifiedImageError as error:
        raise ImageError(f"{path}: not a picture that can be read ({', '.join(FORMATS)}).") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageError(f"{path}: cannot be read: {error}") from error


def write_rgb(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 (H, W, 3) pixels to `path`, complete or not at all; the ending names the format.

    Raises:
        WriteError: the file cannot be written.
    """
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary)
