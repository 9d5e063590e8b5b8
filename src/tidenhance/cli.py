"""Parse the command line, call the library, print; the only module that exits."""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

import tidenhance
from tidenhance.errors import RunError, StoppedError, TidenhanceError, UserInputError, printable
from tidenhance.files import write_error

if TYPE_CHECKING:
    from tidenhance.inference import Network
    from tidenhance.progress import Progress

DEBUG_VARIABLE = "TIDENHANCE_DEBUG"

app = typer.Typer(
    help="Train, compare and use image-restoration networks, driven by YAML files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is there in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(
    help="Check, synthesise and describe TID2013 data.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(data_app, name="data")


# Not from the modules that have them too, which take long to import.
SplitName = Literal["val", "test", "train"]
ReportFormat = Literal["html", "markdown", "csv"]
ExportFormat = Literal["onnx", "saved_model", "litert"]

# That of `images`.
MAX_PIXELS = 178_956_970

ENDINGS: dict[ReportFormat, str] = {"html": ".html", "markdown": ".md", "csv": ".csv"}

ConfigOption = Annotated[
    str, typer.Option("--config", help="A YAML file, or the name of a shipped config.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Overrides, as in training.epochs=5."),
]


def _path(name: str, expected: str = "a folder", kind: type[Path | str] = Path) -> dict[str, Any]:
    """Return a parser of a path that is not nothing: that would be the folder that one is in."""

    def parse(given: Any) -> Path | str:
        if given == "":
            raise UserInputError(f"{name}: expected {expected}. Received: ''.")
        return kind(given)

    return {"parser": parse, "metavar": "<path>"}


def _out_option(help_text: str) -> Any:
    return typer.Option("-o", "--out", help=help_text, **_path("--out", "a file or a folder"))


DataOption = Annotated[
    str | None,
    typer.Option(
        "--data", help="The data set's folder, instead of data.root.", **_path("--data", kind=str)
    ),
]
RunsOption = Annotated[
    Path, typer.Option("--runs", help="The folder of all runs.", **_path("--runs"))
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
RUNS = Path("runs")


def main() -> None:
    """Run the command line; exit with 0 (done), 1 (failed), 2 (bad input) or 128 + a signal."""
    # Read by TensorFlow and Keras when they are imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Nothing is drawn on a screen.
    os.environ["MPLBACKEND"] = "agg"
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name may hold what the terminal's encoding does not.
            stream.reconfigure(errors="backslashreplace")
    # What is unfinished is then removed. Training has a handler of its own, which saves first.
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except StoppedError as error:
        _fail(error, 128 + error.signal, str(error))
    except UserInputError as error:
        _fail(error, 2, str(error))
    except TidenhanceError as error:
        _fail(error, 1, str(error))
    except OSError as error:
        _fail(error, 1, f"{error}.")
    except MemoryError as error:
        _fail(error, 1, "out of memory. Try a lower training.batch_size or training.patch_size.")
    except Exception as error:
        name = type(error).__name__
        # TensorFlow's, which is not imported here.
        if name == "ResourceExhaustedError":
            _fail(error, 1, "out of memory. Try a smaller network or training.batch_size.")
        _fail(error, 1, f"{name}: {error}\nThis is a fault of tidenhance; --debug shows where.")


def _show_version(version: bool) -> None:
    if version:
        typer.echo(f"tidenhance {tidenhance.__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_show_version
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar=DEBUG_VARIABLE, help="Show tracebacks of errors.")
    ] = False,
) -> None:
    """Train, compare and use image-restoration networks, driven by YAML files."""
    os.environ[DEBUG_VARIABLE] = "1" if debug else ""


