"""What a run directory holds, and which runs there are, damaged ones included."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tidenhance import config, forward_onnx, runs, weights
from tidenhance.errors import RunError, UserInputError, WriteError

NOW = datetime(2026, 1, 2, 3, 4, 5)
ROW = {"epoch": 1.0, "loss": 0.02, "val_loss": 0.01}


@pytest.fixture(scope="module")
def text() -> str:
    """The config of a run, as training writes it."""
    loaded = config.load(config.find("quickstart"), environment={})
    provenance = config.Provenance(
        config="quickstart",
        tidenhance="0",
        keras="3",
        tensorflow="2",
        numpy="2",
        python="3",
        platform="x",
        device="CPU",
        git_commit=None,
        started="2026-01-02T03:04:05",
    )
    return config.dump(loaded.model_copy(update={"provenance": provenance}))


@pytest.fixture
def run(tmp_path: Path, text: str) -> Path:
    """A finished run with one epoch."""
    run = runs.create(tmp_path / "runs", "quickstart", NOW)
    (run / runs.CONFIG).write_text(text)
    runs.write_history(run, [ROW])
    runs.set_state(run, "finished")
    return run


def state(run: Path, value: object) -> None:
    (run / runs.STATE).write_text(json.dumps(value))


def test_a_directory_is_never_used_twice(tmp_path):
    made = [runs.create(tmp_path / "a" / "runs", "x", NOW) for _ in range(3)]
    assert [path.name for path in made] == [
        "x-20260102-030405",
        "x-20260102-030405-2",
        "x-20260102-030405-3",
    ]
    assert all(path.is_dir() for path in made)


def test_a_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(UserInputError, match=r"runs: expected a folder\. Received: a file\."):
        runs.create(tmp_path / "runs", "x", NOW)
    with pytest.raises(RunError, match="cannot be made: File name too long"):
        runs.create(tmp_path, "x" * 300, NOW)


def test_folders_named_twice_are_one(tmp_path):
    first, second = tmp_path / "b", tmp_path / "a"
    named = [first, second, second, tmp_path / "a" / ".." / "b"]
    assert runs.distinct(named) == [first, second]


def test_the_names_of_score_files():
    assert runs.scores_name("val", "json") == "scores.json"
    assert runs.scores_name("test", "csv") == "scores-test.csv"


def test_the_config_is_read_back(run, text):
    assert config.dump(runs.read_config(run)) == text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("", "expected keys and values"),
        ("seed: [", "not valid YAML"),
        ("seed: 1", "network: required, but not given"),
        ("\x00", "not text"),
    ],
)
def test_a_damaged_config(run, damage, message):
    (run / runs.CONFIG).write_text(damage)
    with pytest.raises(RunError, match=message) as error:
        runs.read_config(run)
    assert str(run / runs.CONFIG) in str(error.value)


def test_a_directory_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"not a run directory: it has no config\.yaml"):
        runs.read_config(tmp_path)


def test_the_history_is_read_back(run):
    history = [{"epoch": n, "loss": 1 / n, "val_loss": 1e-9 * n} for n in (1.0, 2.0, 3.0)]
    runs.write_history(run, history)
    assert runs.read_history(run) == history
    (run / runs.HISTORY).unlink()
    assert runs.read_history(run) == []


@pytest.mark.parametrize(
    "damage",
    [
        b"epoch,loss\n1,x\n",
        b"epoch,loss\n1\n",
        b"epoch,loss\n1,2,3\n",
        b"epoch,loss\n1,\n",
        b"epoch,loss\n\xff,1\n",
        b"epoch,loss\n\x00\n",
        b'epoch,loss\n1,"',
        b"epoch,loss\n1,-1e39\n",
    ],
)
def test_a_damaged_history(run, damage):
    (run / runs.HISTORY).write_bytes(damage)
    with pytest.raises(RunError, match=r"history\.csv: damaged: expected a table of numbers"):
        runs.read_history(run)


def test_a_history_that_cannot_be_written(run):
    (run / runs.HISTORY).unlink()
    (run / runs.HISTORY).mkdir()
    with pytest.raises(WriteError, match=r"history\.csv: cannot be written"):
        runs.write_history(run, [ROW])


def test_the_summary_of_a_finished_run(run):
    scores = {"psnr": 22.5, "gain": {"psnr": {"mean": 2.25}}, "pairs": 3}
    (run / "scores.json").write_text(json.dumps(scores))
    runs.write_history(run, [ROW, {**ROW, "val_loss": 0.005}, {**ROW, "val_loss": 0.007}])
    assert runs.summaries(run.parent) == [
        runs.Summary(
            path=run,
            state="finished",
            config="quickstart",
            epochs=3,
            planned_epochs=config.load(config.find("quickstart")).training.epochs,
            best_val_loss=0.005,
            scores=scores,
        )
    ]


def test_scores_of_earlier_weights_are_not_listed(run):
    (run / runs.BEST_WEIGHTS).write_bytes(b"weights")
    scores = {"psnr": 22.5, "gain": {"psnr": {"mean": 2.25}}}
    for digest, listed in ((hashlib.sha256(b"weights").hexdigest(), True), ("beef" * 16, False)):
        (run / "scores.json").write_text(json.dumps(scores | {"weights_sha256": digest}))
        [summary] = runs.summaries(run.parent)
        assert (summary.scores is not None) is listed


def test_a_run_whose_weights_cannot_be_read_hides_no_other(run, text, monkeypatch):
    def fail(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (run / runs.BEST_WEIGHTS).touch()
    scores = {"psnr": 22.5, "gain": {"psnr": {"mean": 2.25}}, "weights_sha256": "beef"}
    (run / "scores.json").write_text(json.dumps(scores))
    [other] = copies(run, text, "other")
    runs.set_state(other, "finished")
    monkeypatch.setattr(runs, "sha256", fail)
    damaged, good = runs.summaries(run.parent)
    assert damaged.problem == f"{run / runs.BEST_WEIGHTS}: cannot be read: Permission denied."
    assert (good.path, good.state) == (other, "finished")


@pytest.mark.parametrize("noted", ["finished", "failed", "interrupted"])
def test_the_state_that_was_noted(run, noted):
    state(run, {"state": noted})
    assert runs.summaries(run.parent)[0].state == noted


LOCKING = """
import sys
from pathlib import Path
from tidenhance import runs
from tidenhance.errors import RunError
try:
    with runs.locked(Path(sys.argv[1])):
        print("locked", flush=True)
        sys.stdin.read()
