"""What is wrong with a recording, and the option that mends each point; nothing is mended here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, active_bins
from boltzbrain.data.epochs import unusable
from boltzbrain.data.losses import (
    COARSE_TIMES,
    NO_REGION,
    NOT_TIMES,
    UNSORTED_TRAINS,
    losses_of,
)
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.preparing.bins.empty import describe_empty, empty_stretches
from boltzbrain.preparing.bins.losses import time_steps
from boltzbrain.preparing.faults.cutting import ascend, laser_epochs
from boltzbrain.preparing.faults.drift import drifting
from boltzbrain.preparing.faults.duplicate_neurons import duplicate_neurons
from boltzbrain.preparing.faults.points import (
    SHOWN,
    Point,
    Severity,
    as_rows,
    share_of,
    shown,
    unless_all,
)
from boltzbrain.preparing.faults.traces import LOOKED_FOR as OF_TRACES
from boltzbrain.preparing.faults.traces import of_events, of_traces
from boltzbrain.preparing.preparation import Preparation, default_method

DUPLICATE_S = 1e-4
"""Two spikes of one neuron nearer than this many seconds are one spike counted twice."""

REFRACTORY_S = 1.5e-3
"""No neuron fires twice within this many seconds (the value of the IBL's criteria)."""

REFRACTORY_FRACTION = 0.01
"""Units with a larger fraction of intervals below the refractory period are flagged."""

LONGEST_PAUSE_S, SHORT_SHARE, FEWEST_SHORTER, MANY_SHORTER = 0.5, 0.0025, 10.0, 3.0
"""Where all but this share of the intervals between spikes of a neuron are longer than so many
seconds, though at least so many, and so many times as many, shorter ones were to be expected at the
rates of the neurons (Poisson), times are not in seconds: no neuron rests so long after a spike."""

MUCH_EMPTY = 0.1
"""Empty stretches of more than this share of a recording are to be mended before a model learns."""

MOST_DROPPED = 0.5
"""Share of rarely active neurons above which the split would leave another recording."""


@dataclass(frozen=True)
class Validation:
    """The points found, and the verdict: "clean", "usable" (notes, facts) or "mend first"."""

    points: tuple[Point, ...]
    looked_for: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        severities = {point.severity for point in self.points}
        if "mend" in severities:
            return "mend first"
        return "usable" if "note" in severities else "clean"

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "verdict": self.verdict,
            "points": [{**asdict(point), "neurons": list(point.neurons)} for point in self.points],
            "looked_for": list(self.looked_for),
        }


OTHER_UNIT = "times of another unit"

LOOKED_FOR = (
    NOT_TIMES,
    UNSORTED_TRAINS,
    COARSE_TIMES,
    NO_REGION,
    OTHER_UNIT,
    "empty stretches",
    "duplicate spikes",
    "refractory violations",
    "silent neurons",
    "rarely active neurons",
    *OF_TRACES,
    "drifting rates",
    "duplicate neurons",
    "laser epochs",
)

_OF_ACTIVITY = ("silent neurons", "rarely active neurons", "drifting rates", "duplicate neurons")


def validate(recording: Recording, activity: Activity | None = None) -> Validation:
    """Look at everything that is known to go wrong.

    Parameters
    ----------
    recording
        As it was read.
    activity
        The bins that a model would see; drift and duplicate neurons are looked for in it. Without
        it (traces that are not binary yet) they are left out, and a note says so.
    """
    points: list[Point] = []
    looked = ["laser epochs"]
    points += _of_losses(recording, activity)
    if recording.regions:
        looked.append(NO_REGION)
    signal = recording.signal
    if isinstance(signal, SpikeTimes):
        looked += [NOT_TIMES, UNSORTED_TRAINS, OTHER_UNIT, "empty stretches"]
        looked += [COARSE_TIMES] if activity is not None else []
        looked += ["duplicate spikes", "refractory violations"]
        points += _of_spikes(signal)
    if isinstance(signal, Traces):
        looked += OF_TRACES
        points += of_traces(recording, signal)
    points += of_events(recording)
    if isinstance(signal, Binned) and signal.saturated:
        points.append(
            Point(
                "saturated counts",
                "note",
                f"{signal.saturated:,} counts above 255 were stored as 255: shorter bins would do",
                None,
            )
        )
    if activity is not None:
        looked += list(_OF_ACTIVITY)
        points += _of_activity(activity)
    elif isinstance(signal, Traces):
        found = f"not binary yet: {', '.join(_OF_ACTIVITY)} were not looked for"
        points.append(Point("traces", "mend", found, f"--calcium {default_method(signal.kind)}"))
    step = None if activity is None else activity.step("binarize")
    points += _of_epochs(recording, None if step is None else step.options["epochs"])
    return Validation(tuple(points), tuple(name for name in LOOKED_FOR if name in looked))


