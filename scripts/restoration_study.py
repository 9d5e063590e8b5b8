"""How well networks restore pictures, by three protocols, on a set synthesised from Kodak's.

`photographs` collects those that the shipped model is trained on: the files that
open_photographs.csv lists, of Debian's packages (fetched with apt-get and unpacked, not installed)
and of scikit-image and scikit-learn, and Kodak's 1 to 15. `open` scores a model, or a run, on
Kodak's 16 to 24 and the drawn picture: all types, levels 1 to 5, and pristine pictures. `article`
trains the networks of configs on the 360 level-5 pairs of 1 to 15, each for the same time and with
the same recipe but for the learning rate, which is its config's own, and scores them. The time
becomes a number of steps by short trainings before, of all networks by turns, so that what else
the machine does meanwhile changes nothing. `findings` trains the article's own networks, alike but
for the learning rate, for what the article found; of each the best of so many epochs is scored.
Runs that are in OUT already are gone on with: OUT is for one set.

The set is made with `tidenhance data synth --references KODAK --out SET`.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import numpy as np
import skimage.data
from matplotlib import pyplot
from numpy.typing import NDArray

from tidenhance import (
    checkpoints,
    components,
    device,
    evaluation,
    feed,
    forward_tensorflow,
    images,
    inference,
    runs,
    weights,
)
from tidenhance.data import distortions
from tidenhance.data.datasets import tid2013
from tidenhance.data.pairs import Split
from tidenhance.errors import TidenhanceError
from tidenhance.files import new_folder, write_text
from tidenhance.scores import differences

OUT = Path("restoration-study")

LISTED = Path(__file__).with_name("open_photographs.csv")

# Kodak's photographs that are neither validated nor tested on.
KODAK_TO_TRAIN = tid2013.Splits().of("train")

# Types that are drawn.
EXAMPLES = (1, 5, 3, 22, 7, 10, 12, 16)

# The heads of the columns that `figures` fills, and how they are aligned.
FIGURES = "PSNR in | PSNR out | gain, 95 % interval | SSIM in | SSIM out | MSE in | MSE out"
FIGURES_ALIGNED = "---:|---:|---|---:|---:|---:|---:"

EPOCHS = 30
BATCH_SIZE = 8

# How fast a network is trained: the fastest of some short epochs, but for each training's first, in
# rounds over all networks, since what else the machine does slows some of them.
PROBING_ROUNDS = 2
PROBE = (
    "training.epochs=3",
    "training.steps_per_epoch=10",
    "training.optimizer.exponential_moving_average=0.995",
    # Of a few epochs neither would be long enough.
    "training.later_patch_sizes=[]",
    "training.learning_rate_schedule={}",
    "data.types=[1]",
)

# Averages of weights reach back over an epoch's steps, at most so many: where a step takes long,
# more would hold what the first epochs left.
MOST_AVERAGED = 200

SPLITS: tuple[Split, ...] = ("test", "val")

ARTICLES_DATA_AND_LOSS = ("data.levels=[5]", "loss={name: mse}", "metrics=[psnr]")

# As the article trained, but for small crops, so that a CPU does it: pictures a step, and steps
# an epoch, are MIRNet's.
AS_THE_ARTICLE = (
    *ARTICLES_DATA_AND_LOSS,
    "training.batch_size=4",
    "training.patch_size=64",
    "training.learning_rate_schedule={}",
    "validation={batch_size: 4, patch_size: 64, crop: random}",
)

# All are compared after as many epochs, by the best of them; some go on.
EQUAL_EPOCHS = 6
LONG_EPOCHS = 20
FAST_EPOCHS = 10  # so long learning is said to be fast
ARTICLES_NETWORKS = {
    "plain-irregular": LONG_EPOCHS,
    "plain128": LONG_EPOCHS,
    "plain256": EQUAL_EPOCHS,
    "mirnet32": LONG_EPOCHS,
    "mirnet64": EQUAL_EPOCHS,
}
CURVES = ("plain128", "mirnet32")

# One of them is said to overfit beside the other; only these are scored on all splits, and only at
# the end, since whole pictures take longer than all training.
OVERFITTING = ("plain-irregular", "plain128")

RECIPE = (
    *ARTICLES_DATA_AND_LOSS,
    "data.splits={}",
    f"training.batch_size={BATCH_SIZE}",
    "training.patch_size=128",
    "training.later_patch_sizes=[]",
    "training.synthesis=null",
    "training.gradient_accumulation_steps=1",
    "training.early_stopping=null",
    "training.stop_at=null",
    "training.initial_weights=null",
    "training.precision=float32",
    "training.augmentation={flips: true}",
    "training.learning_rate_schedule={cosine_decay: {warm_up_epochs: 1, minimum: 1e-6}}",
    "training.optimizer={beta_2: 0.99, weight_decay: 1e-4, gradient_clip_norm: 1.0}",
    "validation={batch_size: 8, patch_size: 128}",
)


def collect_photographs(kodak: Path, out: Path) -> None:
    """Copy the photographs that the shipped model is trained on into one new folder."""
    if out.exists():
        raise SystemExit(f"{out}: exists already.")
    missing = [name for name in map(kodak_name, KODAK_TO_TRAIN) if not (kodak / name).is_file()]
    if missing:
        raise SystemExit(f"{kodak}: no {', '.join(missing)}.")
    with LISTED.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    out.parent.mkdir(parents=True, exist_ok=True)
    with new_folder(out) as photographs, tempfile.TemporaryDirectory() as folder:
        roots = {
            source: folder_of(source, Path(folder)) for source in {row["source"] for row in rows}
        }
        sources = {row["name"]: roots[row["source"]] / row["path"] for row in rows}
        sources |= {name: kodak / name for name in map(kodak_name, KODAK_TO_TRAIN)}
        for name, source in sources.items():
            if not source.is_file():
                raise SystemExit(f"{source}: no such file.")
            shutil.copyfile(source, photographs / name)


def kodak_name(number: int) -> str:
    return f"kodim{number:02d}.png"


def folder_of(source: str, folder: Path) -> Path:
    """Return the folder that a source's paths are within."""
    kind, _, package = source.rpartition(" ")
    if kind == "Debian":
        place = folder / package
        place.mkdir()
        subprocess.run(["apt-get", "download", package], cwd=place, check=True)
        [archive] = place.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", archive, place], check=True)
        return place
    found = importlib.util.find_spec({"scikit-image": "skimage", "scikit-learn": "sklearn"}[source])
    if found is None or found.origin is None:
        raise SystemExit(f"{source} is not installed.")
    return Path(found.origin).parent