except RunError as error:
    print(error)
"""


def locking(run: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOCKING, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_run_is_running_as_long_as_its_process(run):
    runs.set_state(run, "running")
    assert runs.summaries(run.parent)[0].state == "cut off"
    with locking(run) as process:
        assert process.stdout.readline() == "locked\n"
        assert runs.summaries(run.parent)[0].state == "running"
        process.kill()
        process.wait()
        assert runs.summaries(run.parent)[0].state == "cut off"


def test_of_two_processes_on_one_run_the_second_is_refused(run):
    with locking(run) as first:
        assert first.stdout.readline() == "locked\n"
        with locking(run) as second:
            assert second.communicate()[0] == f"{run}: another process is training this run.\n"
        with pytest.raises(RunError, match="another process"), runs.locked(run):
            pass
        first.kill()
        first.wait()
    with runs.locked(run):
        pass


def test_a_run_that_cannot_be_locked(run):
    (run / runs.LOG).mkdir()
    message = r"log\.txt: cannot be written: Is a directory\."
    with pytest.raises(RunError, match=message), runs.locked(run):
        pass


def test_the_newest_run_of_a_config(run, text):
    assert runs.newest_of("quickstart", run.parent) == run
    assert runs.newest_of("mirnet32", run.parent) is None
    other = text.replace("config: quickstart", "config: mirnet32")
    assert other != text
    _, newer = copies(run, text, "b", "a")
    copies(run, other, "c")
    for path in run.parent.iterdir():
        runs.set_state(path, "finished")
    assert runs.newest_of("quickstart", run.parent) == newer
    (newer / "scores.json").write_text("{")
    (newer / runs.HISTORY).write_text("half")
    assert runs.newest_of("quickstart", run.parent) == newer
    (newer / runs.CONFIG).write_text("{")
    assert runs.newest_of("quickstart", run.parent) != newer


def test_a_run_before_its_first_epoch(run):
    (run / runs.HISTORY).unlink()
    found = runs.summaries(run.parent)[0]
    assert (found.epochs, found.best_val_loss, found.scores) == (0, None, None)


def test_a_loss_that_is_not_a_number_is_never_the_best(run):
    runs.write_history(run, [{**ROW, "val_loss": float("nan")}, ROW, {**ROW, "val_loss": -1e999}])
    assert runs.summaries(run.parent)[0].best_val_loss == ROW["val_loss"]


def test_the_last_loss_is_the_best_where_the_run_says_so(run):
    config_file = run / runs.CONFIG
    config_file.write_text(config_file.read_text().replace("lowest_val_loss", "last"))
    runs.write_history(run, [ROW, {**ROW, "val_loss": 0.5}])
    assert runs.summaries(run.parent)[0].best_val_loss == 0.5


NO_JSON_OBJECT = [b"", b"\xff\xfe", b"[" * 100_000, b"5", b"[1]", b"{", b'{"a": 1' + b"0" * 5000]
DAMAGED = {
    runs.CONFIG: [b"", b"\xff\xfe", b"[" * 100_000, b"5", b"[1]", b"{", b"a: 1\na: 2", b"a: *b"],
    runs.HISTORY: [b"", b"\xff\xfe", b"[" * 200_000, b"5", b"a,b\n1,2\n", b"epoch,b\n1\n"],
    runs.STATE: [
        *NO_JSON_OBJECT,
        b"{}",
        b'{"state": "done"}',
        b'{"state": "cut off"}',
        b'{"state": 5}',
        b'{"state": []}',
    ],
    "scores.json": [
        *NO_JSON_OBJECT,
        b"{}",
        b'{"psnr": 20}',
        b'{"psnr": "x", "gain": {"psnr": {"mean": 1}}}',
        b'{"psnr": NaN, "gain": {"psnr": {"mean": 1}}}',
        b'{"psnr": 1, "gain": {"psnr": {"mean": Infinity}}}',
        b'{"psnr": 1' + b"0" * 400 + b', "gain": {"psnr": {"mean": 1}}}',
        b'{"psnr": 1, "ssim": 1' + b"0" * 400 + b', "gain": {"psnr": {"mean": 1}}}',
        b'{"psnr": 1, "ssim": 1e308, "gain": {"psnr": {"mean": 1}}}',
    ],
}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        pytest.param(name, damage, id=f"{name}-{index}")
        for name, damages in DAMAGED.items()
        for index, damage in enumerate(damages)
    ],
)
def test_damaged_files_are_said_to_be_damaged(run, name, damage):
    (run / name).write_bytes(damage)
    found = runs.summaries(run.parent)[0]
    assert found.state == "damaged"
    assert name in found.problem
    assert "\n" not in found.problem


@pytest.mark.parametrize("training", ["5", "[1]", "{epochs: many}", "{}", "null"])
def test_sections_of_a_wrong_kind(run, training):
    (run / runs.CONFIG).write_text(f"training: {training}\nprovenance: {training}\n")
    found = runs.summaries(run.parent)[0]
    assert (found.state, found.config, found.planned_epochs) == ("finished", "?", None)


def test_files_that_are_folders(run):
    for name in (runs.STATE, runs.CONFIG):
        (run / name).unlink()
        (run / name).mkdir()
        assert runs.summaries(run.parent)[0].state == "damaged"


def test_no_runs(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        assert runs.summaries(folder) == []
        with pytest.raises(RunError, match=r"No trained run under .* tidenhance train"):
            runs.newest_with_weights(folder)


def test_what_is_no_folder_of_runs_is_not_one_without_runs(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    for name, told in (
        ("file", "file: expected a folder. Received: a file."),
        ("link", "link: leads to no folder."),
        ("circle", "circle: cannot be listed: Too many levels of symbolic links."),
        ("x" * 300, "cannot be listed: File name too long."),
    ):
        for found in (runs.summaries, runs.newest_with_weights, runs.newest_for_any_picture):
            with pytest.raises(RunError, match=re.escape(told)):
                found(tmp_path / name)

    shipped = runs.shipped_models()
    assert runs.find_model("nafnet-open", tmp_path / "file") == shipped["nafnet-open"]

    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(RunError, match=r": cannot be listed: Permission denied\."):
        runs.summaries(tmp_path)


def test_pipes_are_not_waited_for(run):
    state(run, {"state": "running"})
    os.mkfifo(run / runs.LOG)
    assert runs.summaries(run.parent)[0].state == "cut off"
    with pytest.raises(RunError, match=r"log\.txt: cannot be written"), runs.locked(run):
        pass
    (run / runs.STATE).unlink()
    os.mkfifo(run / runs.STATE)
    assert "state.json: damaged: expected a file" in runs.summaries(run.parent)[0].problem


def copies(run: Path, text: str, *names: str) -> list[Path]:
    """More runs, each a second younger than the one before."""
    made = [run.with_name(name) for name in names]
    for seconds, path in enumerate(made):
        path.mkdir()
        (path / runs.CONFIG).write_text(text)
        os.utime(path / runs.CONFIG, (2e9 + seconds, 2e9 + seconds))
    return made


def test_the_newest_run_with_weights(run, text):
    with pytest.raises(RunError):
        runs.newest_with_weights(run.parent)
    b, a, _ = copies(run, text, "b", "a", "c")
    (run / runs.BEST_WEIGHTS).touch()
    assert runs.newest_with_weights(run.parent) == run
    (b / runs.BEST_WEIGHTS).touch()
    assert runs.newest_with_weights(run.parent) == b
    (a / runs.BEST_WEIGHTS).touch()
    assert runs.newest_with_weights(run.parent) == a


@pytest.mark.parametrize(
    ("network", "is_for_any"),
    [
        ('{"input_shape": [null, null, 3]}', True),
        ('{"input_shape": [28, 28, 1]}', False),
        ('{"input_shape": [null, null, 1]}', False),
        ('{"input_shape": [28, 28, 3]}', False),
        ('{"layers": 5}', True),  # of an older version
        ("damaged", True),
        ("[5]", True),
        (None, True),
    ],
)
def test_the_newest_run_for_any_picture(run, text, network, is_for_any):
    (run / runs.BEST_WEIGHTS).touch()
    [newer] = copies(run, text, "b")
    (newer / runs.BEST_WEIGHTS).touch()
    if network is not None:
        (newer / runs.NETWORK).write_text(network)
    found = runs.newest_for_any_picture(run.parent)
    assert found == (newer if is_for_any else run)
    assert runs.newest_with_weights(run.parent) == newer


def test_no_run_for_any_picture(run):
    assert runs.newest_for_any_picture(run.parent) is None
    (run / runs.BEST_WEIGHTS).touch()
    (run / runs.NETWORK).write_text('{"input_shape": [28, 28, 1]}')
    assert runs.newest_for_any_picture(run.parent) is None


@pytest.fixture
def models(tmp_path, text, monkeypatch):
    """A folder of models that come with the tool, and what else may lie there."""
    folder = tmp_path / "package" / "models"
    for name in ("plain", "digits", "no model"):
        (folder / name).mkdir(parents=True)
    for name in ("plain", "digits"):
        (folder / name / runs.CONFIG).write_text(text)
    (folder / "README.md").touch()
    monkeypatch.setattr(runs, "__file__", str(folder.parent / "runs.py"))
    return folder


def test_models_come_with_the_tool(models):
    assert runs.shipped_models() == {"digits": models / "digits", "plain": models / "plain"}


def test_a_model_is_found_by_name_unless_a_run_has_it(run, text, models):
    assert runs.find_model("digits", run.parent) == models / "digits"
    assert runs.find_model(run.name, run.parent) == run
    [own] = copies(run, text, "digits")
    assert runs.find_model("digits", run.parent) == own


def test_a_model_is_copied_where_a_run_is_written_to(run, text, models):
    (models / "digits" / runs.BEST_WEIGHTS).write_text("one")
    copy = runs.find_or_copy("digits", run.parent)
    assert copy.parent == run.parent / "models"
    assert copy.name.startswith("digits-")
    assert (copy / runs.CONFIG).read_text() == text
    (copy / "scores.json").touch()
    assert runs.find_or_copy("digits", run.parent) == copy
    assert runs.find_or_copy(str(models / "digits"), run.parent) == copy
    assert (copy / "scores.json").is_file()
    inside = {path.name for path in (models / "digits").iterdir()}
    assert inside == {runs.CONFIG, runs.BEST_WEIGHTS}
    assert list(copy.parent.iterdir()) == [copy]
    # Of other weights it is another model; and no copy is a run to go on with, or the newest.
    (models / "digits" / runs.BEST_WEIGHTS).write_text("two")
    assert runs.find_or_copy("digits", run.parent) != copy
    assert runs.find_or_copy(run.name, run.parent) == run
    assert [found.path for found in runs.summaries(run.parent)] == [run]
    with pytest.raises(RunError, match="Did you mean 'digits'"):
        runs.find_or_copy("digit", run.parent)


def test_a_model_that_cannot_be_copied(models, tmp_path):
    (models / "digits" / runs.BEST_WEIGHTS).touch()
    (tmp_path / "runs").touch()
    with pytest.raises(UserInputError, match=r"runs: expected a folder\. Received: a file\."):
        runs.find_or_copy("digits", tmp_path / "runs")


def test_a_config_s_name_stands_for_its_newest_run_with_weights(run, text, models):
    with pytest.raises(RunError, match="train it first: tidenhance train --config quickstart"):
        runs.find_model("quickstart", run.parent.parent)
    with pytest.raises(RunError, match=f"no.* best weights yet.* train --resume {run}"):
        runs.find_model("quickstart", run.parent)
    # A model of that name is what those are given who have not trained it.
    (models / "plain").rename(models / "quickstart")
    assert runs.find_model("quickstart", run.parent) == models / "quickstart"
    (run / runs.BEST_WEIGHTS).touch()
    newer, _ = copies(run, text, "newer", "newest")
    (newer / runs.BEST_WEIGHTS).touch()
    assert runs.find_model("quickstart", run.parent) == newer
    assert runs.find_or_copy("quickstart", run.parent) == newer


def test_a_configs_name_is_that_of_no_run_but_leads_to_the_newest(run):
    with pytest.raises(RunError, match=rf"no such run under .* Did you mean '{run.name}'\?"):
        runs.find("quickstart", run.parent)


def test_neither_a_run_nor_a_model(run, models):
    for name, hint in (
        ("digit", "Did you mean 'digits'?"),
        (run.name[:-1], f"Did you mean '{run.name}'?"),
        ("x", "Models that come with the tool: digits, plain."),
        ("no model", "Models that come with the tool: digits, plain."),
    ):
        with pytest.raises(RunError, match=f"{name}: no such run under ") as caught:
            runs.find_model(name, run.parent)
        assert hint in str(caught.value)


@pytest.mark.parametrize("name", runs.shipped_models())
def test_each_shipped_model_is_small_and_its_config_comes_with_the_tool(name):
    model = runs.shipped_models()[name]
    assert sum(path.stat().st_size for path in model.iterdir()) <= 10e6

    def without_places(path):
        # Data lie elsewhere on each machine.
        loaded = config.load(path, environment={}).model_dump(mode="json", exclude={"provenance"})
        loaded["data"].pop("root")
        (loaded["training"]["synthesis"] or {}).pop("photographs", None)
        return loaded

    assert without_places(model / runs.CONFIG) == without_places(config.find(name))
    shipped = config.load(model / runs.CONFIG, environment={})
    assert shipped.data.options["root"] in (None, "KODAK-synth")
    if shipped.training.synthesis is not None:
        assert shipped.training.synthesis.photographs == "photographs"
    if shipped.training.stop_at is None:
        assert len(runs.read_history(model)) == shipped.training.epochs
    network, described = weights.build_network(shipped), runs.read_json(model / runs.NETWORK)
    assert described["parameters"] == network.count_params()
    assert described["input_shape"] == list(network.input_shape[1:])


def test_what_enhance_takes_without_a_run_is_for_any_picture():
    shape = forward_onnx.load(runs.shipped_models()[runs.DEFAULT_MODEL]).input_shape
    assert shape == (None, None, 3)


def test_runs_are_listed_oldest_first(run, text):
    made = copies(run, text, "b", "a", "c")
    (run.parent / "no run").mkdir()
    (run.parent / "no folder").touch()
    assert [found.path for found in runs.summaries(run.parent)] == [run, *made]


def test_find_by_name_and_by_path(run, tmp_path, monkeypatch):
    assert runs.find(run.name, run.parent) == run
    assert runs.find(str(run), tmp_path) == run
    monkeypatch.chdir(tmp_path)
    assert runs.find(f"runs/{run.name}/", Path("elsewhere")) == Path("runs") / run.name
    assert runs.find(run.name) == Path("runs") / run.name
    monkeypatch.chdir(run)
    assert runs.find(".").name == run.name


@pytest.mark.parametrize("name", ["", ".", "none", "x" * 300, "a\x00b", "runs"])
def test_find_what_is_not_there(run, name):
    with pytest.raises(RunError, match="no such run under"):
        runs.find(name, run.parent)


def test_find_suggests_the_nearest_name(run):
    near = run.name.replace("quickstart", "quikstart")
    with pytest.raises(RunError, match=f"Did you mean '{run.name}'?"):
        runs.find(near, run.parent)


def test_a_pipe_in_the_configs_place_is_not_waited_for(run):
    (run / runs.CONFIG).unlink()
    os.mkfifo(run / runs.CONFIG)
    [found] = runs.summaries(run.parent)
    assert found.state == "damaged"
    assert found.problem == f"{run / runs.CONFIG}: expected a file."
