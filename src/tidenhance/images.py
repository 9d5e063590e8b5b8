"""Read and write pictures; the only place where 8-bit pixels become [0, 1] floats and back."""

from __future__ import annotations

import ctypes
import io
import logging
import math
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError, _imaging
from PIL.ExifTags import IFD, Base

from tidenhance.errors import ImageError, WriteError, printable
from tidenhance.exif import of_upright
from tidenhance.files import replacing

# Pillow logs what it finds wrong with a file before it raises; the user gets the error alone.
logging.getLogger("PIL").addHandler(logging.NullHandler())
# So does libtiff, to the standard error stream; Pillow has no setting for that.
with suppress(AttributeError, OSError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

Pixels = NDArray[np.uint8]

FORMATS = ("BMP", "PNG", "JPEG", "TIFF", "WEBP")

FORMAT_OF_ENDING = {
    ".bmp": "BMP",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}

# Pillow refuses larger pictures by itself.
MAX_PIXELS = 178_956_970

_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383}

_LARGEST_EXIF_OF_JPEG = 65_533  # bytes

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    "BMP": {},
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    # Through libtiff, which compresses, Pillow loses the Exif and GPS tags.
    "TIFF": {"compression": "raw"},
    "WEBP": {"lossless": True, "exact": True},
}

# A TIFF file keeps these beside the tags that say where its pixels lie.
_TIFF_DESCRIPTION_TAGS = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
    IFD.Exif,
    IFD.GPSInfo,
)


@dataclass(frozen=True)
class Picture:
    """One picture as a person sees it: upright, 8 bits a channel.

    Attributes:
        pixels: uint8 (H, W, 3), R, G, B; three equal channels where `grey`.
        alpha: uint8 (H, W), 0 transparent to 255 opaque; None without transparency.
        grey: the file holds no colour.
        icc_profile: the colour profile that `pixels` are in; None stands for sRGB.
        exif: as it was in the file, of a TIFF what is no layout: orientation, thumbnail and size
            are those of before.
        dpi: pixels per inch, horizontally and vertically.
    """

    pixels: Pixels
    alpha: Pixels | None
    grey: bool
    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