def _of_losses(recording: Recording, activity: Activity | None) -> Iterator[Point]:
    """Yield what was lost on the way, by the reader or a step; choices are told by the card."""
    if activity is None:
        losses = [*losses_of(recording), *unusable(recording.epochs)]
    else:
        losses = losses_of(activity)
    for one in losses:
        # what binning itself loses is a fault only where it is much
        if one.kind == "choice" or (one.kind == "method" and not one.large):
            continue
        severity: Severity = "mend" if one.kind == "fault" and one.large else "note"
        yield Point(one.name, severity, one.in_words(), one.mend)


def intervals_below(signal: SpikeTimes, limit_s: float) -> NDArray[np.int64]:
    """Return how many intervals between spikes of each neuron are shorter, (neuron,).

    Where times are stored in coarser steps than that, nothing tells, and none is counted.
    """
    steps = time_steps(signal)
    fine = bool((steps.step_s < limit_s).all())
    result = np.zeros(len(signal), dtype=np.int64)
    for neuron in range(len(signal)):
        train = signal.train(neuron)
        short = np.diff(train) < limit_s
        if not fine:
            short &= steps.at(train[1:]) < limit_s
        result[neuron] = int(short.sum())
    return result


def refractory_units(signal: SpikeTimes) -> NDArray[np.int64]:
    """Return the rows of units with too many intervals below the refractory period."""
    spikes = np.diff(np.r_[0, signal.index])
    # spikes counted twice are a fault of their own
    short = intervals_below(signal, REFRACTORY_S) - intervals_below(signal, DUPLICATE_S)
    return np.flatnonzero(short > REFRACTORY_FRACTION * np.maximum(spikes - 1, 1))


def _other_unit(signal: SpikeTimes) -> Iterator[Point]:
    """Yield that the times are not in seconds, where the intervals between spikes say so."""
    trains = [np.diff(signal.train(neuron)) for neuron in range(len(signal))]
    gaps = np.concatenate([np.empty(0), *trains])
    gaps = gaps[gaps > 0]  # a spike counted twice has no interval
    if not len(gaps):
        return
    # of spikes sorted into a wrong neuron a few are too near, whatever the unit
    short = float(np.quantile(gaps, SHORT_SHARE))
    # frames of a slow microscope: the next one is the nearest that there can be
    in_frames = bool((time_steps(signal).step_s > short / 1.5).any())
    if short < LONGEST_PAUSE_S or in_frames:
        return
    recorded = float(np.diff(signal.stretches(), axis=1).sum())
    intervals = np.array([len(one) for one in trains])
    expected = float((-intervals * np.expm1(-short * intervals / recorded)).sum())
    shorter = int((gaps < short).sum())
    if expected < max(FEWEST_SHORTER, MANY_SHORTER * shorter):
        return
    yield Point(
        OTHER_UNIT,
        "mend",
        f"{shorter:,} of {len(gaps):,} intervals between spikes of one neuron are below "
        f"{short:.3g} s, where {expected:.0f} were to be expected at these rates: the times are "
        f"not in seconds, as which the recording lasts {recorded:,.0f} s; write them in seconds",
        None,
    )


