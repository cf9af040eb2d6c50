"""When the units of an NWB file were observed (``obs_intervals``), and what lies outside of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import Loss
from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.clock import refuse_other_unit
from boltzbrain.readers.containers.hdf5 import read_numbers, reading
from boltzbrain.readers.nwb.table import DynamicTable

WAYS = ("any", "common")
"""What counts as recorded where units were observed at different times."""

# edges of intervals are rounded to microseconds in files
_ROUNDING_S = 1e-5


@dataclass(frozen=True)
class Observed:
    """When what was recorded.

    Attributes
    ----------
    start_s, stop_s
        The recorded interval.
    recorded
        (stretch, 2) stretches within it; None where it was recorded as a whole.
    losses
        Intervals without a length, spikes outside, time in which some units were not observed.
    """

    start_s: float
    stop_s: float
    recorded: NDArray[np.float64] | None
    losses: tuple[Loss, ...] = ()


def observed(
    units: DynamicTable,
    keep: NDArray[np.bool_],
    times: NDArray[np.float64],
    index: NDArray[np.int64],
    longest_s: float,
    way: str = "any",
) -> Observed:
    """Return the recorded interval and stretches of the kept units.

    Parameters
    ----------
    units
        The units table.
    keep
        (row,) which units were read.
    times, index
        Their spikes, as `SpikeTimes` has them, at least one.
    longest_s
        Intervals beyond are no intervals.
    way
        Where units were observed at different times: "any" takes the whole of them, and a unit
        counts as silent where it was not observed; "common" takes the time common to all.

    Raises
    ------
    InputError
        If no time is common to all units.
    """
    first, last = float(times.min()), float(times.max())
    of_units, losses = _intervals(units, keep, longest_s)
    if not any(len(one) for one in of_units):
        return Observed(first, last, None, losses)
    edges = np.concatenate(of_units)
    refuse_other_unit(
        "units.spike_times", last, "units.obs_intervals", float(edges.max()), units.where
    )
    start, stop = min(first, float(edges.min())), max(last, float(edges.max()))
    losses = (*losses, *_outside(of_units, times, index))
    if all(np.array_equal(one, of_units[0]) for one in of_units):
        same = of_units[0]
        whole = len(same) < 2
        return Observed(start, stop, None if whole else same, losses)
    common = _common(of_units)
    if way == "common":
        if not len(common):
            raise bad_input(
                "observed",
                "be any: no time is common to the obs_intervals of all units",
                way,
                file=units.where,
            )
        return Observed(start, stop, common, losses)
    missing = len(of_units) * (stop - start) - sum(_length(one) for one in of_units)
    return Observed(start, stop, None, (*losses, _unequal(missing, of_units, start, stop, common)))


def _unequal(
    missing: float,
    of_units: list[NDArray[np.float64]],
    start: float,
    stop: float,
    common: NDArray[np.float64],
) -> Loss:
    return Loss(
        "units observed at different times",
        "outside of the unit's own obs_intervals, where it counts as silent",
        max(missing, 0.0),
        len(of_units) * (stop - start),
        "time of the units, s",
        mend="--read observed=common" if len(common) else "a unit filter, by --units",
    )


def _intervals(
    units: DynamicTable, keep: NDArray[np.bool_], longest_s: float
) -> tuple[list[NDArray[np.float64]], tuple[Loss, ...]]:
    """Return (interval, 2) of each kept unit in order of time, without those that are none."""
    field = "units.obs_intervals"
    dataset = units.dataset("obs_intervals")
    if dataset is None:
        return [], ()
    with reading(units.where, field):
        pairs = dataset.ndim == 2 and dataset.shape[1] == 2
    if not pairs:
        return [], ()
    stored = read_numbers(dataset, units.where, field).astype(np.float64)
    ends = units.ends("obs_intervals")
    if ends is None:
        # without an index every unit has as many
        each = len(stored) // max(1, units.rows)
        if not each or len(stored) % units.rows:
            return [], ()
        ends = each * np.arange(1, units.rows + 1)
    with np.errstate(invalid="ignore"):
        good = (stored >= 0.0).all(axis=1) & (stored <= longest_s).all(axis=1)
        good &= stored[:, 1] > stored[:, 0]
    starts = np.r_[0, ends[:-1]]
    result, lost, total = [], 0, 0
    for low, high in zip(starts[keep].tolist(), ends[keep].tolist(), strict=True):
        mine = stored[low:high][good[low:high]]
        lost, total = lost + (high - low) - len(mine), total + high - low
        result.append(_merged(mine[np.argsort(mine[:, 0], kind="stable")]))
    loss = Loss(
        "obs_intervals without a length",
        "with ends that are not finite, not in order or equal, left out",
        lost,
        total,
        "intervals",
        mend="give each interval of the file a start before its stop",
    )
    return result, (loss,) if lost else ()


def _merged(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intervals in order of their start with those that overlap made one."""
    if len(pairs) < 2:
        return pairs
    reach = np.maximum.accumulate(pairs[:, 1])
    first = np.flatnonzero(np.r_[True, pairs[1:, 0] > reach[:-1]])
    return np.stack([pairs[first, 0], reach[np.r_[first[1:] - 1, len(pairs) - 1]]], axis=1)


def _outside(
    of_units: list[NDArray[np.float64]], times: NDArray[np.float64], index: NDArray[np.int64]
) -> Iterable[Loss]:
    outside, start = 0, 0
    for pairs, stop in zip(of_units, index.tolist(), strict=True):
        train = times[start:stop]
        start = stop
        if len(pairs):
            begun = np.searchsorted(pairs[:, 0] - _ROUNDING_S, train, side="right") - 1
            held = (begun >= 0) & (train <= pairs[np.maximum(begun, 0), 1] + _ROUNDING_S)
            outside += int((~held).sum())
    if outside:
        yield Loss(
            "spikes outside obs_intervals",
            "outside of the intervals in which the file says that their unit was observed",
            outside,
            len(times),
            "spikes",
            mend="write the obs_intervals on the clock of the spike times",
        )


def _common(of_units: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the stretches that lie in the intervals of every unit, (stretch, 2)."""
    common = of_units[0]
    for pairs in of_units[1:]:
        low = np.maximum(common[:, None, 0], pairs[None, :, 0]).ravel()
        high = np.minimum(common[:, None, 1], pairs[None, :, 1]).ravel()
        common = np.stack([low, high], axis=1)[high > low]
    return common


def _length(pairs: NDArray[np.float64]) -> float:
    return float((pairs[:, 1] - pairs[:, 0]).sum())
