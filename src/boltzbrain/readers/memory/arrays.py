"""States, counts and traces in memory as a recording."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.pauses import PAUSE_FRAMES
from boltzbrain.data.recording import Recording, no_epochs
from boltzbrain.data.signals import Binned, Signal, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError, bad_input, number_in, one_of
from boltzbrain.readers.clock import LONGEST_S, Clock, find_clock
from boltzbrain.readers.containers.arrays.matrix import AXES, read_counts, read_frames
from boltzbrain.readers.memory.neurons import apart, told_of_neurons, told_segments
from boltzbrain.readers.memory.numbers import Held, held_of, plain_array

_KINDS = ("unknown", "dff", "fluorescence", "deconvolved")
_DAY_S = 86400.0


def from_states(
    states: Any,
    bin_width_s: float | None = None,
    *,
    segment: Any = None,
    region: Any = None,
    xyz_um: Any = None,
    neuron_id: Any = None,
) -> Recording:
    """Make a recording of binary states.

    Parameters
    ----------
    states
        (bin, neuron) 0 and 1 of any type: an array of numpy, a sparse one of scipy, a data frame of
        pandas (its columns name the neurons), a DataArray of xarray (axes that are named may be
        turned round), a tensor, or nested lists. They are copied.
    bin_width_s
        Seconds per bin. May be left out where an index or a coordinate holds times.
    segment
        (bin,) numbers or names; bins with one are contiguous in time, a trial for instance. All
        bins are one segment if None.
    region
        (neuron,) labels, an empty one for none; or a dictionary from the atlas to them.
    xyz_um
        (neuron, 3) positions in micrometres, NaN where unknown.
    neuron_id
        (neuron,) names, all different; numbers from 0 if None.

    Returns
    -------
    Recording
        Its signal is `Binned`, with the bin width and the whole-numbered segments as given.

    Warns
    -----
    UserWarning
        If there are fewer bins than neurons and nothing told beside confirms which are which.

    Raises
    ------
    InputError
        If a value is not 0 or 1, the bin width is not told, or a length does not fit.

    Examples
    --------
    >>> recording = from_states([[0, 1], [1, 1], [0, 0]], bin_width_s=0.02)
    >>> recording.signal.bin_width_s, recording.signal.counts.shape
    (0.02, (3, 2))
    """
    return _binned("states", states, bin_width_s, segment, region, xyz_um, neuron_id)


def from_counts(
    counts: Any,
    bin_width_s: float | None = None,
    *,
    segment: Any = None,
    region: Any = None,
    xyz_um: Any = None,
    neuron_id: Any = None,
) -> Recording:
    """Make a recording of spike counts, whole numbers from 0; `from_states` tells the rest.

    Counts above 255 are kept as 255 and counted.
    """
    return _binned("counts", counts, bin_width_s, segment, region, xyz_um, neuron_id)


def from_traces(
    traces: Any,
    frame_s: float | None = None,
    *,
    kind: str = "unknown",
    time_s: Any = None,
    segment: Any = None,
    region: Any = None,
    xyz_um: Any = None,
    neuron_id: Any = None,
) -> Recording:
    """Make a recording of continuous traces, such as dF/F.

    Parameters
    ----------
    traces
        (frame, neuron) numbers, held as `from_states` says; kept as float32.
    frame_s
        Seconds per frame. May be left out where `time_s`, an index or a coordinate tells.
    kind
        "dff", "fluorescence", "deconvolved" or "unknown"; it decides how `Recording.deconvolve`
        makes them binary.
    time_s
        (frame,) seconds, ascending; a step of more than one and a half frames is a pause.
    segment
        (frame,) numbers or names, in place of `time_s`: segments are laid one after another with a
        pause.
    region, xyz_um, neuron_id
        As of `from_states`.

    Raises
    ------
    InputError
        If the times are not told or do not ascend, or a length does not fit.
    """
    one_of("kind", kind, _KINDS)
    held = held_of(traces, "traces")
    _ask_which_way("traces", held, time_s, segment, region, xyz_um, neuron_id, level=3)
    frames, _ = held.matrix.shape
    if segment is not None and time_s is not None:
        raise bad_input("segment", "be left out where time_s is given", "both")
    times = held.times
    if segment is not None and times is not None:
        raise bad_input("segment", "be left out where the traces tell their times", "both")
    if time_s is not None:
        times = _times(time_s, frames, "frame")
    parts = told_segments(segment, frames)
    clock = _clock("frame_s", frame_s, frames, times, parts, level=3)
    seconds = clock.times
    if segment is not None:
        seconds = apart(parts, clock.width_s, max(1.0, 2 * PAUSE_FRAMES * clock.width_s))
    signal = Traces(read_frames(held.matrix, AXES[0]), seconds, kind, clock.width_s)
    return _recording("traces", signal, held, frames, region, xyz_um, neuron_id)


def _binned(
    name: str,
    given: Any,
    bin_width_s: float | None,
    segment: Any,
    region: Any,
    xyz_um: Any,
    neuron_id: Any,
) -> Recording:
    held = held_of(given, name)
    _ask_which_way(name, held, segment, region, xyz_um, neuron_id, level=4)
    bins, _ = held.matrix.shape
    parts = told_segments(segment, bins)
    clock = _clock("bin_width_s", bin_width_s, bins, held.times, parts, level=4)
    try:
        counts, saturated = read_counts(held.matrix, AXES[0], name)
    except InputError as error:
        other = "counts with from_counts, " if name == "states" else ""
        raise InputError(f"{error} ({other}traces with from_traces)", name) from None
    signal = Binned(counts, clock.width_s, clock.segment, clock.times, saturated)
    return _recording(name, signal, held, bins, region, xyz_um, neuron_id)


def _ask_which_way(name: str, held: Held, *beside: Any, level: int) -> None:
    """Warn of fewer rows than columns, unless something of one length confirms which are which."""
    bins, neurons = held.matrix.shape
    if neurons > bins and not held.named and all(one is None for one in beside):
        told = (
            f"{name} are taken for {neurons:,} neurons at {bins:,} times: rows are times. Turned "
            f"round? Pass {name}.T. As it should be? Pass neuron_id, too"
        )
        warnings.warn(told, UserWarning, stacklevel=level)


def _clock(
    name: str,
    width: float | None,
    frames: int,
    times: NDArray[np.float64] | None,
    segment: NDArray[np.int32],
    *,
    level: int,
) -> Clock:
    """Return when the bins were; a width that was given is taken as it is."""
    sure = None
    if width is not None:
        sure = number_in(name, width, low=0.0, high=_DAY_S, include_low=False)
        if sure > LONGEST_S:
            warnings.warn(
                f"{name} is {sure:g} s: are these milliseconds?", UserWarning, stacklevel=level
            )
    elif times is None:
        raise bad_input(name, "be given: the seconds per bin or frame", "none")
    elif len(times) > 1 and np.isfinite(times).all():
        # the step that was meant: differences of times are off by their last digits
        step = float(f"{np.median(np.diff(times)):.9g}")
        sure = step if step > 0 else None
    return find_clock(
        frames,
        widths={name: sure},
        times=None if times is None else ("the times", times),
        segment=segment,
        confirmed=sure if times is None else None,
        where=None,
    )


def _times(given: Any, frames: int, what: str) -> NDArray[np.float64]:
    times = plain_array(given, "time_s")
    if times.shape != (frames,) or times.dtype.kind not in "iuf":
        raise bad_input(
            "time_s", f"hold one number per {what} ({frames})",
            f"shape {times.shape}, dtype {times.dtype}",
        )  # fmt: skip
    return times.astype(np.float64)


def _recording(
    name: str, signal: Signal, held: Held, frames: int, region: Any, xyz_um: Any, neuron_id: Any
) -> Recording:
    labels: Mapping[str, Any] | Any = held.regions if region is None else region
    neurons, regions = told_of_neurons(
        len(signal), held.neurons if neuron_id is None else neuron_id, labels, xyz_um, frames
    )
    return Recording(
        neurons=neurons,
        regions=regions,
        signal=signal,
        epochs=no_epochs(),
        source=Source(name, f"<{name} in memory>", ""),
    )
