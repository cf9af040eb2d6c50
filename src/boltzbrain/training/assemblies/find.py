"""Which components of a recording are on or off, in which bins, and by which neurons; which graded.

Significant components are turned in two ways (`rotation`). One that is on or off shows as two
clusters of bins: its projection, over the neurons that follow it, is cut midway between two means,
and the distance of the means over the spread within (d') tells whether there are two. Planted
assemblies have d' above 10, graded components and mixtures of two assemblies below 5. A component
that seems graded is looked at again with those found taken off: a rare assembly that by chance is
often on together with another has members of the other in its projection, which spread it. Members
are told last, from the on-bins of all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.kernels.dispatch import correlate, mean_states, sum_active_rows
from boltzbrain.training.assemblies.graded import FEWEST_FOLLOWERS, graded_components
from boltzbrain.training.assemblies.rotation import candidate_slopes

Marks = NDArray[np.bool_]
Floats = NDArray[np.float64]

LEAST_Z = 6.0
"""A neuron belongs to a component where its slope is so many standard errors from 0."""
LEAST_D = 6.0
"""A component is on or off where its clusters are so many spreads apart."""
_SAME = 0.9
"""On-bins of two components that correlate more strongly are those of one assembly."""
_ENDS = (0.3, 0.995)
"""Quantiles of the projection at which the two means start."""
_STEPS = 50
_ROUNDS = 2
"""Rounds in which members are told by those of the round before; a third changes hardly any."""
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class Components:
    """Components that are on or off, strongest first, and graded ones.

    Attributes
    ----------
    on
        (bin, component) bool.
    members
        (neuron, component) bool: the neurons that follow it.
    share
        Share of them in all memberships of neurons in significant components; 0 without any.
    graded
        (bin, graded component) of mean 0 and variance 1: those that take every value.
    slopes
        (neuron, graded component): by how much the log-odds rise with it, 0 but for its followers.
    """

    on: Marks
    members: Marks
    share: float
    graded: Floats
    slopes: Floats


def find_components(states: Tensor, hidden: int, seed: int) -> Components:
    """Find the components of activity that are on or off, and those that take every value.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    hidden
        Most components.
    seed
        Seed of the rotation to independent components.
    """
    slopes, simple, bins = candidate_slopes(states, hidden, seed)
    if not slopes.size:
        bins_of, neurons_of = (np.zeros((size, 0)) for size in states.shape)
        return Components(bins_of > 0, neurons_of > 0, 0.0, bins_of, neurons_of)
    rates = mean_states(states, torch.float64).numpy()
    spread = np.sqrt(np.maximum(rates * (1 - rates), 1.0 / bins**2))
    members = np.abs(slopes) * (np.sqrt(bins) * spread[:, None]) > LEAST_Z
    kept = torch.from_numpy(np.where(members, slopes, 0.0).astype(np.float32))
    projection = sum_active_rows(states, kept).numpy()
    on = np.stack([_upper(one) for one in projection.T], axis=1)
    distance = np.array([_distance(*pair) for pair in zip(projection.T, on.T, strict=True)])
    found: list[int] = []
    graded = 0
    sizes = members.sum(axis=0)
    order = [
        int(unit)
        for unit in np.argsort(-distance, kind="stable")
        if sizes[unit] >= FEWEST_FOLLOWERS
    ]
    for unit in order:
        if distance[unit] >= LEAST_D and not _is_copy(on, unit, found):
            found.append(unit)
    first = list(found)
    left = []
    for unit in order:
        if distance[unit] >= LEAST_D:
            continue
        copy = _is_copy(on, unit, first)
        apart = _without(projection[:, unit], on[:, first])
        on[:, unit] = _upper(apart)
        if _distance(apart, on[:, unit]) >= LEAST_D and not _is_copy(on, unit, found):
            found.append(unit)
        elif not copy and unit < simple:
            graded += int(sizes[unit])
            left.append(unit)
    found = found[:hidden]
    marks = np.ascontiguousarray(on[:, found])
    rest = np.zeros((len(marks), len(left)))
    for place, unit in enumerate(left):
        rest[:, place] = _without(projection[:, unit], marks)
    amplitude, slopes = graded_components(states, rest, marks, rates, LEAST_Z)
    most = np.argsort(-(slopes != 0).sum(axis=0), kind="stable")[: hidden - len(found)]
    amplitude, slopes = amplitude[:, most], slopes[:, most]
    if not found:
        return Components(marks, members[:, found], 0.0, amplitude, slopes)
    mine = _followers(states, marks, rates)
    share = mine.sum() / (mine.sum() + graded)
    return Components(marks, mine, float(share), amplitude, slopes)


def _is_copy(on: Marks, unit: int, found: list[int]) -> bool:
    return any(_alike(on[:, unit], on[:, other]) > _SAME for other in found)


def _without(values: NDArray[np.float32], on: Marks) -> NDArray[np.float32]:
    """Return the values less their least-squares fit by on-bins."""
    design = np.column_stack([np.ones(len(on)), on])
    left = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return np.asarray(left, dtype=np.float32)


def _followers(states: Tensor, on: Marks, rates: Floats) -> Marks:
    """Return which neurons are more, or less, active while a component is on, (neuron, component).

    Certain ones by least squares on the on-bins of all components, so that what an accidental
    companion explains is not counted. Of a component that is rarely on, most are not certain: a
    neuron also belongs where its active bins among the on-bins are likelier with the usual rise of
    the members than without it, by more than neurons outnumber members; both are those of the
    certain ones at first, which are few and rise more than most, and then of all that were found.
    """
    share = on.mean(axis=0)
    marks = on - share
    inverse = np.linalg.pinv(marks.T @ marks)
    by_bin = torch.from_numpy(np.ascontiguousarray(marks @ inverse, dtype=np.float32))
    rise = correlate(states, by_bin).numpy().astype(np.float64)
    spread = np.sqrt(np.maximum(rates * (1 - rates), 1.0 / len(on) ** 2))
    certain = np.abs(rise) > LEAST_Z * spread[:, None] * np.sqrt(np.diag(inverse))
    count = on.sum(axis=0)
    active = correlate(states, torch.from_numpy(on.astype(np.float32))).numpy()
    together = on.T.astype(np.float64) @ on / count
    least = 0.5 / len(on)
    found = certain
    for _ in range(_ROUNDS):
        kept = np.where(found, rise, 0.0)
        without = (rates - kept @ share)[:, None] + kept @ together - kept
        without = np.clip(without, least, 1 - least)
        usual = [np.median(one[one > 0]) if (one > 0).any() else 0.0 for one in kept.T]
        upper = np.clip(without + usual, least, 1 - least)
        odds = active * np.log(upper / without)
        odds += (count - active) * np.log((1 - upper) / (1 - without))
        mine = found.sum(axis=0)
        found = certain | (odds > np.log((len(rates) - mine + 1) / (mine + 1)))
    return np.asarray(found)


def _upper(values: NDArray[np.float32]) -> Marks:
    """Return which values belong to the higher of two means."""
    low, high = np.quantile(values, _ENDS)
    for _ in range(_STEPS):
        above = values > (low + high) / 2
        if not above.any() or above.all():
            break
        before = low, high
        low, high = values[~above].mean(), values[above].mean()
        if (low, high) == before:
            break
    result: Marks = values > (low + high) / 2
    return result


def _distance(values: NDArray[np.float32], on: Marks) -> float:
    """Return d': the distance of the two means over the root of the mean of both variances."""
    if min(on.sum(), (~on).sum()) < _FEWEST:
        return 0.0
    upper, lower = values[on].astype(np.float64), values[~on].astype(np.float64)
    spread = np.sqrt((upper.var() + lower.var()) / 2)
    return float((upper.mean() - lower.mean()) / spread) if spread > 0 else 0.0


def _alike(first: Marks, second: Marks) -> float:
    """Return the correlation of on-bins, 0 where one never changes."""
    pair = np.stack([first, second]).astype(np.float64)
    if (pair.std(axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(*pair)[0][1])
