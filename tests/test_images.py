"""Pictures in every format, read and written."""

from __future__ import annotations

import dataclasses
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageFile, ImageOps

from tidenhance.errors import ImageError, WriteError
from tidenhance.images import (
    Picture,
    fill_transparent,
    is_picture_name,
    on_white,
    read_photograph,
    read_picture,
    read_rgb,
    resize,
    to_float,
    to_grey,
    to_rgb,
    to_uint8,
    write_picture,
    write_rgb,
)

LOSSLESS = (".bmp", ".png", ".tif", ".webp")
ENDINGS = (*LOSSLESS, ".jpg")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

# EXIF 2.32, 4.6.4: where the stored picture's first row and first column are when seen upright.
STORED_AS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: np.swapaxes(x, 0, 1),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: np.rot90(np.swapaxes(x, 0, 1), 2),
    8: lambda x: np.rot90(x, -1),
}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def stored(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def png(
    width: int,
    height: int,
    bits: int,
    colour_type: int,
    data: bytes,
    transparent: bytes = b"",
    pixels_per_metre: int = 0,
) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    resolution = struct.pack(">IIB", pixels_per_metre, pixels_per_metre, 1)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"pHYs", resolution) if pixels_per_metre else b"")
        + (chunk(b"tRNS", transparent) if transparent else b"")
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def test_eight_bit_values_survive_the_way_to_floats_and_back():
    values = np.arange(256, dtype=np.uint8)
    assert to_float(values).dtype == np.float32
    assert to_float(values)[[0, 51, 255]].tolist() == [0.0, np.float32(0.2), 1.0]
    np.testing.assert_array_equal(to_uint8(to_float(values)), values)
    assert to_uint8(np.array([-0.5, 1.5, 0.5])).tolist() == [0, 255, 128]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_stay_on_their_scale_and_are_not_clipped(dtype):
    values = np.array([-0.5, 0.25, 1.5], dtype)
    found = to_float(values)
    assert found.dtype == np.float32
    assert found.tolist() == [-0.5, 0.25, 1.5]
    found[0] = 7
    assert values[0] == -0.5


def test_pictures_of_any_kind_are_saved_as_rgb():
    noisy = np.array([[[-0.5], [0.2], [0.5], [1.5]]], np.float16)
    assert to_rgb(noisy).dtype == np.uint8
    # 0.2 of float16 is 0.19995, and 50.99 of 255.
    assert to_rgb(noisy).tolist() == [[[0] * 3, [51] * 3, [128] * 3, [255] * 3]]
    grey = np.array([[[7], [200]]], np.uint8)
    assert to_rgb(grey).tolist() == [[[7] * 3, [200] * 3]]
    colour = np.array([[[0, 0.2, 1.5]]], np.float32)
    assert to_rgb(colour).tolist() == [[[0, 51, 255]]]
    np.testing.assert_array_equal(to_rgb(noise(5, 7, 3)), noise(5, 7, 3))


def test_the_floats_of_eight_bit_pictures_are_saved_as_those_pictures():
    for dtype in (np.float16, np.float32, np.float64):
        values = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
        np.testing.assert_array_equal(to_rgb(to_float(values).astype(dtype))[..., :1], values)


def test_grey_for_networks_is_the_mean_of_the_channels_and_not_rounded():
    pixels = np.array([[[10, 11, 11], [255, 0, 0], [255, 255, 255], [0, 0, 1]]], np.uint8)
    found = to_grey(pixels)
    assert (found.shape, found.dtype) == ((1, 4, 1), np.float32)
    # 32, 255, 765 and 1 thirds of 255.
    np.testing.assert_allclose(found[0, :, 0], [32 / 765, 1 / 3, 1, 1 / 765], rtol=1e-6)


@pytest.mark.parametrize("size", [(3, 9), (40, 2), (8, 8), (1, 1)])
def test_a_constant_stays_constant_at_another_size(size):
    values = np.full((8, 8, 3), [0.0, 0.3, 1.0], np.float32)
    found = resize(values, *size)
    assert (found.shape, found.dtype) == ((*size, 3), np.float32)
    np.testing.assert_allclose(found, np.full((*size, 3), [0.0, 0.3, 1.0]), atol=1e-6)


