"""Weights as a product of members and small corrections, and the first model of on/off units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor

from boltzbrain.kernels.dispatch import correlate, mean_states
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU
from boltzbrain.model.rbm import RBM
from boltzbrain.training.assemblies.couplings import (
    AS_THEY_ARE,
    correction,
    couplings_of_bins,
    couplings_of_states,
)
from boltzbrain.training.assemblies.find import Components
from boltzbrain.training.assemblies.nested import Marks, nested, where_it_counts
from boltzbrain.training.assemblies.potentials import Potential, graded_potential, on_off_potential

Floats = NDArray[np.float64]

_ROUNDS = 6
"""Rounds of taking back the couplings between the units of a first model."""
_SHARES = (0.002, 0.5)
"""Least and greatest share of the bins in which a unit is on at first."""
_BESIDE = (1e-6, 0.9)
"""Least and greatest share in which a unit is on beside others as they are."""
_PSEUDO = 2.0
"""Bins of a neuron's mean rate that are added to those in which its rate is measured."""


@dataclass(frozen=True, eq=False)
class Factors:
    """W = D A.

    Attributes
    ----------
    members
        D (neuron, unit), 0 but for the members of each unit.
    mixing
        A (unit, unit), near 1: what a unit also does to the members of others.
    """

    members: Tensor
    mixing: Tensor

    @property
    def weights(self) -> Tensor:
        """Return W, (neuron, unit)."""
        return self.members @ self.mixing


def first_model(states: Tensor, found: Components) -> tuple[RBM, Factors]:
    """Return a model of units that are on or off, or take every value, as their components do.

    Of graded units, one standard deviation below and above the mean stand for off and on where
    couplings between units are taken back.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    found
        At least one component that is on or off.
    """
    bins, units = len(states), found.on.shape[1]
    rates = (mean_states(states, torch.float64).numpy() * bins + 0.5) / (bins + 1.0)
    inside = nested(found.on, found.members)
    counts = where_it_counts(found.on, inside)
    upper, lower = _rates(states, found.on, counts, rates)
    steps = np.where(found.members, logit(upper) - logit(lower), 0.0)
    off = _log_odds_off(states, found.on, steps, rates)
    shares = np.clip(found.on.mean(axis=0), *_SHARES)
    # levels at which a unit has variance 1, the kink of its potential midway
    width = np.append(1.0 / np.sqrt(shares * (1.0 - shares)), np.full(found.graded.shape[1], 2.0))
    rises = np.column_stack([steps, 2.0 * found.slopes])
    wanted = couplings_wanted(found)
    brought = np.zeros((len(width), len(width)))
    usual = np.append(shares, np.full(found.graded.shape[1], 0.5))
    for _ in range(_ROUNDS):
        brought += correction(off - found.slopes.sum(axis=1), rises, brought, wanted, usual)
    mixing = np.eye(len(width)) + brought * width[:, None] / width[None, :]
    members = rises / width
    # the small weights lower the members of other units on average; their fields take it back
    off = off - rises @ (brought[:, :units] @ shares)
    weights = members @ mixing
    levels = width[:units] / 2.0
    raised = weights[:, :units] * width[:units]
    inputs = off + raised @ shares
    others, own = _shares_where_it_counts(found.on, counts, shares)
    potentials = _potentials(
        inputs + (others - shares) @ raised.T,
        raised,
        weights,
        found.members,
        levels,
        others,
        own,
        wanted[:units, :units],
    )
    for unit, (values, slopes) in enumerate(
        zip(found.graded.T, found.slopes.T, strict=True), units
    ):
        mine = slopes != 0
        one, kink = graded_potential(inputs[mine], weights[mine, unit], values)
        potentials.append(_leaning(one, inputs, weights[:, unit], mine))
        levels = np.append(levels, kink)
    hidden = DReLU(*(_float(np.array(values)) for values in zip(*potentials, strict=True)))
    visible = Bernoulli(_float(off + weights @ levels))
    return RBM(visible, hidden, _float(weights)), Factors(_float(members), _float(mixing))


def couplings_wanted(found: Components) -> Floats:
    """Return the couplings that the data have, (unit, unit): none where one is graded.

    `AS_THEY_ARE` where one lies within the other. Of two that lie within a third, or of which one
    does, those in the bins in which it is on: the rest is the third's.
    """
    graded = found.graded.shape[1]
    inside = nested(found.on, found.members)
    couplings = couplings_of_bins(found.on)
    for unit in np.flatnonzero(inside.any(axis=1)):
        there = found.on[:, inside[unit]].all(axis=1)
        couplings[unit] = couplings[:, unit] = couplings_of_bins(found.on[there])[unit]
    couplings[inside | inside.T] = AS_THEY_ARE
    return np.pad(couplings, ((0, graded), (0, graded)))


def levels_of(model: RBM, inputs: Tensor) -> tuple[Floats, Floats, Floats]:
    """Return the mean of <h> above 0, minus that below 0, and the mean, (unit,) each.

    Parameters
    ----------
    model
        The model.
    inputs
        (bin, unit) inputs of the hidden units given data.
    """
    means = model.hidden.mean(inputs).to(torch.float64)
    above, below = means.clamp(min=0.0), (-means).clamp(min=0.0)
    up = above.sum(dim=0) / (means > 0).sum(dim=0).clamp(min=1)
    down = below.sum(dim=0) / (means <= 0).sum(dim=0).clamp(min=1)
    return up.numpy(), down.numpy(), means.mean(dim=0).numpy()


