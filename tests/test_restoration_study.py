"""`scripts/restoration_study`: the photographs it lists, and its scores on a small set."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import skimage
import sklearn

from tidenhance import config, runs, weights
from tidenhance.data import synthesis
from tidenhance.data.datasets import tid2013

SCRIPT = Path(__file__).parents[1] / "scripts" / "restoration_study.py"


def test_the_listed_photographs_are_each_of_a_source_with_author_and_licence():
    with SCRIPT.with_name("open_photographs.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["name"] for row in rows}) == len(rows) > 40
    packages = {"scikit-image": skimage, "scikit-learn": sklearn}
    for row in rows:
        assert all(row.values()), row
        if row["source"] in packages:
            assert (Path(packages[row["source"]].__file__).parent / row["path"]).is_file()
        else:
            assert row["source"].startswith("Debian ")
        # Of Kodak's photographs only those of the script's own range are trained on.
        assert not row["name"].startswith("kodim")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("restoration_study", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_photographs_are_collected_but_none_that_is_validated_or_tested_on(
    script, tmp_path, monkeypatch
):
    kodak, source = tmp_path / "kodak", tmp_path / "package"
    kodak.mkdir()
    for number in range(1, 25):
        (kodak / f"kodim{number:02d}.png").write_text(f"{number}")
    with script.LISTED.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        path = source / row["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(row["path"])
    monkeypatch.setattr(script, "folder_of", lambda *_: source)
    out = tmp_path / "photographs"
    script.main(["photographs", "--kodak", str(kodak), "--out", str(out)])
    kept = {f"kodim{number:02d}.png" for number in range(1, 16)}
    assert {path.name for path in out.iterdir()} == kept | {row["name"] for row in rows}
    assert all((out / row["name"]).read_text() == row["path"] for row in rows)
    # Nothing that lies in an older folder is taken for one of them.
    with pytest.raises(SystemExit, match="exists already"):
        script.main(["photographs", "--kodak", str(kodak), "--out", str(out)])
    (source / rows[0]["path"]).unlink()
    with pytest.raises(SystemExit, match="no such file"):
        script.main(["photographs", "--kodak", str(kodak), "--out", str(tmp_path / "new")])
    (kodak / "kodim03.png").unlink()
    with pytest.raises(SystemExit, match=r"no kodim03\.png"):
        script.main(["photographs", "--kodak", str(kodak), "--out", str(tmp_path / "new")])
    assert not (tmp_path / "new").exists()


@pytest.fixture(scope="module")
def tree(tmp_path_factory, photograph) -> Path:
    """25 references of 128 x 128, and their pictures of two types at all levels."""
    root = tmp_path_factory.mktemp("data") / "tree"
    references = [photograph[top : top + 128, top : top + 128] for top in range(0, 300, 12)]
    for _ in synthesis.synthesise(
        references, root, types=[1, 16], levels=tid2013.LEVELS, seed=1, workers=1
    ):
        pass
    return root


def write_small_config(tree: Path) -> None:
    # Of 224 + 2 x 584 + 219 parameters.
    network = "network={name: residual_cnn, channels: 8, depth: 4}"
    data = "data={name: tid2013, types: [1, 16]}"
    loaded = config.load(config.find("quickstart"), [network, data], root=str(tree))
    Path("small.yaml").write_text(config.dump(loaded))


@pytest.mark.slow
def test_the_open_protocol_scores_a_model_by_level_and_type(script, tmp_path, tree, monkeypatch):
    run = tmp_path / "runs" / "of-two-types"
    run.mkdir(parents=True)
    two = config.load(
        config.find("quickstart"),
        ["data={name: tid2013, types: [1, 16]}", "network={name: residual_cnn, channels: 4}"],
        root=str(tree),
    )
    (run / runs.CONFIG).write_text(config.dump(two))
    network = weights.build_network(two)
    network.layers[-2].bias.assign([2 / 255] * 3)
    weights.save(network, run / runs.BEST_WEIGHTS)
    monkeypatch.chdir(tmp_path)
    script.main(["open", "of-two-types", "--data", str(tree), "--out", "study"])
    scores = json.loads((tmp_path / "study" / "open-of-two-types.json").read_text())
    for split, numbers in (("test", range(16, 21)), ("val", range(21, 26))):
        assert set(scores[split]["levels"]) == {"1", "2", "3", "4", "5"}
        assert len(scores[split]["pristine"]) == len(numbers)
        # Every value is 2 of 255 off, but for the clipped ones.
        assert all(42 < psnr < 43 for psnr in scores[split]["pristine"].values())
        last = scores[split]["levels"]["5"]
        assert set(last["per_type"]) == {"1", "16"}
        assert set(last["per_reference"]) == {f"i{number}" for number in numbers}
        # Type 1 is of known variance, of which clipping takes some away.
        for level, variance in (("1", 32.5), ("5", 520)):
            mse = scores[split]["levels"][level]["per_type"]["1"]["identity"]["mse"]
            assert 0.7 * variance < 255**2 * mse < 1.05 * variance
    tables = (tmp_path / "study" / "open-of-two-types.md").read_text()
    assert "| 16 mean shift | " in tables
    assert (tmp_path / "study" / "open-of-two-types.jpg").is_file()
    assert "of 2 |" in tables
    assert not list(run.glob("scores*"))


@pytest.mark.slow
def test_the_article_protocol_trains_as_many_steps_as_the_time_allows(
    script, tmp_path, tree, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    write_small_config(tree)
    monkeypatch.setattr(script, "EPOCHS", 3)
    arguments = ["article", "small.yaml", "--minutes", "0.1", "--data", str(tree)]
    arguments += ["--out", "study", "--override", "training.augmentation.rotations=true"]
    script.main(arguments)
    [entry] = json.loads((tmp_path / "study" / "article-0.1-minutes.json").read_text()).values()
    assert len(entry["curve"]) == 3
    [run] = (tmp_path / "study" / "0.1-minutes").iterdir()
    [probed] = json.loads((tmp_path / "study" / "rates.json").read_text()).values()
    assert entry["steps"] == 3 * max(1, round(60 * 0.1 * probed / 3 / script.BATCH_SIZE))
    assert runs.read_config(run).training.augmentation.rotations
    averages = runs.read_config(run).training.optimizer.exponential_moving_average
    assert averages == pytest.approx(1 - 1 / min(entry["steps"] / 3, script.MOST_AVERAGED))
    assert [point["minutes"] for point in entry["curve"]][::2] == pytest.approx([0.1 / 3, 0.1])
    assert set(entry["val"]["per_reference"]) == {f"i{number}" for number in range(21, 26)}
    tables = (tmp_path / "study" / "article-0.1-minutes.md").read_text()
    assert "| small.yaml | 1,611 | " in tables
    for split in ("val", "test"):
        row = script.figures(entry[split]["per_type"]["16"])
        assert f"| 16 mean shift | small.yaml | {row} |\n" in tables
    assert (tmp_path / "study" / "article-0.1-minutes.png").is_file()
    # Nothing is trained or scored again.
    monkeypatch.delattr(script, "train")
    monkeypatch.delattr(script.evaluation, "evaluate")
    script.main(arguments)
    assert len(list((tmp_path / "study" / "0.1-minutes").iterdir())) == 1


@pytest.mark.slow
def test_what_the_article_found_is_looked_for_on_equal_terms(script, tmp_path, tree, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small_config(tree)
    monkeypatch.setattr(script, "EQUAL_EPOCHS", 2)
    monkeypatch.setattr(script, "LONG_EPOCHS", 4)
    monkeypatch.setattr(script, "FAST_EPOCHS", 3)
    monkeypatch.setattr(script, "ARTICLES_NETWORKS", {"small.yaml": 4})
    monkeypatch.setattr(script, "CURVES", ("small.yaml",))
    monkeypatch.setattr(script, "OVERFITTING", ("small.yaml",))
    arguments = ["findings", "small.yaml", "--data", str(tree), "--out", "study"]
    script.main(arguments)
    scores = json.loads(Path("study/findings.json").read_text())
    random, central = (scores["histories"][crop]["small.yaml"] for crop in ("random", "central"))
    assert len(random) == len(central) == 4
    assert all(a["val_loss"] != b["val_loss"] for a, b in zip(random, central, strict=True))
    # A training that is validated on central crops itself comes to the same.
    crops = "validation={batch_size: 4, patch_size: 64, crop: central}"
    overrides = (*script.AS_THE_ARTICLE, crops, "training.epochs=2")
    history = runs.read_history(script.train("small.yaml", tree, Path("alone"), overrides))
    assert [row["loss"] for row in history] == [row["loss"] for row in random[:2]]
    losses = [row["val_loss"] for row in history]
    assert [row["val_loss"] for row in central[:2]] == pytest.approx(losses, rel=1e-5)
    assert losses != pytest.approx([row["val_loss"] for row in random[:2]], rel=1e-2)
    short, long = (scores[key]["small.yaml"] for key in ("equal", "long"))
    assert short["minutes"] < long["minutes"]
    assert long["test"]["mse"] < short["test"]["mse"] < short["test"]["identity"]["mse"]
    assert long["train"]["mse"] < long["train"]["identity"]["mse"]
    assert "val" in long
    assert "train" not in short
    tables = Path("study/findings.md").read_text()
    assert tables.count("| small.yaml | 1,611 | ") == 2
    assert "| small.yaml | central | " in tables
    # Nothing is trained or scored again, and nothing is forgotten.
    before = {path: path.stat().st_mtime_ns for path in Path("study/scores").iterdir()}
    script.main(arguments)
    assert json.loads(Path("study/findings.json").read_text()) == scores
    assert {path: path.stat().st_mtime_ns for path in before} == before
    Path("study/scores/small-2-epochs.json").unlink()
    with pytest.raises(SystemExit, match="has 4 epochs"):
        script.main(arguments)
    with pytest.raises(SystemExit):
        script.main(["findings", "plain129", "--data", str(tree), "--out", "study"])


def test_configs_of_one_name_are_not_taken_for_each_other(tmp_path):
    arguments = ["article", "nafnet", "my/nafnet.yaml", "--data", "x", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert "expected configs of different names: nafnet, my/nafnet.yaml" in done.stderr


def test_findings_of_what_was_scored_on_the_test_split_only(script):
    gain = {"psnr": {"mean": 3.0, "low": 2.0, "high": 4.0}}
    split = {"mse": 0.005, "gain": gain}
    entry = {"parameters": 1234, "minutes": 5.6, "test": split}
    scores = {"equal": {"mirnet32": entry}, "long": {}, "histories": {}}
    line = "| mirnet32 | 1,234 | 6 | – | – | 0.00500 | – | – | +3.00 (+2.00 to +4.00) |"
    assert line in script.findings_tables(scores)


def test_networks_are_compared_with_the_first_in_pairs_of_references(script):
    def entry(*gains):
        groups = {
            f"i{n}": {"gain": {"psnr": {"mean": gain}}} for n, gain in enumerate(gains, start=16)
        }
        figures = {"psnr": 22.0, "ssim": 0.7, "mse": 0.005}
        gain = {"psnr": {"mean": 2.0, "low": 1.0, "high": 3.0}}
        split = figures | {"identity": figures, "gain": gain, "per_type": {}}
        split |= {"per_reference": groups}
        return {"parameters": 1234, "steps": 90, "test": split, "val": split}

    tables = script.article_tables({"one": entry(1.0, 3.0), "two": entry(2.0, 4.2)})
    assert tables.count("| difference in PSNR to one, 95 % interval |") == 2
    # By hand: t of 1 degree of freedom is 12.706, the standard error 0.1.
    assert tables.count(" | +1.10 (-0.17 to +2.37) |\n") == 2
    assert tables.count(" | 0.00500 | – |\n") == 2


def test_the_fall_of_the_training_loss_by_hand(script):
    losses = [1.0, *[0.5] * 6, 0.3, 0.2, 0.1, *[0.4] * 7, 0.2, 0.1, 0.0]
    history = [{"loss": loss, "val_loss": 1.0} for loss in losses]
    scores = {"equal": {}, "long": {}, "histories": {"random": {"plain128": history}}}
    # From 1.0 to 0.2, of all to 0.1.
    assert "| plain128 | random | 89% | 0.000 |" in script.findings_tables(scores)


def test_roughness_by_hand(script):
    assert script.roughness([8, 4, 2, 1]) == pytest.approx(0, abs=1e-12)
    # The second lies a factor of 2 above its neighbours, the third a factor of 2 below.
    assert script.roughness([1, 2, 1, 2]) == pytest.approx(math.log(2))
