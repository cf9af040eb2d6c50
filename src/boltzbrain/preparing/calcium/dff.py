"""From fluorescence to dF/F: a sliding baseline that follows bleaching and drift.

dF/F = (F - F0) / (F0 - background), as van der Plas et al. (eLife 83139, 2023, Methods) normalise
each neuron. F0 is a low percentile in a sliding window (10 % in 50 s, the values of Migault et al.,
Current Biology 28:3723, 2018), taken at a tenth of the window and interpolated between.

A quotient means something only where F0 is well above its own uncertainty; of traces whose
background was taken off it is near zero, or below. Such cells get (F - F0) over their noise. The
difference between the two is the gain 1 / F0 alone: events, which are compared with each trace's
own noise, do not depend on a gain that is constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.preparing.calcium.condition import noise_of

BASELINE_S, BASELINE_PERCENT = 50.0, 10.0

LEAST_IN_NOISE, LEAST_IN_RISES = 10.0, 4.0
"""dF/F is taken where F0 is nowhere below so many times the noise, nor so many times what F0 rises
by from one window to the next (90th percentile). Bleaching only falls, and stays a matter of dF/F;
a rise is activity that the percentile took for a baseline. Of the traces of SpikeFinder's set 5 at
levels of 0 to 10 F0, those above both have the events of F - F0 to within 4.1 % (1 - F1, frame by
frame, each cell by itself); above the first alone it is 17 %, above neither up to 99 %
(proofs/spikefinder.py)."""

_RISES_PERCENT = 90.0
_ANCHORS_PER_WINDOW = 10
_NEURONS = 256


def sliding_baseline(
    frames: NDArray[np.float32],
    frame_s: float,
    *,
    window_s: float = BASELINE_S,
    percent: float = BASELINE_PERCENT,
) -> NDArray[np.float32]:
    """Return the low percentile of each trace in a window around each frame.

    Parameters
    ----------
    frames
        (frame, neuron) float32, one unbroken stretch of time; NaN where a value is missing.
    frame_s
        Seconds per frame.
    window_s
        Length of the window in seconds; at the ends it is cut.
    percent
        The percentile.

    Returns
    -------
    NDArray
        (frame, neuron) float32; NaN for a trace without any value.
    """
    count = len(frames)
    window = _window(count, frame_s, window_s)
    anchors = np.unique(np.r_[np.arange(0, count, _step(window)), count - 1])
    low = np.full((len(anchors), frames.shape[1]), np.nan, dtype=np.float32)
    for row, anchor in enumerate(anchors.tolist()):
        first = max(0, min(anchor - window // 2, count - window))
        part = frames[first : first + window]
        some = ~np.isnan(part).all(axis=0)
        if some.all():
            low[row] = np.nanpercentile(part, percent, axis=0)
        elif some.any():
            low[row, some] = np.nanpercentile(part[:, some], percent, axis=0)
    for column in np.flatnonzero(np.isnan(low).any(axis=0)).tolist():
        known = np.flatnonzero(~np.isnan(low[:, column]))
        if len(known):
            low[:, column] = np.interp(anchors, anchors[known], low[known, column])
    if len(anchors) == 1:
        return np.broadcast_to(low, frames.shape).copy()
    after = np.clip(np.searchsorted(anchors, np.arange(count), side="right"), 1, len(anchors) - 1)
    share = (np.arange(count) - anchors[after - 1]) / (anchors[after] - anchors[after - 1])
    weight = share.astype(np.float32)[:, None]
    between: NDArray[np.float32] = low[after - 1] + weight * (low[after] - low[after - 1])
    return between


def relative_change(
    frames: NDArray[np.float32],
    segment: NDArray[np.int32],
    frame_s: float,
    *,
    window_s: float = BASELINE_S,
    percent: float = BASELINE_PERCENT,
    background: float = 0.0,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return dF/F of fluorescence, and (F - F0) over the noise where that has no meaning.

    Parameters
    ----------
    frames
        (frame, neuron) float32; NaN where a value is missing.
    segment
        (frame,) segment of each frame; no baseline reaches over its edge.
    frame_s, window_s, percent
        As `sliding_baseline`.
    background
        Fluorescence where there is no cell, taken off the baseline.

    Returns
    -------
    tuple
        (frame, neuron) float32, and (neuron,) whether it is over the noise.
    """
    changes = np.empty_like(frames)
    over_noise = np.zeros(frames.shape[1], dtype=np.bool_)
    for one in _baselines(frames, segment, frame_s, window_s, percent, background):
        part = frames[:, one.mine]
        spread = np.nanstd(part, axis=0, dtype=np.float64)
        scale = np.where(one.noise > 0, one.noise, np.where(spread > 0, spread, 1.0))
        below = one.base - np.float32(background)
        with np.errstate(divide="ignore", invalid="ignore"):
            changes[:, one.mine] = (part - one.base) / np.where(
                one.low, scale.astype(np.float32), below
            )
        over_noise[one.mine] = one.low
    return changes, over_noise


def low_baselines(
    frames: NDArray[np.float32], segment: NDArray[np.int32], frame_s: float
) -> NDArray[np.bool_]:
    """Return which cells `relative_change` divides by their noise, (neuron,)."""
    low = np.zeros(frames.shape[1], dtype=np.bool_)
    for one in _baselines(frames, segment, frame_s, BASELINE_S, BASELINE_PERCENT, 0.0):
        low[one.mine] = one.low
    return low


@dataclass(frozen=True)
class _Baseline:
    """F0 of some neurons, their noise, and whether F0 is too low for a quotient."""

    mine: slice
    base: NDArray[np.float32]
    noise: NDArray[np.float64]
    low: NDArray[np.bool_]


def _baselines(
    frames: NDArray[np.float32],
    segment: NDArray[np.int32],
    frame_s: float,
    window_s: float,
    percent: float,
    background: float,
) -> Iterator[_Baseline]:
    first, length = stretches(segment)
    cuts = [(a, a + n) for a, n in zip(first.tolist(), length.tolist(), strict=True)]
    for begin in range(0, frames.shape[1], _NEURONS):
        mine = slice(begin, begin + _NEURONS)
        part = frames[:, mine]
        base = np.empty_like(part)
        rises = []
        for start, stop in cuts:
            low = sliding_baseline(part[start:stop], frame_s, window_s=window_s, percent=percent)
            base[start:stop] = low
            window = _window(stop - start, frame_s, window_s)
            rises.append(np.maximum(low[window:] - low[:-window], 0.0)[:: _step(window)])
        noise = noise_of(part)
        # a stretch without a value has no baseline, and no say
        lowest = np.where(np.isnan(base), np.inf, base).min(axis=0) - background
        rise = np.nan_to_num(np.concatenate(rises))
        rise = np.percentile(rise if len(rise) else np.zeros_like(base[:1]), _RISES_PERCENT, axis=0)
        enough = np.maximum(LEAST_IN_NOISE * noise, LEAST_IN_RISES * rise)
        yield _Baseline(mine, base, noise, ~((lowest > 0) & (lowest >= enough)))


def _window(frames: int, frame_s: float, window_s: float) -> int:
    return max(1, min(frames, round(window_s / frame_s)))


def _step(window: int) -> int:
    return max(1, window // _ANCHORS_PER_WINDOW)
