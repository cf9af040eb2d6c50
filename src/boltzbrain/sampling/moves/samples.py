"""Samples by moves: chains that start unlike any bin, and how they mix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.foundations.checks import whole_number_in
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.sampling.mixing import Mixing, diagnose_states, independent_samples
from boltzbrain.sampling.moves.hidden import advance_by_moves
from boltzbrain.sampling.moves.proposal import DRAWS, proposal_from


def chains_apart(model: RBM, states: Tensor, n: int, generator: Generator) -> Chains:
    """Return chains each of whose hidden units is drawn given a bin of its own.

    Together they are like no bin, so that nothing of the data is left in what the chains share.

    Parameters
    ----------
    model
        The model.
    states
        (bin, visible) states.
    n
        Number of chains.
    generator
        A stream for these chains alone, continued from a copy.
    """
    whole_number_in("n", n, low=1)
    stream = generator.copy()
    some = states[torch.from_numpy(stream.integers(len(states), DRAWS)).to(states.device)]
    pool = model.sample_hidden(some, stream)
    units = len(model.hidden)
    rows = torch.from_numpy(stream.integers(len(pool), n * units)).reshape(n, units)
    hidden = pool.gather(0, rows.to(pool.device))
    return Chains(model.sample_visible(hidden, stream), hidden, stream)


@dataclass(frozen=True, eq=False)
class Moved:
    """Samples by moves, and how their chains mix.

    Attributes
    ----------
    samples
        (sample, visible) states.
    steps
        Steps of every chain after the warm-up.
    independent_samples
        As `mixing.independent_samples` gives it.
    mixing
        As `mixing.diagnose_states` gives it, over all steps after the warm-up.
    """

    samples: Tensor
    steps: int
    independent_samples: float | None
    mixing: Mapping[str, Mixing]


def sample_by_moves(
    model: RBM,
    states: Tensor,
    n: int,
    generator: Generator,
    *,
    chains: int,
    sweeps: int = 1,
    warm_up: int = 50,
    thin: int = 1,
    tell: Teller = SILENT,
) -> Moved:
    """Draw samples by Gibbs sweeps and moves of chains that start unlike any bin.

    Parameters
    ----------
    model
        The model.
    states
        (bin, visible) training states, from which proposals are made.
    n
        Number of samples.
    generator
        A stream for these chains alone, continued from a copy.
    chains
        Number of chains.
    sweeps
        Sweeps and moves of every hidden unit per step.
    warm_up
        Steps before the first sample.
    thin
        Keep every `thin`-th step.
    tell
        Told the steps, those of the warm-up included.
    """
    whole_number_in("n", n, low=1)
    whole_number_in("warm_up", warm_up, low=0)
    whole_number_in("thin", thin, low=1)
    proposal = proposal_from(model, states, generator.child("proposal"))
    moving = chains_apart(model, states, chains, generator)
    steps = max(8, thin * -(-n // chains))
    kept: list[Tensor] = []
    for step in range(warm_up + steps):
        moving = advance_by_moves(model, moving, proposal, sweeps)
        if step >= warm_up:
            kept.append(moving.visible)
        tell(step + 1, warm_up + steps)
    mixing = diagnose_states(model, kept)
    samples = torch.cat(kept[thin - 1 :: thin])[-n:]
    return Moved(samples, steps, independent_samples(mixing, steps * chains), mixing)
