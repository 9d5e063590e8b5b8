"""Build the network that a config describes, and save and load its weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras

from tidenhance import components, runs
from tidenhance.config import Config
from tidenhance.errors import RunError
from tidenhance.files import replacing


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
        network.save_weights(temporary)


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
            network.load_weights(path)
    except (OSError, ValueError, KeyError, UserWarning) as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{path}: not the weights of this {network.name}: {reason}") from error


def trained_network(run: Path) -> tuple[keras.Model, Config]:
    """Return a run's network with its best weights, and its config.

    Raises:
        RunError: the run has no config or no best weights, or they are damaged.
    """
    config = runs.read_config(run)
    network = build_network(config)
    load(network, run / runs.BEST_WEIGHTS)
    return network, config
