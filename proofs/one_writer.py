"""Two writers at once in one folder, 20 times, and writers killed at random instants, 12 times.

Usage: .venv/bin/python proofs/one_writer.py [--seed N]

Pairs of `fit`, `evaluate`, `fit --resume` and `sweep` start together on one folder. Of each pair
one must win and the other be refused in a sentence, or come so late that the first has ended; all
that lies in the folder must be of one run. Then single fits and evaluates are killed (SIGKILL) at a
random instant: the old results or the new ones must lie there whole, and the same command must
succeed afterwards. Prints a line a trial and writes them to
proofs/one_writer.txt. Takes some minutes on two cores. Exits 1 if anything is mixed.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from boltzbrain.evaluation.results import evaluation_of, require_beside  # noqa: E402
from boltzbrain.evaluation.samples import read_samples  # noqa: E402
from boltzbrain.foundations.disk.files import sha256  # noqa: E402
from boltzbrain.foundations.disk.folders import LOCK  # noqa: E402
from boltzbrain.grid.folder import SweepFolder  # noqa: E402
from boltzbrain.training.run.run import TrainingRun  # noqa: E402
from helpers.command_line import write_small  # noqa: E402  # the path comes first
from helpers.killing import differences  # noqa: E402

# estimates so coarse that a command takes a second
DRIVER = """
import sys
from boltzbrain.evaluation import samples
from boltzbrain.evaluation.evaluate import evaluate_model
samples._CHAINS = 100
evaluate_model.__kwdefaults__.update(ais_chains=40, ais_rungs=50)
from boltzbrain.cli.main import main
main(sys.argv[1:])
"""
TRAINING = ["--updates", "150", "--set", "batch=100", "--set", "chains=50", "--set", "sweeps=2"]
TRAINING += ["--set", "checkpoints=6", "--set", "ais_chains=50", "--set", "ais_rungs=30"]
PAIRS = {"fit": 6, "evaluate": 6, "resume": 5, "sweep": 3}
KILLS = {"fit": 6, "evaluate": 6}
REFUSED = (
    "one writer at a time",
    "hold no run yet",
    "hold no sweep yet",
    "hold nothing of another",
)


def start(*words: object) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def both(first: list[object], second: list[object]) -> tuple[str, list[str]]:
    """Run two commands at once; return how they ended, and what is wrong with that."""
    running = [start(*words) for words in (first, second)]
    said = [one.communicate()[1] for one in running]
    codes = [one.returncode for one in running]
    wrong = []
    if 0 not in codes or set(codes) - {0, 2}:
        wrong.append(f"statuses {codes}: {said}")
    for code, text in zip(codes, said, strict=True):
        last = (text.splitlines() or [""])[-1]
        if code == 2 and not any(words in last for words in REFUSED):
            wrong.append(f"refused for another reason: {last}")
    words = "one writer, one refused" if 2 in codes else "one after the other"
    return words, wrong


def mixed(run: TrainingRun) -> list[str]:
    """Return what in a run folder does not belong together."""
    run.activity()
    # a checkpoint of another run is refused by name, too
    wrong = [
        f"{one.path.name} is of another run"
        for one in run.checkpoints()
        if len(run.load(one.update).model.hidden) != run.plan.hidden
    ]
    run.log()
    if (run.folder / "evaluation.json").exists():
        evaluation = evaluation_of(run)
        read_samples(require_beside(evaluation, run.folder / "samples.h5"))
    hidden_files = [one.name for one in run.folder.rglob(".*")]
    return wrong + [f"left: {name}" for name in hidden_files]


def _until_writing(process: subprocess.Popen[str], run: Path) -> None:
    """Wait until a process has taken the lock of a folder."""
    while process.poll() is None and not (run / LOCK).exists():
        time.sleep(0.005)


def fits(folder: Path, small: Path, number: int) -> tuple[str, list[str]]:
    """Two fits of different size."""
    commands = [
        ["fit", small, "-o", folder / "run", *TRAINING, "--hidden", hidden, "--seed", number]
        for hidden in (4, 6)
    ]
    words, wrong = both(*commands)
    run = TrainingRun.open(folder / "run")
    wrong += mixed(run)
    return f"{words}; {len(run.checkpoints())} checkpoints, all of {run.plan.hidden} units", wrong


def evaluates(folder: Path, whole: Path, number: int) -> tuple[str, list[str]]:
    """Two evaluations with different seeds of a run that has one."""
    run = Path(shutil.copytree(whole, folder / "run"))
    words, wrong = both(*(["evaluate", run, "--seed", 10 * number + seed] for seed in (1, 2)))
    wrong += mixed(TrainingRun.open(run))
    new = sha256(run / "samples.h5") != sha256(whole / "samples.h5")
    return f"{words}; samples and evaluation of one", wrong + ([] if new else ["nothing was done"])


def resumes(folder: Path, small: Path, whole: Path, draw: np.random.Generator) -> list[str]:
    """Two that go on with a training killed half way; return how it went, then what is wrong."""
    run = folder / "run"
    process = start("fit", small, "-o", run, *TRAINING, "--hidden", 4)
    while process.poll() is None and not list(run.glob("checkpoints/0*.h5")):
        time.sleep(0.01)
    time.sleep(float(draw.uniform(0.0, 0.3)))
    process.kill()
    process.communicate()
    words, wrong = both(["fit", "--resume", run], ["fit", "--resume", run])
    wrong += mixed(TrainingRun.open(run)) + differences(whole, run)
    return [f"{words}; bit for bit as if never stopped", *wrong]


def sweeps(folder: Path, small: Path, number: int) -> tuple[str, list[str]]:
    """Two sweeps over different sizes."""
    commands = [
        ["sweep", small, "-o", folder / "sweep", *TRAINING, "--hidden", sizes, "--workers", 1]
        for sizes in ("2,3", "4,5")
    ]
    words, wrong = both(*commands)
    sweep = SweepFolder.open(folder / "sweep")
    names = sorted(one.name for one in (sweep.folder / "runs").iterdir())
    if names != sorted(one.name for one in sweep.grid.runs):
        wrong.append(f"runs {names}")
    wrong += [fault for name in names for fault in mixed(TrainingRun.open(sweep.run_folder(name)))]
    return f"{words}; runs {', '.join(names)}; chosen {sweep.choice['run']}", wrong


def killed(
    command: str, folder: Path, small: Path, whole: Path, draw: np.random.Generator, span: float
) -> tuple[str, list[str]]:
    """Kill one command at a random instant, look at what is there, and run it again."""
    run = folder / "run"
    if command == "evaluate":
        shutil.copytree(whole, run)
    words = {
        "fit": ["fit", small, "-o", run, *TRAINING, "--hidden", 4, "--resume"],
        "evaluate": ["evaluate", run, "--seed", 3],
    }[command]
    after = float(draw.uniform(0.0, 1.0)) * span
    process = start(*words)
    _until_writing(process, run)
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    ended = "killed" if process.returncode == -signal.SIGKILL else "had ended"
    wrong, state = [], "nothing yet"
    if (run / "run.json").exists():
        opened = TrainingRun.open(run)
        wrong += [one for one in mixed(opened) if not one.startswith("left: ")]
        state = f"{len(opened.checkpoints())} checkpoints"
    if command == "evaluate":
        old = sha256(run / "samples.h5") == sha256(whole / "samples.h5")
        state = "the evaluation before, whole" if old else "the new evaluation, whole"
    again = start(*words)
    _, said = again.communicate()
    if again.returncode:
        wrong.append(f"cannot be used: {said}")
    else:
        wrong += mixed(TrainingRun.open(run))
    if command == "fit":
        wrong += differences(whole, run)
    return f"{ended} after {after:.2f} s: {state}; then used again", wrong


def main() -> int:
    """Run the proof; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    draw = np.random.default_rng(given.seed)
    lines, faults, began = [], 0, time.monotonic()

    def told(name: str, words: str, wrong: list[str]) -> None:
        nonlocal faults
        faults += len(wrong)
        lines.append(f"{name}: {words}" + "".join(f"\n    WRONG: {one}" for one in wrong))
        print(lines[-1], flush=True)

    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        small, whole = write_small(top / "small.npz"), top / "whole"
        start("fit", small, "-o", whole, *TRAINING, "--hidden", 4).communicate()
        spans = {}
        for command, words in (
            ("evaluate", ["evaluate", whole]),
            ("fit", ["fit", small, "-o", top / "timed", *TRAINING, "--hidden", 4]),
        ):
            process = start(*words)
            _until_writing(process, Path(words[words.index("-o") + 1] if "-o" in words else whole))
            started = time.monotonic()
            process.communicate()
            spans[command] = time.monotonic() - started
        for command, count in PAIRS.items():
            for number in range(count):
                folder = top / f"{command}{number}"
                folder.mkdir()
                if command == "fit":
                    words, wrong = fits(folder, small, number)
                elif command == "evaluate":
                    words, wrong = evaluates(folder, whole, number)
                elif command == "resume":
                    words, *wrong = resumes(folder, small, whole, draw)
                else:
                    words, wrong = sweeps(folder, small, number)
                told(f"two of {command}, {number + 1}", words, wrong)
        for command, count in KILLS.items():
            for number in range(count):
                folder = top / f"killed_{command}{number}"
                folder.mkdir()
                words, wrong = killed(command, folder, small, whole, draw, spans[command])
                told(f"{command}, kill {number + 1}", words, wrong)
    lines.append(f"{sum(PAIRS.values())} pairs, {sum(KILLS.values())} kills: {faults} faults")
    print(lines[-1], f"({time.monotonic() - began:.0f} s)")
    Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