def test_fine_detail_does_not_alias_where_a_picture_shrinks():
    fine = np.indices((32, 32)).sum(axis=0) % 2
    found = resize(fine[..., np.newaxis].astype(np.float32), 16, 16)
    assert found.shape == (16, 16, 1)
    np.testing.assert_allclose(found[2:-2, 2:-2], 0.5, atol=0.02)


def test_resizing_keeps_to_the_range_and_the_channels_apart():
    """Bicubic interpolation overshoots at an edge."""
    values = np.zeros((4, 10, 3), np.float32)
    values[:, 5:, 0] = 1
    values[:2, :, 2] = 1
    found = resize(values, 8, 30)
    assert (found.min(), found.max()) == (0, 1)
    assert not found[..., 1].any()
    # Halves of the picture, left and right of one channel, top and bottom of the other.
    assert (found[:, :12, 0] < 0.1).all()
    assert (found[:, 18:, 0] > 0.9).all()
    assert (found[:3, :, 2] > 0.9).all()
    assert (found[5:, :, 2] < 0.1).all()
    turned = resize(values.swapaxes(0, 1), 30, 8)
    np.testing.assert_allclose(turned.swapaxes(0, 1), found, atol=1e-6)


def test_transparent_pictures_lie_on_white():
    pixels = np.array([[[0, 100, 255], [0, 100, 255], [0, 100, 255]]], np.uint8)
    found = on_white(pixels, np.array([[255, 0, 51]], np.uint8))
    assert found.dtype == np.uint8
    # A fifth of the pixel, four fifths of white: 204, 20 + 204 and 51 + 204.
    assert found.tolist() == [[[0, 100, 255], [255, 255, 255], [204, 224, 255]]]


def test_rgb_pictures_are_read_and_written_as_they_are(tmp_path):
    path = tmp_path / "x.bmp"
    write_rgb(path, noise(5, 7, 3))
    np.testing.assert_array_equal(read_rgb(path), noise(5, 7, 3))
    Image.fromarray(noise(5, 7)).save(path)
    with pytest.raises(ImageError, match=r"x\.bmp: expected 8-bit RGB. Received: mode L"):
        read_rgb(path)
    path.write_bytes(b"BM")
    with pytest.raises(ImageError, match=r"x\.bmp: expected a picture"):
        read_rgb(path)


@pytest.mark.parametrize("ending", LOSSLESS)
@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (1, 50), (50, 1)])
def test_lossless_formats_give_the_same_pixels_back(tmp_path, ending, shape):
    path = tmp_path / f"x{ending}"
    pixels = noise(*shape, 3)
    write_picture(path, Picture(pixels, None, grey=False))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert picture.pixels.dtype == np.uint8
    assert picture.alpha is None
    assert not picture.grey
    np.testing.assert_array_equal(np.asarray(stored(path)), pixels)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_jpeg_is_written_without_chroma_subsampling_at_quality_95(tmp_path):
    path = tmp_path / "x.JPEG"
    write_picture(path, Picture(noise(16, 16, 3), None, grey=False))
    with Image.open(path) as image:
        assert [component[1:3] for component in image.layer] == [(1, 1)] * 3
        # The first entry of the standard's luminance table is 16; quality 95 scales it by 0.1.
        assert image.quantization[0][0] == 2
    with Image.open(path) as image:
        assert image.format == "JPEG"


@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", STORED_AS)
def test_exif_orientation_is_applied_and_its_tag_removed(tmp_path, ending, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255
    exif = Image.Exif()
    exif[274] = orientation
    exif[315] = "An artist"
    path, again = tmp_path / f"x{ending}", tmp_path / f"y{ending}"
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](upright)))
    stored.save(path, exif=exif, **({"lossless": True} if ending == ".webp" else {}))

    picture = read_picture(path)
    np.testing.assert_allclose(picture.pixels, upright, atol=3)
    np.testing.assert_array_equal(read_rgb(path), picture.pixels)
    write_picture(again, picture)
    np.testing.assert_allclose(read_picture(again).pixels, upright, atol=3)
    with Image.open(again) as written:
        assert 274 not in written.getexif()
        assert written.getexif()[315] == "An artist"


