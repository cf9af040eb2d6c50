"""The other way: what trials and series explain of every assembly, alone and beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import TEST, TRAIN, VALIDATION, Activity
from boltzbrain.foundations.checks import bad_input
from boltzbrain.interpretation.behaviour.decoding import MOST_BINS
from boltzbrain.interpretation.behaviour.ridge import Ridge, inner_folds
from boltzbrain.interpretation.behaviour.series import pieces_of
from boltzbrain.interpretation.behaviour.trials import Column

Floats = NDArray[np.float64]

PLACE = "place in the trial"
"""What every trial does alike, as far as its place tells it."""
_PLACES = 20
_PARTS = 4
"""Parts of a trial in which a level may act differently."""


@dataclass(frozen=True)
class Explained:
    """Shares of the variance of each unit over the bins of the test fold.

    Attributes
    ----------
    names
        What explains: columns of the trials, covariates, and `PLACE` where there are trials.
    alone
        (name, unit) explained by each alone, by columns of the trials beyond `PLACE`.
    unique
        (name, unit) lost where it alone is left out of all.
    together
        (unit,) explained by all.
    """

    names: tuple[str, ...]
    alone: Floats
    unique: Floats
    together: Floats


def explained(
    activity: Activity,
    values: NDArray[Any],
    columns: Sequence[Column],
    series: Mapping[str, Floats],
    bins: NDArray[np.int64],
) -> Explained:
    """Return what behaviour explains of each unit.

    Of a series each piece is a predictor, of a column each level in each quarter of a trial, and of
    the place in the trial each twentieth; linear models with a squared penalty, chosen within
    training, are scored on the test fold.

    Parameters
    ----------
    activity
        With folds.
    values
        (bin, unit).
    columns
        Columns of the trials.
    series
        Name to (bin,) of covariates.
    bins
        (trial, 2) bins of every trial of the table.

    Raises
    ------
    InputError
        If the test fold is empty.
    """
    train = np.flatnonzero(np.isin(activity.fold, (TRAIN, VALIDATION)))
    test = np.flatnonzero(activity.fold == TEST)
    if not len(test) or not len(train):
        raise bad_input("the run", "have a test fold", "none", file=activity.source.path)
    train = train[:: max(1, -(-len(train) // MOST_BINS))]
    designs: dict[str, NDArray[np.float32]] = {}
    for name, one in series.items():
        code, pieces = pieces_of(name, one)
        designs[name] = _one_hot(code, pieces)
    if columns:
        designs[PLACE] = _one_hot(_place(activity.n_bins, bins, _PLACES), _PLACES)
    for column in columns:
        designs[column.name] = _of_column(activity.n_bins, column, bins)
    targets = values[train].astype(np.float64)
    true = values[test].astype(np.float64)
    plain = ((true - targets.mean(axis=0)) ** 2).sum(axis=0)
    varies = plain > 1e-9

    def share(names: Sequence[str]) -> Floats:
        if not names:
            return np.zeros(values.shape[1])
        design = np.concatenate([designs[name] for name in names], axis=1)
        solved = Ridge.of(design[train], inner_folds(len(train)), design[test])
        told, _ = solved.predict(targets, targets.shape[1])
        wrong = ((true - told) ** 2).sum(axis=0)
        found: Floats = np.where(varies, 1 - wrong / np.where(varies, plain, 1.0), 0.0)
        return found

    names = tuple(designs)
    together = share(names)
    of_columns = {column.name for column in columns}
    place = share([PLACE]) if columns else np.zeros(values.shape[1])
    alone = np.array(
        [share([PLACE, one]) - place if one in of_columns else share([one]) for one in names]
    )
    without = [share([one for one in names if one != name]) for name in names]
    return Explained(names, alone, together - np.array(without), together)


def _one_hot(code: NDArray[np.int64], pieces: int) -> NDArray[np.float32]:
    return np.asarray(code[:, None] == np.arange(pieces), dtype=np.float32)


def _place(n_bins: int, bins: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Return the part of its trial in which each bin lies, -1 outside of trials."""
    place = np.full(n_bins, -1, dtype=np.int64)
    for first, stop in bins.tolist():
        place[first:stop] = np.arange(stop - first) * parts // max(stop - first, 1)
    return place


def _of_column(n_bins: int, column: Column, bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return each level, or the standardised number, in each part of a trial; 0 elsewhere."""
    mine = bins[column.rows]
    if column.ranked:
        assert column.numbers is not None
        spread = float(column.numbers.std()) or 1.0
        weight = ((column.numbers - column.numbers.mean()) / spread)[:, None]
    else:
        weight = (column.codes[:, None] == np.arange(len(column.levels))).astype(np.float64)
    width = weight.shape[1]
    design = np.zeros((n_bins, _PARTS * width), dtype=np.float32)
    for row, (first, stop) in enumerate(mine.tolist()):
        part = np.arange(stop - first) * _PARTS // max(stop - first, 1)
        for one in range(_PARTS):
            here = np.flatnonzero(part == one) + first
            design[here, one * width : (one + 1) * width] = weight[row]
    return design
