"""What is the matter with traces: cells and frames without values, clipped tops, exact zeros.

Nothing is changed here. What finding events does about it: cells that hold nothing, one value, or
too little are left out; frames in which no cell has a value for long are cut out; what else is
missing is bridged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.signals import Traces

FEWEST_FRAMES = 10
"""No noise can be told from fewer frames without a pause."""

LONGEST_BRIDGE_S = 1.0
"""Frames that every cell lacks for longer, seconds, are cut out: no trace of a calcium response of
before the gap is left after it, for indicators that decay within about a second."""

MOST_MISSING = 0.1
"""Share of its frames that a cell may lack: a bridge holds no event, so that the rates of cells
with more would be too low by more than a tenth."""

CLIPPED = 0.005
"""Share of the frames at the very top from which on a trace is called saturated. A measured trace
reaches its maximum once, one of coarse numbers as seldom as its noise reaches so far."""

NEARLY_ALL = 0.9
"""Share of exact zeros above which deconvolved values are events. suite2p's, which hold the noise
as well, are 0 in 52 to 85 % of the frames of a cell, 67 % over cells (`shared/data/suite2p`)."""

TRACES_LEFT_OUT: Mapping[str, str] = {
    "left_out_no_number": "hold no number",
    "left_out_one_value": "hold a single value",
    "left_out_no_noise": "do not change in more than half of their frames (denoised, clipped or "
    "binary), so that no noise can be told",
    "left_out_gaps": f"lack more than {100 * MOST_MISSING:g} % of their frames",
}
"""Option of the step "deconvolve" to what is the matter with the cells it lists."""

_MAD = 0.6744897501960817
_NEURONS = 256


@dataclass(frozen=True)
class Condition:
    """What is the matter with traces, by cell and by frame.

    Attributes
    ----------
    kept
        (frame,) whether the frame is used: not in a long gap of all cells, nor in a stretch of
        fewer than `FEWEST_FRAMES`.
    missing
        (neuron,) share of the kept frames that are no finite number.
    constant
        (neuron,) whether the kept frames have a single value.
    without_noise
        (neuron,) whether more than half of the steps from frame to frame are exactly 0, so that no
        noise can be told: denoised, or clipped below. Not of deconvolved values.
    clipped
        (neuron,) share of the kept frames at the largest value, 0 where that is no clipping.
    zeros
        Share of the finite values that are exactly 0, over cells that have others.
    """

    kept: NDArray[np.bool_]
    missing: NDArray[np.float64]
    constant: NDArray[np.bool_]
    without_noise: NDArray[np.bool_]
    clipped: NDArray[np.float64]
    zeros: float

    @property
    def without_values(self) -> NDArray[np.bool_]:
        """(neuron,) whether no frame holds a number."""
        without: NDArray[np.bool_] = self.missing == 1.0
        return without

    @property
    def with_gaps(self) -> NDArray[np.bool_]:
        """(neuron,) whether too many frames are missing, of a trace that is else of use."""
        few = (self.missing > MOST_MISSING) & (self.missing < 1.0)
        return few & ~self.constant & ~self.without_noise

    @property
    def used(self) -> NDArray[np.bool_]:
        """(neuron,) whether events can be found."""
        used: NDArray[np.bool_] = ~(
            self.constant | self.without_noise | (self.missing > MOST_MISSING)
        )
        return used

    @property
    def bridged(self) -> NDArray[np.bool_]:
        """(neuron,) whether some frames are missing, but few enough."""
        bridged: NDArray[np.bool_] = self.used & (self.missing > 0)
        return bridged

    @property
    def saturated(self) -> NDArray[np.bool_]:
        """(neuron,) whether the trace is clipped at its top."""
        return self.used & (self.clipped > 0)

    @property
    def of_events(self) -> bool:
        """Whether nearly all values are exactly 0, so that the others are events."""
        return self.zeros >= NEARLY_ALL


def condition_of(signal: Traces, segment: NDArray[np.int32], frame_s: float) -> Condition:
    """Look at traces.

    Parameters
    ----------
    signal
        Any traces.
    segment
        (frame,) segment of each frame.
    frame_s
        Seconds per frame.
    """
    frames = signal.frames
    count = frames.shape[1]
    some = np.zeros(len(frames), dtype=np.bool_)
    for mine in _blocks(count):
        some |= np.isfinite(frames[:, mine]).any(axis=1)
    # where no cell has any value, the cells are at fault and not the frames
    kept = _kept(some, segment, frame_s) if some.any() else np.ones(len(frames), dtype=np.bool_)
    missing, clipped = np.zeros(count), np.zeros(count)
    constant, silent = np.zeros((2, count), dtype=np.bool_)
    zeros = held = 0
    for mine in _blocks(count):
        part = frames[:, mine] if kept.all() else frames[kept, mine]
        finite = np.isfinite(part)
        missing[mine] = 1.0 - finite.sum(axis=0) / max(1, len(part))
        low = np.where(finite, part, np.inf).min(axis=0, initial=np.inf)
        high = np.where(finite, part, -np.inf).max(axis=0, initial=-np.inf)
        constant[mine] = low == high
        varied = high > low
        zeros += int(((part == 0) & varied).sum())
        held += int((finite & varied).sum())
        if signal.kind != "deconvolved":
            silent[mine] = varied & (noise_of(part) == 0)
            clipped[mine] = [
                _clipped(trace[good]) if one else 0.0
                for trace, good, one in zip(part.T, finite.T, varied.tolist(), strict=True)
            ]
    return Condition(kept, missing, constant, silent, clipped, zeros / held if held else 0.0)


def usable_part(signal: Traces, condition: Condition) -> Traces:
    """Return the cells and frames that can be used; a missing value is NaN there."""
    frames, times = signal.frames, signal.times
    if not condition.used.all():
        frames = frames[:, condition.used]
    if not condition.kept.all():
        frames, times = frames[condition.kept], times[condition.kept]
    finite = np.isfinite(frames)
    if not finite.all():
        frames = np.where(finite, frames, np.float32(np.nan))
    return replace(signal, frames=frames, times=times)


def noise_of(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the robust standard deviation of the noise, of the steps from frame to frame.

    Parameters
    ----------
    frames
        (frame, neuron); values that are no numbers are left out.

    Returns
    -------
    NDArray
        (neuron,), 0 where there are no two frames in a row.
    """
    noise = np.zeros(frames.shape[1])
    for neuron, trace in enumerate(frames.T):
        values = np.where(np.isfinite(trace), trace, np.nan).astype(np.float64)
        steps = np.abs(np.diff(values))
        steps = steps[np.isfinite(steps)]
        if len(steps):
            noise[neuron] = np.median(steps) / (_MAD * np.sqrt(2))
    return noise


