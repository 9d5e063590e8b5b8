"""Runs become the parts of one HTML page, and these the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from tidenhance import comparison, plots, report_tables, showcase
from tidenhance.comparison import Figures, Gain, Method, Run
from tidenhance.data.pairs import Split
from tidenhance.errors import RunError
from tidenhance.report_tables import DECIMALS, TITLES, UNITS, Cells, number, signed, titled

MOST_BYTES = 15_000_000
MOST_EXAMPLES = 3  # best ones a run, and as many worst ones
FULL_COLOUR = 6.0  # dB of gain at most, from where on the heat map's colours no longer change


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


def _page(
    compared: Sequence[Run],
    split: Split,
    levels: Sequence[int] | None,
    root: str | None,
    most: int,
) -> str:
    methods = comparison.methods(compared)
    metrics = comparison.metrics(compared)
    shown, notes = [], report_tables.missing(compared, levels)
    for run in compared:
        found, problem = showcase.examples(run, split, levels=levels, root=root, most=most)
        notes += [problem] if problem else []
        shown.append((run, found))
    if most < MOST_EXAMPLES:
        notes.append(
            f"To stay under {MOST_BYTES // 1_000_000} MB, {most} best and {most} worst pictures of"
            f" each run are shown instead of {MOST_EXAMPLES}."
        )
    heading, rows = report_tables.comparison_table(compared)
    groups = report_tables.groups(methods)
    heat_metrics = [name for name in ("psnr", "ssim") if name in metrics]
    context = {
        "subtitle": report_tables.what_was_compared(compared),
        "runs": compared,
        "methods": methods,
        "cards": [_card(run) for run in compared],
        "comparison": (heading, rows),
        "best": _best_cells(methods, heading, rows),
        "cost_plots": _cost_plots(compared, methods),
        "article": [
            (run, *report_tables.article_table(run, run.scores.article))
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
        "settings": report_tables.settings_table(compared),
        "structures": [
            (
                run,
                report_tables.network_line(run.network),
                report_tables.layers_table(run.network),
                report_tables.all_layers(run.network),
            )
            for run in compared
            if run.network
        ],
        "conventions": report_tables.conventions(compared),
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
        "uneven": len({some.pairs for some in run.scores.per_reference.values()}) > 1,
        "state": run.state,
    }


def _best_cells(
    methods: Sequence[Method], heading: Sequence[str], rows: Cells
) -> set[tuple[int, int]]:
    """Return row and column of each metric's best value in the table of methods."""
    best = set()
    titles = {titled(name): name for name in TITLES}
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
            psnr, gain, x = method.result.psnr, method.result.gain["psnr"], cost(method)
            if x is None or x <= 0:
                continue
            found.append(
                plots.Point(
                    method.label,
                    n if method.kind == "network" else None,
                    x,
                    psnr,
                    # About the mark: the gain is a mean over references, not over pictures.
                    None if gain.low is None else psnr + gain.low - gain.mean,
                    None if gain.high is None else psnr + gain.high - gain.mean,
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


def _panels(compared: Sequence[Run]) -> dict[tuple[str, str], list[int]]:
    """Return for each loss in use and each metric that was logged: its key, title, and the runs."""
    panels: dict[tuple[str, str], list[int]] = {}
    for n, run in enumerate(compared):
        loss = str(run.setting("loss", "name"))
        for key in run.history[0] if run.history else ():
            if f"val_{key}" in run.history[0]:
                title = f"Loss ({loss})" if key == "loss" else titled(key)
                panels.setdefault((key, title), []).append(n)
    return panels


def _nothing(key: str, drawn: Sequence[Run]) -> list[float]:
    """Return what doing nothing has in a panel, a value for each set of validation pairs.

    Empty where one of them lacks it.
    """
    name = str(drawn[0].setting("loss", "name")) if key == "loss" else key
    # A loss falls.
    sign = -1 if (key, name) == ("loss", "psnr") else 1
    found = {
        run.validation.data_fingerprint: run.validation.identity.get(name)
        for run in drawn
        if run.validation
    }
    values = [sign * value for value in found.values() if value is not None]
    return values if len(values) == len(found) else []


def _curves(compared: Sequence[Run]) -> list[Markup]:
    """Return a plot of the loss for each loss in use, and one of each metric that was logged."""
    found = []
    for number_, ((key, title), drawn) in enumerate(_panels(compared).items()):
        nothing = _nothing(key, [compared[n] for n in drawn])
        found.append(
            _markup(
                plots.curves(
                    f"curves-{number_}",
                    key,
                    {n: compared[n].history for n in drawn},
                    title=f"{title} over the epochs",
                    # Different pairs have no doing nothing in common.
                    identity=nothing[0] if len(nothing) == 1 else None,
                    logarithmic=key in ("loss", "mse", "mae"),
                )
            )
        )
    return found


def _curves_notes(compared: Sequence[Run]) -> list[str]:
    notes = ["Solid: validation; dashed: training."]
    nothings = {
        title: len(_nothing(key, [compared[n] for n in drawn]))
        for (key, title), drawn in _panels(compared).items()
    }
    if 1 in nothings.values():
        notes.append(
            "Dotted: doing nothing, on the whole pictures that were evaluated as the validation"
            " split."
        )
    if not any(run.validation for run in compared):
        notes.append("No line for doing nothing: no run was evaluated on the validation split.")
    if apart := [title for title, count in nothings.items() if count > 1]:
        notes.append(
            f"No line for doing nothing in {', '.join(apart)}: the runs there were evaluated on"
            " different validation pairs."
        )
    made = [run.label for run in compared if run.setting("training", "synthesis")]
    if made:
        notes.append(
            f"The two curves of {', '.join(made)} are of different pictures: validation's are the"
            " data set's, training's were made meanwhile, at levels of their own."
        )
    for crop in ("central", "random"):
        cropped = [
            run.label
            for run in compared
            if run.setting("validation", "patch_size") is not None
            and (run.setting("validation", "crop") or "central") == crop
        ]
        if cropped:
            notes.append(
                f"In training, {', '.join(cropped)} validated on {crop} crops, so that these curves"
                " differ a little from the scores."
            )
    return notes


def _heat(
    metric: str,
    title: str,
    groups: Sequence[tuple[str, Figures, list[Figures | None]]],
    methods: Sequence[Method],
) -> dict[str, Any]:
    gains = [[some.gain.get(metric) if some else None for some in row] for _, _, row in groups]
    largest = max((abs(g.mean) for row in gains for g in row if g), default=0.0)
    decimals = DECIMALS.get(metric, 4) if metric in UNITS else 3
    full = min(largest, FULL_COLOUR) if metric in UNITS else largest
    return {
        "metric": TITLES[metric],
        "unit": UNITS.get(metric, ""),
        "title": title,
        "full": f"{full:.{1 if metric in UNITS else 3}f}",
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


def _markup(svg: str) -> Markup:
    # Our own plots; Matplotlib escapes the texts in them.
    return Markup(svg)  # noqa: S704
