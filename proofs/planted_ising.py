"""Does an RBM find the couplings of a model that is known? Pairs and triplets of 60 neurons.

Usage: .venv/bin/python proofs/planted_ising.py [--rates busy sparse] [--updates N] [--hidden N]

Plants an Ising model of 60 neurons with 90 pair couplings of both signs (size 0.1 to 0.5) and 30
triplets (size 0.2 to 0.4), fields such that rates are 0.3 to 0.5 (busy) or 0.05 (sparse), draws
100,000 samples by Gibbs sampling, trains a binary RBM on them and reads its Ising couplings under
the uniform reference. Reported: area under the precision-recall curve of the planted pairs and
triplets by |J|, and the slope of found on planted couplings over the planted pairs. Beside it,
covariances and an Ising model of pairs by pseudo-likelihood from the same samples.

Limits, for the busy rates: area of pairs 0.9, slope within 20 % of 1, area of triplets 0.7; the
sparse rates are reported without limit. Writes proofs/planted_ising.txt; exits 1 if a limit is
missed. Takes some minutes for each.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

import boltzbrain as bb
from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.norms import triplet_differences
from boltzbrain.interpretation.marginal import Marginal
from boltzbrain.interpretation.regions.functional import covariance, pairwise

OUTPUT = Path(__file__).with_suffix(".txt")
NEURONS, PAIRS, TRIPLETS, SAMPLES, CHAINS = 60, 90, 30, 100_000, 2000
RATES = {"busy": (0.3, 0.5), "sparse": (0.05, 0.05)}


@dataclass
class Planted:
    """An Ising model with triplets in spins of -1 and +1."""

    field: np.ndarray
    pairs: np.ndarray
    triplets: list[tuple[int, int, int]]
    strengths: np.ndarray

    def log_odds(self, spins: np.ndarray, neuron: int) -> np.ndarray:
        """Return half the log-odds of +1 of a neuron in every chain of (neuron, chain)."""
        total = self.field[neuron] + self.pairs[neuron] @ spins
        for members, strength in zip(self.triplets, self.strengths, strict=True):
            if neuron in members:
                one, two = (other for other in members if other != neuron)
                total = total + strength * spins[one] * spins[two]
        return total


def plant(seed: int) -> Planted:
    generator = Generator.from_seed(seed, "planted ising")
    everyone = list(itertools.combinations(range(NEURONS), 2))
    pairs = np.zeros((NEURONS, NEURONS))
    sizes = 0.1 + 0.4 * generator.uniform((1, PAIRS)).numpy()[0]
    signs = np.where(generator.uniform((1, PAIRS)).numpy()[0] < 0.5, -1.0, 1.0)
    for number, place in enumerate(generator.permutation(len(everyone))[:PAIRS].tolist()):
        one, two = everyone[place]
        pairs[one, two] = pairs[two, one] = sizes[number] * signs[number]
    chosen: list[tuple[int, int, int]] = []
    while len(chosen) < TRIPLETS:
        one, two, three = sorted(generator.permutation(NEURONS)[:3].tolist())
        if (one, two, three) not in chosen:
            chosen.append((one, two, three))
    strengths = 0.2 + 0.2 * generator.uniform((1, TRIPLETS)).numpy()[0]
    strengths *= np.where(generator.uniform((1, TRIPLETS)).numpy()[0] < 0.5, -1.0, 1.0)
    return Planted(np.zeros(NEURONS), pairs, chosen, strengths)


def draw(planted: Planted, rates: tuple[float, float], samples: int, seed: int) -> np.ndarray:
    """Tune the fields to the rates while the chains warm up, then draw samples 20 sweeps apart."""
    generator = Generator.from_seed(seed, "planted samples")
    target = rates[0] + (rates[1] - rates[0]) * generator.uniform((1, NEURONS)).numpy()[0]
    planted.field = 0.5 * np.log(target / (1 - target))
    spins = np.where(generator.uniform((NEURONS, CHAINS)).numpy() < target[:, None], 1.0, -1.0)
    kept = []
    for sweep in range(400 + samples // CHAINS * 20):
        uniform = generator.uniform((NEURONS, CHAINS)).numpy()
        logit = np.log(uniform) - np.log1p(-uniform)
        for neuron in range(NEURONS):
            spins[neuron] = np.where(logit[neuron] < 2 * planted.log_odds(spins, neuron), 1.0, -1.0)
        if sweep < 200:
            gap = target - (spins.mean(axis=1) + 1) / 2
            planted.field = planted.field + gap / (4 * target * (1 - target))
        if sweep >= 400 and sweep % 20 == 0:
            kept.append(np.ascontiguousarray((spins > 0).T).astype(np.uint8))
    return np.concatenate(kept)


def activity_of(states: np.ndarray) -> Activity:
    bins = len(states)
    fold = np.zeros(bins, dtype=np.int8)
    # chains are independent, and every block holds all of them once
    fold[-bins // 10 :] = 1
    table = neuron_table([str(number) for number in range(NEURONS)])
    return Activity(
        states, 0.02, np.arange(bins, dtype=np.int32), fold, table, {}, (Step("split"),),
        Source("npz", "", ""),
    )  # fmt: skip


def figures(planted: Planted, pairs: np.ndarray) -> tuple[float, float]:
    """Return the area of the planted pairs by |J|, and the slope over them."""
    upper = np.triu_indices(NEURONS, 1)
    truth, found = planted.pairs[upper], pairs[upper]
    there = truth != 0
    area = average_precision_score(there, np.abs(found))
    return float(area), float(found[there] @ truth[there] / (truth[there] @ truth[there]))


def one(
    name: str, updates: int, hidden: int, samples: int, seed: int
) -> list[tuple[bool | None, str]]:
    began = time.monotonic()
    planted = plant(seed)
    states = draw(planted, RATES[name], samples, seed)
    rate = states.mean(axis=0)
    drawn = time.monotonic() - began
    with tempfile.TemporaryDirectory() as folder:
        run = bb.fit(
            activity_of(states), hidden=hidden, out=f"{folder}/run", seed=seed, updates=updates,
            batch=2000, chains=2000, sweeps=5, learning_rate=0.3, final_learning_rate=0.005,
            l2=0.0, weight_std=0.1, checkpoints=6, score_every="none", ais_chains=200,
            ais_rungs=200,
        )  # fmt: skip
        model, chosen = run.best, run.chosen_update
    fitted = time.monotonic() - began - drawn
    found = bb.couplings(model, 2, "uniform", check=False)
    area, slope = figures(planted, found)
    triplets = np.array(list(itertools.combinations(range(NEURONS), 3)))
    values = 0.125 * triplet_differences(Marginal.of(model), np.full(NEURONS, 0.5), triplets)
    truth = dict(zip(planted.triplets, planted.strengths, strict=True))
    there = np.array([tuple(row) in truth for row in triplets.tolist()])
    strength = np.array([truth.get(tuple(row), 0.0) for row in triplets.tolist()])
    area_3 = float(average_precision_score(there, np.abs(values)))
    slope_3 = float(values[there] @ strength[there] / (strength[there] @ strength[there]))
    limits = name == "busy"
    told: list[tuple[bool | None, str]] = [
        (
            None,
            f"{len(states)} samples, rates {rate.min():.3f} to {rate.max():.3f}; {hidden} hidden "
            f"units, update {chosen} of {updates}; drawn in {drawn:.0f} s, fitted in "
            f"{fitted:.0f} s",
        ),
        (area >= 0.9 if limits else None, f"RBM, pairs: area {area:.3f} (at least 0.9)"),
        (
            abs(slope - 1) <= 0.2 if limits else None,
            f"RBM, pairs: slope {slope:.3f} (within 0.2 of 1)",
        ),
        (area_3 >= 0.7 if limits else None, f"RBM, triplets: area {area_3:.3f} (at least 0.7)"),
        (None, f"RBM, triplets: slope {slope_3:.3f}"),
    ]
    for title, matrix in (
        ("covariance", covariance(states)),
        ("Ising by pseudo-likelihood", pairwise(states)),
    ):
        other, its_slope = figures(planted, matrix)
        words = "" if title == "covariance" else f", slope {its_slope:.3f}"
        told.append((None, f"{title}, pairs: area {other:.3f}{words}"))
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", nargs="+", default=list(RATES), choices=list(RATES))
    parser.add_argument("--updates", type=int, default=15_000)
    parser.add_argument("--hidden", type=int, default=150)
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    lines, good = [], True
    for name in given.rates:
        for holds, text in one(name, given.updates, given.hidden, given.samples, given.seed):
            verdict = "" if holds is None else ": yes" if holds else ": NO"
            good = good and holds is not False
            lines.append(f"{name}: {text}{verdict}")
            print(lines[-1], flush=True)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
