"""How assemblies that follow each other move each other, and how long each lasts.

The mean of a hidden unit in the next bin, before that bin is seen, changes with the mean of another
unit in this one by Cov_t(h) U: the covariance of the hidden units under the law of the next bin
times the recurrence. U itself is a change of fields, and says nothing of what a field does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.layers.discrete import Bernoulli

Floats = NDArray[np.float64]

MOST_BINS, GROUPS = 1000, 20
"""Bins whose laws are sampled, and groups of them that the error comes from."""
SWEEPS = 100
LAGS, LEAST = 20, 0.05
"""Bins up to which an autocorrelation is followed, and below which it is taken for none."""
_RIDGE = 1e-3
_SHORTEST = 1e-9


@dataclass(frozen=True, eq=False)
class Influence:
    """How the mean of each unit (row) changes with that of each (column) in the bin before.

    Attributes
    ----------
    value, stderr
        (hidden, hidden); the error is over bins, and knows nothing of how well U is known.
    covariance
        (hidden, hidden) mean over bins of Cov_t(h).
    """

    value: Floats
    stderr: Floats
    covariance: Floats


def influence(
    model: ContextualRBM, given: Sequences, generator: Generator, tell: Teller
) -> Influence:
    """Return the mean over bins of Cov_t(h) U.

    The law of a bin is sampled by two chains: half the mean square of their difference is the
    covariance, without the spread of means over bins.

    Parameters
    ----------
    model
        With the context `assemblies`, others beside it or not.
    given
        Bins to average over; of many, some are taken evenly.
    generator
        Moves on.
    tell
        Told the sweeps.
    """
    (part,) = (one for one in model.contexts.parts if isinstance(one, FollowingAssemblies))
    rbm, count = model.rbm, min(MOST_BINS, len(given))
    groups = min(GROUPS, count)
    bins = np.linspace(0, len(given) - 1, count).round().astype(np.int64)
    laws = model.offsets(given)[torch.from_numpy(bins)].repeated(2)
    inputs = rbm.weights.new_zeros((2 * count, len(rbm.visible)))
    if laws.visible is not None:
        inputs = inputs + laws.visible
    visible = Bernoulli(model.contexts.foot.to(rbm.weights)).sample(inputs, generator)
    for done in range(0, SWEEPS, 10):
        tell(done, SWEEPS)
        visible, _ = rbm.sweep(visible, generator, 10, laws)
    tell(SWEEPS, SWEEPS)
    there = rbm.inputs_to_hidden(visible, laws)
    means = rbm.hidden.mean(there).to(torch.float64).reshape(count, 2, -1)
    own = rbm.hidden.variance(there).to(torch.float64).reshape(count, 2, -1).mean(dim=1)
    apart = means[:, 0] - means[:, 1]
    recurrence = part.recurrence.to(torch.float64)
    # bins beside each other fall into one group, so that groups are apart in time
    place = torch.arange(count) * groups // count
    found, whole = [], torch.zeros_like(recurrence)
    for group in range(groups):
        mine = place == group
        covariance = apart[mine].T @ apart[mine] / (2 * int(mine.sum()))
        covariance += torch.diag(own[mine].mean(dim=0))
        found.append(covariance @ recurrence)
        whole += covariance / groups
    each = torch.stack(found).numpy()
    error = each.std(axis=0, ddof=1) / np.sqrt(groups) if groups > 1 else np.zeros(each.shape[1:])
    return Influence(each.mean(axis=0), error, whole.numpy())


def filtered_means(model: ContextualRBM, given: Sequences) -> Floats:
    """Return the hidden means of every bin under its own fields, (bin, hidden)."""
    offsets = model.offsets(given)
    means = model.rbm.mean_hidden(torch.from_numpy(given.states), offsets)
    result: Floats = means.to(torch.float64).cpu().numpy()
    return result


def time_constants(means: Floats, given: Sequences) -> Floats:
    """Return how long the activity of every unit is remembered, (hidden,) seconds.

    A straight line through the logarithm of the autocorrelation within pieces, from 0 on up to the
    first lag below 0.05; 0 where the first is.
    """
    centred = means - means.mean(axis=0)
    power = np.maximum((centred**2).mean(axis=0), 1e-300)
    alive = np.ones(means.shape[1], dtype=bool)
    top, bottom = np.zeros(means.shape[1]), np.zeros(means.shape[1])
    for lag in range(1, LAGS + 1):
        same = given.label[lag:] == given.label[:-lag]
        if not same.any():
            break
        found = (centred[lag:][same] * centred[:-lag][same]).mean(axis=0) / power
        alive &= found > LEAST
        top += np.where(alive, lag**2, 0.0)
        bottom += np.where(alive, -lag * np.log(np.clip(found, LEAST, 1.0)), 0.0)
    seconds = given.bin_width_s * top / np.maximum(bottom, _SHORTEST)
    return np.where(top > 0, seconds, 0.0)


def propagator_times(means: Floats, given: Sequences) -> Floats:
    """Return time constants and periods of how all units go on together, (mode, 2) seconds.

    Eigenvalues of C_1 C_0^-1, the covariances of the units a bin apart and within a bin, the
    slowest first; the period is 0 where a mode does not turn.
    """
    same = given.label[1:] == given.label[:-1]
    centred = means - means.mean(axis=0)
    within = centred.T @ centred / len(centred)
    within += _RIDGE * max(np.trace(within) / len(within), 1e-300) * np.eye(len(within))
    later = centred[1:][same].T @ centred[:-1][same] / max(int(same.sum()), 1)
    values = np.linalg.eigvals(np.linalg.solve(within, later.T).T)
    size = np.clip(np.abs(values), 1e-12, 1 - 1e-9)
    turn = np.abs(np.angle(values))
    width = given.bin_width_s
    period = np.where(turn > 1e-9, 2 * np.pi * width / np.maximum(turn, 1e-9), 0.0)
    times = np.column_stack([-width / np.log(size), period])
    result: Floats = times[np.argsort(-times[:, 0], kind="stable")]
    return result
