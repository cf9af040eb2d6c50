"""From calcium traces to a binary event trace: how large each event is, and which are kept.

Every method gives a score per frame in units of that trace's own noise; the threshold is a number
of these units, is stored with the states, and comes with a table of what happens to rates and
correlations when it moves.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.recording import Recording
from boltzbrain.data.signals import Binned, Traces
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import InputError, bad_input, number_in, one_of
from boltzbrain.foundations.memory import require_memory
from boltzbrain.preparing.bins.plan import trace_frames
from boltzbrain.preparing.calcium.blind_deconvolution import (
    Kernel,
    deconvolve_trace,
    estimate_kernel,
)
from boltzbrain.preparing.calcium.dff import BASELINE_PERCENT, BASELINE_S, relative_change
from boltzbrain.preparing.calcium.sensitivity import sensitivity_table
from boltzbrain.preparing.calcium.sparse_solver import unit_peak
from boltzbrain.preparing.preparation import THRESHOLDS

KERNELS: Mapping[str, Kernel] = {
    "gcamp6s": Kernel(0.2, 3.55),
    "gcamp6f": Kernel(0.15, 1.6),
}
"""Kernel times of van der Plas et al. (2023), nuclear GCaMP6 in zebrafish larvae, by indicator."""

FEW_EVENTS = 0.02
"""Events per neuron and frame below which the zebrafish paper left recordings out."""


@dataclass(frozen=True)
class Method:
    """A way from traces to events.

    Attributes
    ----------
    rule
        The threshold rule in words; K is `threshold`.
    threshold
        Its default.
    """

    rule: str
    threshold: float


METHODS: Mapping[str, Method] = {
    name: Method(rule, THRESHOLDS[name])
    for name, rule in {
        "bsd": "event > K noise of one event's amplitude (blind sparse deconvolution)",
        "oasis": "event > K noise of one event's amplitude (OASIS)",
        "threshold": "trace > baseline + K robust standard deviations of its noise",
        "deconvolved": "value > K medians of the trace's positive values",
    }.items()
}
"""Name to method; "deconvolved" is for traces that the pipeline deconvolved in arbitrary units."""

_KERNEL_CELLS = 24
_SHORTEST = 10
_MAD = 0.6744897501960817


def deconvolve(
    recording: Recording,
    *,
    method: str | None = None,
    kernel: str | tuple[float, float] = "estimate",
    threshold: float | None = None,
    baseline_s: float = BASELINE_S,
    background: float = 0.0,
    workers: int | None = None,
    callback: Callable[[int, int], None] | None = None,
) -> Recording:
    """Turn the traces of a recording into binary states.

    Parameters
    ----------
    recording
        With `Traces`. Of fluorescence dF/F is taken first; other traces are taken as they are.
    method
        One of `METHODS`; "bsd" if None, or "deconvolved" where the traces are that already.
    kernel
        For "bsd" and "oasis": a name of `KERNELS`, (rise, decay) in seconds, also as text
        "0.2,3.55"; "estimate" finds one for all cells (the median over the 24 whose traces vary
        most beyond their noise), "each" one for every cell.
    threshold
        K of the rule of the method; its default if None.
    baseline_s
        Window of the running baseline of fluorescence, seconds.
    background
        Fluorescence where there is no cell.
    workers
        Threads; as many as there are processors if None. The result does not depend on it.
    callback
        Called with cells done and planned.

    Returns
    -------
    Recording
        `Binned` states; ``steps`` tells rule, threshold, kernel, noise, events per neuron and
        frame, and the sensitivity table (`sensitivity.sensitivity_table`).

    Raises
    ------
    InputError
        If the recording has no traces, an option is unknown or out of range, deconvolved values
        are to be deconvolved again, or the library for OASIS is not installed.
    """
    signal = recording.signal
    where = recording.source.path
    if not isinstance(signal, Traces):
        raise bad_input("the recording", "have traces", type(signal).__name__, file=where)
    name = one_of("method", default_method(signal) if method is None else method, METHODS)
    if (name == "deconvolved") != (signal.kind == "deconvolved"):
        others = ", ".join(one for one in METHODS if one != "deconvolved")
        raise bad_input(
            "method",
            f"be 'deconvolved' for traces that are deconvolved, {others} for others",
            f"{name} for {signal.words}",
            file=where,
        )
    chosen = METHODS[name]
    factor = chosen.threshold if threshold is None else threshold
    limit = number_in("threshold", factor, low=0.0, include_low=False)
    number_in("baseline_s", baseline_s, low=0.0, include_low=False)
    if len(signal.times) < _SHORTEST:
        raise bad_input(
            "the traces", f"have at least {_SHORTEST} frames", len(signal.times), file=where
        )
    require_memory(
        "the scores of every frame and neuron",
        3 * signal.frames.nbytes,
        limit_gb=None,
        advice="fewer neurons",
        file=where,
    )
    frame_s, segment = trace_frames(signal, where)
    steps = list(recording.steps)
    traces = signal.frames
    if signal.kind == "fluorescence" and name != "deconvolved":
        first, length = stretches(segment)
        traces = np.concatenate(
            [
                relative_change(
                    traces[a : a + n], frame_s, window_s=baseline_s, background=background
                )
                for a, n in zip(first.tolist(), length.tolist(), strict=True)
            ]
        )
        told = {"window_s": baseline_s, "percent": BASELINE_PERCENT, "background": background}
        steps.append(Step("dff", told))
    scores, found = _scores(traces, segment, frame_s, name, kernel, workers, callback)
    states = (scores > limit).astype(np.uint8)
    rate = float(states.mean())
    options: dict[str, Any] = {
        "method": name,
        "rule": chosen.rule.replace(" K ", f" {limit:g} "),
        "threshold": limit,
        **found,
        "events_per_neuron_and_frame": rate,
        "neurons_without_events": int((states.max(axis=0) == 0).sum()),
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


def default_method(signal: Traces) -> str:
    """Return the method that is taken where none is named."""
    return "deconvolved" if signal.kind == "deconvolved" else "bsd"


def parse_kernel(kernel: str | tuple[float, float]) -> Kernel | str:
    """Return a kernel, or "estimate" or "each".

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> parse_kernel("gcamp6f"), parse_kernel("0.1,1.2")
    (Kernel(rise_s=0.15, decay_s=1.6), Kernel(rise_s=0.1, decay_s=1.2))
    """
    if isinstance(kernel, str):
        if kernel in ("estimate", "each"):
            return kernel
        if kernel in KERNELS:
            return KERNELS[kernel]
        try:
            rise, decay = (float(part) for part in kernel.split(","))
        except ValueError as error:
            known = ", ".join((*KERNELS, "estimate", "each"))
            raise bad_input(
                "kernel", f"be one of: {known}, or RISE,DECAY in seconds", kernel
            ) from error
    else:
        rise, decay = kernel
    number_in("kernel (rise)", rise, low=0.0)
    number_in("kernel (decay)", decay, low=float(rise), include_low=False)
    return Kernel(float(rise), float(decay))


def _scores(
    traces: NDArray[np.float32],
    segment: NDArray[np.int32],
    frame_s: float,
    method: str,
    kernel: str | tuple[float, float],
    workers: int | None,
    callback: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Return the score of every frame and neuron in units of its noise, and what was found."""
    scores = np.zeros(traces.shape, dtype=np.float32)
    first, length = stretches(segment)
    cuts = [(a, a + n) for a, n in zip(first.tolist(), length.tolist(), strict=True)]
    found: dict[str, Any] = {}
    common: Kernel | None = None
    asked: Kernel | str = ""
    score: Callable[[NDArray[np.float64], Kernel | None], NDArray[np.float64] | None]
    if method in ("bsd", "oasis"):
        asked = parse_kernel(kernel)
        if method == "oasis":
            _require_oasis()
        if asked == "estimate":
            common = _common_kernel(traces, cuts, frame_s, workers)
        elif isinstance(asked, Kernel):
            common = asked
        found["kernel"] = kernel if isinstance(kernel, str) else list(kernel)
        if common is not None:
            found |= {"rise_s": common.rise_s, "decay_s": common.decay_s}
        one = _bsd if method == "bsd" else _oasis

        def score(trace: NDArray[np.float64], kernel: Kernel | None) -> NDArray[np.float64] | None:
            return None if kernel is None else one(trace, frame_s, kernel)
    else:
        one_plain = _over_noise if method == "threshold" else _over_median

        def score(trace: NDArray[np.float64], kernel: Kernel | None) -> NDArray[np.float64] | None:
            return one_plain(trace)

    own: list[Kernel | None] = [common] * traces.shape[1]
    longest = max(cuts, key=lambda cut: cut[1] - cut[0])

    def cell(neuron: int) -> bool:
        if asked == "each":
            own[neuron] = estimate_kernel(_whole(traces[slice(*longest), neuron]), frame_s)
        varied = False
        for start, stop in cuts:
            if stop - start < _SHORTEST:
                continue
            got = score(_whole(traces[start:stop, neuron]), own[neuron])
            if got is not None:
                scores[start:stop, neuron] = got
                varied = True
        return varied

    varied = _share(cell, traces.shape[1], workers, callback)
    found["flat_traces"] = traces.shape[1] - sum(varied)
    if asked == "each":
        known = [one for one in own if one is not None]
        found["rise_s_of_cells"] = [round(one.rise_s, 4) for one in known]
        found["decay_s_of_cells"] = [round(one.decay_s, 4) for one in known]
    return scores, found


