"""Runs side by side as one self-contained HTML page, as Markdown, or as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from tidenhance import comparison, plots, runs, showcase
from tidenhance.comparison import Figures, Gain, Method, Run
from tidenhance.data.pairs import Split
from tidenhance.errors import RunError
from tidenhance.files import write_text

Format = Literal["html", "markdown", "csv"]

MOST_BYTES = 15_000_000
MOST_EXAMPLES = 3  # best ones a run, and as many worst ones
LONG_NETWORK = 40  # layers; a longer one is summed up by type
FULL_COLOUR = 6.0  # dB of gain at most, from where on the heat map's colours no longer change

TITLES = {
    "psnr": "PSNR",
    "psnr_y": "PSNR-Y",
    "ssim": "SSIM",
    "ssim_y": "SSIM-Y",
    "ms_ssim": "MS-SSIM",
    "mse": "MSE",
    "mae": "MAE",
}
_DECIMALS = {"psnr": 2, "psnr_y": 2, "mse": 5}
_UNITS = {"psnr": "dB", "psnr_y": "dB"}
_SPLITS = {"train": "training", "val": "validation", "test": "test"}

Cells = list[list[str]]


def write(
    run_paths: Sequence[Path],
    out: Path,
    *,
    file_format: Format,
    split: Split = "val",
    levels: Sequence[int] | None = None,
    root: str | None = None,
) -> None:
    """Write a report on evaluated runs; equal runs give equal bytes.

    Args:
        run_paths: the run directories; each is shown once.
        out: the file to write; it appears complete or not at all.
        file_format: `html` is one file of less than 15 MB that needs no other; `markdown` has
            tables for a paper's appendix; `csv` has a row a run, a baseline, and doing nothing.
        split: whose scores are shown.
        levels: levels of distortion, where not those that the runs were trained on.
        root: the data set's folder, if it is not where the runs found it; only pictures need it.

    Raises:
        RunError: a run is missing, damaged or not evaluated, or was evaluated on other data.
        DataError: `root` was given and does not hold the data.
        WriteError: the file cannot be written.
    """
    compared = comparison.read(run_paths, split, levels)
    if file_format == "csv":
        write_text(out, as_csv(compared))
    elif file_format == "markdown":
        write_text(out, as_markdown(compared))
    else:
        write_text(out, as_html(compared, split, levels=levels, root=root))


def as_csv(compared: Sequence[Run]) -> str:
    """Return a row for doing nothing, a row a run and a row a baseline, figures unrounded."""
    first = compared[0].scores
    metrics = comparison.metrics(compared)
    common = {
        "split": first.split,
        "levels": " ".join(map(str, first.levels or ())),
        "pairs": first.pairs,
        "references": first.references,
        "data_fingerprint": first.data_fingerprint,
    }
    rows: list[dict[str, Any]] = [
        {"kind": "nothing", "name": "doing nothing", **common}
        | {name: first.identity.get(name) for name in metrics}
    ]
    for method in comparison.methods(compared):
        network = method.run.network if method.kind == "network" else None
        row = {
            "kind": method.kind,
            "name": method.label,
            "run": method.run.path.name,
            "tidenhance": method.run.scores.tidenhance,
            **common,
            "parameters": network and network.parameters,
            "multiply_adds": network and network.multiply_adds,
            "seconds_per_picture": method.result.seconds_per_picture,
            "device": method.run.scores.device,
        }
        for name in metrics:
            gain = method.result.gain.get(name)
            row[name] = method.result.metric(name)
            row[f"gain_{name}"] = gain and gain.mean
            row[f"gain_{name}_low"] = gain and gain.low
            row[f"gain_{name}_high"] = gain and gain.high
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_markdown(compared: Sequence[Run]) -> str:
    """Return the tables of a paper's appendix, without curves and pictures."""
    methods = comparison.methods(compared)
    parts = ["# Restoration report", what_was_compared(compared), "## Comparison"]
    parts.append(_markdown_table(*comparison_table(compared)))
    for run in compared:
        if article := run.scores.article:
            parts += [
                f"### {_escaped(run.label)} and the article",
                _markdown_table(*_article_table(run, article)),
                f"The article's figures: {_escaped(article.note)}.",
            ]
    for title, groups in _groups(methods).items():
        if groups:
            parts += [
                f"## Gain in PSNR over doing nothing by {title} (dB)",
                _markdown_table(
                    [title, "pairs", "doing nothing", *(method.label for method in methods)],
                    [
                        [name, str(some.pairs), number(some.identity.get("psnr"), "psnr")]
                        + [_gain_text(cell.gain.get("psnr")) if cell else "–" for cell in cells]
                        for name, some, cells in groups
                    ],
                ),
            ]
    names, rows = _settings_table(compared)
    parts += ["## Runs", _markdown_table(["", *names], rows)]
    for run in compared:
        if run.network:
            parts += [
                f"## Structure of {_escaped(run.label)}",
                _network_line(run.network),
                _markdown_table(*_layers_table(run.network)),
            ]
    parts += ["## Conventions", "\n".join(f"- {_escaped(line)}" for line in conventions(compared))]
    if missing := _missing(compared):
        parts += ["## What is missing", "\n".join(f"- {_escaped(line)}" for line in missing)]
    return "\n\n".join(parts) + "\n"


