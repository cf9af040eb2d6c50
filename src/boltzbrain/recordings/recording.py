"""What a file holds: neurons, regions, epochs and one kind of signal, whatever the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.foundations.checks import bad_input, has_shape

if TYPE_CHECKING:
    from boltzbrain.recordings.activity import Activity


@dataclass(frozen=True)
class SpikeTimes:
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


@dataclass(frozen=True)
class Traces:
    """Continuous signals such as dF/F.

    Attributes
    ----------
    frames
        (frame, neuron) float32.
    times
        (frame,) float64 seconds, ascending.
    kind
        "dff", "fluorescence", "deconvolved" or "unknown".
    """

    frames: NDArray[np.float32]
    times: NDArray[np.float64]
    kind: str = "unknown"

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


@dataclass(frozen=True)
class Binned:
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

UNSORTED = "spike trains out of order, sorted"
"""Where the reader counts them beside what it dropped; of these nothing is dropped."""


@dataclass(frozen=True)
class Source:
    """Where a recording came from.

    Attributes
    ----------
    format
        Name of the reader, e.g. "nwb".
    path
        The file or folder as given.
    sha256
        Hash of the file (of the main file of a folder), empty for objects in memory.
    options
        Options of the reader, and the count of units that each filter rule dropped under "dropped".
    """

    format: str
    path: str
    sha256: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One preprocessing step: its name and every option and count that belongs to it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Regions:
    """Membership of neurons in the regions of one atlas; a neuron may lie in several or none.

    Attributes
    ----------
    names
        One name per region, unique.
    membership
        Sparse (neuron, region) matrix of 0 and 1, uint8.
    hemisphere
        One of "left", "right", "" per region.
    """

    names: tuple[str, ...]
    membership: sparse.csr_array
    hemisphere: tuple[str, ...]

    @classmethod
    def from_labels(cls, labels: NDArray[np.str_] | list[str]) -> Regions:
        """Build the simple case, one label per neuron; an empty label is no region.

        Examples
        --------
        >>> regions = Regions.from_labels(["VISp", "CA1", "", "VISp"])
        >>> regions.names, regions.counts().tolist(), regions.labels().tolist()
        (('CA1', 'VISp'), [1, 2], ['VISp', 'CA1', '', 'VISp'])
        """
        text = np.asarray(labels, dtype=np.str_)
        names = sorted(set(text.tolist()) - {""})
        column = {name: number for number, name in enumerate(names)}
        rows = np.flatnonzero(text != "")
        columns = np.array([column[name] for name in text[rows].tolist()], dtype=np.int64)
        membership = sparse.csr_array(
            (np.ones(len(rows), dtype=np.uint8), (rows, columns)), shape=(len(text), len(names))
        )
        return cls(tuple(names), membership, ("",) * len(names))

    def counts(self) -> NDArray[np.int64]:
        """Return the number of neurons in each region, (region,)."""
        return np.asarray(self.membership.sum(axis=0, dtype=np.int64)).ravel()

    def labels(self) -> NDArray[np.str_]:
        """Return one name per neuron: its first region by number, "" where it has none."""
        result = [""] * self.membership.shape[0]
        indptr, indices = self.membership.indptr, self.membership.indices
        for neuron in range(len(result)):
            mine = indices[indptr[neuron] : indptr[neuron + 1]]
            if len(mine):
                result[neuron] = self.names[int(mine.min())]
        return np.asarray(result, dtype=np.str_)

    def select(self, neurons: NDArray[Any]) -> Regions:
        """Return the regions of the given neurons (indices or mask); every region is kept."""
        return Regions(self.names, sparse.csr_array(self.membership[neurons]), self.hemisphere)


EPOCH_COLUMNS = ("start_s", "stop_s", "label")


def no_epochs() -> pd.DataFrame:
    """Return an empty epochs table (start_s, stop_s in seconds, label)."""
    return pd.DataFrame(
        {
            "start_s": pd.Series(dtype=np.float64),
            "stop_s": pd.Series(dtype=np.float64),
            "label": pd.Series(dtype=object),
        }
    )


@dataclass(frozen=True)
class Recording:
    """One animal's recording: a table of neurons, their regions, epochs and one signal.

    Attributes
    ----------
    neurons
        One row per neuron: ``id`` (text), ``x_um``, ``y_um``, ``z_um`` (micrometres, NaN where
        unknown) and any quality columns of the file.
    regions
        Atlas name to `Regions`; empty where the file names none.
    signal
        `SpikeTimes`, `Traces` or `Binned`.
    epochs
        Table of ``start_s``, ``stop_s``, ``label``.
    source
        Where it came from.
    steps
        What was done to the signal since it was read, in order.
    """

    neurons: pd.DataFrame
    regions: Mapping[str, Regions]
    signal: Signal
    epochs: pd.DataFrame
    source: Source
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        """Refuse tables whose lengths disagree."""
        count = len(self.neurons)
        where = self.source.path
        if len(self.signal) != count:
            raise bad_input(
                "neurons",
                f"have one row per neuron of the signal ({len(self.signal)})",
                count,
                file=where,
            )
        for column in ("id", "x_um", "y_um", "z_um"):
            if column not in self.neurons.columns:
                raise bad_input(f"neurons.{column}", "be a column", "none", file=where)
        for atlas, regions in self.regions.items():
            if regions.membership.shape[0] != count:
                raise bad_input(
                    f"regions.{atlas}",
                    f"have one row per neuron ({count})",
                    regions.membership.shape[0],
                    file=where,
                )

    def __len__(self) -> int:
        """Return the number of neurons."""
        return len(self.neurons)

    def binarize(
        self,
        *,
        bin_ms: float | None = None,
        epochs: Sequence[str] | None = None,
        min_active_bins: int = 20,
        memory_limit_gb: float | None = None,
    ) -> Activity:
        """Return the binary activity of every neuron in bins of `bin_ms` milliseconds.

        The options, the rules and the errors are those of
        `boltzbrain.recordings.binning.binarize`.
        """
        from boltzbrain.recordings.binning import binarize

        return binarize(
            self,
            bin_ms=bin_ms,
            epochs=epochs,
            min_active_bins=min_active_bins,
            memory_limit_gb=memory_limit_gb,
        )

    def select(self, keep: NDArray[np.bool_]) -> Recording:
        """Return the recording of some neurons, (neuron,) bool; nothing else changes."""
        signal: Signal
        if isinstance(self.signal, SpikeTimes):
            lengths = np.diff(np.r_[0, self.signal.index])
            signal = replace(
                self.signal,
                times=self.signal.times[np.repeat(keep, lengths)],
                index=np.cumsum(lengths[keep]).astype(np.int64),
            )
        elif isinstance(self.signal, Traces):
            signal = replace(self.signal, frames=self.signal.frames[:, keep])
        else:
            signal = replace(self.signal, counts=self.signal.counts[:, keep])
        return replace(
            self,
            neurons=self.neurons[keep].reset_index(drop=True),
            regions={atlas: one.select(keep) for atlas, one in self.regions.items()},
            signal=signal,
        )

    def mend(
        self,
        *what: str,
        bin_ms: float | None = None,
        epochs: Sequence[str] | None = None,
        memory_limit_gb: float | None = None,
    ) -> Recording:
        """Return this recording with the named faults mended.

        The options, the rules and the errors are those of `boltzbrain.recordings.mending.mend`.
        """
        from boltzbrain.recordings.mending import mend

        return mend(self, what, bin_ms=bin_ms, epochs=epochs, memory_limit_gb=memory_limit_gb)

    def deconvolve(self, **options: Any) -> Recording:
        """Return this recording with its calcium traces turned into binary states.

        The options, the rules and the errors are those of
        `boltzbrain.recordings.calcium.deconvolve`.
        """
        from boltzbrain.recordings.calcium import deconvolve

        return deconvolve(self, **options)


def neuron_table(
    ids: list[str] | NDArray[Any],
    xyz_um: NDArray[Any] | None = None,
    quality: Mapping[str, NDArray[Any]] | None = None,
) -> pd.DataFrame:
    """Build the neurons table of a `Recording`.

    Parameters
    ----------
    ids
        (neuron,) names, turned into text.
    xyz_um
        (neuron, 3) positions in micrometres; NaN where None.
    quality
        Further columns, (neuron,) each.
    """
    count = len(ids)
    xyz = np.full((count, 3), np.nan) if xyz_um is None else np.asarray(xyz_um, dtype=np.float64)
    table: dict[str, Any] = {
        "id": [str(name) for name in ids],
        "x_um": xyz[:, 0],
        "y_um": xyz[:, 1],
        "z_um": xyz[:, 2],
    }
    table.update(quality or {})
    return pd.DataFrame(table)