def _share(
    task: Callable[[int], bool],
    total: int,
    workers: int | None,
    callback: Callable[[int, int], None] | None,
) -> list[bool]:
    """Call the task on every cell, on several threads: the compiled loops release Python's lock."""
    threads = workers or os.cpu_count() or 1
    results: list[bool] = []
    with ThreadPoolExecutor(threads) as pool:
        for done, result in enumerate(pool.map(task, range(total)), start=1):
            results.append(result)
            if callback is not None:
                callback(done, total)
    return results


def _common_kernel(
    traces: NDArray[np.float32],
    cuts: list[tuple[int, int]],
    frame_s: float,
    workers: int | None,
) -> Kernel | None:
    """Return the median kernel of the cells whose traces vary most beyond their noise."""
    start, stop = max(cuts, key=lambda cut: cut[1] - cut[0])
    part = traces[start:stop]
    with np.errstate(all="ignore"):
        noise = np.median(np.abs(np.diff(part, axis=0)), axis=0)
        ratio = np.nan_to_num(np.std(part, axis=0) / noise, nan=0.0, posinf=0.0, neginf=0.0)
    best = np.argsort(-ratio, kind="stable")[:_KERNEL_CELLS]
    kernels: dict[int, Kernel | None] = {}

    def cell(number: int) -> bool:
        kernels[number] = estimate_kernel(_whole(part[:, best[number]]), frame_s)
        return True

    _share(cell, len(best), workers, None)
    known = [one for number in sorted(kernels) if (one := kernels[number]) is not None]
    if not known:
        return None
    return Kernel(
        float(np.median([one.rise_s for one in known])),
        float(np.median([one.decay_s for one in known])),
    )


