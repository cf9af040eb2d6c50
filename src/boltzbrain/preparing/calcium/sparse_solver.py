"""The compiled loop of the blind sparse deconvolution: one trace, one convex problem.

A trace F is explained by a baseline b and events N >= 0 through a kernel of unit peak that rises
and decays exponentially. With d and r the factors per frame of decay and rise, the calcium C obeys
C_t = (d + r) C_{t-1} - d r C_{t-2} + N_t / p, where 1 / p makes the peak of the kernel 1, so that
N = p A C with a banded matrix A. The problem

    minimise over C   (1/2) sum (F - b - C)^2 + lam sum N   with N = p A C >= 0

is solved by an interior point method: a barrier -mu sum log N, mu driven to 0, and Newton steps
whose Hessian has five diagonals, so that a step costs time in proportion to the trace.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.compiling.cache import kept

Floats = NDArray[np.float64]

_STEPS = 60
_SHRINK = 0.2


def _compiled(function: Any) -> Any:
    """Compile on the first call, for several threads at once, and keep the result on disk."""
    return kept(function, nogil=True)


@_compiled
def _events(
    calcium: Floats,
    first: float,
    second: float,
    peak: float,
    events: Floats,
) -> None:
    """Write the events that make this calcium."""
    frames = len(calcium)
    for t in range(frames):
        value = calcium[t]
        if t > 0:
            value -= first * calcium[t - 1]
        if t > 1:
            value -= second * calcium[t - 2]
        events[t] = peak * value


@_compiled
def _convolve(
    events: Floats,
    first: float,
    second: float,
    peak: float,
    calcium: Floats,
) -> None:
    """Write the calcium that these events make."""
    for t in range(len(events)):
        value = events[t] / peak
        if t > 0:
            value += first * calcium[t - 1]
        if t > 1:
            value += second * calcium[t - 2]
        calcium[t] = value


@_compiled
def _objective(
    trace: Floats,
    calcium: Floats,
    events: Floats,
    lam: float,
    mu: float,
) -> float:
    total = 0.0
    for t in range(len(trace)):
        if events[t] <= 0.0:
            return np.inf
        rest = trace[t] - calcium[t]
        total += 0.5 * rest * rest + lam * events[t] - mu * np.log(events[t])
    return total


@_compiled
def solve(trace: Floats, decay: float, rise: float, lam: float, events: Floats) -> Floats:
    """Return the calcium of the sparsest non-negative events that explain a trace.

    Parameters
    ----------
    trace
        (frame,) float64, less its baseline.
    decay, rise
        Factors per frame, exp(-dt / tau), 1 > decay > rise >= 0.
    lam
        Weight of the sum of events.
    events
        (frame,) float64; holds a positive guess on entry and the events on return.

    Returns
    -------
    NDArray
        (frame,) float64 calcium.
    """
    frames = len(trace)
    first, second = decay + rise, -decay * rise
    peak = unit_peak(decay, rise)
    calcium = np.empty(frames)
    _convolve(events, first, second, peak, calcium)
    trial, trial_events = np.empty(frames), np.empty(frames)
    step = np.empty(frames)
    diagonal, lower, lowest = np.empty(frames), np.zeros(frames), np.zeros(frames)
    right = np.empty(frames)
    scale = 0.0
    for t in range(frames):
        scale += trace[t] * trace[t]
    scale = scale / frames
    mu = 0.1 * scale
    least = 1e-5 * scale
    for _ in range(_STEPS):
        # gradient and Hessian: (A^T w)_t = w_t - first w_{t+1} - second w_{t+2}
        for t in range(frames):
            n0 = 1.0 / events[t]
            w0 = peak * (lam - mu * n0)
            h0 = mu * n0 * n0 * peak * peak
            w1 = w2 = h1 = h2 = 0.0
            if t + 1 < frames:
                n1 = 1.0 / events[t + 1]
                w1 = peak * (lam - mu * n1)
                h1 = mu * n1 * n1 * peak * peak
            if t + 2 < frames:
                n2 = 1.0 / events[t + 2]
                w2 = peak * (lam - mu * n2)
                h2 = mu * n2 * n2 * peak * peak
            right[t] = trace[t] - calcium[t] - (w0 - first * w1 - second * w2)
            diagonal[t] = 1.0 + h0 + first * first * h1 + second * second * h2
            if t + 1 < frames:
                lower[t + 1] = -first * h1 + first * second * h2
            if t + 2 < frames:
                lowest[t + 2] = -second * h2
        # L D L^T with two diagonals below the main one, and both substitutions
        for t in range(frames):
            if t > 1:
                lowest[t] = lowest[t] / diagonal[t - 2]
            if t > 0:
                value = lower[t]
                if t > 1:
                    value -= lowest[t] * lower[t - 1] * diagonal[t - 2]
                lower[t] = value / diagonal[t - 1]
                diagonal[t] -= lower[t] * lower[t] * diagonal[t - 1]
                right[t] -= lower[t] * right[t - 1]
            if t > 1:
                diagonal[t] -= lowest[t] * lowest[t] * diagonal[t - 2]
                right[t] -= lowest[t] * right[t - 2]
        for t in range(frames - 1, -1, -1):
            value = right[t] / diagonal[t]
            if t + 1 < frames:
                value -= lower[t + 1] * step[t + 1]
            if t + 2 < frames:
                value -= lowest[t + 2] * step[t + 2]
            step[t] = value
        # as far as the events stay positive
        _events(step, first, second, peak, trial_events)
        size = 1.0
        for t in range(frames):
            if trial_events[t] < 0.0:
                size = min(size, -0.98 * events[t] / trial_events[t])
        before = _objective(trace, calcium, events, lam, mu)
        while True:
            for t in range(frames):
                trial[t] = calcium[t] + size * step[t]
            _events(trial, first, second, peak, trial_events)
            if _objective(trace, trial, trial_events, lam, mu) <= before or size < 1e-9:
                break
            size *= 0.5
        if size >= 1e-9:
            calcium, trial = trial, calcium
            events[:] = trial_events
        if size > 0.5 or size < 1e-9:
            if mu <= least:
                break
            mu = max(mu * _SHRINK, least)
    return calcium


@_compiled
def unit_peak(decay: float, rise: float) -> float:
    """Return the peak of the response to one event, by which it is divided to be 1."""
    first, second = decay + rise, -decay * rise
    now, before, peak = 1.0, 0.0, 1.0
    while True:
        now, before = first * now + second * before, now
        if now <= peak:
            return peak
        peak = now
