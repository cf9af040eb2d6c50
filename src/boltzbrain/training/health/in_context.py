"""Whether a training with a context has converged: bins against chains of their own laws.

Every bin has a law of its own, so the means over some bins are compared with those of chains of the
same bins, two each: one goes on from the chain of the bin, the other begins at the chain of another
bin. The sampling error of a difference comes from its spread between groups of bins, and R-hat from
chains of one bin against each other.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.moves.hidden import advance_by_moves
from boltzbrain.sampling.moves.proposal import proposal_from
from boltzbrain.training.health.convergence import (
    GREATEST_R_HAT,
    Convergence,
    idle_units,
    shares_within,
    statistics_of,
    stride_of,
)
from boltzbrain.training.update.penalties import Penalties

_BINS, _GROUPS, _REPLICAS = 1000, 20, 2
_SWEEPS, _STEPS, _MOST_STEPS = 10, 20, 640
"""Sweeps per step, the last with moves of every hidden unit; steps until the first look at R-hat,
and at most (doubling in between)."""


def assess_in_context(
    model: RBM,
    states: Tensor,
    chains: Tensor,
    offsets: Offsets,
    *,
    penalties: Penalties,
    generator: Generator,
) -> Convergence:
    """Judge a trained model with a context by training bins and by chains of the same bins.

    Parameters
    ----------
    model
        The model, held as it is.
    states, chains
        (bin, visible) uint8 training states, and the state of the chain of every bin.
    offsets
        A row for every bin.
    penalties
        Penalties on the weights at the end of training.
    generator
        A stream for these sweeps alone.
    """
    count = min(len(states), _BINS)
    groups = min(_GROUPS, count)
    count = count // groups * groups
    order = torch.from_numpy(generator.permutation(len(states))[:count]).to(states.device)
    data, beside, begun = states[order], offsets[order], chains[order]
    both = torch.cat([begun, begun.roll(1, dims=0)])
    rows = torch.arange(count, device=states.device).repeat(_REPLICAS)
    laws = beside[rows]
    moving = Chains(both, model.sample_hidden(both, generator, laws), generator)
    proposal, stride = proposal_from(model, data, generator), stride_of(model)
    energies: list[Tensor] = []
    sums: list[dict[str, Tensor]] = []
    look = _STEPS
    r_hat: float | None = None
    for step in range(1, _MOST_STEPS + 1):
        moving = advance(model, moving, _SWEEPS - 1, laws)
        moving = advance_by_moves(model, moving, proposal, offsets=laws)
        found = [
            statistics_of(model, moving.visible[part], stride, laws[part])
            for part in _groups(rows, count, groups)
        ]
        for total, one in zip(sums or [{} for _ in found], found, strict=True):
            for name, value in one.items():
                one[name] = total.get(name, 0.0) + value
        sums = found
        energies.append(model.free_energy(moving.visible, laws))
        if step == look:
            series = torch.stack(energies, dim=1).reshape(_REPLICAS, count, step)
            r_hat = _r_hat(series.cpu().numpy())
            if r_hat is None or r_hat < GREATEST_R_HAT:
                break
            look *= 2
    steps = len(energies)
    apart: dict[str, list[Tensor]] = {}
    for part, total in zip(_groups(rows[:count], count, groups), sums, strict=True):
        for name, value in statistics_of(model, data[part], stride, beside[part]).items():
            apart.setdefault(name, []).append(value - total[name] / steps)
    stacks = {name: torch.stack(each) for name, each in apart.items()}
    within = shares_within(
        model,
        {name: stack.mean(dim=0) for name, stack in stacks.items()},
        {name: stack.std(dim=0) / math.sqrt(groups) for name, stack in stacks.items()},
        penalties,
    )
    idle = idle_units(model.hidden, model.inputs_to_hidden(data, beside))
    return Convergence(
        within,
        float(model.weights.to(torch.float64).std(correction=0)),
        float(idle.to(torch.float64).mean()),
        r_hat,
        moving.sweeps,
    )


def _groups(rows: Tensor, count: int, groups: int) -> list[Tensor]:
    """Return the rows of every group of bins."""
    group = rows * groups // count
    return [(group == number).nonzero()[:, 0] for number in range(groups)]


def _r_hat(series: np.ndarray) -> float | None:
    """Return split R-hat of chains of one law each, pooled over laws; (replica, law, step)."""
    if not np.isfinite(series).all():
        return None
    half = series.shape[2] // 2
    parts = np.concatenate([series[:, :, :half], series[:, :, -half:]])
    inside = parts.var(axis=2, ddof=1).mean()
    between = parts.mean(axis=2).var(axis=0, ddof=1).mean()
    if not inside > 0:
        return None
    return float(np.sqrt((half - 1) / half + between / inside))
