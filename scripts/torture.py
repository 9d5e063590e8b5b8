"""What a training survives: SIGKILL, SIGTERM, full disks, damaged checkpoints.

Every trial starts a real `tidenhance train` in a process of its own, disturbs it, goes on with
`tidenhance train --resume`, and compares the run directory with that of an undisturbed run:
weights, state of optimiser and metrics, history and curves, bit for bit (but for clock times).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CONFIG = """\
# A training that has everything to remember
seed: 1
network: {name: residual_cnn, channels: 64, depth: 5}
data: {name: tid2013, types: [1, 5, 10], splits: {train: [1, 2], val: [3], test: [4]}}
loss: {name: mse}
metrics: [psnr, mae]
training:
  epochs: 6
  steps_per_epoch: 20
  batch_size: 4
  gradient_accumulation_steps: 2
  patch_size: 32
  augmentation: {flips: true, rotations: true}
  learning_rate: 1e-2
  learning_rate_schedule: {reduce_on_plateau: {patience: 1}}
  early_stopping: {patience: 3}
  checkpoint_every: {steps: 6}
validation: {batch_size: 2}
"""
CLOCK = {"seconds", "images_per_second"}
TOOL = [sys.executable, "-m", "tidenhance"]

Result = dict[str, str]


class SkippedError(Exception):
    """This machine does not allow a disturbance."""


class Bench:
    """A data set, a config, and the undisturbed run to compare with."""

    def __init__(self, folder: Path) -> None:
        self.config, self.data = folder / "torture.yaml", folder / "data"
        self.config.write_text(CONFIG)
        synth = ["data", "synth", "--references", "sample", "--out", str(self.data)]
        options = ["--levels", "5", "--types", "1,5,10", "--size", "64x64"]
        subprocess.run([*TOOL, *synth, *options], check=True, stdout=subprocess.DEVNULL)
        start = time.monotonic()
        run = self.finish(folder / "undisturbed")
        self.expected = self.contents(run)
        self.seconds = time.monotonic() - start
        self.training_seconds = time.time() - (run / "config.yaml").stat().st_mtime

    def start(self, runs: Path, *more: str) -> subprocess.Popen[str]:
        """Start a training in a process of its own, or go on with the one that is there."""
        command = ["train", "--config", str(self.config), "--data", str(self.data), "--resume"]
        return subprocess.Popen(
            [*TOOL, *command, "--runs", str(runs), *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, runs: Path) -> Path:
        """Train to the end, and return the run directory."""
        process = self.start(runs)
        output, _ = process.communicate()
        if process.returncode != 0 or "Traceback" in output:
            raise AssertionError(f"exit code {process.returncode}:\n{output}")
        return newest(runs)

    def contents(self, run: Path) -> Result:
        """Return a digest of each file of a run directory, clock times and the log left out."""
        digests = {}
        for path in sorted(run.rglob("*")):
            name = str(path.relative_to(run))
            if path.name in ("log.txt", "SHA256SUMS", "config.yaml") or path.is_dir():
                continue
            content = path.read_bytes()
            if path.name == "history.csv":
                rows = csv.DictReader(content.decode().splitlines())
                content = repr([without_clock(row) for row in rows]).encode()
            elif path.name == "progress.json":
                progress = json.loads(content)
                rows = [without_clock(row) for row in progress["history"]]
                content = repr((rows, progress["step"], progress["pairs"])).encode()
            digests[name] = hashlib.sha256(content).hexdigest()
        return digests

    def compare(self, runs: Path) -> None:
        """Train to the end, and fail where a file differs from the undisturbed run's."""
        found = self.contents(self.finish(runs))
        names = self.expected.keys() | found.keys()
        different = [name for name in names if self.expected.get(name) != found.get(name)]
        if different:
            raise AssertionError(f"these files differ: {', '.join(sorted(different))}")


def without_clock(row: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in row.items() if key not in CLOCK}


def newest(runs: Path) -> Path:
    return max(runs.iterdir(), key=lambda path: path.stat().st_mtime)


def kill_at_any_moment(bench: Bench, runs: Path, chance: random.Random) -> str:
    """SIGKILL at any moment of the training, or, every fifth time, of the process before it."""
    process = bench.start(runs)
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0, bench.seconds - bench.training_seconds))
    else:
        while not any(runs.glob("*/config.yaml")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, bench.training_seconds))
    process.kill()
    process.communicate()
    if not any(runs.glob("*/config.yaml")):
        return "killed before there was a run"
    if process.returncode == 0:
        return "killed just after the end"
    checkpoints = sorted(path.name for path in runs.glob("*/checkpoints/epoch-*"))
    return f"killed after {checkpoints[-1] if checkpoints else 'no checkpoint'}"


def kill_while_saving(bench: Bench, runs: Path, chance: random.Random) -> str:
    """SIGKILL within a checkpoint's first milliseconds, one of the first twelve."""
    process = bench.start(runs)
    wanted, seen = chance.randint(1, 12), set()
    while len(seen) < wanted and process.poll() is None:
        seen.update(runs.glob("*/checkpoints/.unfinished-*"))
    time.sleep(chance.uniform(0, 0.01))
    process.kill()
    process.communicate()
    left = list(runs.glob("*/checkpoints/.unfinished-*"))
    return "killed with a checkpoint half written" if left else "killed just after a checkpoint"


