"""What is taken out of EXIF, what is stated anew, and that all else keeps its bytes and place."""

from __future__ import annotations

import struct
from itertools import product

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from tidenhance.exif import PREFIX, of_upright
from tidenhance.images import read_picture, write_picture

ARTIST = "Jörg Müller © 2024".encode()
THUMBNAIL = b"\xff\xd8 a small picture \xff\xd9"
NOTE = b"offsets of a maker's own"
ASCII, SHORT, LONG, UNDEFINED = 2, 3, 4, 7


def directory(order: str, place: int, entries: list[tuple[int, int, bytes | int]], after: int):
    """Return a directory that begins at a place, with what does not fit into its entries behind."""
    table, behind = struct.pack(order + "H", len(entries)), b""
    start = place + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        if isinstance(value, int):
            content = struct.pack(order + ("I" if kind == LONG else "H2x"), value)
            count = 1
        else:
            count = len(value)
            content = value.ljust(4, b"\0")
            if count > 4:
                content = struct.pack(order + "I", start + len(behind))
                behind += value
        table += struct.pack(order + "HHI", tag, kind, count) + content
    return table + struct.pack(order + "I", after) + behind


def block(order: str) -> bytes:
    """Return EXIF of a picture of 60 x 40 that lies on its side, as a camera writes it."""
    comment = b"UNICODE\0" + "Grüße".encode("utf-16-le" if order == "<" else "utf-16-be")

    def at(inner: int, interoperability: int, last: int) -> list[bytes]:
        first = [
            (256, SHORT, 60),
            (274, SHORT, 6),
            (315, ASCII, ARTIST + b"\0"),
            (34665, LONG, inner),
        ]
        exif = [
            (37500, UNDEFINED, NOTE),
            (37510, UNDEFINED, comment),
            (40962, LONG, 60),
            (40963, SHORT, 40),
            (40965, LONG, interoperability),
        ]
        end = last + 2 + 12 * 2 + 4
        thumbnail = [(513, LONG, end), (514, LONG, len(THUMBNAIL))]
        return [
            directory(order, 8, first, last),
            directory(order, inner, exif, 0),
            directory(
                order,
                interoperability,
                [(1, ASCII, b"R03\0"), (4097, SHORT, 60), (4098, SHORT, 40)],
                0,
            ),
            directory(order, last, thumbnail, 0) + THUMBNAIL,
        ]

    sizes = [len(part) for part in at(0, 0, 0)]
    places = np.cumsum([8, *sizes]).tolist()
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return header + b"".join(at(*places[1:4]))


def thumbnail_directory(exif: bytes) -> dict[int, object]:
    found = Image.Exif()
    found.load(exif)
    return found.get_ifd(ExifTags.IFD.IFD1)


@pytest.mark.parametrize(("order", "prefix"), [*product("<>", (b"", PREFIX, 2 * PREFIX))])
def test_all_else_keeps_its_bytes_and_its_place(order: str, prefix: bytes) -> None:
    before = block(order)
    after = of_upright(prefix + before, 40, 60)
    assert after.startswith(b"Exif\0\0")
    # What is done is done.
    assert of_upright(after, 40, 60) == after
    after = after[6:]
    for kept in (
        ARTIST,
        NOTE,
        "Grüße".encode("utf-16-le" if order == "<" else "utf-16-be"),
        b"R03",
    ):
        assert after.index(kept) == before.index(kept)
    assert THUMBNAIL in before
    assert THUMBNAIL not in after
    assert len(after) == len(before)
    assert thumbnail_directory(before) != {}
    assert thumbnail_directory(after) == {}
    found = Image.Exif()
    found.load(after)
    assert found.endian == order
    assert set(found) == {256, 315, 34665}
    assert found[256] == 40
    assert found.get_ifd(34665)[40962] == 40
    assert found.get_ifd(34665)[40963] == 60
    assert found.get_ifd(40965) == {1: "R03", 4097: 40, 4098: 60}


@pytest.mark.parametrize("wrong", [20, 10**6])
def test_what_leads_elsewhere_costs_no_other_bytes(wrong: int) -> None:
    whole = block("<")
    place = whole.index(struct.pack("<HHI", 513, LONG, 1)) + 8
    expected = of_upright(whole, 40, 60)[6:]
    for start, what in ((place, "thumbnail"), (8 + 2 + 12 * 4, "directory")):
        one = whole[:start] + struct.pack("<I", wrong) + whole[start + 4 :]
        found = of_upright(one, 40, 60)[6:]
        assert ARTIST in found
        if what == "thumbnail":
            assert THUMBNAIL in found
            assert found[: start - 200] == expected[: start - 200]


def test_a_block_that_ends_without_the_next_one_s_place() -> None:
    exif = Image.Exif()
    exif[271] = "abc"
    assert exif.tobytes().endswith(b"abc\0" + bytes(4))
    assert of_upright(exif.tobytes()[:-4], 4, 4) == exif.tobytes()[:-4]