def copied(source: Path, folder: Path) -> Path:
    """Return a new copy of a run, to be scored: what is scored already is not written to."""
    ignored = shutil.ignore_patterns(runs.CHECKPOINTS, runs.TENSORBOARD, runs.IMAGES)
    return Path(shutil.copytree(source, folder / source.name, dirs_exist_ok=True, ignore=ignored))


def score_open(run: Path, network: inference.Network, data: Path) -> dict[str, Any]:
    """Return the scores of a run: `SPLITS`, each with its levels, types and pristine pictures."""
    options = runs.read_config(run).data.options | {"root": str(data)}
    pairs = tid2013.load(**options)
    return {
        split: {
            "levels": {
                str(level): evaluation.evaluate(run, split, root=str(data), levels=[level])
                for level in tid2013.LEVELS
            },
            "pristine": {
                path.stem: pristine_psnr(network, path)
                for path in sorted({pair.reference for pair in pairs[split]})
            },
        }
        for split in SPLITS
    }


def pristine_psnr(network: inference.Network, path: Path) -> float:
    """Return the PSNR, in dB, at which a picture comes back that nothing was done to."""
    reference = images.read_rgb(path)
    return evaluation.picture_figures(reference, restored(network, reference))["psnr"]


def restored(network: inference.Network, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    values = images.to_float(picture)
    output = inference.restore(network.forward, values, size_multiple=network.size_multiple)
    return images.to_rgb(output)


def draw_examples(path: Path, network: inference.Network) -> None:
    """Draw a part of a photograph at level 5 of some types, above distorted and below restored."""
    photograph = skimage.data.chelsea()[:288, 30:414]
    figure, axes = pyplot.subplots(2, len(EXAMPLES), figsize=(14, 2.9), layout="constrained")
    for column, number in zip(axes.T, EXAMPLES, strict=True):
        distortion = distortions.by_number()[number]
        distorted = distortion.distort(photograph, 5, np.random.default_rng([1, number]))
        for axis, picture in zip(column, (distorted, restored(network, distorted)), strict=True):
            psnr = evaluation.picture_figures(photograph, picture)["psnr"]
            axis.imshow(picture[72:216, 110:302])
            axis.set(xticks=[], yticks=[], xlabel=f"{psnr:.1f} dB")
        column[0].set_title(f"{number} {distortion.NAME}", fontsize=8)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def open_tables(scores: dict[str, Any]) -> str:
    """Return the tables of the open protocol as Markdown."""
    lines = []
    for split in SPLITS:
        levels, pristine = scores[split]["levels"], scores[split]["pristine"]
        lines += [
            f"### {split}: by level",
            "",
            f"| level | {FIGURES} | types that gain |",
            f"|---:|{FIGURES_ALIGNED}|---:|",
        ]
        for level, entry in levels.items():
            gaining = sum(one["gain"]["psnr"]["mean"] > 0 for one in entry["per_type"].values())
            lines.append(f"| {level} | {figures(entry)} | {gaining} of {len(entry['per_type'])} |")
        values = list(pristine.values())
        lines += [
            "",
            f"Pristine pictures come back at {statistics.mean(values):.1f} dB on average, the"
            f" worst at {min(values):.1f} dB ({len(values)} pictures).",
            "",
            f"### {split}: level 5, by type",
            "",
            f"| type | {FIGURES} | gain at levels 1 / 2 / 3 / 4 |",
            f"|---|{FIGURES_ALIGNED}|---|",
        ]
        last = levels["5"]
        for number, entry in last["per_type"].items():
            others = " / ".join(
                f"{levels[level]['per_type'][number]['gain']['psnr']['mean']:+.1f}"
                for level in "1234"
            )
            lines.append(f"| {number} {entry['name']} | {figures(entry)} | {others} |")
        lines.append("")
    return "\n".join(lines)


def rates_side_by_side(
    names: Sequence[str], data: Path, path: Path, overrides: Sequence[str]
) -> dict[str, float]:
    """Return how many pictures a second each config's network is trained on, by the config's name.

    Those in the file `path` are not measured again; the others are added to it.
    """
    rates: dict[str, float] = runs.read_json(path) if path.is_file() else {}
    missing = [name for name in names if Path(name).stem not in rates]
    for _ in range(PROBING_ROUNDS):
        for name in missing:
            with tempfile.TemporaryDirectory() as probes:
                probe = train(name, data, Path(probes), (*RECIPE, *overrides, *PROBE))
                found = [row["images_per_second"] for row in runs.read_history(probe)[1:]]
            rates[Path(name).stem] = max(*found, rates.get(Path(name).stem, 0.0))
    write_text(path, json.dumps(rates, indent=2) + "\n")
    return rates


def train_for(
    minutes: float, rate: float, name: str, data: Path, folder: Path, overrides: Sequence[str]
) -> Path:
    """Return the run of a config trained for so many minutes, trained now if it is not there.

    `rate` is the number of pictures a second that it is trained on; `overrides` are of the recipe.
    """
    earlier = runs.newest_of(Path(name).stem, folder)
    if earlier is not None:
        # Another recipe is refused.
        return go_on(earlier, *overrides)
    steps = max(1, round(60 * minutes * rate / BATCH_SIZE / EPOCHS))
    average = f"training.optimizer.exponential_moving_average={1 - 1 / min(steps, MOST_AVERAGED)}"
    length = (f"training.epochs={EPOCHS}", f"training.steps_per_epoch={steps}", average)
    return train(name, data, folder, (*RECIPE, *length, *overrides))


def train(name: str, data: Path, folder: Path, overrides: Sequence[str]) -> Path:
    """Return the run of a config with overrides."""
    tool("train", "--config", name, "--data", str(data), "--runs", str(folder), *overrides)
    return runs.newest_with_weights(folder)


def go_on(run: Path, *overrides: str) -> Path:
    tool("train", "--resume", str(run), *overrides)
    return run


def tool(*arguments: str) -> None:
    command = [sys.executable, "-m", "tidenhance", *arguments]
    with subprocess.Popen(command) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            # It got the signal too, and saves a checkpoint.
            process.wait()
            raise
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)


