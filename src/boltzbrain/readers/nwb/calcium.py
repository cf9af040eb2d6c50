"""Calcium traces of an NWB file: series of regions of interest, with the table that describes them.

A series (RoiResponseSeries) lies in a container of a processing module: ``DfOverF``,
``Fluorescence`` or one of another name. Its ``data`` are (frame, roi), its ``rois`` rows of a
PlaneSegmentation, whose columns tell what is known of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.signals import Traces
from boltzbrain.foundations.checks import bad_input, closest, number_in, one_of
from boltzbrain.readers.clock import find_clock
from boltzbrain.readers.containers.arrays.matrix import AXES, Matrix, read_frames
from boltzbrain.readers.containers.hdf5 import (
    attribute,
    attribute_value,
    check_size,
    child_dataset,
    child_group,
    read_numbers,
    read_text,
    reading,
)
from boltzbrain.readers.nwb.masks import MASKS
from boltzbrain.readers.nwb.table import DynamicTable

_SERIES = "RoiResponseSeries"
_TABLE = "PlaneSegmentation"
KINDS = ("dff", "fluorescence", "deconvolved")
"""What a series may hold; of several in a file, the first kind that is there is taken."""

# words in the name of a series that tell what it holds, before those of its container do
_BY_NAME = (
    ("neuropil", ""), ("background", ""), ("corrected_fluor", "fluorescence"),
    ("deconv", "deconvolved"), ("spike", "deconvolved"), ("event", "deconvolved"),
    ("denoised", "fluorescence"), ("dff", "dff"), ("dfoverf", "dff"), ("df_over_f", "dff"),
)  # fmt: skip
_PIECE_BYTES = 1 << 24
_DEEPEST, _MOST_SERIES = 4, 1000


@dataclass(frozen=True)
class Series:
    """A series of a file: its path, its group, and what it holds; "" of what is no signal."""

    name: str
    group: h5py.Group
    kind: str


def find_series(file: h5py.File, where: str) -> list[Series]:
    """Return the series of a file, those of its processing modules and those it acquired.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    found: list[Series] = []
    for top in ("processing", "acquisition"):
        group = child_group(file, top, where)
        if group is not None:
            found += _below(group, top, where, _DEEPEST)
    return found


def _below(group: h5py.Group, name: str, where: str, depth: int) -> Iterator[Series]:
    with reading(where, name):
        names = sorted(str(one) for one in group)[:_MOST_SERIES]
    for one in names:
        inside = child_group(group, one, where)
        if inside is None:
            continue
        if attribute(inside, "neurodata_type", where) == _SERIES:
            yield Series(f"{name}/{one}", inside, _kind(one, group, where))
        elif depth > 0:
            yield from _below(inside, f"{name}/{one}", where, depth - 1)


def _kind(name: str, container: h5py.Group, where: str) -> str:
    """Return what a series holds by its name, else by its container."""
    low = name.lower()
    for word, kind in _BY_NAME:
        if word in low:
            return kind
    return "dff" if attribute(container, "neurodata_type", where) == "DfOverF" else "fluorescence"


def choose_series(every: list[Series], wanted: str | None, where: str) -> Series:
    """Return the series that is meant.

    Raises
    ------
    InputError
        If there is none of that name, or several of one kind and none was asked for.
    """
    names = [one.name for one in every]
    if wanted is not None:
        found = [one for one in every if f"/{one.name}".endswith(f"/{wanted.strip('/')}")]
        if len(found) != 1:
            raise bad_input(
                "signal", "be one of the series of the file: " + ", ".join(names), wanted,
                suggestion=closest(wanted, names), file=where,
            )  # fmt: skip
        return found[0]
    for kind in KINDS:
        found = [one for one in every if one.kind == kind]
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(one.name for one in found)
            raise bad_input(
                "signal",
                f"be given, as --read signal={found[0].name} (the file holds several series)",
                f"none; there is {listed}",
                file=where,
            )
    raise bad_input(
        "signal", "be given, as the name of a series", "none; there is " + ", ".join(names),
        file=where,
    )  # fmt: skip


def open_rois(file: h5py.File, series: Series, where: str) -> tuple[DynamicTable | None, Any]:
    """Return the table that describes the regions of interest of a series, and their rows in it.

    Raises
    ------
    InputError
        If the rows are none of the table.
    """
    rois = child_dataset(series.group, "rois", where)
    if rois is None:
        return None, None
    rows = read_numbers(rois, where, f"{series.name}/rois").ravel()
    group = None
    reference = attribute_value(rois, "table", where)
    with reading(where, f"{series.name}/rois"):
        if isinstance(reference, h5py.Reference) and reference:
            group = file[reference]
    if not isinstance(group, h5py.Group):
        group = _only_table(file, where)
    if group is None:
        return None, None
    table = DynamicTable.open(group, _TABLE, where, measure=("id", *MASKS))
    with np.errstate(invalid="ignore"):
        wrong = ~((rows >= 0) & (rows < table.rows) & (rows == np.floor(rows)))
    if wrong.any():
        raise bad_input(
            f"{series.name}/rois", f"be rows of a table of {table.rows}", "others", file=where
        )
    return table, rows.astype(np.int64)