@pytest.mark.parametrize("source", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("target", [".jpg", ".png", ".tif", ".webp"])
def test_profile_camera_and_place_are_carried(tmp_path, source, target):
    exif = Image.Exif()
    exif[271] = "A maker"
    exif.get_ifd(34665)[33434] = 0.5
    exif.get_ifd(34853)[1] = "N"
    path, again = tmp_path / f"x{source}", tmp_path / f"y{target}"
    Image.fromarray(noise(8, 8, 3)).save(path, icc_profile=SRGB, exif=exif.tobytes())
    write_picture(again, read_picture(path))
    with Image.open(again) as written:
        assert written.info["icc_profile"] == SRGB
        assert written.getexif()[271] == "A maker"
        assert float(written.getexif().get_ifd(34665)[33434]) == 0.5
        assert written.getexif().get_ifd(34853)[1] == "N"


def test_tiff_layout_is_not_carried_as_exif(tmp_path):
    path, again = tmp_path / "x.tif", tmp_path / "y.tif"
    tifffile.imwrite(path, noise(64, 64, 3), tile=(32, 32), photometric="rgb", description="A text")
    write_picture(again, read_picture(path))
    np.testing.assert_array_equal(tifffile.imread(again), tifffile.imread(path))
    with tifffile.TiffFile(again) as written:
        tags = written.pages[0].tags
        assert "TileWidth" not in tags
        assert tags["ImageDescription"].value == "A text"


@pytest.mark.parametrize("source", [".jpg", ".png", ".webp"])
def test_exif_does_not_say_where_a_tiff_s_pixels_lie(tmp_path, source):
    path, again = tmp_path / f"x{source}", tmp_path / "y.tif"
    exif = Image.Exif()
    # Sides of before a crop, fill order, a planar layout, extra samples.
    for tag, value in ((256, 4000), (257, 3000), (266, 2), (284, 2), (338, 1), (271, "A maker")):
        exif[tag] = value
    exif[34665] = {33434: 0.5}
    Image.fromarray(noise(24, 40, 3)).save(path, exif=exif)
    write_picture(again, read_picture(path))
    np.testing.assert_array_equal(tifffile.imread(again), read_picture(path).pixels)
    assert stored(again).getexif()[271] == "A maker"
    assert float(stored(again).getexif().get_ifd(34665)[33434]) == 0.5


@pytest.mark.parametrize("ending", [".bmp", ".png", ".jpg", ".tif"])
def test_resolution_is_carried(tmp_path, ending):
    path, again = tmp_path / f"x{ending}", tmp_path / f"y{ending}"
    Image.fromarray(noise(8, 8, 3)).save(path, dpi=(300, 300))
    write_picture(again, read_picture(path))
    assert stored(again).info["dpi"] == pytest.approx((300, 300), abs=0.02)


def test_a_resolution_that_is_not_told_is_not_invented(tmp_path):
    path = tmp_path / "x.tif"
    Image.fromarray(noise(8, 8, 3)).save(path)
    with tifffile.TiffFile(path) as file:
        assert "XResolution" not in file.pages[0].tags
    assert read_picture(path).dpi is None


@pytest.mark.parametrize("ending", [".jpg", ".tif"])
@pytest.mark.parametrize(("orientation", "expected"), [(3, (72, 300)), (6, (300, 72))])
def test_resolution_is_turned_with_the_picture(tmp_path, orientation, expected, ending):
    path = tmp_path / f"x{ending}"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(noise(8, 16, 3)).save(path, dpi=(72, 300), exif=exif)
    picture = read_picture(path)
    assert picture.pixels.shape[:2] == ((16, 8) if orientation == 6 else (8, 16))
    assert picture.dpi == expected


def test_exif_that_a_jpeg_cannot_hold_is_left_out(tmp_path):
    path = tmp_path / "x.tif"
    pixels = noise(16, 16, 3)
    Image.fromarray(pixels).save(path, description="x" * 100_000)
    picture = read_picture(path)
    assert len(picture.exif) > 100_000
    write_picture(tmp_path / "x.jpg", picture)
    assert not stored(tmp_path / "x.jpg").getexif()
    write_picture(tmp_path / "x.png", picture)
    assert stored(tmp_path / "x.png").getexif()[270] == "x" * 100_000


@pytest.mark.parametrize("mode", ["1", "L"])
@pytest.mark.parametrize("ending", [".bmp", ".png", ".tif", ".jpg"])
def test_grey_stays_grey(tmp_path, ending, mode):
    if (mode, ending) == ("1", ".jpg"):
        pytest.skip("JPEG has no black and white")
    path, again = tmp_path / f"x{ending}", tmp_path / f"y{ending}"
    levels = noise(6, 9)
    if mode == "1":
        levels = np.where(levels > 127, 255, 0).astype(np.uint8)
    Image.fromarray(levels).convert(mode).save(path)
    picture = read_picture(path)
    assert picture.grey
    np.testing.assert_allclose(
        picture.pixels, np.stack([levels] * 3, axis=-1), atol=30 if ending == ".jpg" else 0
    )
    write_picture(again, picture)
    with Image.open(again) as written:
        assert written.mode == "L"


def test_grey_is_the_rounded_mean_of_the_channels(tmp_path):
    pixels = np.array([[[10, 11, 11], [10, 10, 11], [255, 255, 255], [0, 0, 1]]], np.uint8)
    write_picture(tmp_path / "x.png", Picture(pixels, None, grey=True))
    written = np.asarray(stored(tmp_path / "x.png"))
    assert written.tolist() == [[11, 10, 255, 0]]  # 10.67, 10.33, 255, 0.33


@pytest.mark.parametrize(
    ("mode", "endings"), [("RGBA", (".png", ".tif", ".webp")), ("LA", (".png", ".tif"))]
)
def test_alpha_is_kept(tmp_path, mode, endings):
    channels = noise(6, 9, len(mode))
    channels[..., -1] |= 1
    for ending in endings:
        path, again = tmp_path / f"x{ending}", tmp_path / f"y{ending}"
        Image.fromarray(channels).save(path, **({"lossless": True} if ending == ".webp" else {}))
        picture = read_picture(path)
        np.testing.assert_array_equal(picture.alpha, channels[..., -1])
        assert picture.grey == (mode == "LA")
        write_picture(again, picture)
        with Image.open(again) as written:
            assert written.mode == mode
            np.testing.assert_array_equal(np.asarray(written), channels)


@pytest.mark.parametrize("ending", [".jpg", ".bmp"])
def test_alpha_in_a_format_without_is_an_error_unless_opaque(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    alpha = np.full((4, 4), 255, np.uint8)
    write_picture(path, Picture(noise(4, 4, 3), alpha, grey=False))
    assert stored(path).mode == "RGB"
    path.unlink()
    alpha[0, 0] = 254
    with pytest.raises(ImageError, match="has transparency"):
        write_picture(path, Picture(noise(4, 4, 3), alpha, grey=False))
    assert not path.exists()


def test_palettes_become_colours(tmp_path):
    path = tmp_path / "x.png"
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), mode=None).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2, 1])
    expected = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 255, 0]]]
    image.save(path)
    picture = read_picture(path)
    assert picture.pixels.tolist() == expected
    assert picture.alpha is None
    image.save(path, transparency=1)
    picture = read_picture(path)
    assert picture.alpha.tolist() == [[255, 0], [255, 0]]
    assert not picture.grey


