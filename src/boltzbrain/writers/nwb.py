"""Writer of NWB files (version 2) by h5py: units with spike times, where they lie, epochs, trials.

Series beside the neurons go to /processing/behavior, without the rule by which bins take them.

Positions go to the electrodes table, one electrode per neuron; x, y, z in micrometres as the
recording has them. Of regions the first region of each neuron is written, so an atlas with
overlapping regions or with hemispheres is refused. What was done to the recording goes to
/scratch/boltzbrain_steps.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.trials import NWB_OURS
from boltzbrain.data.recording import Recording
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import SpikeTimes
from boltzbrain.data.steps import NWB_FORMAT, NWB_NAME, steps_text
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import atomic_hdf5
from boltzbrain.writers.nwb_file import TEXT, UNKNOWN_START, NwbFile

_OWN_COLUMNS = ("id", "x_um", "y_um", "z_um")


def write_nwb(
    path: str | os.PathLike[str],
    recording: Recording,
    *,
    session_start: dt.datetime = UNKNOWN_START,
    description: str = "spike times written by boltzbrain",
    overwrite: bool = False,
) -> Path:
    """Write the spike times of a recording as NWB.

    Parameters
    ----------
    path
        Where to write; the name is taken as it is.
    recording
        A recording with `SpikeTimes`.
    session_start
        When the recording began, with a time zone; the start of 1970 stands for unknown, since the
        format demands a date.
    description
        The session's description.
    overwrite
        Whether a file at `path` may be replaced.

    Returns
    -------
    Path
        The file, whole: it is written beside `path` and renamed.

    Raises
    ------
    InputError
        If there is a file already, the recording has no spike times, regions overlap or have
        hemispheres, or the disk refuses.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise bad_input(
            "the file", "not be there yet, or overwrite=True be given", "a file", file=target
        )
    if not isinstance(recording.signal, SpikeTimes):
        raise bad_input(
            "the recording",
            "have spike times to be written as NWB (binned data go to npz)",
            type(recording.signal).__name__,
            file=target,
        )
    if session_start.tzinfo is None:
        raise bad_input("session_start", "have a time zone", session_start, file=target)
    for atlas, regions in recording.regions.items():
        _check_regions(atlas, regions, target)
    with atomic_hdf5(target) as file:
        _Writer(file, recording, target.name).write(session_start, description)
    return target


def _check_regions(atlas: str, regions: Regions, target: Path) -> None:
    several = int(regions.membership.sum(axis=1).max()) > 1 if regions.membership.nnz else False
    if several or any(regions.hemisphere):
        raise bad_input(
            f"regions.{atlas}",
            "have one region per neuron and no hemispheres, for NWB",
            "overlapping regions" if several else "hemispheres",
            file=target,
        )


