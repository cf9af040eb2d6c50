"""How units follow a series: mutual information and cross-validated tuning curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.activity import stretches
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.power import (
    Floats,
    false_discoveries,
    smallest_effects,
    tail_p_values,
)

PIECES = 8
"""Quantiles of a series that a tuning curve has a value for."""
FOLDS = 5
_FEWEST_BINS = 50
_ROUND, _SURE = 200, 20
"""Draws before it is asked which tests need more, and how often chance must have won to stop."""


@dataclass(frozen=True)
class SeriesTuning:
    """How every unit follows a series.

    Attributes
    ----------
    name
        Of the series.
    centres
        (piece,) mean of the series in each of its pieces.
    curve
        (piece, unit) mean of the unit there, 0 where a piece has no bin.
    r2
        (unit,) cross-validated share of the variance over bins that the tuning curve explains, at
        the best lag.
    effect
        (unit,) r2 less its mean under the null, of what that leaves.
    information
        (unit,) mutual information of the series' pieces and the unit above or below its mean, nats
        a bin, without what there is by chance, at the best lag.
    correlation
        (unit,) Pearson's, at the best lag.
    lag_s
        (unit,) best lag, seconds; above 0 the unit comes after the series.
    p_value, q_value
        (unit,) of r2, the largest over the lags, against the null, and the share of false
        discoveries.
    p_information
        (unit,) of the information, likewise.
    smallest
        (unit,) smallest share of variance that would have been seen in four of five recordings.
    p_plain
        (unit,) p-value of an F test that takes bins for independent, to compare.
    draws
        (unit,) draws of the null: fewer where chance had won often.
    null
        What was drawn.
    missing
        Share of the bins in which the series is missing.
    """

    name: str
    centres: Floats
    curve: Floats
    r2: Floats
    effect: Floats
    information: Floats
    correlation: Floats
    lag_s: Floats
    p_value: Floats
    q_value: Floats
    p_information: Floats
    smallest: Floats
    p_plain: Floats
    draws: NDArray[np.int64]
    null: SeriesNull
    missing: float


def pieces_of(name: str, values: Floats, *, file: object = None) -> tuple[NDArray[np.int64], int]:
    """Return the piece of each bin, -1 where the series is missing, and how many pieces there are.

    Pieces are the values themselves where there are eight at most, else quantiles.

    Raises
    ------
    InputError
        If the series has one value, or is missing nearly everywhere.
    """
    known = np.isfinite(values)
    if known.sum() < _FEWEST_BINS:
        raise bad_input(
            f"covariates.{name}", f"be known in {_FEWEST_BINS} bins or more",
            f"{int(known.sum())} of {len(values)}", file=file,
        )  # fmt: skip
    levels = np.unique(values[known])
    if len(levels) < 2:
        raise bad_input(f"covariates.{name}", "vary", f"{levels[0]:g} in every bin", file=file)
    if len(levels) > PIECES:
        inner = np.quantile(values[known], np.arange(1, PIECES) / PIECES)
        edges = np.unique(inner)
    else:
        edges = levels[1:]
    code = np.full(len(values), -1, dtype=np.int64)
    code[known] = np.searchsorted(edges, values[known], side="right")
    used, code[known] = np.unique(code[known], return_inverse=True)
    if len(used) < 2:
        must = "take different values in more than an eighth of the bins"
        raise bad_input(f"covariates.{name}", must, "nearly one value", file=file)
    return code, len(used)


def folds_of(segment: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the fold of each bin for cross-validation, (bin,): tenths of the time, by fives."""
    first, length = stretches(segment)
    if len(first) >= 2 * FOLDS:
        tenth = np.repeat(np.arange(len(first)) * 2 * FOLDS // len(first), length)
    else:
        tenth = np.arange(len(segment)) * 2 * FOLDS // len(segment)
    return np.asarray(tenth % FOLDS, dtype=np.int64)


class _Sums:
    """Sums of units over the bins of each fold and piece, quickly and often.

    Parameters
    ----------
    values
        (bin, unit).
    fold
        (bin,) fold of each bin.
    pieces
        Number of pieces.
    """

    def __init__(self, values: NDArray[Any], fold: NDArray[np.int64], pieces: int) -> None:
        self.fold, self.pieces = fold, pieces
        whole = values.astype(np.float32)
        # above the mean or not, for the information; of states that is the state itself
        self.binary = bool(np.isin(values[:1000], (0, 1)).all() and np.isin(values, (0, 1)).all())
        high = whole if self.binary else (whole > whole.mean(axis=0)).astype(np.float32)
        square = whole if self.binary else whole**2
        parts = [whole] if self.binary else [whole, high, square]
        self.matrix: Any = np.concatenate(parts, axis=1)
        if self.binary and values.size and np.count_nonzero(values) < 0.2 * values.size:
            self.matrix = sparse.csr_array(self.matrix)
        self.units = values.shape[1]

    def select(self, keep: NDArray[np.bool_]) -> None:
        """Go on with some of the units."""
        times = 1 if self.binary else 3
        self.matrix = self.matrix[
            :,
            np.tile(np.flatnonzero(keep), times)
            + np.repeat(np.arange(times) * self.units, int(keep.sum())),
        ]
        self.units = int(keep.sum())

    def of(self, code: NDArray[np.int64]) -> tuple[Floats, Floats, Floats, Floats]:
        """Return counts (fold, piece), and sums of units, of those above their mean, of squares.

        Sums are (fold, piece, unit).
        """
        valid = np.flatnonzero(code >= 0)
        groups = self.fold[valid] * self.pieces + code[valid]
        order = np.argsort(groups.astype(np.int16), kind="stable")
        total = FOLDS * self.pieces
        count = np.bincount(groups, minlength=total)
        one_hot = sparse.csr_array(
            (np.ones(len(valid), dtype=np.float32), valid[order], np.r_[0, np.cumsum(count)]),
            shape=(total, len(code)),
        )
        sums = one_hot @ self.matrix
        dense: Any = sums.toarray() if isinstance(sums, sparse.csr_array) else sums
        shaped = dense.astype(np.float64).reshape(FOLDS, self.pieces, -1)
        parts = [shaped] * 3 if self.binary else np.split(shaped, 3, axis=2)
        return count.reshape(FOLDS, self.pieces).astype(np.float64), parts[0], parts[1], parts[2]


@dataclass(frozen=True)
class _Figures:
    r2: Floats
    information: Floats
    share: Floats


def _figures(count: Floats, sums: Floats, high: Floats, square: Floats) -> _Figures:
    """Return cross-validated r2, information and the plain share of variance, (unit,) each."""
    all_count, all_sums = count.sum(axis=0), sums.sum(axis=0)
    other_count, other = all_count - count, all_sums - sums
    mean = other.sum(axis=1) / np.maximum(other_count.sum(axis=1), 1)[:, None]
    filled = other_count > 0
    told = np.where(
        filled[:, :, None], other / np.maximum(other_count, 1)[:, :, None], mean[:, None]
    )
    squares = square.sum(axis=(0, 1))
    fitted = squares - 2 * (told * sums).sum(axis=(0, 1))
    fitted += (told**2 * count[:, :, None]).sum(axis=(0, 1))
    plain = squares - 2 * (mean * sums.sum(axis=1)).sum(axis=0)
    plain += (mean**2 * count.sum(axis=1)[:, None]).sum(axis=0)
    varies = plain > 1e-9 * np.maximum(squares, 1e-300)
    r2 = np.where(varies, 1 - fitted / np.where(varies, plain, 1.0), 0.0)
    number = max(float(all_count.sum()), 1.0)
    between = (all_sums**2 / np.maximum(all_count, 1)[:, None]).sum(axis=0)
    middle = all_sums.sum(axis=0) ** 2 / number
    within = squares - middle
    there = within > 1e-9 * np.maximum(squares, 1e-300)
    share = np.where(there, (between - middle) / np.where(there, within, 1.0), 0.0)
    joint = np.stack([high.sum(axis=0), all_count[:, None] - high.sum(axis=0)]) / number
    apart = joint.sum(axis=0, keepdims=True) * joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = joint * np.log(joint / apart)
    return _Figures(r2, np.where(joint > 0, terms, 0.0).sum(axis=(0, 1)), np.clip(share, 0, 1))


def lagged(code: NDArray[np.int64], segment: NDArray[np.int32], lag: int) -> NDArray[np.int64]:
    """Return a series by pieces as it was so many bins before, -1 beyond the segment's edge."""
    if lag == 0:
        return code
    moved = np.full(len(code), -1, dtype=np.int64)
    size = abs(lag)
    if size < len(code):
        to, of = (slice(size, None), slice(None, -size)) if lag > 0 else (
            slice(None, -size), slice(size, None)
        )  # fmt: skip
        same = segment[to] == segment[of]
        moved[to] = np.where(same, code[of], -1)
    return moved


def tuning_of_series(
    name: str,
    series: Floats,
    values: NDArray[Any],
    segment: NDArray[np.int32],
    null: SeriesNull,
    *,
    draws: int,
    generator: Generator,
    lags: Sequence[int] = (0,),
    bin_width_s: float = 1.0,
    file: object = None,
) -> SeriesTuning:
    """Test how units follow a series.

    Where chance has been as good 20 times in the first draws a unit's test ends, which only ends
    tests whose p-value is 0.1 or more (Besag and Clifford, Biometrika 78:301, 1991).

    Parameters
    ----------
    name
        Of the series.
    series
        (bin,), NaN where missing.
    values
        (bin, unit) states or hidden means.
    segment
        (bin,) segment of each bin.
    null
        How the series is broken from the activity.
    draws
        Most draws of the null.
    generator
        Whose next draws they are.
    lags
        Bins by which units may come after the series; the best counts, under the null as well.
    bin_width_s
        Seconds per bin.
    file
        The file, for messages.

    Raises
    ------
    InputError
        If the series does not vary or is missing nearly everywhere.
    """
    from scipy.stats import f as f_law

    code, pieces = pieces_of(name, series, file=file)
    sums = _Sums(values, folds_of(segment), pieces)
    moved = [lagged(code, segment, lag) for lag in lags]
    each = [_figures(*sums.of(one)) for one in moved]
    r2_of, information_of = (
        np.array([getattr(one, what) for one in each]) for what in ("r2", "information")
    )
    best = r2_of.argmax(axis=0)
    units = np.arange(values.shape[1])
    r2, information = r2_of[best, units], information_of.max(axis=0)
    share = np.array([one.share for one in each])[best, units]
    beyond, above = np.zeros(len(units)), np.zeros(len(units))
    drawn = np.full((2, len(units), draws), np.nan, dtype=np.float32)
    chance, total, done = np.zeros(len(units)), np.zeros(len(units)), np.zeros(len(units), np.int64)
    left = units
    for draw in range(draws):
        index = null.draw(generator)
        found = [_figures(*sums.of(one[index])) for one in moved]
        by_r2 = np.max([one.r2 for one in found], axis=0)
        by_information = np.max([one.information for one in found], axis=0)
        beyond[left] += by_r2 >= r2[left] - 1e-12
        above[left] += by_information >= information[left] - 1e-12
        drawn[0, left, draw], drawn[1, left, draw] = by_r2, by_information
        chance[left] += by_information
        total[left] += found[0].share
        done[left] += 1
        if (draw + 1) % _ROUND == 0:
            go_on = (beyond[left] < _SURE) | (above[left] < _SURE)
            if not go_on.any():
                break
            if not go_on.all():
                sums.select(go_on)
                left = left[go_on]
    by_chance = np.nanmean(drawn[0], axis=1, dtype=np.float64)
    p_value = tail_p_values(beyond, r2, drawn[0])
    p_information = tail_p_values(above, information, drawn[1])
    q_value = false_discoveries(p_value)
    known = int((code >= 0).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = share / (pieces - 1) / ((1 - share) / max(known - pieces, 1))
    return SeriesTuning(
        name,
        *_curve(code, pieces, series, values, np.asarray(lags)[best], segment),
        r2,
        (r2 - by_chance) / np.maximum(1 - by_chance, 1e-12),
        information - chance / np.maximum(done, 1),
        _correlations(series, values, np.asarray(lags)[best], segment),
        np.asarray(lags, dtype=np.float64)[best] * bin_width_s,
        p_value,
        q_value,
        p_information,
        smallest_effects(total / np.maximum(done, 1), pieces - 1, p_value, q_value),
        np.asarray(f_law.sf(ratio, pieces - 1, max(known - pieces, 1)), dtype=np.float64),
        done,
        null,
        1.0 - known / len(code),
    )


def _curve(
    code: NDArray[np.int64],
    pieces: int,
    series: Floats,
    values: NDArray[Any],
    lag: NDArray[np.int64],
    segment: NDArray[np.int32],
) -> tuple[Floats, Floats]:
    """Return the mean of the series in its pieces, and of every unit at its lag."""
    there = code >= 0
    count = np.bincount(code[there], minlength=pieces)
    centres = np.bincount(code[there], series[there], pieces) / np.maximum(count, 1)
    curve = np.zeros((pieces, values.shape[1]))
    for one in np.unique(lag):
        moved = lagged(code, segment, int(one))
        mine = lag == one
        for piece in range(pieces):
            rows = moved == piece
            if rows.any():
                curve[piece, mine] = values[rows][:, mine].mean(axis=0, dtype=np.float64)
    return centres, curve


def _correlations(
    series: Floats, values: NDArray[Any], lag: NDArray[np.int64], segment: NDArray[np.int32]
) -> Floats:
    found = np.zeros(values.shape[1])
    rows = np.arange(len(series))
    for one in np.unique(lag):
        source = lagged(rows, segment, int(one))
        there = (source >= 0) & np.isfinite(series[np.maximum(source, 0)])
        mine = values[there][:, lag == one].astype(np.float64)
        theirs = series[source[there]]
        mine, theirs = mine - mine.mean(axis=0), theirs - theirs.mean()
        scale = np.sqrt((mine**2).sum(axis=0) * (theirs**2).sum())
        found[lag == one] = np.where(scale > 0, theirs @ mine, 0.0) / np.where(scale > 0, scale, 1)
    return found