def to_float(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return a picture's values as float32: 8-bit ones / 255, floating ones as they are."""
    values = pixels.astype(np.float32)
    if pixels.dtype == np.uint8:
        values /= np.float32(255)
    return values


def to_uint8(values: NDArray[np.floating]) -> Pixels:
    """Return values in [0, 1] as 8-bit: clipped, times 255, rounded to nearest (ties to even)."""
    pixels: Pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return pixels


def to_rgb(picture: NDArray[Any]) -> Pixels:
    """Return a picture, 8-bit or floating, (H, W, 1) or (H, W, 3), as it is saved and shown.

    Returns:
        uint8 (H, W, 3), three equal channels where there was one.
    """
    pixels = picture if picture.dtype == np.uint8 else to_uint8(picture.astype(np.float32))
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels


def centre(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Return a view of the middle of a picture (H, W, C), of at most so many rows and columns."""
    top, left = max(0, (pixels.shape[0] - height) // 2), max(0, (pixels.shape[1] - width) // 2)
    return pixels[top : top + height, left : left + width]


def to_grey(pixels: Pixels) -> NDArray[np.float32]:
    """Return the mean of R, G and B, not rounded: float32 (H, W, 1) in [0, 1]."""
    return to_float(pixels).mean(axis=-1, keepdims=True)


def resize(picture: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    """Return a picture at another size, float32 (H, W, C) in [0, 1], by bicubic interpolation.

    It is uint8, or float32 in [0, 1]. Where it shrinks, the kernel grows along, so that fine detail
    does not alias.
    """
    channels = [
        Image.fromarray(to_float(channel)).resize((width, height), Image.Resampling.BICUBIC)
        for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.clip(np.stack([np.asarray(channel) for channel in channels], axis=-1), 0, 1)


def read_rgb(path: Path) -> Pixels:
    """Return a picture's pixels, upright, as uint8 (H, W, 3).

    Raises:
        ImageError: the file is missing, damaged, or not a single 8-bit RGB picture.
    """
    with _opened(path) as picture:
        _check_single(path, picture)
        if picture.mode != "RGB" or _has_deep_channels(picture):
            deep = ", more than 8 bits a channel" if picture.mode == "RGB" else ""
            received = f"mode {picture.mode}{deep}"
            raise ImageError(f"{printable(path)}: expected 8-bit RGB. Received: {received}.")
        picture.load()
        _turn_upright(picture)
        return np.asarray(picture)


def write_rgb(path: Path, pixels: Pixels) -> None:
    """Write uint8 (H, W, 3) pixels to `path`, complete or not at all; the ending names the format.

    Raises:
        WriteError: the file cannot be written.
    """
    _write(path, Image.fromarray(pixels), FORMAT_OF_ENDING[path.suffix.lower()])


def is_picture_name(path: Path) -> bool:
    """Whether the file name's ending is that of a picture; case does not matter."""
    return path.suffix.lower() in FORMAT_OF_ENDING


def check_is_file(path: Path) -> int:
    """Check that there is a file at a path, without opening it; return its size in bytes.

    Raises:
        ImageError: there is nothing, or a folder, a pipe or a device, or it cannot be looked at.
    """
    try:
        found = path.stat()
    except FileNotFoundError as error:
        missing = "a link to a file that is not there" if path.is_symlink() else "no such file"
        raise ImageError(f"{printable(path)}: {missing}.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{printable(path)}: cannot be read: {reason}.") from error
    if not stat.S_ISREG(found.st_mode):
        received = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe or a device"
        raise ImageError(f"{printable(path)}: expected a picture file. Received: {received}.")
    return found.st_size


def read_picture(path: Path, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """Return the picture in a file, turned upright as its EXIF orientation says.

    Palettes become colours. CMYK becomes sRGB, through the file's own profile where it has one.
    Of a JPEG that carries further pictures (MPO: depth maps, previews), the first is taken.

    Args:
        path: a BMP, PNG, JPEG, TIFF or WebP file, whatever its ending.
        max_pixels: most pixels to accept; above `MAX_PIXELS` it has no effect.

    Raises:
        ImageError: the file is missing, damaged, no picture, too large, animated, or holds more
            than 8 bits a channel.
    """
    # Pillow warns of large pictures and of damaged metadata, which is no news to a user. Not in
    # `read_rgb`: catching warnings is not safe in the threads that load training pictures.
    with warnings.catch_warnings(action="ignore"), _opened(path) as picture:
        _check_usable(path, picture, max_pixels)
        return _decode(picture)


def read_photograph(path: Path) -> Pixels:
    """Return what the picture in a file looks like, on white where it is transparent.

    Returns:
        uint8 (H, W, 3), upright.

    Raises:
        ImageError: as `read_picture`.
    """
    picture = read_picture(path)
    return picture.pixels if picture.alpha is None else on_white(picture.pixels, picture.alpha)


def check_writable(path: Path, picture: Picture) -> None:
    """Check that the format named by `path`'s ending can hold the picture.

    Raises:
        ImageError: the ending is not a picture's, the format has no transparency and the picture
            has, or the picture is larger than the format allows.
    """
    if not is_picture_name(path):
        raise ImageError(
            f"{printable(path)}: expected a name ending in {', '.join(FORMAT_OF_ENDING)}. "
            f"Received: {printable(path.suffix) or 'no ending'}."
        )
    file_format = FORMAT_OF_ENDING[path.suffix.lower()]
    if file_format in ("BMP", "JPEG") and _is_translucent(picture):
        raise ImageError(
            f"{printable(path)}: the picture has transparency, which {file_format} cannot hold. "
            "Choose a name ending in .png, .tif or .webp."
        )
    height, width = picture.pixels.shape[:2]
    longest = _LONGEST_SIDE.get(file_format, max(height, width))
    if max(height, width) > longest:
        raise ImageError(
            f"{printable(path)}: expected at most {longest:,} pixels a side for {file_format}."
            f" Received: {width} x {height}. Choose a name ending in .png or .tif."
        )


def write_picture(path: Path, picture: Picture) -> None:
    """Write a picture, complete or not at all, in the format that the ending of `path` names.

    BMP, PNG, TIFF (uncompressed) and WebP are lossless: a WebP's bytes do not tell cheaply whether
    its source was lossy, and a restored picture should not lose again. JPEG has quality 95 without
    chroma subsampling. A grey picture becomes one channel, the rounded mean of R, G and B. The
    colour profile, EXIF and resolution go along where the format takes them; a profile for another
    number of channels does not, nor does EXIF that is too long for a JPEG. EXIF loses orientation
    and thumbnail, and states this picture's size; TIFF takes the texts, Exif and GPS alone.

    Raises:
        ImageError: as `check_writable`.
        WriteError: the file cannot be written; `path` is then as it was before.
    """
    check_writable(path, picture)
    file_format = FORMAT_OF_ENDING[path.suffix.lower()]
    image = _encodable(picture, file_format)
    options = dict(_SAVE_OPTIONS[file_format])
    if picture.dpi is not None:
        options["dpi"] = picture.dpi
    if file_format != "BMP":
        exif = _exif_for(image, file_format, picture.exif)
        options |= {"icc_profile": _profile_for(image, picture), "exif": exif}
    _write(path, image, file_format, **options)


def on_white(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Return uint8 (H, W, 3) pixels as they look on white paper, alpha uint8 (H, W) taken away."""
    opacity = to_float(alpha)[..., np.newaxis]
    return to_uint8(to_float(pixels) * opacity + (1 - opacity))


def fill_transparent(pixels: Pixels, alpha: Pixels) -> Pixels:
    """Return the pixels with fully transparent ones coloured as their nearest visible neighbour.

    What a file hides under alpha 0 is arbitrary, often black, and a network would spread it into
    the visible pixels beside it.

    Args:
        pixels: uint8 (H, W, 3).
        alpha: uint8 (H, W).

    Returns:
        uint8 (H, W, 3); the input itself where nothing, or everything, is transparent.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return pixels
    # It takes longer to import than all else that pictures need.
    from scipy import ndimage

    rows, columns = ndimage.distance_transform_edt(
        hidden, return_distances=False, return_indices=True
    )
    filled: Pixels = pixels[rows, columns]
    return filled


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Yield the picture, not yet decoded; whatever fails in the block is one ImageError."""
    # Before it is opened: opening a pipe would wait for ever.
    size = check_is_file(path)
    try:
        with Image.open(path, formats=FORMATS) as picture:
            yield picture
    except (ImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{printable(path)}: expected at most {MAX_PIXELS:,} pixels. Received: more."
        ) from error
    except UnidentifiedImageError as error:
        received = "something else, or damaged" if size else "an empty file"
        raise ImageError(
            f"{printable(path)}: expected a picture ({', '.join(FORMATS)}). Received: {received}."
        ) from error
    # On damaged files Pillow's decoders raise almost anything: struct.error, KeyError, zlib.error.
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ImageError(
            f"{printable(path)}: cannot be read: {printable(reason).rstrip('.')}."
        ) from error


def _write(path: Path, image: Image.Image, file_format: str, **options: Any) -> None:
    # Pillow itself would not notice a disk that is full at a file's last bytes.
    encoded = io.BytesIO()
    try:
        image.save(encoded, format=file_format, **options)
    except MemoryError:
        raise
    except Exception as error:
        raise WriteError(
            f"{printable(path)}: cannot be written: {printable(error).rstrip('.')}."
        ) from error
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def _check_usable(path: Path, picture: Image.Image, max_pixels: int) -> None:
    if picture.width * picture.height > max_pixels:
        raise ImageError(
            f"{printable(path)}: expected at most {max_pixels:,} pixels. "
            f"Received: {picture.width} x {picture.height}."
        )
    _check_single(path, picture)
    if _has_deep_channels(picture):
        raise ImageError(f"{printable(path)}: expected 8 bits a channel. Received: more.")
    if picture.mode in ("LAB", "HSV"):
        raise ImageError(
            f"{printable(path)}: expected grey, RGB or CMYK. Received: {picture.mode}."
        )


def _check_single(path: Path, picture: Image.Image) -> None:
    # Not `n_frames`: counting a TIFF's pages takes hours where a small file lists very many.
    if picture.format != "MPO" and getattr(picture, "is_animated", False):
        raise ImageError(
            f"{printable(path)}: expected a single picture. Received: several frames or pages."
        )


def _has_deep_channels(picture: Image.Image) -> bool:
    if picture.mode.startswith(("I", "F")):
        return True
    # Pillow opens RGB with 16 bits as 8-bit RGB without a word.
    if picture.format == "PNG":
        return any(";16" in str(tile.args) for tile in picture.tile)  # type: ignore[attr-defined]
    if picture.format == "TIFF":
        bits_per_sample = picture.tag_v2.get(Base.BitsPerSample, (1,))  # type: ignore[attr-defined]
        return bool(max(bits_per_sample) > 8)
    return False


def _decode(opened: Image.Image) -> Picture:
    # Before `load`, which forgets it.
    tiles = opened.tile  # type: ignore[attr-defined]
    is_tiff = opened.format == "TIFF"
    if is_tiff:
        # Before `load` too, which turns a TIFF, forgets how it lay, and closes it.
        dpi, exif = _dpi(opened), _exif_of_tiff(opened)
    scale = {"L;2": 85, "L;4": 17}.get(str(tiles[0].args)) if tiles else None
    opened.load()
    if scale and "transparency" in opened.info:
        # Pillow scales the pixels, but not the value that is transparent.
        opened.info["transparency"] *= scale
    icc_profile = opened.info.get("icc_profile")
    if not is_tiff:
        # Not before `load`, which a PNG's `getexif` calls: its errors would be lost.
        dpi, exif = _dpi(opened), _stored_exif(opened)
    _turn_upright(opened)

    grey = opened.mode in ("1", "L", "LA", "La")
    has_alpha = opened.has_transparency_data
    if opened.mode == "CMYK":
        image, icc_profile = _cmyk_to_rgb(opened, icc_profile), None
    else:
        mode = ("L" if grey else "RGB") + ("A" if has_alpha else "")
        image = opened if opened.mode == mode else opened.convert(mode)

    channels = np.asarray(image)
    if channels.ndim == 2:
        channels = channels[..., np.newaxis]
    alpha = channels[..., -1].copy() if has_alpha else None
    colours = channels[..., :-1] if has_alpha else channels
    pixels = np.repeat(colours, 3, axis=-1) if grey else np.ascontiguousarray(colours)
    if icc_profile is None or _space(icc_profile) != b"RGB ":
        if opened.mode in ("P", "PA"):
            grey = bool((pixels == pixels[..., :1]).all())
        elif opened.format == "WEBP":
            # WebP has no grey mode, and its lossy coding moves the channels apart by up to 1.
            grey = bool((np.ptp(pixels, axis=-1) <= 1).all())
    return Picture(pixels, alpha, grey, icc_profile, exif, dpi)


def _turn_upright(picture: Image.Image) -> None:
    # Damaged metadata must not cost the user the picture.
    try:
        ImageOps.exif_transpose(picture, in_place=True)
    except MemoryError:
        raise
    except Exception:
        return


def _cmyk_to_rgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    if icc_profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")


def _stored_exif(picture: Image.Image) -> bytes | None:
    # In a PNG it may be a text of hexadecimal digits, after three lines of others.
    digits = picture.info.get("Raw profile type exif", "").split("\n")[3:]
    # Damaged metadata must not cost the user the picture.
    try:
        found = picture.info.get("exif") or bytes.fromhex("".join(digits))
    except ValueError:
        return None
    return found if isinstance(found, bytes) else None


def _exif_of_tiff(picture: Image.Image) -> bytes | None:
    # Damaged metadata must not cost the user the picture.
    try:
        exif = picture.getexif()
        kept = Image.Exif()
        kept.endian = exif.endian
        for tag, value in _descriptions(exif).items():
            kept[tag] = value
        return kept.tobytes() if kept else None
    except Exception:
        return None


def _exif_for(image: Image.Image, file_format: str, data: bytes | None) -> bytes | dict[int, Any]:
    # Damaged metadata must not cost the user the picture.
    try:
        exif = of_upright(data or b"", image.width, image.height)
        if file_format != "TIFF":
            return exif if file_format != "JPEG" or len(exif) <= _LARGEST_EXIF_OF_JPEG else b""
        found = Image.Exif()
        found.load(exif)
        return _descriptions(found)
    except Exception:
        return b""


def _descriptions(exif: Image.Exif) -> dict[int, Any]:
    """Return the tags that a TIFF may have beside those that say where its pixels lie."""
    found: dict[int, Any] = {}
    for tag in set(exif) & set(_TIFF_DESCRIPTION_TAGS):
        if tag in (IFD.Exif, IFD.GPSInfo):
            value = {key: _as_read(one) for key, one in exif.get_ifd(tag).items()}
            if IFD.Interop in value:
                value[IFD.Interop] = exif.get_ifd(IFD.Interop)
        else:
            value = _as_read(exif[tag])
        # What Pillow reads it cannot always write.
        with suppress(Exception):
            alone = Image.Exif()
            alone[tag] = value
            alone.tobytes()
            found[tag] = value
    return found


class _Text(str):
    """A text that Pillow writes as it reads it, a byte a character: it would write ASCII only."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return super().encode("latin-1")


def _as_read(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def _dpi(picture: Image.Image) -> tuple[float, float] | None:
    """Return the resolution of a picture, once it is upright, if its file tells a usable one."""
    # Pillow takes a TIFF's for 1 where it has none.
    if picture.format == "TIFF" and Base.XResolution not in picture.tag_v2:  # type: ignore[attr-defined]
        return None
    try:
        horizontal, vertical = (float(value) for value in picture.info["dpi"])
        lies_on_its_side = picture.getexif().get(Base.Orientation) in (5, 6, 7, 8)
    # Damaged metadata must not cost the user the picture.
    except Exception:
        return None
    if lies_on_its_side:
        horizontal, vertical = vertical, horizontal
    usable = all(math.isfinite(value) and 1 <= value <= 65535 for value in (horizontal, vertical))
    return (horizontal, vertical) if usable else None


def _is_translucent(picture: Picture) -> bool:
    return picture.alpha is not None and bool((picture.alpha < 255).any())


def _encodable(picture: Picture, file_format: str) -> Image.Image:
    keeps_alpha = picture.alpha is not None and file_format not in ("BMP", "JPEG")
    colours = picture.pixels
    if picture.grey:
        # A third has no ties, so adding 1 before dividing by 3 rounds to nearest.
        colours = ((colours.sum(axis=2, dtype=np.uint16) + 1) // 3).astype(np.uint8)
        if file_format == "WEBP":  # has no grey mode
            colours = np.repeat(colours[..., np.newaxis], 3, axis=2)
    if keeps_alpha:
        return Image.fromarray(np.dstack([colours, picture.alpha]))  # type: ignore[list-item]
    return Image.fromarray(np.ascontiguousarray(colours))


def _profile_for(image: Image.Image, picture: Picture) -> bytes | None:
    """Return the picture's profile if it is of the image's space."""
    space = b"GRAY" if image.mode in ("L", "LA") else b"RGB "
    profile = picture.icc_profile
    return profile if profile is not None and _space(profile) == space else None


def _space(profile: bytes) -> bytes:
    """Return the colour space that a profile's header (ICC.1:2022, 7.2.8) names."""
    return profile[16:20]
