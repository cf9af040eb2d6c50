"""How a neuron changes: the slope of its trace, or its smoothed spikes about their slow mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from boltzbrain.data.activity import Activity, stretches
from boltzbrain.data.behaviour.by_segment import recorded_segments
from boltzbrain.data.behaviour.clock import SegmentClock
from boltzbrain.data.behaviour.of_bins import BehaviourOfBins
from boltzbrain.data.pauses import frames_and_segments
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Traces
from boltzbrain.foundations.checks import bad_input, has_shape, number_in
from boltzbrain.preparing.behaviour.bins import in_bins, trials_in_bins

TRACES, SPIKES = "traces", "spikes"
SMOOTH_S = {TRACES: 0.75, SPIKES: 0.1}
"""Standard deviation of the smoothing where none is asked for."""
SLOW_S = 10.0
"""Spikes are compared with their mean over so long."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Signal:
    """What one animal's neurons did.

    Attributes
    ----------
    values
        (frame, neuron) traces, counts or states.
    names
        (neuron,) what they are called in every animal; "" where a neuron has no such name.
    step_s
        Seconds of a frame.
    segment
        (frame,) frames of one number are contiguous in time.
    kind
        "traces" or "spikes".
    epoch, epoch_names
        (frame,) number of the epoch of each frame, -1 where there is none, and their names.
    behaviour
        Trials and covariates in the frames; None where there are none.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    step_s: float
    segment: NDArray[np.int32]
    kind: str = TRACES
    epoch: NDArray[np.int32] | None = None
    epoch_names: tuple[str, ...] = ()
    behaviour: BehaviourOfBins | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that disagree."""
        has_shape("values", self.values, (None, len(self.names)))
        has_shape("segment", self.segment, (len(self.values),))
        number_in("step_s", self.step_s, low=0.0, include_low=False)
        stretches(self.segment)


def signal_of(animal: Recording | Activity | Signal, atlas: str | None = None) -> Signal:
    """Return what a recording or an activity holds, by names that other animals may share.

    A neuron is called by its ``label`` where the table of neurons has one, else by its id.

    Parameters
    ----------
    animal
        Spike times are binned as `Recording.binarize` does by default.
    atlas
        Take the regions of this atlas in place of neurons: of each the mean of its neurons, every
        neuron in units of its own spread.

    Raises
    ------
    InputError
        If the animal has no such atlas.
    """
    if isinstance(animal, Signal):
        return animal
    if isinstance(animal, Recording) and isinstance(animal.signal, Traces):
        step, segment = frames_and_segments(animal.signal.times, animal.signal.frame_s)
        epoch, epochs = _epochs_of_frames(animal, animal.signal.times)
        found = Signal(
            animal.signal.frames, names_of(animal), step, segment, TRACES, epoch, epochs,
            _behaviour_of_frames(animal, animal.signal, step),
        )  # fmt: skip
    else:
        activity = animal if isinstance(animal, Activity) else animal.binarize()
        found = Signal(
            activity.states.astype(np.float32), names_of(activity), activity.bin_width_s,
            recorded_segments(activity), SPIKES, activity.epoch, activity.epoch_names,
            BehaviourOfBins(activity.covariates, activity.trials, np.arange(activity.n_bins)),
        )  # fmt: skip
    return found if atlas is None else _of_regions(found, animal, atlas)


