"""A step of a ladder in one call is the step rung by rung and pair by pair, bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.exchange import Replicas, exchange_step, replicas_from
from boltzbrain.sampling.ladder import Ladder
from boltzbrain.sampling.synthetic import random_model

# visible, hidden, chains, rungs: around a word of 64 units, tables of sums, stretches of units;
# more than 128 chains are summed in another order
SIZES = [(3, 1, 5, 2), (60, 20, 100, 5), (130, 70, 150, 4), (1100, 9, 7, 4), (64, 33, 33, 3)]


def rungs_to(model: RBM, count: int, *, moving: bool) -> Ladder:
    """Return a ladder whose rungs are copies of a model, scaled, and its fields moved or not."""
    field = model.visible.parameters()["field"] - 1.0 if moving else None
    base = model.independent(field)
    between = tuple(base.mixed(model, rung / (count - 1)) for rung in range(1, count - 1))
    return Ladder((base, *between, model), "annealing")


def step_by_step(
    ladder: Ladder, replicas: Replicas, sweeps: int
) -> tuple[Tensor, Tensor, Tensor, Generator]:
    """Return states and log-weights of a step as a loop over the rungs, and the pairs, takes it."""
    stream, visible = replicas.generator.copy(), replicas.visible.clone()
    for rung, model in enumerate(ladder.rungs):
        visible[rung] = model.sweep(visible[rung], stream, sweeps)[0]
    first = replicas.steps % 2 if len(ladder) > 2 else 0
    weights = [
        ladder.log_weight(pair, visible[pair : pair + 2].flatten(0, 1))
        for pair in range(first, len(ladder) - 1, 2)
    ]
    below, above = torch.stack(weights).unflatten(1, (2, replicas.chains)).unbind(1)
    uniform = stream.uniform((len(weights), replicas.chains))
    for row, pair in enumerate(range(first, len(ladder) - 1, 2)):
        for chain in range(replicas.chains):
            if uniform[row, chain].log() < below[row, chain] - above[row, chain]:
                visible[[pair, pair + 1], chain] = visible[[pair + 1, pair], chain]
    return visible, below, above, stream


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("sizes", SIZES)
def test_a_step_in_one_call_is_the_step_rung_by_rung(
    sizes: tuple[int, int, int, int], kind: str, moving: bool
) -> None:
    visible, hidden, chains, rungs = sizes
    generator = Generator.from_seed(visible, kind)
    model = random_model(kind, visible, hidden, generator, weight_std=0.5)
    ladder = rungs_to(model, rungs, moving=moving)
    # sparse and dense states are summed in different ways
    share = torch.linspace(0.02, 0.6, chains)[:, None]
    states = torch.stack([generator.uniform((chains, visible)) < share for _ in range(rungs)])
    replicas = replicas_from(states.to(torch.uint8), generator)
    for sweeps in (1, 2):
        wanted, below, above, stream = step_by_step(ladder, replicas, sweeps)
        replicas, exchange = exchange_step(ladder, replicas, sweeps=sweeps)
        assert torch.equal(replicas.visible, wanted)
        assert torch.equal(exchange.below, below)
        assert torch.equal(exchange.above, above)
        assert replicas.generator == stream
    assert (ladder.at_once is not None) == (kind in {"bernoulli", "relu", "drelu"})


def test_what_no_loop_serves_goes_rung_by_rung() -> None:
    fits = random_model("bernoulli", 6, 3, Generator.from_seed(0))
    assert rungs_to(fits, 3, moving=True).at_once is not None
    others = [
        fits.to(torch.float64),
        random_model("bernoulli", 6, 3, Generator.from_seed(0), visible_kind="ising"),
        RBM(Bernoulli(torch.zeros(6, requires_grad=True)), fits.hidden, fits.weights),
        random_model("drelu", 3000, 150, Generator.from_seed(0)),
        random_model("bernoulli", 30_000, 150, Generator.from_seed(0)),
    ]
    for model in others:
        assert rungs_to(model, 3, moving=False).at_once is None