@app.command()
def train(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN] [KEY=VALUE]...",
            help="Overrides, as in training.epochs=5; with --resume the run to go on with.",
        ),
    ] = None,
    config: Annotated[
        str | None, typer.Option("--config", help="A YAML file, or the name of a shipped config.")
    ] = None,
    data: DataOption = None,
    runs: RunsOption = RUNS,
    *,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a run: RUN, or the config's newest."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network into a new run directory, or go on with a run that was cut off."""
    _log_to_console(stderr=as_json)
    from tidenhance import config as configs
    from tidenhance.runs import CONFIG, find, is_run, newest_of, read_history

    given = arguments or []
    names = [one for one in given if resume and ("=" not in one or is_run(one, runs))]
    overrides = [argument for argument in given if argument not in names]
    if len(names) > 1:
        raise UserInputError(f"--resume: expected one run. Received: {', '.join(names)}.")
    run = find(names[0], runs) if names else None
    if config is not None:
        path = configs.find(config)
    elif run is not None:
        path = run / CONFIG
    else:
        raise UserInputError("expected --config CONFIG, or --resume RUN.")
    _import_tensorflow()
    loaded = configs.load(path, overrides, root=data)
    if resume and run is None:
        run = newest_of(configs.run_name(loaded, path), runs)
        typer.echo(f"run: {printable(run or 'none yet: starting one')}", err=True)
    from tidenhance import training

    if run is not None:
        training.resume(run, loaded)
    else:
        run = training.train(loaded, configs.run_name(loaded, path), runs)
    if as_json:
        _print_json({"run": str(run), "history": read_history(run)})


