"""Blind sparse deconvolution of calcium traces, after Tubiana et al. (2020).

A trace is a baseline, plus events through a kernel that rises and decays exponentially, plus noise
(`sparse_solver`): squared error, and an L1 penalty that makes events sparse. The method is blind
because baseline, noise and penalty, and if wanted the kernel, are estimated from the trace:

- the noise sigma is the robust spread of the residual, the baseline its median, and both are found
  in turns with the events;
- the noise of one event's amplitude is s = sigma / |K| for a kernel K of unit peak (the error of
  a matched filter), and the penalty is z sigma |K| with z = 1, which shrinks an isolated event by
  z s;
- the kernel is the one of lowest T log(rms of the residual) + log(T) (number of events larger than
  2 s), a Bayesian information criterion that counts each event as a parameter, found by a search
  over rise and decay. (The penalised likelihood itself prefers kernels that are too long: by a
  factor of two or more on planted events, as fewer events then cost less.)

Source of the method: Tubiana, Wolf, Panier, Debregeas, "Blind deconvolution for spike inference
from fluorescence recordings", J. Neurosci. Methods 342:108763 (2020), as used by van der Plas et
al. (2023). The code and the details above are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.preparing.calcium.sparse_solver import solve

PENALTY = 1.0
"""z, the penalty in units of the noise of one event's amplitude."""

LONGEST_RISE_S, LONGEST_DECAY_S = 0.3, 5.0
"""Bounds of the search: no calcium indicator in use is slower."""

_ROUNDS = 3
_COUNTED = 2.0
_MAD = 0.6744897501960817
_START = (0.1, 1.0)
_FACTORS = (2.0, 1.35)
_LONGEST = 20_000


@dataclass(frozen=True)
class Kernel:
    """Rise and decay of the calcium response in seconds; a rise of 0 is a jump."""

    rise_s: float
    decay_s: float

    def factors(self, frame_s: float) -> tuple[float, float]:
        """Return the factors per frame of decay and rise."""
        decay = float(np.exp(-frame_s / self.decay_s))
        rise = float(np.exp(-frame_s / self.rise_s)) if self.rise_s > 0 else 0.0
        return decay, rise

    def norm(self, frame_s: float) -> float:
        """Return the root of the sum of squares of the sampled kernel of unit peak."""
        count = max(2, int(12 * self.decay_s / frame_s))
        decay, rise = self.factors(frame_s)
        power = np.arange(1, count + 1)
        shape = decay**power - (rise**power if rise > 0 else 0.0)
        return float(np.sqrt((shape**2).sum()) / shape.max())


@dataclass(frozen=True)
class Deconvolved:
    """What is inferred of one trace.

    Attributes
    ----------
    events
        (frame,) amplitudes, the peak of the response each makes, at least 0.
    baseline, noise
        Of the trace.
    event_noise
        Noise of one event's amplitude, sigma / |K|.
    cost
        The information criterion, to compare kernels.
    """

    events: NDArray[np.float64]
    baseline: float
    noise: float
    event_noise: float
    cost: float


def deconvolve_trace(
    trace: NDArray[np.float64], frame_s: float, kernel: Kernel
) -> Deconvolved | None:
    """Infer the events of one trace.

    Parameters
    ----------
    trace
        (frame,) finite float64, one unbroken stretch.
    frame_s
        Seconds per frame.
    kernel
        Rise and decay.

    Returns
    -------
    Deconvolved or None
        None where the trace does not vary.
    """
    decay, rise = kernel.factors(frame_s)
    norm = kernel.norm(frame_s)
    base = float(np.percentile(trace, 20))
    noise = (
        float(np.median(np.abs(np.diff(trace)))) / (_MAD * np.sqrt(2)) if len(trace) > 2 else 0.0
    )
    spread = float(np.std(trace))
    if not spread > 0:
        return None
    floor = 1e-4 * spread
    noise = max(noise, floor)
    weight = PENALTY * noise * norm
    for _ in range(_ROUNDS):
        weight = PENALTY * noise * norm
        events = np.full(len(trace), 1e-2 * spread)
        calcium = solve(trace - base, decay, rise, float(weight), events)
        rest = trace - calcium
        base = float(np.median(rest))
        noise = max(float(np.median(np.abs(rest - base))) / _MAD, floor)
    mean_square = float(np.mean((rest - base) ** 2))
    count = int((events > _COUNTED * noise / norm).sum())
    cost = 0.5 * len(trace) * np.log(max(mean_square, floor**2)) + np.log(len(trace)) * count
    # the calcium at the start of the recording is no event
    events[0] = 0.0
    return Deconvolved(events, base, noise, noise / norm, float(cost))


def estimate_kernel(trace: NDArray[np.float64], frame_s: float) -> Kernel | None:
    """Return the kernel of lowest information criterion, None where the trace does not vary.

    Rise and decay are moved by factors, each in turn, until none of the four neighbours is better;
    the first 20,000 frames are looked at.

    Parameters
    ----------
    trace
        (frame,) finite float64.
    frame_s
        Seconds per frame.
    """
    part = trace[:_LONGEST]
    costs: dict[tuple[float, float], float] = {}

    def cost(rise: float, decay: float) -> float:
        low = 0.5 * frame_s
        slowest = min(LONGEST_DECAY_S, len(part) * frame_s / 4)
        fits = 2 * frame_s <= decay <= slowest and rise <= LONGEST_RISE_S and rise < 0.9 * decay
        if not fits:
            return np.inf
        key = (round(rise, 6), round(decay, 6))
        if key not in costs:
            kernel = Kernel(rise if rise > low else 0.0, decay)
            found = deconvolve_trace(part, frame_s, kernel)
            costs[key] = np.inf if found is None else found.cost
        return costs[key]

    rise, decay = _START
    # slow imaging resolves no rise
    rise, decay = (rise if frame_s < LONGEST_RISE_S else 0.0), max(decay, 4 * frame_s)
    best = cost(rise, decay)
    for factor in _FACTORS:
        while True:
            near = [
                (rise * factor, decay),
                (rise / factor, decay),
                (rise, decay * factor),
                (rise, decay / factor),
            ]
            # a rise below half a frame is a jump, and cannot be shorter
            near = [one for one in near if one[0] == rise or one[0] > 0.2 * frame_s]
            values = [cost(*one) for one in near]
            lowest = int(np.argmin(values))
            if not values[lowest] < best:
                break
            (rise, decay), best = near[lowest], values[lowest]
    return Kernel(rise if rise > 0.5 * frame_s else 0.0, decay) if np.isfinite(best) else None
