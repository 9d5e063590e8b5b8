"""Scores and summaries as tables on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidenhance.errors import printable
from tidenhance.runs import Summary

WIDTH_OF_FILES = 10_000  # so that no line is ever broken


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as the terminal, or for a file or a pipe as wide as the text."""
    stream = sys.stderr if stderr else sys.stdout
    is_terminal = stream is not None and stream.isatty()
    return Console(
        stderr=stderr,
        width=None if is_terminal else WIDTH_OF_FILES,
        markup=False,
        highlight=False,
        emoji=False,
    )


def print_configs(purposes: Mapping[str, str]) -> None:
    """Print each config's name and purpose."""
    _print_table(("config", "purpose"), purposes.items())


def print_runs(summaries: Sequence[Summary]) -> None:
    """Print a line a run, and below the table what is damaged."""
    rows = [
        (
            printable(run.path.name),
            run.state,
            printable(run.config),
            f"{run.epochs}/{run.planned_epochs or '?'}",
            _number(run.best_val_loss, ".5f"),
            _number(run.scores["psnr"] if run.scores else None, ".2f", " dB"),
            _number(run.scores["gain"]["psnr"]["mean"] if run.scores else None, "+.2f", " dB"),
        )
        for run in summaries
    ]
    _print_table(("run", "state", "config", "epochs", "best val_loss", "val PSNR", "gain"), rows)
    for run in summaries:
        if run.problem:
            for line in run.problem.splitlines():
                console().print(printable(line), soft_wrap=True)


def print_types(types: Mapping[int, str]) -> None:
    """Print the numbers and names of distortion types."""
    _print_table(("type", "distortion"), ((str(number), name) for number, name in types.items()))