class _Writer(NwbFile):
    """Writes one recording into one open file."""

    def __init__(self, file: h5py.File, recording: Recording, name: str) -> None:
        # the same recording gives the same identifiers, so that files can be compared
        super().__init__(file, f"{name}:{recording.source.sha256}")
        self.recording = recording

    def write(self, session_start: dt.datetime, description: str) -> None:
        self._begin(session_start, description)
        groups = self._groups()
        electrodes = self._electrodes(groups)
        self._units(electrodes)
        if len(self.recording.epochs):
            self._epochs()
        if len(self.recording.trials):
            self._trials()
        if self.recording.covariates:
            self._covariates()
        if self.recording.steps:
            self._steps()

    def _groups(self) -> list[h5py.Group]:
        """Write one electrode group per probe; return the group of each neuron."""
        device = self.file.create_group("general/devices/probe")
        self._mark(device, "Device")
        neurons = self.recording.neurons
        names = ["neurons"] * len(neurons)
        if self._has_probes():
            names = [str(name) or "unknown" for name in neurons["probe"]]
        made: dict[str, h5py.Group] = {}
        parent = self.file.create_group("general/extracellular_ephys")
        for name in names:
            if name not in made:
                group = parent.create_group(name.replace("/", "_"))
                self._mark(group, "ElectrodeGroup", description=name, location="unknown")
                group["device"] = h5py.SoftLink(device.name)
                made[name] = group
        return [made[name] for name in names]

    def _has_probes(self) -> bool:
        return "probe" in self.recording.neurons and self.recording.neurons["probe"].nunique() > 1

    def _electrodes(self, groups: list[h5py.Group]) -> h5py.Group:
        neurons, regions = self.recording.neurons, dict(self.recording.regions)
        table = self.file.create_group("general/extracellular_ephys/electrodes")
        axes = {axis: neurons[f"{axis}_um"].to_numpy(dtype=np.float64) for axis in "xyz"}
        columns = ["location", "group", "group_name", *axes]
        main = "ccf" if "ccf" in regions else next(iter(regions), "")
        labels = regions.pop(main).labels() if main else np.full(len(neurons), "", dtype=np.str_)
        told = f"brain region of the neuron (atlas: {main})" if main else "brain region, not known"
        self._column(table, "location", labels, told)
        for atlas, others in regions.items():
            name = f"{atlas}_location"
            self._column(table, name, others.labels(), f"brain region of the neuron in {atlas}")
            columns.append(name)
        for axis, values in axes.items():
            self._column(table, axis, values, "position of the neuron in micrometres")
        group = table.create_dataset(
            "group", data=[one.ref for one in groups], dtype=h5py.ref_dtype
        )
        self._mark(group, "VectorData", "hdmf-common", description="electrode group")
        names = [one.attrs["description"] for one in groups]
        self._column(table, "group_name", np.array(names, dtype=np.str_), "name of the group")
        self._table(table, "DynamicTable", "one electrode per neuron", columns, len(neurons))
        return table

    def _units(self, electrodes: h5py.Group) -> None:
        signal, neurons = self.recording.signal, self.recording.neurons
        assert isinstance(signal, SpikeTimes)
        count = len(neurons)
        table = self.file.create_group("units")
        self._column(table, "spike_times", signal.times, "spike times in seconds")
        self._index(table, "spike_times", signal.index)
        stretches = signal.stretches()
        window = np.tile(stretches, (count, 1))
        self._column(table, "obs_intervals", window, "the recorded interval in seconds")
        self._index(table, "obs_intervals", len(stretches) * np.arange(1, count + 1))
        region = self._column(
            table,
            "electrodes",
            np.arange(count),
            "electrode of the neuron",
            kind="DynamicTableRegion",
        )
        region.attrs["table"] = electrodes.ref
        self._index(table, "electrodes", np.arange(1, count + 1))
        columns = ["spike_times", "obs_intervals", "electrodes"]
        skip = (*_OWN_COLUMNS, *(["probe"] if self._has_probes() else []))
        for name in [str(column) for column in neurons.columns if column not in skip]:
            self._column(table, name, _plain(neurons[name]), "property of the neuron")
            columns.append(name)
        ids = neurons["id"].tolist()
        numbers = _as_numbers(ids)
        if numbers is None:
            self._column(table, "neuron_id", np.array(ids, dtype=np.str_), "name of the neuron")
            columns.append("neuron_id")
        self._table(
            table, "Units", "neurons with their spike times", columns, count, "core", numbers
        )

    def _epochs(self) -> None:
        epochs = self.recording.epochs
        table = self.file.create_group("intervals/epochs")
        for ours, theirs in (("start_s", "start_time"), ("stop_s", "stop_time")):
            values = epochs[ours].to_numpy(dtype=np.float64)
            self._column(table, theirs, values, f"{theirs} of the epoch in seconds")
        self._column(table, "tags", np.array(epochs["label"].tolist(), dtype=np.str_), "label")
        self._index(table, "tags", np.arange(1, len(epochs) + 1))
        self._table(
            table,
            "TimeIntervals",
            "epochs of the recording",
            ["start_time", "stop_time", "tags"],
            len(epochs),
            "core",
        )

    def _trials(self) -> None:
        trials = self.recording.trials
        table = self.file.create_group("intervals/trials")
        table.attrs[NWB_OURS] = "yes"
        names = {"start_s": "start_time", "stop_s": "stop_time"}
        columns = []
        for column in map(str, trials.columns):
            name = names.get(column, column.replace("/", "_"))
            self._column(table, name, _plain(trials[column]), f"{name} of the trial")
            columns.append(name)
        told = "trials of the recording"
        self._table(table, "TimeIntervals", told, columns, len(trials), "core")

    def _covariates(self) -> None:
        module = self.file.create_group("processing/behavior")
        self._mark(module, "ProcessingModule", description="series beside the neurons")
        for name, one in self.recording.covariates.items():
            group = module.create_group(name.replace("/", "_"))
            self._mark(group, "TimeSeries", description=name, comments="no comments")
            data = group.create_dataset("data", data=one.values)
            data.attrs.update(
                {"unit": one.unit or "unknown", "conversion": 1.0, "resolution": -1.0}
            )
            times = group.create_dataset("timestamps", data=one.times)
            times.attrs.update({"unit": "seconds", "interval": np.int32(1)})

    def _steps(self) -> None:
        text = steps_text(self.recording.steps)
        dataset = self.file.create_dataset(f"scratch/{NWB_NAME}", data=text, dtype=TEXT)
        told = "what was done to the recording before it was written, as JSON"
        self._mark(dataset, "ScratchData", notes=told, **NWB_FORMAT.told)


def _plain(column: pd.Series[Any]) -> NDArray[Any]:
    """Return a column as numbers, booleans or text."""
    values = column.to_numpy()
    if values.dtype.kind in "biuf":
        return np.asarray(values)
    words = ["" if value is None or value != value else str(value) for value in values.tolist()]
    return np.array(words, dtype=np.str_)


def _as_numbers(ids: list[str]) -> NDArray[np.int64] | None:
    """Return the names as whole numbers if that loses nothing."""
    try:
        numbers = [int(name) for name in ids]
    except ValueError:
        return None
    small = all(-(2**63) <= number < 2**63 for number in numbers)
    exact = [str(number) for number in numbers] == ids and len(set(numbers)) == len(numbers)
    return np.array(numbers, dtype=np.int64) if small and exact else None
