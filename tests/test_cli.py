"""The command line: what it prints where, and how it exits."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import typer
import yaml
from PIL import Image

import tidenhance
from tidenhance import cli, config, evaluation, images, report, runs, tables
from tidenhance.data import distortions
from tidenhance.errors import TidenhanceError

COMMAND = [sys.executable, "-m", "tidenhance"]


@dataclass
class Ended:
    """How a command ended."""

    code: object
    out: str
    err: str


Tool = Callable[..., Ended]


@pytest.fixture
def tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tool:
    """Run the tool in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cli.DEBUG_VARIABLE, "")
    monkeypatch.delenv(config.DATA_VARIABLE, raising=False)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["tidenhance", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return Ended(stop.value.code, *capsys.readouterr())

    return run


def outside(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the tool in a process of its own."""
    return subprocess.run(
        [*COMMAND, *arguments], stderr=subprocess.PIPE, text=True, check=False, **options
    )


def every_command(command: Any = None, name: str = "tidenhance") -> Iterator[tuple[str, Any]]:
    command = command or typer.main.get_command(cli.app)
    yield name, command
    for inner, found in getattr(command, "commands", {}).items():
        yield from every_command(found, f"{name} {inner}")


COMMANDS = dict(every_command())


def test_the_commands_are_there():
    names = (
        "train eval enhance export report summary runs configs data data_check data_synth data_info"
    )
    assert set(COMMANDS) == {
        "tidenhance",
        *(f"tidenhance {name.replace('_', ' ')}" for name in names.split()),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    command = COMMANDS[name]
    assert len(command.help) > 20
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert parameter.help[0].isupper()
        assert parameter.help.endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command(tool, name):
    for option in ("--help", "-h"):
        ended = tool(*name.split()[1:], option)
        assert ended.code == 0
        assert ended.err == ""
        shown = " ".join(ended.out.split())
        assert COMMANDS[name].help.split()[0] in shown
        assert all(p.opts[0] in shown for p in COMMANDS[name].params if p.opts[0].startswith("-"))


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['tidenhance', '--help']\n"
        "import tidenhance, tidenhance.cli\n"
        "try: tidenhance.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow', 'keras', 'pydantic', 'numpy', 'PIL', 'yaml'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        seconds.append(time.perf_counter() - start)
        assert done.stderr == b""
        assert done.returncode == 0
    assert min(seconds) < 2


def test_tensorflow_starts_without_scikit_learn_and_the_collection_of_garbage():
    pytest.importorskip("sklearn")
    code = (
        "import gc, sys, tidenhance.cli\n"
        "tidenhance.cli._import_tensorflow()\n"
        "assert 'keras' in sys.modules\n"
        "assert not any(name.partition('.')[0] == 'sklearn' for name in sys.modules)\n"
        "from sklearn import datasets\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_what_keras_json_and_the_environment_say_does_not_count(tmp_path, soft_run):
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1}'
    )
    (tmp_path / "x.png").write_bytes(next(soft_run.glob("images/*/*.png")).read_bytes())
    home = {"HOME": str(tmp_path / "home"), "KERAS_HOME": str(tmp_path), "MPLBACKEND": "bogus"}
    home |= {"XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"), "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-m", "tidenhance"]
    page = str(tmp_path / "x.html")
    for arguments in (
        ["summary", "--config", "quickstart", "--json"],
        ["report", str(soft_run), "-o", page],
        ["enhance", str(tmp_path / "x.png"), "--run", "nafnet-open"],
    ):
        done = subprocess.run(
            [*command, *arguments], env=os.environ | home, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    # ONNX Runtime's builds keep telemetry there.
    assert not list(tmp_path.glob("home/**/*onnxruntime*"))


def test_too_little_memory_for_a_network_is_no_fault_of_the_tool(tool, monkeypatch):
    class ResourceExhaustedError(Exception):
        pass

    def exhaust(*_: object) -> None:
        raise ResourceExhaustedError("OOM when allocating tensor")

    monkeypatch.setattr(runs, "summaries", exhaust)
    ended = tool("runs")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "error: out of memory. Try a smaller network or training.batch_size.\n"


@pytest.mark.parametrize("arguments", [["runs"], ["configs"], ["data", "info"]])
def test_lists_do_not_import_tensorflow(arguments, tmp_path):
    run = runs.create(tmp_path / "runs", "x", _now())
    (run / runs.CONFIG).write_text(config.find("mirnet32").read_text(encoding="utf-8"))
    runs.set_state(run, "finished")
    code = (
        f"import sys; sys.argv = ['tidenhance', *{arguments}]\n"
        "import tidenhance.cli\n"
        "try: tidenhance.cli.main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def _now() -> Any:
    from datetime import datetime

    return datetime(2026, 1, 2)


def test_version(tool):
    ended = tool("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"tidenhance {tidenhance.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["trian"], "train"),
        (["--nosuch"], "No such option"),
        (["--debug"], "Missing command"),
        (["train", "--config"], "requires an argument"),
        (["summary", "--config", "plain128", "--nosuch"], "No such option"),
        (["eval", "--split", "all"], "'all' is not one of"),
        (["enhance"], "Missing argument"),
        (["enhance", "x.png", "--tile", "1"], "greater than or equal to 64"),
        (["data", "check"], "Missing argument"),
        (["data", "synth", "--out", "x"], "Missing option '--references'"),
        (["eval", "--split", "all"], "is not one of"),
    ],
)
def test_arguments_that_the_parser_refuses(tool, arguments, message):
    ended = tool(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert message in " ".join(ended.err.split())
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval"], "No trained run under runs/. Train one first, as in: tidenhance train"),
        (["eval", "--json"], "No trained run under runs/."),
        (["eval", "mine", "--runs", "r"], "mine: no such run under r/."),
        (["enhance", "x.png"], "x.png: no such file"),
        (["enhance", "photo.png", "--run", "mine"], "mine: no such run under runs/."),
        (["train", "--config", "mirnet23"], "Did you mean 'mirnet32.yaml'?"),
        (["summary", "--config", "."], "expected a YAML file. Received: the folder '.'."),
        (["summary", "--config", "broken.yaml"], "broken.yaml:2: not valid YAML"),
        (["train", "--config", "quickstart"], "No data folder was named."),
        (["train", "--config", "quickstart", "--data", "none"], "none: no such folder."),
        (["train", "--config", "quickstart", "--data", ""], "--data: expected a folder. Received"),
        (["train", "--config", "quickstart", "data.root=none"], "none: no such folder."),
        (["train", "--config", "quickstart", "--data", "\udcff"], "\\udcff: no such folder."),
        (["summary", "--config", "mirnet32", "--size", "33x32"], "expected multiples of 4"),
        *(
            (["summary", "--config", "plain128", "--size", size], "expected WIDTHxHEIGHT")
            for size in (
                "0x5",
                "5",
                "axb",
                "5x",
                "-5x5",
                "1e3x5",
                "9" * 5000 + "x5",
                "5x5x5",
                "٣x٣",
            )
        ),
        *(
            (["data", "synth", "--references", "sample", "--out", "x", "--types", types], "1 to 24")
            for types in ("0", "25", "", "5-1", "x", "1-", "1-99999999999", "1,,2", "9" * 5000)
        ),
        (
            ["data", "synth", "--references", "sample", "--out", "x", "--levels", "0-5"],
            "--levels: expected numbers from 1 to 5, as in 1-4,5. Received: '0-5'.",
        ),
        (["data", "synth", "--references", "none", "--out", "x"], "none"),
        (["data", "check", "none"], "none: no such folder."),
    ],
)
def test_input_at_fault_exits_with_2_and_leaves_nothing(tool, tmp_path, arguments, message):
    (tmp_path / "photo.png").touch()
    (tmp_path / "broken.yaml").write_text("seed: 1\n\tx: 2")
    ended = tool(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("error:")
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.yaml", "photo.png"]


def test_every_mistake_in_a_config_has_a_line(tool, tmp_path):
    ended = tool("train", "--config", "mirnet32", "training.epochs=x", "network.chanels=3", "seed")
    assert ended.code == 2
    first, *lines = ended.err.splitlines()
    assert first == "error:"
    assert len(lines) == 3
    assert all(line.startswith("  argument '") for line in lines)
    assert not (tmp_path / "runs").exists()


def test_a_gpu_that_is_not_there(tool, tmp_path, small_tree, monkeypatch):
    from tidenhance import device

    monkeypatch.setattr(device.tf.config, "list_physical_devices", lambda kind=None: [])
    ended = tool(
        *("train", "--config", "quickstart", "--data", str(small_tree), "training.device=gpu")
    )
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("error: training.device: gpu was requested, but TensorFlow sees")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (TidenhanceError("It failed."), 1, "error: It failed.\n"),
        (KeyboardInterrupt(), 130, ""),
        (OSError(errno.ENOSPC, "No space"), 1, f"error: [Errno {errno.ENOSPC}] No space.\n"),
        (
            ZeroDivisionError("by 0"),
            1,
            "error:\n  ZeroDivisionError: by 0\n  This is a fault of tidenhance; --debug shows"
            " where.\n",
        ),
    ],
)
def test_other_errors(tool, monkeypatch, error, code, err):
    def fail(folder: Path) -> None:
        raise error

    monkeypatch.setattr(runs, "summaries", fail)
    ended = tool("runs")
    assert (ended.code, ended.out, ended.err) == (code, "", err)


def test_out_of_memory_says_what_to_change(tool, monkeypatch):
    def fail(folder: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(runs, "summaries", fail)
    ended = tool("runs")
    assert ended.code == 1
    assert ended.err.startswith("error: out of memory. Try a lower training.batch_size")


@pytest.mark.parametrize("by_variable", [False, True])
def test_debug_shows_the_traceback_and_keeps_the_exit_code(tool, monkeypatch, by_variable):
    if by_variable:
        monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
        ended = tool("eval")
    else:
        ended = tool("--debug", "eval")
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback (most recent call last)" in ended.err
    assert ended.err.splitlines()[-1].startswith("error: No trained run under runs/.")


def test_debug_shows_the_traceback_of_each_picture(tool):
    Path("a.png").write_text("no picture")
    Path("b.png").write_text("")
    ended = tool("--debug", "enhance", "a.png", "b.png")
    assert ended.code == 2
    assert ended.err.count("Traceback (most recent call last)") >= 2
    assert ended.err.count("\nerror: ") == 2


def test_summary_as_json(tool):
    ended = tool("summary", "--config", "plain128", "--json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert found["network"] == "plain_cnn"
    assert (found["width"], found["height"], found["pictures_at_once"]) == (512, 384, 8)
    assert found["layers"] == 8
    assert found["parameters"] == 3584 + 5 * 147584 + 3459 == 744963
    assert found["receptive_field"] == 1 + 7 * 2
    assert not found["sees_whole_picture"]
    assert found["multiply_adds"] == 512 * 384 * 9 * (3 * 128 + 5 * 128 * 128 + 128 * 3)


@pytest.mark.parametrize(
    ("size", "width", "height"), [("10x20", 10, 20), ("1X1", 1, 1), ("999999x1", 999999, 1)]
)
def test_summary_at_a_size(tool, size, width, height):
    ended = tool(
        "summary", "--config", "plain128", "--size", size, "--json", "network.channels=[4]"
    )
    found = json.loads(ended.out)
    assert (found["width"], found["height"]) == (width, height)
    assert found["multiply_adds"] == width * height * 9 * (3 * 4 + 4 * 3)


def test_summary_of_a_network_of_one_size(tool):
    for size in ([], ["--size", "28x28"]):
        found = json.loads(tool("summary", "--config", "mnist-conv-coarse", *size, "--json").out)
        assert (found["width"], found["height"]) == (28, 28)
        assert found["input_shape"] == [28, 28, 1]
        assert found["parameters"] == 40_641
    shown = tool("summary", "--config", "mnist-conv-coarse")
    assert (shown.code, shown.err) == (0, "")
    assert "40,641" in shown.out
    assert "28 x 28" in shown.out
    refused = tool("summary", "--config", "mnist-conv-coarse", "--size", "512x384")
    assert (refused.code, refused.out) == (2, "")
    assert "--size: conv_autoencoder takes 28x28 only. Received: '512x384'." in refused.err


def test_summary_as_a_table(tool):
    ended = tool("summary", "--config", "plain128")
    assert ended.code == 0
    for text in ("744,963", "receptive field: 15 pixels\n", "layers: 8", "conv2d", "for 512 x 384"):
        assert text in ended.out


def test_summary_in_a_process_of_its_own_prints_nothing_but_json(tmp_path):
    done = outside(
        *("summary", "--config", "quickstart.yaml", "--json"), stdout=subprocess.PIPE, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["network"] == "residual_cnn"


def test_the_schema(tool):
    ended = tool("configs", "--schema")
    assert (ended.code, ended.out, ended.err) == (0, config.json_schema(), "")


def test_configs(tool):
    purposes = json.loads(tool("configs", "--json").out)
    assert purposes == config.shipped()
    shown = tool("configs").out
    for name, purpose in purposes.items():
        assert f"{name} " in shown
        assert purpose in shown


def test_data_info(tool):
    found = json.loads(tool("data", "info", "--json").out)
    assert len(found["types"]) == 24
    assert found["types"]["10"] == distortions.by_number()[10].NAME
    assert found["splits"]["test"] == [16, 17, 18, 19, 20]
    shown = tool("data", "info")
    assert shown.code == 0
    assert all(name in shown.out for name in found["types"].values())
    assert "tid2013.rar" in shown.out


def test_data_check(tool, small_tree):
    ended = tool("data", "check", str(small_tree), "--json")
    found = json.loads(ended.out)
    assert ended.code == 2
    assert ended.err == ""
    assert found["pairs"] == {"train": 12, "val": 0, "test": 0}
    shown = tool("data", "check", str(small_tree))
    assert shown.code == 2
    assert f"{len(found['problems'])} problems" in shown.out
    assert "problem: reference_images/i05.bmp: missing" in shown.out


def test_an_empty_name_is_not_the_folder_that_one_is_in(tool, tmp_path, soft_run):
    Image.new("RGB", (8, 8)).save(tmp_path / "holiday.png")
    ended = tool("enhance", "")
    assert ended.code == 2
    assert "expected a picture, or a folder of pictures. Received: ''." in ended.err
    ended = tool("enhance", "holiday.png", "-o", "")
    assert ended.code == 2
    assert "--out: expected a file or a folder. Received: ''." in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.png"]
    for arguments, option in (
        (("eval", "--levels", ""), "--levels"),
        (("report", str(soft_run), "--levels", ""), "--levels"),
        (("summary", "--config", "quickstart", "--size", ""), "--size"),
        (("export", "-o", ""), "--out"),
        (("report", "mine", "-o", ""), "--out"),
        (("runs", "--runs", ""), "--runs"),
        (("data", "check", ""), "ROOT"),
        (("data", "synth", "--references", "sample", "--out", ""), "--out"),
        (("data", "synth", "--references", "", "--out", "tree"), "--references"),
    ):
        ended = tool(*arguments)
        assert (ended.code, ended.out) == (2, "")
        assert f"{option}: expected" in ended.err
        assert "Received: ''." in ended.err


@pytest.mark.parametrize("options", [[], ["--runs", "empty"]])
def test_no_runs(tool, tmp_path, options):
    (tmp_path / "empty").mkdir()
    folder = (options or ["runs"])[-1]
    ended = tool("runs", *options)
    assert (ended.code, ended.out, ended.err) == (0, f"No runs under {folder}/.\n", "")
    ended = tool("runs", *options, "--json")
    assert (ended.code, json.loads(ended.out)) == (0, [])


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("none", "--runs: none: no such folder."),
        ("file", "file: expected a folder. Received: a file."),
        ("x" * 300, f"--runs: {'x' * 300}: File name too long."),
    ],
)
def test_runs_of_no_folder(tool, tmp_path, folder, told):
    (tmp_path / "file").touch()
    ended = tool("runs", "--runs", folder, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: {told}\n"


def test_runs(tool, tmp_path):
    text = config.find("quickstart").read_text(encoding="utf-8") + "provenance: {config: mine}\n"
    for name in ("[red]a[/b]", "b :smile:", "c"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / runs.CONFIG).write_text(text)
        runs.set_state(tmp_path / "runs" / name, "finished")
    scores = {"psnr": 22.5, "gain": {"psnr": {"mean": 2.25}}, "worst": float("nan")}
    (tmp_path / "runs/c/scores.json").write_text(json.dumps(scores))
    (tmp_path / "runs/b :smile:/state.json").write_text("")
    ended = tool("runs", "--json")
    found = {Path(run["run"]).name: run for run in json.loads(ended.out)}
    assert found["c"]["scores"] == {"psnr": 22.5, "gain": {"psnr": {"mean": 2.25}}, "worst": None}
    assert found["c"]["config"] == "mine"
    assert found["b :smile:"]["state"] == "damaged"
    assert "state.json: damaged" in found["b :smile:"]["problem"]
    ended = tool("runs")
    assert (ended.code, ended.err) == (0, "")
    assert all(name in ended.out for name in found)
    assert "22.50 dB" in ended.out
    assert "+2.25 dB" in ended.out
    assert "state.json: damaged" in ended.out


def test_json_holds_no_infinity_and_no_nan(capsys):
    cli._print_json({"a": [float("nan"), float("inf"), 1.5], "b": -1e999})
    assert json.loads(capsys.readouterr().out) == {"a": [None, None, 1.5], "b": None}


@pytest.mark.parametrize("arguments", [["configs"], ["data", "info", "--json"], ["--version"]])
def test_a_pipe_that_nobody_reads(arguments, tmp_path):
    read, write = os.pipe()
    os.close(read)
    done = outside(*arguments, stdout=write, cwd=tmp_path)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_behind_the_output(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = outside("configs", stdout=full, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: [Errno 28] No space left on device.\n"


@pytest.mark.parametrize("arguments", [["configs"], ["data", "info"], ["runs"]])
def test_a_terminal_that_knows_ascii_only(arguments, tmp_path):
    run = tmp_path / "runs" / "é"
    run.mkdir(parents=True)
    (run / runs.CONFIG).write_text("seed: 1")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = outside(*arguments, stdout=subprocess.PIPE, env=environment, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("arguments", "code"), [("data info", 0), ("data info --json", 0), ("eval", 2)]
)
def test_without_output_or_error_streams(arguments, code, tmp_path):
    command = f"'{sys.executable}' -m tidenhance {arguments} >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False).returncode == code


def test_a_report_on_a_run_without_scores_names_the_command_that_makes_them(tool, soft_copy):
    (soft_copy / "scores.json").unlink()
    ended = tool("report", str(soft_copy))
    assert (ended.code, ended.out) == (2, "")
    assert f"{soft_copy}: no scores.json" in ended.err
    assert f"Evaluate it first: tidenhance eval {soft_copy}" in ended.err
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("nlm", ("nlm", {"strength": 0.8})),
        ("{name: nlm, strength: 1.5}", ("nlm", {"strength": 1.5})),
        ("nml", "--baseline: expected one of clahe, "),
        ("{name: nlm, strenght: 1}", "--baseline: strenght: "),
    ],
)
def test_a_baseline_with_and_without_options(tool, monkeypatch, soft_run, baseline, expected):
    given = []

    def evaluate(run: Path, *_: object, baselines: Any, **__: object) -> Any:
        given.extend(baselines)
        return runs.read_json(run / "scores.json")

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    ended = tool("eval", str(soft_run), "--json", "--baseline", baseline)
    if isinstance(expected, str):
        assert (ended.code, ended.out, given) == (2, "", [])
        assert expected in ended.err
        assert "Did you mean" in ended.err
    else:
        assert (ended.code, given) == (0, [expected])
        assert json.loads(ended.out)["run"] == soft_run.name


def test_a_baseline_is_scored_once_for_all_runs(tool, monkeypatch, soft_run, bright_run):
    scored = []

    def evaluate(run: Path, *_: object, baselines: Any, alike: Any, **__: object) -> Any:
        scored.append((run, [name for name, _ in baselines], alike and alike["run"]))
        return runs.read_json(run / "scores.json")

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    both = (str(soft_run), str(bright_run))
    assert tool("eval", *both, "--baseline", "nlm", "--json").code == 0
    assert scored == [(soft_run, ["nlm"], None), (bright_run, [], soft_run.name)]


def test_runs_on_other_pairs_are_refused_before_any_is_scored(
    tool, monkeypatch, soft_copy, bright_run
):
    config = soft_copy / "config.yaml"
    text = yaml.safe_load(config.read_text())
    text["data"]["types"] = [1, 10]
    config.write_text(yaml.safe_dump(text))
    monkeypatch.setattr(evaluation, "evaluate", lambda *_, **__: pytest.fail("it was scored"))
    ended = tool("eval", str(bright_run), str(soft_copy))
    assert (ended.code, ended.out) == (2, "")
    assert f"{soft_copy.name}: evaluated on other data than {bright_run.name}" in ended.err
    assert "Expected as pairs: " in ended.err


def test_runs_on_other_data_are_not_printed_beside_each_other(
    tool, monkeypatch, soft_copy, bright_run
):
    monkeypatch.setattr(
        evaluation, "evaluate", lambda run, *_, **__: runs.read_json(run / "scores.json")
    )
    both = [str(soft_copy), str(bright_run)]
    ended = tool("eval", *both, "--json")
    first, second = json.loads(ended.out)
    assert [first["run"], second["run"]] == [soft_copy.name, bright_run.name]
    assert "difference_to_first" not in first
    for one in (first, second):
        [blur] = one["baselines"].values()
        difference = blur["gain"]["psnr"]["mean"] - first["gain"]["psnr"]["mean"]
        assert blur["difference_to_first"]["psnr"]["mean"] == pytest.approx(difference)
    difference = second["gain"]["psnr"]["mean"] - first["gain"]["psnr"]["mean"]
    assert second["difference_to_first"]["psnr"]["mean"] == pytest.approx(difference)
    found = runs.read_json(soft_copy / "scores.json") | {"data_fingerprint": "beef"}
    (soft_copy / "scores.json").write_text(json.dumps(found))
    ended = tool("eval", *both)
    assert (ended.code, ended.out) == (2, "")
    assert f"{bright_run.name}: evaluated on other data than {soft_copy.name}" in ended.err


def test_a_report_is_of_the_split_levels_and_data_that_it_is_told(tool, monkeypatch, soft_run):
    told = []
    monkeypatch.setattr(report, "write", lambda *a, **o: told.append((a, o)))
    assert (
        tool("report", str(soft_run), "--split", "test", "--levels", "1-3", "--data", "d").code == 0
    )
    [(places, options)] = told
    assert places == ([soft_run], Path("report.html"))
    assert options == {"file_format": "html", "split": "test", "levels": [1, 2, 3], "root": "d"}


def test_runs_of_one_name_are_told_apart(tool, monkeypatch, soft_run, tmp_path):
    first, second = (shutil.copytree(soft_run, tmp_path / name / "same") for name in "ab")
    printed = []
    monkeypatch.setattr(
        evaluation, "evaluate", lambda run, *_, **__: runs.read_json(run / "scores.json")
    )
    monkeypatch.setattr(tables, "print_scores", lambda results: printed.extend(results))
    assert tool("eval", str(first), str(second), f"{first}/../same").code == 0
    assert printed == [str(first), str(second)]
    assert tool("eval", str(first)).code == 0
    assert printed[2:] == ["same"]


def test_an_earlier_report_is_replaced_only_by_force(tool, soft_run):
    Path("report.csv").write_text("mine")
    ended = tool("report", str(soft_run), "--format", "csv")
    assert (ended.code, ended.out) == (2, "")
    assert "report.csv: exists already. --force replaces it." in ended.err
    assert Path("report.csv").read_text() == "mine"
    ended = tool("report", str(soft_run), "--format", "csv", "--force")
    assert (ended.code, ended.out, ended.err) == (0, "report.csv\n", "")
    assert Path("report.csv").read_text().startswith("kind,name,run,")


def test_a_reports_format_is_that_of_its_ending(tool, soft_run):
    assert tool("report", str(soft_run), "-o", "out.md").code == 0
    assert Path("out.md").read_text().startswith("# ")
    for arguments, expected in (
        (["-o", "out.md", "--format", "csv"], ".csv"),
        (["-o", "out.doc"], ".html, .md, .csv"),
    ):
        ended = tool("report", str(soft_run), *arguments, "--force")
        assert ended.code == 2
        assert f"a file name ending in {expected}. Received: out." in ended.err
    assert sorted(path.name for path in Path().glob("out.*")) == ["out.md"]


SMALL = """
seed: 1
network: {name: residual_cnn, channels: 8, depth: 3}
data: {name: tid2013, types: [1, 5], splits: {train: [1, 2], val: [3], test: [4]}}
loss: {name: mse}
metrics: [psnr]
training: {epochs: 2, batch_size: 2, patch_size: 32, learning_rate: 1e-3}
validation: {batch_size: 2}
"""


@pytest.fixture
def small_config(tmp_path, monkeypatch, small_tree):
    """A config of its own name in the working folder, on the small tree."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.setenv(config.DATA_VARIABLE, str(small_tree))
    return tmp_path / "small.yaml"


def test_resume_from_the_command_line(tool, small_config):
    """Nothing to go on with, then the newest run of the config, then a run by name."""
    train = ["train", "--config", "small.yaml", "--resume"]
    first = outside(*train, stdout=subprocess.PIPE)
    assert first.returncode == 0
    assert "run: none yet: starting one" in first.stderr
    [run] = Path("runs").iterdir()
    longer = tool(*train, "training.epochs=3")
    assert longer.code == 0
    assert f"run: {run}" in longer.err
    assert "going on from: epoch-0002" in longer.out
    by_own_config = tool("train", "--config", str(run / runs.CONFIG), "--resume")
    assert by_own_config.code == 0
    assert f"run: {run}" in by_own_config.err
    # An equals sign does not make a run's name an override.
    run = run.rename(run.with_name("lr=1e-3"))
    assert tool("train", "--resume", run.name, "training.epochs=4").code == 0
    assert list(Path("runs").iterdir()) == [run]
    assert len(runs.read_history(run)) == 4
    refused = tool("train", "--resume", run.name, "seed=2")
    assert refused.code == 2
    assert "seed: the run was begun with 1. Received: 2." in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected --config CONFIG, or --resume RUN."),
        (["--resume"], "expected --config CONFIG, or --resume RUN."),
        (["--resume", "none"], "none: no such run under runs/."),
        (["--resume", "a", "b"], "expected one run. Received: a, b."),
        (["--config", "small", "a"], "no file 'small'"),
    ],
)
def test_what_cannot_be_resumed(tool, arguments, message):
    ended = tool("train", *arguments)
    assert ended.code == 2
    assert message in ended.err


