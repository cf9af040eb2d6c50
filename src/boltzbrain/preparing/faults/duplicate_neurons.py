"""Neurons that are the same one, sorted or segmented twice: a zero-lag correlation near 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, active_bins

LIMIT = 0.9
"""Pearson's correlation of the states from which two neurons count as one."""

_BINS = 20_000
_NEURONS = 1024
_LEAST_ACTIVE = 5


def duplicate_neurons(activity: Activity) -> list[tuple[int, int, float]]:
    """Return pairs of neurons with a correlation above `LIMIT`: first row, later row, correlation.

    At most 20,000 bins, evenly spread, are looked at, and neurons active in fewer than five of
    them are left out.

    Parameters
    ----------
    activity
        The states.
    """
    step = -(-activity.n_bins // _BINS)
    states = activity.states[::step]
    count = len(states)
    active = active_bins(states)
    rows = np.flatnonzero((active >= _LEAST_ACTIVE) & (active < count))
    # the correlation of two neurons is near 1 only if they are active in about as many bins
    rows = rows[np.argsort(active[rows], kind="stable")]
    mean = active[rows] / count
    scale = np.sqrt(mean * (1 - mean))
    pairs: list[tuple[int, int, float]] = []
    for first in range(0, len(rows), _NEURONS):
        mine = slice(first, first + _NEURONS)
        highest = float(mean[mine][-1]) / LIMIT**2
        last = int(np.searchsorted(mean, min(highest, 1.0), side="right"))
        for other in range(first, last, _NEURONS):
            theirs = slice(other, min(other + _NEURONS, last))
            both = _together(states, rows[mine], rows[theirs]) / count
            value = (both - np.outer(mean[mine], mean[theirs])) / np.outer(
                scale[mine], scale[theirs]
            )
            for a, b in np.argwhere(value > LIMIT).tolist():
                one, two = first + a, other + b
                if one < two:
                    low, high = sorted((int(rows[one]), int(rows[two])))
                    pairs.append((low, high, float(value[a, b])))
    return sorted(pairs)


def _together(
    states: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return in how many bins each pair is active."""
    one = states[:, first].astype(np.float32)
    two = one if first is second else states[:, second].astype(np.float32)
    product: NDArray[np.float64] = (one.T @ two).astype(np.float64)
    return product
