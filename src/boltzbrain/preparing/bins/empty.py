"""Stretches of a recording in which no neuron spikes for so long that nothing can be recorded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.memory import VALUES, slices

EMPTY_S = 600.0
"""So many seconds without a spike of any neuron are an empty stretch: anaesthesia, sleep and the
pauses between bursts of a culture are shorter."""

USUAL = 20.0
"""So many mean intervals are no chance: Poisson spikes leave one of 20 once in e**20 spikes."""

MOSTLY_EMPTY = 0.5
"""A recording is refused if more than this share of it is empty."""

STRAY = 10
"""So many spikes alone beyond an empty stretch are stray ones."""

# parts of an empty stretch that are looked at; a whole one holds so many at least
_PARTS = 10
_MOST_PARTS = 1 << 20
_NAMED = 3


def empty_stretches(signal: SpikeTimes) -> NDArray[np.float64]:
    """Return the stretches without any spike, (stretch, 2) seconds, between recorded edges.

    Pauses that the recording says itself are none. What is found is at least as long as `EMPTY_S`,
    and as `USUAL` intervals from one spike to the next, of whatever neuron.
    """
    start, stop = float(signal.start_s), float(signal.stop_s)
    shortest = max(EMPTY_S, USUAL * (stop - start) / (len(signal.times) + 1))
    if len(signal.times) == 0 or not stop - start >= shortest:
        return np.empty((0, 2))
    part = max(shortest / _PARTS, (stop - start) / _MOST_PARTS)
    count = int((stop - start) / part) + 1
    spikes = np.zeros(count, dtype=np.int64)
    for some in slices(len(signal.times), 1, VALUES):
        at = ((signal.times[some] - start) / part).astype(np.int64)
        spikes += np.bincount(np.clip(at, 0, count - 1), minlength=count)
    edges = np.flatnonzero(np.diff(np.r_[False, spikes == 0, False].astype(np.int8)))
    found = []
    for low, high in edges.reshape(-1, 2).tolist():
        if (high - low) * part < shortest - 2 * part:
            continue
        # the spikes on either side are its exact edges
        before, after = _neighbours(signal, start + low * part, start + high * part)
        first, last = max(start, before), min(stop, after)
        found += [(max(first, a), min(last, b)) for a, b in signal.stretches().tolist()]
    kept = [(a, b) for a, b in found if b - a >= shortest]
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _neighbours(signal: SpikeTimes, low: float, high: float) -> tuple[float, float]:
    """Return the last spike before and the first after a time without spikes."""
    before, after = -np.inf, np.inf
    for neuron in range(len(signal)):
        train = signal.train(neuron)
        at = int(np.searchsorted(train, 0.5 * (low + high)))
        before = max(before, float(train[at - 1])) if at else before
        after = min(after, float(train[at])) if at < len(train) else after
    return before, after


def describe_empty(signal: SpikeTimes, empty: NDArray[np.float64]) -> str:
    """Return in words where nothing is, and which spikes stand alone beyond it."""
    seconds = float((empty[:, 1] - empty[:, 0]).sum())
    share = seconds / float(np.diff(signal.stretches(), axis=1).sum())
    told = ", ".join(f"{low:,.1f} to {high:,.1f} s" for low, high in empty[:_NAMED].tolist())
    more = f" and {len(empty) - _NAMED:,} more" if len(empty) > _NAMED else ""
    text = f"no spike of any neuron from {told}{more} ({100 * share:.1f} % of the recording)"
    stray = "; ".join(itertools.islice(_stray(signal, empty), _NAMED))
    return f"{text}; {stray}" if stray else text


def _stray(signal: SpikeTimes, empty: NDArray[np.float64]) -> Iterator[str]:
    """Yield what is said of few spikes alone between empty stretches."""
    edges = np.r_[-np.inf, empty.mean(axis=1), np.inf]
    counts = np.zeros((len(signal), len(edges) - 1), dtype=np.int64)
    for neuron in range(len(signal)):
        counts[neuron] = np.diff(np.searchsorted(signal.train(neuron), edges))
    for part in np.flatnonzero((counts.sum(axis=0) <= STRAY) & (counts.sum(axis=0) > 0)).tolist():
        if counts.sum() <= 2 * STRAY:
            return
        rows = np.flatnonzero(counts[:, part])
        train = signal.train(int(rows[0]))
        first = float(train[np.searchsorted(train, edges[part])])
        total = int(counts[:, part].sum())
        events = "1 stray spike" if total == 1 else f"{total:,} stray spikes"
        neurons = "neuron" if len(rows) == 1 else "neurons"
        listed = ", ".join(str(row) for row in rows[:_NAMED].tolist())
        yield f"{events} of {neurons} {listed} at {first:,.1f} s"


def mostly_empty(
    empty: NDArray[np.float64], start_s: NDArray[np.float64], stop_s: NDArray[np.float64]
) -> bool:
    """Return whether more than `MOSTLY_EMPTY` of the intervals, (interval,) seconds, is empty."""
    low = np.maximum(empty[:, None, 0], start_s[None])
    high = np.minimum(empty[:, None, 1], stop_s[None])
    lost = float(np.maximum(high - low, 0.0).sum())
    return lost > MOSTLY_EMPTY * float((stop_s - start_s).sum())
