"""What a model says of every bin of a recording, and the files that keep it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.foundations.checks import Undefined, has_shape
from boltzbrain.foundations.disk.files import FileFormat, atomic_write
from boltzbrain.foundations.disk.folders import new_file
from boltzbrain.foundations.disk.hdf5_tables import plain
from boltzbrain.writers.nwb_series import Series, write_nwb_series

FORMAT = FileFormat("boltzbrain transform", names=("format", "format_version"))
ENDINGS = (".npz", ".csv", ".nwb")


@dataclass(frozen=True, eq=False)
class Transformed:
    """What a model says of every bin of a recording.

    Attributes
    ----------
    times_s
        (bin,) float64 start of each bin in seconds, as the recording tells the time.
    segment
        (bin,) int32; bins with one number are contiguous in time.
    bin_width_s
        Seconds per bin.
    hidden
        (bin, hidden) float32, the mean of every hidden unit given the neurons, and the context of
        the bin where the model has one.
    log_probability
        (bin,) float64 log P(v) in nats, given the context; `Undefined` where neurons are missing.
    facts
        In the types of JSON: run, update, recording, neurons ``matched`` and ``missing``,
        ``log_partition`` with ``log_partition_stderr`` (an error that all bins share) and
        ``log_partition_from``, the file that it stands in, and the steps of the preparation. With
        ``context``, whose name it holds, log Z is the mean over bins, and its error that of it.
    states
        (bin, state) float32 probability of each hidden state given the bins so far, this one among
        them; None where the model has none.
    """

    times_s: NDArray[np.float64]
    segment: NDArray[np.int32]
    bin_width_s: float
    hidden: NDArray[np.float32]
    log_probability: NDArray[np.float64] | Undefined
    facts: Mapping[str, Any]
    states: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that disagree."""
        for name in ("times_s", "segment", "log_probability"):
            values = getattr(self, name)
            if not isinstance(values, Undefined):
                has_shape(name, values, (len(self.hidden),))
        if self.states is not None:
            has_shape("states", self.states, (len(self.hidden), None))

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.hidden)

    @property
    def series(self) -> dict[str, Series]:
        """What there is per bin, by name: what every file of it holds."""
        found = {"hidden": Series(self.hidden, "1", "mean of every hidden unit given the neurons")}
        if self.states is not None:
            told = "probability of every hidden state given the bins so far"
            found["states"] = Series(self.states, "1", told)
        if not isinstance(self.log_probability, Undefined):
            found["log_probability"] = Series(
                self.log_probability, "nats", "log-probability of the pattern of the neurons"
            )
        return found

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per bin: time_s, segment, log_probability, hidden_0, hidden_1, ..."""
        columns: dict[str, Any] = {"time_s": self.times_s, "segment": self.segment}
        # those of one column first
        for name, one in sorted(self.series.items(), key=lambda item: item[1].values.ndim):
            if one.values.ndim == 1:
                columns[name] = one.values
            else:
                columns |= {f"{name}_{unit}": row for unit, row in enumerate(one.values.T)}
        return pd.DataFrame(columns)

    def save(self, path: str | Path) -> Path:
        """Write an npz, csv or NWB file, by the ending of its name.

        Raises
        ------
        InputError
            If the ending is another, the file exists or cannot be written.
        """
        target = new_file("output file", path, ENDINGS)
        ending = target.suffix.lower()
        notes = json.dumps(plain(dict(self.facts)), allow_nan=False)
        if ending == ".csv":
            with atomic_write(target) as temporary:
                self.to_dataframe().to_csv(temporary, index=False)
        elif ending == ".npz":
            arrays: dict[str, Any] = {
                **{name: np.array(value) for name, value in FORMAT.told.items()},
                "times_s": self.times_s,
                "segment": self.segment,
                "bin_width_s": np.float64(self.bin_width_s),
                **{name: one.values for name, one in self.series.items()},
                "facts": np.array(notes),
            }
            with atomic_write(target) as temporary, temporary.open("wb") as handle:
                np.savez_compressed(handle, allow_pickle=False, **arrays)
        else:
            write_nwb_series(
                target,
                self.times_s,
                {**self.series, "segment": Series(self.segment, "1", "number of the segment")},
                description=f"what the model of {self.facts['run']} says of every bin",
                name=f"{target.name}:{self.facts['run_id']}:{self.facts['recording_sha256']}",
                notes=notes,
            )
        return target
