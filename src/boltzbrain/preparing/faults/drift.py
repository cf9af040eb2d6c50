"""Rates that change over a recording: which bins, and which neurons."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, active_bins

BLOCKS = 20
"""The recording is looked at in this many blocks of equal length."""

DEPARTURE = 0.5
"""Relative departure of a block's activity from the median that is flagged."""

_EXPECTED = 20.0
_SILENT_BLOCKS = BLOCKS // 5


@dataclass(frozen=True)
class Drift:
    """What drifts.

    Attributes
    ----------
    bins
        Stretches of bins (first, stop) in which the population departs from its median.
    neurons
        Rows of the neurons that are silent in a fifth of the blocks or more, though their mean
        activity makes 20 active bins expected in each (a chance of e^-20 per block).
    """

    bins: tuple[tuple[int, int], ...]
    neurons: NDArray[np.int64]


def drifting(activity: Activity) -> Drift:
    """Look for bins and neurons whose rate is not that of the rest."""
    edges = np.linspace(0, activity.n_bins, BLOCKS + 1).astype(np.int64)
    lengths = np.diff(edges)
    if lengths.min() == 0:
        return Drift((), np.empty(0, dtype=np.int64))
    counts = np.stack(
        [active_bins(activity.states[first:stop]) for first, stop in itertools.pairwise(edges)]
    )
    rates = counts.sum(axis=1) / lengths
    middle = float(np.median(rates))
    # departures that chance makes are not flagged: five standard errors of a sum of spikes
    allowed = np.maximum(DEPARTURE * middle, 5 * np.sqrt(middle / lengths))
    stretches: list[tuple[int, int]] = []
    for block in np.flatnonzero(np.abs(rates - middle) > allowed).tolist():
        first, stop = int(edges[block]), int(edges[block + 1])
        if stretches and stretches[-1][1] == first:
            first = stretches.pop()[0]
        stretches.append((first, stop))
    expected = counts.mean(axis=0) >= _EXPECTED
    gone = (counts == 0).sum(axis=0) >= _SILENT_BLOCKS
    return Drift(tuple(stretches), np.flatnonzero(expected & gone))
