"""Series and trials of a recording some of whose segments are cut into pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from boltzbrain.data.recording import Recording


def follow_cuts(recording: Recording, since: Mapping[int, tuple[int, float]]) -> Recording:
    """Return a recording whose samples and trials lie in the pieces of their segment.

    Only what is placed by segment changes. A trial that reaches into several pieces is there once
    for each.

    Parameters
    ----------
    recording
        Before the cut.
    since
        Number of each later piece to the segment that it was part of, and the second there at which
        it begins.
    """
    covariates = dict(recording.covariates)
    trials = recording.trials
    for new, (old, start) in sorted(since.items(), key=lambda item: item[1]):
        for name, one in covariates.items():
            if one.segment is not None:
                later = (one.segment == old) & (one.times >= start)
                segment = np.where(later, new, one.segment).astype(np.int32)
                # of an earlier cut of the same segment the later one takes its part
                for other, (same, begin) in since.items():
                    if same == old and begin < start:
                        segment[(one.segment == other) & (one.times >= start)] = new
                covariates[name] = replace(one, segment=segment)
        if "segment" in trials:
            reach = trials[(trials["segment"] == old) & (trials["stop_s"] > start)]
            trials = pd.concat([trials, reach.assign(segment=np.int32(new))], ignore_index=True)
    return replace(recording, covariates=covariates, trials=trials)
