"""Bad and hostile input: one clear line about each, the rest done, nothing else touched."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tidenhance import config, runs
from tidenhance.errors import ImageError, RunError, UserInputError
from tidenhance.images import MAX_PIXELS, check_writable, read_picture, read_rgb

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RED = "\x1b[31mred"


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def encoded(mode: str, file_format: str, size: tuple[int, int] = (11, 9), **options) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(noise(size[1], size[0], 4))
    if mode != "RGBA":
        image = image.convert("RGB").convert(mode)
    image.save(stream, file_format, **options)
    return stream.getvalue()


def png(width: int, height: int, bits: int, colour_type: int, data: bytes) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def exif() -> Image.Exif:
    made = Image.Exif()
    made[271] = "A maker"
    made[274] = 6
    made.get_ifd(34665)[33434] = 0.5
    return made


def frames(file_format: str, **options) -> bytes:
    more = [Image.fromarray(noise(9, 11, 3)[::-1].copy())]
    return encoded("RGB", file_format, save_all=True, append_images=more, **options)


def damaged_tiff() -> bytes:
    """Return a TIFF about which libtiff itself has something to say."""
    content = bytearray(encoded("RGB", "TIFF", compression="tiff_adobe_deflate"))
    content[8 + 20] ^= 0xFF
    return bytes(content)


def long_chain_of_pages() -> bytes:
    """Return a TIFF of 1.2 MB that lists 200,000 pages."""
    content = encoded("RGB", "TIFF")
    start = struct.unpack("<I", content[4:8])[0]
    entries = struct.unpack("<H", content[start : start + 2])[0]
    link = start + 2 + 12 * entries
    pages = [struct.pack("<HI", 0, len(content) + 6 * n) for n in range(1, 200_000)]
    return content[:link] + struct.pack("<I", len(content)) + content[link + 4 :] + b"".join(pages)


GOOD: dict[str, bytes] = {
    "grey.png": encoded("L", "PNG"),
    "colour.jpg": encoded("RGB", "JPEG"),
    "cmyk.jpg": encoded("CMYK", "JPEG"),
    "cmyk.tif": encoded("CMYK", "TIFF"),
    "palette.png": encoded("P", "PNG"),
    "palette-transparent.png": encoded("P", "PNG", transparency=3),
    "alpha.webp": encoded("RGBA", "WEBP"),
    "black-and-white.png": encoded("1", "PNG"),
    "black-and-white.tif": encoded("1", "TIFF", compression="group4"),
    "turned.jpg": encoded("RGB", "JPEG", exif=exif()),
    "profile.png": encoded("RGB", "PNG", icc_profile=SRGB),
    "one-pixel.png": encoded("RGB", "PNG", size=(1, 1)),
    "line.bmp": encoded("RGB", "BMP", size=(1, 5000)),
    "really-a-png.jpg": encoded("RGB", "PNG"),
    "two\nlines.png": encoded("RGB", "PNG"),
    f"{RED}.png": encoded("RGB", "PNG"),
    "bytes\udcff.png": encoded("RGB", "PNG"),
    "-o.png": encoded("RGB", "PNG"),
}
BAD: dict[str, tuple[bytes, str]] = {
    "empty.png": (b"", "Received: an empty file"),
    "cut.png": (encoded("RGB", "PNG", size=(64, 64))[:4000], "truncated"),
    "cut.jpg": (encoded("RGB", "JPEG", size=(64, 64))[:2000], "truncated"),
    "text.tif": (b"not a picture", "Received: something else"),
    "really-a-gif.png": (encoded("L", "GIF"), "expected a picture (BMP, PNG, JPEG, TIFF, WEBP)"),
    "deep-grey.png": (png(2, 1, 16, 0, b"\0" + b"\x12\x34" * 2), "expected 8 bits a channel"),
    "deep-colour.png": (png(2, 1, 16, 2, b"\0" + b"\x12\x34" * 6), "expected 8 bits a channel"),
    "animated.png": (frames("PNG"), "Received: several frames"),
    "animated.webp": (frames("WEBP"), "Received: several frames"),
    "pages.tif": (long_chain_of_pages(), "Received: several frames or pages"),
    "damaged.tif": (damaged_tiff(), "cannot be read: decoder error"),
    "bomb.png": (png(60_000, 60_000, 8, 2, b""), f"expected at most {MAX_PIXELS:,} pixels"),
    "large.png": (encoded("1", "PNG", size=(400, 400)), "at most 100,000 pixels. Received: 400 x"),
    "really-transparent.jpg": (encoded("RGBA", "WEBP", size=(9, 9)), "transparency, which JPEG"),
    "bad\nlines.png": (b"\n", "Received: something else"),
    f"bad{RED}.png": (b"\n", "Received: something else"),
    "bad\udcff.png": (b"\n", "Received: something else"),
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a network of a few hundred parameters, not trained."""
    from tidenhance import weights

    path = tmp_path_factory.mktemp("runs") / "tiny"
    path.mkdir()
    tiny = config.load(config.find("plain128"), ["network.channels=[4]"], environment={})
    (path / runs.CONFIG).write_text(config.dump(tiny))
    weights.build_network(tiny).save_weights(path / runs.BEST_WEIGHTS)
    return path


