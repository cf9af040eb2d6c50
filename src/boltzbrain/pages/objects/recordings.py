"""What recordings, activities and studies tell of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from boltzbrain.data.activity import FOLDS, Activity
from boltzbrain.data.epochs import summarise_epochs
from boltzbrain.data.pauses import frames_and_segments
from boltzbrain.data.recording import Recording
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.study import Study
from boltzbrain.foundations.showing.told import Told, counted, listed
from boltzbrain.pages.objects.pictures import (
    MOST_BINS,
    picture_of_states,
    picture_of_traces,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_ENTRIES = 1 << 27
"""Entries of a signal that are counted; of more, every second bin, every third and so on."""
_RASTER_BIN_S = 0.02
_TRACES, _FRAMES = 8, 1000
_POSITION = ("x_um", "y_um", "z_um")


def recording_told(recording: Recording) -> Told:
    """Return what a recording tells: its signal, regions, places and epochs."""
    signal, count = recording.signal, counted(len(recording), "neuron")
    rows: list[tuple[str, str]]
    picture: Callable[[], str] | None = None
    if isinstance(signal, SpikeTimes):
        title, rows, picture = _of_spikes(signal, recording.regions)
    elif isinstance(signal, Traces):
        title, rows, picture = _of_traces(signal)
    else:
        title, rows, picture = _of_bins(signal, recording.regions)
    epochs = summarise_epochs(recording.epochs)
    rows += [
        *_of_neurons(recording.neurons, recording.regions),
        (
            "epochs",
            listed({str(row.label): f"{row.seconds:,.0f} s" for row in epochs.itertuples()}),
        ),
        ("done", listed([step.name for step in recording.steps])),
        ("source", _source(recording)),
    ]
    return Told(f"Recording of {count}: {title}", tuple(rows), picture if len(recording) else None)


def _source(of: Recording | Activity) -> str:
    path, kind = of.source.path, of.source.format
    return path if "in memory" in path else f"{path} ({kind})"


def _of_neurons(neurons: pd.DataFrame, regions: Mapping[str, Regions]) -> list[tuple[str, str]]:
    """Return regions and places; a row for each atlas, at most three."""
    rows = []
    for atlas, one in list(regions.items())[:3]:
        counts = one.counts()
        order = np.argsort(-counts, kind="stable")
        told = {one.names[place]: f"{int(counts[place]):,}" for place in order if counts[place]}
        rows.append(("regions" if atlas == "region" else f"regions, {atlas}", listed(told)))
    if set(_POSITION) <= set(neurons):
        known = int(np.isfinite(neurons[list(_POSITION)].to_numpy(np.float64)).all(axis=1).sum())
        if known:
            rows.append(("positions", f"of {known:,} of {len(neurons):,} neurons"))
    return rows


def _of_spikes(signal: SpikeTimes, regions: Mapping[str, Regions]) -> tuple[str, Any, Any]:
    stretches = signal.stretches()
    seconds = float((stretches[:, 1] - stretches[:, 0]).sum())
    rates = np.diff(np.r_[0, signal.index]) / seconds if seconds > 0 else np.zeros(len(signal))
    pauses = f" in {len(stretches):,} stretches" if len(stretches) > 1 else ""
    rows = [
        ("spikes", f"{len(signal.times):,}"),
        ("rates", _spread(rates, "Hz")),
        ("recorded", f"{signal.start_s:,.6g} to {signal.stop_s:,.6g} s{pauses}"),
    ]

    def picture() -> str:
        begin = float(stretches[0, 0])
        counts = np.zeros((MOST_BINS, len(signal)), dtype=np.uint8)
        for neuron in range(len(signal)):
            train = signal.train(neuron)
            first, last = np.searchsorted(train, [begin, begin + MOST_BINS * _RASTER_BIN_S])
            bins = ((train[first:last] - begin) / _RASTER_BIN_S).astype(np.int64)
            counts[np.minimum(bins, MOST_BINS - 1), neuron] = 1
        return picture_of_states(counts, _RASTER_BIN_S, regions)

    return f"spike times, {seconds:,.6g} s", rows, picture


def _of_bins(signal: Binned, regions: Mapping[str, Regions]) -> tuple[str, Any, Any]:
    some = signal.counts[:: max(1, -(-signal.counts.size // _MOST_ENTRIES))]
    kind = "counts" if int(some.max(initial=0)) > 1 else "states"
    bins, width = len(signal.counts), signal.bin_width_s
    rows = [
        ("bins", f"{bins:,} of {width * 1000:g} ms"),
        ("segments", f"{len(np.unique(signal.segment)):,}"),
        ("active", _active(some)),
    ]

    def picture() -> str:
        return picture_of_states(signal.counts[:MOST_BINS], width, regions)

    return f"{kind}, {bins * width:,.6g} s", rows, picture if bins else None


def _of_traces(signal: Traces) -> tuple[str, Any, Any]:
    frames, times = len(signal.times), signal.times
    width, segment = frames_and_segments(times, signal.frame_s)
    missing = int(np.isnan(signal.frames[:: max(1, frames // 1000)]).any(axis=0).sum())
    rows = [
        ("frames", f"{frames:,} of {width * 1000:g} ms"),
        ("segments", f"{len(np.unique(segment)):,}"),
        ("not a number", f"in {missing:,} neurons" if missing else ""),
        ("next", "deconvolve() makes them binary"),
    ]

    def picture() -> str:
        some = np.linspace(0, len(signal) - 1, min(len(signal), _TRACES)).astype(int)
        return picture_of_traces(signal.frames[:_FRAMES, some], width)

    return f"{signal.words}, {frames * width:,.6g} s", rows, picture if frames else None


def _active(states: NDArray[np.uint8]) -> str:
    shares = np.count_nonzero(states, axis=0) / max(len(states), 1)
    return _spread(100 * shares, "% of bins") if len(shares) else ""


def _spread(values: NDArray[np.float64], unit: str) -> str:
    """Return the middle of some values and how far they reach."""
    if not len(values):
        return ""
    low, middle, high = np.quantile(values, [0, 0.5, 1])
    return f"{middle:.3g} {unit} (median), {low:.3g} to {high:.3g}"


def activity_told(activity: Activity) -> Told:
    """Return what an activity tells: bins, folds, segments, regions and places."""
    states, width = activity.states, activity.bin_width_s
    some = states[:: max(1, -(-states.size // _MOST_ENTRIES))]
    split = activity.step("split")
    folds = listed({name: f"{len(activity.bins_of(name)):,}" for name in FOLDS})  # type: ignore[arg-type]
    rows = [
        ("bins", f"{activity.n_bins:,} of {width * 1000:g} ms, {activity.n_bins * width:,.6g} s"),
        ("folds", folds if split else "none yet: every bin trains (split() makes them)"),
        ("segments", f"{len(np.unique(activity.segment)):,}"),
        ("active", _active(some)),
        *_of_neurons(activity.neurons, activity.regions),
        ("done", listed([step.name for step in activity.steps])),
        ("source", _source(activity)),
    ]
    return Told(
        f"Activity of {counted(activity.n_neurons, 'neuron')} in {counted(activity.n_bins, 'bin')}",
        tuple(rows),
        lambda: picture_of_states(states[:MOST_BINS], width, activity.regions),
    )


def study_told(study: Study) -> Told:
    """Return what a study tells: its animals with their neurons."""
    groups = [f"{one}, " for one in study.groups] or [""] * len(study)
    rows = [
        (name, f"{group}{counted(len(one), 'neuron')}, {_source(one)}")
        for (name, one), group in zip(study, groups, strict=True)
    ]
    return Told(f"Study of {counted(len(study), 'animal')}", tuple(rows))
