"""Trials and series of behaviour of an NWB file.

Trials are the rows of the table ``trials`` of /intervals; of every other table but ``epochs`` and
``invalid_times`` too, the columns named ``TABLE.COLUMN``. Series are every TimeSeries and
SpatialSeries of /processing and /acquisition with numbers in one to three columns, outside of the
modules ``ecephys`` and ``ophys``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import all_trials, checked_trials, no_trials
from boltzbrain.readers.containers.hdf5 import (
    attribute,
    attribute_value,
    child,
    child_dataset,
    child_group,
    flat,
    read_numbers,
    reading,
)
from boltzbrain.readers.nwb.table import DynamicTable

_NO_TRIALS = ("epochs", "invalid_times")
_NO_COLUMNS = ("start_time", "stop_time", "id", "tags", "timeseries")
_KINDS = ("TimeSeries", "SpatialSeries")
_OTHER_MODULES = ("ecephys", "ophys", "boltzbrain")
_DEEPEST, _MOST_COLUMNS = 4, 3
_MOST_SAMPLES, _MOST_REMOTE = 5_000_000, 500_000
"""Samples of a series of behaviour, and of one that is fetched from a server."""
_AXES = ("x", "y", "z")


def read_trials(file: h5py.File, where: str) -> pd.DataFrame:
    """Return the trials of an open file, none where it has no such table.

    Raises
    ------
    InputError
        If a table is damaged or its columns differ in length.
    """
    intervals = child_group(file, "intervals", where)
    if intervals is None:
        return no_trials()
    with reading(where, "intervals"):
        names = sorted(str(name) for name in intervals)
    tables = []
    for name in names:
        group = None if name in _NO_TRIALS else child_group(intervals, name, where)
        if group is not None:
            prefix = "" if name == "trials" else f"{name.removesuffix('_presentations')}."
            tables.append(_trials_of(group, name, prefix, where))
    tables = [one for one in tables if len(one)]
    return checked_trials(all_trials(tables), file=where)


def _trials_of(group: h5py.Group, name: str, prefix: str, where: str) -> pd.DataFrame:
    with reading(where, f"intervals.{name}"):
        if "start_time" not in group or "stop_time" not in group:
            return no_trials()
    table = DynamicTable.open(group, f"intervals.{name}", where, measure=("start_time", "id"))
    edges = [table.numbers(one) for one in ("start_time", "stop_time")]
    if edges[0] is None or edges[1] is None:
        return no_trials()
    start, stop = (one.astype(np.float64) for one in edges if one is not None)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(start) & np.isfinite(stop) & (stop > start)
    found: dict[str, NDArray[Any]] = {"start_s": start[usable], "stop_s": stop[usable]}
    columns = table.columns()
    for column in columns:
        ragged = f"{column}_index" in columns or column.endswith("_index")
        if column in _NO_COLUMNS or ragged or not table.is_simple(column):
            continue
        values: Any = table.text(column) if table.is_text(column) else table.numbers(column)
        kept = np.asarray(values, dtype=object if table.is_text(column) else np.float64)[usable]
        if kept.dtype.kind == "f":
            kept = np.where(np.isfinite(kept), kept, np.nan)
        found[f"{prefix}{column}"] = kept
    return pd.DataFrame(found)


def read_series(
    file: h5py.File, where: str, *, remote: bool = False
) -> tuple[dict[str, Covariate], list[str]]:
    """Return the series of behaviour of an open file by name, and the paths of those left out.

    Left out are series without times of their own, without a number, or of more samples than are
    taken for behaviour: 5 million, and 500,000 from a server.

    Raises
    ------
    InputError
        If a series is damaged.
    """
    found: dict[str, Covariate] = {}
    left_out: list[str] = []
    for path, group in _groups(file, where):
        name = path.rpartition("/")[2]
        series = _read_one(group, path, where, _MOST_REMOTE if remote else _MOST_SAMPLES)
        if series is None:
            left_out.append(path)
            continue
        for axis, one in series.items():
            label = f"{name}{axis}"
            found[label if label not in found else f"{path}{axis}"] = one
    return found, left_out


def _groups(file: h5py.File, where: str) -> Iterator[tuple[str, h5py.Group]]:
    """Yield the series of behaviour, with their paths."""
    for top in ("processing", "acquisition"):
        group = child_group(file, top, where)
        if group is None:
            continue
        with reading(where, top):
            names = sorted(str(name) for name in group)
        for name in names:
            inner = None if name in _OTHER_MODULES else child_group(group, name, where)
            if inner is not None:
                yield from _below(inner, f"{top}/{name}", where, 1)


def _below(
    group: h5py.Group, path: str, where: str, depth: int
) -> Iterator[tuple[str, h5py.Group]]:
    kind = attribute(group, "neurodata_type", where)
    if kind in _KINDS:
        yield path, group
        return
    # tables and recordings of the brain hold no series of behaviour
    if kind.endswith(("Series", "Table", "Segmentation")) or depth >= _DEEPEST:
        return
    with reading(where, path):
        names = sorted(str(name) for name in group)
        links = {name for name in names if group.get(name, getclass=True) is not h5py.Group}
    for name in names:
        inner = None if name in links else child_group(group, name, where)
        if inner is not None:
            yield from _below(inner, f"{path}/{name}", where, depth + 1)


def _read_one(group: h5py.Group, path: str, where: str, most: int) -> dict[str, Covariate] | None:
    """Return the columns of a series by what follows its name, None where it is none of ours."""
    data = child_dataset(group, "data", where)
    with reading(where, f"{path}/data"):
        if data is None or data.dtype.kind not in "biuf" or len(data.shape) not in (1, 2):
            return None
        rows, columns = data.shape[0], 1 if len(data.shape) == 1 else data.shape[1]
        if not 0 < rows <= most or columns > _MOST_COLUMNS:
            return None
    times = _times(group, path, rows, where)
    if times is None:
        return None
    scale = attribute_value(data, "conversion", where)
    moved = attribute_value(data, "offset", where)
    values = flat(read_numbers(data, where, f"{path}/data")).astype(np.float64)
    if isinstance(scale, (int, float, np.number)) and np.isfinite(float(scale)):
        values = values * float(scale)
    if isinstance(moved, (int, float, np.number)) and np.isfinite(float(moved)):
        values = values + float(moved)
    values = np.where(np.isfinite(values), values, np.nan).reshape(rows, -1)
    known = np.isfinite(times)
    order = np.argsort(times[known], kind="stable")
    unit = attribute(data, "unit", where)
    unit = "" if unit in ("unknown", "n/a", "a.u.") else unit
    single = values.shape[1] == 1
    found = {
        "" if single else f"_{_AXES[column]}": Covariate(
            times[known][order], values[known, column][order], unit
        )
        for column in range(values.shape[1])
        if np.isfinite(values[known, column]).any()
    }
    return found or None


def _times(group: h5py.Group, path: str, rows: int, where: str) -> NDArray[np.float64] | None:
    dataset = child_dataset(group, "timestamps", where)
    if dataset is not None:
        times = flat(read_numbers(dataset, where, f"{path}/timestamps")).astype(np.float64)
        return times if times.shape == (rows,) else None
    start = child(group, "starting_time", where)
    if not isinstance(start, h5py.Dataset):
        return None
    rate = attribute_value(start, "rate", where)
    begin = np.ravel(read_numbers(start, where, f"{path}/starting_time"))
    if not isinstance(rate, (int, float, np.number)) or not float(rate) > 0 or len(begin) != 1:
        return None
    times = float(begin[0]) + np.arange(rows) / float(rate)
    return times if np.isfinite(times).all() else None