def stop_softly(bench: Bench, runs: Path, chance: random.Random) -> str:
    """SIGTERM or Ctrl-C at a moment of the training proper."""
    process = bench.start(runs)
    while not any(runs.glob("*/checkpoints/epoch-*")) and process.poll() is None:
        time.sleep(0.01)
    time.sleep(chance.uniform(0, bench.training_seconds / 2))
    number = chance.choice([signal.SIGTERM, signal.SIGINT])
    process.send_signal(number)
    output, _ = process.communicate()
    if process.returncode not in (0, 128 + number) or "Traceback" in output:
        raise AssertionError(f"exit code {process.returncode}:\n{output}")
    return f"{number.name}, exit code {process.returncode}"


def limit_file_size(bench: Bench, runs: Path, chance: random.Random) -> str:
    """No file may grow beyond some bytes, from a moment of the training on (RLIMIT_FSIZE)."""
    process = bench.start(runs)
    while not any(runs.glob("*/checkpoints/epoch-*")) and process.poll() is None:
        time.sleep(0.01)
    limit = chance.choice([0, 100, 5_000, 200_000])
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    return _end_of_starved(process, f"files limited to {limit:,} bytes")


def fill_the_disk(bench: Bench, runs: Path, chance: random.Random) -> str:
    """A file system of 8 MB that something else fills during the training."""
    runs.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(runs)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise SkippedError("mounting a small file system is not allowed here")
    elsewhere = runs.with_name(f"{runs.name}-copied")
    try:
        process = bench.start(runs)
        while not any(runs.glob("*/checkpoints/epoch-*")) and process.poll() is None:
            time.sleep(0.01)
        with (runs / "ballast").open("wb", buffering=0) as ballast:
            left = chance.choice([0, 4096, 100_000])
            size = shutil.disk_usage(runs).free - left
            os.posix_fallocate(ballast.fileno(), 0, max(size, 1))
            return _end_of_starved(process, f"disk filled up to {left:,} bytes")
    finally:
        # Also what is to be looked at since it did not end well.
        shutil.copytree(runs, elsewhere, ignore=shutil.ignore_patterns("ballast"))
        subprocess.run(["umount", str(runs)], check=True)
        runs.rmdir()
        elsewhere.rename(runs)


def _end_of_starved(process: subprocess.Popen[str], what: str) -> str:
    output, _ = process.communicate()
    if "Traceback" in output or process.returncode not in (0, 1):
        raise AssertionError(f"{what}: exit code {process.returncode}:\n{output}")
    if process.returncode == 1 and "cannot be written" not in output:
        raise AssertionError(f"{what}: it does not say what was not written:\n{output}")
    return f"{what}, exit code {process.returncode}"


def damage_a_checkpoint(bench: Bench, runs: Path, chance: random.Random) -> str:
    """Kill in the middle, then change a bit of the newest checkpoint, or cut or remove a file."""
    process = bench.start(runs)
    # Of two within an epoch, the earlier may be gone by the time that the training is killed.
    while len(list(runs.glob("*/checkpoints/epoch-????"))) < 2 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    checkpoint = max(runs.glob("*/checkpoints/epoch-*"))
    path = chance.choice(sorted(checkpoint.iterdir()))
    content = bytearray(path.read_bytes())
    how = chance.choice(["changed", "cut", "removed"])
    if how == "changed":
        place = chance.randrange(len(content))
        content[place] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    elif how == "cut":
        path.write_bytes(content[: chance.randrange(len(content))])
    else:
        path.unlink()
    return f"{path.name} of the newest checkpoint {how}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    counts: dict[Callable[[Bench, Path, random.Random], str], tuple[str, int]] = {
        kill_at_any_moment: ("kills", 50),
        kill_while_saving: ("kills-while-saving", 20),
        stop_softly: ("stops", 10),
        limit_file_size: ("limits", 6),
        fill_the_disk: ("full-disks", 6),
        damage_a_checkpoint: ("damages", 12),
    }
    for disturb, (option, count) in counts.items():
        parser.add_argument(f"--{option}", type=int, default=count, help=disturb.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="What the random moments follow from.")
    parser.add_argument("--folder", type=Path, help="Where to work.")
    arguments = vars(parser.parse_args())
    if arguments["folder"]:
        arguments["folder"].mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=arguments["folder"]))
    bench = Bench(folder)
    print(f"undisturbed: {bench.seconds:.0f} s, {len(bench.expected)} files to compare")

    trials = [
        (disturb, number)
        for disturb, (option, _) in counts.items()
        for number in range(arguments[option.replace("-", "_")])
    ]

    def run(
        trial: tuple[Callable[[Bench, Path, random.Random], str], int],
    ) -> tuple[str, bool | None]:
        disturb, number = trial
        runs = folder / f"{disturb.__name__}-{number:02d}"
        try:
            said = disturb(bench, runs, random.Random(f"{arguments['seed']} {runs.name}"))
            bench.compare(runs)
        except SkippedError as error:
            return f"{disturb.__name__}: SKIPPED: {error}", None
        except AssertionError as error:
            return f"{runs.name}: NOT THE SAME: {error}", False
        shutil.rmtree(runs)
        return f"{disturb.__name__}: {said}; resumed: the same", True

    survived = tried = 0
    with ThreadPoolExecutor(2) as pool:
        for line, good in pool.map(run, trials):
            print(line, flush=True)
            if good is not None:
                tried += 1
                survived += good
    print(f"{survived} of {tried} trainings came to the same result, bit for bit")
    if survived < tried:
        sys.exit(f"what is left of the others is in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
