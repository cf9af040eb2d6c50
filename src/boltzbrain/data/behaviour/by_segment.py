"""Series and trials of an activity on the clock that starts again in each of its segments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from boltzbrain.data.activity import Activity, stretches
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import no_trials


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
