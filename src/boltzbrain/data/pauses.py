"""Where the frames of a recording pause, told by their times alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PAUSE_FRAMES = 1.5
"""A step longer than this many frames is a pause: a frame is missing, and a segment ends."""


def frames_and_segments(
    times: NDArray[np.float64], frame_s: float | None = None
) -> tuple[float, NDArray[np.int32]]:
    """Return the frame length in seconds and the segment of each frame, new after each pause.

    Parameters
    ----------
    times
        (frame,) seconds, ascending.
    frame_s
        The frame length; the median step if None, and 1 s of one frame.

    Examples
    --------
    >>> width, segment = frames_and_segments(np.array([0.0, 0.5, 1.0, 2.0, 2.5]))
    >>> width, segment.tolist()
    (0.5, [0, 0, 0, 1, 1])
    """
    steps = np.diff(times)
    width = frame_s or (float(np.median(steps)) if len(steps) else 1.0)
    return width, np.r_[0, np.cumsum(steps > PAUSE_FRAMES * width)].astype(np.int32)
