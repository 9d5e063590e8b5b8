"""Measure everything that is promised to be fast, against what it is promised against.

Ratios are of times taken side by side in one run, each in a process of its own (but for `--short`,
whose figures mean nothing). PyTorch is measured where `--torch` names a Python that has it. Results
are printed, and written as JSON and Markdown.

How the figures are taken
  first step   from the start of the process to the end of the first training step, on the same
               pictures: `tidenhance train` as users run it, and a script in a tutorial's style
               (tf.data, compile, fit, all defaults) with the same network. Steps: the median of
               those after the first.
  step         the median step on random pictures that lie in memory, after two for warming up,
               each side run twice and in turn.
  digits       the second epoch of each side; ours ends with a validation of 100 digits.
  data         the time that the trainer stands in `next(batches)`, as a share of the step's.
  eval         all of `evaluation.evaluate`, against the sum of the network's forward passes in it.
  enhance      the whole process, cold, the median of three.
  growth       the slope of log time (or memory) over log size, by least squares.

What cannot be measured without a GPU is reasoned, in the table "predicted": launches are the
training graph's operations that start a kernel; FLOPs are six times the multiply-adds (forward, and
twice that backward); bytes are six passes over every layer's output. On the article's card (RTX
4080: 48.7 TFLOP/s in float32, 717 GB/s) a step takes at least the largest of FLOPs / peak, bytes /
bandwidth and 5 microseconds a launch; that is the ceiling, and the prediction lets each stage reach
half of it. `--device gpu` measures these steps on a GPU, fills the column that is empty here, and
measures nothing else: all other rows are of a CPU.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import itertools
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmark_children

CHILDREN = Path(benchmark_children.__file__)
PEAK, BANDWIDTH, LAUNCH = 48.7e12, 717e9, 5e-6
SPLITS = "data.splits={train: [1, 2, 3, 4, 5], val: [6], test: [7, 8]}"
PLAIN128: dict[str, Any] = {"name": "plain_cnn", "channels": [128] * 6}

Json = dict[str, Any]


def run_child(name: str, *arguments: Any, python: str = sys.executable) -> Json:
    """Run a function of benchmark_children.py in a process of its own; return what it printed."""
    environment = os.environ | {"STARTED": str(time.time())}
    command = [python, str(CHILDREN), name, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def timed_command(command: list[str]) -> tuple[float, int]:
    """Return the seconds and the peak memory, in bytes, of a command."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            errors.seek(0)
            raise RuntimeError(f"{command} failed:\n{errors.read()}")
    return time.perf_counter() - begun, 1024 * usage.ru_maxrss


def slope(sizes: list[float], values: list[float]) -> float:
    """Return the exponent b of values = a * sizes^b, by least squares of the logarithms."""
    x, y = ([math.log(v) for v in some] for some in (sizes, values))
    return statistics.linear_regression(x, y).slope


class Table:
    """The rows measured so far."""

    def __init__(self) -> None:
        self.rows: list[Json] = []

    def add(
        self,
        what: str,
        figure: float | None,
        target: float | None = None,
        *,
        least: bool = False,
        detail: str = "",
    ) -> None:
        met = None
        if figure is not None and target is not None:
            met = figure >= target if least else figure <= target
        sign = "≥" if least else "≤"
        self.rows.append(
            {
                "what": what,
                "figure": figure,
                "target": None if target is None else f"{sign} {target:g}",
                "met": met,
                "detail": detail,
            }
        )
        print(self.line(self.rows[-1]), flush=True)

    @staticmethod
    def line(row: Json) -> str:
        figure = "not measured" if row["figure"] is None else f"{row['figure']:.3g}"
        met = {None: "", True: "yes", False: "NO"}[row["met"]]
        return f"| {row['what']} | {figure} | {row['target'] or ''} | {met} | {row['detail']} |"