def test_a_palette_of_greys_is_grey(tmp_path):
    path = tmp_path / "x.png"
    image = Image.new("P", (2, 1))
    image.putpalette([7, 7, 7, 200, 200, 200])
    image.putdata([0, 1])
    image.save(path)
    assert read_picture(path).grey
    assert read_picture(path).pixels.tolist() == [[[7] * 3, [200] * 3]]


def test_a_palette_of_greys_keeps_a_profile_of_colours(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([7, 7, 7, 200, 200, 200])
    image.putdata([0, 1])
    image.save(tmp_path / "x.png", icc_profile=SRGB)
    write_picture(tmp_path / "y.png", read_picture(tmp_path / "x.png"))
    assert stored(tmp_path / "y.png").info["icc_profile"] == SRGB


@pytest.mark.parametrize("pixels_per_metre", [0, 3937])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_transparent_grey_of_few_bits_becomes_alpha(tmp_path, bits, pixels_per_metre):
    """A row of black and white, of which white is transparent."""
    white = 2**bits - 1
    row = bytes([0, white] if bits == 8 else [white << 8 - 2 * bits])
    path = tmp_path / "x.png"
    transparent = struct.pack(">H", white)
    path.write_bytes(png(2, 1, bits, 0, b"\0" + row, transparent, pixels_per_metre))
    picture = read_picture(path)
    assert picture.pixels[0, :, 0].tolist() == [0, 255]
    assert picture.alpha.tolist() == [[255, 0]]
    assert (picture.dpi is None) == (pixels_per_metre == 0)


def test_photographs_look_as_on_white(tmp_path):
    path = tmp_path / "x.png"
    pixels = np.array([[[9, 8, 7], [0, 100, 200], [1, 2, 3]]], np.uint8)
    Image.fromarray(pixels).save(path)
    assert read_photograph(path).tolist() == pixels.tolist()
    alpha = np.array([[[255], [51], [0]]], np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], axis=-1)).save(path)
    assert read_photograph(path).tolist() == [[[9, 8, 7], [204, 224, 244], [255, 255, 255]]]


