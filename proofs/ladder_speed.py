"""Effective samples per second of the trajectory ladder beside plain block Gibbs.

The model is the last of a training on session 10 (split 0, default preset). Both samplers start in
equilibrium, from states of a ladder that was run before, go one after the other on this machine
with the same number of chains, and are judged by the same series: the fewest effective samples of
the free energy, the population count and every hidden unit.

    python proofs/ladder_speed.py [--run RUN] [--chains 100]

Without --run the training is done first (about a minute on 2 cores). Prints a table and writes it
to ladder_speed.txt beside this file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.exchange import Replicas, exchange_step, start_replicas
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.ladder import Ladder, trajectory_ladder
from boltzbrain.sampling.mixing import diagnose_states, independent_samples
from boltzbrain.training.run.run import TrainingRun

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data" / "steinmetz"
AIM = 5.0
WARM_UP, LADDER_STEPS, GIBBS_STEPS = 100, 300, 3000
HEAD = (
    f"{'sampler':<34}{'steps':>7}{'ms/step':>9}{'tau':>8}{'R-hat':>8}{'effective':>11}"
    f"{'per second':>12}"
)


def trained(folder: Path) -> TrainingRun:
    """Fit the model of the proof."""
    name = DATA / "session10"
    words = ["fit", f"{name}.npz", "-o", folder, "--bin-ms", "20", "--seed", "0"]
    words += ["--folds", f"{name}_folds.csv:split0"]
    command = Path(sys.executable).with_name("boltzbrain")
    subprocess.run([command, *map(str, words)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return TrainingRun.open(folder)


def timed(step: Callable[[], Tensor], steps: int) -> tuple[list[Tensor], float]:
    """Repeat a step; return the states after each, and the seconds it took."""
    began = time.perf_counter()
    states = [step() for _ in range(steps)]
    return states, time.perf_counter() - began


def row(name: str, model, states: list[Tensor], seconds: float) -> tuple[str, float]:
    """Return one line of the table, and the effective samples per second."""
    mixing = diagnose_states(model, states)
    chains = len(states[0])
    count = independent_samples(mixing, len(states) * chains)
    worst = max(mixing.values(), key=lambda one: one.autocorrelation_time or 0.0)
    rate = (count or 0.0) / seconds
    text = (
        f"{name:<34}{len(states):>7}{1000 * seconds / len(states):>9.2f}"
        f"{worst.autocorrelation_time or float('nan'):>8.1f}{worst.r_hat or float('nan'):>8.3f}"
        f"{count or float('nan'):>11.0f}{rate:>12.1f}"
    )
    return text, rate


class Ladders:
    """A ladder's replicas, step after step."""

    def __init__(self, ladder: Ladder, replicas: Replicas, sweeps: int) -> None:
        self.ladder, self.replicas, self.sweeps = ladder, replicas, sweeps

    def step(self) -> Tensor:
        """Sweep and exchange once; return the states of the highest rung."""
        self.replicas, _ = exchange_step(self.ladder, self.replicas, sweeps=self.sweeps)
        return self.replicas.visible[-1]


class Gibbs:
    """Plain chains, sweep after sweep."""

    def __init__(self, model, chains: Chains) -> None:
        self.model, self.chains = model, chains

    def step(self) -> Tensor:
        """Sweep once; return the states."""
        self.chains = advance(self.model, self.chains, 1)
        return self.chains.visible


def measure(run: TrainingRun, chains: int) -> list[str]:
    """Return the table and the verdict as lines."""
    update = run.checkpoints()[-1].update
    trajectory = run.trajectory(update)
    field = independent_field(torch.from_numpy(run.activity().states_of("train")))
    model = trajectory[-1]
    lines = [
        f"session 10, split 0, update {update}: {len(model.visible)} neurons, "
        f"{len(model.hidden)} hidden units; {chains} chains, {torch.get_num_threads()} threads",
        "",
        HEAD,
    ]
    rates: dict[str, float] = {}
    start: Tensor | None = None
    for acceptance, sweeps in ((0.4, 1), (0.4, 3), (0.25, 1), (0.25, 3)):
        generator = Generator.from_seed(0, "proof", "ladder")
        ladder = trajectory_ladder(
            trajectory, generator, visible_field=field, acceptance=acceptance
        )
        replicas = start_replicas(ladder, chains, generator.child("columns"))
        for _ in range(WARM_UP):
            replicas, _ = exchange_step(ladder, replicas, sweeps=sweeps)
        start = replicas.visible[-1] if start is None else start
        name = f"ladder {acceptance:g}, {len(ladder)} rungs, {sweeps} sweeps"
        states, took = timed(Ladders(ladder, replicas, sweeps).step, LADDER_STEPS)
        text, rates[name] = row(name, model, states, took)
        lines.append(text)
    assert start is not None
    stream = Generator.from_seed(0, "proof", "gibbs")
    plain = Chains(start, model.sample_hidden(start, stream), stream)
    states, took = timed(Gibbs(model, plain).step, GIBBS_STEPS)
    text, base = row("plain Gibbs", model, states, took)
    best = max(rates, key=lambda name: rates[name])
    ratio = rates[best] / base
    verdict = "reached" if ratio >= AIM else "missed"
    return [
        *lines,
        text,
        "",
        f"best ladder over plain Gibbs: {ratio:.2f} times the effective samples per second "
        f"({best}); aim {AIM:g}: {verdict}",
    ]


def main() -> int:
    """Run the proof; return the exit code: 0 whatever the ratio, which is a figure to publish."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", type=Path)
    parser.add_argument("--chains", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = TrainingRun.open(given.run) if given.run else trained(Path(folder) / "run")
        text = "\n".join(measure(run, given.chains)) + "\n"
    Path(__file__).with_suffix(".txt").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
