"""Whether a change of the code left every trained number as it was, bit for bit.

Two trainings of 300 updates, seed 0: session 10 (`split0`) with the preset `binary`, and the
planted assemblies of `proofs/planted_assemblies.py` with `compositional` (`assemblies=False`: from
2,000 neurons on another recipe would take over). Of each the hash of every
parameter of the last checkpoint, of its chains, and of the chosen update. The same machine
kind and the same versions of PyTorch and numba give the same hashes; another processor may not.

    python proofs/bit_for_bit.py [--label NAME] [--of FOLDER]

Adds a block to bit_for_bit.txt beside this file, under the label (the commit where none is given),
and exits 1 if it differs from the first block there. `--of` names a checkout whose package is run
in place of this one, so that two commits are compared on one machine.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
OUTPUT = Path(__file__).with_suffix(".txt")
UPDATES = 300


def hashes(run_folder: Path, chosen: int) -> list[str]:
    """Return one line for every array of the last checkpoint: name, shape, hash of its bytes."""
    import h5py
    import numpy as np

    last = max(path for path in (run_folder / "checkpoints").glob("[0-9]*.h5"))
    lines = [f"chosen update {chosen}, last checkpoint {int(last.stem)}"]
    with h5py.File(last, "r") as file:
        names: list[str] = []
        file.visititems(lambda name, node: names.append(name) if hasattr(node, "dtype") else None)
        for name in sorted(names):
            if name.partition("/")[0] in {"weights", "visible", "hidden", "chains"}:
                array = np.ascontiguousarray(file[name][()])
                digest = hashlib.sha256(array.tobytes()).hexdigest()[:16]
                lines.append(f"{name} {array.shape} {array.dtype} {digest}")
    return lines


def session10(folder: Path) -> list[str]:
    import boltzbrain as bb

    activity = bb.read(DATA / "session10.npz").binarize(bin_ms=20)
    activity = activity.split(folds=f"{DATA / 'session10_folds.csv'}:split0")
    run = bb.fit(activity, out=folder / "session10", seed=0, updates=UPDATES)
    return hashes(run.folder, run.chosen_update)


def planted(folder: Path) -> list[str]:
    import boltzbrain as bb
    from boltzbrain.foundations.random import Generator
    from boltzbrain.sampling.synthetic import simulate_assemblies

    truth = simulate_assemblies(Generator.from_seed(0, "proofs", "planted"))
    activity = truth.activity().split(
        by="shuffled", validation=0.15, test=0.05, seed=0, min_active_bins=0
    )
    plan = bb.TrainingPlan(
        preset="compositional", hidden=40, seed=0, updates=UPDATES, assemblies=False
    )
    run = bb.fit(activity, plan, out=folder / "planted")
    return hashes(run.folder, run.chosen_update)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label")
    parser.add_argument("--of", type=Path, default=ROOT)
    arguments = parser.parse_args()
    sys.path.insert(0, str(arguments.of / "src"))
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    commit = subprocess.run(
        ["git", "-C", str(arguments.of), "rev-parse", "--short", "HEAD"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, train in (("session 10", session10), ("planted", planted)):
            lines += [f"{name}: {line}" for line in train(Path(folder))]
    text = OUTPUT.read_text(encoding="utf-8") if OUTPUT.exists() else ""
    blocks = [block.splitlines()[1:] for block in text.split("== ")[1:]]
    label = arguments.label or commit
    equal = not blocks or blocks[0] == lines
    block = "\n".join([f"== {label}", *lines])
    OUTPUT.write_text(text + block + "\n", encoding="utf-8")
    print(block)
    if blocks:
        print("equal to the first block" if equal else "DIFFERS from the first block")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
