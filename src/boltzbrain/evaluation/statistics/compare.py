"""Rates, covariances, correlations and triplets of generated activity beside the recording's.

Every statistic is computed of the generated samples and of the training fold, and each is compared
with the test fold: generated-vs-test says how good the model is, train-vs-test how good a model can
look at all with this much data (the ceiling).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.statistics.agreement import Comparison, normalised_rmse, sampling_stderr
from boltzbrain.evaluation.statistics.intervals import comparison_spread
from boltzbrain.evaluation.statistics.kept import DENSITIES, Kept, keep_statistic
from boltzbrain.evaluation.statistics.population import (
    count_band,
    count_distribution,
    distance_band,
    distance_interval,
    total_variation,
)
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.moments import Packed, Tuples, connected, draw_tuples
from boltzbrain.foundations.random import Generator

PAIR_LIMIT, TRIPLET_LIMIT = 2_000_000, 500_000
"""Most pairs and triplets of neurons compared; beyond, a uniform sample of this size."""
MOST_ACTIVE = 60
"""Neurons of the highest training rate whose triplets are all compared."""
_DRAWN_TUPLES = 40_000
SETS = ("train", "generated", "test")
"""Sets of bins in the order in which they are held; the last may be empty."""


@dataclass(frozen=True)
class Statistic:
    """A statistic of neurons, pairs or triplets.

    Attributes
    ----------
    name
        "rates", "covariances", "correlations", "triplets" or "triplets_most_active".
    tuples
        (entry, order) neurons: order 1 gives rates, order 2 covariances or correlations, order 3
        connected three-body correlations.
    entries
        How many there are to choose from.
    """

    name: str
    tuples: NDArray[np.int64]
    entries: int

    def of(self, packed: Packed, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the statistic, (entry,), or (entry, weighting) where clusters are weighed."""
        values = connected(packed, self.known, weights)
        return values if self.name != "correlations" else self.scaled(values, packed, weights)

    @cached_property
    def known(self) -> Tuples:
        """The tuples, with what is asked of them for each set of bins."""
        return Tuples(self.tuples)

    def scaled(
        self,
        covariances: NDArray[np.float64],
        packed: Packed,
        weights: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return correlations, given the covariances of the same pairs under the same weights."""
        rate = connected(packed, self.known.used[:, None], weights)
        # weights that sum to 1 but for rounding leave a neuron that is always active above 1
        deviation = np.sqrt(np.maximum(rate * (1 - rate), 0.0))
        scale = deviation[self.known.place[:, 0]] * deviation[self.known.place[:, 1]]
        result: NDArray[np.float64] = np.divide(
            covariances, scale, out=np.zeros_like(covariances), where=scale > 0
        )
        return result

    def some(self, limit: int, generator: Generator) -> Statistic:
        """Return this statistic of a uniform sample of at most `limit` of its entries."""
        if len(self.tuples) <= limit:
            return self
        chosen = generator.some_of(len(self.tuples), limit)
        return Statistic(self.name, self.tuples[chosen], self.entries)


def statistics_to_compare(train: NDArray[np.float64], seed: int) -> list[Statistic]:
    """Choose the neurons, pairs and triplets to compare.

    Parameters
    ----------
    train
        (neuron,) rates of the training fold; which neurons are the most active depends on them.
    seed
        Seed of the samples of pairs and triplets.
    """
    neurons = len(train)
    chosen = [Statistic("rates", np.arange(neurons)[:, None], neurons)]
    if neurons >= 2:
        generator = Generator.from_seed(seed, "statistics", "pairs")
        pairs, total = draw_tuples(neurons, 2, PAIR_LIMIT, generator), math.comb(neurons, 2)
        chosen += [Statistic(name, pairs, total) for name in ("covariances", "correlations")]
    if neurons >= 3:
        generator = Generator.from_seed(seed, "statistics", "triplets")
        triplets = draw_tuples(neurons, 3, TRIPLET_LIMIT, generator)
        chosen.append(Statistic("triplets", triplets, math.comb(neurons, 3)))
        active = np.sort(np.argsort(-train, kind="stable")[:MOST_ACTIVE])
        among = active[draw_tuples(len(active), 3, TRIPLET_LIMIT, generator)]
        chosen.append(Statistic("triplets_most_active", among, len(among)))
    return chosen


def compare_statistics(
    train: BinSet, test: BinSet, generated: BinSet, seed: int = 0, kept: Kept | None = None
) -> dict[str, Any]:
    """Compare generated and training activity with the test fold.

    Parameters
    ----------
    train, test, generated
        Bins; the test fold may be empty.
    seed
        Seed of the samples of pairs and triplets, and of the bootstrap.
    kept
        Gets what the figures show.

    Returns
    -------
    dict
        What evaluation.json holds under ``statistics``. Of each statistic, generated-vs-test:
        ``pearson``, ``slope``, ``rmse`` (see `Comparison`), ``normalised_rmse``, ``ratio`` (the
        correlation divided by that of the training fold), ``interval`` of the ratio and
        ``pearson_interval``, ``slope_interval``, ``rmse_interval`` and
        ``normalised_rmse_interval`` (95 %, over clusters of bins); under ``ceiling`` and
        ``generated_vs_train`` the first three. Of the population count the ``total_variation``, the
        95 % bootstrap ``band`` of that between training and test fold, and the ``same_law_band`` of
        what two such folds of one law would have. ``compared`` tells how many entries there are,
        how many were compared, and the error of the correlation from leaving out the rest.

    Notes
    -----
    Intervals are the estimate plus and minus 1.96 standard errors over clusters of bins of all
    three sets (`evaluation.statistics.intervals`), of at most 40,000 entries. They are not
    quantiles of bootstrap draws: a drawn statistic holds the sampling noise twice, which lowers the
    correlation of noisy entries.
    """
    rates = train.states.mean(axis=0, dtype=np.float64)
    statistics = statistics_to_compare(rates, seed)
    result: dict[str, Any] = {"generated_vs_train": {}, "ceiling": {}, "compared": {}}
    held = [one for one in (train, generated, test) if len(one)]
    known: dict[str, list[NDArray[np.float64]]] = {}
    for statistic in statistics:
        name = statistic.name
        if name == "correlations":  # of the same pairs
            pairs = zip(known["covariances"], held, strict=True)
            known[name] = [statistic.scaled(values, one.packed) for values, one in pairs]
        else:
            known[name] = [statistic.of(one.packed) for one in held]
        of_train, of_generated, *of_rest = known[name]
        if kept is not None:
            keep_statistic(kept, name, dict(zip(SETS, known[name], strict=False)))
        seen = Comparison(of_train, of_generated)
        result["generated_vs_train"][name] = seen.summary()
        compared: dict[str, Any] = {"entries": statistic.entries, "used": len(statistic.tuples)}
        result["compared"][name] = compared
        if not len(test):
            continue
        (of_test,) = of_rest
        mine, ceiling = Comparison(of_test, of_generated), Comparison(of_test, of_train)
        generator = Generator.from_seed(seed, "statistics", "bootstrap", name)
        result[name] = _judged(mine, ceiling, statistic, (train, test, generated), generator)
        result["ceiling"][name] = ceiling.summary()
        compared["pearson_stderr"] = sampling_stderr(mine, statistic.entries)
    _compare_counts(result, train, test, generated, seed)
    if kept is not None:
        keep_counts(kept, train, test, generated)
    result["samples"] = len(generated)
    missing = Undefined(
        "the test fold has no bins" if not len(test) else "there are too few neurons"
    )
    return _complete(result, missing)


def _judged(
    mine: Comparison,
    ceiling: Comparison,
    statistic: Statistic,
    sets: tuple[BinSet, BinSet, BinSet],
    generator: Generator,
) -> dict[str, Any]:
    """Return the figures of generated-vs-test, the ratio to the ceiling, and their intervals."""
    value, best = mine.pearson, ceiling.pearson
    figures = {**mine.summary(), "normalised_rmse": normalised_rmse(mine, ceiling)}
    few = min(one.clusters for one in sets[:2])
    if isinstance(value, Undefined) or isinstance(best, Undefined) or best <= 0:
        nothing = Undefined("the training fold does not correlate with the test fold")
        return {**figures, "ratio": nothing, **dict.fromkeys(_INTERVALS.values(), nothing)}
    figures["ratio"] = value / best
    if few < 2:
        error = Undefined(f"an interval needs at least 2 clusters of bins in each fold; got {few}")
        return {**figures, **dict.fromkeys(_INTERVALS.values(), error)}
    some = statistic.some(_DRAWN_TUPLES, generator)
    spread = comparison_spread(some.of, *sets, generator)
    for name, interval in _INTERVALS.items():
        middle, reach = figures[name], 1.96 * getattr(spread, name)
        figures[interval] = (
            middle if isinstance(middle, Undefined) else [middle - reach, middle + reach]
        )
    return figures


def keep_statistics(kept: Kept, train: BinSet, test: BinSet, generated: BinSet, seed: int) -> None:
    """Keep what the figures of statistics show, without what `compare_statistics` tells beside."""
    held = [one for one in (train, generated, test) if len(one)]
    for statistic in statistics_to_compare(train.states.mean(axis=0, dtype=np.float64), seed):
        if statistic.name in ("rates", *DENSITIES):
            of = [statistic.of(one.packed) for one in held]
            keep_statistic(kept, statistic.name, dict(zip(SETS, of, strict=False)))
    keep_counts(kept, train, test, generated)


def keep_counts(kept: Kept, train: BinSet, test: BinSet, generated: BinSet) -> None:
    """Keep P(K) of each set, and the band of the test fold."""
    held = {"train": train, "generated": generated, "test": test}
    for name, one in held.items():
        if len(one):
            kept[f"counts/{name}"] = count_distribution(one)
    if test.clusters > 1:
        band = count_band(test, Generator.from_seed(0, "presentation", "count band"))
        kept["counts/low"], kept["counts/high"] = band


def _compare_counts(
    result: dict[str, Any], train: BinSet, test: BinSet, generated: BinSet, seed: int
) -> None:
    """Add the distances between the distributions of the population count."""
    name = "population_count"
    distributions = {
        "train": count_distribution(train),
        "generated": count_distribution(generated),
    }
    result["generated_vs_train"][name] = {
        "total_variation": total_variation(*distributions.values())
    }
    if len(test):
        of_test = count_distribution(test)
        generator = Generator.from_seed(seed, "statistics", "population count")
        result[name] = {
            "total_variation": total_variation(distributions["generated"], of_test),
            "band": distance_interval(train, test, generator),
            "same_law_band": distance_band(train, test, generator),
        }
        result["ceiling"][name] = {
            "total_variation": total_variation(distributions["train"], of_test)
        }


_FIGURES = ("pearson", "slope", "rmse")
_INTERVALS = {
    "ratio": "interval",
    **{name: f"{name}_interval" for name in (*_FIGURES, "normalised_rmse")},
}
"""Name of a figure to that of its interval."""
_WITH_RATIO = (*_FIGURES, "normalised_rmse", "ratio", *_INTERVALS.values())
_NAMES = ("rates", "covariances", "correlations", "triplets", "triplets_most_active")


def _complete(result: Mapping[str, Any], missing: Undefined) -> dict[str, Any]:
    """Add every figure that could not be computed, with the reason."""
    whole = dict(result)
    for name in _NAMES:
        whole.setdefault(name, dict.fromkeys(_WITH_RATIO, missing))
        whole["ceiling"].setdefault(name, dict.fromkeys(_FIGURES, missing))
        whole["generated_vs_train"].setdefault(name, dict.fromkeys(_FIGURES, missing))
    whole.setdefault(
        "population_count", dict.fromkeys(("total_variation", "band", "same_law_band"), missing)
    )
    whole["ceiling"].setdefault("population_count", {"total_variation": missing})
    return whole
