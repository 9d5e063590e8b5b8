"""Picture files in, restored picture files out."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image, ImageCms

from tidenhance.enhance import (
    enhance,
    enhance_picture,
    find_pictures,
    left_out,
    output_path,
    plan,
)
from tidenhance.errors import ImageError, RunError, TidenhanceError, UserInputError, WriteError
from tidenhance.forward_tensorflow import forward
from tidenhance.inference import Network


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def network(*layers: keras.Layer, receptive_field: int = 1, is_global: bool = False) -> Network:
    model = keras.Sequential([keras.Input((None, None, 3)), *layers])
    return Network(forward(model), 1, receptive_field, is_global)


@pytest.fixture
def identity() -> Network:
    return Network(lambda images: images, 4, 1, is_global=False)


def save(path: Path, *shape: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(*(shape or (4, 6, 3)))).save(path)
    return path


@pytest.mark.parametrize("ending", [".bmp", ".png", ".tif"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 50, 3), (5, 3, 3), (70, 45, 3), (5, 3)])
def test_the_identity_gives_the_same_pixels(tmp_path, identity, ending, shape):
    source, target = save(tmp_path / f"x{ending}", *shape), tmp_path / f"y{ending}"
    before = source.read_bytes()
    enhance_picture(source, target, network=identity, tile=32)
    np.testing.assert_array_equal(np.asarray(Image.open(target)), noise(*shape))
    assert source.read_bytes() == before


def test_networks_see_rgb_from_zero_to_one(tmp_path):
    source, target = tmp_path / "x.png", tmp_path / "y.png"
    Image.fromarray(np.array([[[0, 51, 255]]], np.uint8)).save(source)
    doubled = network(keras.layers.Rescaling([1.0, 2.0, 0.5], [0.2, 0.0, 0.0]))
    enhance_picture(source, target, network=doubled)
    assert np.asarray(Image.open(target)).tolist() == [[[51, 102, 128]]]


def test_tiles_cover_the_receptive_field(tmp_path):
    keras.utils.set_random_seed(0)
    blur = network(keras.layers.AveragePooling2D(9, strides=1, padding="same"), receptive_field=9)
    source, whole, tiled = (
        save(tmp_path / "x.png", 90, 110, 3),
        tmp_path / "w.png",
        tmp_path / "t.png",
    )
    enhance_picture(source, whole, network=blur)
    enhance_picture(source, tiled, network=blur, tile=32)
    difference = np.asarray(Image.open(whole)).astype(int) - np.asarray(Image.open(tiled))
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(
    "options",
    [{"receptive_field": 1, "is_global": True}, {"receptive_field": 999, "is_global": False}],
)
def test_tiles_of_wide_networks_are_blended(tmp_path, options):
    def mean(images: np.ndarray) -> np.ndarray:
        return np.zeros_like(images) + images.mean(axis=(1, 2), keepdims=True)

    source, target = tmp_path / "x.png", tmp_path / "y.png"
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    Image.fromarray(np.tile(ramp[:, np.newaxis, np.newaxis], (1, 40, 3))).save(source)
    enhance_picture(source, target, network=Network(mean, 1, **options), tile=64)
    steps = np.abs(np.diff(np.asarray(Image.open(target)).astype(int), axis=0))
    assert 1 <= steps.max() <= 4


def test_colours_under_full_transparency_do_not_leak(tmp_path):
    blur = network(keras.layers.AveragePooling2D(5, strides=1, padding="same"), receptive_field=5)
    source, target = tmp_path / "x.png", tmp_path / "y.png"
    channels = np.full((12, 12, 4), 200, np.uint8)
    channels[:, :6] = (0, 0, 0, 0)
    Image.fromarray(channels).save(source)
    enhance_picture(source, target, network=blur)
    restored = np.asarray(Image.open(target))
    np.testing.assert_array_equal(restored[..., 3], channels[..., 3])
    assert (restored[:, 6:, :3] == 200).all()


def test_nothing_is_overwritten_unless_forced(tmp_path, identity):
    source, target = save(tmp_path / "x.png"), tmp_path / "y.png"
    target.write_bytes(b"old")
    with pytest.raises(UserInputError, match=r"y\.png: exists already; --force"):
        enhance_picture(source, target, network=identity)
    assert target.read_bytes() == b"old"
    enhance_picture(source, target, network=identity, force=True)
    np.testing.assert_array_equal(np.asarray(Image.open(target)), noise(4, 6, 3))


def test_the_input_is_never_overwritten(tmp_path, identity):
    source = save(tmp_path / "x.png")
    before = source.read_bytes()
    os.link(source, tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to(source)
    for name in ("x.png", "hard.png", "soft.png"):
        with pytest.raises(UserInputError, match="overwrite the picture it is made from"):
            enhance_picture(source, tmp_path / name, network=identity, force=True)
    assert source.read_bytes() == before


def test_a_target_that_cannot_hold_the_picture_is_told_before_the_network_runs(tmp_path):
    source = save(tmp_path / "x.png", 4, 4, 4)
    unused = Network(lambda _: pytest.fail("it ran"), 1, 1, is_global=False)
    with pytest.raises(ImageError, match=r"y\.jpg: the picture has transparency"):
        enhance_picture(source, tmp_path / "y.jpg", network=unused)
    with pytest.raises(UserInputError, match="Received: a folder"):
        enhance_picture(source, tmp_path, network=unused, force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserInputError, match=r"file: expected a folder\. Received: a file\."):
        enhance_picture(source, tmp_path / "file" / "y.png", network=unused)
    with pytest.raises(WriteError, match="name too long"):
        enhance_picture(source, tmp_path / ("y" * 300 + ".png"), network=unused)


def test_the_others_are_restored_after_one_fails(tmp_path, identity):
    good, other = save(tmp_path / "a.png"), save(tmp_path / "c.bmp")
    bad = tmp_path / "b.png"
    bad.write_text("no picture")
    jobs = plan([good, bad, other], tmp_path / "out" / "deep")
    assert not (tmp_path / "out").exists()
    outcomes = list(enhance(partial(enhance_picture, network=identity), jobs))
    assert outcomes[0] == (good, tmp_path / "out" / "deep" / "a_enhanced.png")
    assert outcomes[2] == (other, tmp_path / "out" / "deep" / "c_enhanced.bmp")
    assert outcomes[1][0] == bad
    assert isinstance(outcomes[1][1], TidenhanceError)
    assert sorted(p.name for p in (tmp_path / "out" / "deep").iterdir()) == [
        "a_enhanced.png",
        "c_enhanced.bmp",
    ]


def test_what_is_wrong_with_the_picture_is_told_first(tmp_path):
    with pytest.raises(ImageError, match=r"x\.png: no such file"):
        enhance_picture(tmp_path / "x.png", save(tmp_path / "y.png"), network=None)


def test_a_network_that_fails_names_the_picture(tmp_path):
    source = save(tmp_path / "a\nb.png")
    broken = network(keras.layers.Rescaling(np.nan))
    with pytest.raises(TidenhanceError, match=r"a\\nb\.png: The network's output is not finite"):
        enhance_picture(source, tmp_path / "c.png", network=broken)
    assert not (tmp_path / "c.png").exists()


def test_a_run_that_is_at_fault_is_not_the_pictures_fault(tmp_path):
    def fail(_):
        raise RunError("runs/x/best.onnx: expected a picture of the same size.")

    foreign = Network(fail, size_multiple=1, receptive_field=3, is_global=False)
    with pytest.raises(RunError, match=r"^runs/x/best\.onnx: expected"):
        enhance_picture(save(tmp_path / "a.png"), tmp_path / "c.png", network=foreign)


def test_memory_that_does_not_suffice_names_the_way_out(tmp_path):
    def exhausted(_):
        raise MemoryError

    narrow = Network(exhausted, size_multiple=1, receptive_field=3, is_global=False)
    message = r"a\.png: The memory does not suffice .* at once\. Choose a smaller --tile\.$"
    with pytest.raises(TidenhanceError, match=message):
        enhance_picture(save(tmp_path / "a.png"), tmp_path / "c.png", network=narrow)


def test_results_are_named_after_their_sources():
    assert output_path(Path("a/b.PNG")) == Path("a/b_enhanced.PNG")
    assert output_path(Path("a/b.c.tif"), Path("d")) == Path("d/b.c_enhanced.tif")
    assert output_path(Path("a/b.png"), Path("d/e.bmp"), out_is_file=True) == Path("d/e.bmp")


def test_a_folder_stands_for_its_pictures(tmp_path):
    names = ("b.PNG", "a.jpg", "c_enhanced.png", ".d.png", "notes.txt", "deeper/e.png")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    assert find_pictures([tmp_path]) == [tmp_path / "a.jpg", tmp_path / "b.PNG"]
    given = [tmp_path / "c_enhanced.png", tmp_path, tmp_path / "deeper" / ".." / "a.jpg"]
    found = find_pictures(given)
    assert [p.name for p in found] == ["c_enhanced.png", "a.jpg", "b.PNG"]
    assert left_out([*given, tmp_path]) == [tmp_path / "deeper", tmp_path / "notes.txt"]
    assert left_out([tmp_path / "notes.txt", tmp_path / "deeper"]) == []


def test_missing_inputs_are_listed_with_the_nearest_name(tmp_path):
    (tmp_path / "holiday.png").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError) as caught:
        find_pictures([tmp_path / "holyday.png", tmp_path / "empty", tmp_path / ("x" * 300)])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("no such file or folder. Did you mean 'holiday.png'?")
    assert "empty: a folder without pictures" in lines[1]
    assert "cannot be read" in lines[2]


def test_one_file_may_name_its_result(tmp_path):
    source = save(tmp_path / "a.png")
    assert plan([source], tmp_path / "new.tif") == [(source, tmp_path / "new.tif")]
    assert plan([source, source], tmp_path / "new.tif") == [(source, tmp_path / "new.tif")]
    assert plan([source], tmp_path / "new") == [(source, tmp_path / "new" / "a_enhanced.png")]
    (tmp_path / "folder.png").mkdir()
    expected = tmp_path / "folder.png" / "a_enhanced.png"
    assert plan([source], tmp_path / "folder.png") == [(source, expected)]


def test_unfit_results_are_an_error(tmp_path):
    first, second = save(tmp_path / "a.png"), save(tmp_path / "b.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserInputError, match=r"x\.png: expected a folder for the results of several"
    ):
        plan([first, second], tmp_path / "x.png")
    (tmp_path / "inside").mkdir()
    save(tmp_path / "inside" / "c.png")
    with pytest.raises(
        UserInputError, match=r"x\.png: expected a folder for the results of several"
    ):
        plan([tmp_path / "inside"], tmp_path / "x.png")
    with pytest.raises(UserInputError, match="file: expected a folder"):
        plan([first], tmp_path / "file")
    with pytest.raises(UserInputError, match=r"x\.gif: expected .*\.bmp.* Received: \.gif"):
        plan([first], tmp_path / "x.gif")
    with pytest.raises(UserInputError, match="would overwrite an input"):
        plan([first], first)
    with pytest.raises(UserInputError, match="would overwrite an input"):
        plan([first, save(tmp_path / "a_enhanced.png")])
    with pytest.raises(WriteError, match="name too long"):
        plan([first], tmp_path / ("x" * 300))


def test_two_pictures_with_one_result_are_an_error(tmp_path):
    first, second = save(tmp_path / "one" / "a.png"), save(tmp_path / "two" / "a.png")
    out = tmp_path / "out"
    with pytest.raises(
        UserInputError, match=r"a_enhanced\.png: the result of both .*one.* and .*two"
    ):
        plan([first, second], out)
    assert not out.exists()
    assert len(plan([first, second])) == 2
    assert len(plan([first, first], out)) == 1


def colours(height: int, width: int) -> np.ndarray:
    """A picture that is red on the left and white on the right: a third, and all of white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = 255
    pixels[:, width // 2 :] = 255
    return pixels


@pytest.fixture
def digits() -> tuple[Network, list[np.ndarray]]:
    """The identity for grey pictures of 28 x 28, and what it was given."""
    given: list[np.ndarray] = []

    def forward(images: np.ndarray) -> np.ndarray:
        given.append(images)
        return images

    return Network(forward, 1, 1, is_global=True, input_shape=(28, 28, 1)), given


@pytest.mark.parametrize("size", [(28, 28), (56, 56), (200, 90), (6, 8), (1, 1), (28, 30)])
@pytest.mark.parametrize("grey", [False, True])
def test_a_network_of_one_size_gives_that_size_in_grey(tmp_path, digits, size, grey):
    network, given = digits
    source, target = tmp_path / "x.png", tmp_path / "y.png"
    image = Image.fromarray(colours(*size))
    (image.convert("L") if grey else image).save(source)
    before = source.read_bytes()
    enhance_picture(source, target, network=network, tile=64)
    [batch] = given
    assert (batch.shape, batch.dtype) == ((1, 28, 28, 1), np.float32)
    assert batch.min() >= 0
    assert batch.max() <= 1
    with Image.open(target) as restored:
        assert (restored.mode, restored.size) == ("L", (28, 28))
        np.testing.assert_array_equal(np.asarray(restored), np.rint(255 * batch[0, ..., 0]))
    assert source.read_bytes() == before
    if size[1] > 1:
        # ITU-R BT.601 gives red 76 of 255; the mean of R, G and B gives a third.
        left = 76 / 255 if grey else 1 / 3
        np.testing.assert_allclose(batch[0, :, :8, 0], left, atol=0.02)
        np.testing.assert_allclose(batch[0, :, -8:, 0], 1, atol=0.02)


def test_a_network_of_one_size_sees_what_is_transparent_as_white(tmp_path, digits):
    network, given = digits
    source, target = tmp_path / "x.png", tmp_path / "y.jpg"
    channels = np.zeros((28, 28, 4), np.uint8)
    channels[:14, :, 3] = 255
    Image.fromarray(channels).save(source)
    enhance_picture(source, target, network=network)
    assert not given[0][0, :14].any()
    assert (given[0][0, 14:] == 1).all()
    with Image.open(target) as restored:
        assert (restored.mode, restored.size) == ("L", (28, 28))


def test_a_network_of_one_size_in_colour_gives_colours(tmp_path):
    network = Network(lambda images: images, 1, 1, is_global=True, input_shape=(8, 12, 3))
    source, target = tmp_path / "x.png", tmp_path / "y.png"
    Image.fromarray(colours(80, 120)).save(source)
    enhance_picture(source, target, network=network)
    with Image.open(target) as restored:
        assert (restored.mode, restored.size) == ("RGB", (12, 8))
        assert restored.getpixel((0, 4)) == (255, 0, 0)
        assert restored.getpixel((11, 4)) == (255, 255, 255)


@pytest.mark.parametrize("size", [(28, 28), (1, 50), (90, 70)])
def test_a_grey_network_of_any_size_keeps_the_size_and_transparency(tmp_path, size):
    network = Network(lambda images: 1 - images, 1, 1, is_global=False, input_shape=(None, None, 1))
    source, target = tmp_path / "x.png", tmp_path / "y.png"
    channels = noise(*size, 4)
    channels[..., 3] |= 1
    Image.fromarray(channels).save(source)
    enhance_picture(source, target, network=network, tile=64)
    with Image.open(target) as restored:
        assert (restored.mode, restored.size) == ("LA", size[::-1])
        grey, alpha = np.moveaxis(np.asarray(restored), -1, 0)
    np.testing.assert_array_equal(alpha, channels[..., 3])
    np.testing.assert_allclose(grey, 255 - channels[..., :3].mean(axis=-1), atol=0.51)


def test_a_picture_in_grey_has_no_profile_of_colours(tmp_path, digits):
    network, _ = digits
    source, target = tmp_path / "x.png", tmp_path / "y.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(colours(28, 28)).save(source, icc_profile=profile, dpi=(300, 300))
    enhance_picture(source, target, network=network)
    with Image.open(target) as restored:
        assert restored.mode == "L"
        assert "icc_profile" not in restored.info


def test_tiles_share_one_colour_transform(tmp_path):
    def parts(images):
        """Each picture is shifted until its mean is 0.5."""
        numbers = np.zeros((len(images), 13), np.float32)
        numbers[:, 9:12] = (0.5 - images.mean(axis=(1, 2, 3)))[:, np.newaxis]
        return images, numbers

    def forward(images):
        before, numbers = parts(images)
        return before + numbers[:, np.newaxis, np.newaxis, 9:12]

    halves = np.repeat([[[40, 40, 40], [100, 100, 100]]], 64, axis=1).repeat(64, axis=0)
    Image.fromarray(halves.astype(np.uint8)).save(tmp_path / "x.png")
    network = Network(forward, 1, 1, is_global=True, parts=parts)
    for tile in (128, 64, 32):
        enhance_picture(
            tmp_path / "x.png", tmp_path / "y.png", network=network, tile=tile, force=True
        )
        restored = np.asarray(Image.open(tmp_path / "y.png")).astype(int)
        np.testing.assert_allclose(restored, halves - 70 + 127.5, atol=1)
