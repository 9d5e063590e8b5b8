"""What a training is fed with: the pairs of a data set, or pairs that are made meanwhile."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tidenhance import components, images, validation, weights, workers
from tidenhance.config import Config, Synthesis
from tidenhance.data import pairs as pairs_module
from tidenhance.data import pipeline, stream
from tidenhance.data.pairs import Pair, Pairs
from tidenhance.errors import DataError, printable


@dataclass(frozen=True)
class Feed:
    """What a training is fed with.

    Attributes:
        pairs: the pairs of each split.
        training: returns the training batches from the one of the given number on.
        validation: returns the batches of the validation of the given number, from 0.
        steps: steps of an epoch.
        pictures: pictures of an epoch.
        names: returns what the pictures of the training batch of the given number are called.
        close: ends what the feed has running.
    """

    pairs: Pairs
    training: Callable[[int], tf.data.Dataset]
    validation: Callable[[int], tf.data.Dataset]
    steps: int
    pictures: int
    names: Callable[[int], list[str]]
    close: Callable[[], None] = lambda: None

    @property
    def digest(self) -> str:
        """SHA-256 of the pairs' names, in order."""
        names = {split: [pair.name for pair in some] for split, some in self.pairs.items()}
        return hashlib.sha256(json.dumps(names).encode()).hexdigest()

    @property
    def pixels_digest(self) -> str:
        """SHA-256 of the pixels of each validation reference's first pair.

        Raises:
            ImageError: a picture cannot be read.
        """
        digest = hashlib.sha256()
        first = {pair.reference_name: pair for pair in reversed(self.pairs["val"])}
        for pair in reversed(first.values()):
            for picture in pairs_module.read(pair):
                digest.update(picture.tobytes())
        return digest.hexdigest()


def of(config: Config) -> Feed:
    """Return what a config's training is fed with.

    Raises:
        DataError: pairs or photographs are missing, or do not suit the config.
        ImageError: a picture cannot be read.
    """
    pairs = _pairs(config)
    validating = pipeline.validation(
        pairs["val"],
        batch_size=config.validation.batch_size,
        patch_size=config.validation.patch_size,
        random_crops=config.validation.crop == "random",
        seed=config.seed,
        cache_gib=config.training.cache_gib,
        size_multiple=weights.size_multiple(config),
        minimum=validation.minimum(config),
    )
    synthesis = config.training.synthesis
    if synthesis is None:
        return _of_pairs(config, pairs, validating)
    return _of_stream(config, synthesis, pairs, validating)


def _pairs(config: Config) -> Pairs:
    pairs: Pairs = components.make("data.datasets", config.data.name, config.data.options)
    if config.training.synthesis is not None:
        pairs = {**pairs, "train": _photographs(config.training.synthesis.photographs, pairs)}
    for split in ("train", "val"):
        if not pairs[split]:
            raise DataError(f"data.splits.{split}: expected at least one pair. Received: none.")
    return pairs


def _of_pairs(config: Config, pairs: Pairs, validating: Callable[[int], tf.data.Dataset]) -> Feed:
    training, count = config.training, len(pairs["train"])
    steps_of_pass = math.ceil(count / training.batch_size)
    steps = training.steps_per_epoch or steps_of_pass

    def names(number: int) -> list[str]:
        _, indices = pipeline.batch(
            number, pairs=count, batch_size=training.batch_size, seed=config.seed
        )
        return [pairs["train"][index].place for index in indices]

    return Feed(
        pairs=pairs,
        training=pipeline.training(
            pairs["train"],
            seed=config.seed,
            cache_gib=training.cache_gib,
            size_multiple=weights.size_multiple(config),
            minimum=validation.minimum(config),
            **_cut(config, steps),
        ),
        validation=validating,
        steps=steps,
        # The last batch of each pass over the pairs may be smaller.
        pictures=round(steps * count / steps_of_pass),
        names=names,
    )


def _photographs(folder: str, pairs: Pairs) -> list[Pair]:
    """Return a folder's photographs, none of them one that is validated or tested on.

    Nor one that `data synth` cut such a reference from: about its centre.
    """
    held_out: dict[tuple[int, int], dict[bytes, Path]] = {}
    references = [pair.reference for pair in (*pairs["val"], *pairs["test"])]
    for path in dict.fromkeys(one for one in references if isinstance(one, Path)):
        pixels = images.read_rgb(path)
        held_out.setdefault(pixels.shape[:2], {})[_digest(pixels)] = path
    found = []
    for path, pixels in stream.photographs(Path(folder)):
        for (height, width), of_size in held_out.items():
            if same := of_size.get(_digest(images.centre(pixels, height, width))):
                raise DataError(
                    "training.synthesis.photographs: expected none that is validated or tested"
                    f" on. Received: {printable(path)}, which {printable(same.name)} is of."
                )
        found.append(Pair(path.name, path, path, path.name))
    return found


def _digest(pixels: NDArray[np.uint8]) -> bytes:
    # Of every eighth row: that of whole pictures would take minutes where they are many.
    return hashlib.sha256(pixels[::8].tobytes()).digest()


def _of_stream(
    config: Config,
    synthesis: Synthesis,
    pairs: Pairs,
    validating: Callable[[int], tf.data.Dataset],
) -> Feed:
    training, steps = config.training, config.training.steps_per_epoch or 1
    made = stream.Stream(
        tuple(pair.reference for pair in pairs["train"] if isinstance(pair.reference, Path)),
        tuple(synthesis.types),
        tuple(synthesis.levels),
        config.seed,
        synthesis.probabilities,
        synthesis.gamma,
    )
    executor = workers.executor(
        synthesis.processes or workers.available_cores(), ignore_terminate=True
    )

    def names(number: int) -> list[str]:
        first = stream.first_of_window(number, synthesis.pictures_per_step)
        places = pipeline.chosen(made, number, training.batch_size, synthesis.window)
        return [made.describe(first + int(place)) for place in places]

    return Feed(
        pairs=pairs,
        training=pipeline.synthesised(
            made,
            executor,
            pictures_per_step=synthesis.pictures_per_step,
            window=synthesis.window,
            **_cut(config, steps),
        ),
        validation=validating,
        steps=steps,
        pictures=steps * training.batch_size,
        names=names,
        close=lambda: workers.end(executor),
    )


def _cut(config: Config, steps: int) -> dict[str, Any]:
    """Return how batches are cut from pictures, where an epoch has so many steps."""
    return {
        "batch_size": config.training.batch_size,
        "patch_size": config.training.patch_size,
        "later_patch_sizes": {
            (later.epoch - 1) * steps: later.patch_size
            for later in config.training.later_patch_sizes
        },
        "augmentation": config.training.augmentation,
    }