def as_html(
    compared: Sequence[Run],
    split: Split,
    *,
    levels: Sequence[int] | None = None,
    root: str | None = None,
) -> str:
    """Return the page, with as many pictures as keep it under 15 MB.

    Raises:
        RunError: it is larger even without pictures.
    """
    for most in range(MOST_EXAMPLES, -1, -1):
        page = _page(compared, split, levels, root, most)
        if len(page.encode("utf-8", errors="backslashreplace")) < MOST_BYTES:
            return page
    raise RunError(f"{len(compared)} runs do not fit into one page of 15 MB. Report on fewer.")


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
    heading = ["method", "parameters", "multiply-adds", "seconds a picture"]
    for name in metrics:
        heading.append(_titled(name))
        heading += [f"gain in {TITLES[name]} (95 % interval)"] if name in with_gain else []
    nothing = compared[0].scores.identity
    rows = [["doing nothing", "–", "–", "–"]]
    for name in metrics:
        rows[0].append(number(nothing.get(name), name))
        rows[0] += ["–"] if name in with_gain else []
    for method in comparison.methods(compared):
        network = method.run.network if method.kind == "network" else None
        seconds = method.result.seconds_per_picture
        row = [
            method.label,
            f"{network.parameters:,}" if network else "–",
            plots.engineering(network.multiply_adds) if network else "–",
            "–" if seconds is None else f"{seconds:.3g}",
        ]
        for name in metrics:
            row.append(number(method.result.metric(name), name))
            row += (
                [_gain_text(method.result.gain.get(name), name, interval=True)]
                if name in with_gain
                else []
            )
        rows.append(row)
    return heading, rows


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
        f"n = {references}: the references. Intervals are over them, not over pairs, since the"
        " pairs of one reference are not independent.",
        "multiply-adds: of convolutions and dense layers, for one picture of the size given.",
        "seconds a picture: the method's own time, without reading, writing and measuring.",
    ]


def number(value: float | None, metric: str) -> str:
    """Return a metric's value with its usual decimals, or a dash where there is none."""
    return "–" if value is None else f"{value:.{_DECIMALS.get(metric, 4)}f}"


