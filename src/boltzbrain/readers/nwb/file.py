"""Reader of NWB files with units (Allen, IBL, Steinmetz, plain ones) or calcium traces, by h5py.

Only what a recording needs is read: waveforms and everything else that is large stays in the file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.losses import Loss, stored
from boltzbrain.data.recording import Recording, neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Signal
from boltzbrain.data.steps import NWB_FORMAT, NWB_NAME, Source, Step, parse_steps
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.readers.containers.hdf5 import (
    attribute_value,
    child_dataset,
    child_group,
    open_hdf5,
    read_text,
    reading,
)
from boltzbrain.readers.containers.remote import is_address
from boltzbrain.readers.containers.signatures import as_hdf5
from boltzbrain.readers.containers.zarr_store import is_zarr, main_file, open_zarr
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.nwb.behaviour import read_series, read_trials
from boltzbrain.readers.nwb.calcium import (
    Series,
    checked_kind,
    choose_series,
    find_series,
    open_rois,
    read_traces,
    region_of_plane,
    shape_of,
)
from boltzbrain.readers.nwb.epochs import read_epochs
from boltzbrain.readers.nwb.masks import centres
from boltzbrain.readers.nwb.observed import WAYS
from boltzbrain.readers.nwb.regions import UNIT_COLUMNS, Places, find_places
from boltzbrain.readers.nwb.spikes import read_spikes
from boltzbrain.readers.nwb.table import DynamicTable
from boltzbrain.readers.units import AREA, VALID_CHANNEL, apply_rules, rules_of

# columns that are no property of a unit, or that the recording holds elsewhere
_NOT_QUALITY = frozenset(
    {
        "id",
        "spike_times",
        "spike_times_index",
        "obs_intervals",
        "electrodes",
        "max_electrode",
        "electrode_group",
        "x_um",
        "y_um",
        "z_um",
        "waveform_mean",
        "waveform_sd",
        "waveforms",
        "neuron_id",
    }
)
_NAME_COLUMNS = ("neuron_id", "unit_name")


def read_nwb(
    path: str | os.PathLike[str],
    *,
    units: str = "none",
    observed: str = "any",
    signal: str | None = None,
    values: str | None = None,
    bin_width_s: float | None = None,
) -> Recording:
    """Read the spike times of an NWB file, or its calcium traces.

    Parameters
    ----------
    path
        The file (NWB 2), opened read-only: HDF5, also by its address on a web server, or the folder
        of a zarr store.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`), or several joined by "+".
    observed
        What counts as recorded where units were observed at different times (``obs_intervals``):
        "any" is the whole of it, and a unit counts as silent where it was not observed; "common"
        is the time common to all units.
    signal
        Which series of calcium traces, by its name or path; of one that holds no spike times it may
        be left out where the file has one of dF/F, else one of fluorescence or deconvolved.
    values
        What the series holds, if its name and container do not tell: "dff", "fluorescence" or
        "deconvolved".
    bin_width_s
        Seconds per frame of the series, whatever else tells them (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `SpikeTimes`, or `Traces` with the columns of the segmentation in ``neurons``, the centre of
        each mask in pixels, and the region of the imaging plane. Epochs of the interval tables as
        `boltzbrain.readers.nwb.epochs` tells, trials and series as
        `boltzbrain.readers.nwb.behaviour` does; positions in micrometres
        along x anterior-posterior, y dorsal-ventral, z left-right, the axis order of the Allen
        common coordinate framework;
        regions in the atlas "ccf", for IBL in "beryl" and "cosmos" as well.
        ``source.options["dropped"]`` counts the units that each rule of the filter dropped; what
        else was lost stands under "losses".

    Raises
    ------
    InputError
        If the file is missing, damaged, or has neither units with spike times nor calcium traces,
        an option means nothing for what it has, or the filter is unknown, needs a column that the
        file lacks, or leaves no unit.

    References
    ----------
    Rübel et al., "The Neurodata Without Borders ecosystem for neurophysiological data science",
    eLife 11:e78362 (2022).
    """
    rules_of(units)
    one_of("observed", observed, WAYS)
    store = Path(path)
    zarr = not is_address(path) and is_zarr(store)
    found = main_file(store) if zarr else as_hdf5(path)
    where = str(store) if zarr else str(found)
    left_out: list[str] = []
    with open_zarr(store, left_out) if zarr else open_hdf5(found) as file:
        # a file of spikes is searched for traces where the user asks for one
        spikes = signal is None and _has_spikes(file, where)
        series = [] if spikes else find_series(file, where)
        if series or signal is not None:
            _refuse("observed", observed, "any", where)
            parts = _calcium(file, series, units, signal, values, bin_width_s, where)
        else:
            for name, given in (("values", values), ("bin_width_s", bin_width_s)):
                _refuse(name, given, None, where)
            parts = _spikes(file, units, observed, where)
        epochs, lost = read_epochs(file, where)
        trials = read_trials(file, where)
        covariates, skipped = read_series(file, where, remote=is_address(path))
        steps = _steps(file, where)
    options = {**parts.options, **stored([*parts.losses, *lost])}
    if skipped:
        options["series_left_out"] = skipped
    if left_out:
        options["left_out"] = left_out
    return Recording(
        neurons=parts.neurons,
        regions=parts.regions,
        signal=parts.signal,
        epochs=epochs,
        source=Source("nwb", where, fingerprint(found, parts.signal), options),
        steps=steps,
        covariates=covariates,
        trials=trials,
    )


@dataclass(frozen=True)
class _Parts:
    """What spikes and traces tell of a recording, each in their way."""

    neurons: pd.DataFrame
    regions: dict[str, Regions]
    signal: Signal
    options: dict[str, Any]
    losses: list[Loss]


def _refuse(name: str, given: Any, default: Any, where: str) -> None:
    if given != default:
        kind = "calcium traces" if name == "observed" else "spike times"
        raise bad_input(name, f"be left out for {kind}", given, file=where)


def _spikes(file: h5py.File, units: str, observed: str, where: str) -> _Parts:
    table = _units_table(file, where)
    places = find_places(table, _electrodes_table(file, where))
    quality = _quality(table)
    offered = {AREA: np.asarray(places.main_labels(), dtype=object), **quality}
    if places.valid is not None:
        offered[VALID_CHANNEL] = places.valid
    keep, dropped = apply_rules(units, offered, table.rows, file=where)
    signal, losses = read_spikes(table, keep, way=observed)
    probes = _probes(places, keep, quality)
    neurons = neuron_table(
        [name for name, kept in zip(_names(table), keep.tolist(), strict=True) if kept],
        places.xyz_um[keep],
        {**{column: values[keep] for column, values in quality.items()}, **probes},
    )
    options = {"units": units, "dropped": dropped, **places.found}
    return _Parts(neurons, places.regions(keep), signal, options, losses)


def _calcium(
    file: h5py.File,
    every: list[Series],
    units: str,
    wanted: str | None,
    values: str | None,
    bin_width_s: float | None,
    where: str,
) -> _Parts:
    series = choose_series(every, wanted, where)
    kind = checked_kind(values, series, where)
    table, rows = open_rois(file, series, where)
    data, axes, count = shape_of(series, None if table is None else len(rows), where)
    columns: dict[str, NDArray[Any]] = {}
    label = ""
    names = [str(number) for number in range(count)]
    if table is not None:
        columns = {name: values[rows] for name, values in _quality(table).items()}
        columns.update(centres(table, rows))
        label = region_of_plane(table)
        every_name = _names(table)
        names = [every_name[row] for row in rows.tolist()]
    if len(set(names)) < count:
        names = [str(number) for number in range(count)]
    labels = np.asarray([label] * count, dtype=object)
    keep, dropped = apply_rules(units, {AREA: labels, **columns}, count, file=where)
    signal, width = read_traces(series, data, axes, keep, kind, bin_width_s, where)
    neurons = neuron_table(
        [name for name, kept in zip(names, keep.tolist(), strict=True) if kept],
        None,
        {name: values[keep] for name, values in columns.items()},
    )
    regions = {"ccf": Regions.from_labels(labels[keep].tolist())} if label else {}
    told = {"units": units, "dropped": dropped, "signal": series.name, "frame_s": width}
    return _Parts(neurons, regions, signal, told, [])


def _has_spikes(file: h5py.File, where: str) -> bool:
    group = child_group(file, "units", where)
    return group is not None and child_dataset(group, "spike_times", where) is not None


def _units_table(file: h5py.File, where: str) -> DynamicTable:
    group = child_group(file, "units", where)
    if group is None:
        with reading(where, "the file"):
            top = ", ".join(sorted(str(name) for name in file)) or "nothing"
        must = "be a table of units with spike_times, or the file hold calcium traces"
        raise bad_input("units", must, f"a file with {top}", file=where)
    table = DynamicTable.open(group, "units", where, measure=("id", "spike_times_index"))
    if table.rows == 0:
        raise bad_input("units", "hold at least one unit", "0 rows", file=where)
    return table


def _electrodes_table(file: h5py.File, where: str) -> DynamicTable | None:
    group: h5py.Group | None = file
    for name in ("general", "extracellular_ephys", "electrodes"):
        group = child_group(group, name, where) if group is not None else None
    if group is None:
        return None
    return DynamicTable.open(group, "electrodes", where, measure=("id", "location"))


def _quality(table: DynamicTable) -> dict[str, NDArray[Any]]:
    """Return every column of one number, boolean or text per unit."""
    columns = table.columns()
    result: dict[str, NDArray[Any]] = {}
    for name in columns:
        ragged = f"{name}_index" in columns
        index = name.endswith("_index") and (
            name.removesuffix("_index") in columns or table.is_index(name)
        )
        told_elsewhere = name in _NOT_QUALITY or name in UNIT_COLUMNS or name.endswith("_location")
        if ragged or index or told_elsewhere or not table.is_simple(name):
            continue
        values: Any = table.text(name) if table.is_text(name) else table.numbers(name)
        result[name] = np.asarray(values, dtype=object if table.is_text(name) else None)
    return result


def _names(table: DynamicTable) -> list[str]:
    """Return the name of each unit: a text column of names where it tells units apart, else id."""
    for column in _NAME_COLUMNS:
        names = table.text(column) if table.is_simple(column) and table.is_text(column) else None
        if names is not None and all(names) and len(set(names)) == len(names):
            return names
    ids = table.numbers("id") if table.is_simple("id") else None
    return [str(number) for number in (range(table.rows) if ids is None else ids.tolist())]


def _steps(file: h5py.File, where: str) -> tuple[Step, ...]:
    """Return what was done before our writer wrote the file."""
    scratch = child_group(file, "scratch", where)
    stored = child_dataset(scratch, NWB_NAME, where) if scratch is not None else None
    if stored is None:
        return ()
    field = f"scratch/{NWB_NAME}"
    told = {name: attribute_value(stored, name, where) for name in NWB_FORMAT.names}
    if told[NWB_FORMAT.names[0]] is not None:  # 0.1.0 wrote none
        NWB_FORMAT.require(told, f"{where}: {field}")
    texts = read_text(stored, where, field)
    return parse_steps(texts[0] if len(texts) == 1 else "", field, where)


def _probes(
    places: Places, keep: NDArray[np.bool_], quality: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the probe of each kept unit where there are several and no column tells it."""
    if "probe" in quality:
        return {}
    probe = np.asarray(places.probe, dtype=object)[keep]
    return {"probe": probe} if len(set(probe.tolist())) > 1 else {}