def _whole(trace: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a trace as float64, frames that are no numbers bridged by a straight line."""
    values = trace.astype(np.float64)
    good = np.isfinite(values)
    if good.all():
        return values
    if not good.any():
        return np.zeros_like(values)
    frames = np.arange(len(values))
    values[~good] = np.interp(frames[~good], frames[good], values[good])
    return values


def _bsd(trace: NDArray[np.float64], frame_s: float, kernel: Kernel) -> NDArray[np.float64] | None:
    found = deconvolve_trace(trace, frame_s, kernel)
    return None if found is None else found.events / found.event_noise


def _require_oasis() -> None:
    try:
        import oasis.functions  # noqa: F401
    except ImportError as error:
        raise InputError(
            "method 'oasis' must have the library oasis-deconv: pip install 'boltzbrain[calcium]'; "
            f"got {error}"
        ) from error


def _oasis(
    trace: NDArray[np.float64], frame_s: float, kernel: Kernel
) -> NDArray[np.float64] | None:
    """Score by OASIS (Friedrich, Zhou, Paninski, PLoS Comput. Biol. 13:e1005423, 2017)."""
    from oasis.functions import deconvolve as oasis_deconvolve

    if not np.ptp(trace) > 0:
        return None
    noise = float(np.median(np.abs(np.diff(trace)))) / (_MAD * np.sqrt(2))
    result = oasis_deconvolve(
        trace - np.percentile(trace, 20),
        tau_d=kernel.decay_s,
        tau_r=kernel.rise_s,
        framerate=1.0 / frame_s,
        b_nonneg=False,
    )
    decay, rise = kernel.factors(frame_s)
    # events of OASIS are jumps of the recursion; times its peak they are heights of the response
    events = np.asarray(result[1]) * unit_peak(decay, rise)
    events[0] = 0.0
    noise = max(noise, 1e-4 * float(np.std(trace)))
    scored: NDArray[np.float64] = events / (noise / kernel.norm(frame_s))
    return scored


def _over_noise(trace: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Score by the height over the median in robust standard deviations of the lower half."""
    middle = float(np.median(trace))
    below = trace[trace <= middle]
    noise = float(np.median(middle - below)) / _MAD
    return (trace - middle) / noise if noise > 0 else None


def _over_median(trace: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Score by the value in medians of the positive values."""
    positive = trace[trace > 0]
    return trace / float(np.median(positive)) if len(positive) else None