def _page(
    compared: Sequence[Run],
    split: Split,
    levels: Sequence[int] | None,
    root: str | None,
    most: int,
) -> str:
    methods = comparison.methods(compared)
    metrics = comparison.metrics(compared)
    shown, notes = [], _missing(compared)
    for run in compared:
        found, problem = showcase.examples(run, split, levels=levels, root=root, most=most)
        notes += [problem] if problem else []
        shown.append((run, found))
    if most < MOST_EXAMPLES:
        notes.append(
            f"To stay under {MOST_BYTES // 1_000_000} MB, {most} best and {most} worst pictures of"
            f" each run are shown instead of {MOST_EXAMPLES}."
        )
    heading, rows = comparison_table(compared)
    groups = _groups(methods)
    heat_metrics = [name for name in ("psnr", "ssim") if name in metrics]
    context = {
        "subtitle": what_was_compared(compared),
        "runs": compared,
        "methods": methods,
        "cards": [_card(run) for run in compared],
        "comparison": (heading, rows),
        "best": _best_cells(methods, heading, rows),
        "cost_plots": _cost_plots(compared, methods),
        "article": [
            (run, *_article_table(run, run.scores.article))
            for run in compared
            if run.scores.article
        ],
        "examples": shown,
        "heat": {
            title: [_heat(name, title, some, methods) for name in heat_metrics]
            for title, some in groups.items()
            if some
        },
        "gains_plot": _gains_plot(methods),
        "curves": _curves(compared),
        "curves_notes": _curves_notes(compared),
        "settings": _settings_table(compared),
        "structures": [
            (run, _network_line(run.network), _layers_table(run.network), _all_layers(run.network))
            for run in compared
            if run.network
        ],
        "conventions": conventions(compared),
        "notes": notes,
        "signs": plots.MARKER_SIGNS,
        "error_gradient": Markup(showcase.error_gradient()),  # noqa: S704
        "error_scale": showcase.ERROR_SCALE,
        "jpeg_quality": showcase.JPEG_QUALITY,
        "most_side": showcase.MOST_PIXELS_A_SIDE,
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("report_template")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["signed"] = signed
    return environment.get_template("report.html").render(context)


def signed(value: float, decimals: int = 2) -> str:
    """Return a number with its sign, a true minus; a zero after rounding has none."""
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def _card(run: Run) -> dict[str, Any]:
    gain = run.scores.gain["psnr"]
    if gain.low is None or gain.high is None:
        verdict = "no interval: it needs more than one reference"
    elif gain.low > 0:
        verdict = "better than doing nothing"
    elif gain.high < 0:
        verdict = "worse than doing nothing"
    else:
        verdict = "not clearly different from doing nothing: the interval includes 0"
    interval = "" if gain.low is None else f"{signed(gain.low)} to {signed(gain.high or 0)} dB"
    return {
        "label": run.label,
        "gain": signed(gain.mean),
        "interval": interval,
        "references": gain.references,
        "psnr": number(run.scores.psnr, "psnr"),
        "nothing": number(run.scores.identity.get("psnr"), "psnr"),
        "verdict": verdict,
        "state": run.state,
    }


def _best_cells(
    methods: Sequence[Method], heading: Sequence[str], rows: Cells
) -> set[tuple[int, int]]:
    """Return row and column of each metric's best value in the table of methods."""
    best = set()
    titles = {_titled(name): name for name in TITLES}
    for column, title in enumerate(heading):
        if name := titles.get(title):
            values = [rows[0][column], *(number(m.result.metric(name), name) for m in methods)]
            known = [float(value) for value in values if value != "–"]
            top = (min if name in ("mse", "mae") else max)(known, default=None)
            best |= {(n, column) for n, v in enumerate(values) if v != "–" and float(v) == top}
    return best


def _cost_plots(compared: Sequence[Run], methods: Sequence[Method]) -> list[Markup]:
    identity = compared[0].scores.identity.get("psnr")
    if identity is None:
        return []
    largest = max((run.network.parameters for run in compared if run.network), default=1)

    def points(cost: Callable[[Method], float | None]) -> list[plots.Point]:
        found = []
        for n, method in enumerate(methods):
            network = method.run.network if method.kind == "network" else None
            gain, x = method.result.gain["psnr"], cost(method)
            if x is None or x <= 0:
                continue
            found.append(
                plots.Point(
                    method.label,
                    n if method.kind == "network" else None,
                    x,
                    method.result.psnr,
                    None if gain.low is None else identity + gain.low,
                    None if gain.high is None else identity + gain.high,
                    40 + 200 * math.sqrt(network.parameters / largest) if network else 40,
                )
            )
        return found

    wanted: dict[str, tuple[str, str, Callable[[Method], float | None]]] = {
        "time": ("time a picture", "s", lambda m: m.result.seconds_per_picture),
        "multiply-adds": (
            "multiply-adds a picture",
            "",
            lambda m: (
                m.run.network.multiply_adds if m.run.network and m.kind == "network" else None
            ),
        ),
    }
    return [
        _markup(
            plots.quality_against_cost(
                f"cost-{name}",
                found,
                title=f"Quality against {title}",
                cost=title,
                unit=unit,
                quality="PSNR (dB)",
                identity=identity,
            )
        )
        for name, (title, unit, cost) in wanted.items()
        if (found := points(cost))
    ]


def _gains_plot(methods: Sequence[Method]) -> Markup:
    return _markup(
        plots.gains(
            "gains",
            [
                plots.Spread(
                    method.label,
                    n if method.kind == "network" else None,
                    [
                        some.gain["psnr"].mean
                        for some in method.result.per_reference.values()
                        if "psnr" in some.gain
                    ],
                    gain.mean,
                    gain.low,
                    gain.high,
                )
                for n, method in enumerate(methods)
                for gain in [method.result.gain["psnr"]]
            ],
            title="Gain in PSNR by reference, for each method, with means and 95 % intervals",
            axis="gain in PSNR over doing nothing (dB)",
        )
    )


def _curves(compared: Sequence[Run]) -> list[Markup]:
    """Return a plot of the loss for each loss in use, and one of each metric that was logged."""
    panels: dict[tuple[str, str], dict[int, plots.History]] = {}
    for n, run in enumerate(compared):
        loss = str(run.setting("loss", "name"))
        for key in run.history[0] if run.history else ():
            if f"val_{key}" in run.history[0]:
                title = f"Loss ({loss})" if key == "loss" else _titled(key)
                panels.setdefault((key, title), {})[n] = run.history
    found = []
    for number_, ((key, title), histories) in enumerate(panels.items()):
        name = compared[next(iter(histories))].setting("loss", "name") if key == "loss" else key
        validation = [run.validation for run in compared if run.validation]
        found.append(
            _markup(
                plots.curves(
                    f"curves-{number_}",
                    key,
                    histories,
                    title=f"{title} over the epochs",
                    identity=validation[0].identity.get(str(name)) if validation else None,
                    logarithmic=key in ("loss", "mse", "mae"),
                )
            )
        )
    return found


def _curves_notes(compared: Sequence[Run]) -> list[str]:
    notes = ["Solid: validation; dashed: training."]
    if any(run.validation for run in compared):
        notes.append("Dotted: doing nothing, on whole pictures of the validation split.")
    else:
        notes.append("No line for doing nothing: no run was evaluated on the validation split.")
    cropped = [run.label for run in compared if run.setting("validation", "patch_size") is not None]
    if cropped:
        notes.append(
            f"In training, {', '.join(cropped)} validated on central crops, so that these curves"
            " differ a little from the scores."
        )
    return notes


def _groups(
    methods: Sequence[Method],
) -> dict[str, list[tuple[str, Figures, list[Figures | None]]]]:
    """Return for types and references: name, first figures, and each method's figures."""
    found = {}
    for title, key in (("distortion type", "per_type"), ("reference", "per_reference")):
        first: dict[str, Figures] = getattr(methods[0].result, key)
        found[title] = [
            (
                f"{group} {some.name}" if some.name else group,
                some,
                [getattr(method.result, key).get(group) for method in methods],
            )
            for group, some in first.items()
        ]
    return found


def _heat(
    metric: str,
    title: str,
    groups: Sequence[tuple[str, Figures, list[Figures | None]]],
    methods: Sequence[Method],
) -> dict[str, Any]:
    gains = [[some.gain.get(metric) if some else None for some in row] for _, _, row in groups]
    largest = max((abs(g.mean) for row in gains for g in row if g), default=0.0)
    decimals = _DECIMALS.get(metric, 4) if metric in _UNITS else 3
    full = min(largest, FULL_COLOUR) if metric in _UNITS else largest
    return {
        "metric": TITLES[metric],
        "unit": _UNITS.get(metric, ""),
        "title": title,
        "full": f"{full:.{1 if metric in _UNITS else 3}f}",
        "beyond": largest > full,
        "methods": [method.label for method in methods],
        "rows": [
            {
                "name": name,
                "pairs": some.pairs,
                "nothing": number(some.identity.get(metric), metric),
                "cells": [_heat_cell(gain, full, decimals) for gain in row],
            }
            for (name, some, _), row in zip(groups, gains, strict=True)
        ],
        "has_unclear": any(
            g and g.low is not None and g.low <= 0 <= (g.high or 0) for row in gains for g in row
        ),
    }


def _heat_cell(gain: Gain | None, full: float, decimals: int) -> dict[str, Any] | None:
    if gain is None:
        return None
    share = min(abs(gain.mean) / full, 1) if full else 0
    return {
        "text": signed(gain.mean, decimals),
        "kind": "better" if gain.mean > 0 else "worse",
        "amount": round(100 * share),
        "unclear": gain.low is not None and gain.low <= 0 <= (gain.high or 0),
    }


def _article_table(run: Run, article: comparison.Article) -> tuple[list[str], Cells]:
    rows = []
    for key, value in article.figures.items():
        name = {"val_loss": "mse", "val_mae": "mae"}.get(key, key)
        rows.append(
            [
                TITLES.get(name, name),
                number(run.scores.metric(name), name),
                f"{value:.4f}",
                number(run.scores.identity.get(name), name),
            ]
        )
    return ["metric", f"{run.label} (ours)", "the article", "doing nothing (ours)"], rows


def _settings_table(compared: Sequence[Run]) -> tuple[list[str], Cells]:
    """Return the runs' names, and for each setting its title and its value in each run."""
    sections: list[tuple[str, Callable[[Run], Any]]] = [
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
        ("precision", lambda run: run.setting("training", "precision")),
        ("seed", lambda run: run.setting("seed")),
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
                ("Python", "python"),
                ("platform", "platform"),
                ("git commit", "git_commit"),
            )
        ),
    ]
    rows = [
        [title, *("–" if (v := get(run)) is None else str(v) for run in compared)]
        for title, get in sections
        if any(get(run) is not None for run in compared)
    ]
    return [run.label for run in compared], rows


