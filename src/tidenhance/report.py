"""Runs side by side as one self-contained HTML page, as Markdown, or as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from tidenhance import comparison, report_page, report_tables
from tidenhance.comparison import Run
from tidenhance.data.pairs import Split
from tidenhance.files import csv_text, make_folder, write_text
from tidenhance.report_tables import Cells, gain_text, number

Format = Literal["html", "markdown", "csv"]


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
        out: the file to write; it appears complete or not at all. Missing folders are made.
        file_format: `html` is one file of less than 15 MB that needs no other; `markdown` has
            tables for a paper's appendix; `csv` has a row a run, a baseline, and doing nothing.
        split: whose scores are shown.
        levels: levels of distortion, where not those of the runs' `data.levels`.
        root: the data set's folder, if it is not where the evaluation found it; only pictures
            need it.

    Raises:
        RunError: a run is missing, damaged or not evaluated, or was evaluated on other data.
        DataError: `root` was given and does not hold the data.
        UserInputError: `out` lies in what is no folder.
        WriteError: the file cannot be written.
    """
    compared = comparison.read(run_paths, split, levels, root)
    make_folder(out.parent)
    if file_format == "csv":
        write_text(out, as_csv(compared))
    elif file_format == "markdown":
        write_text(out, as_markdown(compared, levels))
    else:
        write_text(out, report_page.as_html(compared, split, levels=levels, root=root))


def as_csv(compared: Sequence[Run]) -> str:
    """Return a row for doing nothing, a row a run and a row a baseline, figures unrounded.

    Differences are to the first run, over references in pairs.
    """
    first = compared[0].scores
    metrics = comparison.metrics(compared)
    common = {
        "split": first.split,
        "levels": " ".join(map(str, first.levels or ())),
        "pairs": first.pairs,
        "references": first.references,
        "data_fingerprint": first.data_fingerprint,
    }
    rows: list[dict[str, Any]] = []
    for method in comparison.methods(compared):
        network = method.run.network if method.kind == "network" else None
        differences = comparison.differences_to_first(method, compared)
        row = {
            "kind": method.kind,
            "name": method.label,
            "run": method.run.path.name,
            "tidenhance": method.run.scores.tidenhance,
            **common,
            "parameters": network and network.parameters,
            "multiply_adds": network and network.multiply_adds,
            "seconds_per_picture": method.result.seconds_per_picture,
            # That classical methods were timed on is not noted.
            "device": method.run.scores.device if method.kind == "network" else None,
        }
        for name in metrics:
            gain = method.result.gain.get(name)
            row[name] = method.result.metric(name)
            row[f"gain_{name}"] = gain and gain.mean
            row[f"gain_{name}_low"] = gain and gain.low
            row[f"gain_{name}_high"] = gain and gain.high
            difference = differences.get(name)
            row[f"difference_{name}"] = difference and difference.mean
            row[f"difference_{name}_low"] = difference and difference.low
            row[f"difference_{name}_high"] = difference and difference.high
        rows.append(row)
    nothing = {"kind": "nothing", "name": "doing nothing", **common} | {
        name: first.identity.get(name) for name in metrics
    }
    return csv_text([dict.fromkeys(rows[0]) | nothing, *rows])


def as_markdown(compared: Sequence[Run], levels: Sequence[int] | None = None) -> str:
    """Return the tables of a paper's appendix, without curves and pictures."""
    methods = comparison.methods(compared)
    parts = ["# Restoration report", report_tables.what_was_compared(compared), "## Comparison"]
    parts.append(_markdown_table(*report_tables.comparison_table(compared)))
    for run in compared:
        if article := run.scores.article:
            parts += [
                f"### {_escaped(run.label)} and the article",
                _markdown_table(*report_tables.article_table(run, article)),
                f"The article's figures: {_escaped(article.note)}.",
            ]
    for title, groups in report_tables.groups(methods).items():
        if groups:
            parts += [
                f"## Gain in PSNR over doing nothing by {title} (dB)",
                _markdown_table(
                    [
                        title,
                        "pairs",
                        "PSNR of doing nothing",
                        *(method.label for method in methods),
                    ],
                    [
                        [name, str(some.pairs), number(some.identity.get("psnr"), "psnr")]
                        + [gain_text(cell.gain.get("psnr")) if cell else "–" for cell in cells]
                        for name, some, cells in groups
                    ],
                ),
            ]
    names, rows = report_tables.settings_table(compared)
    parts += ["## Runs", _markdown_table(["", *names], rows)]
    for run in compared:
        if run.network:
            parts += [
                f"## Structure of {_escaped(run.label)}",
                report_tables.network_line(run.network),
                _markdown_table(*report_tables.layers_table(run.network)),
            ]
    parts += [
        "## Conventions",
        "\n".join(f"- {_escaped(line)}" for line in report_tables.conventions(compared)),
    ]
    if missing := report_tables.missing(compared, levels):
        parts += ["## What is missing", "\n".join(f"- {_escaped(line)}" for line in missing)]
    return "\n\n".join(parts) + "\n"


def _markdown_table(heading: Sequence[str], rows: Cells) -> str:
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, line))} |" for line in lines)


def _escaped(text: str) -> str:
    special = str.maketrans({character: f"\\{character}" for character in "\\|*_`<>[]#"})
    return " ".join(text.split()).translate(special)
