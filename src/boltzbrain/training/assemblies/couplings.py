"""Couplings that shared neurons put between hidden units, and the small weights that undo them.

Two assemblies that share neurons favour each other in a model of plain weights: with
S = sum_i softplus(inputs), S(both) - S(one) - S(other) + S(none) is above 0, .8 nats a pair at
40,000 neurons, whatever the data say. Weights are therefore a product W = D (I + C) of members D
(neuron, unit), sparse, and a small matrix C (unit, unit): switching unit a also moves the members
of every other unit b by C_ba of what b itself would, so that both come out independent, or as
dependent as their bins are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from boltzbrain.foundations.autocorrelation import lagged_products

Floats = NDArray[np.float64]

AS_THEY_ARE = np.inf
"""Wanted of a pair whose coupling is not taken back: see `nested`."""
_STEP = 0.8
"""Share of a coupling that a round takes back."""
_CROWD = 2.5
"""So many times as many units are on where it is seen to that those which are on do not hold each
other there: a coupling is 0 in one number of them only."""
_FEWEST_UNITS = 5
"""With no more units, too few pairs tell the couplings of one."""
_FILLINGS = 20
"""Rounds in which couplings that are kept are taken for what others say; of six units with one kept
pair a round leaves two fifths of what is wrong, and of more units less."""
_FALSE = 0.05
"""Share of false ones among the couplings that the data are asked for."""
_LAGS = 0.1
"""Lags over which the memory of two units is summed, as a share of the bins."""


def pair_couplings(off: Floats, rises: Floats, shares: Floats, usual: Floats) -> Floats:
    """Return S(both on) - S(one) - S(other) + S(none) of each pair, all others as usual.

    Exact over the members of the two, and to second order over all other neurons, which they move
    by what they bring along of other units.

    Parameters
    ----------
    off
        (neuron,) log-odds with every unit off.
    rises
        (neuron, unit) by how much a unit raises the log-odds of its members; 0 elsewhere.
    shares
        (unit, unit): the share [b, a] of the rise by unit b that unit a brings along; C above in
        units of the rises.
    usual
        (unit,) in the interval from 0 to 1: how far each unit is on while others are looked at.

    Returns
    -------
    ndarray
        (unit, unit), symmetric, 0 on the diagonal.
    """
    units = rises.shape[1]
    members = [np.flatnonzero(rises[:, unit]) for unit in range(units)]
    moved = rises @ (np.eye(units) + shares)
    inputs = off + moved @ usual
    active = expit(inputs)
    bend = active * (1.0 - active)
    found = moved.T @ (bend[:, None] * moved)
    effects = np.ascontiguousarray(moved.T)
    for first in range(units):
        found[first, first] = 0.0
        for second in range(first):
            where = np.union1d(members[first], members[second])
            one, other = effects[first, where], effects[second, where]
            x = inputs[where] - usual[first] * one - usual[second] * other
            total = _softplus(x + one + other) + _softplus(x)
            total -= _softplus(x + one) + _softplus(x + other) + bend[where] * one * other
            found[first, second] += total.sum()
            found[second, first] = found[first, second]
    return found


def correction(
    off: Floats,
    rises: Floats,
    shares: Floats,
    wanted: Floats,
    usual: Floats,
    excess: Floats | None = None,
) -> Floats:
    """Return what is added to the shares to bring the couplings nearer to those wanted.

    Parameters
    ----------
    off, rises, shares, usual
        As of `pair_couplings`.
    wanted
        (unit, unit) couplings that the data have, or `AS_THEY_ARE`.
    excess
        (unit, unit) by how much couplings are too large in the chains. Each unit's with all others,
        which many pairs tell, are taken from there where they are larger than the sums say.
    """
    inputs = off + rises @ (usual + shares @ usual)
    below = inputs[:, None] - rises * usual
    lift = (rises * (expit(below + rises) - expit(below))).sum(axis=0)
    pair = lift[:, None] + lift[None, :]
    crowded = np.minimum(_CROWD * usual, np.maximum(usual, 0.5))
    found = [pair_couplings(off, rises, shares, others) for others in (usual, crowded)]
    kept = wanted == AS_THEY_ARE
    apart = np.where(kept, 0.0, np.maximum(*found) - wanted)
    if excess is not None and len(apart) > _FEWEST_UNITS:
        left = np.where(kept, 0.0, excess - apart)
        for _ in range(_FILLINGS if kept.any() else 0):
            # as the others say, so that those which are kept say nothing
            left = np.where(kept, of_units(left), left)
        apart += np.maximum(of_units(left), 0.0)
        apart[kept] = 0.0
    change = -_STEP * apart / np.maximum(pair, 1e-9)
    np.fill_diagonal(change, 0.0)
    return np.asarray(change)


def of_units(couplings: Floats) -> Floats:
    """Return the sums of a number of each unit that are nearest to couplings, (unit, unit).

    The diagonal is not looked at; more than two units.
    """
    units = len(couplings)
    total = couplings.sum(axis=0) - np.diag(couplings)
    own = (total - total.sum() / (2.0 * (units - 1.0))) / (units - 2.0)
    return np.asarray(own[:, None] + own[None, :])


def couplings_of_states(states: Floats, width: Floats) -> Floats:
    """Return the couplings that correlations of states tell to first order, (unit, unit).

    Parameters
    ----------
    states
        (sample, unit) hidden states.
    width
        (unit,) distance of on and off.
    """
    scaled = (states - states.mean(axis=0)) / width
    spread = np.maximum(scaled.std(axis=0), 1e-6)
    found = scaled.T @ scaled / len(scaled) / np.outer(spread, spread) ** 2
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def couplings_of_bins(on: NDArray[np.bool_]) -> Floats:
    """Return the log odds ratio of the on-bins of each pair where it is certain, else 0.

    Assemblies stay on for many bins, so that two that are independent share more bins, or fewer,
    than bins alone would let expect: the variance of the ratio is longer by the sum over lags of
    the product of both autocorrelations (Bartlett, J. R. Stat. Soc. Suppl. 8:27, 1946). Of the
    pairs that are certain, 5 % are expected to be false (Benjamini and Hochberg, J. R. Stat. Soc. B
    57:289, 1995).

    Parameters
    ----------
    on
        (bin, unit).
    """
    x, bins = on.astype(np.float64), len(on)
    both = x.T @ x + 0.5
    count = x.sum(axis=0)
    one = count[:, None] - x.T @ x + 0.5
    neither = bins + 2.0 - both - one - one.T
    ratio = np.log(both * neither / (one * one.T))
    error = np.sqrt((1 / both + 1 / one + 1 / one.T + 1 / neither) * _common_memory(x))
    result = np.zeros_like(ratio)
    pairs = np.triu_indices(len(ratio), 1)
    if len(pairs[0]):
        # scipy.stats takes a third of a second, which no other command should wait for
        from scipy.stats import false_discovery_control

        chance = 2.0 * ndtr(-np.abs(ratio / error)[pairs])
        result[pairs] = np.where(false_discovery_control(chance) < _FALSE, ratio[pairs], 0.0)
    return np.asarray(result + result.T)


def _common_memory(x: Floats) -> Floats:
    """Return how many bins in a row count as one for a product of two units, (unit, unit)."""
    lags = max(1, round(_LAGS * len(x)))
    products = lagged_products((x - x.mean(axis=0)).T)[:, : lags + 1]
    correlation = products[:, 1:] / np.maximum(products[:, :1], 1e-9)
    return np.asarray(np.maximum(1.0 + 2.0 * correlation @ correlation.T, 1.0))


def _softplus(x: Floats) -> Floats:
    return np.logaddexp(0.0, x)
