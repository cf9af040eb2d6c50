"""Several recordings as one: probes of one animal side by side, sessions one after another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.losses import Loss, losses_in, stored
from boltzbrain.data.pauses import PAUSE_FRAMES
from boltzbrain.data.recording import Recording, no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, Signal, SpikeTimes, Traces
from boltzbrain.data.steps import Source, Step, steps_text
from boltzbrain.foundations.checks import bad_input
from boltzbrain.preparing.behaviour.joining import behaviour_of_probes, behaviour_of_sessions

PAUSE_S = 1.0
"""Seconds between two sessions that are laid one after another."""


def join_probes(recordings: Sequence[Recording], names: Sequence[str] | None = None) -> Recording:
    """Join recordings of different neurons, made at the same time on one clock, into one.

    Parameters
    ----------
    recordings
        All of spike times, or all of traces or bins with the same times.
    names
        One per recording, "probe0", "probe1", ... if None; they go to ``neurons.probe`` and before
        the ids.

    Returns
    -------
    Recording
        The neurons side by side. Spike times are kept to the time that every probe recorded; what
        lies outside is dropped and counted in the step "join_probes". Epochs are the first's, and
        trials those of the first that has any; covariates are those of all.
        Steps of the parts are kept, each with the name of its ``part`` where they differ.

    Raises
    ------
    InputError
        If there is none, kinds or times differ, or no time is common.
    """
    _check(recordings, names)
    labels = [f"probe{n}" for n in range(len(recordings))] if names is None else list(names)
    tables = []
    for label, one in zip(labels, recordings, strict=True):
        table = one.neurons.copy()
        table["id"] = [f"{label}_{name}" for name in table["id"]]
        if "probe" not in table:
            table["probe"] = label
        tables.append(table)
    signal, told = _side_by_side([one.signal for one in recordings])
    atlases = dict.fromkeys(atlas for one in recordings for atlas in one.regions)
    covariates, trials = behaviour_of_probes(recordings, labels)
    return Recording(
        neurons=pd.concat(tables, ignore_index=True),
        regions={
            atlas: _stack([one.regions.get(atlas) for one in recordings], recordings)
            for atlas in atlases
        },
        signal=signal,
        epochs=recordings[0].epochs,
        source=_source(recordings, labels),
        steps=(*_steps(recordings, labels), Step("join_probes", {"probes": labels, **told})),
        covariates=covariates,
        trials=trials,
    )


def join_sessions(recordings: Sequence[Recording], names: Sequence[str] | None = None) -> Recording:
    """Join recordings of the same neurons at different times into one, session after session.

    Parameters
    ----------
    recordings
        All of one kind, with the same neuron ids in the same order.
    names
        One per recording, "session0", ... if None: the labels of the epochs that they become.

    Returns
    -------
    Recording
        Sessions follow each other after a pause of a second, and no bin or segment reaches from one
        into the next. Epochs, covariates and trials of the sessions are kept, moved in time, trials
        with the name of their session in the column ``session``; steps as in `join_probes`.

    Raises
    ------
    InputError
        If there is none, neurons, kinds or bin widths differ.
    """
    _check(recordings, names)
    labels = [f"session{n}" for n in range(len(recordings))] if names is None else list(names)
    first = recordings[0]
    ids = first.neurons["id"].tolist()
    for one in recordings[1:]:
        if one.neurons["id"].tolist() != ids:
            raise bad_input(
                "the sessions",
                f"have the same {len(ids)} neurons in the same order",
                f"{len(one)} neurons or other ids",
                file=one.source.path,
            )
    windows = np.array([_window(one.signal) for one in recordings])
    length = windows[:, 1] - windows[:, 0]
    begin = np.r_[0.0, np.cumsum(length + PAUSE_S)[:-1]]
    shift = begin - windows[:, 0]
    epochs = [
        one.epochs.assign(start_s=one.epochs["start_s"] + by, stop_s=one.epochs["stop_s"] + by)
        for one, by in zip(recordings, shift.tolist(), strict=True)
        if len(one.epochs)
    ]
    own = pd.DataFrame({"start_s": begin, "stop_s": begin + length, "label": labels})
    table = pd.concat([own, *epochs], ignore_index=True).sort_values(
        "start_s", kind="stable", ignore_index=True
    )
    signal = _one_after_another([one.signal for one in recordings], shift)
    covariates, trials = behaviour_of_sessions(recordings, labels, shift)
    return replace(
        first,
        signal=signal,
        covariates=covariates,
        trials=trials,
        epochs=table if len(table) else no_epochs(),
        source=_source(recordings, labels),
        steps=(*_steps(recordings, labels), Step("join_sessions", {"sessions": labels})),
    )


def _check(recordings: Sequence[Recording], names: Sequence[str] | None) -> None:
    if not recordings:
        raise bad_input("recordings", "be at least one", "none")
    kinds = sorted({type(one.signal).__name__ for one in recordings})
    if len(kinds) > 1:
        raise bad_input("recordings", "hold signals of one kind", " and ".join(kinds))
    if names is not None and (len(names) != len(recordings) or len(set(names)) != len(names)):
        raise bad_input("names", f"be {len(recordings)} different names", list(names))


def _steps(recordings: Sequence[Recording], labels: list[str]) -> tuple[Step, ...]:
    """Return the steps of all parts: once where they are the same, else each with its ``part``."""
    if len({steps_text(one.steps) for one in recordings}) == 1:
        return recordings[0].steps
    return tuple(
        Step(step.name, {"part": label, **step.options})
        for label, one in zip(labels, recordings, strict=True)
        for step in one.steps
    )


def _source(recordings: Sequence[Recording], labels: list[str]) -> Source:
    parts = [
        {"name": label, "format": one.source.format, "path": one.source.path,
         "sha256": one.source.sha256, "options": one.source.options}
        for label, one in zip(labels, recordings, strict=True)
    ]  # fmt: skip
    known = [one.source.sha256 for one in recordings]
    # of the hashes of the parts, so that a run can tell its recording from another
    whole = hashlib.sha256("".join(known).encode()).hexdigest() if all(known) else ""
    dropped: dict[str, int] = {}
    for one in recordings:
        for why, count in one.source.options.get("dropped", {}).items():
            dropped[why] = dropped.get(why, 0) + count
    told = {"parts": parts, "dropped": dropped, **stored(_losses(recordings, labels))}
    return Source("joined", recordings[0].source.path, whole, told)


def _losses(recordings: Sequence[Recording], labels: list[str]) -> Iterator[Loss]:
    """Yield the losses of each part by its reader, and parts that were given before."""
    for label, one in zip(labels, recordings, strict=True):
        for loss in losses_in(one.source.options):
            yield replace(loss, by=loss.by or f"the {one.source.format} reader ({label})")
    again = [
        label
        for place, (label, one) in enumerate(zip(labels, recordings, strict=True))
        if any(_same(one.signal, other.signal) for other in recordings[:place])
    ]
    if again:
        yield Loss(
            "a recording joined to itself",
            f"{', '.join(again)}, whose signal is that of one before",
            len(again),
            len(recordings),
            "recordings",
            "joining",
            "give each recording once",
        )


def _same(one: Signal, other: Signal) -> bool:
    """Return whether two signals hold the same, whatever their files are called."""
    if isinstance(one, SpikeTimes) and isinstance(other, SpikeTimes):
        return np.array_equal(one.times, other.times) and np.array_equal(one.index, other.index)
    if isinstance(one, Binned) and isinstance(other, Binned):
        return np.array_equal(one.counts, other.counts)
    if isinstance(one, Traces) and isinstance(other, Traces):
        return np.array_equal(one.frames, other.frames, equal_nan=True)
    return False


def _window(signal: Signal) -> tuple[float, float]:
    if isinstance(signal, SpikeTimes):
        return signal.start_s, signal.stop_s
    times = signal.times
    width = signal.bin_width_s if isinstance(signal, Binned) else _frame_s(signal)
    return float(times[0]), float(times[-1]) + width


def _frame_s(signal: Traces) -> float:
    return float(np.median(np.diff(signal.times))) if len(signal.times) > 1 else 1.0


def _side_by_side(signals: list[Signal]) -> tuple[Signal, dict[str, Any]]:
    spikes = [one for one in signals if isinstance(one, SpikeTimes)]
    if spikes:
        return _spikes_side_by_side(spikes)
    times = [one.times for one in signals if not isinstance(one, SpikeTimes)]
    if any(not np.array_equal(one, times[0]) for one in times[1:]):
        raise bad_input("the probes", "have the same times", "others")
    binned = [one for one in signals if isinstance(one, Binned)]
    if binned:
        if any(not np.array_equal(one.segment, binned[0].segment) for one in binned[1:]):
            raise bad_input("the probes", "have the same segments", "others")
        counts = np.concatenate([one.counts for one in binned], axis=1)
        saturated = sum(one.saturated for one in binned)
        return replace(binned[0], counts=counts, saturated=saturated), {}
    traces = [one for one in signals if isinstance(one, Traces)]
    if len({one.kind for one in traces}) > 1:
        raise bad_input("the probes", "hold traces of one kind", [one.kind for one in traces])
    frames = np.concatenate([one.frames for one in traces], axis=1)
    return replace(traces[0], frames=frames), {}


def _spikes_side_by_side(signals: list[SpikeTimes]) -> tuple[SpikeTimes, dict[str, Any]]:
    start = max(one.start_s for one in signals)
    stop = min(one.stop_s for one in signals)
    if not stop > start:
        raise bad_input("the probes", "have recorded at the same time", "no common time")
    common = np.array([[start, stop]])
    for one in signals:
        pieces = one.stretches()
        low = np.maximum(common[:, None, 0], pieces[None, :, 0]).ravel()
        high = np.minimum(common[:, None, 1], pieces[None, :, 1]).ravel()
        common = np.stack([low, high], axis=1)[high > low]
    if len(common) == 0:
        raise bad_input("the probes", "have recorded at the same time", "no common time")
    times, ends, dropped = [], [], 0
    for one in signals:
        keep = (one.times >= start) & (one.times <= stop)
        dropped += int((~keep).sum())
        times.append(one.times[keep])
        total = np.r_[0, np.cumsum(keep)]
        ends.append(np.diff(total[np.r_[0, one.index]]))
    joined = SpikeTimes(
        np.concatenate(times),
        np.cumsum(np.concatenate(ends)).astype(np.int64),
        start,
        stop,
        common if len(common) > 1 else None,
    )
    loss = Loss(
        "spikes outside the common time",
        "at times that not every probe recorded, dropped",
        dropped,
        sum(len(one.times) for one in signals),
        "spikes",
        "joining",
        "join recordings of the same time, on one clock",
    )
    return joined, {"spikes_outside_common_time": dropped, **stored([loss])}


def _one_after_another(signals: list[Signal], shift: NDArray[np.float64]) -> Signal:
    moves = shift.tolist()
    spikes = [one for one in signals if isinstance(one, SpikeTimes)]
    if spikes:
        count = len(spikes[0])
        trains = [
            np.concatenate([one.train(n) + by for one, by in zip(spikes, moves, strict=True)])
            for n in range(count)
        ]
        recorded = np.concatenate(
            [one.stretches() + by for one, by in zip(spikes, moves, strict=True)]
        )
        # moved by rounded amounts, an edge may lie a hair before its neighbour
        recorded = np.maximum.accumulate(recorded.ravel()).reshape(-1, 2)
        index = np.cumsum([len(one) for one in trains]).astype(np.int64)
        flat = np.concatenate(trains)
        low, high = float(recorded[0, 0]), float(recorded[-1, 1])
        if len(flat):
            low, high = min(low, float(flat.min())), max(high, float(flat.max()))
        return SpikeTimes(flat, index, low, high, recorded if len(recorded) > 1 else None)
    times = np.concatenate(
        [one.times + by for one, by in zip(signals, moves, strict=True)
         if not isinstance(one, SpikeTimes)]
    )  # fmt: skip
    binned = [one for one in signals if isinstance(one, Binned)]
    if binned:
        widths = sorted({round(one.bin_width_s, 9) for one in binned})
        if len(widths) > 1:
            raise bad_input("the sessions", "have one bin width", f"{widths} s")
        segment, offset = [], 0
        for one in binned:
            segment.append(one.segment - int(one.segment.min()) + offset)
            offset = int(segment[-1].max()) + 1
        return Binned(
            np.concatenate([one.counts for one in binned]),
            binned[0].bin_width_s,
            np.concatenate(segment).astype(np.int32),
            times,
            sum(one.saturated for one in binned),
        )
    traces = [one for one in signals if isinstance(one, Traces)]
    steps = [_frame_s(one) for one in traces]
    # frames that are longer would not be apart by a pause
    longest = PAUSE_S / PAUSE_FRAMES
    if max(steps) > 1.01 * min(steps) or max(steps) >= longest:
        raise bad_input(
            "the sessions", f"have one frame length, shorter than {longest:.2g} s", steps
        )
    if len({one.kind for one in traces}) > 1:
        raise bad_input("the sessions", "hold traces of one kind", [one.kind for one in traces])
    told = traces[0].frame_s if len({one.frame_s for one in traces}) == 1 else None
    return Traces(np.concatenate([one.frames for one in traces]), times, traces[0].kind, told)


def _stack(parts: list[Regions | None], recordings: Sequence[Recording]) -> Regions:
    """Return the regions of all neurons; neurons of a recording without this atlas are in none."""
    names: dict[str, str] = {}
    for one in parts:
        if one is not None:
            for name, side in zip(one.names, one.hemisphere, strict=True):
                names.setdefault(name, side)
    column = {name: number for number, name in enumerate(names)}
    rows, columns, total = [], [], 0
    for one, recording in zip(parts, recordings, strict=True):
        if one is not None:
            coo = one.membership.tocoo()
            to = np.array([column[name] for name in one.names], dtype=np.int64)
            rows.append(coo.row.astype(np.int64) + total)
            columns.append(to[coo.col])
        total += len(recording.neurons)
    where = (np.concatenate(rows), np.concatenate(columns))
    ones = np.ones(len(where[0]), dtype=np.uint8)
    stacked = sparse.csr_array((ones, where), shape=(total, len(names)))
    return Regions(tuple(names), stacked, tuple(names.values()))
