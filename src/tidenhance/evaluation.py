"""How well a trained network restores the pairs of a split, beside doing nothing and baselines."""

from __future__ import annotations

import functools
import hashlib
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import tidenhance
from tidenhance import (
    article,
    components,
    device,
    forward_tensorflow,
    images,
    inference,
    runs,
    scores,
    weights,
)
from tidenhance import config as config_module
from tidenhance.data import pairs
from tidenhance.data.pairs import Pair, Split
from tidenhance.errors import ConfigError, DataError, RunError, printable
from tidenhance.files import check_may_write, make_folder, write_text
from tidenhance.images import Pixels
from tidenhance.progress import Progress, ignore

CONVENTIONS = {
    "range": "images in [0, 1]",
    "crop": "none, whole pictures",
    "rounding": "clipped to [0, 1] and rounded to 8 bits, as saved",
    "mean": "each figure is the mean over pictures of the picture's own",
    "gain": "over doing nothing on the same pictures; mean over references of each one's mean",
    "interval": "95 % of Student's t over the references' gains",
}

Restore = Callable[[Pixels], Pixels]


def measured_on(
    run: Path, split: Split, *, root: str | None = None, levels: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return what `evaluate` will measure on, as far as that is known before it is restored.

    Args:
        run: the run directory.
        split: `val`, `test` or `train`.
        root: the data set's folder, if it is not where the run found it.
        levels: levels of distortion, if not those of the run's `data.levels`.

    Returns:
        `split`, `levels` and `pairs`, as in `evaluate`'s result.

    Raises:
        RunError: the run has no config, or it is damaged.
        DataError: the split's pairs are missing, there are none, or the data set has no levels.
    """
    options, found = _pairs(run, runs.read_config(run).data, split, root, levels)
    return {"split": split, "levels": _levels(options), "pairs": len(found)}


def evaluate(
    run: Path,
    split: Split,
    *,
    root: str | None = None,
    levels: Sequence[int] | None = None,
    baselines: Sequence[tuple[str, dict[str, Any]]] = (),
    alike: Mapping[str, Any] | None = None,
    save_images: bool = False,
    progress: Progress = ignore,
) -> dict[str, Any]:
    """Restore every pair of a split with a run's best weights; return the scores, and write them.

    `scores.json` and `scores.csv` (a row a pair) are written into the run directory.

    Args:
        run: the run directory.
        split: `val`, `test` or `train`.
        root: the data set's folder, if it is not where the run found it.
        levels: levels of distortion, if not those of the run's `data.levels`.
        baselines: names and options of classical methods to score on the same pairs.
        alike: what this returned for another run; its baselines are taken too if they are of the
            same pixels.
        save_images: keep the restored pictures, in the run's folder `images`.
        progress: called with the pairs done and in all.

    Returns:
        What `scores.json` holds: what `scores.aggregate` returns, and `run`, `config`,
        `tidenhance` (the version), `device`, `weights_sha256` (of the file of best weights),
        `split`, `levels`, `root` (the data set's folder, or null),
        `data_fingerprint` (SHA-256 of the pairs' names and pixels),
        `seconds_per_picture` (the median, the network alone), `conventions`, `article` (its figures
        where its protocol is this one, else null), and `baselines`: for each, by name and options
        other than the defaults, what `scores.aggregate` returns, and `baseline`, `options`,
        `seconds_per_picture`. Baselines that this version scored on the same pixels before, and
        not now, are kept from the file that is replaced.

    Raises:
        ConfigError: a baseline is given twice with the same options.
        RunError: the run has no config or no best weights, or they are damaged or just replaced, or
            its folder of pictures is a link that leads elsewhere.
        DataError: the split's pairs are missing, there are none, or the data set has no levels.
        ImageError: a picture cannot be read.
        WriteError: the scores cannot be written.
        TidenhanceError: the network's output is not finite, or the memory does not suffice.
        UserInputError: there is a file in place of the folder of pictures.
    """
    _, device_name = device.use("auto")
    network, config, digest = weights.trained_network_and_digest(run)
    check_may_write(run / runs.scores_name(split, "json", levels))
    multiple = weights.size_multiple(config)
    options, found = _pairs(run, config.data, split, root, levels)
    restorers = {"": _network_restorer(network, multiple)}
    described = {}
    for name, given in baselines:
        label = components.label("baselines", name, given)
        if label in restorers:
            raise ConfigError(f"--baseline: given twice: {label}.")
        restorers[label] = components.make("baselines", name, given)
        described[label] = {"baseline": name, "options": given}
    rows: dict[str, list[scores.Row]] = {name: [] for name in restorers}
    seconds: dict[str, list[float]] = {name: [] for name in restorers}
    folder = run / runs.IMAGES / split
    if save_images:
        _check_is_within(folder, run)
        make_folder(folder)
    fingerprint = hashlib.sha256()
    # The pairs of one reference follow each other: it stays while their distorted pictures pass.
    read_rgb = functools.lru_cache(maxsize=2)(images.read_rgb)
    for done, pair in enumerate(found):
        progress(done, len(found))
        as_stored, reference = pairs.read(pair, read_rgb)
        inference.check_suits(as_stored.shape, network.inputs[0].shape[1:], pair.place)
        for part in (os.fsencode(pair.name), as_stored.tobytes(), reference.tobytes()):
            fingerprint.update(part)
        distorted, reference = images.to_rgb(as_stored), images.to_rgb(reference)
        identity = picture_figures(reference, distorted)
        for name, restore in restorers.items():
            start = time.perf_counter()
            restored = restore(distorted if name else as_stored)
            seconds[name].append(time.perf_counter() - start)
            rows[name].append(_row(pair, picture_figures(reference, restored), identity))
            if save_images and name == "":
                images.write_rgb(folder / f"{pair.name}.png", restored)
    progress(len(found), len(found))

    results = {
        name: {
            **described.get(name, {}),
            **scores.aggregate(rows[name], _higher_is_better()),
            "seconds_per_picture": statistics.median(seconds[name]),
        }
        for name in restorers
    }
    network_result = results.pop("")
    scored_levels = _levels(options)
    digest_of_data = fingerprint.hexdigest()
    result = {
        "run": run.name,
        "config": config.provenance.config if config.provenance else None,
        "tidenhance": tidenhance.__version__,
        "device": device_name,
        "weights_sha256": digest,
        "split": split,
        "levels": scored_levels,
        "root": str(Path(options["root"]).absolute()) if options.get("root") else None,
        "data_fingerprint": digest_of_data,
        **network_result,
        "conventions": CONVENTIONS
        | {name: _metric(name).CONVENTION for name in network_result["identity"]},
        "article": article.figures(
            config, split, scored_levels or [], network_result["identity"]["mse"]
        ),
        "baselines": _baselines(
            _earlier(run / runs.scores_name(split, "json", levels)), digest_of_data
        )
        | _baselines(alike or {}, digest_of_data)
        | results,
    }
    for ending, text in (("csv", scores.to_csv(rows[""])), ("json", scores.to_json(result))):
        write_text(run / runs.scores_name(split, ending, levels), text)
    return result


def _pairs(
    run: Path,
    data: config_module.Component,
    split: Split,
    root: str | None,
    levels: Sequence[int] | None,
) -> tuple[dict[str, Any], list[Pair]]:
    """Return the data set's options, those given in the place of the run's, and the pairs."""
    options = dict(data.options)
    if root is not None:
        options["root"] = root
    if levels is not None:
        if "levels" not in options:
            raise DataError(f"--levels: the data set {data.name} has no levels.")
        options["levels"] = list(levels)
    where = "--levels" if levels is not None else f"{printable(run / runs.CONFIG)}: data"
    options = config_module.checked("data.datasets", data.name, options, where)
    found = components.make("data.datasets", data.name, options)[split]
    if not found:
        raise DataError(f"data.splits.{split}: no pairs to evaluate on.")
    return options, found


def _levels(options: Mapping[str, Any]) -> list[int] | None:
    return sorted(set(options["levels"])) if "levels" in options else None


def _earlier(file: Path) -> dict[str, Any]:
    try:
        return runs.read_json(file)
    except RunError:
        # It is not there, or damaged, and about to be replaced.
        return {}


def _baselines(result: Mapping[str, Any], fingerprint: str) -> dict[str, Any]:
    """Return the baselines in a result, if they are of the same pairs and metrics."""
    made_alike = {"data_fingerprint": fingerprint, "tidenhance": tidenhance.__version__}
    kept = result.get("baselines") if made_alike.items() <= result.items() else None
    return kept if isinstance(kept, dict) else {}


def picture_figures(reference: Pixels, picture: Pixels) -> dict[str, float]:
    """Return each metric of a picture against its reference, both uint8 (H, W, 3).

    A metric that needs a larger picture is left out.
    """
    y_true, y_pred = (images.to_float(x)[np.newaxis] for x in (reference, picture))
    smaller_side = min(reference.shape[:2])
    names = tuple(
        name
        for name in components.names("metrics")
        if smaller_side >= getattr(_metric(name), "MINIMUM_SIZE", 1)
    )
    return {name: float(value[0]) for name, value in _figures(names)(y_true, y_pred).items()}


@functools.cache
def _figures(
    names: tuple[str, ...],
) -> Callable[[NDArray[np.float32], NDArray[np.float32]], dict[str, tf.Tensor]]:
    """Return the metrics as one graph, which computes once what they have in common."""

    def figures(y_true: tf.Tensor, y_pred: tf.Tensor) -> dict[str, tf.Tensor]:
        # A GPU may convolve in TensorFloat-32, in which the differences of close numbers that
        # SSIM's variances are would be lost.
        with tf.device("/cpu:0"):
            return {name: _metric(name).compute(y_true, y_pred) for name in names}

    signature = [tf.TensorSpec((1, None, None, 3), tf.float32)] * 2
    return tf.function(figures, input_signature=signature, autograph=False, jit_compile=False)


def _check_is_within(folder: Path, run: Path) -> None:
    # A run may come from a stranger, and its folder of pictures be a link to anywhere.
    if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(run)):
        raise RunError(f"{printable(folder)}: expected a folder of the run. Received: a link.")


def _metric(name: str) -> Any:
    return components.module("metrics", name)


def _higher_is_better() -> dict[str, bool]:
    return {name: _metric(name).HIGHER_IS_BETTER for name in components.names("metrics")}


def _network_restorer(network: keras.Model, size_multiple: int) -> Restore:
    """Return what restores a picture as the data set has it."""
    forward = forward_tensorflow.forward(network)

    def restore(picture: pairs.Picture) -> Pixels:
        values = images.to_float(picture)
        return images.to_rgb(inference.restore(forward, values, size_multiple=size_multiple))

    return restore


def _row(pair: Pair, figures: dict[str, float], identity: dict[str, float]) -> scores.Row:
    return {
        "name": pair.name,
        "reference": pair.reference_name,
        "type": pair.type,
        "level": pair.level,
        **figures,
        **{f"identity_{name}": value for name, value in identity.items()},
    }
