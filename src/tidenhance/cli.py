"""Parse the command line, call the library, print; the only module that exits."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import tidenhance
from tidenhance.errors import ConfigError, DataError, TidenhanceError, UserInputError

if TYPE_CHECKING:
    from rich.console import Console

    from tidenhance.progress import Progress

app = typer.Typer(
    help="Train, compare and use image-restoration networks, driven by YAML files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Check, synthesise and describe TID2013 data.", no_args_is_help=True)
app.add_typer(data_app, name="data")


class SplitName(StrEnum):
    """The splits of a data set."""

    VAL = "val"
    TEST = "test"
    TRAIN = "train"


ConfigOption = Annotated[
    str, typer.Option("--config", help="A YAML file, or the name of a shipped config.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Overrides, as in training.epochs=5."),
]
DataOption = Annotated[
    str | None, typer.Option("--data", help="The data set's folder, instead of data.root.")
]
RunsOption = Annotated[Path, typer.Option("--runs", help="The folder of all runs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
RUNS = Path("runs")


def main() -> None:
    """Run the command line; exit with 0 (done), 1 (failed) or 2 (the input is at fault)."""
    # Read by TensorFlow and Keras when they are imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    try:
        app()
    except UserInputError as error:
        _fail(error, 2)
    except TidenhanceError as error:
        _fail(error, 1)
    except Exception as error:
        _fail(error, 1, f"{type(error).__name__}: {error}\nThis is a fault of tidenhance.")


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Train, compare and use image-restoration networks, driven by YAML files."""
    if version:
        typer.echo(f"tidenhance {tidenhance.__version__}")
        raise typer.Exit
    os.environ["TIDENHANCE_DEBUG"] = "1" if debug else ""


@app.command()
def train(
    config: ConfigOption,
    overrides: Overrides = None,
    data: DataOption = None,
    runs: RunsOption = RUNS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Train a network into a new run directory."""
    _log_to_console(stderr=as_json)
    from tidenhance import config as configs

    path = configs.find(config)
    _import_tensorflow()
    loaded = configs.load(path, _with_root(overrides, data))
    from tidenhance import training
    from tidenhance.runs import read_history

    run = training.train(loaded, path.stem, runs)
    if as_json:
        _print_json({"run": str(run), "history": read_history(run)})


@app.command("eval")
def evaluate(
    run: Annotated[str | None, typer.Argument(help="A run; the newest if none is given.")] = None,
    split: Annotated[SplitName, typer.Option(help="Which pairs.")] = SplitName.VAL,
    data: DataOption = None,
    runs: RunsOption = RUNS,
    *,
    as_json: JsonOption = False,
) -> None:
    """Score a run's network on the pairs of a split, beside doing nothing."""
    path = _run(run, runs)
    _import_tensorflow()
    from tidenhance import evaluation

    with _progress(f"evaluating {path.name}") as progress:
        scores = evaluation.evaluate(path, split.value, root=data, progress=progress)
    if as_json:
        typer.echo(evaluation.to_json(scores), nl=False)
    else:
        _print_scores(scores)
        for ending in ("json", "csv"):
            from tidenhance.runs import scores_name

            typer.echo(f"written: {path / scores_name(split.value, ending)}")


@app.command()
def enhance(
    inputs: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A folder, or a file for one picture.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="A run; the newest if none is given.")] = None,
    tile: Annotated[int, typer.Option(min=64, help="The longest side computed at once.")] = 512,
    max_pixels: Annotated[int, typer.Option(min=1, help="The largest picture.")] = 178_956_970,
    runs: RunsOption = RUNS,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace earlier results.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore pictures: NAME_enhanced.EXT, beside each or under OUT."""
    from tidenhance import enhance as enhancing

    jobs = enhancing.plan(inputs, out)
    path = _run(run, runs)
    _import_tensorflow()
    from tidenhance import device, summary, weights

    device.use("auto")
    network, config = weights.trained_network(path)
    field = summary.receptive_field(network)
    results = enhancing.enhance(
        network,
        jobs,
        size_multiple=weights.size_multiple(config),
        receptive_field=field.pixels,
        is_global=field.is_global,
        tile=tile,
        force=force,
        max_pixels=max_pixels,
    )
    worst = 0
    listed = []
    for source, result in results:
        if isinstance(result, TidenhanceError):
            typer.echo(f"error: {result}", err=True)
            worst = max(worst, 2 if isinstance(result, UserInputError) else 1)
            listed.append({"input": str(source), "error": str(result)})
        else:
            listed.append({"input": str(source), "output": str(result)})
            if not as_json:
                typer.echo(str(result))
    if as_json:
        _print_json({"run": str(path), "pictures": listed})
    raise typer.Exit(worst)


@app.command()
def summary(
    config: ConfigOption,
    overrides: Overrides = None,
    size: Annotated[
        str | None, typer.Option(help="WIDTHxHEIGHT; the config's training size if not given.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show a network's layers, parameters, multiply-adds, receptive field and memory."""
    from tidenhance import config as configs

    path = configs.find(config)
    _import_tensorflow()
    loaded = configs.load(path, overrides or ())
    patch = loaded.training.patch_size
    width, height = _size(size) if size else (patch, patch) if patch else (512, 384)
    from tidenhance import summary as summaries
    from tidenhance import weights

    network = weights.build_network(loaded)
    micro_batch = loaded.training.batch_size // loaded.training.gradient_accumulation_steps
    field = summaries.receptive_field(network)
    figures = {
        "network": network.name,
        "layers": len(network.layers),
        "parameters": network.count_params(),
        "width": width,
        "height": height,
        "multiply_adds": summaries.multiply_adds(network, height, width),
        "receptive_field": field.pixels,
        "sees_whole_picture": field.is_global,
        "pictures_at_once": micro_batch,
        "training_memory_bytes": summaries.training_memory(network, micro_batch, height, width),
        "layer_table": summaries.layer_table(network),
    }
    if as_json:
        _print_json(figures)
    else:
        _print_summary(figures)


