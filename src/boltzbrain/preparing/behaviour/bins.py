"""Series and trials in the bins of an activity."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.clock import SegmentClock
from boltzbrain.data.behaviour.covariates import BinnedCovariate, Covariate
from boltzbrain.data.behaviour.trials import no_trials
from boltzbrain.data.pauses import PAUSE_FRAMES
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.preparing.bins.plan import BinPlan
from boltzbrain.preparing.bins.times import bin_times

# times written as decimals are off by rounding
_ROUNDING = 1e-6


def behaviour_of_bins(
    recording: Recording, plan: BinPlan
) -> tuple[dict[str, BinnedCovariate], pd.DataFrame, dict[str, Any]]:
    """Return the covariates and trials of an activity, and what the step tells of them.

    A bin takes the samples between its start and its end by the covariate's rule. One without a
    sample lies between two: by "mean" it takes the straight line between them, unless they are more
    than one and a half of the usual steps apart, which is a gap, and then it is missing. By "last"
    it takes the sample before. Of "any" it takes the sample before unless there is a gap; a series
    without a 0 is a list of events, and there is none where it has no sample. A trial has the bins
    whose middle lies in it; one without any is left out and counted.

    Parameters
    ----------
    recording
        The recording.
    plan
        Its bins, by `plan_bins`.
    """
    if not recording.covariates and not len(recording.trials):
        return {}, no_trials(), {}
    clock = SegmentClock.of(recording.signal)
    start = bin_times(recording, plan) + _moved(recording, plan, clock)
    width = plan.bin_width_s
    told: dict[str, Any] = {}
    covariates = {
        name: in_bins(one, clock, start, width) for name, one in recording.covariates.items()
    }
    if covariates:
        told["covariates"] = {
            name: {"rule": one.rule, "missing_bins": int(np.isnan(one.values).sum())}
            for name, one in covariates.items()
        }
    trials, outside = trials_in_bins(recording.trials, clock, start + width / 2)
    if len(recording.trials):
        told["trials"] = {"trials": len(trials), "without_bins": outside}
    return covariates, trials, told


def _moved(recording: Recording, plan: BinPlan, clock: SegmentClock) -> NDArray[np.float64] | float:
    """Return what to add to the time of each bin, (bin,), for one clock of all segments."""
    if clock.ascends or isinstance(recording.signal, SpikeTimes):
        return 0.0
    # the stored rows at which the segments of the signal begin tell whose row a bin begins at
    number = recording.signal.segment  # type: ignore[union-attr]  # traces ascend
    first = np.flatnonzero(np.r_[True, number[1:] != number[:-1]])
    of_segment = np.searchsorted(first, plan.begin, side="right") - 1
    return np.repeat(clock.moved_s[of_segment], plan.bins_of_segment)


def in_bins(
    one: Covariate, clock: SegmentClock, start: NDArray[np.float64], width: float
) -> BinnedCovariate:
    """Return a series in bins that start at such times on the clock, see `behaviour_of_bins`."""
    times = clock.place(one.times, one.segment)
    known = np.isfinite(times) & np.isfinite(one.values)
    order = np.argsort(times[known], kind="stable")
    times, values = times[known][order], one.values[known][order]
    segment = None if one.segment is None else one.segment[known][order]
    rule = one.takes
    result = np.full(len(start), np.nan)
    if not len(times):
        return BinnedCovariate(result, one.unit, rule)
    row = np.searchsorted(start, times + _ROUNDING, side="right") - 1
    inside = (row >= 0) & (times < start[row] + width - _ROUNDING)
    row, within = row[inside], values[inside]
    count = np.bincount(row, minlength=len(start))
    there = count > 0
    if rule == "mean":
        result[there] = np.bincount(row, within, len(start))[there] / count[there]
    elif rule == "last":
        result[row] = within
    else:
        result[there] = np.bincount(row, within != 0, len(start))[there] > 0
    empty = np.flatnonzero(~there)
    if rule == "any" and bool((values != 0).all()):
        result[empty] = 0.0
    else:
        steps = np.diff(times)
        if segment is not None:
            steps = steps[np.diff(segment) == 0]
        usual = float(np.median(steps)) if len(steps) else 0.0
        middle = start[empty] + width / 2
        result[empty] = _between(times, values, segment, middle, usual, rule)
    return BinnedCovariate(result, one.unit, rule)


def _between(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    segment: NDArray[np.int32] | None,
    at: NDArray[np.float64],
    usual: float,
    rule: str,
) -> NDArray[np.float64]:
    """Return what holds at times that lie between two samples, NaN in gaps and at the ends."""
    after = np.searchsorted(times, at, side="right")
    before = after - 1
    if rule == "last":
        found = np.where(before >= 0, values[np.maximum(before, 0)], np.nan)
        return np.asarray(found, dtype=np.float64)
    both = (before >= 0) & (after < len(times))
    low, high = np.maximum(before, 0), np.minimum(after, len(times) - 1)
    apart = times[high] - times[low]
    close = both & (apart <= PAUSE_FRAMES * usual)
    if segment is not None:
        close &= segment[low] == segment[high]
    if rule == "any":
        return np.where(close, (values[low] != 0).astype(np.float64), np.nan)
    share = (at - times[low]) / np.where(apart > 0, apart, 1.0)
    return np.where(close, values[low] + share * (values[high] - values[low]), np.nan)


def trials_in_bins(
    trials: pd.DataFrame, clock: SegmentClock, middle: NDArray[np.float64]
) -> tuple[pd.DataFrame, int]:
    """Return the trials that hold the middle of a bin, with their bins, and how many do not."""
    if not len(trials):
        return no_trials(), 0
    segment = trials["segment"].to_numpy(np.int32) if "segment" in trials else None
    edges = [
        clock.place(trials[name].to_numpy(np.float64), segment, ends=True)
        for name in ("start_s", "stop_s")
    ]
    known = np.isfinite(edges[0])
    first, stop = (np.searchsorted(middle, edge - _ROUNDING) for edge in edges)
    there = known & (stop > first)
    places = {"first_bin": first[there].astype(np.int64), "stop_bin": stop[there].astype(np.int64)}
    kept = trials[there].drop(columns="segment", errors="ignore").reset_index(drop=True)
    return kept.assign(**places), int((~there).sum())
