"""Build the network that a config describes, and save and load its weights."""

from __future__ import annotations

import math
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from tidenhance import components, runs
from tidenhance.config import Config
from tidenhance.errors import RunError, printable
from tidenhance.files import replacing, reserve

# Beside each array HDF5 writes a name, a group and an index.
BYTES_PER_ARRAY = 4096

# What HDF5 and Keras raise on a file that is damaged, or another's.
DAMAGE = (OSError, ValueError, KeyError, RuntimeError, SystemError)


def build_network(config: Config) -> keras.Model:
    """Return the config's network, with fresh weights."""
    network: keras.Model = components.make("networks", config.network.name, config.network.options)
    return network


def size_multiple(config: Config) -> int:
    """Return of what the height and width of the network's pictures must be multiples."""
    multiple: int = components.module("networks", config.network.name).SIZE_MULTIPLE
    return multiple


def save(network: keras.Model, path: Path) -> None:
    """Save a network's weights, complete or not at all.

    Raises:
        WriteError: the file cannot be written.
    """
    with replacing(path) as temporary:
        write(network, temporary)


def write(network: keras.Model, path: Path) -> None:
    """Write a network's weights in Keras' format into a file that is there and is the caller's.

    Raises:
        OSError: the file cannot be written.
    """
    reserve(path, space_for(network.weights))
    _without_optimiser(network).save_weights(path)


def space_for(variables: Iterable[keras.Variable]) -> int:
    """Return how many bytes suffice for an HDF5 file of such variables."""
    arrays = [(8 if "64" in v.dtype else 4) * math.prod(v.shape) for v in variables]
    return sum(arrays) + BYTES_PER_ARRAY * (len(arrays) + 1)


def load(network: keras.Model, path: Path) -> None:
    """Load weights into a network.

    Raises:
        RunError: the file is missing or damaged, or belongs to another network.
    """
    if not path.is_file():
        raise RunError(f"{path}: no such file.")
    try:
        # Keras only warns where it leaves layers at their fresh weights.
        with warnings.catch_warnings(action="error", category=UserWarning):
            check_arrays(path, network.weights)
            _without_optimiser(network).load_weights(path)
        for variable in network.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                raise ValueError(f"{variable.path} is not finite")
    except (*DAMAGE, UserWarning) as error:
        raise RunError(
            f"{path}: not the weights of this {network.name}: {reason(error)}"
        ) from error


def load_initial(network: keras.Model, paths: Sequence[Path]) -> list[str]:
    """Load the weights of one or several networks that are parts of this one.

    Returns:
        the layers that no file holds, and which stay as they are, by the names that files have
        for them.

    Raises:
        RunError: a file is missing or damaged, or holds what this network does not have, a layer
            in part, or what another file holds too.
        WriteError: there is no room for a temporary file.
    """
    with tempfile.TemporaryDirectory() as folder:
        joined = Path(folder) / "joined.weights.h5"
        save(network, joined)
        own, found = _arrays(joined), dict[str, NDArray[np.float32]]()
        for path in paths:
            arrays = _part(path, own, network.name)
            twice = found.keys() & arrays.keys()
            if twice:
                raise RunError(f"{path}: {min(twice)} is in an earlier one of the initial weights.")
            found |= arrays
        with h5py.File(joined, "r+") as file:
            for name, values in found.items():
                file[name][()] = values
        load(network, joined)
    return sorted({_layer(name) for name in own.keys() - found.keys()})


def _part(
    path: Path, own: Mapping[str, tuple[int, ...]], network: str
) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a file, which are those of some of a network's layers."""
    if not path.is_file():
        raise RunError(f"{path}: no such file.")
    try:
        arrays = _arrays(path)
        if not arrays:
            raise ValueError("it holds no arrays")
        for name, shape in arrays.items():
            if name not in own:
                raise ValueError(f"it has no {name}")
            if shape != own[name]:
                raise ValueError(f"expected {name} of shape {own[name]}. Received: {shape}")
        layers = set(map(_layer, arrays))
        missing = [name for name in own.keys() - arrays.keys() if _layer(name) in layers]
        if missing:
            raise ValueError(f"{min(missing)} is missing")
        with h5py.File(path, "r") as file, np.errstate(over="ignore"):
            values = {name: file[name][()].astype(np.float32) for name in arrays}
        for name, value in values.items():
            if not np.isfinite(value).all():
                raise ValueError(f"{name} is not finite")
    except DAMAGE as error:
        raise RunError(
            f"{path}: not the weights of a part of this {network}: {reason(error)}"
        ) from error
    return values


def reason(error: Exception) -> str:
    """Return why a file could not be read, of what HDF5 raised, in a line."""
    # Of one inside h5py's own code the text says nothing about the file.
    return "damaged" if isinstance(error, SystemError) else str(error).partition("\n")[0]


def _layer(name: str) -> str:
    return name.removeprefix("layers/").rpartition("/vars/")[0]


def check_arrays(path: Path, variables: Iterable[keras.Variable]) -> None:
    """Check, before any of it is read, that an HDF5 file holds arrays as these variables need.

    Raises:
        OSError: the file is damaged, or not HDF5.
        ValueError: it holds something else.
    """
    expected = Counter(tuple(variable.shape) for variable in variables)
    found = Counter(_arrays(path).values())
    if found != expected:
        shape = next(iter((found - expected) + (expected - found)))
        raise ValueError(
            f"expected {expected[shape]} arrays of shape {shape}. Received: {found[shape]}"
        )


def _arrays(path: Path) -> dict[str, tuple[int, ...]]:
    """Return name and shape of each array of an HDF5 file, without reading any.

    A stranger's file may announce arrays of any size, or be made of links to other files.

    Raises:
        OSError: the file is damaged, or not HDF5.
        ValueError: it holds links or something else than numbers.
    """
    found: dict[str, tuple[int, ...]] = {}
    problems: list[str] = []

    # What is raised in these, h5py does not survive.
    def check_link(name: str, link: Any) -> None:
        if not isinstance(link, h5py.HardLink):
            problems.append(f"{name} is a link to somewhere else")

    def check_item(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(item, h5py.Dataset):
            return
        if item.is_virtual or item.external:
            problems.append(f"{name} lies in other files")
        if item.dtype.kind not in "fiu":
            problems.append(f"{name} holds {item.dtype} in place of numbers")
        found[name] = item.shape

    with h5py.File(path, "r") as file:
        file.visititems_links(check_link)
        file.visititems(check_item)
    if problems:
        raise ValueError(problems[0])
    return found


def _without_optimiser(network: keras.Model) -> keras.Model:
    """Return a model of the same layers; Keras saves a compiled one with its optimiser's state."""
    return keras.Model(network.inputs, network.outputs, name=network.name)


def trained_network(run: Path) -> tuple[keras.Model, Config]:
    """Return a run's network with its best weights, and its config.

    Raises:
        RunError: the run has no config or no best weights, or they are damaged.
    """
    config = runs.read_config(run)
    network = build_network(config)
    load(network, run / runs.BEST_WEIGHTS)
    return network, config


def trained_network_and_digest(run: Path) -> tuple[keras.Model, Config, str]:
    """Return what `trained_network` returns, and the SHA-256 of the file of the weights.

    Raises:
        RunError: as `trained_network`, or a training replaced the file meanwhile.
    """
    there = (run / runs.BEST_WEIGHTS).is_file()
    digest = runs.digest_of_best_weights(run) if there else ""
    network, config = trained_network(run)
    if runs.digest_of_best_weights(run) != digest:
        raise RunError(f"{printable(run)}: its best weights were just replaced; try again.")
    return network, config, digest
