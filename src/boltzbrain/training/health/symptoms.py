"""What can go wrong in a training, seen from one update's batch and chains.

Divergence: a parameter is no number, the weights run away, or the chains leave the data, so that
the gradient pulls at nothing. Collapse: the weights shrink to nothing, or more than a fifth of the
hidden units, though they had learnt something, take no part. Looking costs about one more
evaluation of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.health.convergence import LEAST_WIDTH, idle_units
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import parameters_of

EVERY = 25
"""Updates between two looks."""
RUNAWAY_WIDTH = 10.0
"""Standard deviation of weights that have run away: a neuron's odds change by exp(10)."""
FAR, FAR_ERRORS = 3.0, 10.0
"""Chains have left the data where the odds that a neuron is active are this many times higher or
lower in them than in the batch, and the mean counts differ by this many standard errors."""
ASTRAY, SLACK = 0.05, 5
"""They have left it, too, where this share of them has twice as many active neurons, and some more,
as any bin of the batch."""
MOST_IDLE = 0.20
"""Share of dead or saturated hidden units that is a collapse."""
GROWN = 2.0
"""Size of a unit's weights, over that of the first ones, at which it has learnt something."""
GRACE = 0.10
"""Share of the updates, at least `FIRST` updates, before the weights must have grown."""
FIRST = 100


@dataclass(frozen=True)
class Symptom:
    """What is wrong, in words that finish "the training ..."."""

    kind: Literal["divergence", "collapse"]
    reason: str


def finite(model: RBM) -> bool:
    """Return whether every parameter is a finite number."""
    return all(bool(torch.isfinite(value).all()) for value in parameters_of(model).values())


def symptom(
    model: RBM,
    batch: Tensor,
    chains: Tensor,
    plan: TrainingPlan,
    update: int,
    offsets: Offsets | None = None,
) -> Symptom | None:
    """Return what is wrong, or None.

    Parameters
    ----------
    model
        Live model.
    batch, chains
        (bin, visible) and (chain, visible) states of this update.
    plan
        Its first weights tell how small weights may be without a collapse.
    update
        Updates done.
    offsets
        A row for every bin of the batch.
    """
    if not finite(model):
        return Symptom("divergence", "diverged: a parameter left the finite numbers")
    width = float(model.weights.to(torch.float64).std(correction=0))
    if width > RUNAWAY_WIDTH:
        return Symptom(
            "divergence", f"diverged: the weights have run away, standard deviation {width:.3g}"
        )
    left = _chains_left(batch, chains)
    if left is not None:
        return Symptom("divergence", left)
    if update < max(FIRST, GRACE * plan.updates):
        return None
    least = LEAST_WIDTH
    if plan.weights_from == "noise":
        # a training may start with smaller weights than that and grow them slowly
        least = min(least, plan.weight_std / 2)
    if width < least:
        return Symptom("collapse", f"collapsed: the weights vanish, standard deviation {width:.2g}")
    idle = idle_units(model.hidden, model.inputs_to_hidden(batch, offsets))
    if plan.weights_from == "noise":
        # a unit that is as small as it began has not died: few or rarely active neurons teach it
        # slowly, or it is not needed
        own = model.weights.to(torch.float64).std(dim=0, correction=0)
        idle &= own > GROWN * plan.weight_std
    share = float(idle.to(torch.float64).mean())
    if share > MOST_IDLE:
        return Symptom(
            "collapse", f"collapsed: {share:.0%} of the hidden units are dead or saturated"
        )
    return None


def _counts(states: Tensor) -> Tensor:
    """Return the number of active units of every sample, (sample,) float64."""
    # torch's own sum would first make an int64 copy of the states
    one = torch.ones(states.shape[1], 1, dtype=torch.float64, device=states.device)
    return sum_active_rows(states, one)[:, 0]


def _astray(batch: Tensor, chains: Tensor) -> Tensor:
    """Return which chains have twice as many active neurons as any bin of the batch, and more."""
    return _counts(chains) > 2 * _counts(batch).max() + SLACK


def rescued(chains: Chains, batch: Tensor, seed: int, update: int) -> Chains:
    """Return the chains, those that stray replaced by copies of others drawn at random.

    A chain can fall into a state which no bin resembles and which Gibbs sweeps do not leave for
    thousands of updates. It has told the gradient so since the last look, and goes on with a state
    from which it would tell as much again. Where more than `ASTRAY` of them stray all stay as they
    are, for `symptom` to see: that is a divergence.

    Parameters
    ----------
    chains
        Chains of the training.
    batch
        (bin, visible) states of this update.
    seed, update
        Key of the draw.
    """
    astray = _astray(batch, chains.visible)
    if not 0.0 < float(astray.to(torch.float64).mean()) <= ASTRAY:
        return chains
    there = (~astray).nonzero()[:, 0]
    stream = Generator.from_seed(seed, "rescue", update)
    drawn = torch.from_numpy(stream.integers(len(there), int(astray.sum()))).to(there.device)
    visible, hidden = chains.visible.clone(), chains.hidden.clone()
    visible[astray], hidden[astray] = visible[there[drawn]], hidden[there[drawn]]
    return replace(chains, visible=visible, hidden=hidden)


def _chains_left(batch: Tensor, chains: Tensor) -> str | None:
    """Return how the chains have left the data, or None."""
    theirs, mine = _counts(batch), _counts(chains)
    mean, found = float(theirs.mean()), float(mine.mean())
    spread = theirs.var(correction=0) / len(theirs) + mine.var(correction=0) / len(mine)
    error = float(spread.sqrt())
    width = chains.shape[1]
    odds = (found + 0.5) / (width - found + 0.5) * (width - mean + 0.5) / (mean + 0.5)
    far = odds > FAR or odds < 1 / FAR
    if far and abs(found - mean) > FAR_ERRORS * error:
        return f"diverged: the chains have {found:.3g} active neurons, the bins {mean:.3g}"
    astray = float(_astray(batch, chains).to(torch.float64).mean())
    if astray > ASTRAY:
        return (
            f"diverged: {astray:.0%} of the chains have more than twice as many active neurons as "
            "any bin"
        )
    return None
