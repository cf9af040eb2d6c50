"""Whether hidden units find assemblies that were planted, beside an oracle and PCA.

2000 neurons, 20 assemblies of 40 to 200 neurons, each on in 3 to 10 % of 5000 bins; members fire
with probability 0.3 when on, others at 0.02 on average; 20 % of the neurons belong to two
assemblies. For every assembly, the hidden unit (of 40, preset `compositional`) whose weights tell
members from other neurons best, by the area under the ROC curve. The oracle knows when each
assembly is on and ranks neurons by the rise of their log-odds in those bins; PCA ranks them by the
loadings of the best of the first 40 components.

    python proofs/planted_assemblies.py [--seeds 5] [--updates N]

Writes planted_assemblies.txt beside this file; exits 1 if in the median seed an assembly is found
with an area below 0.97, or if the number of co-active hidden units is not between 1 and 40.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.assemblies import hidden_activity, participation_ratio
from boltzbrain.sampling.synthetic import PlantedAssemblies, simulate_assemblies

HIDDEN = 40
LEAST_AREA = 0.97
OUTPUT = Path(__file__).with_suffix(".txt")


def areas(scores: NDArray[np.float64], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the area under the ROC curve of every column of scores (neuron, score)."""
    ranks = rankdata(scores, axis=0)
    positive, negative = members.sum(), (~members).sum()
    area: NDArray[np.float64] = (ranks[members].sum(axis=0) - positive * (positive + 1) / 2) / (
        positive * negative
    )
    return area


def best_areas(scores: NDArray[np.float64], truth: PlantedAssemblies) -> NDArray[np.float64]:
    """Return for every assembly the area of the column that finds it best, whatever its sign."""
    found = np.stack([areas(scores, members) for members in truth.membership.T])
    best: NDArray[np.float64] = np.maximum(found, 1 - found).max(axis=1)
    return best


def oracle(truth: PlantedAssemblies) -> NDArray[np.float64]:
    """Return the areas with the on-times known: the rise of each neuron's log-odds."""
    result = []
    for on, members in zip(truth.on.T, truth.membership.T, strict=True):
        odds = []
        for bins in (on, ~on):
            active = truth.states[bins].sum(axis=0)
            odds.append(np.log((active + 0.5) / (bins.sum() - active + 0.5)))
        result.append(areas((odds[0] - odds[1])[:, None], members)[0])
    return np.array(result)


def principal(truth: PlantedAssemblies) -> NDArray[np.float64]:
    """Return the areas of the loadings of principal components of z-scored activity."""
    states = truth.states.astype(np.float32)
    scored = (states - states.mean(axis=0)) / np.maximum(states.std(axis=0), 1e-6)
    correlations = scored.T @ scored / len(scored)
    _, vectors = np.linalg.eigh(correlations.astype(np.float64))
    return best_areas(vectors[:, -HIDDEN:], truth)


def co_active(model: bb.RBM, states: NDArray[np.uint8]) -> float:
    """Return the median over bins of the effective number of active hidden units.

    That is the participation ratio of h minus its inactive value, the mode of each unit's activity
    (van der Plas et al. 2023 take the lower of two fitted peaks).
    """
    activity = hidden_activity(model, states).astype(np.float64)
    mode = np.empty(activity.shape[1])
    for unit, values in enumerate(activity.T):
        counts, edges = np.histogram(values, bins=100)
        place = int(counts.argmax())
        mode[unit] = (edges[place] + edges[place + 1]) / 2
    return float(np.median(participation_ratio(activity - mode, axis=1)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--updates", type=int)
    given = parser.parse_args()
    worst, medians = [], []
    text = [
        "area under the ROC curve, the worst and the median of 20 assemblies",
        "seed   RBM            oracle         PCA            median m  zeros   status     seconds",
    ]
    for seed in range(given.seeds):
        truth = simulate_assemblies(Generator.from_seed(seed, "proofs", "planted"))
        activity = truth.activity().split(
            by="shuffled", validation=0.15, test=0.05, seed=seed, min_active_bins=0
        )
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            run = bb.fit(
                activity, "compositional", HIDDEN, Path(folder) / "run", seed, updates=given.updates
            )
            model, status = run.best, run.info["convergence"]["status"]
        seconds = time.monotonic() - started
        found = [
            best_areas(model.weights.double().numpy(), truth),
            oracle(truth),
            principal(truth),
        ]
        active = co_active(model, truth.states)
        worst.append(float(found[0].min()))
        medians.append(active)
        zeros = float((model.weights == 0).double().mean())
        columns = "  ".join(f"{one.min():.4f} {np.median(one):.4f}" for one in found)
        text.append(
            f"{seed:4d}   {columns}  {active:8.1f}  {zeros:6.1%}  {status:10s} {seconds:7.0f}"
        )
        print(text[-1], flush=True)
    area, active = float(np.median(worst)), float(np.median(medians))
    good = area >= LEAST_AREA and 1 < active < HIDDEN
    text.append(
        f"median over {given.seeds} seeds: worst assembly {area:.4f} (bar {LEAST_AREA}), "
        f"co-active hidden units {active:.1f} of {HIDDEN}: {'met' if good else 'MISSED'}"
    )
    print(text[-1])
    OUTPUT.write_text("\n".join(text) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
