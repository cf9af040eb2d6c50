"""Memory that a training takes beyond the imported process, at the size of a whole zebrafish brain.

Usage: python -m benchmarks.memory [--json FILE] [--neurons 60000] [--bins 10000] [--hidden 200]

Simulated states, 3 % active, are written to an npz file by one process. Another imports boltzbrain,
notes its memory, reads the file, makes bins and folds, trains a dReLU RBM on 100 chains for a few
updates, scores a checkpoint, closes the run, and notes the most memory that it ever held.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

LIMIT_GIB = 4.0

SIMULATE = """
import sys
import numpy as np
path, bins, neurons = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng, states = np.random.default_rng(0), np.empty((bins, neurons), np.uint8)
for first in range(0, bins, 500):
    part = states[first : first + 500]
    part[:] = rng.random(part.shape, np.float32) < 0.03
np.savez(path, states=states, bin_width_s=0.4, segment=np.zeros(bins, np.int32))
"""

TRAIN = """
import json, resource, sys
import boltzbrain as bb
from boltzbrain.training import train  # what the package would import when it is first used

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2

path, out, hidden, weights_from = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
imported = peak()
recording = bb.read(path)
activity = recording.binarize()
activity = activity.split(by="blocks", seed=0, min_active_bins=1)
prepared = peak()
bb.fit(
    activity, hidden=hidden, out=out, hidden_kind="drelu", normalised=True, optimizer="rmsprop",
    learning_rate=1e-3, final_learning_rate="none", l2=0.0, l1=0.02, chains=100, batch=100,
    sweeps=15, updates=5, checkpoints=1, averaging=0.0, ais_chains=200, ais_rungs=100,
    weights_from=weights_from,
)
print(json.dumps({"imported_gib": imported, "prepared_gib": prepared, "peak_gib": peak()}))
"""


def measured(neurons: int, bins: int, hidden: int, weights_from: str) -> dict[str, float]:
    """Return GiB after import, with the folds made, and at most."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "states.npz"
        python = [sys.executable, "-c"]
        subprocess.run([*python, SIMULATE, str(path), str(bins), str(neurons)], check=True)
        run = str(Path(folder) / "run")
        done = subprocess.run(
            [*python, TRAIN, str(path), run, str(hidden), weights_from],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--neurons", type=int, default=60_000)
    parser.add_argument("--bins", type=int, default=10_000)
    parser.add_argument("--hidden", type=int, default=200)
    parser.add_argument("--weights-from", default="noise", choices=["noise", "data"])
    given = parser.parse_args()
    found = measured(given.neurons, given.bins, given.hidden, given.weights_from)
    above = found["peak_gib"] - found["imported_gib"]
    size = f"{given.neurons} neurons, {given.bins} bins, {given.hidden} hidden units"
    print(f"{size}, first weights from {given.weights_from}")
    print(f"states alone: {given.neurons * given.bins / 1024**3:.2f} GiB")
    for name, value in found.items():
        print(f"{name}: {value:.2f}")
    holds = bool(np.isfinite(above)) and above < LIMIT_GIB
    print(f"above the process after import: {above:.2f} GiB, limit {LIMIT_GIB:g}: ", end="")
    print("yes" if holds else "NO")
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        whole = {**found, "above_import_gib": above, "size": size}
        given.json.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
