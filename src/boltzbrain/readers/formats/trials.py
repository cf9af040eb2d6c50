"""Signals of arrays whose axes are known: matrices, trials of one length or of any, spike times.

Each trial is a segment. Traces and spike times, whose segments are told by time, are laid one trial
after another with a pause between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import Loss, stored
from boltzbrain.data.signals import Binned, Signal, SpikeTimes, Traces
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.readers.clock import find_clock
from boltzbrain.readers.containers.arrays.matrix import (
    Matrix,
    empty_frames,
    matrix_of,
    read_counts,
    read_frames,
    turned,
)
from boltzbrain.readers.trains import LONGEST_S, from_trains, seconds_per_sample

_PAUSE_S = 1.0


@dataclass(frozen=True)
class Told:
    """What the user tells of time: see `boltzbrain.readers.formats.arrays.read_array`."""

    frame_s: float | None = None
    sampling_hz: float | None = None
    bin_width_s: float | None = None
    start_s: float | None = None
    duration_s: float | None = None
    times: bool = False

    def tells_width(self) -> bool:
        """Return whether the seconds per bin are told."""
        widths = (self.frame_s, self.sampling_hz, self.bin_width_s)
        return self.times or any(one is not None for one in widths)

    def widths(self, where: str | None) -> dict[str, float | None]:
        """Return the seconds per bin by what tells them."""
        hz = self.sampling_hz
        rate = None if hz is None else 1.0 / number_in("sampling_hz", hz, low=1e-5, file=where)
        return {"frame_s": self.frame_s, "1 / sampling_hz": rate}

    def refuse_what_means_nothing(self, spikes: bool, where: str) -> None:
        """Refuse options of bins for spike times, and of spike times for bins.

        Raises
        ------
        InputError
            If one of them is given.
        """
        kind = "spike times" if spikes else "bins"
        names = ("frame_s", "bin_width_s") if spikes else ("start_s", "duration_s")
        for name in names:
            if getattr(self, name) is not None:
                raise bad_input(name, f"be left out for {kind}", getattr(self, name), file=where)


def matrix_signal(
    matrix: Matrix,
    axes: str,
    values: str,
    times: NDArray[Any] | None,
    told: Told,
    stored_turned: bool = False,
) -> Signal:
    """Return the signal of an array whose meaning is known.

    Parameters
    ----------
    matrix
        The array as it is stored.
    axes
        As its user sees them, the other way round than stored if `stored_turned`.
    values
        One of `boltzbrain.readers.containers.arrays.matrix.VALUES`.
    times
        (bin,) seconds; of trials, of the bins of one or of all.
    told
        What else tells time.
    stored_turned
        See `axes`.

    Raises
    ------
    InputError
        If the width of a bin is not told, or the values are not what they are said to be.
    """
    stored_axes = turned(axes) if stored_turned else axes
    size = dict(zip(stored_axes.split(","), matrix.shape, strict=True))
    lengths = np.full(size.get("trial", 1), size["time"])
    trials = None if "trial" not in size else lengths
    if values in ("counts", "states"):
        counts, saturated = read_counts(matrix, stored_axes, values)
        return _binned(counts, saturated, trials, times, told, matrix.where)
    return _traces(read_frames(matrix, stored_axes), values, trials, times, told, matrix.where)


def cells_signal(
    cells: NDArray[np.object_],
    axes: str,
    values: str,
    times: NDArray[Any] | None,
    told: Told,
    name: str,
    where: str,
) -> Signal:
    """Return the signal of a list with a matrix per trial, of any length each.

    Parameters
    ----------
    cells
        The matrices.
    axes
        One of `boltzbrain.readers.containers.arrays.matrix.TRIAL_AXES`; where the trials stand in
        it means nothing of a list.
    values, times, told
        As of `matrix_signal`.
    name, where
        For messages.

    Raises
    ------
    InputError
        If the trials differ in their neurons, or as `matrix_signal` raises.
    """
    own = ",".join(one for one in axes.split(",") if one != "trial")
    parts = [matrix_of(one, f"cell {n} of {name}", where) for n, one in enumerate(cells.ravel())]
    along = own.split(",").index("neuron")
    neurons = [part.shape[along] for part in parts]
    for number, count in enumerate(neurons):
        if count != neurons[0] or len(parts[number].shape) != 2:
            raise bad_input(
                parts[number].name,
                f"have {neurons[0]} neurons, as the first trial has, on axis {along} ({own})",
                f"shape {parts[number].shape}",
                file=where,
            )
    lengths = np.array([part.shape[1 - along] for part in parts])
    ends = np.cumsum(lengths)
    whole = values in ("counts", "states")
    dtype: Any = np.uint8 if whole else np.float32
    result = empty_frames(int(ends[-1]), neurons[0], dtype, parts[0])
    saturated = 0
    for part, length, end in zip(parts, lengths.tolist(), ends.tolist(), strict=True):
        mine = result[end - length : end]
        if whole:
            saturated += read_counts(part, own, values, into=mine)[1]
        else:
            read_frames(part, own, into=mine)
    if whole:
        return _binned(result, saturated, lengths, times, told, where)
    return _traces(result, values, lengths, times, told, where)


def spike_cells_signal(
    cells: NDArray[np.object_], axes: str, told: Told, name: str, where: str
) -> tuple[SpikeTimes, dict[str, Any]]:
    """Return the spike times in a list of them, and what was lost.

    Parameters
    ----------
    cells
        Spike times of each neuron, or of each neuron in each trial.
    axes
        One of `boltzbrain.readers.containers.arrays.held.SPIKE_AXES`.
    told
        When the recording, or each trial, started and how long it lasted.
    name, where
        For messages.

    Raises
    ------
    InputError
        If a cell is no list of times, or as `boltzbrain.readers.trains.from_trains` raises.
    """
    step = 1.0
    if told.sampling_hz is not None:
        step = seconds_per_sample(told.sampling_hz, where)
    elif any(one.dtype.kind in "iu" and one.size for one in cells.ravel()):
        raise bad_input(
            "sampling_hz",
            f"be given: --read sampling_hz=30000 (samples per second, for the whole numbers in "
            f"{name})",
            "none",
            file=where,
        )
    for number, one in enumerate(cells.ravel()):
        if one.size and max(one.shape) != one.size:
            raise bad_input(
                f"cell {number} of {name}",
                "be a list of spike times (or axes be given for the matrix of a trial in each)",
                f"shape {one.shape}",
                file=where,
            )
    start = number_in("start_s", told.start_s or 0.0, file=where)
    if axes == "neuron":
        trains = [_seconds(one, step) for one in cells.ravel()]
        stop = None if told.duration_s is None else start + told.duration_s
        begin = start if told.start_s is not None or stop is not None else None
        signal, losses = from_trains(trains, where, start_s=begin, stop_s=stop)
        return signal, stored(losses)
    by_neuron = cells if axes == "neuron,trial" else cells.T
    if by_neuron.ndim != 2:
        raise bad_input(
            name, f"have two axes, {axes}", f"{' x '.join(map(str, cells.shape))} cells", file=where
        )
    length = number_in("duration_s", told.duration_s, low=0.0, include_low=False, file=where)
    trials = by_neuron.shape[1]
    if trials * (length + _PAUSE_S) > LONGEST_S:
        raise bad_input("duration_s", "be the seconds of one trial", length, file=where)
    begins = np.arange(trials) * (length + _PAUSE_S)
    trains, total, outside = [], 0, 0
    for row in by_neuron:
        mine = []
        for one, begin in zip(row, begins.tolist(), strict=True):
            seconds = _seconds(one, step)
            with np.errstate(invalid="ignore"):
                seconds -= start
                held = (seconds >= 0) & (seconds <= length)
            total, outside = total + len(seconds), outside + int((~held).sum())
            mine.append(seconds[held] + begin)
        trains.append(np.concatenate(mine))
    recorded = np.stack([begins, begins + length], axis=1)
    signal, losses = from_trains(
        trains, where, start_s=0.0, stop_s=float(recorded[-1, 1]), recorded=recorded
    )
    loss = Loss(
        "spikes outside their trial",
        f"not within {start:g} to {start + length:g} s on the clock of the trials, dropped",
        outside,
        total,
        "spikes",
        mend="--read start_s= and duration_s= that hold them",
    )
    return signal, stored([*losses, loss] if outside else losses)


def _seconds(values: NDArray[Any], step: float) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", over="ignore"):
        return values.ravel().astype(np.float64) * step


def _segments(lengths: NDArray[np.int64] | None) -> NDArray[np.int32] | None:
    if lengths is None:
        return None
    return np.repeat(np.arange(len(lengths)), lengths).astype(np.int32)


def _of_all(
    times: NDArray[Any] | None, lengths: NDArray[np.int64] | None
) -> tuple[str, NDArray[Any]] | None:
    """Return the times of every bin, where those of one trial stand for each."""
    if times is None:
        return None
    flat = times.ravel()
    if lengths is not None and len(flat) == lengths.max() < lengths.sum():
        flat = np.concatenate([flat[:length] for length in lengths.tolist()])
    return "times", flat


def _binned(
    counts: NDArray[np.uint8],
    saturated: int,
    lengths: NDArray[np.int64] | None,
    times: NDArray[Any] | None,
    told: Told,
    where: str | None,
) -> Binned:
    clock = find_clock(
        len(counts),
        widths=told.widths(where),
        times=_of_all(times, lengths),
        segment=_segments(lengths),
        confirmed=told.bin_width_s,
        where=where,
    )
    return Binned(counts, clock.width_s, clock.segment, clock.times, saturated)


def _traces(
    frames: NDArray[np.float32],
    kind: str,
    lengths: NDArray[np.int64] | None,
    times: NDArray[Any] | None,
    told: Told,
    where: str | None,
) -> Traces:
    segment = _segments(lengths)
    clock = find_clock(
        len(frames),
        widths=told.widths(where),
        times=_of_all(times, lengths),
        segment=segment,
        confirmed=told.bin_width_s,
        where=where,
    )
    widths = (*told.widths(where).values(), told.bin_width_s)
    frame_s = clock.width_s if any(one is not None for one in widths) else None
    if lengths is None:
        return Traces(frames, clock.times, kind, frame_s)
    # the segments of traces are told by the pauses between their times
    pause = max(_PAUSE_S, 3 * clock.width_s)
    first = np.cumsum(lengths) - lengths
    span = clock.times[first + lengths - 1] - clock.times[first] + pause
    begin = np.cumsum(span) - span
    times = clock.times + np.repeat(begin - clock.times[first], lengths)
    return Traces(frames, times, kind, frame_s)