def study_findings(networks: Sequence[str], data: Path, out: Path) -> dict[str, Any]:
    """Train some of the article's networks; return what there is now of each.

    `equal` holds the scores of each after `EQUAL_EPOCHS`, `long` those after `LONG_EPOCHS`, by
    network and split; `histories` the histories by kind of validation crop and network.
    """
    for name in networks:
        for epochs in sorted({EQUAL_EPOCHS, ARTICLES_NETWORKS[name]}):
            score_after(name, data, out, epochs)
    histories: dict[str, Any] = {"random": {}, "central": {}}
    for name in ARTICLES_NETWORKS:
        run = runs.newest_of(Path(name).stem, out / "random")
        if run is None:
            continue
        history = histories["random"][name] = runs.read_history(run)
        if name in CURVES:
            losses = central_losses(name, out)
            histories["central"][name] = [
                {**row, "val_loss": losses[row["epoch"]]}
                for row in history
                if row["epoch"] in losses
            ]
    equal, long = (
        {
            name: runs.read_json(scores_path(name, out, epochs))
            for name in ARTICLES_NETWORKS
            if scores_path(name, out, epochs).is_file()
        }
        for epochs in (EQUAL_EPOCHS, LONG_EPOCHS)
    )
    return {"equal": equal, "long": long, "histories": histories}


