"""Mending what `validate` finds, each point by its name and never unasked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import SpikeTimes, Traces
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.preparing.bins.binarize import binarize
from boltzbrain.preparing.bins.empty import empty_stretches
from boltzbrain.preparing.bins.plan import plan_bins
from boltzbrain.preparing.faults.cutting import laser_epochs, without_bins, without_intervals
from boltzbrain.preparing.faults.drift import drifting
from boltzbrain.preparing.faults.duplicate_neurons import duplicate_neurons
from boltzbrain.preparing.faults.find import (
    DUPLICATE_S,
    refractory_units,
    silent_neurons,
)
from boltzbrain.preparing.faults.traces import flat_traces, saturated_cells
from boltzbrain.preparing.preparation import MENDABLE


@dataclass(frozen=True)
class Bins:
    """The bins in which a fault was found, so that the same one is mended; see `binarize`."""

    bin_ms: float | None = None
    epochs: Sequence[str] | None = None
    memory_limit_gb: float | None = None

    def of(self, recording: Recording) -> Activity:
        """Bin a recording."""
        return binarize(
            recording,
            bin_ms=self.bin_ms,
            epochs=self.epochs,
            memory_limit_gb=self.memory_limit_gb,
        )


def mend(
    recording: Recording,
    what: Sequence[str],
    *,
    bin_ms: float | None = None,
    epochs: Sequence[str] | None = None,
    memory_limit_gb: float | None = None,
) -> Recording:
    """Return the recording with the named points mended, each told in ``steps``.

    Parameters
    ----------
    recording
        As it was read; traces after `deconvolve`, but for "silent" and "saturated".
    what
        Names of `preparation.MENDABLE`, done in the order given, but "empty" first: what is mostly
        empty cannot be binned.
    bin_ms, epochs, memory_limit_gb
        As `binarize`: the bins in which silent, drifting and duplicate neurons and unstable
        stretches are looked for.

    Raises
    ------
    InputError
        If a name is unknown, does not fit the recording, or would leave no neuron or no time.
    """
    names = [one_of("mend", name, MENDABLE) for name in what]
    names.sort(key=lambda name: name != "empty")
    bins = Bins(bin_ms, epochs, memory_limit_gb)
    for name in names:
        by_bins = name in _BY_BINS and not isinstance(recording.signal, Traces)
        recording, count = MENDS[name](recording, bins)
        told = {"what": name, "removed": count}
        if by_bins:
            told |= {"bin_ms": bin_ms, "epochs": None if epochs is None else list(epochs)}
        recording = replace(recording, steps=(*recording.steps, Step("mend", told)))
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


def _duplicate_spikes(recording: Recording, _bins: Bins) -> tuple[Recording, int]:
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


def _refractory(recording: Recording, _bins: Bins) -> tuple[Recording, int]:
    return _without(recording, refractory_units(_spikes(recording, "refractory")))


def _silent(recording: Recording, bins: Bins) -> tuple[Recording, int]:
    signal = recording.signal
    if isinstance(signal, Traces):
        return _without(recording, flat_traces(recording, signal))
    return _without(recording, silent_neurons(bins.of(recording)))


def _saturated(recording: Recording, _bins: Bins) -> tuple[Recording, int]:
    return _without(recording, saturated_cells(recording))


def _drifting(recording: Recording, bins: Bins) -> tuple[Recording, int]:
    return _without(recording, drifting(bins.of(recording)).neurons)


def _unstable(recording: Recording, bins: Bins) -> tuple[Recording, int]:
    """Cut the bins out in which the population departs from its median."""
    found = drifting(bins.of(recording)).bins
    if not found:
        return recording, 0
    plan = plan_bins(recording, bin_ms=bins.bin_ms, epochs=bins.epochs)
    return without_bins(recording, plan, found), sum(stop - first for first, stop in found)


def _duplicate_neurons(recording: Recording, bins: Bins) -> tuple[Recording, int]:
    """Keep the first neuron of each pair."""
    pairs = duplicate_neurons(bins.of(recording))
    later = np.array(sorted({row for _, row, _ in pairs}), dtype=np.int64)
    return _without(recording, later)


def _laser(recording: Recording, _bins: Bins) -> tuple[Recording, int]:
    """Cut the epochs out in which light may drive spikes."""
    lit = laser_epochs(recording)[["start_s", "stop_s"]].to_numpy(dtype=np.float64)
    return (without_intervals(recording, lit) if len(lit) else recording), len(lit)


def _empty(recording: Recording, _bins: Bins) -> tuple[Recording, int]:
    """Cut the stretches out in which no neuron spikes."""
    empty = empty_stretches(_spikes(recording, "empty"))
    return (without_intervals(recording, empty) if len(empty) else recording), len(empty)


_BY_BINS = ("silent", "drifting", "unstable", "duplicate-neurons")

MENDS: Mapping[str, Callable[[Recording, Bins], tuple[Recording, int]]] = {
    "duplicate-spikes": _duplicate_spikes,
    "refractory": _refractory,
    "silent": _silent,
    "saturated": _saturated,
    "drifting": _drifting,
    "unstable": _unstable,
    "duplicate-neurons": _duplicate_neurons,
    "laser": _laser,
    "empty": _empty,
}
"""Name to what mends it and returns how many spikes, neurons, bins, epochs, stretches it took."""
