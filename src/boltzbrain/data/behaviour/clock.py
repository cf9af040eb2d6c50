"""One clock for all segments of a recording, also where the time starts again in each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.pauses import frames_and_segments
from boltzbrain.data.signals import Signal, SpikeTimes, Traces

_ROUNDING = 1e-6
# between two segments, so that nothing of one is taken for the next
_PAUSE_S = 1.0


@dataclass(frozen=True)
class SegmentClock:
    """When each segment of a recording was, by its own times.

    Attributes
    ----------
    number
        (segment,) int32 numbers, in the order of the recording.
    start_s, stop_s
        (segment,) float64 seconds, as the recording tells the time.
    ascends
        Whether these times ascend from segment to segment, so that a time tells its segment.
    """

    number: NDArray[np.int32]
    start_s: NDArray[np.float64]
    stop_s: NDArray[np.float64]
    ascends: bool

    @classmethod
    def of(cls, signal: Signal) -> SegmentClock:
        """Return the clock of a signal; of spike times a segment is a recorded stretch."""
        if isinstance(signal, SpikeTimes):
            start, stop = signal.stretches().T
            return cls(np.arange(len(start), dtype=np.int32), start, stop, True)
        if isinstance(signal, Traces):
            width, segment = frames_and_segments(signal.times, signal.frame_s)
        else:
            width, segment = signal.bin_width_s, signal.segment
        first, length = stretches(segment)
        start = signal.times[first].astype(np.float64)
        stop = signal.times[first + length - 1].astype(np.float64) + width
        ascends = bool((np.diff(signal.times) > 0).all())
        return cls(segment[first].astype(np.int32), start, stop, ascends)

    @property
    def moved_s(self) -> NDArray[np.float64]:
        """(segment,) seconds to add to the times of each, so that all of them ascend."""
        if self.ascends:
            return np.zeros(len(self.number))
        length = self.stop_s - self.start_s + _PAUSE_S
        moved: NDArray[np.float64] = np.cumsum(length) - length - self.start_s
        return moved

    def place(
        self,
        times: NDArray[np.float64],
        segment: NDArray[np.int32] | None,
        *,
        ends: bool = False,
    ) -> NDArray[np.float64]:
        """Return times on the one clock, NaN outside of the segment that is told.

        Parameters
        ----------
        times
            Seconds, as the recording tells the time.
        segment
            The segment of each; None where the times alone tell it.
        ends
            A time that lies outside is moved to the nearer end of the segment, not to NaN.

        Examples
        --------
        >>> clock = SegmentClock(np.array([3, 4]), np.zeros(2), np.array([0.4, 0.4]), False)
        >>> clock.place(np.array([0.1, 0.1, 0.5]), np.array([3, 4, 4])).tolist()
        [0.1, 1.5, nan]
        """
        if segment is None:
            return np.asarray(times, dtype=np.float64)
        order = np.argsort(self.number, kind="stable")
        at = np.minimum(np.searchsorted(self.number[order], segment), len(order) - 1)
        row = order[at]
        start, stop = self.start_s[row], self.stop_s[row]
        inside = self.number[row] == segment
        if ends:
            times = np.clip(times, start, stop)
        else:
            inside &= (times >= start - _ROUNDING) & (times <= stop + _ROUNDING)
        placed: NDArray[np.float64] = np.where(inside, times + self.moved_s[row], np.nan)
        return placed
