"""Chains that Gibbs sweeps alone do not mix, mixed by exchange along a ladder.

A hidden unit that stands for an assembly has two modes, and at some strength of the assembly block
Gibbs crosses from one to the other less than once in thousands of sweeps. The chains then keep the
share of assemblies that they happen to have, and the training matches that share instead of the
model's. On the way to the model without weights the modes meet, so that a few rungs between it and
the model, whose chains swap states by the exchange kernel of `sampling.exchange`, mix within some
ten steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.exchange import exchange_step, start_replicas
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.sampling.ladder import Ladder

RUNGS = 9
"""Rungs at equal distances; neighbours then exchange in about half of the proposals."""
STEPS = 20
"""Steps of one remixing, each with a sweep of every rung."""
WARM_UP = 100
"""Steps after which the chains on top are taken to have forgotten their start."""


def ladder_to(model: RBM, field: Tensor) -> Ladder:
    """Return the ladder from the independent model with visible fields `field` to the model."""
    base = model.independent(field.to(model.weights.device))
    between = [base.mixed(model, rung / (RUNGS - 1)) for rung in range(1, RUNGS - 1)]
    return Ladder((base, *between, model), "annealing")


def remixed(model: RBM, chains: Chains, field: Tensor, generator: Generator) -> Chains:
    """Return chains in place of the given ones, drawn through the ladder; their stream stays.

    All start anew from below. A chain that is caught in a state which no bin resembles and which no
    exchange reaches has told the training so in the updates since the last remixing, and would stay
    there for good.

    Parameters
    ----------
    model
        Model of the chains.
    chains
        Chains to replace.
    field
        Visible fields of the lowest rung, (visible,), those of the rates of the data.
    generator
        A stream for this remixing alone.
    """
    ladder = ladder_to(model, field)
    replicas = start_replicas(ladder, len(chains), generator)
    for _ in range(STEPS):
        replicas, _ = exchange_step(ladder, replicas)
    return replace(chains, visible=replicas.visible[-1], sweeps=chains.sweeps + STEPS)


def by_exchange(model: RBM, chains: int, field: Tensor, generator: Generator) -> Iterator[Tensor]:
    """Yield states (chain, visible) of the model, exchanged with a ladder, step by step.

    The first `WARM_UP` steps are left out. Parameters as in `remixed`.
    """
    ladder = ladder_to(model, field)
    replicas = start_replicas(ladder, chains, generator)
    for step in itertools.count():
        replicas, _ = exchange_step(ladder, replicas)
        if step >= WARM_UP:
            yield replicas.visible[-1]
