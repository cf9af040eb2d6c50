"""Stretches of time taken out of a recording; no bin reaches across the cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.epochs import cut_out
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.foundations.checks import bad_input
from boltzbrain.preparing.behaviour.cutting import follow_cuts
from boltzbrain.preparing.bins.plan import BinPlan

LASER = re.compile(r"laser|opto|photo.?stim|led.?stim", re.IGNORECASE)
"""Labels of epochs in which light may drive spikes."""

# a thousandth of a bin that reaches into a stretch is a rounded edge
_ROUNDING = 1e-3


def laser_epochs(recording: Recording, labels: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of the epochs in which light may drive what was recorded.

    Parameters
    ----------
    recording
        Its signal tells what was recorded; epochs that lie outside are left out.
    labels
        Epochs that are kept; those with light that touch none of them are left out.
    """
    lit = recording.epochs["label"].astype(str).map(lambda one: bool(LASER.search(one)))
    table = recording.epochs[lit.astype(bool)]
    intervals = _intervals(table)
    inside = _recorded(recording, intervals)
    if labels is not None:
        kept = _intervals(recording.epochs[recording.epochs["label"].isin(list(labels))])
        inside &= _meet(intervals, kept)
    return table[inside]


def without_intervals(recording: Recording, away: NDArray[np.float64]) -> Recording:
    """Return a recording without stretches of time.

    Parameters
    ----------
    recording
        Of spike times the recorded stretches end and begin at the cuts; of bins and traces those
        that reach into a cut are left out.
    away
        (stretch, 2) seconds.

    Raises
    ------
    InputError
        If nothing is left, or the times of bins do not ascend, so that none tells where it lies.
    """
    signal = recording.signal
    if not isinstance(signal, SpikeTimes):
        return without_rows(recording, _rows_within(recording, away))
    recorded = cut_out(signal.stretches(), away)
    if len(recorded) == 0:
        raise _nothing_left(recording)
    return replace(recording, signal=replace(signal, recorded=recorded))


def without_rows(recording: Recording, away: NDArray[np.bool_]) -> Recording:
    """Return a recording of bins or traces without some of them, (row,) bool.

    What follows a cut is a segment of its own; the first piece of each keeps its number.

    Raises
    ------
    InputError
        If nothing is left.
    """
    signal = recording.signal
    assert not isinstance(signal, SpikeTimes)
    rows = np.flatnonzero(~away)
    if len(rows) == 0:
        raise _nothing_left(recording)
    if isinstance(signal, Traces):
        cut = replace(signal, frames=signal.frames[rows], times=signal.times[rows])
        return replace(recording, signal=cut)
    segment = signal.segment[rows]
    later = np.r_[False, (np.diff(rows) > 1) & (np.diff(segment) == 0)]
    own = np.flatnonzero(np.r_[True, np.diff(segment) != 0] | later)
    number = segment[own]
    number[later[own]] = int(signal.segment.max()) + 1 + np.arange(int(later.sum()))
    pieces = np.diff(np.r_[own, len(rows)])
    if later.any():
        since = {
            int(new): (int(segment[at]), float(signal.times[rows[at]]))
            for new, at in zip(number[later[own]], own[later[own]], strict=True)
        }
        recording = follow_cuts(recording, since)
    return replace(
        recording,
        signal=replace(
            signal,
            counts=signal.counts[rows],
            times=signal.times[rows],
            segment=np.repeat(number, pieces).astype(np.int32),
        ),
    )


def without_bins(recording: Recording, plan: BinPlan, bins: Sequence[tuple[int, int]]) -> Recording:
    """Return a recording without stretches of the bins, (first, stop), that were planned of it.

    Raises
    ------
    InputError
        If nothing is left.
    """
    after = np.cumsum(plan.bins_of_segment)
    pieces: list[tuple[float, float]] = []
    for first, stop in bins:
        for begin, start, end in zip(
            plan.begin.tolist(), (after - plan.bins_of_segment).tolist(), after.tolist(),
            strict=True,
        ):  # fmt: skip
            low, high = max(first, start) - start, min(stop, end) - start
            if high > low:
                each = plan.merged or plan.bin_ms / 1000
                pieces.append((begin + low * each, begin + high * each))
    if isinstance(recording.signal, SpikeTimes):
        return without_intervals(recording, np.array(pieces).reshape(-1, 2))
    away = np.zeros(len(recording.signal.times), dtype=np.bool_)
    for low, high in pieces:
        away[int(low) : int(high)] = True
    return without_rows(recording, away)


def ascend(recording: Recording) -> bool:
    """Return whether the times tell where in the recording each bin lies."""
    signal = recording.signal
    return isinstance(signal, SpikeTimes) or bool((np.diff(signal.times) > 0).all())


def _intervals(epochs: pd.DataFrame) -> NDArray[np.float64]:
    return epochs[["start_s", "stop_s"]].to_numpy(dtype=np.float64)


def _meet(intervals: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which intervals share time with any of the others, (interval,)."""
    met = [bool(((others[:, 0] < b) & (others[:, 1] > a)).any()) for a, b in intervals.tolist()]
    return np.array(met, dtype=np.bool_)


def _recorded(recording: Recording, intervals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return in which intervals anything was recorded, (interval,)."""
    signal = recording.signal
    if isinstance(signal, SpikeTimes):
        return _meet(intervals, signal.stretches())
    # without times that ascend there is no telling, and all are taken to be inside
    if not ascend(recording):
        return np.ones(len(intervals), dtype=np.bool_)
    first, stop = _rows_of(signal, intervals)
    return stop > first


def _rows_of(
    signal: Binned | Traces, intervals: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first bin or frame that reaches into each interval, and the first behind it."""
    times = signal.times
    if isinstance(signal, Binned):
        width = signal.bin_width_s
    else:
        width = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    slack = _ROUNDING * width
    first = np.searchsorted(times, intervals[:, 0] + slack - width, side="right")
    return first, np.searchsorted(times, intervals[:, 1] - slack, side="left")


def _rows_within(recording: Recording, away: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which bins or frames reach into one of the stretches, (row,)."""
    signal = recording.signal
    assert not isinstance(signal, SpikeTimes)
    if not ascend(recording):
        raise bad_input(
            "the times of the bins",
            "ascend from segment to segment, so that epochs can be cut out",
            "times that do not",
            file=recording.source.path,
        )
    within = np.zeros(len(signal.times), dtype=np.bool_)
    for first, stop in zip(*_rows_of(signal, away), strict=True):
        within[first:stop] = True
    return within


def _nothing_left(recording: Recording) -> Exception:
    return bad_input("mend", "leave some time", "none left", file=recording.source.path)