class Bench:
    """A folder with pictures, and the sizes to measure at."""

    def __init__(self, folder: Path, *, short: bool, torch: str | None) -> None:
        self.folder, self.short, self.torch = folder, short, torch
        self.table, self.growth, self.predicted = Table(), [], []
        self.data = folder / "data"
        self.types = [1, 10] if short else list(range(1, 25))
        self.on_data = ["--data", str(self.data), SPLITS, f"data.types={self.types}"]

    def child(self, name: str, *arguments: Any, python: str = sys.executable) -> Json:
        """Run a function of benchmark_children.py; in the short form in this process, for speed."""
        if self.short and python == sys.executable:
            return getattr(benchmark_children, name)(*arguments)
        return run_child(name, *arguments, python=python)

    def tool(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tidenhance", *arguments]

    def synthesis(self) -> None:
        levels = "5" if self.short else "1-5"
        size = "96x96" if self.short else "512x384"
        seconds, _ = timed_command(
            self.tool(
                *("data", "synth", "--references", "sample", "--out", str(self.data)),
                *("--types", ",".join(map(str, self.types)), "--levels", levels, "--size", size),
            )
        )
        made = len(list((self.data / "distorted_images").iterdir()))
        # The sample set has 8 references, TID2013 has 25.
        self.table.add(
            "`data synth`, minutes for 3,000 pictures",
            seconds / made * 3000 / 60,
            12,
            detail=f"{made} pictures in {seconds:.0f} s",
        )

    def first_steps(self) -> None:
        patch = 32 if self.short else 128
        small = {"name": "mirnet", "channels": 8, "groups": 1, "blocks": 1}
        for config, channels, target in (("mirnet32", 32, 0.20), ("mirnet64", 64, 0.30)):
            network = small if self.short else {"name": "mirnet", "channels": channels}
            steps = 5 if channels == 32 else 1
            options = [f"network={json.dumps(network)}", f"training.patch_size={patch}"]
            ours = self.train(config, steps, *options, f"validation.patch_size={patch}")
            theirs = run_child("tutorial", network, str(self.data), steps, patch)
            first, other = ours["ended"][0], theirs["ended"][0]
            self.table.add(
                f"first step, {config} / tutorial",
                first / other,
                target,
                detail=f"{first:.1f} s / {other:.1f} s",
            )
            if steps > 1:
                mine, its = (median_step(side["ended"]) for side in (ours, theirs))
                self.table.add(
                    f"step, {config} / tutorial",
                    mine / its,
                    0.85,
                    detail=f"{mine:.2f} s / {its:.2f} s",
                )
                self.waiting(config, ours)
            if self.short:
                break

    def train(self, config: str, steps: int, *overrides: str) -> Json:
        arguments = [
            *("--config", config, "--runs", str(self.folder / "runs"), *self.on_data),
            *("training.steps_per_epoch=1000", *overrides),
        ]
        return run_child("train", steps, arguments)

    def waiting(self, config: str, trained: Json) -> None:
        ended, waited = trained["ended"], trained["waited"]
        share = sum(waited[1:]) / (ended[-1] - ended[0])
        self.table.add(
            f"waiting for data / step, {config}", share, 0.02, detail=f"{len(ended) - 1} steps"
        )

    def waits(self) -> None:
        for config, steps in (("quickstart", 40), ("plain128", 4)):
            options = ["validation.batch_size=1", "validation.patch_size=32"]
            if config == "plain128":
                options.append("training.batch_size=2")
            if self.short:
                options.append("training.patch_size=32")
            trained = self.train(config, 4 if self.short else steps, *options)
            self.waiting(config, trained)

    def made_meanwhile(self) -> None:
        from PIL import Image

        from tidenhance.data import sample, stream

        folder = self.folder / "photographs"
        folder.mkdir()
        for name, pixels in sample.photographs().items():
            if pixels.shape[0] >= stream.HEIGHT and pixels.shape[1] >= stream.WIDTH:
                # Mirrored: those that the set's references are of are refused.
                Image.fromarray(pixels[:, ::-1]).save(folder / f"{name}.png")
        synthesis = [f"training.synthesis.photographs={folder}", "training.synthesis.window=64"]
        options = ["validation.patch_size=32", *synthesis]
        if self.short:
            options += ["training.patch_size=32", "training.later_patch_sizes=[]"]
            options += ["network={name: residual_cnn, channels: 4, depth: 2}"]
        trained = self.train("nafnet-open-patches", 8 if self.short else 200, *options)
        self.waiting("nafnet-open-patches, pictures made meanwhile", trained)

    def steps(self) -> None:
        shapes = [[4, 128, 128, 3], [1, 384, 512, 3]]
        network, count = PLAIN128, 6
        if self.short:
            shapes, network, count = [[1, 32, 32, 3]], {"name": "plain_cnn", "channels": [8]}, 2
        for shape in shapes:
            sides = {"ours": sys.executable, "fit": sys.executable}
            if self.torch:
                sides["torch"] = self.torch
            seconds: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(1 if self.short else 2):
                for side, python in sides.items():
                    found = self.child("step", side, network, shape, count, python=python)
                    seconds[side] += found["seconds"]
            medians = {side: statistics.median(some) for side, some in seconds.items()}
            size = " x ".join(map(str, shape[:3]))
            for side, other, target in (
                ("fit", "Keras' fit", 1.0),
                ("torch", "PyTorch eager", 0.65),
            ):
                ratio = medians["ours"] / medians[side] if side in medians else None
                detail = f"{medians['ours']:.3f} s / {medians.get(side, math.nan):.3f} s"
                self.table.add(
                    f"step, plain128, {size} / {other}",
                    ratio,
                    target,
                    detail=detail if ratio else "no PyTorch here: --torch PYTHON",
                )

    def digits(self) -> None:
        """An epoch of the manual's autoencoder, which has more overhead than arithmetic."""
        import numpy as np

        count = 320 if self.short else 60_000
        random = np.random.default_rng(1)
        made = {
            f"{axis}_{part}": values
            for part, size in (("train", count), ("test", 100))
            for axis, values in (
                ("x", random.integers(0, 256, (size, 28, 28), np.uint8)),
                ("y", np.zeros(size, np.uint8)),
            )
        }
        file, folder = self.folder / "digits.npz", self.folder / "runs-digits"
        np.savez(file, **made)
        ours = self.tool("train", "--config", "mnist-conv-coarse", "--runs", str(folder))
        timed_command([*ours, "--data", str(file), "training.epochs=2"])
        [run] = folder.iterdir()
        with (run / "history.csv").open() as stream:
            mine = float(list(csv.DictReader(stream))[-1]["seconds"])
        ratio, detail = None, f"{mine:.1f} s; no PyTorch here: --torch PYTHON"
        if self.torch:
            theirs = {
                workers: run_child("torch_digits", count, workers, python=self.torch)["seconds"]
                for workers in (0, 2)
            }
            workers = min(theirs, key=theirs.__getitem__)
            ratio = mine / theirs[workers]
            detail = f"{mine:.1f} s / {theirs[workers]:.1f} s with {workers} workers"
        self.table.add(
            f"epoch of {count:,} digits, mnist-conv-coarse / PyTorch with its DataLoader",
            ratio,
            0.5,
            detail=detail,
        )

    def adam(self) -> None:
        network = {"name": "mirnet", "channels": 32}
        if self.short:
            network = {"name": "mirnet", "channels": 8, "groups": 1, "blocks": 1}
        found = self.child("adam", network)
        self.table.add(
            "weights after 10 updates / Keras' Adam, largest relative difference",
            found["largest"],
            1e-6,
            detail=f"{found['variables']} variables of MIRNet",
        )

    def pipeline(self) -> None:
        for patch, pictures in ((32 if self.short else 128, 2000), (None, 400)):
            rates = self.child(
                "pipeline", str(self.data), self.types, patch, 40 if self.short else pictures
            )
            what = f"{patch} x {patch} crops" if patch else "whole pictures"
            self.table.add(
                f"pictures a second from memory / decoded anew, {what}",
                rates["memory"] / rates["disk"],
                10,
                least=True,
                detail=f"{rates['memory']:.0f} / {rates['disk']:.0f}",
            )

    def runs(self) -> dict[str, Path]:
        """Make a run of one step with plain128 and one with the quickstart's network."""
        made = {}
        for config in ("plain128", "quickstart"):
            folder = self.folder / f"runs-{config}"
            options = ["training.epochs=1", "training.steps_per_epoch=1", "training.batch_size=1"]
            options += ["training.patch_size=32", "validation={batch_size: 1, patch_size: 32}"]
            if self.short:
                options += ["network={name: plain_cnn, channels: [8]}"]
            timed_command(
                self.tool(
                    *("train", "--config", config, "--runs", str(folder)),
                    *(*self.on_data, *options),
                )
            )
            [made[config]] = folder.iterdir()
        return made

    def evaluation(self, run: Path) -> None:
        found = self.child("evaluation", str(run), "val" if self.short else "train")
        self.table.add(
            "`eval`, plain128 / its network's own time",
            found["seconds"] / found["network"],
            1.10,
            detail=f"{found['pairs']} pairs, {found['seconds']:.0f} s / {found['network']:.0f} s",
        )

    def enhancing(self, runs: dict[str, Path]) -> None:
        picture = next((self.data / "distorted_images").iterdir())
        for config, run in runs.items():
            seconds = {}
            for side in ("ONNX", "TensorFlow"):
                chosen = run
                if side == "TensorFlow":
                    chosen = run.with_name(f"{run.name}-without-onnx")
                    shutil.copytree(run, chosen)
                    (chosen / "best.onnx").unlink(missing_ok=True)
                seconds[side] = self.cold(picture, str(chosen))
            detail = f"{seconds['ONNX']:.2f} s / {seconds['TensorFlow']:.2f} s"
            self.table.add(
                f"`enhance` from cold, {config}, ONNX / TensorFlow",
                seconds["ONNX"] / seconds["TensorFlow"],
                0.35 if config == "plain128" else 0.15,
                detail=detail,
            )
            if config == "quickstart":
                self.table.add("`enhance` from cold, quickstart, seconds", seconds["ONNX"], 1.0)

    def cold(self, picture: Path, run: str) -> float:
        """Return the seconds in which a picture is restored, all that starts included."""
        out = str(self.folder / "restored.bmp")
        command = self.tool("enhance", str(picture), "--run", run, "-o", out, "--force")
        return statistics.median(timed_command(command)[0] for _ in range(1 if self.short else 3))

    def shipped_model(self) -> None:
        picture = next((self.data / "distorted_images").iterdir())
        self.table.add(
            "`enhance` from cold, nafnet-open, seconds", self.cold(picture, "nafnet-open"), 1.0
        )
        if not self.short:
            path = self.tiled(6000, 4000)
            out = str(path.with_name("nafnet-open.png"))
            seconds, most = timed_command(
                self.tool("enhance", str(path), "--run", "nafnet-open", "-o", out)
            )
            self.table.add(
                "`enhance`, 24 megapixels, nafnet-open, GB at the peak",
                most / 1e9,
                2,
                detail=f"{seconds:.0f} s",
            )

    def tiled(self, width: int, height: int) -> Path:
        """Write a picture of a size, made of one that is repeated.

        In a process of its own: what a process took at its peak is a floor under what those that it
        starts are said to take.
        """
        path = self.folder / f"{width}.bmp"
        source = next((self.data / "reference_images").iterdir())
        run_child("write_tiled", str(source), width, height, str(path))
        return path

    def pictures(self, run: Path) -> None:
        """Time and memory of `enhance` against the size of the picture."""
        sizes = [(64, 48), (128, 96)] if self.short else [(512, 384), (2048, 1536), (6000, 4000)]
        megapixels, seconds, memory = [], [], []
        for width, height in sizes:
            path = self.tiled(width, height)
            command = self.tool(
                "enhance", str(path), "--run", str(run), "-o", str(path.with_suffix(".png"))
            )
            took, most = timed_command(command)
            megapixels.append(width * height / 1e6)
            seconds.append(took)
            memory.append(float(most))
        start, large = seconds[0], seconds[-1]
        if not self.short:
            per_picture = run_child("forward", str(run), [384, 512], 5)["seconds"]
            arithmetic = per_picture * megapixels[-1] / megapixels[0]
            self.table.add(
                "`enhance`, 24 megapixels, plain128 / arithmetic at 512 x 384",
                large / arithmetic,
                1.3,
                detail=f"{large:.0f} s / {arithmetic:.0f} s",
            )
            self.table.add("`enhance`, 24 megapixels, GB at the peak", memory[-1] / 1e9, 2)
        self.grows(
            "`enhance`, seconds by megapixels",
            megapixels,
            [max(s - start / 2, 1e-3) for s in seconds],
        )
        self.grows("`enhance`, memory by megapixels", megapixels, memory)

    def memory(self) -> None:
        network, shape = {"name": "plain_cnn", "channels": [256] * 6}, [8, 384, 512, 3]
        if self.short:
            network, shape = {"name": "plain_cnn", "channels": [8]}, [4, 32, 32, 3]
        found = self.child("accumulated", network, shape, 1)
        self.table.add(
            "plain256 at 8 x 384 x 512 in micro-batches of 1, GB at the peak",
            found["peak_bytes"] / 1e9,
            16,
            detail=f"{found['seconds']:.0f} s the first step",
        )

    def help(self) -> None:
        ours, theirs = (
            statistics.median(timed_command(command)[0] for _ in range(7))
            for command in (self.tool("--help"), [sys.executable, "-c", "import typer"])
        )
        self.table.add(
            "`--help` / an interpreter that imports typer",
            ours / theirs,
            2,
            detail=f"{ours:.2f} s / {theirs:.2f} s",
        )

    def grows(self, what: str, sizes: list[float], values: list[float]) -> None:
        row = {"what": what, "sizes": sizes, "values": values, "exponent": slope(sizes, values)}
        self.growth.append(row)
        print(f"{what}: exponent {row['exponent']:.2f}", flush=True)

    def training_growth(self) -> None:
        side, count = (16, 2) if self.short else (128, 4)
        batches, widths = ([1, 2], [4, 8]) if self.short else ([1, 2, 4, 8], [32, 64, 128])
        for what, sizes, cases in (
            ("batch", batches, [([64] * 6, [n, side, side, 3]) for n in batches]),
            ("channels", widths, [([n] * 6, [4, side, side, 3]) for n in widths]),
        ):
            found = [
                self.child("step", "ours", {"name": "plain_cnn", "channels": list(c)}, shape, count)
                for c, shape in cases
            ]
            medians = [statistics.median(one["seconds"]) for one in found]
            self.grows(f"training step, seconds by {what}", [float(n) for n in sizes], medians)
            peaks = [float(one["peak_bytes"]) for one in found]
            self.grows(f"training step, memory by {what}", [float(n) for n in sizes], peaks)
            if self.short:
                break

    def pairs_growth(self, run: Path) -> None:
        few, many = (self.child("evaluation", str(run), split) for split in ("val", "test"))
        if many["pairs"] > few["pairs"]:
            self.grows(
                "`eval`, seconds by pairs",
                [float(few["pairs"]), float(many["pairs"])],
                [few["seconds"], many["seconds"]],
            )

    def prediction(self, gpu: bool) -> None:
        cases: list[tuple[str, Json, list[int]]] = [
            ("plain128", PLAIN128, [8, 384, 512, 3]),
            ("plain256", {"name": "plain_cnn", "channels": [256] * 6}, [8, 384, 512, 3]),
            ("mirnet32", {"name": "mirnet", "channels": 32}, [4, 128, 128, 3]),
            ("mirnet64", {"name": "mirnet", "channels": 64}, [4, 128, 128, 3]),
        ]
        if self.short:
            cases = [("plain", {"name": "plain_cnn", "channels": [8]}, [2, 32, 32, 3])]
        for name, network, shape in cases:
            found = self.child("graph", network, shape)
            stages = {
                "arithmetic": found["flops"] / PEAK,
                "memory": found["bytes"] / BANDWIDTH,
                "launches": found["launches"] * LAUNCH,
            }
            steps = 45 if name.startswith("plain") else 90
            row = {
                "network": name,
                **found,
                "bound_by": max(stages, key=stages.__getitem__),
                "epoch_ceiling_s": steps * max(stages.values()),
                "epoch_predicted_s": steps * 2 * max(stages.values()),
                "measured_step_s": None,
            }
            if gpu:
                row["measured_step_s"] = {
                    "ours": statistics.median(
                        self.child("step", "ours", network, shape, 20)["seconds"]
                    ),
                    "fit": statistics.median(
                        self.child("step", "fit", network, shape, 20)["seconds"]
                    ),
                }
            self.predicted.append(row)
            print(row, flush=True)


def median_step(ended: list[float]) -> float:
    return statistics.median(b - a for a, b in itertools.pairwise(ended))


def versions() -> Json:
    from importlib.metadata import version

    names = ("tensorflow", "keras", "numpy", "onnxruntime")
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, {cpu}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def markdown(result: Json) -> str:
    about = result["about"]
    lines = [
        f"Measured on {about['date']}: {about['machine']};"
        f" TensorFlow {about['tensorflow']}, Keras {about['keras']}.",
        "",
        "| what | figure | target | met | |",
        "|---|---|---|---|---|",
        *map(Table.line, result["table"]),
        "",
        "| how it grows | exponent |",
        "|---|---|",
        *(f"| {row['what']} | {row['exponent']:.2f} |" for row in result["growth"]),
        "",
        "| network (predicted for an RTX 4080) | launches | TFLOP | GB | bound by | epoch, ceiling"
        " | epoch, predicted | measured step here |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['network']} | {row['launches']:,} | {row['flops'] / 1e12:.2f}"
            f" | {row['bytes'] / 1e9:.1f} | {row['bound_by']} | {row['epoch_ceiling_s']:.1f} s"
            f" | {row['epoch_predicted_s']:.1f} s | {row['measured_step_s'] or 'no GPU'} |"
            for row in result["predicted"]
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--short", action="store_true", help="everything once, in small: no figures"
    )
    parser.add_argument("--torch", metavar="PYTHON", help="a Python that has PyTorch")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--only", nargs="*", help="names of the parts to run")
    parser.add_argument(
        "--out", type=Path, default=Path("benchmark"), help="the folder of the results"
    )
    arguments = parser.parse_args()
    if arguments.out.is_file():
        parser.error(f"--out: expected a folder: {arguments.out}")
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    if arguments.device == "gpu":
        if arguments.only:
            parser.error("--only: not with --device gpu, which measures one part")
        arguments.only = ["prediction"]
        run_child("check_gpu")
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(Path(temporary), short=arguments.short, torch=arguments.torch)
        runs: dict[str, Path] = {}
        parts: dict[str, Callable[[], None]] = {
            "synthesis": bench.synthesis,
            "help": bench.help,
            "first_steps": bench.first_steps,
            "waits": bench.waits,
            "made_meanwhile": bench.made_meanwhile,
            "steps": bench.steps,
            "digits": bench.digits,
            "adam": bench.adam,
            "pipeline": bench.pipeline,
            "runs": lambda: runs.update(bench.runs()),
            "enhancing": lambda: bench.enhancing(runs),
            "shipped_model": bench.shipped_model,
            "pictures": lambda: bench.pictures(runs["plain128"]),
            "evaluation": lambda: bench.evaluation(runs["plain128"]),
            "memory": bench.memory,
            "training_growth": bench.training_growth,
            "pairs_growth": lambda: bench.pairs_growth(runs["quickstart"]),
            "prediction": lambda: bench.prediction(arguments.device == "gpu"),
        }
        needed = {"synthesis", *(arguments.only or parts)}
        if unknown := needed - set(parts):
            parser.error(f"--only: expected some of {', '.join(parts)}: {', '.join(unknown)}")
        if needed & {"enhancing", "pictures", "evaluation", "pairs_growth"}:
            needed.add("runs")
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, part in parts.items():
            if name in needed:
                part()
        result = {
            "about": versions(),
            "minutes": (time.monotonic() - begun) / 60,
            "table": bench.table.rows,
            "growth": bench.growth,
            "predicted": bench.predicted,
        }
    (arguments.out / "benchmark.json").write_text(json.dumps(result, indent=2) + "\n")
    (arguments.out / "benchmark.md").write_text(markdown(result))
    print(f"{result['minutes']:.0f} minutes; written: {arguments.out}/benchmark.json and .md")


if __name__ == "__main__":
    main()
