"""Spike trains out of whatever holds them: cleaned, sorted, one stretch per neuron."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import NOT_TIMES, UNSORTED_TRAINS, Loss
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.foundations.checks import InputError, bad_input, number_in
from boltzbrain.foundations.memory import require_memory

LONGEST_S = 30 * 86400.0
"""No recording lasts longer than this many seconds (30 days): later spike times are no times."""

# a train goes back to an earlier time of another clock, rather than being out of order here and
# there, if it falls by so much of its length, and its runs are so long
_DEEP, _LONG_RUN = 0.1, 5.0


def clean(
    times: NDArray[np.float64], index: NDArray[np.int64], longest_s: float = LONGEST_S
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[Loss]]:
    """Drop what is no time and sort each train, in place.

    Parameters
    ----------
    times
        (spike,) seconds, overwritten.
    index
        (neuron,) end of each neuron's stretch.
    longest_s
        Later times are no times.

    Returns
    -------
    times, index
        As `SpikeTimes` wants them.
    losses
        Spike times dropped, trains sorted, and spikes whose time started again.
    """
    total = len(times)
    negative = missing = late = unsorted = again = filled = 0
    ends = np.empty(len(index), dtype=np.int64)
    start = 0
    with np.errstate(invalid="ignore"):
        for unit, stop in enumerate(index.tolist()):
            train = times[start:stop]
            valid = (train >= 0.0) & (train <= longest_s)
            if not valid.all():
                negative += int((train < 0.0).sum())
                late += int((train > longest_s).sum())
                missing += int(np.isnan(train).sum())
                train = train[valid]
            if (train[1:] < train[:-1]).any():
                again += _after_a_restart(train)
                train = np.sort(train)
                unsorted += 1
            times[filled : filled + len(train)] = train
            filled += len(train)
            ends[unit] = filled
            start = stop
    seconds = "write the times in seconds from the start of the recording"
    told = [
        ("below 0, dropped", negative, seconds),
        ("not a number, dropped", missing, "leave them out of the file"),
        (f"beyond {longest_s:g} s, dropped", late, seconds),
    ]
    losses = [Loss(NOT_TIMES, why, n, total, "spikes", mend=mend) for why, n, mend in told if n]
    if again:
        losses.append(
            Loss(
                "times that start again",
                "after a fall back to an earlier time, so that parts of the recording lie one over "
                "the other: sorted",
                again,
                total,
                "spikes",
                mend="write each part as a file of its own, and read them with --join sessions",
            )
        )
    if unsorted:
        losses.append(
            Loss(
                UNSORTED_TRAINS,
                "not in order of time: sorted",
                unsorted,
                len(index),
                "trains",
                kind="order",
            )
        )
    return times[:filled], ends, losses


def _after_a_restart(train: NDArray[np.float64]) -> int:
    """Return how many spikes follow the first deep fall of a train that is not merely mixed up."""
    steps = np.diff(train)
    falls = np.flatnonzero(steps < 0)
    if len(train) < _LONG_RUN * (len(falls) + 1):
        return 0
    deep = falls[-steps[falls] > _DEEP * float(train.max() - train.min())]
    return len(train) - int(deep[0]) - 1 if len(deep) else 0


def from_trains(
    trains: Sequence[NDArray[Any]],
    where: str | None,
    *,
    start_s: float | None = None,
    stop_s: float | None = None,
    recorded: NDArray[np.float64] | None = None,
) -> tuple[SpikeTimes, list[Loss]]:
    """Return spike trains in seconds as `SpikeTimes`, and what `clean` did to them.

    Parameters
    ----------
    trains
        (spike,) numbers per neuron.
    where
        The file or object, for messages; None where they are arguments.
    start_s, stop_s
        The recorded interval; the first and last spike where None.
    recorded
        (stretch, 2) stretches recorded within it, if there are pauses.

    Raises
    ------
    InputError
        If a train is no list of numbers, there is no neuron, or no spike is left.
    """
    arrays = []
    for neuron, train in enumerate(trains):
        values = np.asarray(train)
        if values.ndim != 1 or (values.size and values.dtype.kind not in "iuf"):
            raise bad_input(
                f"spike train {neuron}",
                "be a list of seconds",
                f"shape {values.shape}, dtype {values.dtype}",
                file=where,
            )
        arrays.append(values.astype(np.float64, copy=False))
    if not arrays:
        raise bad_input("the recording", "hold at least one neuron", "none", file=where)
    index = np.cumsum([len(one) for one in arrays], dtype=np.int64)
    times, ends, losses = clean(np.concatenate(arrays), index)
    return with_interval(times, ends, where, losses, start_s, stop_s, recorded)


def gather(
    chunks: Callable[[], Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]],
    labels: NDArray[np.int64],
    where: str,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Collect the spikes of each label, in two passes over a file and without a copy of it.

    Parameters
    ----------
    chunks
        Returns an iterator over pieces of seconds and labels, (spike,) each.
    labels
        (neuron,) labels wanted, ascending; spikes of others are left out.
    where
        The file, for messages.

    Returns
    -------
    times
        (spike,) seconds, neuron by neuron, in the order of the file within each.
    index
        (neuron,) end of each neuron's stretch.
    """
    counts = np.zeros(len(labels), dtype=np.int64)
    for _, label in chunks():
        counts += np.bincount(_slots(label, labels), minlength=len(labels) + 1)[:-1]
    total = int(counts.sum())
    require_memory(
        f"{total:,} spike times", 8 * total, limit_gb=None, advice="a unit filter", file=where
    )
    index = np.cumsum(counts)
    place = index - counts
    times = np.empty(total, dtype=np.float64)
    for seconds, label in chunks():
        slot = _slots(label, labels)
        order = np.argsort(slot, kind="stable")
        here = np.bincount(slot, minlength=len(labels) + 1)
        edges = np.cumsum(here) - here
        for one in np.flatnonzero(here[:-1]).tolist():
            mine = order[edges[one] : edges[one] + here[one]]
            times[place[one] : place[one] + len(mine)] = seconds[mine]
            place[one] += len(mine)
    return times, index


