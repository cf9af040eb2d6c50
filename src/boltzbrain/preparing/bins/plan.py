"""Where the bins of a recording lie, decided before any memory is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.epochs import Intervals, cut_at_pauses, intervals_of
from boltzbrain.data.pauses import frames_and_segments
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.foundations.memory import slices
from boltzbrain.preparing.bins.empty import describe_empty, empty_stretches, mostly_empty
from boltzbrain.preparing.preparation import DEFAULT_BIN_MS, Preparation, default_method

# times written as decimals are off by rounding: a thousandth of a bin is still a whole bin
_ROUNDING = 1e-3
# more bins than any number of them could be counted exactly
_TOO_MANY = 2**53


@dataclass(frozen=True)
class BinPlan:
    """Where the bins of a recording lie; making it takes no memory to speak of.

    Attributes
    ----------
    bin_ms, bin_width_s
        Milliseconds and seconds per bin.
    merged
        Stored bins per bin; 0 for spike times.
    neurons
        Number of neurons.
    number
        (segment,) int32, the number of each segment.
    begin
        (segment,) where its first bin begins: seconds, or the row of the stored bin.
    bins_of_segment
        (segment,) int64 bins of each segment.
    notes
        What was left out, for the step that is recorded.
    """

    bin_ms: float
    bin_width_s: float
    merged: int
    neurons: int
    number: NDArray[np.int32]
    begin: NDArray[np.float64] | NDArray[np.int64]
    bins_of_segment: NDArray[np.int64]
    notes: Mapping[str, Any]

    @property
    def bins(self) -> int:
        """Number of bins."""
        return int(self.bins_of_segment.sum())

    @property
    def memory_bytes(self) -> int:
        """Bytes of the states, one per bin and neuron, and of segment and fold, five per bin."""
        return self.bins * (self.neurons + 5)


def plan_bins(
    recording: Recording, *, bin_ms: float | None = None, epochs: Sequence[str] | None = None
) -> BinPlan:
    """Lay the bins; the options and errors are those of `binarize`, but for the memory."""
    where = recording.source.path
    bin_ms = Preparation(bin_ms=bin_ms).bin_ms
    labels = [epochs] if isinstance(epochs, str) else epochs
    signal = recording.signal
    if isinstance(signal, SpikeTimes):
        plan = _plan_spikes(recording, signal, bin_ms or DEFAULT_BIN_MS, labels)
    else:
        plan = _plan_stored(recording, signal, bin_ms, labels)
    if plan.bins == 0:
        raise bad_input(
            "bin_ms",
            "be no longer than the longest segment",
            f"{plan.bin_width_s * 1000:g} ms and no whole bin",
            file=where,
        )
    return plan


def _plan_spikes(
    recording: Recording, signal: SpikeTimes, bin_ms: float, labels: Sequence[str] | None
) -> BinPlan:
    where = recording.source.path
    start, stop = float(signal.start_s), float(signal.stop_s)
    if not (np.isfinite([start, stop]).all() and stop > start):
        raise bad_input(
            "the recorded interval",
            "be finite and have a length",
            f"{start:g} to {stop:g} s",
            file=where,
        )
    if labels is None:
        chosen = Intervals(*signal.stretches().T)
    else:
        chosen = intervals_of(
            recording.epochs, labels, start_s=start, stop_s=stop, slack_s=bin_ms / 1000, file=where
        )
        if signal.recorded is not None:
            chosen = cut_at_pauses(chosen, signal.recorded)
    empty = empty_stretches(signal)
    if len(empty) and mostly_empty(empty, chosen.start_s, chosen.stop_s):
        raise bad_input(
            "the spikes",
            f"fill at least half of the recorded time, {start:,.1f} to {stop:,.1f} s (--mend empty "
            "takes out what is empty)",
            describe_empty(signal, empty),
            file=where,
        )
    with np.errstate(over="ignore"):
        exact = (chosen.stop_s - chosen.start_s) * 1000 / bin_ms
    if not exact.sum() < _TOO_MANY:
        raise bad_input(
            "bin_ms",
            "be long enough to count the bins; are the spike times in seconds?",
            f"{bin_ms:g} ms for {(chosen.stop_s - chosen.start_s).sum():g} s",
            file=where,
        )
    bins = np.floor(exact + _ROUNDING).astype(np.int64)
    left_s = float(np.maximum(exact - bins, 0.0).sum()) * bin_ms / 1000
    number = np.arange(len(bins), dtype=np.int32)
    return _without_empty(
        BinPlan(
            bin_ms,
            bin_ms / 1000,
            0,
            len(signal),
            number,
            chosen.start_s,
            bins,
            _epoch_notes(chosen, left_s),
        )
    )


def _plan_stored(
    recording: Recording,
    signal: Binned | Traces,
    bin_ms: float | None,
    labels: Sequence[str] | None,
) -> BinPlan:
    where = recording.source.path
    width, segment = _stored_bins(signal, where)
    merged = 1 if bin_ms is None else round(bin_ms / (width * 1000))
    if bin_ms is not None and (
        merged < 1 or abs(bin_ms / (width * 1000) - merged) > _ROUNDING * merged
    ):
        nearest = max(1, merged) * width * 1000
        raise bad_input(
            "bin_ms",
            f"be a whole multiple of the stored bin width, {width * 1000:g} ms, "
            f"such as {nearest:g}",
            bin_ms,
            file=where,
        )
    merged = min(merged, _TOO_MANY)
    begin, length = stretches(segment, file=where)
    number = segment[begin]
    chosen = None
    if labels is not None:
        begin, stop, chosen = _rows_of_epochs(recording, signal.times, width, labels, begin)
        length, number = stop - begin, np.arange(len(begin), dtype=np.int32)
    bins = length // merged
    left_s = float((length - bins * merged).sum()) * width
    return _without_empty(
        BinPlan(
            merged * width * 1000 if bin_ms is None else bin_ms,
            merged * width,
            merged,
            len(signal),
            number.astype(np.int32),
            begin,
            bins,
            _epoch_notes(chosen, left_s),
        )
    )


def _without_empty(plan: BinPlan) -> BinPlan:
    """Leave out the segments that hold no whole bin, and say which."""
    keep = plan.bins_of_segment > 0
    dropped = [int(one) for one in plan.number[~keep]]
    return replace(
        plan,
        number=plan.number[keep],
        begin=plan.begin[keep],
        bins_of_segment=plan.bins_of_segment[keep],
        notes={**plan.notes, "segments": int(keep.sum()), "segments_dropped": dropped},
    )


def _epoch_notes(chosen: Intervals | None, left_s: float) -> dict[str, Any]:
    return {
        "seconds_left_over": left_s,
        "epochs_without_length": chosen.without_length if chosen else 0,
        "epochs_clipped": chosen.clipped if chosen else 0,
    }


def _stored_bins(signal: Binned | Traces, where: str) -> tuple[float, NDArray[Any]]:
    """Return the stored bin width in seconds and the segment of each stored bin."""
    if signal.times.shape[0] == 0 or len(signal) == 0:
        raise bad_input("the recording", "hold at least one bin and one neuron", "none", file=where)
    if isinstance(signal, Binned):
        if signal.counts.dtype != np.uint8:
            raise bad_input("counts", "be uint8", str(signal.counts.dtype), file=where)
        width = number_in("bin_width_s", signal.bin_width_s, low=0.0, include_low=False, file=where)
        return width, signal.segment
    _require_states(signal, where)
    return trace_frames(signal, where)


def trace_frames(signal: Traces, where: str) -> tuple[float, NDArray[np.int32]]:
    """Return the seconds per frame of traces and the segment of each frame, (frame,).

    Parameters
    ----------
    signal
        Any traces, binary or not.
    where
        The file, for messages.

    Raises
    ------
    InputError
        If the times do not ascend.
    """
    steps = np.diff(signal.times)
    if len(steps) == 0 or not np.isfinite(steps).all() or not (steps > 0).all():
        shown = f"a smallest step of {steps.min():g} s" if len(steps) else "one frame"
        raise bad_input("times", "ascend from frame to frame", shown, file=where)
    return frames_and_segments(signal.times, signal.frame_s)


def _require_states(signal: Traces, where: str) -> None:
    """Raise unless every value of the traces is 0 or 1."""
    for part in slices(*signal.frames.shape):
        values = np.asarray(signal.frames[part])
        wrong = values[(values != 0) & (values != 1)]
        if len(wrong):
            raise bad_input(
                f"the {signal.words}",
                f"hold only 0 and 1, or be made binary first (--calcium "
                f"{default_method(signal.kind)}, or deconvolve() in Python)",
                float(wrong[0]),
                file=where,
            )


def _rows_of_epochs(
    recording: Recording,
    times: NDArray[np.float64],
    width: float,
    labels: Sequence[str],
    begin: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], Intervals]:
    """Return first and last stored bin (exclusive) of every epoch, cut at the segments."""
    where = recording.source.path
    if not (np.diff(times) > 0).all():
        raise bad_input(
            "epochs",
            "be left out: the times of the bins do not ascend from segment to segment",
            ", ".join(labels),
            file=where,
        )
    slack = _ROUNDING * width
    chosen = intervals_of(
        recording.epochs,
        labels,
        start_s=float(times[0]) - slack,
        stop_s=float(times[-1]) + width + slack,
        slack_s=width,
        file=where,
    )
    firsts = np.searchsorted(times, chosen.start_s - slack, side="left")
    stops = np.searchsorted(times, chosen.stop_s + slack - width, side="right")
    # a bin on the rounded edge of two epochs belongs to the earlier
    firsts[1:] = np.maximum(firsts[1:], stops[:-1])
    cuts = [
        np.r_[first, begin[(begin > first) & (begin < stop)], stop]
        for first, stop in zip(firsts, stops, strict=True)
        if stop > first
    ]
    edges = np.concatenate([cut[:-1] for cut in cuts]) if cuts else np.empty(0, dtype=np.int64)
    ends = np.concatenate([cut[1:] for cut in cuts]) if cuts else np.empty(0, dtype=np.int64)
    return edges.astype(np.int64), ends.astype(np.int64), chosen
