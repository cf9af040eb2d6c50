"""How large the event of each frame is, in units of that trace's own noise, by each method."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.foundations.checks import InputError, bad_input, number_in
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.preparing.calcium.blind_deconvolution import (
    Kernel,
    deconvolve_trace,
    estimate_kernel,
)
from boltzbrain.preparing.calcium.sparse_solver import unit_peak

KERNELS: Mapping[str, Kernel] = {
    "gcamp6s": Kernel(0.2, 3.55),
    "gcamp6f": Kernel(0.15, 1.6),
}
"""Kernel times of van der Plas et al. (2023), nuclear GCaMP6 in zebrafish larvae, by indicator."""

_KERNEL_CELLS = 24
_MAD = 0.6744897501960817


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


def scores_of(
    traces: NDArray[np.float32],
    segment: NDArray[np.int32],
    frame_s: float,
    method: str,
    kernel: str | tuple[float, float],
    workers: int | None,
    tell: Teller,
) -> tuple[NDArray[np.float32], dict[str, Any], list[int]]:
    """Return scores, what was found of kernels, and the neurons without a score.

    Parameters
    ----------
    traces
        (frame, neuron) float32, NaN where a value is missing.
    segment
        (frame,) segment of each frame, scored one by one.
    frame_s
        Seconds per frame.
    method, kernel, workers
        As `deconvolve`.
    tell
        Told after every neuron.

    Returns
    -------
    tuple
        (frame, neuron) float32 in units of the noise of the trace, 0 where there is no score; the
        kernels, for the step; rows of the neurons that have no score anywhere, as they do not vary
        or their noise cannot be told.
    """
    scores = np.zeros(traces.shape, dtype=np.float32)
    first, length = stretches(segment)
    cuts = [(a, a + n) for a, n in zip(first.tolist(), length.tolist(), strict=True)]
    found: dict[str, Any] = {}
    common: Kernel | None = None
    asked: Kernel | str = ""
    whole: Callable[[NDArray[np.float32]], NDArray[np.float64]] = _whole
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
        # between two events lies none
        whole = _whole if method == "threshold" else _without_missing

        def score(trace: NDArray[np.float64], kernel: Kernel | None) -> NDArray[np.float64] | None:
            return one_plain(trace)

    own: list[Kernel | None] = [common] * traces.shape[1]
    longest = max(cuts, key=lambda cut: cut[1] - cut[0])

    def cell(neuron: int) -> bool:
        if asked == "each":
            own[neuron] = estimate_kernel(_whole(traces[slice(*longest), neuron]), frame_s)
        varied = False
        for start, stop in cuts:
            got = score(whole(traces[start:stop, neuron]), own[neuron])
            if got is not None:
                scores[start:stop, neuron] = got
                varied = True
        return varied

    varied = _share(cell, traces.shape[1], workers, tell)
    without = [neuron for neuron, one in enumerate(varied) if not one]
    if asked == "each":
        known = [one for one in own if one is not None]
        found["rise_s_of_cells"] = [round(one.rise_s, 4) for one in known]
        found["decay_s_of_cells"] = [round(one.decay_s, 4) for one in known]
    return scores, found, without


def _share(
    task: Callable[[int], bool],
    total: int,
    workers: int | None,
    tell: Teller,
) -> list[bool]:
    """Call the task on every cell, on several threads: the compiled loops release Python's lock."""
    threads = workers or os.cpu_count() or 1
    results: list[bool] = []
    with ThreadPoolExecutor(threads) as pool:
        for done, result in enumerate(pool.map(task, range(total)), start=1):
            results.append(result)
            tell(done, total)
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

    _share(cell, len(best), workers, SILENT)
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


def _without_missing(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return deconvolved values as float64, 0 where they are no numbers."""
    return np.where(np.isfinite(values), values, 0.0).astype(np.float64)


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