def _slots(label: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each label among the wanted ones, their number for the others."""
    if len(labels) == 0:
        return np.zeros(len(label), dtype=np.int64)
    slot = np.minimum(np.searchsorted(labels, label), len(labels) - 1)
    return np.where(labels[slot] == label, slot, len(labels)).astype(np.int64)


def with_interval(
    times: NDArray[np.float64],
    index: NDArray[np.int64],
    where: str | None,
    losses: list[Loss],
    start_s: float | None = None,
    stop_s: float | None = None,
    recorded: NDArray[np.float64] | None = None,
) -> tuple[SpikeTimes, list[Loss]]:
    """Return cleaned spike times with their recorded interval; spikes outside it are an error.

    Raises
    ------
    InputError
        If no spike is left, or the interval has no length or does not hold them.
    """
    require_spikes(times, len(index), where, losses)
    first, last = float(times.min()), float(times.max())
    begin = first if start_s is None else number_in("start_s", start_s, low=0.0, file=where)
    end = last if stop_s is None else number_in("stop_s", stop_s, high=LONGEST_S, file=where)
    if begin == first == last == end:
        raise one_instant(first, where)
    if begin > first or end < last or not end > begin:
        raise bad_input(
            "the recorded interval (start_s, stop_s)",
            f"hold all spikes, {first:g} to {last:g} s",
            f"{begin:g} to {end:g} s",
            file=where,
        )
    if recorded is not None and len(recorded):
        place = np.searchsorted(recorded[:, 0], times, side="right") - 1
        held = (place >= 0) & (times <= recorded[np.maximum(place, 0), 1])
        outside = Loss(
            "spikes outside the recorded stretches",
            "in pauses of the recording, so in no bin",
            int((~held).sum()),
            len(times),
            "spikes",
            mend="write the stretches on the clock of the spike times",
        )
        losses = [*losses, outside]
    return SpikeTimes(times, index, begin, end, recorded), losses


def require_spikes(
    times: NDArray[np.float64], units: int, where: str | None, losses: list[Loss]
) -> None:
    """Raise if no spike is left, and say whether there was any.

    Raises
    ------
    InputError
        If there is none.
    """
    if len(times):
        return
    units_told = f"{units:,} unit{'' if units == 1 else 's'} without any spike"
    if any(one.name == NOT_TIMES for one in losses):
        told = "; ".join(one.in_words() for one in losses if one.name == NOT_TIMES)
        must = f"be seconds from the start of the recording, 0 to {LONGEST_S:g}"
        raise bad_input("the spike times", must, f"none such ({told})", file=where)
    raise bad_input("the recording", "hold at least one spike", units_told, file=where)


def one_instant(at_s: float, where: str | None) -> InputError:
    """Return the refusal of spikes that all fall at one instant: how long it lasted is not told."""
    return bad_input(
        "the recording",
        "last longer than an instant: spikes at different times, or an end that the file tells",
        f"all spikes at {at_s:g} s",
        file=where,
    )


def seconds_per_sample(sampling_hz: Any, where: str) -> float:
    """Return one over a sampling rate in Hz.

    Raises
    ------
    InputError
        If it is no number from 1 to 10 million.
    """
    return 1.0 / number_in("sampling_hz", sampling_hz, low=1.0, high=1e7, file=where)


def regions_of(columns: dict[str, NDArray[Any]]) -> dict[str, Regions]:
    """Take the first column that names brain areas out of the columns, and return its regions.

    The atlas is called "ccf", as in NWB files, where a single label per unit is called so too.
    """
    for name in ("location", "area", "region", "brain_area", "structure_acronym"):
        if name in columns and columns[name].dtype.kind in "OU":
            return {"ccf": Regions.from_labels([str(one).strip() for one in columns.pop(name)])}
    return {}
