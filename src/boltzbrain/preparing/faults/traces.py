"""What is wrong with calcium traces before events are found in them, and what was done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Step
from boltzbrain.preparing.bins.plan import trace_frames
from boltzbrain.preparing.calcium.condition import (
    FEWEST_FRAMES,
    MOST_MISSING,
    TRACES_LEFT_OUT,
    Condition,
    condition_of,
    usable_part,
)
from boltzbrain.preparing.calcium.dff import low_baselines
from boltzbrain.preparing.faults.points import SHOWN, Point, as_rows, share_of, shown, unless_all
from boltzbrain.preparing.preparation import default_method

BLEACHED = 0.2
"""Fraction by which the baseline of fluorescence falls that counts as bleaching."""

LOOKED_FOR = (
    "flat traces", "missing frames", "saturated traces", "baseline near zero", "exact zeros",
    "bleaching",
)  # fmt: skip
"""Names of the points of traces."""


def of_traces(recording: Recording, signal: Traces) -> Iterator[Point]:
    """Yield the faults of traces that are not binary yet."""
    if len(signal.times) < FEWEST_FRAMES:
        found = f"{len(signal.times)} frames, too few to find events in ({FEWEST_FRAMES})"
        yield Point("missing frames", "mend", found, None)
        return
    frame_s, segment = trace_frames(signal, recording.source.path)
    condition = condition_of(signal, segment, frame_s)
    mend = f"--calcium {default_method(signal.kind)}"
    yield from _of_condition(signal, condition, mend)
    rows = np.flatnonzero(condition.used)
    if signal.kind == "fluorescence" and len(rows):
        used = usable_part(signal, condition)
        frame_s, segment = trace_frames(used, recording.source.path)
        low = low_baselines(used.frames, segment, frame_s)
        if low.any():
            yield Point(
                "baseline near zero",
                "mend",
                f"F0 is not well above its noise in {share_of(int(low.sum()), len(signal))} "
                f"({shown(rows[low])}): a background was taken off, and dF/F has no "
                "meaning; finding events takes F - F0 over the noise there",
                mend,
                as_rows(rows[low]),
            )
        yield from _of_bleaching(used.frames[:, ~low], rows[~low], mend)


def of_events(recording: Recording | Activity) -> Iterator[Point]:
    """Yield what was done to traces when events were found in them, as the steps tell it."""
    steps = {step.name: step.options for step in recording.steps}
    found = steps.get("deconvolve")
    if found is None:
        return
    ids = recording.neurons["id"].astype(str).tolist()
    if {"rule", "events_per_neuron_and_frame"} <= set(found):
        yield Point("threshold", "fact", _rule(found), None)
    cells = int(found.get("cells", len(ids)))
    for name, reason in TRACES_LEFT_OUT.items():
        if found.get(name):
            told = f"{share_of(len(found[name]), cells)} {reason} ({_few(found[name])})"
            yield Point("flat traces" if name != "left_out_gaps" else "missing frames",
                        "note", told, None, mended="left out")  # fmt: skip
    if found.get("frames_left_out"):
        told = f"{found['frames_left_out']:,} frames lie in long gaps, or in too short stretches"
        yield Point("missing frames", "note", told, None, mended="cut out")
    if found.get("bridged"):
        told = (
            f"{100 * found['share_bridged']:.2g} % of the values are not a number, in "
            f"{share_of(len(found['bridged']), cells)} ({_few(found['bridged'])})"
        )
        rows = _rows_of(found["bridged"], ids)
        yield Point("missing frames", "note", told, None, rows, mended="bridged, without an event")
    low = steps.get("dff", {}).get("over_noise")
    if low:
        told = f"F0 is not well above its noise in {share_of(len(low), cells)} ({_few(low)})"
        rows = _rows_of(low, ids)
        done = "F - F0 over the noise in place of dF/F"
        yield Point("baseline near zero", "note", told, None, rows, mended=done)
    clipped = _rows_of(found.get("saturated_cells", ()), ids)
    if clipped:
        yield _saturated(np.array(clipped), len(ids))
    without = _rows_of(found.get("not_scored", ()), ids)
    if without:
        flat = np.array(without, dtype=np.int64)
        told = f"no noise can be told of {share_of(len(flat), len(ids))} ({shown(flat)})"
        option = unless_all("--mend silent", flat, len(ids))
        yield Point("flat traces", "mend", told, option, without)


def _rule(deconvolve: Mapping[str, Any]) -> str:
    """Return what counts as active and the share it leaves, from the step "deconvolve"."""
    share = 100 * deconvolve["events_per_neuron_and_frame"]
    return f"active means: {deconvolve['rule']}; that leaves {share:.3g} % of the values"


def saturated_cells(recording: Recording) -> NDArray[np.int64]:
    """Return the rows of cells that are clipped at their top, before or after events were found."""
    signal = recording.signal
    if isinstance(signal, Traces):
        frame_s, segment = trace_frames(signal, recording.source.path)
        return np.flatnonzero(condition_of(signal, segment, frame_s).saturated)
    step: Step | None = next((one for one in recording.steps if one.name == "deconvolve"), None)
    named = () if step is None else step.options.get("saturated_cells", ())
    ids = recording.neurons["id"].astype(str).tolist()
    return np.array(_rows_of(named, ids), dtype=np.int64)


def flat_traces(recording: Recording, signal: Traces) -> NDArray[np.int64]:
    """Return the rows of cells whose trace holds nothing, one value, or no noise."""
    condition = condition_of(signal, *trace_frames(signal, recording.source.path)[::-1])
    return np.flatnonzero(condition.without_values | condition.constant | condition.without_noise)


def _of_condition(signal: Traces, condition: Condition, mend: str) -> Iterator[Point]:
    count = len(signal)
    flat = {
        "left_out_no_number": condition.without_values,
        "left_out_one_value": condition.constant,
        "left_out_no_noise": condition.without_noise,
    }
    for name, which in flat.items():
        rows = np.flatnonzero(which)
        if len(rows):
            found = f"{share_of(len(rows), count)} {TRACES_LEFT_OUT[name]} ({shown(rows)})"
            option = unless_all("--mend silent", rows, count)
            yield Point("flat traces", "mend", found, option, as_rows(rows))
    missing = np.flatnonzero((condition.missing > 0) & ~condition.without_values)
    if len(missing) or not condition.kept.all():
        gaps = int(condition.with_gaps.sum())
        share = float(condition.missing.mean())
        out = int((~condition.kept).sum())
        parts = [
            f"{100 * share:.2g} % of the values are not a number, in "
            f"{share_of(len(missing), count)} ({shown(missing)}); finding events bridges them"
            if len(missing)
            else "",
            f"leaves out the {gaps:,} cells that lack more than {100 * MOST_MISSING:g} %"
            if gaps
            else "",
            f"{out:,} frames lie in long gaps of all cells, or in stretches of fewer than "
            f"{FEWEST_FRAMES}: finding events cuts them out"
            if out
            else "",
        ]
        yield Point("missing frames", "mend", "; ".join(one for one in parts if one), mend,
                    as_rows(missing))  # fmt: skip
    clipped = np.flatnonzero(condition.saturated)
    if len(clipped):
        yield _saturated(clipped, count)
    if signal.kind == "deconvolved" and condition.of_events:
        found = (
            f"{100 * condition.zeros:.3g} % of the values are exactly 0: these are events, and "
            f"active will mean above 0, which leaves {100 * (1 - condition.zeros):.3g} %"
        )
        yield Point("exact zeros", "fact", found, mend)


def _saturated(rows: NDArray[np.int64], count: int) -> Point:
    found = (
        f"{share_of(len(rows), count)} are clipped at their largest value ({shown(rows)}): events "
        "on the plateau are lost"
    )
    option = unless_all("--mend saturated", rows, count)
    return Point("saturated traces", "mend", found, option, as_rows(rows))


def _of_bleaching(
    frames: NDArray[np.float32], rows: NDArray[np.int64], mend: str
) -> Iterator[Point]:
    tenth = len(frames) // 10
    if not len(rows) or tenth == 0:
        return
    first, last = (_medians(part) for part in (frames[:tenth], frames[-tenth:]))
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
            mend,
            as_rows(rows[bleached]),
        )


def _medians(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the median of each cell, NaN where it has no value."""
    result = np.full(frames.shape[1], np.nan, dtype=np.float32)
    some = ~np.isnan(frames).all(axis=0)
    if some.any():
        result[some] = np.nanmedian(frames[:, some], axis=0)
    return result


def _rows_of(named: Sequence[str], ids: Sequence[str]) -> tuple[int, ...]:
    row = {name: number for number, name in enumerate(ids)}
    return tuple(row[name] for name in named if name in row)


def _few(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
