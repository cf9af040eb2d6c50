"""Which independent components of a recording are on or off, in which bins, and by which neurons.

A component that is on or off shows as two clusters of bins: its projection, over the neurons that
follow it, is cut midway between two means, and the distance of the means over the spread within
(d') tells whether there are two. Planted assemblies have d' above 10, graded components and
mixtures of two assemblies below 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.kernels.dispatch import mean_states, sum_active_rows
from boltzbrain.training.update.first_weights import component_slopes

Marks = NDArray[np.bool_]

LEAST_Z = 6.0
"""A neuron belongs to a component where its slope is so many standard errors from 0."""
LEAST_D = 6.0
"""A component is on or off where its clusters are so many spreads apart."""
_SAME = 0.9
"""On-bins of two components that correlate more strongly are those of one assembly."""
_ENDS = (0.3, 0.995)
"""Quantiles of the projection at which the two means start."""
_STEPS = 50
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class OnOff:
    """Components that are on or off, strongest first.

    Attributes
    ----------
    on
        (bin, component) bool.
    members
        (neuron, component) bool: the neurons that follow it.
    share
        Share of them in all memberships of neurons in significant components; 0 without any.
    """

    on: Marks
    members: Marks
    share: float


def find_on_off(states: Tensor, hidden: int, seed: int) -> OnOff:
    """Find the components of activity that are on or off.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    hidden
        Most components.
    seed
        Seed of the rotation to independent components.
    """
    slopes, bins = component_slopes(states, hidden, seed)
    rates = mean_states(states, torch.float64).numpy()
    spread = np.sqrt(np.maximum(rates * (1 - rates), 1.0 / bins**2))
    members = np.abs(slopes) * (np.sqrt(bins) * spread[:, None]) > LEAST_Z
    kept = torch.from_numpy(np.where(members, slopes, 0.0).astype(np.float32))
    projection = sum_active_rows(states, kept).numpy()
    on = np.stack([_upper(one) for one in projection.T], axis=1) if slopes.size else members[:0]
    distance = np.array([_distance(*pair) for pair in zip(projection.T, on.T, strict=True)])
    found: list[int] = []
    graded = 0
    sizes = members.sum(axis=0)
    for unit in np.argsort(-distance, kind="stable"):
        copy = any(_alike(on[:, unit], on[:, other]) > _SAME for other in found)
        if distance[unit] >= LEAST_D and not copy:
            found.append(int(unit))
        elif not copy:
            graded += int(sizes[unit])
    mine = int(sizes[found].sum())
    share = mine / (mine + graded) if mine else 0.0
    return OnOff(np.ascontiguousarray(on[:, found]), members[:, found], share)


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
