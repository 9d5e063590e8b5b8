"""EXIF of a picture that lies upright: edited in place, since offsets in it are others'."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from PIL.ExifTags import IFD, Base

PREFIX = b"Exif\0\0"
# In the first directory, in Exif's, and in that of interoperability.
WIDTHS = (Base.ImageWidth, Base.ExifImageWidth, Base.RelatedImageWidth)
HEIGHTS = (Base.ImageLength, Base.ExifImageHeight, Base.RelatedImageLength)
_ENTRY = 12  # bytes
_SHORT, _LONG = 3, 4


def of_upright(exif: bytes, width: int, height: int) -> bytes:
    """Return EXIF without orientation and thumbnail; where it states a size, it is the one given.

    All else keeps its bytes and its place: makers' notes hold offsets of their own, and texts are
    in whatever encoding. Source: Exif 2.32 (JEITA CP-3451E), 4.5 and 4.6; TIFF 6.0, section 2.

    Args:
        exif: as it is in a file, with the six bytes that JPEG has before it or without.
        width: of the picture, in pixels.
        height: of the picture, in pixels.

    Returns:
        The same, after JPEG's six bytes; empty where nothing is left.

    Raises:
        ValueError: it is damaged.
    """
    while exif.startswith(PREFIX):
        exif = exif.removeprefix(PREFIX)
    try:
        block = _Block.of(exif)
        first = block.number("I", 4)
        while found := block.find(first, Base.Orientation):
            block.remove(first, found)
        count = block.number("H", first)
        # What is damaged further on must not cost the rest.
        with suppress(struct.error):
            block.drop_thumbnail(first + 2 + _ENTRY * count)
        with suppress(struct.error):
            for directory in block.directories(first):
                for tags, side in ((WIDTHS, width), (HEIGHTS, height)):
                    for tag in tags:
                        block.state(directory, tag, side)
        return PREFIX + block.data if count else b""
    except (KeyError, struct.error) as error:
        raise ValueError("damaged EXIF") from error


@dataclass
class _Block:
    data: bytearray
    order: str

    @classmethod
    def of(cls, tiff: bytes) -> _Block:
        return cls(bytearray(tiff), {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]])

    def number(self, kind: str, place: int) -> int:
        value: int = struct.unpack_from(self.order + kind, self.data, place)[0]
        return value

    def entries(self, directory: int) -> Iterator[int]:
        """Yield where the entries of a directory are."""
        for index in range(self.number("H", directory)):
            yield directory + 2 + _ENTRY * index

    def find(self, directory: int, tag: int) -> int | None:
        places = self.entries(directory)
        return next((place for place in places if self.number("H", place) == tag), None)

    def directories(self, first: int) -> Iterator[int]:
        """Yield where the first directory is, Exif's within it, and interoperability's in that."""
        yield first
        for tag in (IFD.Exif, IFD.Interop):
            pointer = self.find(first, tag)
            if pointer is None:
                return
            first = self.number("I", pointer + 8)
            yield first

    def remove(self, directory: int, place: int) -> None:
        """Move into an entry's place what follows it: other entries and the next's offset."""
        count = self.number("H", directory)
        end = directory + 2 + _ENTRY * count + 4
        self.data[place:end] = self.data[place + _ENTRY : end] + bytes(_ENTRY)
        struct.pack_into(self.order + "H", self.data, directory, count - 1)

    def drop_thumbnail(self, pointer: int) -> None:
        directory = self.number("I", pointer)
        struct.pack_into(self.order + "I", self.data, pointer, 0)
        if not directory:
            return
        tags = (Base.JpegIFOffset, Base.JpegIFByteCount)
        places = [self.find(directory, tag) for tag in tags]
        start, size = (self.number("I", place + 8) if place else 0 for place in places)
        # Only what is a JPEG: a wrong offset would cost others' bytes.
        if self.data[start : start + 2] == b"\xff\xd8" and start + size <= len(self.data):
            self.data[start : start + size] = bytes(size)

    def state(self, directory: int, tag: int, value: int) -> None:
        place = self.find(directory, tag)
        kind = place and self.number("H", place + 2)
        if place and kind in (_SHORT, _LONG) and self.number("I", place + 4) == 1:
            # A short one is the first two of the four bytes.
            fits = kind == _LONG or value < 2**16
            struct.pack_into(
                self.order + ("I" if kind == _LONG else "H2x"),
                self.data,
                place + 8,
                value if fits else 0,
            )
