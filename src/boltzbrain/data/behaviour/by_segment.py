"""The segments of an activity as recorded, and series and trials on a clock of each of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, stretches
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import no_trials

RECORDED = "recorded_segments"
"""Option of the step "split": the first bin of each segment before folds with a gap cut them."""


def recorded_segments(activity: Activity) -> NDArray[np.int32]:
    """Return the segment of every bin as it was recorded, (bin,), before folds cut it.

    Those of the activity itself where its step does not tell.
    """
    split = activity.step("split")
    first = None if split is None else split.options.get(RECORDED)
    if first is None:
        return activity.segment
    edges = np.zeros(activity.n_bins, dtype=np.int32)
    edges[np.asarray(first, dtype=np.int64)] = 1
    return np.cumsum(edges, dtype=np.int32) - np.int32(1)


def behaviour_by_segment(activity: Activity) -> tuple[dict[str, Covariate], pd.DataFrame]:
    """Return covariates, a sample a bin, and trials, in seconds since their segment began.

    A trial that reaches over several segments ends with the first. A covariate that is missing in
    every bin is left out.
    """
    first, length = stretches(activity.segment)
    width = activity.bin_width_s
    begin = np.repeat(first, length)
    times = (np.arange(activity.n_bins) - begin).astype(np.float64) * width
    segment = activity.segment.astype(np.int32)
    series = {
        name: Covariate(times, one.values, one.unit, segment, one.rule)
        for name, one in activity.covariates.items()
        if np.isfinite(one.values).any()
    }
    if not len(activity.trials):
        return series, no_trials()
    low = activity.trials["first_bin"].to_numpy(np.int64)
    stop = np.minimum(
        activity.trials["stop_bin"].to_numpy(np.int64), (begin + np.repeat(length, length))[low]
    )
    own = activity.trials.drop(columns=["first_bin", "stop_bin"])
    return series, own.assign(
        start_s=(low - begin[low]) * width, stop_s=(stop - begin[low]) * width, segment=segment[low]
    )
