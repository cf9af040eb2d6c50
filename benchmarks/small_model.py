"""Seconds of the whole way of a small recording: fit, evaluate and interpret, quiet and crowded.

Usage: python -m benchmarks.small_model [--json FILE] [--rounds 3] [--busy 2] [--torch-first]

60 neurons x 4,000 bins x 20 hidden units x 400 updates, after a short run that imports and compiles
everything. Then rounds of it take turns: alone, and beside `--busy` processes that do nothing but
count. With --torch-first PyTorch is imported before boltzbrain, so that its threads spin while they
wait, as they do in a notebook of somebody else's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

if "--torch-first" in sys.argv:
    import torch  # noqa: F401
else:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

import boltzbrain as bb
from benchmarks.timing import arguments, publish, row
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import simulate_assemblies

STEPS = ("fit", "evaluate", "interpret")


def small_activity() -> Activity:
    """Return 60 simulated neurons in eight assemblies, 4,000 bins, with folds."""
    truth = simulate_assemblies(
        Generator.from_seed(0, "small"), neurons=60, assemblies=8, bins=4000, sizes=(5, 10)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return truth.activity().split(
            by="shuffled", validation=0.15, test=0.15, seed=0, min_active_bins=0
        )


def seconds_of(activity: Activity, updates: int) -> list[float]:
    """Return the seconds of each step."""
    with tempfile.TemporaryDirectory() as folder:
        marks = [time.perf_counter()]
        run = bb.fit(activity, hidden=20, out=Path(folder) / "run", seed=0, updates=updates)
        for step in (bb.evaluate, bb.interpret):
            marks.append(time.perf_counter())
            step(run)
        marks.append(time.perf_counter())
    return list(np.diff(marks))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", type=int, default=2, help="processes beside it")
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--torch-first", action="store_true")
    given = parser.parse_args()
    activity = small_activity()
    seconds_of(activity, 20)
    alone, crowded = [], []
    for _ in range(given.rounds):
        alone.append(seconds_of(activity, given.updates))
        others = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(given.busy)
        ]
        try:
            crowded.append(seconds_of(activity, given.updates))
        finally:
            for other in others:
                other.kill()
                other.wait()
    quiet, busy = (np.array(kind).sum(axis=1) for kind in (alone, crowded))
    for name, kind in (("alone", alone), (f"beside {given.busy} busy processes", crowded)):
        parts = ", ".join(
            f"{step} {each:.1f}" for step, each in zip(STEPS, np.median(kind, axis=0), strict=True)
        )
        print(f"{name}: {parts} s, together {np.median(np.sum(kind, axis=1)):.1f} s")
    late = ", PyTorch imported first" if given.torch_first else ""
    work = f"fit, evaluate, interpret of 60 x 4,000 x 20 x {given.updates}{late}"
    name = "small_model_torch_first" if given.torch_first else "small_model"
    rows = [
        row(name, work, "nothing", "float32", quiet, quiet),
        row(
            f"{name}_crowded", f"{work}, beside {given.busy} busy", "alone", "float32", busy, quiet
        ),
    ]
    publish(rows, given.json)


if __name__ == "__main__":
    main()