def test_nothing_is_left_where_only_the_orientation_was() -> None:
    exif = Image.Exif()
    exif[274] = 6
    assert of_upright(exif.tobytes(), 4, 4) == b""


def test_damaged_blocks_raise_nothing_else_and_never_grow() -> None:
    whole = block("<")
    random = np.random.default_rng(0)
    damaged = [whole[:length] for length in range(len(whole))]
    for place in random.integers(len(whole), size=2000):
        damaged.append(whole[:place] + bytes([random.integers(256)]) + whole[place + 1 :])
    told = 0
    for one in damaged:
        try:
            assert len(of_upright(one, 40, 60)) <= len(one) + 6
        except ValueError:
            told += 1
    assert 0 < told < len(damaged)
    for other in (b"", b"II", b"MM*\0" + bytes(20), b"Exif\0\0" + 20 * b"X"):
        with pytest.raises(ValueError, match="damaged EXIF"):
            of_upright(other, 40, 60)


@pytest.mark.parametrize(
    ("source", "target", "order"),
    [*product((".jpg", ".png", ".webp", ".tif"), (".jpg", ".png", ".webp", ".tif"), "<>")],
)
def test_a_camera_s_picture(tmp_path, source: str, target: str, order: str) -> None:
    path, again = tmp_path / "x.jpg", tmp_path / f"y{target}"
    pixels = np.full((40, 60, 3), 90, np.uint8)
    Image.fromarray(pixels).save(path, exif=PREFIX + block(order))
    if source == ".tif":
        write_picture(tmp_path / "x.tif", read_picture(path))
    elif source != ".jpg":
        Image.fromarray(pixels).save(tmp_path / f"x{source}", exif=PREFIX + block(order))
    write_picture(again, read_picture(tmp_path / f"x{source}"))
    assert ARTIST in again.read_bytes()
    assert THUMBNAIL not in again.read_bytes()
    with Image.open(again) as written:
        assert written.size == (40, 60)
        found = written.getexif()
        assert 274 not in found
        assert found.get_ifd(34665)[40962] == 40
        assert found.get_ifd(34665)[40963] == 60
        assert found.get_ifd(40965)[1] == "R03"
        if ".tif" not in (source, target):
            assert found.endian == order


def test_a_tiff_s_texts_keep_their_bytes(tmp_path) -> None:
    exif = Image.Exif()
    exif[315] = ARTIST
    Image.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(tmp_path / "x.tif", exif=exif)
    assert ARTIST in (tmp_path / "x.tif").read_bytes()
    for ending in (".jpg", ".png", ".webp", ".tif"):
        write_picture(tmp_path / f"y{ending}", read_picture(tmp_path / "x.tif"))
        assert ARTIST in (tmp_path / f"y{ending}").read_bytes()


def test_what_cannot_be_written_costs_neither_the_picture_nor_the_rest(tmp_path) -> None:
    exif = Image.Exif()
    exif[271] = "A maker"
    exif[315] = "J\xc3\xb6rg"
    exif[34665] = {42032: "an owner"}
    data = bytearray(exif.tobytes())
    # The artist's name becomes a rational number: it is read, but not written as such.
    entry = data.index(struct.pack(">HH", 315, ASCII))
    data[entry + 2 : entry + 8] = struct.pack(">HI", 5, 1)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=bytes(data))
    write_picture(tmp_path / "y.tif", read_picture(tmp_path / "x.jpg"))
    with Image.open(tmp_path / "y.tif") as written:
        assert written.getexif()[271] == "A maker"
        assert written.getexif().get_ifd(34665)[42032] == "an owner"


def test_names_in_the_exif_directory_keep_their_letters_in_a_tiff(tmp_path) -> None:
    owner = [(42032, ASCII, ARTIST + b"\0")]
    first = directory("<", 8, [(34665, LONG, 26)], 0)
    exif = b"II*\0" + struct.pack("<I", 8) + first + directory("<", 26, owner, 0)
    Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", exif=PREFIX + exif)
    write_picture(tmp_path / "y.tif", read_picture(tmp_path / "x.jpg"))
    assert ARTIST in (tmp_path / "y.tif").read_bytes()


@pytest.mark.parametrize("target", [".jpg", ".png"])
def test_a_png_s_texts(tmp_path, target: str) -> None:
    """EXIF as older programs write it into a PNG, and a text that is only called so."""
    text = PngInfo()
    digits = (PREFIX + block("<")).hex()
    text.add_text("Raw profile type exif", f"\nexif\n{len(digits) // 2:8}\n{digits}\n")
    Image.new("RGB", (40, 60)).save(tmp_path / "x.png", pnginfo=text)
    write_picture(tmp_path / f"y{target}", read_picture(tmp_path / "x.png"))
    assert NOTE in (tmp_path / f"y{target}").read_bytes()
    other = PngInfo()
    other.add_itxt("exif", "hello")
    Image.new("RGB", (40, 60)).save(tmp_path / "z.png", pnginfo=other)
    assert read_picture(tmp_path / "z.png").exif is None