def scores_path(name: str, out: Path, epochs: int) -> Path:
    return out / "scores" / f"{Path(name).stem}-{epochs}-epochs.json"


def score_after(name: str, data: Path, out: Path, epochs: int) -> None:
    """Write a network's scores after so many epochs, by split, if they are not there."""
    path = scores_path(name, out, epochs)
    if path.is_file():
        return
    run = train_alike(name, data, out, epochs)
    history = runs.read_history(run)
    if len(history) > epochs:
        raise SystemExit(f"{run}: has {len(history)} epochs, and {path} is not there.")
    is_the_end = epochs == ARTICLES_NETWORKS[name]
    splits = ("train", *SPLITS) if name in OVERFITTING and is_the_end else ("test",)
    scores = {
        "parameters": runs.read_json(run / runs.NETWORK)["parameters"],
        "minutes": sum(row["seconds"] for row in history) / 60,
        **{split: evaluation.evaluate(run, split, root=str(data)) for split in splits},
    }
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(scores, indent=2) + "\n")


def train_alike(name: str, data: Path, out: Path, epochs: int) -> Path:
    """Return the run of one of the article's networks after so many epochs, or more.

    Where curves are compared, each epoch's weights are also validated on central crops.
    """
    folder = out / "random"
    run = runs.newest_of(Path(name).stem, folder)
    done = len(runs.read_history(run)) if run else 0
    # Where no epoch is missing, it may have been cut off before its best weights were there.
    stops = range(max(1, done), epochs + 1) if name in CURVES else [max(done, epochs)]
    for until in stops:
        wanted = f"training.epochs={until}"
        run = go_on(run, wanted) if run else train(name, data, folder, (*AS_THE_ARTICLE, wanted))
        if name in CURVES:
            validate_centrally(name, run, until, out)
    return run


def validate_centrally(name: str, run: Path, epoch: int, out: Path) -> None:
    """Note the loss of an epoch's weights on central crops of the validation pairs."""
    losses = central_losses(name, out)
    if epoch in losses:
        return
    trained = runs.read_config(run)
    central = trained.validation.model_copy(update={"crop": "central"})
    network = weights.build_network(trained)
    weights.load(network, checkpoints.validated_weights(checkpoints.path_of(run, epoch)))
    loss = components.make("losses", trained.loss.name, trained.loss.options)
    network.compile(loss=loss, jit_compile=False)
    batches = feed.of(trained.model_copy(update={"validation": central})).validation(0)
    losses[epoch] = network.evaluate(batches, verbose=0)
    path = central_losses_path(name, out)
    path.parent.mkdir(exist_ok=True)
    write_text(path, json.dumps(losses, indent=2) + "\n")


def central_losses(name: str, out: Path) -> dict[int, float]:
    """Return the losses on central crops by epoch, as far as they are noted."""
    path = central_losses_path(name, out)
    noted = runs.read_json(path) if path.is_file() else {}
    return {int(epoch): loss for epoch, loss in noted.items()}


def central_losses_path(name: str, out: Path) -> Path:
    return out / "central" / f"{Path(name).stem}.json"


