"""Whether a model's log-odds of a spike are what they say, in quantiles of them.

Fields are put into quantiles by levels of a thousandth, of which two passes over all neurons and
bins count what there is: nothing is sorted, and nothing as large as the fields is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.threads import share

_LEVELS = np.float32(1000.0)
"""Levels to a unit of the field.

The last digits of a field depend on how it was computed, which its neuron's own state decides: an
edge between equal fields would part the active from the silent.
"""
_FARTHEST = 1 << 20
_STRETCHES = 8
"""Parts of the bins, fixed, so that sums do not depend on the number of threads."""


@dataclass(frozen=True)
class Calibration:
    """How often neurons are active among neurons and bins of similar effective field.

    Attributes
    ----------
    fields
        (quantile,) mean effective field.
    predicted
        (quantile,) mean of sigmoid(field).
    observed
        (quantile,) share that was active.
    stderr
        (quantile,) standard error of observed minus predicted, clustered.
    weights
        (quantile,) share of all neurons and bins.
    """

    fields: NDArray[np.float64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    stderr: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def error(self) -> float:
        """Mean of |observed - predicted| over all neurons and bins."""
        return float(np.sum(self.weights * np.abs(self.observed - self.predicted)))

    def within(self, errors: float = 3.0) -> float:
        """Return the share of quantiles in which the difference is below so many errors."""
        difference = np.abs(self.observed - self.predicted)
        return float(np.mean(difference <= errors * self.stderr))


def calibrate(
    fields: NDArray[np.float32],
    states: NDArray[np.uint8],
    cluster: NDArray[np.int64],
    quantiles: int,
) -> Calibration:
    """Compare the share of active neurons with sigmoid(field) in quantiles of the field.

    Parameters
    ----------
    fields, states
        (bin, neuron), at least one of each.
    cluster
        (bin,) cluster of each bin, from 0.
    quantiles
        How many; fewer where many fields are equal.
    """
    bounds = np.array([fields.min(), fields.max()])
    low, high = np.clip(np.rint(bounds * _LEVELS), -_FARTHEST, _FARTHEST).astype(np.int64)
    counted = np.zeros((_STRETCHES, high - low + 1), dtype=np.int64)
    edges = [len(fields) * place // _STRETCHES for place in range(_STRETCHES + 1)]

    def count(first: int, number: int) -> None:
        for one in range(first, first + number):
            _count(fields, edges[one], edges[one + 1], low, high, counted[one])

    share(count, _STRETCHES, least=1, most=1)
    of_levels = counted.sum(axis=0)
    values = (np.arange(low, high + 1).astype(np.float32) / _LEVELS).astype(np.float64)
    between = np.unique(_quantiles(values, of_levels, np.linspace(0, 1, quantiles + 1)[1:-1]))
    place = np.searchsorted(between, values, side="right")
    number, clusters = len(between) + 1, int(cluster.max()) + 1
    sums = np.zeros((_STRETCHES, number, 3))
    rest = np.zeros((_STRETCHES, number, clusters))
    sizes = np.zeros((_STRETCHES, number, clusters))

    def add(first: int, number: int) -> None:
        for one in range(first, first + number):
            _add(
                fields, states, cluster, edges[one], edges[one + 1], low, high, place,
                sums[one], rest[one], sizes[one],
            )  # fmt: skip

    share(add, _STRETCHES, least=1, most=1)
    counts = np.bincount(place, of_levels, minlength=number)
    kept = np.flatnonzero(counts)
    counts = counts[kept]
    mean = sums.sum(axis=0)[kept] / counts[:, None]
    departures, inside = rest.sum(axis=0)[kept], sizes.sum(axis=0)[kept]
    centred = departures - inside * (departures.sum(axis=1) / counts)[:, None]
    scale = clusters / max(clusters - 1, 1)
    stderr = np.sqrt(scale * np.sum(centred**2, axis=1)) / counts
    return Calibration(mean[:, 0], mean[:, 1], mean[:, 2], stderr, counts / counts.sum())


def _quantiles(
    values: NDArray[np.float64], counts: NDArray[np.int64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return quantiles, as of `numpy.quantile`, of ascending values that occur so many times."""
    ends = np.cumsum(counts)
    place = shares * (ends[-1] - 1)
    below = np.floor(place).astype(np.int64)
    left, right = (
        values[np.searchsorted(ends, np.minimum(one, ends[-1] - 1), side="right")]
        for one in (below, below + 1)
    )
    result: NDArray[np.float64] = left + (right - left) * (place - below)
    return result


@compiled
def _count(fields: Any, first: Any, last: Any, low: Any, high: Any, counts: Any) -> None:
    for row in range(first, last):
        for neuron in range(fields.shape[1]):
            level = np.int64(np.rint(fields[row, neuron] * _LEVELS))
            counts[min(max(level, low), high) - low] += 1


@compiled
def _add(
    fields: Any,
    states: Any,
    cluster: Any,
    first: Any,
    last: Any,
    low: Any,
    high: Any,
    place: Any,
    sums: Any,
    rest: Any,
    sizes: Any,
) -> None:
    for row in range(first, last):
        of = cluster[row]
        for neuron in range(fields.shape[1]):
            field = fields[row, neuron]
            level = np.int64(np.rint(field * _LEVELS))
            at = place[min(max(level, low), high) - low]
            chance = 1 / (1 + math.exp(-np.float64(field)))
            active = np.float64(states[row, neuron])
            sums[at, 0] += field
            sums[at, 1] += chance
            sums[at, 2] += active
            rest[at, of] += active - chance
            sizes[at, of] += 1
