"""The population count: how many neurons are active in the same bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.clusters import bootstrap_weights
from boltzbrain.data.timescale import population_count
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator


def count_distribution(states: NDArray[np.uint8] | BinSet) -> NDArray[np.float64]:
    """Return P(K): how often K neurons are active in one bin, (K from 0,).

    Parameters
    ----------
    states
        (bin, neuron) uint8, or a set of bins, which counts once.
    """
    counts = states.counts if isinstance(states, BinSet) else population_count(states)
    return np.bincount(counts) / len(counts)


def independent_distribution(rates: NDArray[np.float64], longest: int) -> NDArray[np.float64]:
    """Return P(K) of independent neurons with the given rates, exact, (K from 0 to longest,)."""
    result = np.zeros(longest + 1)
    result[0] = 1.0
    for rate in rates:
        result[1:] = result[1:] * (1 - rate) + result[:-1] * rate
        result[0] *= 1 - rate
    return result


def total_variation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return half the summed difference of two distributions over 0, 1, 2, ...

    The shorter one is zero beyond its end.
    """
    size = max(len(first), len(second))
    padded = [np.pad(one, (0, size - len(one))) for one in (first, second)]
    return 0.5 * float(np.abs(padded[0] - padded[1]).sum())


def _by_cluster(bins: BinSet, longest: int) -> NDArray[np.float64]:
    """Return how often each K occurs in each cluster, (cluster, K)."""
    histogram = np.zeros((bins.clusters, longest + 1))
    np.add.at(histogram, (bins.cluster, bins.counts), 1.0)
    return histogram


def distance_band(
    first: BinSet, second: BinSet, generator: Generator, draws: int = 500
) -> tuple[float, float] | Undefined:
    """Return the middle 95 % of the total variation between two draws from one recording.

    Clusters of both sets are pooled, and two sets of as many clusters as each has are drawn from
    the pool with replacement: what distance arises between two such sets where nothing but the
    choice of clusters differs.

    Parameters
    ----------
    first, second
        Training and test fold.
    generator
        Moves on.
    draws
        Number of bootstrap draws.
    """
    sizes = (first.clusters, second.clusters)
    if min(sizes) < 2:
        return Undefined(f"a band needs at least 2 clusters of bins in each fold; got {min(sizes)}")
    longest = max(int(one.counts.max()) for one in (first, second))
    pool = np.concatenate([_by_cluster(one, longest) for one in (first, second)])
    distances = np.zeros(draws)
    sets = [generator.integers(len(pool), draws * size).reshape(draws, size) for size in sizes]
    for draw in range(draws):
        mine = [pool[chosen[draw]].sum(axis=0) for chosen in sets]
        distances[draw] = total_variation(*(one / one.sum() for one in mine))
    low, high = np.quantile(distances, [0.025, 0.975])
    return float(low), float(high)


def distance_interval(
    first: BinSet, second: BinSet, generator: Generator, draws: int = 500
) -> tuple[float, float] | Undefined:
    """Return the 95 % bootstrap band of the total variation between two sets.

    Clusters of each set are drawn with replacement. A drawn pair is farther apart than the pair at
    hand, as it holds the noise of the draw too, so the quantiles are moved by the difference of the
    mean of the draws and the distance at hand, which the band thus surrounds.

    Parameters
    ----------
    first, second
        Training and test fold.
    generator
        Moves on.
    draws
        Number of bootstrap draws.
    """
    few = min(first.clusters, second.clusters)
    if few < 2:
        return Undefined(f"a band needs at least 2 clusters of bins in each fold; got {few}")
    longest = max(int(one.counts.max()) for one in (first, second))
    drawn, own = [], []
    for one in (first, second):
        histogram = _by_cluster(one, longest)
        counts = bootstrap_weights(one.clusters, draws, generator) @ histogram
        drawn.append(counts / counts.sum(axis=1, keepdims=True))
        own.append(histogram.sum(axis=0) / histogram.sum())
    distances = 0.5 * np.abs(drawn[0] - drawn[1]).sum(axis=1)
    distances += total_variation(*own) - distances.mean()
    low, high = np.quantile(distances, [0.025, 0.975])
    return max(0.0, float(low)), float(high)


def count_band(
    bins: BinSet, generator: Generator, draws: int = 200
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper edge of the middle 95 % of P(K) over bootstrap draws of clusters.

    Parameters
    ----------
    bins
        Bins of one fold.
    generator
        Moves on.
    draws
        Number of bootstrap draws.
    """
    histogram = _by_cluster(bins, int(bins.counts.max()))
    drawn = bootstrap_weights(bins.clusters, draws, generator) @ histogram
    drawn /= drawn.sum(axis=1, keepdims=True)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return low, high