def wait_for(process: subprocess.Popen[bytes], happened: Callable[[], object]) -> None:
    """Wait until something has happened, while a process goes on, for two minutes at most."""
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_checkpoints_and_is_told_by_the_exit_code(small_config, number):
    command = [*COMMAND, "train", "--config", "small.yaml", "training.epochs=100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for(process, lambda: list(Path().glob("runs/*/checkpoints/epoch-*")))
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 128 + number
    [run] = Path("runs").iterdir()
    assert f"error: {number.name} stopped the training after step" in err.decode()
    assert f"to go on: tidenhance train --resume {run}" in err.decode()
    assert runs.summaries()[0].state == "interrupted"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_the_training_starts(small_config, number):
    """In the seconds of TensorFlow's import, say."""
    command = [*COMMAND, "train", "--config", "small.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        wait_for(process, lambda: "tensorflow" in maps.read_text())
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == 128 + number
    assert b"Traceback" not in err
    assert not Path("runs").exists()


DIGITS = """
seed: 1
network: {name: linear_autoencoder, units: [16, 4]}
data: {name: mnist_noise, source: digits}
loss: {name: mse}
metrics: [psnr]
training: {epochs: 2, batch_size: 32, steps_per_epoch: 5, learning_rate: 3e-3}
validation: {batch_size: 72}
"""


def test_digits_from_the_command_line(tool, tmp_path):
    """Trained, stopped at a figure, gone on with, scored, and used on a picture in colour."""
    (tmp_path / "digits.yaml").write_text(DIGITS)
    stop = "training.stop_at={metric: loss, value: 10.0}"
    trained = json.loads(tool("train", "--config", "digits.yaml", "--json", stop).out)
    assert len(trained["history"]) == 1
    assert "val_psnr" in trained["history"][0]
    run = trained["run"]
    longer = tool("train", "--resume", run, "--json", "training.stop_at=null")
    assert longer.code == 0
    assert [row["epoch"] for row in json.loads(longer.out)["history"]] == [1, 2]

    scores = json.loads(tool("eval", run, "--split", "test", "--json").out)
    names = {entry["name"] for entry in scores["per_type"].values()}
    assert names == {"additive Gaussian noise", "multiplicative Gaussian noise"}
    assert set(scores["per_reference"]) == {f"digit {n}" for n in range(10)}
    mild = tool("eval", run, "--levels", "1")
    assert mild.code == 0
    assert "scores-levels-1.json" in mild.out
    refused = tool("eval", run, "--levels", "3")
    assert (refused.code, refused.out) == (2, "")
    assert "levels" in refused.err
    assert "Received: 3." in refused.err

    Image.new("RGB", (90, 60), (255, 0, 0)).save("photo.png")
    # A model that comes with the tool, since no run takes such a picture.
    general = tool("enhance", "photo.png", "-o", "general")
    assert (general.code, general.out) == (0, "general/photo_enhanced.png\n")
    assert "nafnet-open" in general.err
    enhanced = tool("enhance", "photo.png", "--run", run)
    assert (enhanced.code, enhanced.out) == (0, "photo_enhanced.png\n")
    with Image.open("photo_enhanced.png") as picture:
        assert (picture.mode, picture.size) == ("L", (28, 28))
    with Image.open("photo.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (90, 60))


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        (["metrics=[psnr_y]"], ["metrics: ", "psnr_y", "Received: 1"]),
        (["training.stop_at={metric: val_psrn, value: 1}"], ["Did you mean 'val_psnr'?"]),
        (
            [
                "data={name: tid2013, root: TREE, types: [1],"
                " splits: {train: [1], val: [3], test: [4]}}"
            ],
            ["28 x 28 x 1, which the network takes", "48 x 48 x 3."],
        ),
        (["network={name: plain_cnn, channels: [4]}"], ["any x any x 3", "28 x 28 x 1."]),
    ],
)
def test_digits_networks_and_metrics_that_do_not_suit_each_other(
    tool, tmp_path, small_tree, overrides, messages
):
    (tmp_path / "digits.yaml").write_text(DIGITS)
    given = [override.replace("TREE", str(small_tree)) for override in overrides]
    ended = tool("train", "--config", "digits.yaml", *given)
    assert (ended.code, ended.out) == (2, "")
    assert all(message in ended.err for message in messages)
    assert "Traceback" not in ended.err
    assert not (tmp_path / "runs").exists()


def test_enhance_works_without_any_run(tool, tmp_path):
    """White Gaussian noise as at TID2013's level 5, on a photograph that was not trained on."""
    photograph = skimage.data.chelsea()
    noisy = photograph + np.random.default_rng(1).normal(0, 520**0.5, photograph.shape)
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save("photo.png")
    mistyped = tool("enhance", "photo.png", "--runs", "rums")
    assert (mistyped.code, mistyped.out) == (2, "")
    assert "--runs: rums: no such folder." in mistyped.err
    ended = tool("enhance", "photo.png")
    assert (ended.code, ended.out) == (0, "photo_enhanced.png\n")
    assert "nafnet-open, which comes with the tool" in ended.err
    with Image.open("photo_enhanced.png") as picture:
        restored = np.asarray(picture, np.float64)
    before, after = (np.mean((np.clip(one, 0, 255) - photograph) ** 2) for one in (noisy, restored))
    assert after < before / 4


def test_enhance_says_what_of_a_folder_it_leaves_out(tool, tmp_path):
    (tmp_path / "holiday" / "day2").mkdir(parents=True)
    Image.new("RGB", (30, 30), "white").save("holiday/a.jfif", "JPEG")
    for name in ("b.heic", "c.HEIC", "notes"):
        (tmp_path / "holiday" / name).touch()
    ended = tool("enhance", "holiday", "--json")
    assert ended.code == 0
    assert "left out of folders, as not pictures: 4 (.heic)\n" in ended.err
    result = json.loads(ended.out)
    assert [one["output"] for one in result["pictures"]] == ["holiday/a_enhanced.jfif"]
    names = ("b.heic", "c.HEIC", "day2", "notes")
    assert result["left_out"] == [f"holiday/{name}" for name in names]


def test_a_model_that_comes_with_the_tool_is_taken_by_name(tool, tmp_path):
    [name, *_] = runs.shipped_models()
    Image.new("RGB", (30, 30), "white").save("photo.png")
    ended = tool("enhance", "photo.png", "--run", name)
    assert (ended.code, ended.out) == (0, "photo_enhanced.png\n")
    ended = tool("enhance", "photo.png", "--run", f"{name}x", "--force")
    assert ended.code == 2
    assert f"Did you mean '{name}'?" in ended.err
    assert tool("eval", f"{name}x").code == 2
    assert tool("export", name, "-o", "network.onnx").code == 0
    assert Path("network.onnx").is_file()
    assert not Path("runs").exists()
    ended = tool("report", name)
    assert ended.code == 2
    [copy] = Path("runs/models").iterdir()
    assert f"tidenhance eval {copy}" in ended.err


def test_the_most_pixels_that_can_be_asked_for_are_those_that_can_be_read():
    assert cli.MAX_PIXELS == images.MAX_PIXELS
