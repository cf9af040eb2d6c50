"""log Z by annealing hidden units with the visible ones integrated out.

Chains begin at a product law q of the hidden units that is made from data and normalised, and pass
through q(h)**(1 - t) P(h)**t by moves of single units, whose acceptance is that at t = 1 to the
power t. The mean of the weights is the integral of exp(-F(h)) over the range of q, which reaches
beyond all that the units do given data (`moves.proposal`).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.moves.hidden import move_hidden
from boltzbrain.sampling.moves.proposal import Proposal, proposal_from
from boltzbrain.sampling.partition import (
    LogPartition,
    bootstrap_log_mean,
    effective_sample_size,
    log_mean_exp,
)


def annealed_by_moves(
    model: RBM, states: Tensor, generator: Generator, *, chains: int, rungs: int
) -> LogPartition:
    """Estimate log Z by annealing hidden units; where assemblies are on or off as a whole.

    Parameters
    ----------
    model
        Visible units of {0, 1}, real-valued hidden units.
    states
        (bin, visible) states, e.g. of the training fold.
    generator
        Moves on.
    chains
        Number of chains, at least 10.
    rungs
        Steps from q to the model, at least 2.

    Returns
    -------
    LogPartition
        Method "forward".

    Raises
    ------
    InputError
        If an option is out of range, or the hidden units have two values.
    """
    whole_number_in("chains", chains, low=10)
    whole_number_in("rungs", rungs, low=2)
    base = law_to_start_from(model, states, generator)
    log_weights = climb_by_moves(model, base, chains, rungs, generator)
    return LogPartition(
        log_mean_exp(log_weights),
        bootstrap_log_mean(log_weights, generator),
        effective_sample_size(log_weights),
        log_weights,
        "forward",
    )


def annealed_back_by_moves(
    model: RBM, states: Tensor, hidden: Tensor, generator: Generator, *, rungs: int
) -> LogPartition:
    """Estimate log Z by annealing hidden states of the model back to the product law.

    Parameters
    ----------
    model, states, generator, rungs
        As of `annealed_by_moves`.
    hidden
        (chain, hidden) independent states of the model.

    Returns
    -------
    LogPartition
        Method "backward".
    """
    whole_number_in("rungs", rungs, low=2)
    base = law_to_start_from(model, states, generator)
    log_weights = _carried(model, base, hidden, _rungs(rungs)[::-1], generator)
    return LogPartition(
        -log_mean_exp(log_weights),
        bootstrap_log_mean(log_weights, generator),
        effective_sample_size(log_weights),
        log_weights,
        "backward",
    )


def law_to_start_from(
    model: RBM, states: Tensor, generator: Generator, offsets: Offsets | None = None
) -> Proposal:
    """Return the product law q, made from states (bin, visible), each under its own offsets.

    Raises
    ------
    InputError
        If the hidden units have two values.
    """
    base = proposal_from(model, states, generator, as_often=True, offsets=offsets)
    if base is None:
        raise bad_input("hidden units", "be real-valued", model.hidden.kind)
    return base


def climb_by_moves(
    model: RBM,
    base: Proposal,
    chains: int,
    rungs: int,
    generator: Generator,
    offsets: Offsets | None = None,
) -> Tensor:
    """Return log-weights of log Z of chains from q to the model, (chain,) float64.

    Offsets have a row for every chain, each of which then tells of its own log Z.
    """
    hidden = base.draw(chains, generator, model.weights.dtype)
    return _carried(model, base, hidden, _rungs(rungs), generator, offsets)


def _rungs(count: int) -> list[float]:
    ts: list[float] = torch.linspace(0, 1, count + 1, dtype=torch.float64).tolist()
    return ts


def _carried(
    model: RBM,
    base: Proposal,
    hidden: Tensor,
    ts: list[float],
    generator: Generator,
    offsets: Offsets | None = None,
) -> Tensor:
    """Carry hidden states from the first rung to the last, and return their log-weights, (chain,).

    A state outside the range of the base has no part in the integral: its weight is 0.
    """
    total = torch.zeros(len(hidden), dtype=torch.float64, device=hidden.device)
    for here, there in itertools.pairwise(ts):
        density = base.log_probability(hidden).sum(dim=1)
        ratio = -model.free_energy_of_hidden(hidden, offsets) - density
        total += torch.where(density.isfinite(), (there - here) * ratio, -torch.inf)
        if 0 < there < 1:
            hidden = move_hidden(model, hidden, base, generator, offsets=offsets, t=there)
    return total.cpu()
