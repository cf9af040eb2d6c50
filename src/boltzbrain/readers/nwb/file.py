"""Reader of NWB files with a units table: Allen, IBL, Steinmetz and plain ones, by h5py alone.

Only what a recording needs is read: waveforms and everything else that is large stays in the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording, neuron_table
from boltzbrain.data.steps import NWB_FORMAT, NWB_NAME, Source, Step, parse_steps
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.readers.containers.hdf5 import (
    child_dataset,
    child_group,
    open_hdf5,
    read_text,
    reading,
)
from boltzbrain.readers.containers.remote import is_address
from boltzbrain.readers.containers.signatures import as_hdf5, hash_of
from boltzbrain.readers.containers.zarr_store import is_zarr, main_file, open_zarr
from boltzbrain.readers.nwb.epochs import read_epochs
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
    path: str | os.PathLike[str], *, units: str = "none", observed: str = "any"
) -> Recording:
    """Read the spike times of an NWB file.

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

    Returns
    -------
    Recording
        `SpikeTimes`; epochs of the interval tables as `boltzbrain.readers.nwb.epochs` tells;
        positions in micrometres along x anterior-posterior, y dorsal-ventral, z left-right, the
        axis order of the Allen common coordinate framework; regions in the atlas "ccf", for IBL in
        "beryl" and "cosmos" as well. ``source.options["dropped"]`` counts the units that each rule
        of the filter dropped; what else was lost stands under "losses".

    Raises
    ------
    InputError
        If the file is missing, damaged, or has no units with spike times, the filter is unknown,
        needs a column that the file lacks, or leaves no unit.

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
        table = _units_table(file, where)
        places = find_places(table, _electrodes_table(file, where))
        quality = _quality(table)
        offered = {AREA: np.asarray(places.main_labels(), dtype=object), **quality}
        if places.valid is not None:
            offered[VALID_CHANNEL] = places.valid
        keep, dropped = apply_rules(units, offered, table.rows, file=where)
        signal, losses = read_spikes(table, keep, way=observed)
        epochs, lost = read_epochs(file, where)
        names = _names(table)
        steps = _steps(file, where)
    probes = _probes(places, keep, quality)
    neurons = neuron_table(
        [name for name, kept in zip(names, keep.tolist(), strict=True) if kept],
        places.xyz_um[keep],
        {**{column: values[keep] for column, values in quality.items()}, **probes},
    )
    options = {"units": units, "dropped": dropped, **places.found, **stored([*losses, *lost])}
    if left_out:
        options["left_out"] = left_out
    return Recording(
        neurons=neurons,
        regions=places.regions(keep),
        signal=signal,
        epochs=epochs,
        source=Source("nwb", where, hash_of(found), options),
        steps=steps,
    )


def _units_table(file: h5py.File, where: str) -> DynamicTable:
    group = child_group(file, "units", where)
    if group is None:
        with reading(where, "the file"):
            top = ", ".join(sorted(str(name) for name in file)) or "nothing"
        raise bad_input(
            "units", "be a table of units with spike_times", f"a file with {top}", file=where
        )
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
        index = name.endswith("_index") and name.removesuffix("_index") in columns
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
    if NWB_FORMAT.names[0] in stored.attrs:  # 0.1.0 wrote none
        NWB_FORMAT.require(stored.attrs, f"{where}: {field}")
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