@app.command("eval")
def evaluate(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Runs; the newest if none is given.")
    ] = None,
    split: Annotated[SplitName, typer.Option(help="Which pairs.")] = "val",
    levels: Annotated[
        str | None, typer.Option(help="Levels, as in 1-5; the run's data.levels if not given.")
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(help="A classical method too, as in nlm or '{name: nlm, strength: 1}'."),
    ] = None,
    data: DataOption = None,
    runs: RunsOption = RUNS,
    *,
    save_images: Annotated[
        bool, typer.Option("--save-images", help="Keep the restored pictures in the run.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Score runs' networks on the pairs of a split, beside doing nothing and classical methods."""
    from tidenhance import config as configs
    from tidenhance.data.datasets import tid2013
    from tidenhance.runs import distinct, scores_name

    chosen = None if levels is None else _numbers(levels, tid2013.LEVELS, "--levels")
    paths = distinct([_run(name, runs) for name in names or (None,)])
    _import_tensorflow()
    baselines = [configs.component("baselines", text, "--baseline") for text in baseline or ()]
    from tidenhance import evaluation, scores, tables

    folders = [path.name for path in paths]
    called = {path.name if folders.count(path.name) == 1 else str(path): path for path in paths}
    if len(called) > 1:
        # Rather than after minutes of computing.
        scores.check_comparable(
            {
                label: evaluation.measured_on(path, split, root=data, levels=chosen)
                for label, path in called.items()
            }
        )
    results: dict[str, dict[str, Any]] = {}
    for label, path in called.items():
        with _progress(f"evaluating {path.name}") as progress:
            results[label] = evaluation.evaluate(
                path,
                split,
                root=data,
                levels=chosen,
                baselines=() if results else baselines,
                alike=next(iter(results.values()), None),
                save_images=save_images,
                progress=progress,
            )
    scores.check_comparable(results)
    if as_json:
        first = next(iter(results.values()))

        def compared(result: dict[str, Any]) -> dict[str, Any]:
            return result | {"difference_to_first": scores.differences(result, first)}

        listed = [
            (result if result is first else compared(result))
            | {"baselines": {name: compared(one) for name, one in result["baselines"].items()}}
            for result in results.values()
        ]
        typer.echo(scores.to_json(listed[0] if len(listed) == 1 else listed), nl=False)
        return
    tables.print_scores(results)
    for path in paths:
        for ending in ("json", "csv"):
            typer.echo(f"written: {printable(path / scores_name(split, ending, chosen))}")


@app.command()
def enhance(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Pictures, or folders of pictures.",
            **_path("PICTURE", "a picture, or a folder of pictures") | {"metavar": "PICTURE"},
        ),
    ],
    out: Annotated[
        Path | None,
        _out_option("A folder, or a file for one picture."),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            help="A run, or a model that comes with the tool. If not given, the newest run for"
            " colour pictures of any size, or else the model 'nafnet-open'."
        ),
    ] = None,
    tile: Annotated[
        int, typer.Option(min=64, help="The side of the tiles of larger pictures.")
    ] = 512,
    max_pixels: Annotated[
        int, typer.Option(min=1, max=MAX_PIXELS, help="Refuse pictures of more pixels.")
    ] = MAX_PIXELS,
    runs: RunsOption = RUNS,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace earlier results.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore pictures: NAME_enhanced.EXT, beside each or under OUT."""
    from tidenhance import enhance as enhancing

    jobs = enhancing.plan(inputs, out)
    left_out = enhancing.left_out(inputs)
    if left_out:
        endings = ", ".join(sorted({path.suffix.lower() for path in left_out} - {""}))
        shown = f" ({printable(endings)})" if endings else ""
        typer.echo(f"left out of folders, as not pictures: {len(left_out)}{shown}", err=True)
    path = _run_for_pictures(run, runs)
    enhance_one = partial(
        enhancing.enhance_picture,
        network=_network(path),
        tile=tile,
        force=force,
        max_pixels=max_pixels,
    )
    worst = 0
    listed = []
    for source, result in enhancing.enhance(enhance_one, jobs):
        if isinstance(result, TidenhanceError):
            _show_traceback(result)
            typer.echo(f"error: {printable(result)}", err=True)
            worst = max(worst, 2 if isinstance(result, UserInputError) else 1)
            listed.append({"input": str(source), "error": str(result)})
        else:
            listed.append({"input": str(source), "output": str(result)})
            if not as_json:
                typer.echo(printable(result))
    if as_json:
        _print_json(
            {"run": str(path), "pictures": listed, "left_out": [str(one) for one in left_out]}
        )
    raise typer.Exit(worst)


@app.command()
def export(
    name: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run; the newest if none is given.")
    ] = None,
    file_format: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = "onnx",
    out: Annotated[
        Path | None,
        _out_option("The file, or SavedModel's folder; in the run else."),
    ] = None,
    runs: RunsOption = RUNS,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
) -> None:
    """Write a run's network for use without Keras."""
    run = _run(name, runs, is_written_to=out is None)
    _import_tensorflow()
    from tidenhance import export as exporting

    with _native_messages_hidden():
        written = exporting.export(run, file_format, out, force=force)
    typer.echo(printable(written))


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(metavar="RUN", help="Evaluated runs.")],
    out: Annotated[
        Path | None,
        _out_option("The file; report.html, .md or .csv else."),
    ] = None,
    file_format: Annotated[
        ReportFormat | None,
        typer.Option("--format", help="What the file is; by its ending, or else HTML."),
    ] = None,
    split: Annotated[SplitName, typer.Option(help="Which scores.")] = "val",
    levels: Annotated[
        str | None, typer.Option(help="Levels, as in 1-5; the run's data.levels if not given.")
    ] = None,
    data: DataOption = None,
    runs: RunsOption = RUNS,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier report.")] = False,
) -> None:
    """Write one page on runs that were evaluated on the same pairs."""
    from tidenhance import report as reports
    from tidenhance.data.datasets import tid2013

    path = out or Path("report").with_suffix(ENDINGS[file_format or "html"])
    by_ending = {ending: one for one, ending in ENDINGS.items()}
    chosen = by_ending.get(path.suffix.lower())
    if chosen is None or file_format not in (chosen, None):
        expected = ENDINGS[file_format] if file_format else ", ".join(by_ending)
        raise UserInputError(
            f"--out: expected a file name ending in {expected}. Received: {printable(path)}."
        )
    try:
        exists = path.exists()
    except OSError as error:
        raise write_error(path, error) from error
    if exists and not force:
        raise UserInputError(f"{path}: exists already. --force replaces it.")
    reports.write(
        [_run(name, runs) for name in names],
        path,
        file_format=chosen,
        split=split,
        levels=None if levels is None else _numbers(levels, tid2013.LEVELS, "--levels"),
        root=data,
    )
    typer.echo(printable(path))


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
    asked = None if size is None else _size(size)
    _import_tensorflow()
    loaded = configs.load(path, overrides or ())
    from tidenhance import summary as summaries
    from tidenhance import weights

    network = weights.build_network(loaded)
    sizes = (later.patch_size for later in loaded.training.later_patch_sizes)
    patch = loaded.training.patch_size and max((loaded.training.patch_size, *sizes))
    usual = asked or ((patch, patch) if patch else (512, 384))
    height, width = summaries.picture_size(network, usual[1], usual[0])
    if asked and asked != (width, height):
        raise UserInputError(
            f"--size: {loaded.network.name} takes {width}x{height} only. Received: '{size}'."
        )
    multiple = weights.size_multiple(loaded)
    if width % multiple or height % multiple:
        raise UserInputError(
            f"--size: expected multiples of {multiple} for {loaded.network.name}."
            f" Received: '{size}'."
        )
    figures = summaries.describe(network, loaded.training, height, width)
    if as_json:
        _print_json(figures)
    else:
        from tidenhance import tables

        tables.print_summary(figures)


