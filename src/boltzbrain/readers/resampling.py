"""Traces that were sampled at other times, brought to common ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def at_common_times(
    frames: NDArray[np.float32],
    times: NDArray[np.float64],
    common: NDArray[np.float64],
    *,
    in_place: bool = False,
) -> NDArray[np.float32]:
    """Interpolate traces linearly to other times, as van der Plas et al. (2023) align planes.

    Parameters
    ----------
    frames
        (frame, neuron) float32.
    times
        (frame,) seconds at which they were sampled, ascending.
    common
        (time,) seconds wanted, ascending; before the first and after the last frame the value stays
        that of the nearest.
    in_place
        Whether the frames, as many as there are times wanted, may be overwritten.

    Returns
    -------
    NDArray
        (time, neuron) float32; the frames themselves where the times are the same.
    """
    if len(frames) < 2 or np.array_equal(times, common):
        return frames
    after = np.clip(np.searchsorted(times, common, side="right"), 1, len(times) - 1)
    before = after - 1
    share = (common - times[before]) / (times[after] - times[before])
    share = np.clip(share, 0.0, 1.0).astype(np.float32)
    shape = (len(common), frames.shape[1])
    result = frames if in_place and frames.shape == shape else np.empty(shape, dtype=np.float32)
    for neuron in range(frames.shape[1]):
        trace = frames[:, neuron]
        result[:, neuron] = trace[before] + share * (trace[after] - trace[before])
    return result
