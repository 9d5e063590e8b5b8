"""A name in YAML is the name of a file; its function's signature lists its options."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import tidenhance
from tidenhance import components
from tidenhance.errors import ConfigError

KINDS = ("networks", "data.datasets", "data.distortions", "losses", "metrics")
WITH_OPTIONS = [
    (kind, name)
    for kind in ("networks", "data.datasets", "losses")
    for name in components.names(kind)
]


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_the_files(kind):
    folder = Path(tidenhance.__file__).parent / kind.replace(".", "/")
    files = {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}
    assert set(components.names(kind)) == files
    assert list(components.names(kind)) == sorted(files)


def test_the_names_that_the_article_needs():
    assert {"mirnet", "plain_cnn", "residual_cnn"} <= set(components.names("networks"))
    assert {"tid2013", "image_folder", "mnist_noise"} <= set(components.names("data.datasets"))
    assert {"mse", "charbonnier"} <= set(components.names("losses"))
    assert {"mse", "mae", "psnr"} <= set(components.names("metrics"))
    assert len(components.names("data.distortions")) == 24


@pytest.mark.parametrize("name", ["mirnt", "", "os", "__init__", "..losses.mse", "mirnet.build"])
def test_an_unknown_name(name):
    with pytest.raises(ConfigError) as error:
        components.module("networks", name)
    assert f"Received: '{name}'." in str(error.value)
    for known in components.names("networks"):
        assert known in str(error.value)


def test_an_unknown_name_near_a_known_one():
    with pytest.raises(ConfigError, match=r"Did you mean 'mirnet'\?"):
        components.module("networks", "mirnt")


@pytest.mark.parametrize(("kind", "name"), WITH_OPTIONS)
def test_options_refuse_unknown_keys_and_none_is_called_name(kind, name):
    model = components.options(kind, name)
    assert "name" not in model.model_fields
    with pytest.raises(ValidationError, match="extra_forbidden"):
        model.model_validate({"no_such_option": 1})


def test_options_are_the_signature():
    model = components.options("networks", "mirnet")
    assert list(model.model_fields) == ["channels", "groups", "blocks", "fusion_softmax"]
    assert model().model_dump() == {
        "channels": 64,
        "groups": 3,
        "blocks": 2,
        "fusion_softmax": "channels",
    }


@pytest.mark.parametrize(
    ("kind", "name", "arguments"),
    [
        ("networks", "mirnet", {"channels": 12}),
        ("networks", "mirnet", {"channels": "32"}),
        ("networks", "mirnet", {"channels": 32.0}),
        ("networks", "mirnet", {"channels": True}),
        ("networks", "mirnet", {"fusion_softmax": "both"}),
        ("networks", "plain_cnn", {}),
        ("networks", "plain_cnn", {"channels": []}),
        ("networks", "plain_cnn", {"channels": [0]}),
        ("losses", "charbonnier", {"epsilon": 0}),
        ("losses", "charbonnier", {"epsilon": float("inf")}),
        ("losses", "charbonnier", {"epsilon": float("nan")}),
        ("data.datasets", "tid2013", {"levels": [6]}),
        ("data.datasets", "tid2013", {"splits": {"train": [1], "val": [1]}}),
    ],
)
def test_options_have_types_and_bounds(kind, name, arguments):
    with pytest.raises(ValidationError):
        components.options(kind, name).model_validate(arguments)


def test_make_calls_the_function():
    assert components.make("losses", "charbonnier", {"epsilon": 0.5}).name == "charbonnier"
