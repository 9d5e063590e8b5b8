import socket

import numpy as np
import pytest
import skimage.data

from tidenhance.data.sample import drawn, photographs


def test_photographs_are_those_of_scikit_image(monkeypatch):
    def refuse(*_):
        raise AssertionError("a photograph was downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    pictures = photographs()
    assert {name: picture.shape for name, picture in pictures.items()} == {
        "astronaut": (512, 512, 3),
        "coffee": (400, 600, 3),
        "hubble_deep_field": (872, 1000, 3),
        "ihc": (512, 512, 3),
        "motorcycle_left": (500, 741, 3),
        "retina": (1411, 1411, 3),
        "rocket": (427, 640, 3),
    }
    assert all(picture.dtype == np.uint8 for picture in pictures.values())
    np.testing.assert_array_equal(pictures["astronaut"], skimage.data.astronaut())


@pytest.mark.parametrize(("width", "height"), [(512, 384), (300, 200), (97, 65)])
def test_drawn_picture_has_the_size_asked_for(width, height):
    picture = drawn(width, height)
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, drawn(width, height))


def test_drawn_picture_has_sharp_edges_flat_colours_and_gradients():
    steps = np.abs(np.diff(drawn().astype(int), axis=1)).max(axis=2)
    assert np.mean(steps == 255) > 0.005
    assert np.mean(steps == 0) > 0.3
    assert np.mean((steps > 0) & (steps < 6)) > 0.1
