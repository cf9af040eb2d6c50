"""Writer of what a model says of every bin to NWB: time series of one processing module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.disk.files import atomic_hdf5
from boltzbrain.writers.nwb_file import TEXT, UNKNOWN_START, NwbFile

MODULE = "boltzbrain"
"""Name of the processing module."""


@dataclass(frozen=True)
class Series:
    """Values over time.

    Attributes
    ----------
    values
        (bin,) or (bin, column).
    unit
        Their unit.
    told
        What they are, in words.
    """

    values: NDArray[Any]
    unit: str
    told: str


def write_nwb_series(
    path: Path,
    times_s: NDArray[np.float64],
    series: Mapping[str, Series],
    *,
    description: str,
    name: str,
    notes: str,
) -> None:
    """Write series of one clock as /processing/boltzbrain, whole or not at all.

    Parameters
    ----------
    path
        The file, replaced if it is there.
    times_s
        (bin,) seconds.
    series
        Name to what it holds.
    description
        Of the session.
    name
        What the identifiers are made from.
    notes
        How it was made, kept in /scratch/boltzbrain_notes.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    with atomic_hdf5(path) as file:
        _Writer(file, name).write(times_s, series, description, notes)


class _Writer(NwbFile):
    def write(
        self,
        times_s: NDArray[np.float64],
        series: Mapping[str, Series],
        description: str,
        notes: str,
    ) -> None:
        self._begin(UNKNOWN_START, description)
        module = self.file["processing"].create_group(MODULE)
        self._mark(module, "ProcessingModule", description="what a model says of every bin")
        for name, one in series.items():
            group = module.create_group(name)
            self._mark(group, "TimeSeries", description=one.told, comments="no comments")
            data = group.create_dataset("data", data=one.values)
            data.attrs.update(unit=one.unit, conversion=1.0, offset=0.0, resolution=-1.0)
            times = group.create_dataset("timestamps", data=times_s)
            times.attrs.update(unit="seconds", interval=np.int32(1))
        text = self.file.create_dataset(f"scratch/{MODULE}_notes", data=notes, dtype=TEXT)
        self._mark(text, "ScratchData", notes="how the series were made, as JSON")