def _blocks(count: int) -> list[slice]:
    return [slice(first, first + _NEURONS) for first in range(0, count, _NEURONS)]


def _kept(some: NDArray[np.bool_], segment: NDArray[np.int32], frame_s: float) -> NDArray[np.bool_]:
    kept = np.ones(len(some), dtype=np.bool_)
    changes = np.r_[True, (some[1:] != some[:-1]) | (segment[1:] != segment[:-1])]
    first, length = stretches(np.cumsum(changes).astype(np.int32))
    for start, size in zip(first.tolist(), length.tolist(), strict=True):
        if not some[start] and size * frame_s > LONGEST_BRIDGE_S:
            kept[start : start + size] = False
    # what a gap leaves may be too short as well
    parts = np.cumsum(np.r_[True, (kept[1:] != kept[:-1]) | (segment[1:] != segment[:-1])])
    first, length = stretches(parts.astype(np.int32))
    for start, size in zip(first.tolist(), length.tolist(), strict=True):
        if size < FEWEST_FRAMES:
            kept[start : start + size] = False
    return kept


def _clipped(trace: NDArray[np.float32]) -> float:
    """Return the share of frames at the top, 0 where the values below it are as crowded."""
    top = trace.max()
    share = float((trace == top).mean())
    if share < CLIPPED:
        return 0.0
    below = trace[trace < top]
    # two values are states; noise and rounding crowd below a top that was measured
    if not (below > below.min()).any():
        return 0.0
    noise = max(float(noise_of(trace[:, None])[0]), float(top - below.max()))
    near = float((below >= top - noise).sum()) / len(trace)
    return share if share > near else 0.0
