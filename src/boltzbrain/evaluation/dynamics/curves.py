"""Curves over a lag in time: how activity resembles what it was, as ratios of sums.

With K the population count, m the rates and d = v - m, four curves tell how activity forgets:

* count, stationary: sum dK(t) dK(t + lag) over the mean of sum dK(t)**2 and sum dK(t + lag)**2;
* overlap, stationary: the same of d(t) . d(t + lag), as in C_q(lag) = <d(t) . d(t + lag)> / N;
* count, relaxation: sum dK(t + lag) over sum dK(t), from starting bins t of unusual activity;
* overlap, relaxation: sum d(t) . d(t + lag) over sum d(t)**2, from the same starting bins.

All of them are 1 at lag 0 and go to 0 where activity has forgotten. Pairs of bins lie within one
segment. Being ratios of sums over clusters of bins (or chains), their errors follow from the
clusters by the delta method.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.timescale import population_count
from boltzbrain.foundations.moments import shared_bits
from boltzbrain.kernels.dispatch import sum_active_rows

Floats = NDArray[np.float64]

_FIRST, _MOST_LAGS, _LONGEST = 10, 36, 200


@dataclass(frozen=True)
class Curve:
    """One curve over time.

    Attributes
    ----------
    times
        (time,) bins, sweeps or seconds, from 0.
    values
        (time,) 1 at time 0.
    stderr
        (time,) standard error over clusters; 0 where it is exact.
    """

    times: Floats
    values: Floats
    stderr: Floats

    def scaled(self, unit: float) -> Curve:
        """Return the same curve with its times multiplied."""
        return Curve(self.times * unit, self.values, self.stderr)


@dataclass(frozen=True)
class Pair:
    """The curve of the population count and that of the overlap."""

    count: Curve
    overlap: Curve

    def scaled(self, unit: float) -> Pair:
        """Return the same curves with their times multiplied."""
        return Pair(self.count.scaled(unit), self.overlap.scaled(unit))


def ratio_curve(times: Floats, above: Floats, below: Floats) -> Curve:
    """Return the ratio of two sums over clusters, with its standard error.

    Parameters
    ----------
    times
        (time,).
    above, below
        (cluster, time) sums of numerator and denominator; a time at which the denominators sum to
        nothing is left out.
    """
    bottom = below.sum(axis=0)
    kept = np.abs(bottom) > 1e-12
    above, below, bottom = above[:, kept], below[:, kept], bottom[kept]
    values = above.sum(axis=0) / bottom
    number = len(above)
    rest = above - values * below
    scale = number / max(number - 1, 1)
    stderr = np.sqrt(scale * np.square(rest).sum(axis=0)) / np.abs(bottom)
    return Curve(times[kept], values, stderr)


def lag_grid(longest: int) -> NDArray[np.int64]:
    """Return lags in bins: every one up to 10, then about evenly spaced on a logarithmic scale.

    Parameters
    ----------
    longest
        Bins of the longest segment; lags reach up to it and to no more than 200 bins.
    """
    most = max(0, min(longest - 1, _LONGEST))
    near = np.arange(0, min(_FIRST, most) + 1)
    if most <= _FIRST:
        return near
    far = np.geomspace(_FIRST, most, _MOST_LAGS - _FIRST).round()
    return np.unique(np.concatenate((near, far))).astype(np.int64)


class Recorded:
    """Population count and overlaps of recorded bins, for any choice of starting bins.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    segment
        (bin,) segment of each bin.
    cluster
        (bin,) from 0; bins of different clusters are taken as independent.
    """

    def __init__(
        self, states: NDArray[np.uint8], segment: NDArray[np.int32], cluster: NDArray[np.int64]
    ) -> None:
        self.segment, self.cluster = segment, cluster
        self.clusters = int(cluster.max(initial=-1)) + 1
        rates = states.mean(axis=0, dtype=np.float64)
        counts = population_count(states).astype(np.float64)
        self.counts = counts
        self.deviation = counts - counts.mean()
        self._square = float(rates @ rates)
        one = torch.from_numpy(rates)[:, None]
        self._linear: Floats = sum_active_rows(torch.from_numpy(states), one)[:, 0].numpy()
        self._packed = packed_rows(states)

    def reordered(self, order: NDArray[np.int64]) -> Recorded:
        """Return the same bins in another order, in the same segments and clusters."""
        other = copy(self)
        other.counts, other.deviation = self.counts[order], self.deviation[order]
        other._linear, other._packed = self._linear[order], self._packed[order]
        return other

    def overlaps(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
        """Return d(first) . d(second) of pairs of bins, (pair,)."""
        result = shared_bits(self._packed, first, second)
        result -= self._linear[first] + self._linear[second] - self._square
        return result

    def _sums(self, values: Floats, at: NDArray[np.int64]) -> Floats:
        sums = np.bincount(self.cluster[at], values, minlength=self.clusters)
        return np.asarray(sums, dtype=np.float64)

    def curves(self, lags: NDArray[np.int64], start: NDArray[np.bool_] | None = None) -> Pair:
        """Return the curves over lags in bins.

        Parameters
        ----------
        lags
            (lag,) in bins, from 0.
        start
            (bin,) where relaxation begins; None for the stationary curves.
        """
        rows: dict[str, list[Floats]] = {"count": [], "overlap": []}
        below: dict[str, list[Floats]] = {"count": [], "overlap": []}
        everywhere = np.arange(len(self.segment))
        own = self.overlaps(everywhere, everywhere)
        for lag in lags.tolist():
            together = self.segment[lag:] == self.segment[: len(self.segment) - lag]
            if start is not None:
                together &= start[: len(together)]
            first = np.flatnonzero(together)
            second = first + lag
            products = self.overlaps(first, second)
            if start is None:
                d, e = self.deviation[first], self.deviation[second]
                values = {
                    "count": (d * e, (d**2 + e**2) / 2),
                    "overlap": (products, (own[first] + own[second]) / 2),
                }
            else:
                values = {
                    "count": (self.deviation[second], self.deviation[first]),
                    "overlap": (products, own[first]),
                }
            for name, (top, bottom) in values.items():
                rows[name].append(self._sums(top, first))
                below[name].append(self._sums(bottom, first))
        times = lags.astype(np.float64)
        made = {
            name: ratio_curve(times, np.stack(rows[name], axis=1), np.stack(below[name], axis=1))
            for name in rows
        }
        return Pair(made["count"], made["overlap"])


def packed_rows(states: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the states of each bin packed 64 neurons to a word, (bin, word)."""
    packed = np.packbits(states, axis=1)
    padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8)))
    return np.ascontiguousarray(padded).view(np.uint64)


def unusual(counts: Floats, kind: str, share: float = 0.1) -> NDArray[np.bool_]:
    """Return which bins have a population count in the highest or lowest tenth, (bin,).

    Parameters
    ----------
    counts
        (bin,) population counts.
    kind
        "high" or "low".
    share
        Share of the bins beyond the edge; bins on the edge count too, unless they reach the median.
    """
    middle = float(np.median(counts))
    if kind == "high":
        edge = float(np.quantile(counts, 1 - share))
        return (counts >= edge) & (counts > middle)
    edge = float(np.quantile(counts, share))
    return (counts <= edge) & (counts < middle)
