"""From 5,000 bins to anatomy: simulated fish whose assemblies follow the structural matrix, or not.

Usage: .venv/bin/python proofs/structure.py [--fish N] [--updates N]

The published structural matrix of the zebrafish (72 regions) is matched to the names of the label
file, and neurons are placed as the published labels of one fish place them. In a planted fish every
assembly joins two regions that are drawn in proportion to their structural strength; in the other
fish the regions are permuted first. Each fish is 5,000 bins, fitted, interpreted, and its map of
mean |J| compared with the matrix. Limits: Mantel p below 0.001 for every planted fish and above
0.01 for every other. Covariances and correlations stand beside. Writes proofs/structure.txt; exits
1 if a limit is missed. Takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

import boltzbrain as bb
from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Source
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.animals.structure import (
    RegionMatrix,
    compare_with_structure,
    match_names,
    read_structure,
)

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "zebrafish"
LABELS = "baier_rl-region-labels__20190502_Run04__labelled-2020-10-15.npy"
OUTPUT = Path(__file__).with_suffix(".txt")
NEURONS, BINS, ASSEMBLIES, PER_REGION = 900, 5000, 100, 9


def names_of_labels() -> tuple[str, ...]:
    text = (DATA / "region_names_baier_abbreviations.txt").read_text(encoding="utf-8")
    return tuple(line.split()[0] for line in text.splitlines())


def place(names: tuple[str, ...], generator: Generator) -> np.ndarray:
    """Return the region number of every neuron, drawn from the labels of one fish."""
    labels = np.load(DATA / LABELS, allow_pickle=False).astype(np.int64)
    labelled = labels[labels > 0] - 1
    counts = np.bincount(labelled, minlength=len(names))
    kept = np.flatnonzero(counts >= 100)
    # as many of every region, so that small ones can be read
    return np.resize(kept, NEURONS)[generator.permutation(NEURONS)]


def simulate(structure: RegionMatrix, planted: bool, number: int) -> Activity:
    generator = Generator.from_seed(number, "fish", "planted" if planted else "other")
    names = names_of_labels()
    region = place(names, generator)
    here = np.unique(region)
    where = match_names(tuple(names[one] for one in here), structure.names)
    strength = structure.values[np.ix_(where, where)].copy()
    if not planted:
        order = generator.permutation(len(here))
        strength = strength[np.ix_(order, order)]
    np.fill_diagonal(strength, 0.0)
    first, second = np.triu_indices(len(here), 1)
    cumulated = np.cumsum(strength[first, second])
    drawn = generator.uniform((1, ASSEMBLIES)).numpy()[0] * cumulated[-1]
    members = np.zeros((ASSEMBLIES, NEURONS), dtype=bool)
    for row, pair in enumerate(np.searchsorted(cumulated, drawn).tolist()):
        for side in (first[pair], second[pair]):
            mine = np.flatnonzero(region == here[side])
            members[row, mine[generator.permutation(len(mine))[:PER_REGION]]] = True
    on = generator.uniform((BINS, ASSEMBLIES)).numpy() < 0.05
    active = on.astype(np.float32) @ members.astype(np.float32)
    chance = 1 - (1 - 0.02) * (1 - 0.4) ** active
    states = (generator.uniform((BINS, NEURONS)).numpy() < chance).astype(np.uint8)
    labels = [names[one] for one in region.tolist()]
    return Activity(
        states, 0.4, np.repeat(np.arange(50, dtype=np.int32), BINS // 50),
        np.zeros(BINS, dtype=np.int8), neuron_table([str(n) for n in range(NEURONS)]),
        {"mapzebrain": Regions.from_labels(labels)}, (), Source("simulated", "", ""),
    ).split(seed=number)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fish", type=int, default=2, help="fish of either kind")
    parser.add_argument("--updates", type=int, default=1000)
    given = parser.parse_args()
    structure = read_structure(DATA / "connectivity_matrix.csv")
    matched = match_names(names_of_labels(), structure.names)
    whole = sorted(matched.tolist()) == list(range(72))
    lines = [f"72 regions of the label file matched to the matrix: {'yes' if whole else 'NO'}"]
    good = whole
    with tempfile.TemporaryDirectory() as temporary:
        for planted in (True, False):
            for number in range(given.fish):
                activity = simulate(structure, planted, number)
                out = Path(temporary) / f"{planted}{number}"
                run = bb.fit(
                    activity, hidden=ASSEMBLIES, out=out, seed=number, updates=given.updates,
                    chains=500, batch=500, checkpoints=10, ais_chains=100, ais_rungs=200,
                )  # fmt: skip
                found = bb.interpret(run, min_neurons=5, checkpoints=1, spread_samples=2)
                title = f"{'planted' if planted else 'other'} fish {number}"
                for of in ("uniform", "data", "covariance", "correlation"):
                    maps = found.maps(of)
                    told = compare_with_structure(
                        maps.names, maps.l1, structure, Generator.from_seed(0, "mantel")
                    )
                    text = (
                        f"{title}, {of}: {len(told.names)} regions, Spearman over connected pairs "
                        f"{told.spearman:.3f}, over all {told.spearman_all:.3f}, Mantel p "
                        f"{told.mantel_p:.4f}, Kolmogorov-Smirnov {told.distance:.3f}"
                    )
                    if of == "uniform":
                        holds = told.mantel_p < 0.001 if planted else told.mantel_p > 0.01
                        good = good and holds
                        text += f": {'yes' if holds else 'NO'}"
                    lines.append(text)
                    print(text, flush=True)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
