"""A sweep on session 12, undisturbed and killed twice: the same table, within 20 minutes.

    boltzbrain sweep ../shared/data/steinmetz/session12.npz -o SWEEP --bin-ms 20 \
        --folds ../shared/data/steinmetz/session12_folds.csv:split0 \
        --hidden 10,25,50,100,200 --seeds 2

runs once whole and once killed (SIGKILL) when a quarter and when three quarters of the runs have
ended, and resumed each time. The tables, timings apart, and the choices must be the same byte for
byte. Prints the table and writes it to proofs/sweep_killed.txt. Takes twice the time of the sweep.

    python proofs/sweep_killed.py [--keep FOLDER]

Exits 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
COMMAND = Path(sys.executable).with_name("boltzbrain")
LONGEST_S = 20 * 60.0
LONGEST_END_S = 60.0
HIDDEN, SEEDS = (10, 25, 50, 100, 200), 2


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the sweep, or go on with it."""
    name = DATA / "session12"
    words = ["sweep", f"{name}.npz", "-o", folder, "--bin-ms", "20", "--resume"]
    words += ["--folds", f"{name}_folds.csv:split0", "--seeds", SEEDS]
    words += ["--hidden", ",".join(map(str, HIDDEN))]
    return subprocess.Popen(
        [COMMAND, *map(str, words)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def ended(folder: Path) -> int:
    """Return how many runs have been scored."""
    return len(list(folder.glob("runs/*/scores.json")))


def undisturbed(folder: Path) -> float:
    """Run the sweep to its end; return the seconds."""
    began = time.monotonic()
    if start(folder).wait():
        raise SystemExit("the sweep failed")
    return time.monotonic() - began


def killed(folder: Path) -> list[int]:
    """Run it with two kills; return after how many runs each came."""
    kills = []
    for share in (0.25, 0.75):
        process = start(folder)
        while process.poll() is None and ended(folder) < share * len(HIDDEN) * SEEDS:
            time.sleep(0.2)
        # into the middle of a training, not between two
        time.sleep(5.0)
        if process.poll() is not None:
            raise SystemExit("the sweep was over before it could be killed")
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        # its processes end as soon as they notice that their parent is gone; until then they may
        # still write into runs that the next process takes up
        if psutil.wait_procs(workers, timeout=LONGEST_END_S)[1]:
            raise SystemExit("workers outlived the sweep")
        kills.append(ended(folder))
    undisturbed(folder)
    return kills


def main() -> int:
    """Run the proof; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder in which the sweeps are kept")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        seconds = undisturbed(folder / "whole")
        kills = killed(folder / "killed")
        tables = [pd.read_csv(folder / name / "table.csv") for name in ("whole", "killed")]
        choices = [(folder / name / "choice.json").read_text() for name in ("whole", "killed")]
    plain = [table.drop(columns=["seconds"]).to_csv(index=False) for table in tables]
    checks = [
        (seconds <= LONGEST_S, f"whole sweep in {LONGEST_S:g} s on {os.cpu_count()} cores"),
        (plain[0] == plain[1], f"same table after kills at {kills[0]} and {kills[1]} runs"),
        (choices[0] == choices[1], "same choice"),
        (bool((tables[0]["status"] == "finished").all()), "every run finished"),
    ]
    columns = [
        "hidden", "seed", "update", "validation_nats_per_bin", "validation_stderr",
        "test_nats_per_bin", "test_gain_over_independent", "test_stderr", "seconds",
    ]  # fmt: skip
    text = tables[0][columns].round(3).to_string(index=False)
    lines = [text, "", f"whole sweep: {seconds:.0f} s", choices[0].strip(), ""]
    lines += [f"{words}: {'yes' if good else 'NO'}" for good, words in checks]
    Path(__file__).with_suffix(".txt").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0 if all(good for good, _ in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
