"""Time courses over trials: averages with their error, and single trials of chosen units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.by_segment import recorded_segments
from boltzbrain.interpretation.behaviour.trials import Column

Floats = NDArray[np.float64]

MOST_PLACES = 60
"""Places of a trial that are averaged; longer trials are averaged over several bins each."""
_THIRDS = ("lowest third", "middle third", "highest third")


@dataclass(frozen=True)
class Courses:
    """What units do in the trials of each level.

    Attributes
    ----------
    seconds
        (place,) middle of each place, from the beginning of the trial.
    levels
        Their names; thirds of numbers that are ranked.
    codes
        (trial,) level of each trial.
    mean, stderr
        (level, place, unit) over trials; stderr 0 where a level has one trial there.
    counts
        (level, place) trials that reach so far.
    """

    seconds: Floats
    levels: tuple[str, ...]
    codes: NDArray[np.int64]
    mean: Floats
    stderr: Floats
    counts: NDArray[np.int64]


def levels_of(column: Column) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the level of each trial, (trial,), and their names; thirds of ranked numbers."""
    if not column.ranked:
        return column.codes, column.levels
    assert column.numbers is not None
    edges = np.quantile(column.numbers, (1 / 3, 2 / 3))
    return np.searchsorted(edges, column.numbers, side="left").astype(np.int64), _THIRDS


def in_trials(
    values: NDArray[Any], bins: NDArray[np.int64], segment: NDArray[np.int32]
) -> tuple[Floats, int]:
    """Return units in every trial by place, (trial, place, unit), NaN beyond its end.

    Beside it the bins of a place. Places reach to the 90th percentile of the trials' lengths; a
    trial ends with its segment.
    """
    ends = np.r_[np.flatnonzero(np.diff(segment)) + 1, len(segment)]
    first = bins[:, 0]
    stop = np.minimum(bins[:, 1], ends[np.searchsorted(ends, first, side="right")])
    longest = max(int(np.quantile(stop - first, 0.9)), 1)
    each = -(-longest // MOST_PLACES)
    places = -(-longest // each)
    found = np.full((len(bins), places, values.shape[1]), np.nan)
    for row, (low, high) in enumerate(zip(first.tolist(), stop.tolist(), strict=True)):
        for place in range(places):
            begin, end = low + place * each, min(low + (place + 1) * each, high)
            if end > begin:
                found[row, place] = values[begin:end].mean(axis=0, dtype=np.float64)
    return found, each


def courses(
    activity: Activity, values: NDArray[Any], column: Column, bins: NDArray[np.int64]
) -> tuple[Courses, Floats]:
    """Return the average course of every unit at each level, and the trials that they are of.

    Parameters
    ----------
    activity
        With the bins' segments.
    values
        (bin, unit).
    column
        The column.
    bins
        (trial, 2) bins of every trial of the table.

    Returns
    -------
    courses
        The averages.
    single
        (trial, place, unit) of the trials of the column, NaN beyond their end.
    """
    single, each = in_trials(values, bins[column.rows], recorded_segments(activity))
    codes, levels = levels_of(column)
    there = np.isfinite(single[:, :, 0])
    shape = (len(levels), single.shape[1], single.shape[2])
    mean, stderr = np.zeros(shape), np.zeros(shape)
    counts = np.zeros(shape[:2], dtype=np.int64)
    filled = np.where(there[:, :, None], single, 0.0)
    for level in range(len(levels)):
        mine = codes == level
        number = there[mine].sum(axis=0)
        counts[level] = number
        one = np.maximum(number, 1)[:, None]
        mean[level] = filled[mine].sum(axis=0) / one
        spread = (filled[mine] ** 2).sum(axis=0) / one - mean[level] ** 2
        stderr[level] = np.sqrt(np.maximum(spread, 0.0) / np.maximum(number - 1, 1)[:, None])
        stderr[level][number < 2] = 0.0
    width = each * activity.bin_width_s
    seconds = (np.arange(single.shape[1]).astype(np.float64) + 0.5) * width
    return Courses(seconds, levels, codes, mean, stderr, counts), single