@pytest.mark.parametrize("where", ["load", "exif_transpose", "save"])
def test_memory_that_does_not_suffice_is_no_fault_of_the_file(tmp_path, monkeypatch, where):
    path = tmp_path / "x.png"
    write_picture(path, Picture(noise(4, 4, 3), None, grey=False))

    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(ImageOps if where == "exif_transpose" else Image.Image, where, fail)
    if where == "load":
        monkeypatch.setattr(ImageFile.ImageFile, where, fail)
    with pytest.raises(MemoryError):
        write_picture(tmp_path / "y.png", read_picture(path))
    assert not (tmp_path / "y.png").exists()


def test_a_transparent_colour_becomes_alpha(tmp_path):
    path = tmp_path / "x.png"
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    image.save(path, transparency=(4, 5, 6))
    assert read_picture(path).alpha.tolist() == [[255, 0]]
    Image.fromarray(np.array([[9, 8]], np.uint8)).save(path, transparency=8)
    assert read_picture(path).alpha.tolist() == [[255, 0]]
    assert read_picture(path).grey


def test_cmyk_becomes_rgb(tmp_path):
    path = tmp_path / "x.tif"
    image = Image.new("CMYK", (2, 1))
    image.putdata([(0, 255, 255, 0), (0, 0, 0, 255)])
    image.save(path)
    picture = read_picture(path)
    assert picture.pixels.tolist() == [[[255, 0, 0], [0, 0, 0]]]
    image.save(path, icc_profile=SRGB)  # a profile that does not fit
    assert read_picture(path).pixels.tolist() == [[[255, 0, 0], [0, 0, 0]]]
    assert read_picture(path).icc_profile is None


def test_ycbcr_becomes_rgb(tmp_path):
    path = tmp_path / "x.tif"
    Image.new("YCbCr", (2, 2), (76, 85, 255)).save(path)  # ITU-R BT.601 of pure red
    np.testing.assert_allclose(read_picture(path).pixels, [[[254, 0, 0]] * 2] * 2, atol=1)


def test_of_a_jpeg_with_further_pictures_the_first_is_taken(tmp_path):
    path = tmp_path / "x.jpg"
    first, second = Image.new("RGB", (16, 16), "white"), Image.new("RGB", (16, 16), "black")
    first.save(path, format="MPO", save_all=True, append_images=[second])
    picture = read_picture(path)
    assert (picture.pixels == 255).all()


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_grey_is_an_error(tmp_path, mode):
    path = tmp_path / "x.tif"
    Image.new(mode, (4, 4)).save(path)
    with pytest.raises(ImageError, match=r"x\.tif: expected 8 bits a channel"):
        read_picture(path)


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_deep_png_is_an_error_though_pillow_reads_it(tmp_path, colour_type, channels):
    path = tmp_path / "x.png"
    path.write_bytes(png(2, 1, 16, colour_type, b"\0" + b"\x12\x34" * channels * 2))
    assert stored(path).mode != "I"
    with pytest.raises(ImageError, match="expected 8 bits a channel"):
        read_picture(path)


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_deep_tiff_is_an_error(tmp_path, compression):
    path = tmp_path / "x.tif"
    pixels = np.zeros((4, 4, 3), np.uint16)
    tifffile.imwrite(path, pixels, photometric="rgb", compression=compression)
    with pytest.raises(ImageError, match="expected 8 bits a channel"):
        read_picture(path)


