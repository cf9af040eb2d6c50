"""When each bin begins, and in which epoch it lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.preparing.bins.plan import BinPlan


def bin_times(recording: Recording, plan: BinPlan) -> NDArray[np.float64]:
    """Return the start of each bin of a plan in seconds, (bin,), as the recording tells the time.

    Parameters
    ----------
    recording
        The recording.
    plan
        Its bins, by `plan_bins`.
    """
    first = np.cumsum(plan.bins_of_segment) - plan.bins_of_segment
    within = np.arange(plan.bins) - np.repeat(first, plan.bins_of_segment)
    if isinstance(recording.signal, SpikeTimes):
        begin = np.repeat(plan.begin.astype(np.float64), plan.bins_of_segment)
        return begin + within * (plan.bin_ms / 1000)
    rows = np.repeat(plan.begin.astype(np.int64), plan.bins_of_segment) + within * plan.merged
    times: NDArray[np.float64] = recording.signal.times[rows].astype(np.float64)
    return times


def epochs_of_bins(
    recording: Recording, plan: BinPlan
) -> tuple[NDArray[np.int32] | None, tuple[str, ...]]:
    """Return the number of the epoch of every bin, (bin,), and the labels by number.

    As `Activity.epoch` has them: None where no epoch has a label and a length.

    Parameters
    ----------
    recording
        The recording.
    plan
        Its bins, by `plan_bins`.
    """
    table = recording.epochs[recording.epochs["label"].notna()]
    start, stop = (table[name].to_numpy(dtype=np.float64) for name in ("start_s", "stop_s"))
    with np.errstate(invalid="ignore"):
        there = np.isfinite(start) & np.isfinite(stop) & (stop > start)
    if not there.any():
        return None, ()
    labels = table["label"].astype(str).to_numpy()[there]
    start, stop = start[there], stop[there]
    order = np.argsort(start, kind="stable")
    names = tuple(dict.fromkeys(labels[order].tolist()))
    middle = bin_times(recording, plan) + plan.bin_width_s / 2
    number = {label: place for place, label in enumerate(names)}
    in_time = np.argsort(middle, kind="stable")
    first, last = (np.searchsorted(middle[in_time], edge) for edge in (start, stop))
    sorted_ = np.full(len(middle), -1, dtype=np.int32)
    for row in order:
        # later ones last, so that the last to begin holds
        sorted_[first[row] : last[row]] = number[labels[row]]
    found = np.empty_like(sorted_)
    found[in_time] = sorted_
    return found, names
