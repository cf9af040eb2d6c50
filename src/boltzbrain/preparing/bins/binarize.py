"""From spike times, counts or states to binary activity.

The bins are planned first (`plan_bins`), so that the memory is known and refused before it is
taken; then they are filled in pieces. A bin holds the spikes from its start to just before its end
and never reaches across the edge of a segment; time that is left over at the end of a segment is
dropped and counted. A bin is active if it holds any spike; how many held more than one is counted.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.epochs import summarise_epochs
from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory, slices
from boltzbrain.preparing.behaviour.bins import behaviour_of_bins
from boltzbrain.preparing.bins.losses import losses_of_binning
from boltzbrain.preparing.bins.plan import BinPlan, plan_bins
from boltzbrain.preparing.bins.times import epochs_of_bins
from boltzbrain.preparing.preparation import Preparation

__all__ = ["BinPlan", "binarize", "plan_bins"]

# counts added up, and spikes, neurons and bytes placed, in one go: some 100 MB of scratch
_SPIKES = 1 << 20
_NEURONS = 64
_BLOCK_BYTES = 1 << 26


def binarize(
    recording: Recording,
    *,
    bin_ms: float | None = None,
    epochs: Sequence[str] | None = None,
    min_active_bins: int | None = None,
    memory_limit_gb: float | None = None,
) -> Activity:
    """Return the binary activity of every neuron of a recording.

    Parameters
    ----------
    recording
        Spike times, counts or states; traces only if every value is 0 or 1.
    bin_ms
        Bin width in milliseconds. For counts, states and traces a whole multiple of the stored
        width, and that width if None; for spike times 20 ms if None.
    epochs
        Labels of epochs to keep; every interval becomes a segment. All of the recording if None.
    min_active_bins
        Of `Activity.split`, which knows the training bins; noted for it here, with a warning.
    memory_limit_gb
        Refuse to take more than this many GB (10**9 bytes); the memory available if None.

    Returns
    -------
    Activity
        All bins in the training fold; the step "binarize" holds every option and count, among them
        ``multi_spike_fraction`` (active bins that held more than one spike, None where the file
        cannot tell) and ``spikes_lost`` (spikes beyond the first of their bin).

    Warns
    -----
    DeprecationWarning
        With `min_active_bins`.

    Raises
    ------
    InputError
        If an option does not fit the recording, no bin is left, or the memory does not suffice.

    Examples
    --------
    >>> from boltzbrain.data.recording import Source, neuron_table, no_epochs
    >>> spikes = SpikeTimes(np.array([0.01, 0.015, 0.05]), np.array([2, 3]), 0.0, 0.07)
    >>> recording = Recording(neuron_table(["a", "b"]), {}, spikes, no_epochs(), Source("", "", ""))
    >>> activity = binarize(recording, bin_ms=20)
    >>> activity.states.tolist(), activity.steps[0].options["multi_spike_bins"]
    ([[1, 0], [0, 0], [0, 1]], 1)
    """
    noted: dict[str, Any] = {}
    if min_active_bins is not None:
        noted["min_active_bins"] = Preparation(min_active_bins=min_active_bins).min_active_bins
        warnings.warn(
            "min_active_bins belongs to Activity.split, which knows the training bins: "
            "split(min_active_bins=...); binarize will not take it in a later version",
            DeprecationWarning,
            stacklevel=3,
        )
    plan = plan_bins(recording, bin_ms=bin_ms, epochs=epochs)
    advice = "a longer bin_ms, fewer epochs, a unit filter"
    if isinstance(recording.signal, SpikeTimes):
        advice += "; are the spike times in seconds?"
    require_memory(
        f"{plan.bins:,} bins x {plan.neurons:,} neurons as uint8",
        plan.memory_bytes,
        limit_gb=memory_limit_gb,
        advice=advice,
        file=recording.source.path,
    )
    if isinstance(recording.signal, SpikeTimes):
        states, counted = _fill_from_spikes(recording.signal, plan, recording.source.path)
    else:
        states, counted = _fill_from_stored(recording.signal, plan)
    labels = [epochs] if isinstance(epochs, str) else epochs
    table = summarise_epochs(recording.epochs)
    covariates, trials, of_behaviour = behaviour_of_bins(recording, plan)
    options: dict[str, Any] = {
        "bin_ms": plan.bin_ms,
        "epochs": None if labels is None else list(labels),
        "epochs_of_recording": [
            {"label": str(label), "intervals": int(count), "seconds": float(seconds)}
            for label, count, seconds in table.itertuples(index=False)
        ],
        "bins": plan.bins,
        **counted,
        **plan.notes,
        "memory_bytes": plan.memory_bytes,
        **stored(losses_of_binning(recording, plan, counted)),
        **noted,
        **of_behaviour,
    }
    epoch, names = epochs_of_bins(recording, plan)
    return Activity(
        states=states,
        bin_width_s=plan.bin_width_s,
        segment=np.repeat(plan.number, plan.bins_of_segment),
        fold=np.zeros(plan.bins, dtype=np.int8),
        neurons=recording.neurons.reset_index(drop=True),
        regions=dict(recording.regions),
        steps=(*recording.steps, Step("binarize", options)),
        source=recording.source,
        epoch=epoch,
        epoch_names=names,
        covariates=covariates,
        trials=trials,
    )


def _fill_from_spikes(
    signal: SpikeTimes, plan: BinPlan, where: str
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return the states and the counts of spikes, some neurons at a time."""
    states = np.empty((plan.bins, plan.neurons), dtype=np.uint8)
    # (neuron, bin) first: there the spikes of a neuron lie close together in memory
    together = min(_NEURONS, plan.neurons, max(1, _BLOCK_BYTES // plan.bins))
    block = np.empty((together, plan.bins), dtype=np.uint8)
    spikes = active = multiple = 0
    for begin in range(0, plan.neurons, together):
        neurons = range(begin, min(begin + together, plan.neurons))
        block.fill(0)
        for neuron in neurons:
            train = np.asarray(signal.train(neuron), dtype=np.float64)
            if not np.isfinite(train).all():
                raise bad_input(
                    f"spike_times of neuron {neuron}",
                    "be finite numbers",
                    "NaN or infinity",
                    file=where,
                )
            if (np.diff(train) < 0).any():
                train = np.sort(train)
            counts = _place(train, plan, block[neuron - begin])
            spikes, active, multiple = (
                spikes + counts[0],
                active + counts[1],
                multiple + counts[2],
            )
        states[:, neurons.start : neurons.stop] = block[: len(neurons)].T
    return states, _counted("spike times", spikes, active, multiple)


def _place(
    train: NDArray[np.float64], plan: BinPlan, states: NDArray[np.uint8]
) -> tuple[int, int, int]:
    """Write a neuron's (bin,) states; return spikes, active bins and bins with several spikes."""
    spikes = active = multiple = 0
    last_row, last_was_first = -1, False
    for start in range(0, len(train), _SPIKES):
        rows = _rows_of_spikes(train[start : start + _SPIKES], plan)
        if len(rows) == 0:
            continue
        states[rows] = 1
        # the rows ascend: a spike is the first of its bin if its row is new, and a bin holds
        # several if a first is followed by one that is not
        first = np.empty(len(rows), dtype=bool)
        first[0], first[1:] = rows[0] != last_row, rows[1:] != rows[:-1]
        spikes += len(rows)
        active += int(first.sum())
        multiple += int((first[:-1] & ~first[1:]).sum()) + int(last_was_first and not first[0])
        last_row, last_was_first = int(rows[-1]), bool(first[-1])
    return spikes, active, multiple


def _rows_of_spikes(times: NDArray[np.float64], plan: BinPlan) -> NDArray[np.int64]:
    """Return the row of the states of each spike that lies in a bin; ascending times only."""
    bounds = np.searchsorted(times, np.append(plan.begin, np.inf))
    spikes_of_segment = np.diff(bounds)
    here = times[bounds[0] :]
    start = np.repeat(plan.begin, spikes_of_segment)
    number = np.floor((here - start) * (1000.0 / plan.bin_ms))
    # a division rounds; the edge of a bin is what counts: k * bin_ms / 1000 after the start
    number -= here < start + number * plan.bin_ms / 1000
    number += here >= start + (number + 1) * plan.bin_ms / 1000
    inside = number < np.repeat(plan.bins_of_segment, spikes_of_segment)
    offset = np.cumsum(plan.bins_of_segment) - plan.bins_of_segment
    rows: NDArray[np.int64] = number.astype(np.int64) + np.repeat(offset, spikes_of_segment)
    return rows if inside.all() else rows[inside]


def _fill_from_stored(
    signal: Binned | Traces, plan: BinPlan
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return the states and the counts of spikes, merging stored bins, some rows at a time."""
    values = signal.counts if isinstance(signal, Binned) else signal.frames
    within = np.arange(plan.bins) - np.repeat(
        np.cumsum(plan.bins_of_segment) - plan.bins_of_segment, plan.bins_of_segment
    )
    first = np.repeat(np.asarray(plan.begin, dtype=np.int64), plan.bins_of_segment)
    first += within * plan.merged
    states = np.empty((plan.bins, plan.neurons), dtype=np.uint8)
    wide: type[np.unsignedinteger[Any]] = np.uint16 if plan.merged <= 257 else np.uint32
    spikes = active = multiple = largest = 0
    for part in slices(plan.bins, plan.neurons):
        rows = first[part]
        total = np.zeros((len(rows), plan.neurons), dtype=wide)
        for shift in range(plan.merged):
            counts = values[rows + shift].astype(np.uint8, copy=False)
            largest = max(largest, int(counts.max()))
            total += counts
        states[part] = total > 0
        spikes += int(total.sum(dtype=np.int64))
        active += int(np.count_nonzero(total))
        multiple += int(np.count_nonzero(total > 1))
    counted = _counted("counts" if largest > 1 else "states", spikes, active, multiple)
    if largest <= 1 and plan.merged == 1:
        counted |= {"multi_spike_bins": None, "multi_spike_fraction": None, "spikes_lost": None}
    counted["saturated"] = signal.saturated if isinstance(signal, Binned) else 0
    counted["stored_bins_per_bin"] = plan.merged
    return states, counted


def _counted(values: str, spikes: int, active: int, multiple: int) -> dict[str, Any]:
    """Return what the step tells about bins that held more than one spike."""
    return {
        "values": values,
        "active_bins": active,
        "multi_spike_bins": multiple,
        "multi_spike_fraction": multiple / active if active else 0.0,
        "spikes_lost": spikes - active,
    }
