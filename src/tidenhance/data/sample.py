"""Photographs to try the tool with: those inside scikit-image, and one drawn picture."""

from __future__ import annotations

from importlib import resources
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tidenhance.images import read_rgb, to_uint8

PHOTOGRAPHS = (
    "astronaut.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
WIDTH, HEIGHT = 512, 384
SCALE = 4  # the picture is drawn this much larger, then averaged, for smooth outlines
GROUND = 280  # the row where the landscape ends and the test patterns begin
PATCHES = (
    *("#d62828", "#f77f00", "#fcbf49", "#ffff00", "#80b918", "#00a896", "#00ffff", "#0077b6"),
    *("#0000ff", "#5a189a", "#ff00ff", "#f4acb7", "#8d5524", "#e0ac69", "#606c38", "#2b2d42"),
)


def photographs() -> dict[str, NDArray[np.uint8]]:
    """Return name to picture, uint8 (H, W, 3), from files of the installed scikit-image package.

    Raises:
        ImageError: a file is missing or damaged.
    """
    pictures = {}
    for name in PHOTOGRAPHS:
        with resources.as_file(resources.files("skimage") / "data" / name) as path:
            pictures[PurePath(name).stem] = read_rgb(path)
    return pictures


def drawn(width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Return the artificial picture, uint8 (height, width, 3); the same at every call.

    In the spirit of TID2013's i25, it has what photographs lack: straight sharp edges, text, flat
    colours, fine patterns and noiseless gradients. It is stretched to other sizes.
    """
    picture = _sky()
    draw = ImageDraw.Draw(picture)
    _draw_landscape(draw)
    _draw_words(draw)
    _draw_patterns(picture)
    return np.array(picture.resize((width, height), Image.Resampling.BOX))


def _scaled(*coordinates: float) -> list[float]:
    return [SCALE * value for value in coordinates]


def _grid(width: float, height: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rows' and columns' centres in pixels of the final picture, (H, 1) and (1, W)."""
    row, column = np.ogrid[: round(height * SCALE), : round(width * SCALE)]
    return (row + 0.5) / SCALE, (column + 0.5) / SCALE


def _sky() -> Image.Image:
    stops = np.array([[20, 52, 110], [64, 130, 190], [250, 214, 165], [255, 240, 220]])
    row, column = _grid(WIDTH, HEIGHT)
    place = row / GROUND + 0.08 * np.sin(column / 80)
    channels = [np.interp(place, [0, 0.45, 0.8, 1], stops[:, channel]) for channel in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _draw_landscape(draw: ImageDraw.ImageDraw) -> None:
    for angle in np.arange(0, 2 * np.pi, np.pi / 16):
        x, y = np.cos(angle), np.sin(angle)
        draw.line(_scaled(430 + 42 * x, 62 + 42 * y, 430 + 56 * x, 62 + 56 * y), "#ffe08a", SCALE)
    draw.ellipse(_scaled(396, 28, 464, 96), "#ffd166", "#ffffff", 2 * SCALE)

    draw.polygon(_scaled(190, 250, 290, 118, 344, 190, 372, 160, 450, 250), "#5c6b8a")
    draw.polygon(_scaled(290, 118, 344, 190, 372, 160, 450, 250, 310, 250), "#46536f")
    draw.polygon(_scaled(266, 150, 290, 118, 312, 147, 300, 160, 291, 149, 280, 161), "#ffffff")
    x = np.linspace(0, WIDTH, 257)
    for base, swing, period, colour in (
        (222, 16, 90, "#3f7d4e"),
        (242, 10, 52, "#5aa05a"),
        (262, 6, 33, "#86c06c"),
    ):
        hill = np.stack([x, base - swing * np.sin(x / period)], axis=1).ravel()
        draw.polygon(_scaled(0, GROUND, *hill, WIDTH, GROUND), colour)

    draw.rectangle(_scaled(84, 190, 164, 256), "#f2e8cf", "#3d2b1f", SCALE)
    draw.polygon(_scaled(74, 192, 124, 148, 174, 192), "#bc4749", "#3d2b1f", SCALE)
    for y in range(156, 192, 4):
        half = (y - 148) * 50 / 44
        draw.line(_scaled(124 - half, y, 124 + half, y), "#7f1d1d", SCALE // 2)
    draw.rectangle(_scaled(114, 218, 134, 256), "#386641", "#3d2b1f", SCALE)
    for left in (92, 140):
        draw.rectangle(_scaled(left, 202, left + 16, 218), "#a8dadc", "#3d2b1f", SCALE)
        draw.line(_scaled(left + 8, 202, left + 8, 218), "#3d2b1f", SCALE)
        draw.line(_scaled(left, 210, left + 16, 210), "#3d2b1f", SCALE)
    for left in range(186, 330, 8):
        draw.rectangle(_scaled(left, 246, left + 3, 268), "#ffffff")
    for top in (251, 260):
        draw.rectangle(_scaled(186, top, 325, top + 1), "#ffffff")

    draw.rectangle(_scaled(408, 206, 414, 262), "#6f4518")
    for radius, colour in ((34, "#1b4332"), (27, "#2d6a4f"), (19, "#40916c"), (10, "#74c69d")):
        draw.ellipse(_scaled(411 - radius, 190 - radius, 411 + radius, 190 + radius), colour)

    draw.polygon(_scaled(352, 52, 372, 80, 352, 120, 332, 80), "#e63946")
    draw.polygon(_scaled(352, 52, 372, 80, 352, 80), "#f1faee")
    draw.polygon(_scaled(332, 80, 352, 80, 352, 120), "#1d3557")
    t = np.linspace(0, 1, 101)
    string = np.stack([352 - 60 * t + 14 * np.sin(9 * t), 120 + 126 * t], axis=1).ravel()
    draw.line(_scaled(*string), "#22223b", SCALE * 3 // 4)


def _draw_words(draw: ImageDraw.ImageDraw) -> None:
    for top, size, colour, words in (
        (8, 46, "#ffffff", "tidenhance"),
        (64, 22, "#ffe08a", "Sharp edges, smooth slopes"),
        (92, 15, "#ffffff", "The quick brown fox jumps over the lazy dog"),
        (113, 11, "#0b132b", "Pack my box with five dozen liquor jugs: 0123456789"),
        (129, 8, "#0b132b", "Sphinx of black quartz, judge my vow (8 pixels)"),
    ):
        draw.text((14 * SCALE, top * SCALE), words, colour, ImageFont.load_default(size * SCALE))


def _draw_patterns(picture: Image.Image) -> None:
    def paste(values: NDArray[np.floating], left: float, top: float) -> None:
        """Place values in [0, 1], (H, W) grey or (H, W, 3)."""
        patch = Image.fromarray(to_uint8(values))
        picture.paste(patch, (round(left * SCALE), round(top * SCALE)))

    draw = ImageDraw.Draw(picture)
    draw.rectangle(_scaled(0, GROUND, WIDTH, HEIGHT), "#d9d9d9")
    draw.line(_scaled(0, GROUND, WIDTH, GROUND), "#222222", 2 * SCALE)

    row, column = _grid(36, 36)
    for index, side in enumerate((1, 2, 4, 9)):
        paste((row // side + column // side) % 2, 8 + 42 * index, 288)
        stripes = (column + 0 * row if index % 2 else row + 0 * column) // side % 2
        paste(stripes, 176 + 42 * index, 288)

    for index, colour in enumerate(PATCHES):
        draw.rectangle(_scaled(8 + 20.75 * index, 330, 26.75 + 20.75 * index, 350), colour)

    row, column = _grid(330, 10)
    hue = column / 330 * 6 + 0 * row
    paste(np.clip(np.abs((hue[..., np.newaxis] + [0, 4, 2]) % 6 - 3) - 1, 0, 1), 8, 355)
    row, column = _grid(330, 5)
    paste(column / 330 + 0 * row, 8, 367)
    paste(column // 22 / 14 + 0 * row, 8, 373)

    row, column = _grid(76, 76)
    angle, radius = np.arctan2(row - 38, column - 38), np.hypot(row - 38, column - 38)
    paste(np.where((np.sin(24 * angle) > 0) & (radius < 37), 0.0, 1.0), 346, 294)
    paste(0.5 + 0.5 * np.cos(np.pi * radius**2 / 76 * 0.9), 428, 294)
