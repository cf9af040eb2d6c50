"""What an independent sample costs by moves of hidden units, by ladders and by plain block Gibbs.

Two models: of session 10 (split 0, preset `binary`), and of a simulated recording of 5,000 neurons
in 12 assemblies that are on or off (preset `compositional`, which hands over to `assemblies`).
Every sampler starts in equilibrium, from states that a long run of moves or of a ladder left, goes
alone, with the same number of chains, and is judged by the same series: the most steps to forget
of the free energy, the population count and every hidden unit. The gaps between
checkpoints of a training that begins with finished assemblies are wide, so its trajectory ladder
has many rungs near the first. Where R-hat is 1.1 or more the chains did not forget where they
began, and the cost is only a lower bound.

    python proofs/moves_cost.py [--chains 100] [--neurons 5000]

Writes moves_cost.txt.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from ladder_speed import Gibbs, Ladders, trained
from many_neurons import simulate
from torch import Tensor

import boltzbrain as bb
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.exchange import exchange_step, start_replicas
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.sampling.ladder import (
    Ladder,
    annealing_ladder,
    temperature_ladder,
    trajectory_ladder,
)
from boltzbrain.sampling.mixing import diagnose_states
from boltzbrain.sampling.moves.hidden import advance_by_moves
from boltzbrain.sampling.moves.proposal import Proposal, proposal_from
from boltzbrain.training.run.run import TrainingRun

WARM_UP, STEPS, GIBBS_STEPS, SWEEPS = 60, 200, 2000, 2
GREATEST_R_HAT, MOST_RUNGS = 1.1, 200
HEAD = f"{'sampler':<34}{'ms/step':>9}{'forgets in':>12}{'R-hat':>8}{'ms/sample':>12}"


class Moves:
    """Chains by h given v, a move of every hidden unit, v given h."""

    def __init__(self, model: bb.RBM, chains: Chains, proposal: Proposal | None) -> None:
        self.model, self.chains, self.proposal = model, chains, proposal

    def step(self) -> Tensor:
        """Move once; return the states."""
        self.chains = advance_by_moves(self.model, self.chains, self.proposal)
        return self.chains.visible


def fish(folder: Path, neurons: int) -> TrainingRun:
    """Fit the model of assemblies that are on or off."""
    truth, _ = simulate(neurons, max(3, round(12 * neurons / 5000)), 20, 0, 0)
    activity = truth.activity(0.256).split(
        by="blocks", validation=0.1, test=0.2, seed=0, min_active_bins=0
    )
    return bb.fit(activity, "assemblies", 24, folder, 0)


def row(name: str, model: bb.RBM, step: Callable[[], Tensor], steps: int) -> str:
    """Time steps of a sampler and return its line of the table."""
    began = time.perf_counter()
    states = [step() for _ in range(steps)]
    took = 1000 * (time.perf_counter() - began) / steps
    mixing = diagnose_states(model, states).values()
    forget = max(one.autocorrelation_time or 0.0 for one in mixing)
    r_hat = max(one.r_hat or float("inf") for one in mixing)
    # steps of all chains together: each of them is a sample once it has forgotten
    cost = took * max(forget, 1.0) / len(states[0])
    bound = ">" if r_hat >= GREATEST_R_HAT else ""
    return f"{name:<34}{took:>9.2f}{forget:>12.1f}{r_hat:>8.3f}{bound + f'{cost:.3f}':>12}"


def ladders(run: TrainingRun, data: Tensor) -> dict[str, Callable[[Generator], Ladder]]:
    """Return how the ladders are built, by name."""
    model, field = run.best, independent_field(data)
    corners = run.trajectory(run.info["chosen_update"])
    return {
        "trajectory": lambda stream: trajectory_ladder(corners, stream, visible_field=field),
        "temperature": lambda stream: temperature_ladder(model, stream),
        "annealing": lambda stream: annealing_ladder(model, stream, visible_field=field),
    }


def measure(name: str, run: TrainingRun, chains: int) -> list[str]:
    """Return the table of one model as lines."""
    model, data = run.best, torch.from_numpy(run.activity().states_of("train"))
    stream = Generator.from_seed(0, "proof", "moves")
    proposal = proposal_from(model, data, stream)
    rows = data[torch.from_numpy(stream.integers(len(data), chains))].clone()
    begun = Chains(rows, model.sample_hidden(rows, stream), stream)
    moves = Moves(model, begun, proposal)
    for _ in range(WARM_UP):
        moves.step()
    still = moves.chains
    lines = [
        f"{name}: {len(model.visible)} neurons, {len(model.hidden)} hidden units; {chains} chains, "
        f"{torch.get_num_threads()} threads",
        HEAD,
        row("moves", model, moves.step, STEPS),
        row("plain Gibbs", model, Gibbs(model, still).step, GIBBS_STEPS),
    ]
    for method, build in ladders(run, data).items():
        generator = Generator.from_seed(0, "proof", "ladder", method)
        ladder = build(generator)
        title = f"{method} ladder, {len(ladder)} rungs"
        if len(ladder) > MOST_RUNGS:
            lines.append(f"{title}: not run, more than {MOST_RUNGS}")
            continue
        replicas = start_replicas(ladder, chains, generator.child("columns"))
        for _ in range(WARM_UP):
            replicas, _ = exchange_step(ladder, replicas, sweeps=SWEEPS)
        lines.append(row(title, model, Ladders(ladder, replicas, SWEEPS).step, STEPS))
    return [*lines, ""]


def main() -> int:
    """Run the proof; its figures are to be published, whatever they are."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--chains", type=int, default=100)
    parser.add_argument("--neurons", type=int, default=5000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        session = trained(Path(folder) / "session10")
        lines = measure("session 10, split 0", session, given.chains)
        planted = fish(Path(folder) / "fish", given.neurons)
        lines += measure("12 assemblies that are on or off", planted, given.chains)
    text = "\n".join(lines)
    Path(__file__).with_suffix(".txt").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
