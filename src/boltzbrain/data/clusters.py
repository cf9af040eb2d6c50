"""Clusters of bins: what an error is computed over, as neighbouring bins are not independent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.timescale import independent_bins, population_count
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator

ENOUGH = 20
"""Clusters below which shorter stretches are taken."""
STRETCH_S, SHORTEST_STRETCH_S = 10.0, 1.0


@dataclass(frozen=True)
class Clusters:
    """Groups of the bins of one fold.

    Attributes
    ----------
    label
        (bin,) int64 number of the cluster of each bin, 0 to number - 1.
    by
        "segment", or "stretch": contiguous stretches of a segment.
    seconds
        Length of a stretch; None for segments.
    """

    label: NDArray[np.int64]
    by: str
    seconds: float | None

    @property
    def number(self) -> int:
        """Number of clusters."""
        return int(self.label.max(initial=-1)) + 1

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of bins of each cluster, (cluster,)."""
        return np.bincount(self.label, minlength=self.number)

    def describe(self) -> dict[str, Any]:
        """Return how the bins were grouped, for a result."""
        return {"by": self.by, "number": self.number, "stretch_s": self.seconds}


def clusters_of(activity: Activity, bins: NDArray[np.int64]) -> Clusters:
    """Group the bins of a fold into segments, or into stretches where it has few segments.

    With at least 20 segments each is a cluster. With fewer, a segment is cut into stretches of
    10 s, halved until there are 20 of them, down to no less than 1 s and no less than the seconds
    that one independent bin of the population count stands for: bins farther apart than a stretch
    are taken as independent.

    Parameters
    ----------
    activity
        The whole activity.
    bins
        Indices of the bins of one fold.
    """
    segments, label = np.unique(activity.segment[bins], return_inverse=True)
    if len(segments) >= ENOUGH:
        return Clusters(label.astype(np.int64), "segment", None)
    place = _place_in_segment(activity.segment)[bins]
    memory = memory_s(activity.states, activity.segment, activity.bin_width_s)
    return stretches_of(label, place, activity.bin_width_s, memory)


def stretches_of(
    label: NDArray[np.int64], place: NDArray[np.int64], bin_width_s: float, memory: float
) -> Clusters:
    """Cut segments into stretches of 10 s, halved until there are 20, but no shorter than told.

    Parameters
    ----------
    label, place
        (bin,) segment of each bin, and its place there.
    bin_width_s
        Seconds per bin.
    memory
        Seconds that one independent bin stands for: no stretch is shorter than that, or than 1 s.
    """
    shortest = max(SHORTEST_STRETCH_S, memory)
    seconds = max(STRETCH_S, shortest)
    while True:
        length = max(1, round(seconds / bin_width_s))
        pairs = np.column_stack((label, place // length))
        stretch = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
        shorter = seconds / 2
        if len(label) == 0 or stretch.max() + 1 >= ENOUGH or shorter < shortest:
            return Clusters(stretch, "stretch", length * bin_width_s)
        seconds = shorter


def memory_s(
    states: NDArray[np.uint8], segment: NDArray[np.integer[Any]], bin_width_s: float
) -> float:
    """Return how many seconds of activity tell as much as one independent bin."""
    independent = independent_bins(population_count(states), segment.astype(np.int32))
    return 0.0 if independent is None else bin_width_s * len(states) / independent


def _place_in_segment(segment: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the place of every bin within its segment, counted from 0."""
    order = np.argsort(segment, kind="stable")
    sizes = np.unique(segment, return_counts=True)[1]
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = np.empty(len(segment), dtype=np.int64)
    place[order] = np.arange(len(segment)) - first
    return place


def clustered_stderr(values: NDArray[np.float64], clusters: Clusters) -> float | Undefined:
    """Return the standard error of the mean over bins, clusters taken as independent.

    With u_c the sum over cluster c of value minus mean, C clusters and n bins it is
    sqrt(C / (C - 1) sum_c u_c**2) / n.

    Examples
    --------
    >>> values = np.array([1.0, 1.0, 3.0, 3.0])
    >>> clustered_stderr(values, Clusters(np.array([0, 0, 1, 1]), "segment", None))
    1.0
    """
    sums = np.bincount(clusters.label, values, minlength=clusters.number).astype(np.float64)
    return stderr_of_sums(sums, clusters.sizes)


def stderr_of_sums(sums: NDArray[np.float64], sizes: NDArray[np.int64]) -> float | Undefined:
    """Return `clustered_stderr` of values of which the sums over clusters are known.

    Sums of a difference are the differences of sums, so two models that were scored on the same
    bins are compared without their scores of every bin.

    Parameters
    ----------
    sums
        (cluster,) sum of the values over each cluster.
    sizes
        (cluster,) number of bins of each cluster.
    """
    count, bins = len(sums), int(sizes.sum())
    if count < 2:
        return Undefined(f"an error over clusters of bins needs at least 2 clusters; got {count}")
    departures = sums - sizes * (sums.sum() / bins)
    return float(np.sqrt(count / (count - 1) * np.sum(departures**2)) / bins)


def bootstrap_weights(clusters: int, draws: int, generator: Generator) -> NDArray[np.float64]:
    """Draw how often each cluster is taken in each bootstrap sample, (draw, cluster).

    Each draw takes as many clusters as there are, with replacement.
    """
    chosen = generator.integers(clusters, draws * clusters).reshape(draws, clusters)
    weights = np.zeros((draws, clusters))
    np.add.at(weights, (np.arange(draws)[:, None], chosen), 1.0)
    return weights