@app.command("runs")
def list_runs(runs: RunsOption = RUNS, *, as_json: JsonOption = False) -> None:
    """List the runs with their state, config and scores."""
    from tidenhance.runs import summaries

    _check_is_there(runs)
    found = summaries(runs)
    if as_json:
        rows = [dataclasses.asdict(run) for run in found]
        _print_json([{"run": str(row.pop("path")), **row} for row in rows])
        return
    if not found:
        typer.echo(f"No runs under {printable(runs)}/.")
        return
    from tidenhance import tables

    tables.print_runs(found)


@app.command("configs")
def list_configs(
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the configs that come with the tool."""
    from tidenhance import config as configs

    if schema:
        _import_tensorflow()
        typer.echo(configs.json_schema(), nl=False)
    elif as_json:
        _print_json(configs.shipped())
    else:
        from tidenhance import tables

        tables.print_configs(configs.shipped())


@data_app.command("check")
def check_data(
    root: Annotated[
        Path,
        typer.Argument(
            help="The folder with reference_images.", **_path("ROOT") | {"metavar": "ROOT"}
        ),
    ],
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
        from tidenhance import tables

        tables.print_check(found)
    raise typer.Exit(2 if found["problems"] else 0)


@data_app.command("synth")
def synthesise_data(
    references: Annotated[
        str,
        typer.Option(
            help="A folder of photographs, or 'sample'.",
            **_path("--references", "a folder of photographs, or 'sample'", kind=str),
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder to make.", **_path("--out"))],
    types: Annotated[str, typer.Option(help="Distortion types, as in 1-8,10.")] = "1-24",
    levels: Annotated[str, typer.Option(help="Levels, as in 1-5 or 5.")] = "1-5",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the crops.")] = "512x384",
    seed: Annotated[int, typer.Option(min=0, help="What all random choices follow from.")] = 1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core if not given.")
    ] = None,
) -> None:
    """Make a tree in TID2013's layout from pristine photographs."""
    from tidenhance import workers as processes
    from tidenhance.data import synthesis
    from tidenhance.data.datasets import tid2013

    chosen_types = _numbers(types, tid2013.TYPES, "--types")
    chosen_levels = _numbers(levels, tid2013.LEVELS, "--levels")
    pictures = synthesis.reference_pictures(references, _size(size), chosen_types)
    made = synthesis.synthesise(
        list(pictures.values()),
        out,
        types=chosen_types,
        levels=chosen_levels,
        seed=seed,
        workers=workers or processes.available_cores(),
    )
    with _progress("synthesising") as progress, closing(made):
        for done, total in made:
            progress(done, total)
    typer.echo(f"{total} distorted pictures of {len(pictures)} references in {printable(out)}")


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
    from tidenhance import tables

    tables.print_types(types)
    for split, numbers in splits.items():
        names = (tid2013.reference_name(number) for number in numbers)
        typer.echo(f"{split}: {', '.join(names)}")
    typer.echo(f"\n{tid2013.HOW_TO_GET}")


def _import_tensorflow() -> None:
    """Import TensorFlow without scikit-learn, and, but for --debug, without start-up messages.

    No setting of TensorFlow's turns these off.
    """
    with _native_messages_hidden(), _scikit_learn_hidden(), _garbage_not_collected():
        import keras
        import tensorflow as tf

        tf.config.list_physical_devices()
    # A keras.json in the home folder may say otherwise.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_epsilon(1e-7)


@contextmanager
def _scikit_learn_hidden() -> Iterator[None]:
    """Keep Keras from importing scikit-learn for wrappers that are not used: a fifth of a start.

    Afterwards it can be imported as before; Keras' wrappers stay without it.
    """
    if "sklearn" in sys.modules:
        yield
        return
    sys.modules["sklearn"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["sklearn"]


@contextmanager
def _garbage_not_collected() -> Iterator[None]:
    """Spare the garbage collector TensorFlow's objects, now and at exit: a third of the rest.

    They stay to the end in any case.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


@contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Keep what libraries write to the standard error stream, past Python, from the user."""
    if os.environ.get(DEBUG_VARIABLE) or sys.stderr is None:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _show_traceback(error: BaseException) -> None:
    if os.environ.get(DEBUG_VARIABLE):
        traceback.print_exception(error)


def _fail(error: BaseException, code: int, message: str) -> NoReturn:
    _show_traceback(error)
    lines = message.split("\n")
    separator = "\n  " if len(lines) > 1 else " "
    typer.echo("".join(["error:", *(separator + printable(line) for line in lines)]), err=True)
    sys.exit(code)


def _run(name: str | None, folder: Path, *, is_written_to: bool = True) -> Path:
    from tidenhance import runs

    if name is not None:
        found = (runs.find_or_copy if is_written_to else runs.find_model)(name, folder)
        if found in runs.shipped_models().values():
            typer.echo(f"model: {name}, which comes with the tool", err=True)
        elif not runs.is_run(name, folder):
            typer.echo(f"run: {printable(found)}", err=True)
        return found
    newest = runs.newest_with_weights(folder)
    typer.echo(f"run: {printable(newest)} (the newest)", err=True)
    return newest


def _run_for_pictures(name: str | None, folder: Path) -> Path:
    from tidenhance import runs

    if name is not None:
        return _run(name, folder, is_written_to=False)
    _check_is_there(folder)
    chosen = runs.newest_for_any_picture(folder)
    if chosen is not None:
        typer.echo(
            f"run: {printable(chosen)} (the newest for colour pictures of any size)", err=True
        )
        return chosen
    typer.echo(f"model: {runs.DEFAULT_MODEL}, which comes with the tool", err=True)
    return runs.shipped_models()[runs.DEFAULT_MODEL]


def _check_is_there(runs: Path) -> None:
    # Before the first training there is none.
    try:
        is_missing = runs != RUNS and not runs.exists()
    except OSError as error:
        raise RunError(f"--runs: {printable(runs)}: {error.strerror}.") from error
    if is_missing:
        raise RunError(f"--runs: {printable(runs)}: no such folder.")


def _network(run: Path) -> Network:
    """Return a run's network: in ONNX Runtime, which starts at once, or else in TensorFlow."""
    from tidenhance import forward_onnx

    if forward_onnx.is_preferable(run):
        try:
            return forward_onnx.load(run)
        except RunError as error:
            typer.echo(f"{error}\nUsing TensorFlow, which takes longer to start.", err=True)
    _import_tensorflow()
    from tidenhance import device, forward_tensorflow

    device.use("auto")
    return forward_tensorflow.load(run)


def _size(text: str) -> tuple[int, int]:
    from tidenhance.strict_yaml import short

    found = re.fullmatch(r"([1-9][0-9]{0,5})[xX]([1-9][0-9]{0,5})", text)
    if not found:
        raise UserInputError(
            f"--size: expected WIDTHxHEIGHT, as in 512x384. Received: '{short(text)}'."
        )
    return int(found[1]), int(found[2])


def _numbers(text: str, allowed: tuple[int, ...], option: str) -> list[int]:
    from tidenhance.strict_yaml import short

    numbers: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r" *([0-9]{1,3}) *(?:- *([0-9]{1,3}) *)?", part)
        chosen = range(int(found[1]), int(found[2] or found[1]) + 1) if found else range(0)
        if not chosen or not set(chosen) <= set(allowed):
            raise UserInputError(
                f"{option}: expected numbers from {allowed[0]} to {allowed[-1]}, as in"
                f" {allowed[0]}-{allowed[-2]},{allowed[-1]}. Received: '{short(text)}'."
            )
        numbers |= set(chosen)
    return sorted(numbers)


def _log_to_console(*, stderr: bool) -> None:
    import rich

    rich.reconfigure(stderr=stderr)
    console = rich.get_console()

    class ConsoleHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # A training does not end where nobody reads on, as after `| head`; rich would exit.
            with suppress(OSError, SystemExit):
                console.print(self.format(record), soft_wrap=True, markup=False, highlight=False)

    logger = logging.getLogger("tidenhance")
    logger.setLevel(logging.INFO)
    logger.addHandler(ConsoleHandler())


@contextmanager
def _progress(description: str) -> Iterator[Progress]:
    from rich import progress

    from tidenhance import tables

    console = tables.console(stderr=True)
    with progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
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
    # JSON has no infinity and no not-a-number: null takes their place.
    finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
    typer.echo(json.dumps(finite, indent=2, allow_nan=False))
