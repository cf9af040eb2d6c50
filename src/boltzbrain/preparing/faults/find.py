"""What is wrong with a recording, and the option that mends each point; nothing is mended here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import UNSORTED, Binned, SpikeTimes, Traces
from boltzbrain.preparing.bins.empty import describe_empty, empty_stretches
from boltzbrain.preparing.calcium.deconvolve import default_method
from boltzbrain.preparing.faults.cutting import ascend, laser_epochs
from boltzbrain.preparing.faults.drift import drifting
from boltzbrain.preparing.faults.duplicate_neurons import duplicate_neurons

Severity = Literal["note", "mend"]

DUPLICATE_S = 1e-4
"""Two spikes of one neuron nearer than this many seconds are one spike counted twice."""

REFRACTORY_S = 1.5e-3
"""No neuron fires twice within this many seconds (the value of the IBL's criteria)."""

REFRACTORY_FRACTION = 0.01
"""Units with a larger fraction of intervals below the refractory period are flagged."""

BLEACHED = 0.2
"""Fraction by which the baseline of fluorescence falls that counts as bleaching."""

MUCH_EMPTY = 0.1
"""Empty stretches of more than this share of a recording are to be mended before a model learns."""

_SHOWN = 8


@dataclass(frozen=True)
class Point:
    """One finding.

    Attributes
    ----------
    name
        What was looked at.
    severity
        "mend" if a model of the recording as it is would learn the fault, else "note".
    found
        What was found, in words.
    mend
        The option that mends it, to be given as it is; None where none does.
    neurons
        Rows of the neurons concerned.
    """

    name: str
    severity: Severity
    found: str
    mend: str | None
    neurons: tuple[int, ...] = ()


@dataclass(frozen=True)
class Validation:
    """The points found, and the verdict: "clean", "usable" (notes only) or "mend first"."""

    points: tuple[Point, ...]
    looked_for: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The verdict in words."""
        if not self.points:
            return "clean"
        return "mend first" if any(p.severity == "mend" for p in self.points) else "usable"

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "verdict": self.verdict,
            "points": [{**asdict(point), "neurons": list(point.neurons)} for point in self.points],
            "looked_for": list(self.looked_for),
        }


LOOKED_FOR = (
    "spike times that are no times",
    "unsorted trains",
    "empty stretches",
    "duplicate spikes",
    "refractory violations",
    "silent neurons",
    "flat traces",
    "missing frames",
    "bleaching",
    "drifting rates",
    "duplicate neurons",
    "laser epochs",
)

_OF_ACTIVITY = ("silent neurons", "drifting rates", "duplicate neurons")


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
    points += _of_reader(recording)
    signal = recording.signal
    if isinstance(signal, SpikeTimes):
        looked += ["spike times that are no times", "unsorted trains", "empty stretches"]
        looked += ["duplicate spikes", "refractory violations"]
        points += _of_spikes(signal)
    if isinstance(signal, Traces):
        looked += ["flat traces", "missing frames", "bleaching"]
        points += _of_traces(signal)
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
        points.append(Point("traces", "note", found, f"--calcium {default_method(signal)}"))
    step = None if activity is None else activity.step("binarize")
    points += _of_epochs(recording, None if step is None else step.options["epochs"])
    return Validation(tuple(points), tuple(name for name in LOOKED_FOR if name in looked))


def shown(neurons: NDArray[np.int64] | list[int]) -> str:
    """Return the first rows of a list as text."""
    listed = ", ".join(str(int(one)) for one in neurons[:_SHOWN])
    rest = len(neurons) - _SHOWN
    return listed + (f" and {rest:,} more" if rest > 0 else "")


def _unless_all(option: str, rows: NDArray[np.int64], neurons: int) -> str | None:
    """Return an option that drops neurons, None where it would leave none."""
    return option if len(rows) < neurons else None


def _rows(rows: NDArray[np.int64]) -> tuple[int, ...]:
    return tuple(int(row) for row in rows)


def _of_reader(recording: Recording) -> Iterator[Point]:
    """Yield what the reader left out or sorted already, as it says so."""
    told = recording.source.options.get("dropped")
    if not isinstance(told, Mapping):
        return
    if told.get(UNSORTED):
        yield Point(
            "unsorted trains",
            "note",
            f"{told[UNSORTED]:,} trains were not in order of time: sorted by the reader",
            None,
        )
    for reason, count in told.items():
        if str(reason).startswith("spike times ") and count:
            yield Point(
                "spike times that are no times",
                "note",
                f"{count:,} {reason}, dropped by the reader",
                None,
            )


def intervals_below(signal: SpikeTimes, limit_s: float) -> NDArray[np.int64]:
    """Return how many intervals between spikes of each neuron are shorter, (neuron,)."""
    result = np.zeros(len(signal), dtype=np.int64)
    for neuron in range(len(signal)):
        result[neuron] = int((np.diff(signal.train(neuron)) < limit_s).sum())
    return result


def refractory_units(signal: SpikeTimes) -> NDArray[np.int64]:
    """Return the rows of units with too many intervals below the refractory period."""
    spikes = np.diff(np.r_[0, signal.index])
    # spikes counted twice are a fault of their own
    short = intervals_below(signal, REFRACTORY_S) - intervals_below(signal, DUPLICATE_S)
    return np.flatnonzero(short > REFRACTORY_FRACTION * np.maximum(spikes - 1, 1))


def _of_spikes(signal: SpikeTimes) -> Iterator[Point]:
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
            _rows(rows),
        )
    rows = refractory_units(signal)
    if len(rows):
        yield Point(
            "refractory violations",
            "note",
            f"{len(rows):,} neurons with more than {100 * REFRACTORY_FRACTION:g} % of intervals "
            f"below {1000 * REFRACTORY_S:g} ms: several neurons in one ({shown(rows)})",
            _unless_all("--mend refractory", rows, len(signal)),
            _rows(rows),
        )


def flat_traces(signal: Traces) -> NDArray[np.int64]:
    """Return the rows of cells whose trace has one value or none."""
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(_some(signal), axis=0), np.nanmax(_some(signal), axis=0)
    return np.flatnonzero(~(high > low))


def _some(signal: Traces) -> NDArray[np.float32]:
    # an extra row of zeros keeps cells of nothing but NaN from a warning; their span stays 0
    frames = signal.frames
    empty = np.isnan(frames).all(axis=0)
    return np.where(empty, np.float32(0), frames) if empty.any() else frames


def _of_traces(signal: Traces) -> Iterator[Point]:
    rows = flat_traces(signal)
    if len(rows):
        yield Point(
            "flat traces",
            "mend",
            f"{len(rows):,} cells never vary ({shown(rows)})",
            _unless_all("--mend silent", rows, len(signal)),
            _rows(rows),
        )
    missing = np.flatnonzero(np.isnan(signal.frames).any(axis=0))
    if len(missing):
        share = float(np.isnan(signal.frames).mean())
        yield Point(
            "missing frames",
            "note",
            f"{100 * share:.2g} % of the values are not a number, in {len(missing):,} cells "
            f"({shown(missing)}); finding events bridges them",
            "--calcium deconvolved" if signal.kind == "deconvolved" else "--calcium bsd",
            _rows(missing),
        )
    tenth = len(signal.frames) // 10
    if signal.kind == "fluorescence" and tenth > 0:
        frames = _some(signal)
        first = np.nanmedian(frames[:tenth], axis=0)
        last = np.nanmedian(frames[-tenth:], axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            fall = 1 - last / first
        bleached = np.flatnonzero((fall > BLEACHED) & (first > 0))
        middle = float(np.median(fall[np.isfinite(fall)])) if np.isfinite(fall).any() else 0.0
        if middle > BLEACHED:
            yield Point(
                "bleaching",
                "mend",
                f"from the first tenth to the last the fluorescence falls by {100 * middle:.0f} % "
                f"(median; above {100 * BLEACHED:.0f} % in {len(bleached):,} cells); events are "
                "found over a running baseline",
                "--calcium bsd",
                _rows(bleached),
            )


def silent_neurons(activity: Activity) -> NDArray[np.int64]:
    """Return the rows of neurons that are active in no bin, or in every one."""
    active = activity.states.sum(axis=0, dtype=np.int64)
    return np.flatnonzero((active == 0) | (active == activity.n_bins))


def _of_activity(activity: Activity) -> Iterator[Point]:
    count = activity.n_neurons
    rows = silent_neurons(activity)
    if len(rows):
        yield Point(
            "silent neurons",
            "note",
            f"{len(rows):,} neurons are never active, or always ({shown(rows)}); the split drops "
            "the rarely active ones in any case",
            _unless_all("--mend silent", rows, count),
            _rows(rows),
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
            _unless_all("--mend drifting", found.neurons, count),
            _rows(found.neurons),
        )
    pairs = duplicate_neurons(activity)
    if pairs:
        rows = np.array(sorted({later for _, later, _ in pairs}), dtype=np.int64)
        told = ", ".join(f"{a} and {b} ({r:.2f})" for a, b, r in pairs[:_SHOWN])
        yield Point(
            "duplicate neurons",
            "mend",
            f"{len(pairs):,} pairs are active in the same bins: {told}",
            "--mend duplicate-neurons",
            _rows(rows),
        )


def _of_epochs(recording: Recording, kept: Sequence[str] | None) -> Iterator[Point]:
    lit = laser_epochs(recording, kept)
    if len(lit):
        labels = sorted({str(one) for one in lit["label"]})
        told = "light may drive spikes in the epochs " + ", ".join(labels[:_SHOWN])
        can_cut = ascend(recording)
        if not can_cut:
            told += "; the times of the bins do not ascend, so none tells in which it lies"
        yield Point("laser epochs", "mend", told, "--mend laser" if can_cut else None)
