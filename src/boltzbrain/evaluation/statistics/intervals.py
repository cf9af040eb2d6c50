"""Intervals of what compares noisy statistics, over clusters of bins.

A correlation of covariances, and their RMSE, are far from linear in their sampling noise: most of
the spread is of second order. There the bootstrap holds the noise of the data and that of the draw,
and its variance is three times the true one; that of the jackknife is twice the true one; where a
figure is linear in the noise both are right. So the variance taken is 2 V_jackknife - V_bootstrap,
kept within V_jackknife / 2 and V_jackknife, the values that it has in the two cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.clusters import bootstrap_weights
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.statistics.agreement import compare_columns
from boltzbrain.foundations.moments import Packed
from boltzbrain.foundations.random import Generator

_DRAWS, _GROUPS = 100, 40

Values = Callable[[Packed, NDArray[np.float64]], NDArray[np.float64]]
"""A statistic of packed states under weights (weighting, cluster): (entry, weighting)."""


@dataclass(frozen=True)
class Spread:
    """Standard errors of what compares the generated statistic with the test fold's.

    Of Pearson's correlation, its ratio to train-vs-test, the slope, the RMSE and the normalised
    RMSE.
    """

    pearson: float
    ratio: float
    slope: float
    rmse: float
    normalised_rmse: float


def comparison_spread(
    statistic: Values, train: BinSet, test: BinSet, generated: BinSet, generator: Generator
) -> Spread:
    """Return how much the figures of a comparison vary with the choice of bins.

    Parameters
    ----------
    statistic
        Gives the statistic of a set of bins under weights of its clusters.
    train, test, generated
        Sets of at least 2 clusters each; they are drawn independently of each other.
    generator
        Moves on.
    """
    sets = (train, test, generated)
    groups = [min(_GROUPS, one.clusters) for one in sets]
    drawn, whole, left_out = [], [], []
    for one, number in zip(sets, groups, strict=True):
        group = np.arange(one.clusters) * number // one.clusters
        # the states are counted once for all weights, which is what takes the time
        weights = np.concatenate(
            (
                bootstrap_weights(one.clusters, _DRAWS, generator),
                np.ones((1, one.clusters)),
                group[None, :] != np.arange(number)[:, None],
            )
        )
        values = statistic(one.packed, weights)
        drawn.append(values[:, :_DRAWS])
        whole.append(values[:, _DRAWS : _DRAWS + 1])
        left_out.append(values[:, _DRAWS + 1 :])
    bootstrap = _figures(*drawn).var(axis=1, ddof=1)
    jackknife = np.zeros(len(bootstrap))
    for place, number in enumerate(groups):
        parts = [np.broadcast_to(two, (len(two), number)) for two in whole]
        parts[place] = left_out[place]
        jackknife += (number - 1) * _figures(*parts).var(axis=1)
    variance = np.clip(2 * jackknife - bootstrap, jackknife / 2, jackknife)
    return Spread(*(float(one) for one in np.sqrt(variance)))


def _figures(
    train: NDArray[np.float64], test: NDArray[np.float64], generated: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the fields of `Spread` for each weighting, (figure, weighting)."""
    mine, best = compare_columns(generated, test), compare_columns(train, test)
    span = best.rmse - mine.shuffled
    error = np.divide(mine.rmse - mine.shuffled, span, out=np.ones_like(span), where=span != 0)
    return np.stack(
        (
            mine.pearson,
            # a ceiling near 0 leaves the ratio without a scale; it is kept from changing sign
            mine.pearson / np.maximum(best.pearson, 0.01),
            mine.slope,
            mine.rmse,
            1 - error,
        )
    )
