"""From calcium traces to a binary event trace: how large each event is, and which are kept.

Every method gives a score per frame in units of that trace's own noise; the threshold is a number
of these units, is stored with the states, and comes with a table of what happens to rates and
correlations when it moves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, Traces
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input, number_in, one_of
from boltzbrain.foundations.memory import require_memory
from boltzbrain.foundations.progress import Callback, Teller, with_old
from boltzbrain.preparing.bins.plan import trace_frames
from boltzbrain.preparing.calcium.condition import (
    FEWEST_FRAMES,
    TRACES_LEFT_OUT,
    Condition,
    condition_of,
    usable_part,
)
from boltzbrain.preparing.calcium.dff import BASELINE_PERCENT, BASELINE_S, relative_change
from boltzbrain.preparing.calcium.scores import parse_kernel, scores_of
from boltzbrain.preparing.calcium.sensitivity import sensitivity_table
from boltzbrain.preparing.preparation import THRESHOLDS, default_method

FEW_EVENTS = 0.02
"""Events per neuron and frame below which the zebrafish paper left recordings out."""


RULES: Mapping[str, str] = {
    "bsd": "event > K noise of one event's amplitude (blind sparse deconvolution)",
    "oasis": "event > K noise of one event's amplitude (OASIS)",
    "threshold": "trace > baseline + K robust standard deviations of its noise",
    "deconvolved": "value > K medians of the trace's positive values",
}
"""Method to its threshold rule in words, K the threshold; "deconvolved" is for traces that the
pipeline deconvolved, in arbitrary units."""


def deconvolve(
    recording: Recording,
    *,
    method: str | None = None,
    kernel: str | tuple[float, float] = "estimate",
    threshold: float | None = None,
    baseline_s: float = BASELINE_S,
    background: float = 0.0,
    workers: int | None = None,
    callbacks: Sequence[Callback] = (),
    callback: Callable[[int, int], None] | None = None,
) -> Recording:
    """Turn the traces of a recording into binary states.

    Parameters
    ----------
    recording
        With `Traces`. Of fluorescence dF/F is taken first, or (F - F0) over the noise in cells
        whose F0 is not well above it (`dff`); other traces are taken as they are.
    method
        One of `RULES`; "bsd" if None, or "deconvolved" where the traces are that already.
    kernel
        For "bsd" and "oasis": a name of `KERNELS`, (rise, decay) in seconds, also as text
        "0.2,3.55"; "estimate" finds one for all cells (the median over the 24 whose traces vary
        most beyond their noise), "each" one for every cell.
    threshold
        K of the rule of the method; its default if None, which of "deconvolved" is 0 where nearly
        all values are exactly 0.
    baseline_s
        Window of the running baseline of fluorescence, seconds.
    background
        Fluorescence where there is no cell.
    workers
        Threads, as many as processors if None; the result does not depend on it.
    callbacks
        Called with a `foundations.progress.Progress` after every cell.
    callback
        Deprecated: called with cells done and planned.

    Returns
    -------
    Recording
        `Binned` states. Cells that hold no number, one value, or lack more than a tenth of their
        frames are left out, and so are frames that every cell lacks for more than a second;
        shorter gaps are bridged. ``steps`` tells all of these by id, rule, threshold, kernel,
        events per neuron and frame, and the sensitivity table
        (`sensitivity.sensitivity_table`).

    Raises
    ------
    InputError
        If the recording has no traces, or none of a use; an option is unknown or out of range,
        deconvolved values are to be deconvolved again, or the library for OASIS is not installed.
    """
    tell = Teller(with_old(callbacks, callback), "finding events", "cells")
    signal = recording.signal
    where = recording.source.path
    if not isinstance(signal, Traces):
        raise bad_input("the recording", "have traces", type(signal).__name__, file=where)
    name = one_of("method", default_method(signal.kind) if method is None else method, RULES)
    if (name == "deconvolved") != (signal.kind == "deconvolved"):
        others = ", ".join(one for one in RULES if one != "deconvolved")
        raise bad_input(
            "method",
            f"be 'deconvolved' for traces that are deconvolved, {others} for others",
            f"{name} for {signal.words}",
            file=where,
        )
    number_in("baseline_s", baseline_s, low=0.0, include_low=False)
    parse_kernel(kernel)
    if threshold is not None:
        number_in("threshold", threshold, low=0.0, include_low=False)
    require_memory(
        "the scores of every frame and neuron",
        3 * signal.frames.nbytes,
        limit_gb=None,
        advice="fewer neurons",
        file=where,
    )
    recording, condition, told = _usable(recording, signal, *trace_frames(signal, where))
    signal = recording.signal
    assert isinstance(signal, Traces)
    frame_s, segment = trace_frames(signal, where)
    steps = list(recording.steps)
    ids = recording.neurons["id"].astype(str).to_numpy()
    traces = signal.frames
    if signal.kind == "fluorescence":
        traces, over_noise = relative_change(
            traces, segment, frame_s, window_s=baseline_s, background=background
        )
        taken = {"window_s": baseline_s, "percent": BASELINE_PERCENT, "background": background}
        steps.append(Step("dff", {**taken, "over_noise": ids[over_noise].tolist()}))
    scores, found, without = scores_of(traces, segment, frame_s, name, kernel, workers, tell)
    of_events = name == "deconvolved" and condition.of_events and threshold is None
    default = 0.0 if of_events else THRESHOLDS[name]
    limit = default if threshold is None else float(threshold)
    rule = RULES[name].replace(" K ", f" {limit:g} ")
    if of_events:
        rule = f"value > 0, as {100 * condition.zeros:.3g} % of the values are exactly 0"
    states = (scores > limit).astype(np.uint8)
    rate = float(states.mean())
    options: dict[str, Any] = {
        "method": name,
        "rule": rule,
        "threshold": limit,
        **found,
        "events_per_neuron_and_frame": rate,
        "neurons_without_events": int((states.max(axis=0) == 0).sum()),
        **told,
        "not_scored": ids[without].tolist(),
        "sensitivity": sensitivity_table(scores, segment, limit),
    }
    if rate < FEW_EVENTS:
        options["warning"] = (
            f"{rate:.4f} events per neuron and frame, fewer than the {FEW_EVENTS:g} below which "
            "the zebrafish paper left recordings out"
        )
    steps.append(Step("deconvolve", options))
    return replace(
        recording, signal=Binned(states, frame_s, segment, signal.times), steps=tuple(steps)
    )


def _usable(
    recording: Recording, signal: Traces, frame_s: float, segment: NDArray[np.int32]
) -> tuple[Recording, Condition, dict[str, Any]]:
    """Leave out the cells and frames of which nothing can be found; say which, for the step."""
    where = recording.source.path
    found = condition_of(signal, segment, frame_s)
    if not found.kept.any():
        raise bad_input(
            "the traces",
            f"have at least {FEWEST_FRAMES} frames without a pause",
            f"{len(signal.times)} frames in {int(segment[-1]) + 1} segments",
            file=where,
        )
    ids = recording.neurons["id"].astype(str).to_numpy()
    told: dict[str, Any] = {
        "cells": len(ids),
        "left_out_no_number": ids[found.without_values].tolist(),
        "left_out_one_value": ids[found.constant].tolist(),
        "left_out_no_noise": ids[found.without_noise].tolist(),
        "left_out_gaps": ids[found.with_gaps].tolist(),
        "frames_left_out": int((~found.kept).sum()),
        "bridged": ids[found.bridged].tolist(),
        "share_bridged": float(found.missing[found.used].mean()) if found.used.any() else 0.0,
        "saturated_cells": ids[found.saturated].tolist(),
    }
    if not found.used.any():
        counts = [
            f"{len(told[name])} that {text}" for name, text in TRACES_LEFT_OUT.items() if told[name]
        ]
        raise bad_input(
            "the traces", "have a cell that can be used", " and ".join(counts), file=where
        )
    if not found.used.all():
        recording = recording.select(found.used)
    return replace(recording, signal=usable_part(signal, found)), found, told