@pytest.mark.parametrize("ending", [".png", ".webp", ".tif"])
def test_several_frames_are_an_error(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    first, second = Image.new("RGB", (4, 4), "white"), Image.new("RGB", (4, 4), "black")
    first.save(path, save_all=True, append_images=[second])
    for read in (read_picture, read_rgb):
        with pytest.raises(ImageError, match=r"single picture\. Received: several frames"):
            read(path)


def test_files_that_are_no_pictures_are_named(tmp_path):
    path = tmp_path / "x.png"
    with pytest.raises(ImageError, match=r"x\.png: no such file"):
        read_picture(path)
    path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"x\.png: .*Received: an empty file"):
        read_picture(path)
    path.write_text("Some text\n" * 100)
    with pytest.raises(ImageError, match=r"x\.png: expected a picture \(BMP, PNG"):
        read_picture(path)
    Image.new("L", (4, 4)).save(path, format="GIF")
    with pytest.raises(ImageError, match=r"x\.png: expected a picture \(BMP, PNG"):
        read_picture(path)
    with pytest.raises(ImageError, match="Received: a folder"):
        read_picture(tmp_path)


@pytest.mark.parametrize("ending", ["png", "webp", "jpg"])
def test_damaged_metadata_costs_nobody_the_picture(tmp_path, ending):
    path, pixels = tmp_path / f"x.{ending}", np.full((16, 16, 3), 128, np.uint8)
    Image.fromarray(pixels).save(path, exif=b"Exif\0\0" + 20 * b"X")
    np.testing.assert_allclose(read_rgb(path), pixels, atol=1)
    np.testing.assert_allclose(read_picture(path).pixels, pixels, atol=1)


def test_damaged_metadata_costs_nobody_a_turned_picture(tmp_path):
    path, pixels = tmp_path / "x.jpg", np.zeros((16, 32, 3), np.uint8)
    pixels[:, 16:] = 200
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Make"
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    # The maker's name becomes a float32.
    entry = path.read_bytes().index(bytes([1, 15, 0, 2]))
    content = bytearray(path.read_bytes())
    content[entry + 2 : entry + 8] = bytes([0, 11, 0, 0, 0, 1])
    path.write_bytes(content)
    upright = read_picture(path).pixels
    assert upright.shape == (32, 16, 3)
    assert upright[:14].mean() < 10 < 190 < upright[18:].mean()


