"""Reader of ``.spikes.cellinfo.mat``: the sorted spikes of buzcode and CellExplorer.

A struct ``spikes`` has a field ``times``, cells of seconds with one per unit, and further fields
with one number or text per unit: ``UID``, ``shankID``, ``cluID``, ``region`` and others. The file
is MATLAB's of any version.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.readers.containers.arrays.held import cells_of
from boltzbrain.readers.containers.arrays.mat5 import read_variable
from boltzbrain.readers.containers.arrays.mat73 import value_of
from boltzbrain.readers.containers.hdf5 import child_group, open_hdf5, reading
from boltzbrain.readers.containers.signatures import as_file, signature_of
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.trains import clean, regions_of, require_spikes, with_interval
from boltzbrain.readers.units import AREA, apply_rules, rules_of

_STRUCT = "spikes"
_LARGE = ("times", "ts", "spindices", "rawWaveform", "filtWaveform", "timeWaveform", "amplitudes")


def read_buzcode(
    path: str | os.PathLike[str], *, units: str = "none", duration_s: float | None = None
) -> Recording:
    """Read the units of a ``.spikes.cellinfo.mat``.

    Parameters
    ----------
    path
        The file.
    units
        Name of a unit filter (`boltzbrain.readers.units.PRESETS`), or several joined by "+", on the
        fields with one number or text per unit.
    duration_s
        Length of the recording in seconds from 0; if None it is what lies between the first spike
        and the last.

    Returns
    -------
    Recording
        `SpikeTimes`; units are named by UID, and their ``region`` is one of the atlas "ccf".

    Raises
    ------
    InputError
        If the file is damaged, has no such struct, or no unit is left.

    References
    ----------
    Petersen, Siegle, Steinmetz, Mahallati & Buzsaki, "CellExplorer: a framework for visualizing and
    characterizing single neurons", Neuron 109:3594 (2021).
    """
    rules_of(units)
    found = as_file(path)
    where = str(found)
    fields = _fields(found)
    times = fields.get("times")
    if not isinstance(times, np.ndarray) or times.dtype != object or not times.size:
        raise bad_input(
            f"{_STRUCT}.times", "be cells of spike times, one per unit", "none", file=where
        )
    trains = cells_of(times.ravel(), (times.size,), f"{_STRUCT}.times", where)
    columns = _columns(fields, len(trains))
    ids = [str(number) for number in range(len(trains))]
    if "UID" in columns and len(np.unique(columns["UID"])) == len(trains):
        ids = [f"{number:g}" for number in columns["UID"].tolist()]
    labels = columns.get("region", np.asarray([""] * len(trains), dtype=object))
    keep, dropped = apply_rules(units, {AREA: labels, **columns}, len(trains), file=where)
    kept = [one.ravel() for one, mine in zip(trains, keep.tolist(), strict=True) if mine]
    index = np.cumsum([len(one) for one in kept], dtype=np.int64)
    seconds = np.concatenate([one.astype(np.float64) for one in kept])
    seconds, index, losses = clean(seconds, index)
    require_spikes(seconds, len(index), where, losses)
    start = None
    if duration_s is not None:
        start = 0.0
        number_in("duration_s", duration_s, low=0.0, include_low=False)
    signal, losses = with_interval(seconds, index, where, losses, start, duration_s)
    mine = {name: values[keep] for name, values in columns.items()}
    regions = regions_of(mine)
    return Recording(
        neurons=neuron_table(
            [name for name, one in zip(ids, keep.tolist(), strict=True) if one], None, mine
        ),
        regions=regions,
        signal=signal,
        epochs=no_epochs(),
        source=Source(
            "buzcode", where, fingerprint(found, signal),
            {"units": units, "dropped": dropped, **stored(losses)},
        ),
    )  # fmt: skip


def is_cellinfo(names: Sequence[str]) -> bool:
    """Return whether the names in a MATLAB file are those of such units.

    Examples
    --------
    >>> is_cellinfo(("spikes", "spikes.UID", "spikes.times")), is_cellinfo(("spikes/times",))
    (True, False)
    """
    plain = {name.replace("/", ".") for name in names}
    return {f"{_STRUCT}.times", f"{_STRUCT}.UID"} <= plain


def _fields(path: Path) -> dict[str, Any]:
    """Return the fields of the struct: arrays, texts and cells."""
    where = str(path)
    kind = signature_of(path).kind
    if kind == "mat":
        held = read_variable(path, _STRUCT)
        if not isinstance(held, dict):
            raise bad_input(_STRUCT, "be a struct", "something else", file=where)
        return held
    if kind != "hdf5":
        raise bad_input("the file", "be a MATLAB file", signature_of(path).describe(), file=where)
    with open_hdf5(path) as file:
        group = child_group(file, _STRUCT, where)
        if group is None:
            raise bad_input(_STRUCT, "be a struct", "none", file=where)
        with reading(where, _STRUCT):
            names = [str(name) for name in group]
        wanted = [one for one in names if one == "times" or one not in _LARGE]
        return {name: value_of(file, f"{_STRUCT}/{name}", where) for name in wanted}


def _columns(fields: dict[str, Any], count: int) -> dict[str, NDArray[Any]]:
    """Return the fields with one number or text per unit."""
    columns: dict[str, NDArray[Any]] = {}
    for name, values in fields.items():
        if name in _LARGE or not isinstance(values, np.ndarray) or values.size != count:
            continue
        if values.dtype == object:
            if all(isinstance(one, str) for one in values.flat):
                columns[name] = np.asarray([one.strip() for one in values.flat], dtype=object)
        elif values.dtype.kind in "biuf" and max(values.shape, default=0) == count:
            columns[name] = values.ravel()
    return columns
