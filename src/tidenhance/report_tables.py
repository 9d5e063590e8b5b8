"""Figures of evaluated runs become the texts and tables that every form of a report shows."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tidenhance import __version__, comparison, plots, runs
from tidenhance.comparison import Figures, Gain, Method, Run
from tidenhance.strict_yaml import Key, dotted, leaves

LONG_NETWORK = 40  # layers; a longer one is summed up by type

TITLES = {
    "psnr": "PSNR",
    "psnr_y": "PSNR-Y",
    "ssim": "SSIM",
    "ssim_y": "SSIM-Y",
    "ms_ssim": "MS-SSIM",
    "mse": "MSE",
    "mae": "MAE",
}
DECIMALS = {"psnr": 2, "psnr_y": 2, "mse": 5}
UNITS = {"psnr": "dB", "psnr_y": "dB"}
_SPLITS = {"train": "training", "val": "validation", "test": "test"}

# Keys whose whole value a row that is always there shows.
_TOLD: tuple[Key, ...] = (
    ("seed",),
    ("network",),
    ("loss",),
    ("data", "name"),
    *(
        ("training", key)
        for key in (
            "epochs",
            "batch_size",
            "patch_size",
            "learning_rate",
            "learning_rate_schedule",
            "optimizer",
            "augmentation",
            "precision",
        )
    ),
    ("provenance",),
)

Cells = list[list[str]]


def what_was_compared(compared: Sequence[Run]) -> str:
    """Return one line on the data: split, levels, pairs and references."""
    scores = compared[0].scores
    levels = scores.levels or []
    level = f"level{'s' * (len(levels) > 1)} {', '.join(map(str, levels))}; " if levels else ""
    return (
        f"{_count(len(compared), 'run')} on the {_SPLITS.get(scores.split, scores.split)} split:"
        f" {level}{_count(scores.pairs, 'pair')} of {_count(scores.references, 'reference')};"
        f" data {scores.data_fingerprint[:12]}"
    )


def comparison_table(compared: Sequence[Run]) -> tuple[list[str], Cells]:
    """Return heading and rows of the table of methods, doing nothing first."""
    metrics = comparison.metrics(compared)
    with_gain = [name for name in ("psnr", "ssim") if name in metrics]
    methods = comparison.methods(compared)
    with_difference = ["psnr"] if len(methods) > 1 else []
    heading = ["method", "parameters", "multiply-adds", "seconds a picture"]
    for name in metrics:
        heading.append(titled(name))
        heading += [f"gain in {TITLES[name]} (95 % interval)"] if name in with_gain else []
        heading += (
            [f"difference in {TITLES[name]} to {compared[0].label} (95 % interval)"]
            if name in with_difference
            else []
        )
    nothing = compared[0].scores.identity
    rows = [["doing nothing", "–", "–", "–"]]
    for name in metrics:
        rows[0].append(number(nothing.get(name), name))
        rows[0] += ["–"] * ((name in with_gain) + (name in with_difference))
    for method in methods:
        network = method.run.network if method.kind == "network" else None
        seconds = method.result.seconds_per_picture
        differences = comparison.differences_to_first(method, compared)
        row = [
            method.label,
            f"{network.parameters:,}" if network else "–",
            plots.engineering(network.multiply_adds) if network else "–",
            "–" if seconds is None else f"{seconds:.3g}",
        ]
        for name in metrics:
            row.append(number(method.result.metric(name), name))
            row += (
                [gain_text(method.result.gain.get(name), name, interval=True)]
                if name in with_gain
                else []
            )
            row += (
                [gain_text(differences.get(name), name, interval=True)]
                if name in with_difference
                else []
            )
        rows.append(row)
    return heading, rows


def article_table(run: Run, article: comparison.Article) -> tuple[list[str], Cells]:
    """Return heading and rows of a run's figures beside the article's and doing nothing's."""
    rows = []
    for name, value in article.figures.items():
        rows.append(
            [
                TITLES.get(name, name),
                number(run.scores.metric(name), name),
                f"{value:.4f}",
                number(run.scores.identity.get(name), name),
            ]
        )
    return ["metric", f"{run.label} (ours)", "the article", "doing nothing (ours)"], rows


def groups(
    methods: Sequence[Method],
) -> dict[str, list[tuple[str, Figures, list[Figures | None]]]]:
    """Return for types, levels and references: name, first figures, and each method's figures."""
    found = {}
    groupings = {"distortion type": "per_type", "level": "per_level", "reference": "per_reference"}
    for title, key in groupings.items():
        first: dict[str, Figures] = getattr(methods[0].result, key)
        if key == "per_level" and len(first) < 2:
            continue
        found[title] = [
            (
                f"{group} {some.name}" if some.name else group,
                some,
                [getattr(method.result, key).get(group) for method in methods],
            )
            for group, some in first.items()
        ]
    return found


