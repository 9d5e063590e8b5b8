"""What every data set promises; a new file in the package is checked by itself."""

import importlib
import inspect
import pkgutil

import keras
import pytest
from pydantic import TypeAdapter

from tidenhance import components
from tidenhance.data import datasets
from tidenhance.errors import DataError

NAMES = sorted(module.name for module in pkgutil.iter_modules(datasets.__path__))


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def without_a_network(monkeypatch):
    """Let Keras fail to download MNIST, as it does on a machine without a network."""

    def fail(*_, **__):
        raise Exception("URL fetch failure on https://storage.googleapis.com/mnist.npz")

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)


def load_of(name):
    return importlib.import_module(f"{datasets.__name__}.{name}").load


def load(name, **arguments):
    """Load with the arguments given, and None for the others that are required."""
    parameters = inspect.signature(load_of(name)).parameters.values()
    required = {p.name: None for p in parameters if p.default is p.empty}
    return load_of(name)(**required | arguments)


def test_data_sets_are_found_by_their_files():
    assert components.names("data.datasets") == tuple(NAMES)
    assert {"tid2013", "image_folder", "mnist_noise"} <= set(NAMES)


def test_options_are_annotated_keywords_that_the_docstring_explains(name):
    documentation = inspect.getdoc(load_of(name))
    for parameter in inspect.signature(load_of(name)).parameters.values():
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is not parameter.empty
        assert f"\n    {parameter.name}: " in documentation
    assert "Raises:" in documentation


def test_options_have_a_schema_that_accepts_the_defaults(name):
    model = components.options("data.datasets", name)
    parameters = inspect.signature(load_of(name)).parameters
    assert set(model.model_fields) == set(parameters)
    assert set(model.model_json_schema()["properties"]) == set(parameters)
    for parameter in inspect.signature(load_of(name), eval_str=True).parameters.values():
        if parameter.default is not parameter.empty:
            TypeAdapter(parameter.annotation).validate_python(parameter.default, strict=True)


def test_root_is_optional_and_its_absence_explained(name):
    assert inspect.signature(load_of(name)).parameters["root"].default is None
    with pytest.raises(DataError) as caught:
        load(name)
    module = importlib.import_module(f"{datasets.__name__}.{name}")
    variable = [] if getattr(module, "ROOT_IS_OPTIONAL", False) else ["TIDENHANCE_DATA"]
    for word in ("--data", "data.root", *variable):
        assert word in str(caught.value)


@pytest.mark.parametrize("kind", ["absent", "file", "empty", "circle", "line\nbreak"])
def test_a_root_that_is_no_such_folder_is_named(name, kind, tmp_path):
    root = tmp_path / kind
    if kind == "file":
        root.touch()
    if kind == "empty":
        root.mkdir()
    if kind == "circle":
        root.symlink_to(root)
    with pytest.raises(DataError) as caught:
        load(name, root=str(root))
    assert str(caught.value).startswith(str(root).replace("\n", r"\n"))
