"""Every estimate of the log-partition function against enumeration, with its error bar.

Random RBMs of all hidden kinds, small enough to enumerate. For each estimator the one-sigma
interval must cover the exact value in 55 to 80 % of the models (68 % expected; with 200 models the
standard error is 3.3 %), every |z| must be below 4, and the log-weights may spread by 1 at most.
A negative control is the forward estimate with the constant of the lowest rung off by 0.1 nats.

    python proofs/estimators.py [MODELS] [OUTPUT]

writes estimators.txt beside this file unless told otherwise and exits 1 if a figure fails.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.bridge import bridge_log_partition
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.ladder import trajectory_ladder
from boltzbrain.sampling.partition import (
    LogPartition,
    annealed_importance,
    annealed_importance_backward,
)
from boltzbrain.sampling.running import RunningLogPartition
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.sampling.tempering import sample_ladder

CHAINS, RUNGS, UPDATES, STEPS = 1000, 40, 6, 12
COVERED = (0.55, 0.80)
LARGEST_SCORE, LARGEST_SPREAD = 4.0, 1.0
KIND_NAMES = tuple(sorted(KINDS))
METHODS = ("forward", "backward", "running", "trajectory", "wrong constant (control)")


def case(number: int) -> tuple[RBM, Generator]:
    """Return one model, of a kind that changes with the number, and its stream."""
    generator = Generator.from_seed(number, "proofs", "estimators")
    kind = KIND_NAMES[number % len(KIND_NAMES)]
    binary = KINDS[kind].state_dtype is torch.uint8
    spin = "ising" if number % 4 == 3 else "bernoulli"
    # Ising spins couple twice as strongly as states 0 and 1, continuous units amplify
    strength = (0.4 if binary else 0.2) * (0.5 if spin == "ising" else 1.0)
    visible, hidden = (40, 8) if binary and number % 2 else (12, 8)
    return random_model(
        kind, visible, hidden, generator, visible_kind=spin, weight_std=strength
    ), generator


def early(model: RBM, t: float) -> RBM:
    """Return the model with weights t W: a stage of a training."""
    return RBM(model.visible, model.hidden, t * model.weights)


def forward(model: RBM, generator: Generator) -> LogPartition:
    """Estimate by annealed importance sampling."""
    return annealed_importance(model, generator, chains=CHAINS, rungs=RUNGS)


def backward(model: RBM, generator: Generator) -> LogPartition:
    """Estimate by annealing exact samples back."""
    samples = exact_samples(model, CHAINS, generator)
    return annealed_importance_backward(model, samples, generator, rungs=RUNGS)


def running(model: RBM, generator: Generator) -> LogPartition:
    """Estimate along a training whose weights grow and jitter."""
    state = RunningLogPartition.start(
        early(model, 0.1), generator.child("running"), chains=CHAINS, rungs=10
    )
    for update in range(1, UPDATES + 1):
        moved = early(model, 0.1 + 0.9 * update / UPDATES)
        if update < UPDATES:
            jitter = 0.01 * generator.normal((len(model.visible), len(model.hidden)))
            moved = RBM(moved.visible, moved.hidden, moved.weights + jitter)
        state = state.update(moved)
    return state.estimate()


def trajectory(model: RBM, generator: Generator) -> LogPartition:
    """Estimate by bridges along a ladder through an early stage."""
    ladder = trajectory_ladder([early(model, 0.3), model], generator, rungs=4)
    run = sample_ladder(
        ladder, STEPS * CHAINS, generator.child("ladder"), chains=CHAINS, warm_up=10
    )
    return bridge_log_partition(ladder, run.exchanges, generator)


ESTIMATORS: dict[str, Callable[[RBM, Generator], LogPartition]] = {
    "forward": forward,
    "backward": backward,
    "running": running,
    "trajectory": trajectory,
}


@dataclass(frozen=True)
class Result:
    """One estimator over all models.

    Attributes
    ----------
    scores
        (estimate - exact) / standard error, per model.
    spreads
        Standard deviation of the log-weights, per model.
    """

    scores: np.ndarray
    spreads: np.ndarray

    @property
    def covered(self) -> float:
        """Fraction of models whose one-sigma interval holds the exact value."""
        return float((np.abs(self.scores) < 1).mean())

    @property
    def largest(self) -> float:
        """Largest |z|."""
        return float(np.abs(self.scores).max())

    @property
    def good(self) -> bool:
        """Whether coverage and largest |z| are as they must be."""
        return COVERED[0] <= self.covered <= COVERED[1] and self.largest < LARGEST_SCORE


def measure(models: int) -> dict[str, Result]:
    """Run every estimator on every model."""
    scores: dict[str, list[float]] = {name: [] for name in METHODS}
    spreads: dict[str, list[float]] = {name: [] for name in METHODS}
    for number in range(models):
        model, generator = case(number)
        exact = exact_log_partition(model)
        for name, estimator in ESTIMATORS.items():
            found = estimator(model, generator.child(name))
            scores[name].append((found.value - exact) / found.stderr)
            # a bridge has no weights; its columns' own estimates spread by far more than weights
            spread = math.nan if name == "trajectory" else float(found.log_weights.std())
            spreads[name].append(spread)
            if name == "forward":
                scores[METHODS[-1]].append((found.value + 0.1 - exact) / found.stderr)
                spreads[METHODS[-1]].append(spread)
    return {name: Result(np.array(scores[name]), np.array(spreads[name])) for name in METHODS}


def table(results: dict[str, Result], models: int) -> str:
    """Return the figures as text."""
    lines = [
        f"{models} random RBMs, hidden kinds {', '.join(KIND_NAMES)}; {CHAINS} chains",
        "",
        f"{'estimator':<26}{'covered':>9}{'mean z':>9}{'std z':>8}{'max |z|':>9}{'spread':>8}"
        "  verdict",
    ]
    for name, result in results.items():
        spread = float(np.nanmax(result.spreads)) if name != "trajectory" else math.nan
        shown = "      -" if math.isnan(spread) else f"{spread:7.2f}"
        verdict = "as it must" if result.good else "fails"
        lines.append(
            f"{name:<26}{result.covered:>9.1%}{result.scores.mean():>9.2f}"
            f"{result.scores.std():>8.2f}{result.largest:>9.2f} {shown}  {verdict}"
        )
    lines += ["", "by hidden kind: covered, max |z|"]
    for offset, kind in enumerate(KIND_NAMES):
        parts = []
        for name in ESTIMATORS:
            scores = results[name].scores[offset :: len(KIND_NAMES)]
            if len(scores):
                covered = float((np.abs(scores) < 1).mean())
                parts.append(f"{name} {covered:.0%} {np.abs(scores).max():.2f}")
        lines.append(f"  {kind:<10} " + "; ".join(parts))
    return "\n".join(lines) + "\n"


def passed(results: dict[str, Result]) -> bool:
    """Say whether every estimator is good, the control is not, and no spread is above 1."""
    spreads = max(
        float(np.nanmax(results[name].spreads)) for name in ESTIMATORS if name != "trajectory"
    )
    return (
        all(results[name].good for name in ESTIMATORS)
        and not results[METHODS[-1]].good
        and spreads <= LARGEST_SPREAD
    )


def main() -> int:
    """Run the proof; return the exit code."""
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    output = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).with_suffix(".txt")
    started = time.perf_counter()
    results = measure(models)
    text = table(results, models)
    output.write_text(text)
    print(text)
    print(f"{time.perf_counter() - started:.0f} s")
    return 0 if passed(results) else 1


if __name__ == "__main__":
    sys.exit(main())