def settings_table(compared: Sequence[Run]) -> tuple[list[str], Cells]:
    """Return the runs' names, and for each setting its title and its value in each run.

    After the recipe each other key of the configs has a row where the runs differ in it.
    """
    recipe: list[tuple[str, Callable[[Run], Any]]] = [
        ("run", lambda run: run.path.name),
        ("state", lambda run: run.state),
        ("config", lambda run: run.setting("provenance", "config")),
        ("network", lambda run: _component(run.setting("network"))),
        ("data", lambda run: run.setting("data", "name")),
        ("loss", lambda run: _component(run.setting("loss"))),
        ("epochs, done of planned", _epochs),
        ("best epoch", _best_epoch),
        ("batch size", lambda run: run.setting("training", "batch_size")),
        ("patch size", lambda run: run.setting("training", "patch_size") or "whole pictures"),
        ("learning rate", lambda run: run.setting("training", "learning_rate")),
        ("learning rate schedule", _schedule),
        ("optimiser", _optimiser),
        ("augmentation", _augmentation),
        ("pairs made while training", _synthesis),
        ("initial weights", _initial_weights),
        ("precision", lambda run: run.setting("training", "precision")),
        ("seed", lambda run: run.setting("seed")),
    ]
    surroundings: list[tuple[str, Callable[[Run], Any]]] = [
        ("started", lambda run: run.setting("provenance", "started")),
        ("time trained", _time),
        ("device of training", lambda run: run.setting("provenance", "device")),
        ("device of evaluation", lambda run: run.scores.device),
        ("tidenhance, trained with", lambda run: run.setting("provenance", "tidenhance")),
        ("tidenhance, evaluated with", lambda run: run.scores.tidenhance),
        *(
            (title, lambda run, key=key: run.setting("provenance", key))
            for title, key in (
                ("Keras", "keras"),
                ("TensorFlow", "tensorflow"),
                ("NumPy", "numpy"),
                ("Pillow", "pillow"),
                ("SciPy", "scipy"),
                ("scikit-image", "scikit_image"),
                ("Python", "python"),
                ("platform", "platform"),
                ("git commit", "git_commit"),
            )
        ),
    ]

    def rows(settings: Sequence[tuple[str, Callable[[Run], Any]]]) -> Cells:
        return [
            [title, *("–" if (v := get(run)) is None else str(v) for run in compared)]
            for title, get in settings
            if any(get(run) is not None for run in compared)
        ]

    others = [(dotted(key), lambda run, key=key: run.setting(*key)) for key in _others(compared)]
    differing = [row for row in rows(others) if len(set(row[1:])) > 1]
    return [run.label for run in compared], rows(recipe) + differing + rows(surroundings)


def network_line(network: comparison.Network) -> str:
    """Return a network's size, multiply-adds and receptive field in one line."""
    whole = ", and the whole picture through global pooling" if network.sees_whole_picture else ""
    return (
        f"{network.network}: {network.layers:,} layers, the input counted;"
        f" {network.parameters:,} parameters; {network.multiply_adds:,} multiply-adds for"
        f" {network.width} x {network.height}; receptive field"
        f" {network.receptive_field} x {network.receptive_field} pixels{whole}"
    )


def layers_table(network: comparison.Network) -> tuple[list[str], Cells]:
    """Return the layers, or of a long network how many there are of each type and output."""
    if len(network.layer_table) <= LONG_NETWORK:
        return all_layers(network)
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for layer in network.layer_table:
        key = (layer.type, _shape(layer))
        count, parameters = sums.get(key, (0, 0))
        sums[key] = (count + 1, parameters + layer.parameters)
    return ["type", "output", "layers", "parameters"], [
        [name, shape, f"{count:,}", f"{parameters:,}"]
        for (name, shape), (count, parameters) in sums.items()
    ]


def all_layers(network: comparison.Network) -> tuple[list[str], Cells]:
    """Return heading and rows of a network's layers."""
    return ["layer", "type", "output", "parameters"], [
        [layer.name, layer.type, _shape(layer), f"{layer.parameters:,}"]
        for layer in network.layer_table
    ]


def conventions(compared: Sequence[Run]) -> list[str]:
    """Return what the figures mean: what the runs state, and what this report adds."""
    stated: dict[str, dict[str, None]] = {}
    for run in compared:
        for name, text in run.scores.conventions.items():
            stated.setdefault(name, {})[text] = None
    references = compared[0].scores.references
    return [
        *(f"{TITLES.get(name, name)}: {'; or '.join(texts)}" for name, texts in stated.items()),
        *(
            []
            if "gain" in stated
            else ["gain: by how much a mean is better than doing nothing's on the same pairs"]
        ),
        "Positive gains are better, also those of errors.",
        *(
            []
            if len(comparison.methods(compared)) == 1
            else [
                f"difference to {compared[0].label}: of the gains on each reference, so in pairs;"
                " mean over references, positive where better. Whether two methods differ is seen"
                " from its interval, not from whether those of their gains overlap."
            ]
        ),
        f"n = {references}: the references. Intervals are over them, not over pairs, since the"
        " pairs of one reference are not independent.",
        "multiply-adds: of convolutions and dense layers, for one picture of the size given.",
        "seconds a picture: the method's own time, without reading, writing and measuring.",
    ]