def findings_tables(scores: dict[str, Any]) -> str:
    """Return what the article found beside what came out, as Markdown."""
    lines = []
    for title, chosen in (("equal", EQUAL_EPOCHS), ("long", LONG_EPOCHS)):
        lines += [
            f"The best of {chosen} epochs of 90 steps of four 64 x 64 crops, each network at its"
            " config's learning rate:",
            "",
            "| network | parameters | minutes | MSE train | validation | test | PSNR gain train"
            " | validation | test, 95 % interval |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---|",
        ]
        for name, entry in scores[title].items():
            splits = [entry.get(split) for split in ("train", "val", "test")]
            cells = [
                *(f"{split['mse']:.5f}" if split else "–" for split in splits),
                *(f"{split['gain']['psnr']['mean']:+.2f}" if split else "–" for split in splits),
            ]
            gain = entry["test"]["gain"]["psnr"]
            lines.append(
                f"| {name} | {entry['parameters']:,} | {entry['minutes']:.0f} | "
                + " | ".join(cells)
                + f" ({gain['low']:+.2f} to {gain['high']:+.2f}) |"
            )
        lines.append("")
    lines += [
        "| network | validation crops | fall of the training loss by epochs"
        f" {FAST_EPOCHS - 2} to {FAST_EPOCHS}, of all until"
        f" {LONG_EPOCHS - 2} to {LONG_EPOCHS} | roughness of the validation loss |",
        "|---|---|---:|---:|",
    ]
    for crop, histories in scores["histories"].items():
        for name, history in histories.items():
            if len(history) < LONG_EPOCHS:
                continue
            losses = [row["loss"] for row in history]
            # Of three epochs each, since which pictures an epoch has moves its loss.
            fast = losses[FAST_EPOCHS - 3 : FAST_EPOCHS]
            share = (losses[0] - np.mean(fast)) / (losses[0] - np.mean(losses[-3:]))
            found = roughness([row["val_loss"] for row in history])
            lines.append(f"| {name} | {crop} | {share:.0%} | {found:.3f} |")
    return "\n".join(lines)


def roughness(losses: Sequence[float]) -> float:
    """Return the median distance of a loss's logarithm from the mean of its two neighbours'."""
    logarithms = np.log(losses)
    between = (logarithms[:-2] + logarithms[2:]) / 2
    return float(np.median(np.abs(logarithms[1:-1] - between)))


def article_tables(scores: dict[str, dict[str, Any]]) -> str:
    """Return the tables of the article protocol as Markdown."""
    lines = []
    first = next(iter(scores))
    for split in SPLITS:
        lines += [
            f"### {split}",
            "",
            f"| network | parameters | steps | {FIGURES} | difference in PSNR to {first}, 95 %"
            " interval |",
            f"|---|---:|---:|{FIGURES_ALIGNED}|---|",
        ]
        for name, entry in scores.items():
            to_first = differences(entry[split], scores[first][split])["psnr"]
            lines.append(
                f"| {name} | {entry['parameters']:,} | {entry['steps']:,}"
                f" | {figures(entry[split])} | {'–' if name == first else with_interval(to_first)}"
                " |"
            )
        lines += [
            "",
            f"### {split}: by type",
            "",
            f"| type | network | {FIGURES} |",
            f"|---|---|{FIGURES_ALIGNED}|",
        ]
        by_type = {name: entry[split]["per_type"] for name, entry in scores.items()}
        lines += [
            f"| {number} {of_first['name']} | {name} | {figures(types[number])} |"
            for number, of_first in by_type[first].items()
            for name, types in by_type.items()
        ]
        lines.append("")
    return "\n".join(lines)


def score_article(run: Path, data: Path, minutes: float) -> dict[str, Any]:
    """Return a run's size, steps, validation curve and scores.

    An epoch counts as the share of the minutes that its steps were meant to take.
    """
    history = runs.read_history(run)
    return {
        "parameters": runs.read_json(run / runs.NETWORK)["parameters"],
        "steps": (runs.read_config(run).training.steps_per_epoch or 0) * len(history),
        "curve": [
            {"minutes": minutes * row["epoch"] / EPOCHS, "val_mse": row["val_loss"]}
            for row in history
        ],
        **{split: scores_of(run, split, data) for split in SPLITS},
    }


def scores_of(run: Path, split: Split, data: Path) -> dict[str, Any]:
    """Return a run's scores on a split, measured now if there are none of its best weights."""
    scores = runs.read_scores(run, split)
    if scores is None or not runs.are_best_weights(run, scores.get("weights_sha256")):
        scores = evaluation.evaluate(run, split, root=str(data))
    return scores


