"""Networks on whole arrays and in tiles."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from tidenhance.errors import DataError, TidenhanceError
from tidenhance.forward_tensorflow import forward
from tidenhance.images import to_float, to_uint8
from tidenhance.inference import (
    Forward,
    Network,
    as_input,
    check_suits,
    forward_for_tiles,
    restore,
    restore_tiled,
    shape_text,
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def sequential(*layers: keras.Layer) -> Forward:
    return forward(keras.Sequential([keras.Input((None, None, 3)), *layers]))


def identity(images: np.ndarray) -> np.ndarray:
    return images


def convolutions() -> Forward:
    """Three layers of 3 x 3: a receptive field of 7."""
    keras.utils.set_random_seed(1)
    return sequential(
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(
            3, 3, padding="same", bias_initializer=keras.initializers.Constant(0.4)
        ),
    )


def pooled() -> Forward:
    """Two poolings by 2: multiples of 4, a receptive field of 18 (3, 4, 8, 10, 18)."""
    keras.utils.set_random_seed(2)
    return sequential(
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Conv2D(
            3, 3, padding="same", bias_initializer=keras.initializers.Constant(0.4)
        ),
        keras.layers.UpSampling2D(4, interpolation="nearest"),
    )


def mean_of_input(images: np.ndarray) -> np.ndarray:
    """Every output is the mean of the whole input."""
    return np.zeros_like(images) + images.mean(axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (5, 3), (13, 8)])
@pytest.mark.parametrize("size_multiple", [1, 4, 16])
def test_any_size_comes_back_unchanged_from_the_identity(shape, size_multiple):
    image = np.random.default_rng(0).normal(size=(*shape, 3)).astype(np.float32)
    restored = restore(identity, image, size_multiple=size_multiple)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(restored, image)


def test_padding_reflects_at_the_bottom_and_the_right():
    model = sequential(keras.layers.AveragePooling2D(2), keras.layers.UpSampling2D(2))
    image = np.array([[1, 5, 11]], np.float32)[..., np.newaxis].repeat(3, axis=-1)
    restored = restore(model, image, size_multiple=2)
    # Columns 1 5 11 become 1 5 11 5; the single row repeats.
    assert restored[..., 0].tolist() == [[3, 3, 8]]


def test_output_that_is_not_finite_is_an_error():
    with pytest.raises(TidenhanceError, match="not finite"):
        restore(lambda images: images * np.nan, np.ones((2, 2, 3), np.float32))


def test_too_little_memory_is_an_error_that_names_the_way_out():
    def exhausted(_: np.ndarray) -> np.ndarray:
        raise MemoryError

    with pytest.raises(TidenhanceError, match=r"does not suffice to restore 5 x 2 pixels"):
        restore(exhausted, np.ones((2, 5, 3), np.float32))


def test_no_tensorflow_is_imported():
    code = (
        "import sys, tidenhance.enhance; print({'tensorflow', 'keras', 'scipy'} & {*sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (97, 3), (61, 83), (64, 64)])
@pytest.mark.parametrize("feathered", [False, True])
@pytest.mark.parametrize(
    ("tile", "overlap", "size_multiple"),
    [(16, 0, 1), (16, 7, 1), (21, 5, 4), (16, 13, 1), (4, 9, 4)],
)
def test_tiles_of_the_identity_are_the_picture(shape, feathered, tile, overlap, size_multiple):
    pixels = noise(*shape, 3)
    restored = restore_tiled(
        identity,
        pixels,
        size_multiple=size_multiple,
        overlap=overlap,
        feathered=feathered,
        tile=tile,
    )
    assert restored.dtype == np.uint8
    np.testing.assert_array_equal(restored, pixels)


@pytest.mark.parametrize(
    ("build", "receptive_field", "size_multiple"), [(convolutions, 7, 1), (pooled, 18, 4)]
)
@pytest.mark.parametrize("shape", [(100, 130), (65, 64), (33, 200)])
def test_tiles_equal_the_whole_where_the_overlap_covers_the_receptive_field(
    build, receptive_field, size_multiple, shape
):
    network, pixels = build(), noise(*shape, 3)
    whole = to_uint8(restore(network, to_float(pixels), size_multiple=size_multiple))
    assert whole.std() / 255 > 0.02
    assert ((whole > 0) & (whole < 255)).mean() > 0.5

    def tiled(overlap: int) -> np.ndarray:
        options = {"size_multiple": size_multiple, "feathered": False, "tile": 48}
        restored = restore_tiled(network, pixels, overlap=overlap, **options)
        return np.abs(restored.astype(int) - whole)

    enough = tiled(receptive_field - 2 + size_multiple)
    assert enough.max() <= 1  # where rounding to 8 bits falls the other way
    assert (enough > 0).mean() < 1e-3
    assert tiled(0).max() > 3


def test_a_picture_of_no_more_pixels_than_a_tile_is_restored_whole():
    pixels = noise(8, 32, 3)
    restored = restore_tiled(mean_of_input, pixels, overlap=4, feathered=True, tile=16)
    expected = np.rint(pixels.mean(axis=(0, 1), dtype=float))
    assert (restored == expected).all()


def test_feathering_blends_linearly():
    pixels = np.zeros((8, 12, 3), np.uint8)
    pixels[:, 8:] = 160
    # Tiles are columns 0-7 (mean 0) and 4-11 (mean 80), which share columns 4-7.
    restored = restore_tiled(mean_of_input, pixels, overlap=4, feathered=True, tile=8)
    assert restored[0, :, 0].tolist() == [0, 0, 0, 0, 10, 30, 50, 70, 80, 80, 80, 80]
    assert (restored == restored[:1, :, :1]).all()
    turned = restore_tiled(mean_of_input, pixels.swapaxes(0, 1), overlap=4, feathered=True, tile=8)
    np.testing.assert_array_equal(turned, restored.swapaxes(0, 1))


def test_feathering_leaves_no_seam():
    ramp = np.linspace(0, 255, 200).astype(np.uint8)
    pixels = np.stack([np.add.outer(ramp // 2, ramp // 2)] * 3, axis=-1).astype(np.uint8)

    def largest_step(*, feathered: bool) -> int:
        restored = restore_tiled(
            mean_of_input, pixels, overlap=16, feathered=feathered, tile=64
        ).astype(int)
        return max(np.abs(np.diff(restored, axis=axis)).max() for axis in (0, 1))

    assert largest_step(feathered=False) > 20
    assert largest_step(feathered=True) <= 3


@pytest.mark.parametrize("tile", [16, 64])
def test_one_channel_comes_back_as_three_equal_ones(tile):
    values = np.random.default_rng(0).normal(0.5, 0.5, (37, 41, 1)).astype(np.float32)
    restored = restore_tiled(identity, values, overlap=5, feathered=True, tile=tile)
    assert restored.dtype == np.uint8
    # Where tiles are blended, rounding may fall the other way.
    expected = np.rint(255 * np.clip(values, 0, 1)).repeat(3, axis=-1)
    assert np.abs(restored - expected).max() <= (tile == 16)
    assert (np.ptp(restored, axis=-1) == 0).all()


@pytest.mark.parametrize("size_multiple", [1, 4])
def test_tiles_of_one_channel_in_eight_bits_are_the_picture(size_multiple):
    pixels = noise(37, 41, 1)
    options = {"size_multiple": size_multiple, "overlap": 5, "feathered": False, "tile": 16}
    restored = restore_tiled(identity, pixels, **options)
    np.testing.assert_array_equal(restored, pixels.repeat(3, axis=-1))


@pytest.mark.parametrize(
    ("shape", "text"), [((28, 28, 1), "28 x 28 x 1"), ((None, None, 3), "any x any x 3")]
)
def test_shapes_in_words(shape, text):
    assert shape_text(shape) == text


def test_whether_a_network_has_a_fixed_size():
    assert not Network(identity, 1, 1, is_global=False).has_fixed_size
    assert not Network(identity, 1, 1, False, input_shape=(None, None, 1)).has_fixed_size
    assert Network(identity, 1, 1, False, input_shape=(28, 28, 1)).has_fixed_size


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 7, 3), (None, None, 3)),
        ((None, None, 3), (None, None, 3)),
        ((28, 28, 1), (28, 28, 1)),
        ((28, 28, 1), (None, None, 1)),
    ],
)
def test_pictures_that_suit_a_network(shape, expected):
    check_suits(shape, expected, "data")


@pytest.mark.parametrize(
    ("shape", "expected", "received"),
    [
        ((28, 28, 3), "28 x 28 x 1", "28 x 28 x 3"),
        ((28, 27, 1), "28 x 28 x 1", "28 x 27 x 1"),
        ((None, None, 1), "28 x 28 x 1", "any x any x 1"),
        ((5, 7, 1), "any x any x 3", "5 x 7 x 1"),
    ],
)
def test_pictures_that_do_not_suit_a_network(shape, expected, received):
    takes = tuple(None if size == "any" else int(size) for size in expected.split(" x "))
    with pytest.raises(DataError) as caught:
        check_suits(shape, takes, "data (training)")
    assert str(caught.value) == (
        f"data (training): expected height x width x channels {expected}, which the network takes."
        f" Received: {received}."
    )


@pytest.mark.parametrize("shape", [(None, None, 3), (5, 7, 3)])
def test_a_picture_that_suits_is_given_as_it_is(shape):
    pixels = noise(5, 7, 3)
    assert as_input(pixels, shape) is pixels


def test_a_picture_becomes_grey_for_one_channel():
    pixels = np.array([[[10, 11, 11], [255, 0, 0]]], np.uint8)
    for shape in ((None, None, 1), (1, 2, 1)):
        found = as_input(pixels, shape)
        assert (found.shape, found.dtype) == ((1, 2, 1), np.float32)
        np.testing.assert_allclose(found[0, :, 0], [32 / 765, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("size", [(60, 90), (28, 50), (3, 4), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_is_resized_to_the_one_size(size, channels):
    pixels = np.full((*size, 3), (51, 51, 255), np.uint8)
    found = as_input(pixels, (28, 28, channels))
    assert (found.shape, found.dtype) == ((28, 28, channels), np.float32)
    expected = [0.2, 0.2, 1] if channels == 3 else [1.4 / 3]
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-6)


def shift_to_the_mean(images):
    """A network's parts: each picture's contrast is halved, and its own mean added."""
    numbers = np.zeros((len(images), 13), np.float32)
    numbers[:, 9:12] = images.mean(axis=(1, 2, 3))[:, np.newaxis]
    numbers[:, 12] = -0.5
    return images, numbers


@pytest.mark.parametrize("shape", [(96, 64, 3), (64, 200, 3), (500, 16, 3)])
def test_tiles_share_the_colour_transform_of_the_whole_picture(shape):
    # In tiles of their own, the dark ones would stay darker.
    picture = np.zeros(shape, np.uint8)
    picture[: shape[0] // 2, : shape[1] // 2] = 200
    sizes = []

    def parts(images):
        sizes.append(images.shape[1:3])
        assert images.shape[1] % 8 == images.shape[2] % 8 == 0
        return shift_to_the_mean(images)

    network = Network(lambda images: parts(images)[0], 8, 1, is_global=True, parts=parts)
    forward = forward_for_tiles(network, picture, 32)
    assert max(sizes[0]) <= 32
    restored = restore_tiled(forward, picture, size_multiple=8, overlap=8, feathered=True, tile=32)
    mean = picture.mean()
    expected = np.clip(picture / 2 + mean / 2 + mean, 0, 255)
    # The mean is that of the shrunken picture.
    np.testing.assert_allclose(restored, expected, atol=6)
    assert len(np.unique(restored)) == 2


def test_what_fits_a_tile_is_left_to_the_network():
    network = Network(identity, 8, 1, is_global=True, parts=shift_to_the_mean)
    # 40 x 24 has no more pixels than a tile, and 100 x 100 becomes 104 x 104.
    for height, width, tile in ((24, 32, 32), (24, 40, 32), (104, 104, 104), (100, 100, 104)):
        picture = np.zeros((height, width, 3), np.uint8)
        assert forward_for_tiles(network, picture, tile) is identity
    assert forward_for_tiles(network, np.zeros((100, 100, 3), np.uint8), 100) is not identity
    without = Network(identity, 8, 1, is_global=True)
    assert forward_for_tiles(without, np.zeros((99, 32, 3), np.uint8), 32) is identity