def print_scores(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Print what `evaluation.evaluate` returns for runs on the same pairs, and for baselines.

    Args:
        results: by what to call the runs.
    """
    first = next(iter(results.values()))
    console().print(
        f"{first['split']}; pairs {first['pairs']}, references {first['references']};"
        f" {first['conventions']['range']}; {first['conventions']['rounding']};"
        " in brackets the 95 % interval over references",
        soft_wrap=True,
    )
    # With SciPy it takes longer to import than the other tables take in all.
    from tidenhance.scores import differences

    scored = [*results.items(), *first["baselines"].items()]
    paired = len(scored) > 1
    shown = [("doing nothing", first["identity"], {}), (*scored[0], {})]
    shown += [(name, entry, differences(entry, first)) for name, entry in scored[1:]]
    others = ("PSNR-Y", "SSIM", "MS-SSIM", "MSE", "MAE", "s/picture")
    _print_table(
        ("", "PSNR", "gain", "", *(("to first", "") if paired else ()), *others),
        [_score_row(*row, paired=paired) for row in shown],
    )
    if paired:
        console().print(
            f"to first: by how much PSNR is better than that of {next(iter(results))}, in pairs of"
            " the same reference",
            soft_wrap=True,
        )
    for label, result in results.items():
        if result["article"]:
            figures = ", ".join(f"{k} {v}" for k, v in result["article"]["figures"].items())
            note = result["article"]["note"]
            console().print(f"{label}: the article has {figures} ({note})", soft_wrap=True)
    for group, title in (
        ("per_type", "type"),
        ("per_level", "level"),
        ("per_reference", "reference"),
    ):
        if len(first[group]) > 1:
            _print_table(
                (f"PSNR by {title}", "pairs", "doing nothing", *(name for name, _ in scored)),
                [_group_row(group, key, [entry for _, entry in scored]) for key in first[group]],
            )


def print_summary(figures: Mapping[str, Any]) -> None:
    """Print what `tidenhance summary --json` holds: the layers, then the network's figures."""
    _print_table(
        ("layer", "type", "output", "parameters"),
        [
            (
                layer["name"],
                layer["type"],
                ", ".join(str(tuple(shape)) for shape in layer["output"]),
                f"{layer['parameters']:,}",
            )
            for layer in figures["layer_table"]
        ],
    )
    whole = (
        ", and the whole picture through global pooling" if figures["sees_whole_picture"] else ""
    )
    size = f"{figures['width']} x {figures['height']}"
    for line in (
        f"layers: {figures['layers']:,}, the input counted",
        f"parameters: {figures['parameters']:,}",
        f"multiply-adds: {figures['multiply_adds']:,} for {size}",
        f"receptive field: {figures['receptive_field']} pixels{whole}",
        *_memory_lines(figures, size),
    ):
        console().print(line, soft_wrap=True)


def _memory_lines(figures: Mapping[str, Any], size: str) -> Iterator[str]:
    """Yield what a training step takes, and how the machine's memory can be made to suffice."""
    machine = figures["machine_memory_bytes"]
    for accumulation, needed in figures["training_memory_bytes_by_accumulation"].items():
        configured = int(accumulation) == figures["gradient_accumulation_steps"]
        yield (
            f"memory to train with gradient_accumulation_steps={accumulation}: about"
            f" {needed / 2**30:.1f} GiB for {size} (estimate)"
            f"{'' if needed < machine else ', more than this machine has'}"
            f"{', as configured' if configured else ''}"
        )
    yield f"memory of this machine: {machine / 2**30:.1f} GiB"


def print_check(found: Mapping[str, Any]) -> None:
    """Print what `data.check.check` returns: PSNRc by type, MSE by split, problems."""
    console().print("Mean PSNRc of i01 to i15 in dB, and that of the real archive")
    _print_table(
        ("type", "distortion", *(f"level {n}" for n in range(1, 6))),
        [
            (
                number,
                entry["name"],
                *(
                    f"{_number(mean, '.1f')} ({archive:.1f})"
                    for mean, archive in zip(entry["mean"], entry["archive"], strict=True)
                ),
            )
            for number, entry in found["psnrc"].items()
        ],
    )
    _print_table(
        ("split", "pairs", "MSE of doing nothing", "of the real archive"),
        [
            (
                split,
                str(found["pairs"][split]),
                _number(mse, ".5f"),
                f"{found['identity_mse_of_the_archive'][split]:.5f}",
            )
            for split, mse in found["identity_mse"].items()
        ],
    )
    sizes = ", ".join(f"{count} of {size}" for size, count in found["sizes"].items())
    for line in (
        f"{found['references']} references, {found['distorted']} distorted; {sizes}",
        f"compared with metrics_values/PSNRc.txt: {found['compared']}",
        *(f"problem: {problem}" for problem in found["problems"]),
        f"{len(found['problems'])} problems",
    ):
        console().print(line, soft_wrap=True)


def _score_row(
    name: str, entry: Mapping[str, Any], to_first: Mapping[str, Any], *, paired: bool
) -> tuple[str, ...]:
    return (
        name,
        _number(entry["psnr"], ".2f", " dB"),
        *_gain_cells(entry.get("gain", {})),
        *(_gain_cells(to_first) if paired else ()),
        _number(entry.get("psnr_y"), ".2f", " dB"),
        _number(entry.get("ssim"), ".4f"),
        _number(entry.get("ms_ssim"), ".4f"),
        _number(entry["mse"], ".5f"),
        _number(entry["mae"], ".4f"),
        _number(entry.get("seconds_per_picture"), ".3f"),
    )


def _gain_cells(gains: Mapping[str, Any]) -> tuple[str, str]:
    gain = gains.get("psnr", {})
    low, high = gain.get("low"), gain.get("high")
    interval = "" if low is None else f"[{low:+.2f}, {high:+.2f}]"
    return _number(gain.get("mean"), "+.2f", " dB"), interval


def _group_row(group: str, key: str, scored: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    entries = [entry[group][key] for entry in scored]
    name = f"{key} {entries[0].get('name', '')}".strip()
    gains = (f"{e['psnr']:.2f} ({e['gain']['psnr']['mean']:+.2f})" for e in entries)
    return (name, str(entries[0]["pairs"]), f"{entries[0]['identity']['psnr']:.2f}", *gains)


def _print_table(columns: Sequence[str], rows: Any) -> None:
    table = Table(box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < 2 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"