def _component(section: Any) -> str | None:
    if not isinstance(section, Mapping):
        return None
    options = [f"{key} {value}" for key, value in section.items() if key != "name"]
    return ", ".join([str(section.get("name")), *options])


def _epochs(run: Run) -> str:
    return f"{len(run.history)} of {run.setting('training', 'epochs')}"


def _best_epoch(run: Run) -> str | None:
    losses = [
        (row["val_loss"], row["epoch"])
        for row in run.history
        if math.isfinite(row.get("val_loss", math.nan))
    ]
    if not losses:
        return None
    loss, epoch = min(losses)
    return f"{epoch:.0f}, val_loss {loss:.5f}"


def _schedule(run: Run) -> str:
    schedules = run.setting("training", "learning_rate_schedule") or {}
    found = [
        ", ".join([key.replace("_", " "), *(f"{name} {v}" for name, v in value.items())])
        for key, value in schedules.items()
        if value
    ]
    return "; ".join(found) or "constant"


def _time(run: Run) -> str | None:
    seconds = sum(row.get("seconds", math.nan) for row in run.history)
    if not run.history or not math.isfinite(seconds):
        return None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _network_line(network: comparison.Network) -> str:
    whole = ", and the whole picture through global pooling" if network.sees_whole_picture else ""
    return (
        f"{network.network}: {network.layers:,} layers, the input counted;"
        f" {network.parameters:,} parameters; {network.multiply_adds:,} multiply-adds for"
        f" {network.width} x {network.height}; receptive field"
        f" {network.receptive_field} x {network.receptive_field} pixels{whole}"
    )


