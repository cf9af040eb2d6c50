"""When each bin begins."""

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