def draw_curves(path: Path, scores: dict[str, dict[str, Any]]) -> None:
    """Draw the MSE that each network was validated at against the minutes it had trained."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    lowest = np.inf
    for name, entry in scores.items():
        minutes, errors = zip(*((p["minutes"], p["val_mse"]) for p in entry["curve"]), strict=True)
        axes.plot(minutes, errors, label=name)
        lowest = min(lowest, *errors)
    # Where they begin is several times above.
    axes.set_ylim(0.95 * lowest, 3 * lowest)
    axes.set(
        xlabel="minutes of training, by the steps that they were meant for",
        ylabel="validation MSE, central 128-pixel crops",
    )
    axes.legend()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def figures(entry: dict[str, Any]) -> str:
    before = entry["identity"]
    return (
        f"{before['psnr']:.2f} | {entry['psnr']:.2f} | {with_interval(entry['gain']['psnr'])}"
        f" | {before['ssim']:.3f} | {entry['ssim']:.3f} | {before['mse']:.5f} | {entry['mse']:.5f}"
    )


def with_interval(gain: dict[str, Any]) -> str:
    return f"{gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    photographs = commands.add_parser(
        "photographs", help="collect those that the shipped model is trained on"
    )
    photographs.add_argument("--kodak", type=Path, required=True, help="kodim01.png and others")
    photographs.add_argument("--out", type=Path, default=Path("photographs"), help="a new folder")
    study = argparse.ArgumentParser(add_help=False)
    study.add_argument("--data", type=Path, required=True, help="the synthesised set")
    study.add_argument("--out", type=Path, default=OUT, help="a folder for all that it makes")
    compared = commands.add_parser(
        "article", parents=[study], help="compare networks on the article's pairs"
    )
    compared.add_argument("configs", nargs="+", metavar="CONFIG", help="a config's name or file")
    compared.add_argument("--minutes", type=float, default=30.0, help="of training, each")
    compared.add_argument(
        "--override",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="changes the recipe of all, but not epochs and batch size; OUT is for one recipe",
    )
    found = commands.add_parser(
        "findings", parents=[study], help="train the article's networks alike"
    )
    found.add_argument(
        "networks",
        nargs="*",
        default=list(ARTICLES_NETWORKS),
        metavar="NETWORK",
        help="as its config is named; all five if none is given",
    )
    scored = commands.add_parser(
        "open", parents=[study], help="score a model on all levels and pristine pictures"
    )
    scored.add_argument("model", nargs="?", default=runs.DEFAULT_MODEL, help="a model or a run")
    scored.add_argument("--runs", type=Path, default=runs.FOLDER, help="the folder of all runs")
    given = parser.parse_args(arguments)
    if given.command == "photographs":
        collect_photographs(given.kodak, given.out)
        print(f"written: {given.out}, {len(list(given.out.iterdir()))} photographs")
        return
    given.out.mkdir(parents=True, exist_ok=True)
    if given.command == "open":
        run = copied(runs.find_model(given.model, given.runs), given.out / "runs")
        name = f"open-{run.name}"
        device.use("auto")
        network = forward_tensorflow.load(run)
        scores = score_open(run, network, given.data)
        tables = open_tables(scores)
        draw_examples(given.out / f"{name}.jpg", network)
    elif given.command == "findings":
        name = "findings"
        unknown = set(given.networks) - set(ARTICLES_NETWORKS)
        if unknown:
            parser.error(f"expected some of {', '.join(ARTICLES_NETWORKS)}: {', '.join(unknown)}")
        scores = study_findings(given.networks, given.data, given.out)
        tables = findings_tables(scores)
    else:
        name = f"article-{given.minutes:g}-minutes"
        stems = [Path(config).stem for config in given.configs]
        if len(set(stems)) < len(stems):
            parser.error(f"expected configs of different names: {', '.join(given.configs)}")
        rates = rates_side_by_side(
            given.configs, given.data, given.out / "rates.json", given.override
        )
        trained = {
            config: train_for(
                given.minutes,
                rates[Path(config).stem],
                config,
                given.data,
                given.out / f"{given.minutes:g}-minutes",
                given.override,
            )
            for config in given.configs
        }
        scores = {
            config: score_article(run, given.data, given.minutes) for config, run in trained.items()
        }
        tables = article_tables(scores)
        draw_curves(given.out / f"{name}.png", scores)
    (given.out / f"{name}.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    (given.out / f"{name}.md").write_text(tables, encoding="utf-8")
    print(tables)
    print(f"written: {given.out}/{name}.json, {name}.md")


if __name__ == "__main__":
    try:
        main()
    except (TidenhanceError, OSError) as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError as error:
        # What failed has said why.
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit(130)
