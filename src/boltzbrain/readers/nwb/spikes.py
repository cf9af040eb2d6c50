"""Spike trains of an NWB units table: read in long pieces, cleaned, sorted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.clock import refuse_other_unit
from boltzbrain.readers.containers.hdf5 import check_size, read_numbers, reading
from boltzbrain.readers.nwb.table import DynamicTable
from boltzbrain.readers.trains import LONGEST_S, clean


def read_spikes(
    units: DynamicTable, keep: NDArray[np.bool_], *, longest_s: float = LONGEST_S
) -> tuple[SpikeTimes, dict[str, int]]:
    """Return the spike trains of the kept units, and how many spike times were no times.

    Parameters
    ----------
    units
        The units table.
    keep
        (row,) which units to read; the others are skipped in the file.
    longest_s
        Later times are dropped.

    Returns
    -------
    spikes
        Sorted times in seconds. The recorded interval is that of ``obs_intervals`` where the file
        has them, else from the first spike to the last.
    dropped
        Reason to number: times below 0 (some writers mark an invalid spike by -1), not a number,
        beyond `longest_s`.

    Raises
    ------
    InputError
        If the columns are missing, disagree or hold no time in seconds.
    """
    where = units.where
    ends = _spike_ends(units)
    starts = np.r_[0, ends[:-1]]
    lengths = (ends - starts)[keep]
    total = int(lengths.sum())
    require_memory(
        f"{total:,} spike times", 8 * total, limit_gb=None, advice="a unit filter", file=where
    )
    times = _read_pieces(units, starts, ends, keep, total)
    times, index, dropped = clean(times, np.cumsum(lengths), longest_s)
    if total > 0 and len(times) == 0:
        raise bad_input(
            "units.spike_times",
            f"be seconds since the start of the session, 0 to {longest_s:g}",
            "none such (" + ", ".join(f"{why}: {count:,}" for why, count in dropped.items()) + ")",
            file=where,
        )
    start, stop, recorded = _recorded_interval(units, times, longest_s)
    return SpikeTimes(times, index, start, stop, recorded), dropped


def _spike_ends(units: DynamicTable) -> NDArray[np.int64]:
    dataset = units.dataset("spike_times")
    field = "units.spike_times"
    if dataset is None or units.dataset("spike_times_index") is None:
        missing = field if dataset is None else f"{field}_index"
        have = ", ".join(units.columns()) or "none"
        raise bad_input(missing, "be a column", f"the columns {have}", file=units.where)
    with reading(units.where, field):
        if dataset.ndim not in (1, 2) or (dataset.ndim == 2 and dataset.shape[1] != 1):
            raise bad_input(field, "have shape (any)", f"shape {dataset.shape}", file=units.where)
        if dataset.dtype.kind != "f":
            kind = str(dataset.dtype)
            if dataset.dtype.kind in "iu":
                kind += ", as for sample numbers: divide them by the sampling rate"
            raise bad_input(field, "hold seconds as floating-point numbers", kind, file=units.where)
    check_size(dataset, units.where, field)
    ends = units.ends("spike_times")
    assert ends is not None
    return ends


def _read_pieces(
    units: DynamicTable,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    keep: NDArray[np.bool_],
    total: int,
) -> NDArray[np.float64]:
    """Read each run of neighbouring kept units in one go, straight into the result."""
    dataset = units.dataset("spike_times")
    assert dataset is not None
    times = np.empty(total, dtype=np.float64)
    edges = np.flatnonzero(np.diff(np.r_[False, keep, False].astype(np.int8)))
    position = 0
    with reading(units.where, "units.spike_times"):
        for first, stop in edges.reshape(-1, 2).tolist():
            low, high = int(starts[first]), int(ends[stop - 1])
            if high > low:
                rows = np.s_[low:high] if dataset.ndim == 1 else np.s_[low:high, 0]
                dataset.read_direct(times, rows, np.s_[position : position + high - low])
            position += high - low
    return times


def _recorded_interval(
    units: DynamicTable, times: NDArray[np.float64], longest_s: float
) -> tuple[float, float, NDArray[np.float64] | None]:
    """Return start, stop and, if every unit has the same several, the recorded stretches."""
    first, last = (float(times.min()), float(times.max())) if len(times) else (0.0, 0.0)
    dataset = units.dataset("obs_intervals")
    if dataset is None:
        return first, last, None
    with reading(units.where, "units.obs_intervals"):
        pairs = dataset.ndim == 2 and dataset.shape[1] == 2
    if not pairs:
        return first, last, None
    stored = read_numbers(dataset, units.where, "units.obs_intervals").astype(np.float64)
    values = stored[((stored >= 0.0) & (stored <= longest_s)).all(axis=1)]
    if len(values) == 0:
        return first, last, None
    low, high = float(values.min()), float(values.max())
    refuse_other_unit("units.spike_times", last, "units.obs_intervals", high, units.where)
    start, stop = (min(first, low), max(last, high)) if len(times) else (low, high)
    return start, stop, _stretches(stored, len(stored) // max(1, units.rows), start, stop)


def _stretches(
    stored: NDArray[np.float64], each: int, start: float, stop: float
) -> NDArray[np.float64] | None:
    """Return the intervals of one unit if all units have the same, and they are in order."""
    if each < 2 or len(stored) % each:
        return None
    one = stored[:each]
    same = bool((stored.reshape(-1, each, 2) == one).all())
    ordered = bool((np.diff(np.r_[start, one.ravel(), stop]) >= 0).all())
    return one.copy() if same and ordered and bool((one[:, 1] > one[:, 0]).all()) else None