def enhance(
    run: Path, *arguments: str | Path, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, sys.executable, "-m", "tidenhance", "enhance", "--run", run, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture of each kind, and with what only has a picture's name."""
    made = tmp_path / "pictures"
    (made / "folder.png").mkdir(parents=True)
    (made / "folder.png" / "deeper.png").write_bytes(GOOD["grey.png"])
    for name, content in GOOD.items():
        (made / name).write_bytes(content)
    for name, (content, _) in BAD.items():
        (made / name).write_bytes(content)
    (made / "circle.png").symlink_to("circle.png")
    (made / "dangling.png").symlink_to("nothing.png")
    os.mkfifo(made / "pipe.png")
    return made


LINKS = {
    "circle.png": "Too many levels of symbolic links",
    "dangling.png": "a link to a file that is not there",
    "pipe.png": "Received: a pipe or a device",
}


def escaped(name: str) -> str:
    return name.replace("\n", r"\n").replace("\x1b", r"\x1b").replace("\udcff", r"\udcff")


def result(name: str) -> str:
    return f"{Path(name).stem}_enhanced{Path(name).suffix}"


def test_in_a_folder_of_every_kind_the_good_are_restored_and_each_bad_one_is_one_line(
    folder, run, tmp_path
):
    before, out = contents(folder), tmp_path / "out"
    ended = enhance(run, "--max-pixels", "100000", folder, "-o", out)
    assert ended.returncode == 2
    reasons = {name: reason for name, (_, reason) in BAD.items()} | LINKS
    left_out, *lines = ended.stderr.splitlines()
    assert left_out == "left out of folders, as not pictures: 1 (.png)"
    assert len(lines) == len(reasons), ended.stderr
    for name, reason in reasons.items():
        told = (f"/{escaped(name)}: ", f"/{escaped(result(name))}: ")
        (line,) = [line for line in lines if any(part in line for part in told)]
        assert line.startswith("error: ")
        assert reason in line
    assert {path.name for path in out.iterdir()} == set(map(result, GOOD))
    shown = {escaped(str(out / result(name))) for name in GOOD}
    assert set(ended.stdout.splitlines()) == shown
    assert contents(folder) == before
    for name in GOOD:
        source, restored = read_picture(folder / name), read_picture(out / result(name))
        assert restored.pixels.shape == source.pixels.shape
        assert restored.grey == source.grey


@pytest.mark.parametrize(
    ("name", "reason"), [*LINKS.items(), ("no\nsuch.png", r"no\nsuch.png: no such file or folder.")]
)
def test_what_is_no_file_given_by_name_is_one_line(folder, run, name, reason):
    before = contents(folder)
    ended = enhance(run, folder / "grey.png", folder / name)
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    assert reason in line
    assert "Did you mean" not in line
    assert contents(folder) == before


def test_a_target_that_is_a_circle_of_links_is_replaced(run, tmp_path):
    (tmp_path / "a.png").write_bytes(GOOD["grey.png"])
    (tmp_path / "a_enhanced.png").symlink_to("a_enhanced.png")
    ended = enhance(run, tmp_path / "a.png")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(contents(tmp_path)) == ["a.png", "a_enhanced.png"]
    assert not (tmp_path / "a_enhanced.png").is_symlink()


def test_what_one_may_not_read_is_one_line(run, tmp_path):
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:
        before = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        if not shutil.which("setpriv") or subprocess.run([*before, "true"], check=False).returncode:
            pytest.skip("root reads everything")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(GOOD["grey.png"])
    (tmp_path / "a.png").chmod(0)
    ended = enhance(run, tmp_path, before=before)
    assert ended.returncode == 2
    assert ended.stderr == f"error: {tmp_path}/a.png: cannot be read: Permission denied.\n"
    assert ended.stdout == f"{tmp_path}/b_enhanced.png\n"


def test_a_picture_that_vanishes_or_exhausts_the_memory_does_not_stop_the_others(tmp_path):
    from tidenhance import enhance as enhancing

    def restore(source: Path, target: Path) -> None:
        if source.name == "a.png":
            raise MemoryError
        read_picture(source)

    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(GOOD["grey.png"])
    jobs = enhancing.plan([tmp_path])
    (tmp_path / "b.png").unlink()
    outcomes = [result for _, result in enhancing.enhance(restore, jobs)]
    assert str(outcomes[0]) == f"{tmp_path}/a.png: the memory does not suffice."
    assert not isinstance(outcomes[0], UserInputError)
    assert str(outcomes[1]) == f"{tmp_path}/b.png: no such file."
    assert outcomes[2] == tmp_path / "c_enhanced.png"


def test_a_hundred_megapixels_are_read_in_bounded_memory_and_without_a_warning(tmp_path):
    row = b"\0" + bytes(30_000)
    (tmp_path / "x.png").write_bytes(png(10_000, 10_000, 8, 2, row * 10_000))
    code = """if True:
        import pathlib, sys
        from tidenhance.images import read_picture
        def peak():
            status = pathlib.Path("/proc/self/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0])
        before = peak()
        assert read_picture(pathlib.Path(sys.argv[1])).pixels.shape == (10_000, 10_000, 3)
        print(peak() - before)
    """
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, tmp_path / "x.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    assert int(ran.stdout) * 1024 < 11 * 10_000**2  # Pillow's 4 bytes a pixel, and twice the array


@pytest.mark.parametrize(("ending", "side"), [(".jpg", 65_500), (".webp", 16_383), (".png", 10**6)])
def test_formats_that_hold_no_such_long_side_are_told(tmp_path, ending, side):
    from tidenhance.images import Picture

    path = tmp_path / f"x{ending}"
    check_writable(path, Picture(np.zeros((1, side, 3), np.uint8), None, False))
    if ending != ".png":
        with pytest.raises(ImageError, match=f"at most {side:,} pixels a side.*: {side + 1} x 1"):
            check_writable(path, Picture(np.zeros((1, side + 1, 3), np.uint8), None, False))


@pytest.fixture
def odd_run(run: Path, tmp_path: Path) -> Path:
    """A run whose data has names that no terminal shows."""
    for folder in ("reference", "distorted"):
        (tmp_path / folder).mkdir()
        for name in ("a.png", "b\udcff.png", "b\n.png"):
            content = encoded("RGB", "PNG", size=(16, 16))
            (tmp_path / folder / name).write_bytes(content)
    data = f"{{name: image_folder, root: {tmp_path}, splits: {{train: [a], val: ['b*']}}}}"
    tiny = ["network.channels=[4]", f"data={data}"]
    odd = Path(shutil.copytree(run, tmp_path / "odd"))
    (odd / runs.CONFIG).write_text(
        config.dump(config.load(config.find("plain128"), tiny, environment={}))
    )
    return odd


def test_names_that_are_not_utf_8_can_be_evaluated(odd_run):
    from tidenhance import evaluation

    assert evaluation.evaluate(odd_run, "val", save_images=True)["pairs"] == 2
    kept = sorted(path.name for path in (odd_run / runs.IMAGES / "val").iterdir())
    assert kept == ["b\n.png", "b\udcff.png"]


def test_pictures_are_never_kept_outside_the_run(odd_run, tmp_path):
    from tidenhance import evaluation

    outside = tmp_path / "outside"
    outside.mkdir()
    (odd_run / runs.IMAGES).symlink_to(outside)
    with pytest.raises(RunError, match=r"val: expected a folder of the run\. Received: a link"):
        evaluation.evaluate(odd_run, "val", save_images=True)
    assert list(outside.iterdir()) == []
    (odd_run / runs.IMAGES).unlink()
    (odd_run / runs.IMAGES).touch()
    with pytest.raises(UserInputError, match=r"images: expected a folder\. Received: a file\."):
        evaluation.evaluate(odd_run, "val", save_images=True)


def test_a_strangers_config_runs_and_writes_nothing(tmp_path):
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True)
    made = dict.fromkeys(config.Provenance.model_fields, "x") | {"config": "../../evil"}
    text = f"""\
seed: !!python/object/apply:os.system ["touch evil"]
network: {{name: ../../evil}}
data: &a [*a, *a]
loss: {{name: os}}
metrics: [_mse]
training: !!python/name:os.system
provenance: {json.dumps(made)}
"""
    (work / "evil.yaml").write_text(text)
    ended = subprocess.run(
        [sys.executable, "-m", "tidenhance", "train", "--config", "evil.yaml", "--data", "."],
        capture_output=True,
        text=True,
        check=False,
        cwd=work,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    for line in (
        "evil.yaml:1: tags are not allowed. Received: !!python/object/apply:os.system.",
        "evil.yaml:2: network.name: expected one of",
        "evil.yaml:3: anchors are not allowed. Received: &a.",
        "evil.yaml:3: aliases are not allowed. Received: *a.",
        "evil.yaml:4: loss.name: expected one of",
        "evil.yaml:5: metrics.0: expected one of",
        "evil.yaml:6: tags are not allowed. Received: !!python/name:os.system.",
        "evil.yaml:7: provenance.config: expected a plain file name",
    ):
        assert f"\n  {line}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "work", "evil.yaml"]


FILES = [
    *GOOD.values(),
    *(encoded("RGB", "TIFF", compression=c) for c in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")),
    *(encoded(mode, "TIFF") for mode in ("P", "YCbCr")),
    encoded("RGB", "TIFF", big_tiff=True, exif=exif()),
    encoded("RGB", "JPEG", progressive=True, icc_profile=SRGB),
    encoded("RGB", "WEBP", lossless=True, exif=exif()),
    encoded("RGBA", "BMP"),
    encoded("P", "BMP"),
    *map(frames, ("PNG", "WEBP", "TIFF", "MPO")),
]
FILES = [content for content in FILES if len(content) < 5000]
NUMBERS = [0, 1, 2, 8, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF]

# Half of all places are in the first bytes, where the headers are.
PLACES = st.integers(0, 150) | st.integers(0, 5000)
MUTATIONS = st.one_of(
    st.tuples(st.just("flip"), PLACES, st.integers(1, 255)),
    st.tuples(st.just("cut"), PLACES),
    st.tuples(st.just("remove"), PLACES, st.integers(1, 50)),
    st.tuples(st.just("number"), PLACES, st.sampled_from(NUMBERS), st.sampled_from("<>")),
    st.tuples(st.just("splice"), PLACES, st.sampled_from(FILES), PLACES, st.integers(1, 300)),
    st.tuples(st.just("append"), st.just(0), st.sampled_from(FILES)),
)


def mutated(content: bytes, mutation: tuple) -> bytes:
    kind, place, *rest = mutation
    place %= len(content) + 1
    head, tail = content[:place], content[place:]
    if kind == "flip":
        return head + bytes(byte ^ rest[0] for byte in tail[:1]) + tail[1:]
    if kind == "cut":
        return head
    if kind == "remove":
        return head + tail[rest[0] :]
    if kind == "number":
        return head + struct.pack(f"{rest[1]}I", rest[0]) + tail[4:]
    if kind == "splice":
        return head + rest[0][rest[1] : rest[1] + rest[2]] + tail
    return content + rest[0]


@pytest.fixture(scope="module")
def _little_memory() -> Iterator[None]:
    """Check that the peak of the memory in use does not rise by more than 500 MB."""
    # The peak since the process began would be that of other tests.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_kib()
    yield
    assert peak_kib() - before < 500_000


def peak_kib() -> int:
    [line] = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(line)


def problem(read: Callable[[Path], object], path: Path) -> str:
    try:
        read(path)
    except UserInputError as error:
        return str(error)
    return ""


@pytest.mark.usefixtures("_little_memory")
@settings(
    max_examples=1200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(FILES), st.lists(MUTATIONS, max_size=4))
def test_mutated_pictures_give_a_picture_or_one_line(tmp_path, capfd, content, mutations):
    for mutation in mutations:
        content = mutated(content, mutation)
    path = tmp_path / "x\n.bin"
    path.write_bytes(content)
    for read in (lambda path: read_picture(path, max_pixels=10**6), read_rgb):
        message = problem(read, path)
        assert not message or message.startswith(rf"{tmp_path}/x\n.bin: ")
        assert message.isprintable()
    assert capfd.readouterr() == ("", "")