@pytest.mark.parametrize("ending", ENDINGS)
def test_truncated_pictures_are_an_error(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    Image.fromarray(noise(64, 64, 3)).save(path)
    content = path.read_bytes()
    for share in (0.9, 0.5, 0.1, 0.005):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ImageError, match=rf"x\{ending}: ") as caught:
            read_picture(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dpi", [None, (300, 300)])
def test_a_damaged_byte_of_a_pngs_pixels_is_an_error(tmp_path: Path, dpi) -> None:
    path = tmp_path / "x.png"
    Image.fromarray(noise(64, 64, 3)).save(path, **({"dpi": dpi} if dpi else {}))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.png: "):
        read_picture(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_damaged_bytes_give_a_picture_or_one_error(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    exif = Image.Exif()
    exif[271] = "A maker"
    Image.fromarray(noise(8, 8, 3)).save(path, **({} if ending == ".bmp" else {"exif": exif}))
    content = np.frombuffer(path.read_bytes(), np.uint8)
    random = np.random.default_rng(0)
    failed = 0
    for _ in range(100):
        damaged = content.copy()
        damaged[random.integers(0, min(content.size, 300), 3)] = random.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            picture = read_picture(path, max_pixels=10**6)
        except ImageError:
            failed += 1
        else:
            assert picture.pixels.shape[2] == 3
    assert failed > 0


def test_too_many_pixels_are_an_error_and_never_a_warning(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(png(20_000, 20_000, 8, 2, b""))
    with pytest.raises(ImageError, match="expected at most 178,956,970 pixels"):
        read_picture(path)
    path.write_bytes(png(10_000, 10_000, 1, 0, b""))
    with warnings.catch_warnings(record=True, action="always") as warned:
        with pytest.raises(ImageError, match="truncated"):
            read_picture(path)
        with pytest.raises(ImageError, match=r"at most 16 pixels\. Received: 10000 x 10000"):
            read_picture(path, max_pixels=16)
    assert warned == []
    Image.new("RGB", (4, 4)).save(path)
    assert read_picture(path, max_pixels=16).pixels.shape == (4, 4, 3)


def test_nothing_is_printed_about_a_damaged_picture(tmp_path):
    path = tmp_path / "x.tif"
    Image.fromarray(noise(8, 8, 3)).save(path)
    three, many = (struct.pack("<HHIHH", 277, 3, 1, samples, 0) for samples in (3, 2048))
    assert three in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(three, many))
    code = """if True:
        import sys, pathlib, tidenhance.errors, tidenhance.images
        try:
            tidenhance.images.read_picture(pathlib.Path(sys.argv[1]))
        except tidenhance.errors.ImageError:
            print("one error")
    """
    ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("one error\n", "")


def test_unknown_endings_are_an_error(tmp_path):
    picture = Picture(noise(4, 4, 3), None, grey=False)
    for name in ("x.gif", "x"):
        with pytest.raises(ImageError, match="expected a name ending in"):
            write_picture(tmp_path / name, picture)
    assert list(tmp_path.iterdir()) == []
    assert is_picture_name(Path("a/B.TIFF"))
    assert not is_picture_name(Path("a/b.txt"))


def test_a_failure_in_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    path.write_bytes(b"old")

    def write_half(target: Path, _: bytes) -> None:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(WriteError, match=r"x\.png: cannot be written: No space left"):
        write_picture(path, Picture(noise(4, 4, 3), None, grey=False))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(WriteError, match=r"x\.png: cannot be written"):
        write_picture(tmp_path / "no" / "x.png", Picture(noise(4, 4, 3), None, False))


def test_a_profile_for_other_channels_is_left_out(tmp_path):
    path = tmp_path / "x.png"
    write_picture(path, Picture(noise(4, 4, 3), None, True, icc_profile=SRGB))
    assert "icc_profile" not in stored(path).info


def test_hidden_colours_are_those_of_the_nearest_visible_pixel():
    pixels = np.array([[[10] * 3, [99] * 3, [98] * 3, [97] * 3, [20] * 3]], np.uint8)
    alpha = np.array([[255, 0, 1, 0, 128]], np.uint8)
    filled = fill_transparent(pixels, alpha)[0, :, 0]
    assert filled[[0, 2, 4]].tolist() == [10, 98, 20]
    assert filled[1] in (10, 98)
    assert filled[3] in (98, 20)
    np.testing.assert_array_equal(fill_transparent(pixels, alpha * 0), pixels)


@pytest.mark.parametrize("ending", ["bmp", "png", "jpg", "tif", "webp"])
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, ending: str) -> None:
    code = f"""
import resource, signal
from pathlib import Path
import numpy as np
from tidenhance import errors, images
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))
pixels = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
try:
    images.write_rgb(Path("x.{ending}"), pixels)
except errors.WriteError:
    print("WriteError")
"""
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert found.stdout == "WriteError\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lossless", [True, False])
def test_a_grey_webp_stays_grey(tmp_path: Path, lossless: bool) -> None:
    path = tmp_path / "x.webp"
    ramp = np.tile(np.arange(0, 256, 4, np.uint8), (64, 1))
    Image.fromarray(ramp).convert("RGB").save(path, lossless=lossless)
    picture = read_picture(path)
    assert picture.grey
    write_picture(path, picture)
    assert (np.ptp(read_picture(path).pixels, axis=-1) <= 1).all()
    # Restored, it has colours, which are averaged.
    coloured = dataclasses.replace(picture, pixels=noise(64, 64, 3))
    write_picture(path, coloured)
    mean = np.rint(coloured.pixels.mean(axis=-1, keepdims=True))
    np.testing.assert_array_equal(read_picture(path).pixels, np.repeat(mean, 3, axis=-1))
    Image.fromarray(noise(64, 64, 3)).save(path, lossless=lossless)
    assert not read_picture(path).grey
