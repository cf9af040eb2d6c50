"""Spike trains of an NWB units table: read in long pieces, cleaned, sorted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import Loss
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.hdf5 import check_size, reading
from boltzbrain.readers.nwb.observed import observed
from boltzbrain.readers.nwb.table import DynamicTable
from boltzbrain.readers.trains import LONGEST_S, clean, one_instant, require_spikes


def read_spikes(
    units: DynamicTable,
    keep: NDArray[np.bool_],
    *,
    longest_s: float = LONGEST_S,
    way: str = "any",
) -> tuple[SpikeTimes, list[Loss]]:
    """Return the spike trains of the kept units, and what was lost of them.

    Parameters
    ----------
    units
        The units table.
    keep
        (row,) which units to read; the others are skipped in the file.
    longest_s
        Later times are dropped.
    way
        What counts as recorded, as `boltzbrain.readers.nwb.observed.observed` tells.

    Returns
    -------
    spikes
        Sorted times in seconds. The recorded interval is that of ``obs_intervals`` where the file
        has them, else from the first spike to the last.
    losses
        Times below 0 (some writers mark an invalid spike by -1), not a number or beyond
        `longest_s`; trains out of order; what ``obs_intervals`` do not hold.

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
    times, index, losses = clean(times, np.cumsum(lengths), longest_s)
    require_spikes(times, len(lengths), where, losses)
    found = observed(units, keep, times, index, longest_s, way)
    if not found.stop_s > found.start_s:
        raise one_instant(found.start_s, where)
    signal = SpikeTimes(times, index, found.start_s, found.stop_s, found.recorded)
    return signal, [*losses, *found.losses]


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
