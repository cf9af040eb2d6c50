"""Kill a fit at 20 random instants, resume it each time, and compare it with one never killed.

Usage: .venv/bin/python proofs/kill_resume.py [--kills 20] [--updates 800]

The fit is of ../shared/data/steinmetz/session10.npz with the preset binary. Prints what was killed
when, and whether every checkpoint (parameters, chains, optimiser, random state) and log.csv are
identical; writes the same to proofs/kill_resume.txt. Takes some minutes. Exits 1 on a difference.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.killing import differences, kill_after, start  # noqa: E402  # the path comes first

RECORDING = ROOT.parent / "shared" / "data" / "steinmetz" / "session10.npz"
ROLLING_S = 1.0
LONGEST_S = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--updates", type=int, default=800)
    given = parser.parse_args()
    options = [
        "--bin-ms", "20", "--seed", "0", "--updates", str(given.updates),
        "--set", "checkpoints=20", "--set", "ais_chains=100", "--set", "ais_rungs=100",
    ]  # fmt: skip
    lines = [
        f"boltzbrain fit {RECORDING.name} {' '.join(options)}",
        f"a rolling checkpoint every {ROLLING_S:g} s (the command line: every 30 s)",
    ]
    draw = np.random.default_rng()
    with tempfile.TemporaryDirectory() as name:
        whole, run = Path(name) / "whole", Path(name) / "run"
        began = time.monotonic()
        undisturbed = start(["fit", RECORDING, "-o", whole, *options], rolling_s=1e9)
        _, said = undisturbed.communicate()
        if undisturbed.returncode:
            print(said)
            return 1
        lines.append(f"never killed: {time.monotonic() - began:.0f} s")
        kills, began = 0, time.monotonic()
        while kills < given.kills:
            delay = float(draw.uniform(0.0, LONGEST_S))
            process = start(["fit", RECORDING, "-o", run, *options, "--resume"], ROLLING_S)
            if not kill_after(process, run, delay):
                break
            kills += 1
            newest = max((run / "checkpoints").glob("*.h5"), default=None, key=_when)
            after = f"newest file {newest.name}" if newest else "before any checkpoint"
            lines.append(f"kill {kills}: {delay:.2f} s after the first write, {after}")
        last = start(["fit", "--resume", run], ROLLING_S)
        _, said = last.communicate()
        if last.returncode:
            print(said)
            return 1
        found = differences(whole, run)
        lines.append(f"killed {kills} times and finished: {time.monotonic() - began:.0f} s")
        if kills < given.kills:
            found.append(f"the fit ended after {kills} kills; give more --updates")
        lines += found or ["every checkpoint and log.csv identical, bit for bit"]
    text = "\n".join(lines) + "\n"
    print(text, end="")
    (ROOT / "proofs" / "kill_resume.txt").write_text(text, encoding="utf-8")
    return 1 if found else 0


def _when(path: Path) -> float:
    return path.stat().st_mtime


if __name__ == "__main__":
    sys.exit(main())
