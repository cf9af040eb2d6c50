"""From fluorescence to dF/F: a sliding baseline that follows bleaching and drift.

dF/F = (F - baseline) / (baseline - background), as van der Plas et al. (eLife 83139, 2023, Methods)
normalise each neuron. The baseline is a low percentile in a sliding window (10 % in 50 s, the
values of Migault et al., Current Biology 28:3723, 2018), taken at a tenth of the window and
interpolated between.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BASELINE_S, BASELINE_PERCENT = 50.0, 10.0
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
        (frame, neuron) float32, one unbroken stretch of time.
    frame_s
        Seconds per frame.
    window_s
        Length of the window in seconds; at the ends it is cut.
    percent
        The percentile.

    Returns
    -------
    NDArray
        (frame, neuron) float32.
    """
    count = len(frames)
    window = max(1, min(count, round(window_s / frame_s)))
    step = max(1, window // _ANCHORS_PER_WINDOW)
    anchors = np.unique(np.r_[np.arange(0, count, step), count - 1])
    low = np.empty((len(anchors), frames.shape[1]), dtype=np.float32)
    for row, anchor in enumerate(anchors.tolist()):
        first = max(0, min(anchor - window // 2, count - window))
        low[row] = np.nanpercentile(frames[first : first + window], percent, axis=0)
    if len(anchors) == 1:
        return np.broadcast_to(low, frames.shape).copy()
    after = np.clip(np.searchsorted(anchors, np.arange(count), side="right"), 1, len(anchors) - 1)
    share = (np.arange(count) - anchors[after - 1]) / (anchors[after] - anchors[after - 1])
    weight = share.astype(np.float32)[:, None]
    between: NDArray[np.float32] = low[after - 1] + weight * (low[after] - low[after - 1])
    return between


def relative_change(
    frames: NDArray[np.float32],
    frame_s: float,
    *,
    window_s: float = BASELINE_S,
    percent: float = BASELINE_PERCENT,
    background: float = 0.0,
) -> NDArray[np.float32]:
    """Return dF/F of fluorescence, (frame, neuron) float32; 0 where the baseline is not above 0.

    Parameters
    ----------
    frames, frame_s, window_s, percent
        As `sliding_baseline`.
    background
        Fluorescence where there is no cell, taken off the baseline.
    """
    result = np.empty_like(frames)
    for first in range(0, frames.shape[1], _NEURONS):
        mine = slice(first, first + _NEURONS)
        part = frames[:, mine]
        base = sliding_baseline(part, frame_s, window_s=window_s, percent=percent)
        below = base - np.float32(background)
        with np.errstate(divide="ignore", invalid="ignore"):
            result[:, mine] = np.where(below > 0, (part - base) / below, 0.0)
    return result