@app.command("runs")
def list_runs(runs: RunsOption = RUNS, *, as_json: JsonOption = False) -> None:
    """List the runs with their state, config and scores."""
    from tidenhance.runs import summaries

    found = summaries(runs)
    if as_json:
        _print_json(
            [
                {
                    "run": str(run.path),
                    "state": run.state,
                    "config": run.config,
                    "epochs": run.epochs,
                    "planned_epochs": run.planned_epochs,
                    "best_val_loss": run.best_val_loss,
                    "scores": run.scores,
                }
                for run in found
            ]
        )
        return
    table = _table("run", "state", "config", "epochs", "best val_loss", "val PSNR", "gain")
    for run in found:
        scores = run.scores or {}
        table.add_row(
            run.path.name,
            run.state,
            run.config,
            f"{run.epochs}/{run.planned_epochs or '?'}",
            _number(run.best_val_loss, ".5f"),
            _number(scores.get("psnr"), ".2f", " dB"),
            _number(scores.get("gain_psnr"), "+.2f", " dB"),
        )
    _console().print(table)


@app.command("configs")
def list_configs(
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the configs that come with the tool."""
    from tidenhance import config as configs

    if schema:
        typer.echo(configs.json_schema(), nl=False)
    elif as_json:
        _print_json(configs.shipped())
    else:
        table = _table("config", "purpose")
        for name, purpose in configs.shipped().items():
            table.add_row(name, purpose)
        _console().print(table)


@data_app.command("check")
def check_data(
    root: Annotated[Path, typer.Argument(help="The folder with reference_images.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Compare a TID2013 folder with what the archive holds and measures; exit 2 on problems."""
    from tidenhance.data import check

    with _progress(f"checking {root}") as progress:
        found = check.check(root, progress)
    if as_json:
        _print_json(found)
    else:
        _print_check(found)
    raise typer.Exit(2 if found["problems"] else 0)


@data_app.command("synth")
def synthesise_data(
    references: Annotated[str, typer.Option(help="A folder of photographs, or 'sample'.")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    types: Annotated[str, typer.Option(help="Distortion types, as in 1-8,10.")] = "1-24",
    levels: Annotated[str, typer.Option(help="Levels, as in 1-5 or 5.")] = "1-5",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the crops.")] = "512x384",
    seed: Annotated[int, typer.Option(min=0, help="What all random choices follow from.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
) -> None:
    """Make a tree in TID2013's layout from pristine photographs."""
    from tidenhance.data import synthesis
    from tidenhance.data.datasets import tid2013

    chosen_types = _numbers(types, tid2013.TYPES, "--types")
    chosen_levels = _numbers(levels, tid2013.LEVELS, "--levels")
    pictures = synthesis.reference_pictures(references, _size(size))
    with _progress("synthesising") as progress:
        for done, total in synthesis.synthesise(
            list(pictures.values()),
            out,
            types=chosen_types,
            levels=chosen_levels,
            seed=seed,
            workers=workers or os.cpu_count() or 1,
        ):
            progress(done, total)
    typer.echo(f"{total} distorted pictures of {len(pictures)} references in {out}")


@data_app.command("info")
def describe_data(*, as_json: JsonOption = False) -> None:
    """Describe TID2013: its distortion types, the splits, and how to get it."""
    from tidenhance.data import distortions
    from tidenhance.data.datasets import tid2013

    types = {number: module.NAME for number, module in distortions.by_number().items()}
    splits = tid2013.Splits().model_dump()
    if as_json:
        _print_json({"types": types, "levels": tid2013.LEVELS, "splits": splits})
        return
    table = _table("type", "distortion")
    for number, name in types.items():
        table.add_row(str(number), name)
    _console().print(table)
    for split, numbers in splits.items():
        names = (tid2013.reference_name(number) for number in numbers)
        typer.echo(f"{split}: {', '.join(names)}")
    typer.echo(f"\n{tid2013.HOW_TO_GET}")


def _import_tensorflow() -> None:
    """Import TensorFlow without its start-up messages, which no setting of its own turns off."""
    if os.environ.get("TIDENHANCE_DEBUG"):
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _fail(error: BaseException, code: int, message: str | None = None) -> None:
    if os.environ.get("TIDENHANCE_DEBUG"):
        raise error
    lines = (message or str(error)).splitlines()
    separator = "\n  " if len(lines) > 1 else " "
    sys.stderr.write("".join(["error:", *(separator + line for line in lines), "\n"]))
    sys.exit(code)


def _with_root(overrides: list[str] | None, root: str | None) -> list[str]:
    # JSON's strings are YAML's: a folder's name stays one, whatever characters it has.
    return [*(overrides or []), *([f"data.root={json.dumps(root)}"] if root else [])]


def _run(name: str | None, folder: Path) -> Path:
    from tidenhance import runs

    if name is not None:
        return runs.find(name, folder)
    newest = runs.newest_with_weights(folder)
    typer.echo(f"run: {newest} (the newest)", err=True)
    return newest


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--size: expected WIDTHxHEIGHT, as in 512x384. Received: '{text}'.")
    return int(width), int(height)


def _numbers(text: str, allowed: tuple[int, ...], option: str) -> list[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if not (first.strip().isdecimal() and last.strip().isdecimal()):
            raise DataError(f"{option}: expected numbers, as in 1-8,10. Received: '{text}'.")
        numbers |= set(range(int(first), int(last) + 1))
    if not numbers or not numbers <= set(allowed):
        raise DataError(
            f"{option}: expected numbers from {allowed[0]} to {allowed[-1]}. Received: '{text}'."
        )
    return sorted(numbers)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else 160)


def _log_to_console(*, stderr: bool) -> None:
    import rich

    rich.reconfigure(stderr=stderr)
    console = rich.get_console()

    class ConsoleHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            console.print(self.format(record), soft_wrap=True, markup=False, highlight=False)

    logger = logging.getLogger("tidenhance")
    logger.setLevel(logging.INFO)
    logger.addHandler(ConsoleHandler())


@contextmanager
def _progress(description: str) -> Iterator[Progress]:
    from rich import progress

    console = _console(stderr=True)
    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def _table(*columns: str) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < 2 else "right")
    return table


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{form}}{unit}"


def _print_scores(scores: dict[str, Any]) -> None:
    console = _console()
    conventions = scores["conventions"]
    console.print(
        f"{scores['run']}: {scores['split']}, {scores['pairs']} pairs of {scores['references']}"
        f" references; {conventions['range']}; {conventions['rounding']}",
        soft_wrap=True,
        highlight=False,
    )
    groups = {
        "all": {"all": scores},
        "type": {f"{n} {entry['name']}": entry for n, entry in scores["per_type"].items()},
        "reference": scores["per_reference"],
    }
    for title, group in groups.items():
        if not group:
            continue
        table = _table(
            title,
            "pairs",
            "PSNR",
            "doing nothing",
            "gain",
            "MSE",
            "doing nothing",
            "MAE",
            "doing nothing",
        )
        for name, entry in group.items():
            identity = entry["identity"]
            table.add_row(
                name,
                str(entry["pairs"]),
                _number(entry["psnr"], ".2f", " dB"),
                _number(identity["psnr"], ".2f", " dB"),
                _number(entry["gain_psnr"], "+.2f", " dB"),
                f"{entry['mse']:.5f}",
                f"{identity['mse']:.5f}",
                f"{entry['mae']:.4f}",
                f"{identity['mae']:.4f}",
            )
        console.print(table)


def _print_summary(figures: dict[str, Any]) -> None:
    console = _console()
    table = _table("layer", "type", "output", "parameters")
    for layer in figures["layer_table"]:
        shapes = ", ".join(str(tuple(shape)) for shape in layer["output"])
        table.add_row(layer["name"], layer["type"], shapes, f"{layer['parameters']:,}")
    console.print(table)
    whole = (
        ", and the whole picture through global pooling" if figures["sees_whole_picture"] else ""
    )
    size = f"{figures['width']} x {figures['height']}"
    for line in (
        f"layers: {figures['layers']:,}, the input counted",
        f"parameters: {figures['parameters']:,}",
        f"multiply-adds: {figures['multiply_adds']:,} for {size}",
        f"receptive field: {figures['receptive_field']} pixels{whole}",
        f"memory to train {figures['pictures_at_once']} x {size} at once:"
        f" about {figures['training_memory_bytes'] / 2**30:.1f} GiB (estimate)",
    ):
        typer.echo(line)


def _print_check(found: dict[str, Any]) -> None:
    table = _table("type", "distortion", *(f"level {n}" for n in range(1, 6)))
    for number, entry in found["psnrc"].items():
        cells = [
            f"{_number(mean, '.1f')} ({archive:.1f})"
            for mean, archive in zip(entry["mean"], entry["archive"], strict=True)
        ]
        table.add_row(number, entry["name"], *cells)
    console = _console()
    console.print("Mean PSNRc of i01 to i15 in dB, and that of the real archive", highlight=False)
    console.print(table)
    table = _table("split", "pairs", "MSE of doing nothing", "of the real archive")
    for split, mse in found["identity_mse"].items():
        archive = found["identity_mse_of_the_archive"][split]
        table.add_row(split, str(found["pairs"][split]), _number(mse, ".5f"), f"{archive:.5f}")
    console.print(table)
    sizes = ", ".join(f"{count} of {size}" for size, count in found["sizes"].items())
    typer.echo(f"{found['references']} references, {found['distorted']} distorted; {sizes}")
    for problem in found["problems"]:
        typer.echo(f"problem: {problem}")
    typer.echo(f"{len(found['problems'])} problems")
