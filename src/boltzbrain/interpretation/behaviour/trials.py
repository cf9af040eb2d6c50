"""How units differ between trials: by the levels of a column, or along its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.by_segment import recorded_segments
from boltzbrain.data.behaviour.trials import is_labels
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.nulls import permuted_in_blocks
from boltzbrain.interpretation.behaviour.power import (
    Floats,
    false_discoveries,
    smallest_effects,
    tail_p_values,
)

MOST_LEVELS = 8
"""A column of more different numbers is taken by their rank."""
FEWEST_TRIALS = 5
"""A level of fewer trials is left out."""


@dataclass(frozen=True)
class Column:
    """One column of the trials, ready for a test.

    Attributes
    ----------
    name
        Its name.
    rows
        (trial,) rows of the table that are used, in order of time.
    codes
        (trial,) number of the level of each; of ranked numbers all 0.
    levels
        Their names; empty where the numbers are ranked.
    numbers
        (trial,) the numbers; None of labels.
    left_out
        Trials without a value, or of a level that has too few.
    """

    name: str
    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    levels: tuple[str, ...]
    numbers: Floats | None
    left_out: int

    @property
    def ranked(self) -> bool:
        """Whether the numbers are ranked."""
        return not self.levels

    def predictors(self) -> Floats:
        """Return orthogonal predictors of length 1, (trial, predictor), for centred responses."""
        if self.ranked:
            assert self.numbers is not None
            return _ranks(self.numbers[:, None])
        one = (self.codes[:, None] == np.arange(len(self.levels))).astype(np.float64)
        scaled: Floats = one / np.sqrt(one.sum(axis=0))
        return scaled

    @property
    def degrees(self) -> int:
        """Number of predictors, beside the mean."""
        return 1 if self.ranked else len(self.levels) - 1


def column_of(trials: pd.DataFrame, name: str, *, file: object = None) -> Column:
    """Return a column of a table of trials, its levels sorted.

    Raises
    ------
    InputError
        If it has one level, or too few trials.
    """
    column = trials[name]
    known = (column != "").to_numpy() if is_labels(column) else column.notna().to_numpy()
    rows = np.flatnonzero(known)
    numbers = None if is_labels(column) else column.to_numpy(np.float64)[rows]
    values: NDArray[Any] = column.to_numpy()[rows]
    levels, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    if numbers is not None and len(levels) > MOST_LEVELS:
        if len(rows) < 2 * FEWEST_TRIALS:
            must = f"be known of {2 * FEWEST_TRIALS} trials or more"
            raise bad_input(f"trials.{name}", must, f"{len(rows)}", file=file)
        nothing = np.zeros(len(rows), dtype=np.int64)
        return Column(name, rows, nothing, (), numbers, len(column) - len(rows))
    enough = counts >= FEWEST_TRIALS
    if enough.sum() < 2:
        got = ", ".join(f"{_word(one)} ({n})" for one, n in zip(levels, counts, strict=True))
        raise bad_input(
            f"trials.{name}",
            f"have two levels or more of {FEWEST_TRIALS} trials each",
            got or "no trial that has a value",
            file=file,
        )
    kept = enough[codes]
    renumbered = (np.cumsum(enough) - 1)[codes[kept]]
    return Column(
        name,
        rows[kept],
        renumbered.astype(np.int64),
        tuple(_word(one) for one in levels[enough]),
        None if numbers is None else numbers[kept],
        len(column) - int(kept.sum()),
    )


def _word(level: Any) -> str:
    return f"{level:g}" if isinstance(level, (float, np.floating)) else str(level)


def bins_of_trials(
    activity: Activity, *, align: str | None = None, window_s: tuple[float, float] | None = None
) -> NDArray[np.int64]:
    """Return the first bin of each trial's window and the end of it, (trial, 2).

    Parameters
    ----------
    activity
        With trials.
    align
        A column of times in seconds on the clock of the recording: the window is around it. The
        start of the trial if None.
    window_s
        From and to, seconds from there; the trial itself if None. It ends with the segment.

    Returns
    -------
    NDArray
        (trial, 2) int64; both the same where a trial has no bin in its window.

    Raises
    ------
    InputError
        If there is no such column, or the window has no length.
    """
    trials, width = activity.trials, activity.bin_width_s
    bins = trials[["first_bin", "stop_bin"]].to_numpy(np.int64)
    if align is None and window_s is None:
        return bins
    event = bins[:, 0].astype(np.float64)
    if align is not None:
        if align not in trials or is_labels(trials[align]):
            got = "no such column" if align not in trials else "labels"
            raise bad_input("align", "be a column of the trials with times in seconds", got)
        event = event + (trials[align] - trials["start_s"]).to_numpy(np.float64) / width
    low, high = (0.0, float("inf")) if window_s is None else window_s
    if not high > low:
        raise bad_input("window_s", "end after it begins", f"{low:g} to {high:g} s")
    known = np.isfinite(event)
    event = np.where(known, event, 0.0)
    first = np.floor(event + low / width + 1e-6)
    stop = bins[:, 1] if window_s is None else np.floor(event + high / width + 1e-6)
    edge = np.flatnonzero(np.diff(recorded_segments(activity))) + 1
    at = np.searchsorted(edge, bins[:, 0], side="right")
    begin = np.r_[0, edge][at]
    end = np.r_[edge, activity.n_bins][at]
    first = np.clip(first, begin, end).astype(np.int64)
    stop = np.clip(stop, begin, end).astype(np.int64)
    return np.stack([first, np.where(known, np.maximum(stop, first), first)], axis=1)


def responses(values: NDArray[Any], bins: NDArray[np.int64]) -> Floats:
    """Return the mean of each unit over the bins of each trial, (trial, unit), NaN without bins.

    Parameters
    ----------
    values
        (bin, unit).
    bins
        (trial, 2), the first and the end of the bins of each trial.
    """
    found = np.full((len(bins), values.shape[1]), np.nan)
    for row, (first, stop) in enumerate(bins.tolist()):
        if stop > first:
            found[row] = values[first:stop].mean(axis=0, dtype=np.float64)
    return found


@dataclass(frozen=True)
class TrialTuning:
    """How every unit differs between the trials of a column.

    Attributes
    ----------
    column
        The column.
    effect
        (unit,) share of the variance over trials that the levels, or the ranks, explain beyond
        what they explain by chance.
    difference
        (unit,) of two levels the last minus the first, in standard deviations within a level; of
        ranks their correlation; of more levels that between the largest and the smallest mean,
        below 0 where the unit falls along numbers.
    preferred
        (unit,) number of the level of the largest mean; of ranks 1 where both rise together.
    p_value, q_value
        (unit,) against labels permuted among neighbours, and its share of false discoveries.
    smallest
        (unit,) smallest effect that would have been seen in four of five recordings.
    p_plain
        (unit,) p-value of an F test that takes trials for independent, to compare.
    draws
        Number of permutations.
    """

    column: Column
    effect: Floats
    difference: Floats
    preferred: NDArray[np.int64]
    p_value: Floats
    q_value: Floats
    smallest: Floats
    p_plain: Floats
    draws: int


def tuning_of_trials(
    of_trials: Floats, column: Column, *, draws: int, generator: Generator
) -> TrialTuning:
    """Test how units differ between the trials of a column.

    Parameters
    ----------
    of_trials
        (trial, unit) responses of all trials of the table, as `responses` gives them.
    column
        The column.
    draws
        Permutations of the labels among neighbouring trials.
    generator
        Whose next draws they are.
    """
    from scipy.stats import f as f_law

    there = np.asarray(np.isfinite(of_trials[column.rows]).all(axis=1), dtype=np.bool_)
    column = _with_rows(column, there)
    values = of_trials[column.rows]
    centred = _ranks(values) if column.ranked else values - values.mean(axis=0)
    predictors = column.predictors()
    power = np.einsum("tu,tu->u", centred, centred)
    varies = power > 1e-12 * max(float(power.max(initial=0.0)), 1e-300)
    scale = np.where(varies, power, 1.0)

    def explained(order: NDArray[np.int64]) -> Floats:
        product = centred.T @ predictors[order]
        found: Floats = np.einsum("um,um->u", product, product) / scale
        return np.where(varies, found, 0.0)

    share = explained(np.arange(len(values)))
    null = np.empty((len(share), draws), dtype=np.float32)
    orders = permuted_in_blocks(len(values), draws, generator)
    units, width = centred.shape[1], predictors.shape[1]
    for part in slices(draws, max(units * width, 1)):
        # (trial, draw x predictor): one product for many draws
        many = predictors[orders[part]].transpose(1, 0, 2).reshape(len(values), -1)
        products = (centred.T @ many).reshape(units, -1, width)
        null[:, part] = np.einsum("udm,udm->ud", products, products) / scale[:, None]
    # what ties counts, whatever the last digit of a float32
    beyond = (null >= share[:, None] * (1 - 1e-6)).sum(axis=1).astype(np.float64)
    p_value = np.where(varies, tail_p_values(beyond, share, null), 1.0)
    mean = np.where(varies, null.mean(axis=1, dtype=np.float64), 1.0)
    q_value = false_discoveries(p_value)
    degrees, rest = column.degrees, max(len(values) - 1 - column.degrees, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = share / degrees / ((1 - share) / rest)
    plain = np.where(varies, f_law.sf(ratio, degrees, rest), 1.0)
    difference, preferred = _differences(values, column, share, centred, predictors)
    return TrialTuning(
        column,
        (share - mean) / np.maximum(1 - mean, 1e-12),
        np.where(varies, difference, 0.0),
        preferred,
        p_value,
        q_value,
        smallest_effects(mean, degrees, p_value, q_value),
        plain,
        draws,
    )


def _with_rows(column: Column, there: NDArray[np.bool_]) -> Column:
    return Column(
        column.name,
        column.rows[there],
        column.codes[there],
        column.levels,
        None if column.numbers is None else column.numbers[there],
        column.left_out + int((~there).sum()),
    )


def _ranks(values: Floats) -> Floats:
    """Return the ranks of each column, centred and of length 1."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0)
    ranks = ranks - ranks.mean(axis=0)
    length = np.sqrt((ranks**2).sum(axis=0))
    unit: Floats = ranks / np.where(length > 0, length, 1.0)
    return unit


def _differences(
    values: Floats, column: Column, share: Floats, centred: Floats, predictors: Floats
) -> tuple[Floats, NDArray[np.int64]]:
    if column.ranked:
        correlation = (centred.T @ predictors)[:, 0]
        return correlation, (correlation > 0).astype(np.int64)
    levels = range(len(column.levels))
    means = np.array([values[column.codes == level].mean(axis=0) for level in levels])
    rest = max(len(values) - len(means), 1)
    within = np.sqrt((1 - share) * np.einsum("tu,tu->u", centred, centred) / rest)
    within = np.where(within > 0, within, 1.0)
    gap = means[1] - means[0] if len(means) == 2 else np.ptp(means, axis=0)
    if len(means) > 2 and column.numbers is not None:
        slope = (column.numbers - column.numbers.mean()) @ (values - values.mean(axis=0))
        gap = np.where(slope < 0, -gap, gap)
    return gap / within, means.argmax(axis=0).astype(np.int64)