def missing(compared: Sequence[Run], levels: Sequence[int] | None) -> list[str]:
    """Return what a report of some levels has to do without, and the commands that make it."""
    notes = []
    for run in compared:
        command = run.eval_command(levels)
        if not runs.are_best_weights(run.path, run.scores.weights_sha256):
            notes.append(
                f"{run.label}: its scores are of earlier weights than those that are best now."
                f" Evaluate it again: {command}"
            )
        if run.scores.tidenhance != __version__:
            notes.append(
                f"{run.label}: evaluated by tidenhance {run.scores.tidenhance}, this is"
                f" {__version__}. To be sure that the figures mean the same, evaluate it again:"
                f" {command}"
            )
        if run.network is None:
            notes.append(
                f"{run.label}: no network.json, so no structure, parameters and multiply-adds."
                " Training writes it; for this run they can be seen by: tidenhance summary"
                f" --config {shlex.quote(str(run.path / runs.CONFIG))}"
            )
        if not run.history:
            notes.append(
                f"{run.label}: no history.csv in {run.path}, so no curves. Training writes it, an"
                " epoch at a time."
            )
    if not any(run.scores.baselines for run in compared):
        notes.append(
            "No baselines. To have some beside the networks:"
            f" {compared[0].eval_command(levels)} --baseline nlm --baseline median"
        )
    return notes


def titled(metric: str) -> str:
    """Return a metric's title, with its unit where it has one."""
    title = TITLES.get(metric, metric)
    return f"{title} ({UNITS[metric]})" if metric in UNITS else title


def number(value: float | None, metric: str) -> str:
    """Return a metric's value with its usual decimals, or a dash where there is none."""
    return "–" if value is None else f"{value:.{DECIMALS.get(metric, 4)}f}"


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign, a true minus; a zero after rounding has none."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def gain_text(gain: Gain | None, metric: str = "psnr", *, interval: bool = False) -> str:
    """Return a gain with its sign, and with `interval` its interval where it has one."""
    if gain is None:
        return "–"
    decimals = DECIMALS.get(metric, 4)
    text = signed(gain.mean, decimals)
    if not interval or gain.low is None or gain.high is None:
        return text
    return f"{text} ({signed(gain.low, decimals)} to {signed(gain.high, decimals)})"


def _others(compared: Sequence[Run]) -> Iterator[Key]:
    """Yield the keys of the configs that no row shows which is always there."""
    for key in dict.fromkeys(key for run in compared for key, _ in leaves(run.config)):
        # Where a section is null in one run, the others' keys in it stand for it.
        is_section = any(_mapping(run.setting(*key)) for run in compared)
        if not is_section and not any(key[: len(told)] == told for told in _TOLD):
            yield key


def _component(section: Any) -> str | None:
    if not isinstance(section, Mapping):
        return None
    options = [f"{key} {value}" for key, value in section.items() if key != "name"]
    return ", ".join([str(section.get("name")), *options])


def _epochs(run: Run) -> str:
    return f"{len(run.history)} of {run.setting('training', 'epochs')}"


def _best_epoch(run: Run) -> str | None:
    best = runs.best_row(run.history, run.setting("validation", "best_epoch"))
    return f"{best['epoch']:.0f}, val_loss {best['val_loss']:.5f}" if best else None


def _schedule(run: Run) -> str:
    schedules = _mapping(run.setting("training", "learning_rate_schedule"))
    found = [
        ", ".join([key.replace("_", " "), *(f"{name} {v}" for name, v in value.items())])
        for key, value in schedules.items()
        if isinstance(value, Mapping)
    ]
    return "; ".join(found) or "constant"


def _optimiser(run: Run) -> str:
    found = _mapping(run.setting("training", "optimizer"))
    options = [f"{key.replace('_', ' ')} {value}" for key, value in found.items() if value]
    return ", ".join(["AdamW" if found.get("weight_decay") else "Adam", *options])


def _augmentation(run: Run) -> str:
    found = _mapping(run.setting("training", "augmentation"))
    return ", ".join(key.replace("_", " ") for key, is_on in found.items() if is_on) or "none"


def _synthesis(run: Run) -> str | None:
    found = _mapping(run.setting("training", "synthesis"))
    if not found:
        return None
    types, levels = (
        sorted(set(map(str, listed if isinstance(listed := found.get(key), list) else ())))
        for key in ("types", "levels")
    )
    return f"{_count(len(types), 'type')}, levels {', '.join(levels)}"


def _initial_weights(run: Run) -> str | None:
    found = run.setting("training", "initial_weights")
    return ", ".join(Path(str(one)).name for one in found) if isinstance(found, list) else found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _time(run: Run) -> str | None:
    seconds = sum(row.get("seconds", math.nan) for row in run.history)
    if not run.history or not math.isfinite(seconds):
        return None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _shape(layer: comparison.Layer) -> str:
    """Return the output shape without the batch, as in `H × W × 32`."""
    return ", ".join(
        " × ".join(
            str(size) if size is not None else "HW"[n] if n < 2 else "?"
            for n, size in enumerate(shape[1:])
        )
        for shape in layer.output
    )


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
