"""Mending what `validate` finds, each point by its name and never unasked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.recordings.binning import binarize
from boltzbrain.recordings.drift import drifting
from boltzbrain.recordings.duplicates import duplicate_neurons
from boltzbrain.recordings.epochs import cut_out
from boltzbrain.recordings.recording import Binned, Recording, SpikeTimes, Step, Traces
from boltzbrain.recordings.validation import DUPLICATE_S, LASER, flat_traces, refractory_units


def mend(recording: Recording, what: Sequence[str]) -> Recording:
    """Return the recording with the named points mended, each told in ``steps``.

    Parameters
    ----------
    recording
        As it was read.
    what
        Names of `MENDS`, done in the order given.

    Raises
    ------
    InputError
        If a name is unknown, does not fit the recording, or would leave no neuron.
    """
    names = [one_of("mend", name, MENDS) for name in what]
    for name in names:
        recording, count = MENDS[name](recording)
        recording = replace(
            recording, steps=(*recording.steps, Step("mend", {"what": name, "removed": count}))
        )
    return recording


def _spikes(recording: Recording, name: str) -> SpikeTimes:
    if not isinstance(recording.signal, SpikeTimes):
        raise bad_input(
            f"mend {name}",
            "be asked of spike times",
            type(recording.signal).__name__,
            file=recording.source.path,
        )
    return recording.signal


def _duplicate_spikes(recording: Recording) -> tuple[Recording, int]:
    """Keep the first of spikes that follow each other within a tenth of a millisecond."""
    signal = _spikes(recording, "duplicate-spikes")
    keep = np.ones(len(signal.times), dtype=np.bool_)
    start = 0
    for stop in signal.index.tolist():
        train = signal.times[start:stop]
        keep[start + 1 : stop] = np.diff(train) >= DUPLICATE_S
        start = stop
    ends = np.cumsum(keep)[signal.index - 1] if len(keep) else signal.index
    ends = np.where(signal.index > 0, ends, 0).astype(np.int64)
    mended = replace(signal, times=signal.times[keep], index=ends)
    return replace(recording, signal=mended), int((~keep).sum())


def _without(recording: Recording, rows: NDArray[np.int64]) -> tuple[Recording, int]:
    keep = np.ones(len(recording.neurons), dtype=np.bool_)
    keep[rows] = False
    if not keep.any():
        raise bad_input(
            "mend", "leave at least one neuron", "none left", file=recording.source.path
        )
    return recording.select(keep), len(rows)


def _refractory(recording: Recording) -> tuple[Recording, int]:
    return _without(recording, refractory_units(_spikes(recording, "refractory")))


def _silent(recording: Recording) -> tuple[Recording, int]:
    signal = recording.signal
    if isinstance(signal, SpikeTimes):
        return _without(recording, np.flatnonzero(np.diff(np.r_[0, signal.index]) == 0))
    if isinstance(signal, Traces):
        return _without(recording, flat_traces(signal))
    assert isinstance(signal, Binned)
    low, high = signal.counts.min(axis=0) > 0, signal.counts.max(axis=0) == 0
    return _without(recording, np.flatnonzero(low | high))


def _drifting(recording: Recording) -> tuple[Recording, int]:
    return _without(recording, drifting(binarize(recording)).neurons)


def _duplicate_neurons(recording: Recording) -> tuple[Recording, int]:
    """Keep the first neuron of each pair."""
    pairs = duplicate_neurons(binarize(recording))
    later = np.array(sorted({row for _, row, _ in pairs}), dtype=np.int64)
    return _without(recording, later)


def _laser(recording: Recording) -> tuple[Recording, int]:
    """Cut the epochs out in which light may drive spikes; bins never reach across the cut."""
    signal = _spikes(recording, "laser")
    labels = recording.epochs["label"].astype(str)
    chosen = recording.epochs[labels.map(lambda label: bool(LASER.search(label)))]
    lit = chosen[["start_s", "stop_s"]].to_numpy(dtype=np.float64)
    recorded = cut_out(signal.stretches(), lit)
    if len(recorded) == 0:
        raise bad_input("mend laser", "leave some time", "none left", file=recording.source.path)
    return replace(recording, signal=replace(signal, recorded=recorded)), len(lit)


MENDS: Mapping[str, Callable[[Recording], tuple[Recording, int]]] = {
    "duplicate-spikes": _duplicate_spikes,
    "refractory": _refractory,
    "silent": _silent,
    "drifting": _drifting,
    "duplicate-neurons": _duplicate_neurons,
    "laser": _laser,
}
"""Name to what mends it and returns how many spikes, neurons or epochs were removed."""