def _of_spikes(signal: SpikeTimes) -> Iterator[Point]:
    yield from _other_unit(signal)
    empty = empty_stretches(signal)
    if len(empty):
        recorded = float(np.diff(signal.stretches(), axis=1).sum())
        much = float(np.diff(empty, axis=1).sum()) > MUCH_EMPTY * recorded
        yield Point(
            "empty stretches",
            "mend" if much else "note",
            describe_empty(signal, empty),
            "--mend empty",
        )
    twice = intervals_below(signal, DUPLICATE_S)
    if twice.any():
        rows = np.flatnonzero(twice)
        yield Point(
            "duplicate spikes",
            "mend",
            f"{int(twice.sum()):,} spikes within {1000 * DUPLICATE_S:g} ms of the one before, in "
            f"{len(rows):,} neurons ({shown(rows)})",
            "--mend duplicate-spikes",
            as_rows(rows),
        )
    rows = refractory_units(signal)
    if len(rows):
        yield Point(
            "refractory violations",
            "note",
            f"{len(rows):,} neurons with more than {100 * REFRACTORY_FRACTION:g} % of intervals "
            f"below {1000 * REFRACTORY_S:g} ms: several neurons in one ({shown(rows)})",
            unless_all("--mend refractory", rows, len(signal)),
            as_rows(rows),
        )


def silent_neurons(activity: Activity) -> NDArray[np.int64]:
    """Return the rows of neurons that are active in no bin, or in every one."""
    active = active_bins(activity.states)
    return np.flatnonzero((active == 0) | (active == activity.n_bins))


def rare_neurons(activity: Activity) -> NDArray[np.int64]:
    """Return the rows of neurons that an even split would drop, but for the silent ones."""
    active = active_bins(activity.states)
    asked = Preparation()
    trained = active * (1 - asked.validation - asked.test)
    return np.flatnonzero((active > 0) & (trained < asked.min_active_bins))


def _of_activity(activity: Activity) -> Iterator[Point]:
    count = activity.n_neurons
    rows = silent_neurons(activity)
    if len(rows):
        yield Point(
            "silent neurons",
            "note" if len(rows) < count else "mend",
            f"{len(rows):,} neurons are never active, or always ({shown(rows)}); the split drops "
            "them in any case",
            unless_all("--mend silent", rows, count),
            as_rows(rows),
        )
    rows = rare_neurons(activity)
    if len(rows):
        yield Point(
            "rarely active neurons",
            "mend" if len(rows) > MOST_DROPPED * count else "note",
            f"{share_of(len(rows), count, 'neurons')} are active so seldom that the training bins "
            f"will hold fewer than {Preparation().min_active_bins} of their active ones "
            f"({shown(rows)}): the split drops them, unless fit is given a lower --min-active-bins",
            None,
            as_rows(rows),
        )
    found = drifting(activity)
    if found.bins:
        stretches = ", ".join(f"{first:,} to {stop:,}" for first, stop in found.bins)
        yield Point(
            "drifting rates",
            "mend",
            f"the activity of the population departs by more than half from its median in the bins "
            f"{stretches}",
            "--mend unstable",
        )
    if len(found.neurons):
        yield Point(
            "drifting rates",
            "note",
            f"{len(found.neurons):,} neurons appear or vanish: silent in a fifth of the recording "
            f"or more, active in the rest ({shown(found.neurons)})",
            unless_all("--mend drifting", found.neurons, count),
            as_rows(found.neurons),
        )
    pairs = duplicate_neurons(activity)
    if pairs:
        rows = np.array(sorted({later for _, later, _ in pairs}), dtype=np.int64)
        told = ", ".join(f"{a} and {b} ({r:.2f})" for a, b, r in pairs[:SHOWN])
        yield Point(
            "duplicate neurons",
            "mend",
            f"{len(pairs):,} pairs are active in the same bins: {told}",
            "--mend duplicate-neurons",
            as_rows(rows),
        )


def _of_epochs(recording: Recording, kept: Sequence[str] | None) -> Iterator[Point]:
    lit = laser_epochs(recording, kept)
    if len(lit):
        labels = sorted({str(one) for one in lit["label"]})
        told = "light may drive spikes in the epochs " + ", ".join(labels[:SHOWN])
        can_cut = ascend(recording)
        if not can_cut:
            told += "; the times of the bins do not ascend, so none tells in which it lies"
        yield Point("laser epochs", "mend", told, "--mend laser" if can_cut else None)