def _layers_table(network: comparison.Network) -> tuple[list[str], Cells]:
    """Return the layers, or of a long network how many there are of each type and output."""
    if len(network.layer_table) <= LONG_NETWORK:
        return _all_layers(network)
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for layer in network.layer_table:
        key = (layer.type, _shape(layer))
        count, parameters = sums.get(key, (0, 0))
        sums[key] = (count + 1, parameters + layer.parameters)
    return ["type", "output", "layers", "parameters"], [
        [name, shape, f"{count:,}", f"{parameters:,}"]
        for (name, shape), (count, parameters) in sums.items()
    ]


def _all_layers(network: comparison.Network) -> tuple[list[str], Cells]:
    return ["layer", "type", "output", "parameters"], [
        [layer.name, layer.type, _shape(layer), f"{layer.parameters:,}"]
        for layer in network.layer_table
    ]


def _shape(layer: comparison.Layer) -> str:
    """Return the output shape without the batch, as in `H × W × 32`."""
    return ", ".join(
        " × ".join(
            str(size) if size is not None else "HW"[n] if n < 2 else "?"
            for n, size in enumerate(shape[1:])
        )
        for shape in layer.output
    )


def _missing(compared: Sequence[Run]) -> list[str]:
    notes = []
    for run in compared:
        if run.network is None:
            notes.append(
                f"{run.label}: no network.json, so no structure, parameters and multiply-adds."
                " Training writes it; for this run they can be seen by: tidenhance summary"
                f" --config {run.path / runs.CONFIG}"
            )
        if not run.history:
            notes.append(
                f"{run.label}: no history.csv, so no curves. Training writes it, an epoch at a"
                f" time: tidenhance train --resume {run.path}"
            )
    if not any(run.scores.baselines for run in compared):
        notes.append(
            "No baselines. To have some beside the networks:"
            f" {comparison.eval_command(compared[0].path, compared[0].scores.split)}"
            " --baseline nlm --baseline median"
        )
    return notes


def _gain_text(gain: Gain | None, metric: str = "psnr", *, interval: bool = False) -> str:
    if gain is None:
        return "–"
    decimals = _DECIMALS.get(metric, 4)
    text = signed(gain.mean, decimals)
    if not interval or gain.low is None or gain.high is None:
        return text
    return f"{text} ({signed(gain.low, decimals)} to {signed(gain.high, decimals)})"


def _titled(metric: str) -> str:
    title = TITLES.get(metric, metric)
    return f"{title} ({_UNITS[metric]})" if metric in _UNITS else title


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _markdown_table(heading: Sequence[str], rows: Cells) -> str:
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(text: str) -> str:
    special = str.maketrans({character: f"\\{character}" for character in "\\|*_`<>[]#"})
    return " ".join(text.split()).translate(special)


def _markup(svg: str) -> Markup:
    # Our own plots; Matplotlib escapes the texts in them.
    return Markup(svg)  # noqa: S704