def changes_of(signal: Signal, smooth_s: float | None = None) -> NDArray[np.float32]:
    """Return the changes of every neuron in units of their root mean square, (frame, neuron).

    Traces: the derivative of a Gaussian, convolved with the trace. Spikes: smoothed by a Gaussian,
    minus their mean over `SLOW_S`, or over everything where no segment is as long. Neither looks
    beyond a segment.

    Parameters
    ----------
    signal
        What the neurons did. One that never changes, or whose values are not all finite, has no
        changes: its column is 0.
    smooth_s
        Standard deviation of the Gaussian; `SMOOTH_S` of the kind of signal if None.
    """
    sigma = (SMOOTH_S[signal.kind] if smooth_s is None else smooth_s) / signal.step_s
    number_in("smooth_s", sigma * signal.step_s, low=0.0, include_low=False)
    result = np.zeros(signal.values.shape, dtype=np.float32)
    usable = np.isfinite(signal.values).all(axis=0)
    values = np.where(usable, signal.values, 0.0).astype(np.float64)
    first, length = stretches(signal.segment)
    slow = max(round(SLOW_S / signal.step_s), 1)
    level = values.mean(axis=0) if int(length.max()) < slow else None
    for start, count in zip(first.tolist(), length.tolist(), strict=True):
        piece = values[start : start + count]
        if signal.kind == TRACES:
            change = ndimage.gaussian_filter1d(piece, sigma, axis=0, order=1, mode="nearest")
        else:
            change = ndimage.gaussian_filter1d(piece, sigma, axis=0, mode="nearest")
            change -= (
                ndimage.uniform_filter1d(piece, min(slow, count), axis=0, mode="nearest")
                if level is None
                else level
            )
        result[start : start + count] = change
    size = np.sqrt(np.mean(np.square(result, dtype=np.float64), axis=0))
    # what is left of rounding is no change
    moves = size > 1e-6 * np.maximum(np.abs(values).max(axis=0), 1e-30)
    return np.asarray(result / np.where(moves, size, np.inf), dtype=np.float32)


def names_of(of: Recording | Activity) -> tuple[str, ...]:
    """Return what the neurons are called in every animal, (neuron,): by ``label``, else by id."""
    labels = [""] * len(of.neurons)
    if "label" in of.neurons:
        labels = [one if isinstance(one, str) else "" for one in of.neurons["label"]]
    if not any(labels):
        labels = [str(one) for one in of.neurons["id"]]
    return tuple(labels)


def _epochs_of_frames(
    recording: Recording, times: Floats
) -> tuple[NDArray[np.int32] | None, tuple[str, ...]]:
    """Return the epoch of each frame, the last to begin where several hold it."""
    if not len(recording.epochs):
        return None, ()
    names: Sequence[str] = [str(one) for one in recording.epochs["label"]]
    known = tuple(dict.fromkeys(names))
    epoch = np.full(len(times), -1, dtype=np.int32)
    for number in np.argsort(recording.epochs["start_s"].to_numpy(), kind="stable").tolist():
        row = recording.epochs.iloc[number]
        inside = (times >= float(row["start_s"])) & (times < float(row["stop_s"]))
        epoch[inside] = known.index(names[number])
    return epoch, known


def _behaviour_of_frames(recording: Recording, signal: Traces, step: float) -> BehaviourOfBins:
    """Return trials and covariates in the frames of traces, whose times ascend."""
    clock = SegmentClock.of(signal)
    series = {
        name: in_bins(one, clock, signal.times, step) for name, one in recording.covariates.items()
    }
    trials, _ = trials_in_bins(recording.trials, clock, signal.times + step / 2)
    return BehaviourOfBins(series, trials, np.arange(len(signal.times)))


def _of_regions(signal: Signal, animal: Recording | Activity, atlas: str) -> Signal:
    """Return the mean of each region's neurons in place of the neurons."""
    if atlas not in animal.regions:
        must = f"be an atlas that every animal has ({', '.join(animal.regions) or 'none'})"
        raise bad_input("atlas", must, atlas)
    regions = animal.regions[atlas]
    members = regions.membership.toarray().astype(np.float64)
    spread = signal.values.std(axis=0)
    usable = np.isfinite(spread) & (spread > 0)
    members[~usable] = 0.0
    held = np.flatnonzero(members.sum(axis=0) > 0)
    scaled = np.where(usable, signal.values, 0.0) / np.where(usable, spread, 1.0)
    weights = members[:, held] / members[:, held].sum(axis=0)
    return Signal(
        (scaled @ weights).astype(np.float32), tuple(regions.names[one] for one in held),
        signal.step_s, signal.segment, signal.kind, signal.epoch, signal.epoch_names,
        signal.behaviour,
    )  # fmt: skip
