"""What was measured: spike times, traces, or states in bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape
from boltzbrain.foundations.showing.told import Brief


@dataclass(frozen=True, repr=False)
class SpikeTimes(Brief):
    """Spike trains in seconds, all neurons in one flat array.

    Attributes
    ----------
    times
        (spike,) float64 seconds, ascending within each neuron.
    index
        (neuron,) int64, end of each neuron's stretch: neuron u is ``times[index[u-1]:index[u]]``.
    start_s, stop_s
        The recorded interval in seconds.
    recorded
        (stretch, 2) float64 start and stop of each stretch recorded without a pause, ascending;
        None where the whole interval was.
    """

    times: NDArray[np.float64]
    index: NDArray[np.int64]
    start_s: float
    stop_s: float
    recorded: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Refuse an index that does not cut the spike times into one stretch per neuron."""
        has_shape("spike_times", self.times, (None,))
        has_shape("spike_times_index", self.index, (None,))
        ends = np.r_[0, self.index]
        if (np.diff(ends) < 0).any() or int(ends[-1]) != len(self.times):
            raise bad_input(
                "spike_times_index",
                f"ascend to the number of spikes ({len(self.times)})",
                f"a last value of {int(ends[-1])}"
                if int(ends[-1]) != len(self.times)
                else "a value below the one before",
            )
        if self.recorded is not None:
            has_shape("recorded", self.recorded, (None, 2))
            edges = self.recorded.ravel()
            whole = np.r_[self.start_s, edges, self.stop_s]
            if not ((np.diff(whole) >= 0).all() and (edges[1::2] > edges[::2]).all()):
                raise bad_input(
                    "recorded",
                    "hold ascending stretches within the recorded interval",
                    "stretches that overlap, have no length or lie outside",
                )

    def stretches(self) -> NDArray[np.float64]:
        """Return start and stop of every recorded stretch in seconds, (stretch, 2)."""
        if self.recorded is None:
            return np.array([[self.start_s, self.stop_s]])
        return self.recorded

    def train(self, neuron: int) -> NDArray[np.float64]:
        """Return the spike times of one neuron in seconds."""
        first = int(self.index[neuron - 1]) if neuron > 0 else 0
        return self.times[first : int(self.index[neuron])]

    def __len__(self) -> int:
        """Return the number of neurons."""
        return len(self.index)


@dataclass(frozen=True, repr=False)
class Traces(Brief):
    """Continuous signals such as dF/F.

    Attributes
    ----------
    frames
        (frame, neuron) float32.
    times
        (frame,) float64 seconds, ascending.
    kind
        "dff", "fluorescence", "deconvolved" or "unknown".
    frame_s
        Seconds per frame as they were told; None where only the times tell them.
    """

    frames: NDArray[np.float32]
    times: NDArray[np.float64]
    kind: str = "unknown"
    frame_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse times of another length than the frames."""
        has_shape("frames", self.frames, (None, None))
        has_shape("times", self.times, (self.frames.shape[0],))

    def __len__(self) -> int:
        """Return the number of neurons."""
        return int(self.frames.shape[1])

    @property
    def words(self) -> str:
        """What they are, for messages: "dff traces", or "traces" where the kind is unknown."""
        return "traces" if self.kind == "unknown" else f"{self.kind} traces"


@dataclass(frozen=True, repr=False)
class Binned(Brief):
    """Counts or states that were already binned.

    Attributes
    ----------
    counts
        (bin, neuron) uint8; states if no value exceeds 1.
    bin_width_s
        Seconds per bin.
    segment
        (bin,) int32; bins with one number are contiguous in time.
    times
        (bin,) float64, start of each bin in seconds, within its segment.
    saturated
        Entries of the file above 255 that were stored as 255.
    """

    counts: NDArray[np.uint8]
    bin_width_s: float
    segment: NDArray[np.int32]
    times: NDArray[np.float64]
    saturated: int = 0

    def __post_init__(self) -> None:
        """Refuse segments or times of another length than the counts."""
        has_shape("counts", self.counts, (None, None))
        has_shape("segment", self.segment, (self.counts.shape[0],))
        has_shape("times", self.times, (self.counts.shape[0],))

    def __len__(self) -> int:
        """Return the number of neurons."""
        return int(self.counts.shape[1])


Signal = SpikeTimes | Traces | Binned