def _only_table(file: h5py.File, where: str) -> h5py.Group | None:
    """Return the one segmentation of a file, None where there are several: as in a copy of zarr."""
    group = child_group(file, "processing", where)
    found = [] if group is None else list(_tables(group, where, _DEEPEST))
    return found[0] if len(found) == 1 else None


def _tables(group: h5py.Group, where: str, depth: int) -> Iterator[h5py.Group]:
    with reading(where, "processing"):
        names = sorted(str(one) for one in group)[:_MOST_SERIES]
    for name in names:
        inside = child_group(group, name, where)
        if inside is not None and attribute(inside, "neurodata_type", where) == _TABLE:
            yield inside
        elif inside is not None and depth > 0:
            yield from _tables(inside, where, depth - 1)


def shape_of(series: Series, rois: int | None, where: str) -> tuple[h5py.Dataset, str, int]:
    """Return the data of a series, their axes as they are stored, and how many regions they have.

    Raises
    ------
    InputError
        If there are none, or they have other regions of interest than the table.
    """
    field = f"{series.name}/data"
    data = child_dataset(series.group, "data", where)
    if data is None:
        raise bad_input(field, "be there", "none", file=where)
    check_size(data, where, field)
    with reading(where, field):
        shape = tuple(int(size) for size in data.shape)
    if len(shape) != 2:
        raise bad_input(field, "have shape (frame, roi)", f"shape {shape}", file=where)
    if rois is None or shape[1] == rois:
        return data, AXES[0], shape[1]
    if shape[0] == rois:  # as some writers have them
        return data, AXES[1], shape[0]
    raise bad_input(field, f"have as many regions of interest as rois, {rois}", f"shape {shape}",
                    file=where)  # fmt: skip


def read_traces(
    series: Series,
    data: h5py.Dataset,
    axes: str,
    keep: NDArray[np.bool_],
    kind: str,
    bin_width_s: float | None,
    where: str,
) -> tuple[Traces, float]:
    """Return the traces of the kept regions of interest, and the seconds per frame.

    Raises
    ------
    InputError
        If the data are damaged, or neither a rate nor timestamps tell when the frames were.
    """
    field = f"{series.name}/data"
    with reading(where, field):
        shape, dtype = (int(data.shape[0]), int(data.shape[1])), data.dtype
    matrix = Matrix(shape, dtype, field, where, lambda: _blocks(data, where, field))
    frames = shape[0] if axes == AXES[0] else shape[1]
    stamps = child_dataset(series.group, "timestamps", where)
    widths: dict[str, float | None] = {}
    times, begin = None, 0.0
    if stamps is not None:
        name = f"{series.name}/timestamps"
        times = (name, read_numbers(stamps, where, name).astype(np.float64))
    else:
        rate, begin = _rate(series, where)
        if rate is None and bin_width_s is None:
            raise bad_input(
                "bin_width_s",
                "be given: the seconds per frame (--read bin_width_s=0.1)",
                f"neither rate nor timestamps of {series.name}",
                file=where,
            )
        widths = {f"1 / rate of {series.name}": None if rate is None else 1.0 / rate}
    clock = find_clock(frames, widths=widths, times=times, confirmed=bin_width_s, where=where)
    # on the clock of the epochs
    return Traces(read_frames(matrix, axes, keep), begin + clock.times, kind), clock.width_s


def _rate(series: Series, where: str) -> tuple[float | None, float]:
    """Return the frames per second that a series tells, None if none, and when it started."""
    start = child_dataset(series.group, "starting_time", where)
    if start is None:
        return None, 0.0
    field = f"{series.name}/starting_time"
    first = read_numbers(start, where, field).ravel()
    begin = number_in(field, float(first[0]) if first.size == 1 else None, low=0.0, file=where)
    told = np.asarray(attribute_value(start, "rate", where))
    if told.size != 1 or told.dtype.kind not in "iuf":
        return None, begin
    hz = number_in(f"rate of {series.name}", float(told.ravel()[0]), low=1e-5, high=1e7, file=where)
    return hz, begin


def _blocks(data: h5py.Dataset, where: str, field: str) -> Iterator[NDArray[Any]]:
    with reading(where, field):
        step = max(1, _PIECE_BYTES // max(1, int(data.shape[1]) * data.dtype.itemsize))
        if data.chunks:
            step = max(1, step // data.chunks[0]) * int(data.chunks[0])
    for first in range(0, int(data.shape[0]), step):
        with reading(where, field):
            piece = np.asarray(data[first : first + step])
        yield piece


def region_of_plane(table: DynamicTable) -> str:
    """Return the brain region of the imaging plane of a table, "" where it is not known."""
    plane = child_group(table.group, "imaging_plane", table.where)
    if plane is None:
        return ""
    told = child_dataset(plane, "location", table.where)
    if told is None:
        return ""
    texts = read_text(told, table.where, "imaging_plane/location")
    return texts[0] if len(texts) == 1 and texts[0].lower() != "unknown" else ""


def checked_kind(values: str | None, series: Series, where: str) -> str:
    """Return what a series holds: as it is told, or as its name and container tell.

    Raises
    ------
    InputError
        If neither tells it.
    """
    if values is not None:
        return one_of("values", values, KINDS)
    if not series.kind:
        raise bad_input(
            "values", f"be given for {series.name}: --read values= one of {', '.join(KINDS)}",
            "none", file=where,
        )  # fmt: skip
    return series.kind