def corrected(
    model: RBM, factors: Factors, inputs: Tensor, wanted: Floats, drawn: Tensor
) -> Tensor:
    """Return the change of the mixing that takes back couplings as the model stands, (unit, unit).

    Parameters
    ----------
    model, factors
        The model and the factors of its weights.
    inputs
        (bin, unit) inputs of the hidden units given data, which tell their levels.
    wanted
        (unit, unit) couplings that the data have.
    drawn
        (sample, unit) hidden states of the model.
    """
    up, down, mean = levels_of(model, inputs)
    width = np.maximum(up + down, 1e-6)
    usual = np.clip((mean + down) / width, 0.0, 1.0)
    members = factors.members.to(torch.float64).numpy()
    mixing = factors.mixing.to(torch.float64).numpy()
    off = model.visible.parameters()["field"].to(torch.float64).numpy() - members @ (mixing @ down)
    brought = (mixing - np.eye(len(width))) * width[None, :] / width[:, None]
    given = model.hidden.mean(inputs).to(torch.float64).numpy()
    excess = couplings_of_states(drawn.to(torch.float64).numpy(), width)
    excess -= couplings_of_states(given, width)
    change = correction(off, members * width, brought, wanted, usual, excess)
    return _float(change * width[:, None] / width[None, :])


def _rates(states: Tensor, on: Marks, counts: Marks, rates: Floats) -> tuple[Floats, Floats]:
    """Return each neuron's rate while a unit is on and while it is off, (neuron, unit)."""

    def active(marks: Marks) -> Floats:
        return correlate(states, torch.from_numpy(marks.astype(np.float32))).double().numpy()

    above = on & counts
    up, count = active(above), above.sum(axis=0)
    total = rates[:, None] * len(states)
    if not counts.all():
        total = total - active(~counts)
    more = _PSEUDO * rates[:, None]
    upper = (up + more) / (count + _PSEUDO)
    lower = (total - up + more) / (counts.sum(axis=0) - count + _PSEUDO)
    tiny = 1e-9
    return np.clip(upper, tiny, 1 - tiny), np.clip(lower, tiny, 1 - tiny)


def _log_odds_off(states: Tensor, on: Marks, rises: Floats, rates: Floats) -> Floats:
    """Return each neuron's log-odds in the bins in which none of its units is on, (neuron,)."""
    given = states.numpy()
    belongs = (rises != 0).astype(np.float32).T
    count, active = np.zeros(len(rises)), np.zeros(len(rises))
    for first in range(0, len(given), 200):
        part = slice(first, first + 200)
        off = on[part].astype(np.float32) @ belongs == 0
        count += off.sum(axis=0)
        active += (off & (given[part] > 0)).sum(axis=0)
    return np.asarray(logit((active + _PSEUDO * rates) / (count + _PSEUDO)))


def _shares_where_it_counts(on: Marks, counts: Marks, shares: Floats) -> tuple[Floats, Floats]:
    """Return the shares of others, and its own, in the bins that count for a unit.

    Returns
    -------
    others
        (unit, other unit): how often the other is on there.
    own
        (unit,) how often the unit itself is.
    """
    others = np.tile(shares, (len(shares), 1))
    own = shares.copy()
    for unit in np.flatnonzero(~counts.all(axis=0) & counts.any(axis=0)):
        there = on[counts[:, unit]].mean(axis=0)
        own[unit] = np.clip(there[unit], *_BESIDE)
        others[unit] = there
        others[unit, unit] = shares[unit]
    return others, own


def _potentials(
    inputs: Floats,
    raised: Floats,
    weights: Floats,
    members: Marks,
    levels: Floats,
    others: Floats,
    own: Floats,
    wanted: Floats,
) -> list[Potential]:
    """Return potentials of on/off units, by quadrature over members, to first order over all.

    All other units are as on average in the bins that count for it: `inputs` are (unit, neuron),
    `others` and `own` those of `_shares_where_it_counts`. The odds of a unit are those of its
    share, less what the couplings that the data have add on average with others on or off, and more
    what they add with others in between.
    """
    wanted = np.where(wanted == AS_THEY_ARE, 0.0, wanted)
    odds = logit(own) - np.log1p(others * np.expm1(wanted)).sum(axis=1) + (wanted * others).sum(1)
    beside = np.clip(expit(odds), *_BESIDE)
    found = []
    for unit, mine in enumerate(members.T):
        off = inputs[unit] - raised[:, unit] * others[unit, unit]
        one = on_off_potential(off[mine], weights[mine, unit], levels[unit], beside[unit])
        found.append(_leaning(one, off, weights[:, unit], mine))
    return found


def _leaning(one: Potential, off: Floats, weights: Floats, mine: NDArray[np.bool_]) -> Potential:
    """Return a potential, found over its members, that allows for all other neurons too."""
    slope = float(weights[~mine] @ expit(off[~mine]))
    return one._replace(field_plus=one.field_plus - slope, field_minus=one.field_minus + slope)


def _float(values: Floats) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
