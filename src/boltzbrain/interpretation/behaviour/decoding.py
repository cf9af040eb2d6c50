"""What hidden units, neurons and components tell of behaviour, on the folds of the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import TEST, TRAIN, VALIDATION, Activity
from boltzbrain.data.clusters import bootstrap_weights, clusters_of
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull, permuted_in_blocks
from boltzbrain.interpretation.behaviour.ridge import Ridge, inner_folds
from boltzbrain.interpretation.behaviour.trials import Column, responses

Floats = NDArray[np.float64]

FEWEST_TESTED = 10
"""Trials of the test fold below which nothing is decoded."""
MOST_BINS = 20_000
"""Bins that train a decoder of a series; of more every second, every third and so on."""
_BOOTSTRAPS = 400


@dataclass(frozen=True)
class Decoded:
    """How well some units tell a column of the trials or a series.

    Attributes
    ----------
    score
        Of labels, and of numbers with two levels, the balanced accuracy: the mean over levels of
        the share that is told right; of numbers the share of the variance of the test fold.
    stderr
        Its standard error, over segments or stretches of the test fold.
    chance, chance_95
        Mean and 95th percentile of the score under the null.
    p_value
        Of the score under the null.
    penalty
        That was chosen within what trains, see `boltzbrain.interpretation.behaviour.ridge`.
    tested, trained
        Trials or bins.
    measure
        "balanced accuracy" or "r2".
    draws
        (draw,) scores under the null.
    """

    score: float
    stderr: float
    chance: float
    chance_95: float
    p_value: float
    penalty: float
    tested: int
    trained: int
    measure: str
    draws: Floats


@dataclass(frozen=True)
class Target:
    """What is to be told, under the null as well.

    Attributes
    ----------
    name
        Its name.
    train, test
        (row,) rows that train and that test: trials, or bins.
    true
        (row, 1 + draw) values of all rows, NaN where missing: numbers, or numbers of levels. The
        first column is what was recorded, each other one is drawn.
    levels
        Number of levels; 0 of numbers.
    cluster
        (test row,) cluster of each, over which the error is taken.
    features
        Gives the features of units, (row, unit), from their values in every bin.
    """

    name: str
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    true: Floats
    levels: int
    cluster: NDArray[np.int64]
    features: Callable[[NDArray[Any]], NDArray[Any]]


def target_of_trials(
    activity: Activity,
    column: Column,
    bins: NDArray[np.int64],
    *,
    draws: int,
    generator: Generator,
) -> Target:
    """Return a column of the trials as a target: means over the bins of each trial tell it.

    Parameters
    ----------
    activity
        With folds. A trial belongs to a fold if all of its bins do; training and validation fold
        train.
    column
        The column.
    bins
        (trial, 2) bins of every trial of the table.
    draws
        Draws of the null: labels permuted among neighbouring trials, of any fold.
    generator
        Whose next draws they are.

    Raises
    ------
    InputError
        If the test fold has fewer than ten such trials or lacks a level.
    """
    where = activity.source.path
    mine = bins[column.rows]
    fold = np.where(activity.fold == VALIDATION, TRAIN, activity.fold)
    low = np.array([fold[a:b].min(initial=9) for a, b in mine.tolist()])
    high = np.array([fold[a:b].max(initial=-9) for a, b in mine.tolist()])
    train = np.flatnonzero((low == TRAIN) & (high == TRAIN))
    test = np.flatnonzero((low == TEST) & (high == TEST))
    if len(test) < FEWEST_TESTED or len(train) < FEWEST_TESTED:
        raise bad_input(
            f"trials.{column.name}",
            f"be known of {FEWEST_TESTED} trials or more that lie in the test fold and in training",
            f"{len(test)} and {len(train)}",
            file=where,
        )
    as_numbers = column.numbers is not None and (column.ranked or len(column.levels) > 2)
    levels = 0 if as_numbers else len(column.levels)
    values = column.numbers if as_numbers else column.codes.astype(np.float64)
    assert values is not None
    for level in range(levels):
        if not (values[test] == level).any() or not (values[train] == level).any():
            raise bad_input(
                f"trials.{column.name}", "have every level in the test fold and in training",
                f"no {column.levels[level]} in one of them", file=where,
            )  # fmt: skip
    orders = permuted_in_blocks(len(values), draws, generator)
    true = np.concatenate([values[:, None], values[orders].T], axis=1)
    return Target(
        column.name, train, test, true, levels,
        clusters_of(activity, mine[test, 0]).label,
        lambda every: responses(every, mine),
    )  # fmt: skip


def target_of_series(
    activity: Activity,
    name: str,
    null: SeriesNull,
    *,
    draws: int,
    generator: Generator,
) -> Target:
    """Return a covariate as a target, told in every bin from the units in the same bin.

    Parameters
    ----------
    activity
        With folds; training and validation fold train.
    name
        Of the covariate.
    null
        How it is broken from the activity.
    draws, generator
        As in `target_of_trials`.

    Raises
    ------
    InputError
        If the test fold or training hold fewer than ten bins of it.
    """
    values = activity.covariates[name].values
    known = np.isfinite(values)
    train = np.flatnonzero(np.isin(activity.fold, (TRAIN, VALIDATION)))
    test = np.flatnonzero((activity.fold == TEST) & known)
    if len(test) < FEWEST_TESTED or known[train].sum() < FEWEST_TESTED:
        raise bad_input(
            f"covariates.{name}",
            f"be known in {FEWEST_TESTED} bins or more of the test fold and of training",
            f"{len(test)} and {int(known[train].sum())}",
            file=activity.source.path,
        )
    train = train[:: max(1, -(-len(train) // MOST_BINS))]
    columns = [values, *(values[null.draw(generator)] for _ in range(draws))]
    return Target(
        name, train, test, np.stack(columns, axis=1), 0,
        clusters_of(activity, test).label, lambda every: every,
    )  # fmt: skip


def decoded(values: NDArray[Any], target: Target, generator: Generator) -> Decoded:
    """Return how well units tell a target.

    Parameters
    ----------
    values
        (bin, unit) of every bin.
    target
        The target.
    generator
        Of the bootstrap over clusters; the same for units that are to be compared.
    """
    features = target.features(values)
    train, test = target.train, target.test
    solved = Ridge.of(features[train], inner_folds(len(train)), features[test])
    true = target.true[test]
    if target.levels:
        predicted, penalty = _levels_told(solved, target.true[train], target.levels)
        right = (predicted == true).astype(np.float64)
        measure, parts = "balanced accuracy", _parts_of_levels(right, true, target.levels)
    else:
        own = target.true[train]
        mean = np.nanmean(own, axis=0)
        # a gap trains as the mean, whatever the activity was
        told, penalty = solved.predict(np.where(np.isfinite(own), own, mean), 1)
        known = np.isfinite(true)
        wrong = np.where(known, (true - told) ** 2, 0.0)
        plain = np.where(known, (true - mean) ** 2, 0.0)
        measure, parts = "r2", (wrong[None], plain[None])
    scores = _score(measure, *(one.sum(axis=1) for one in parts))
    number = int(target.cluster.max()) + 1
    weights = bootstrap_weights(number, _BOOTSTRAPS, generator)
    sums = [
        np.array([np.bincount(target.cluster, row, number) for row in one[:, :, 0]])
        for one in parts
    ]
    again = _score(measure, *((one @ weights.T) for one in sums))
    null = scores[1:]
    return Decoded(
        float(scores[0]),
        float(np.nanstd(again)),
        float(null.mean()),
        float(np.quantile(null, 0.95)),
        float((1 + (null >= scores[0]).sum()) / (1 + len(null))),
        float(penalty[0]),
        len(test),
        len(train),
        measure,
        null,
    )


def _levels_told(solved: Ridge, true: Floats, levels: int) -> tuple[Floats, Floats]:
    """Return the level that each test row is told to be, (row, draw), and the penalties.

    Each level is a target of 0 and 1. A level is told where its prediction is largest beside its
    share in training, so that a rare level is not always outvoted.
    """
    one = (true[:, :, None] == np.arange(levels)).astype(np.float64)
    told, penalty = solved.predict(one.reshape(len(true), -1), levels)
    share = one.mean(axis=0)
    ratio = told.reshape(len(told), -1, levels) / np.maximum(share, 1e-12)
    return ratio.argmax(axis=2).astype(np.float64), penalty


def _parts_of_levels(right: Floats, true: Floats, levels: int) -> tuple[Floats, Floats]:
    """Return for each level what is right and what there is, (level, row, draw)."""
    there = (true[None] == np.arange(levels)[:, None, None]).astype(np.float64)
    return right[None] * there, there


def _score(measure: str, first: Floats, second: Floats) -> Floats:
    """Return the score from sums over rows, (level, draw) each."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "r2":
            return np.asarray((1 - first / second)[0], dtype=np.float64)
        return np.asarray(np.nanmean(first / second, axis=0), dtype=np.float64)
