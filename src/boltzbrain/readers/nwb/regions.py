"""Where the units of an NWB file lie: electrodes, positions, brain regions.

Files name the region of a unit in one of several places. They are tried in this order, and the
first in which any unit has a region serves for all units, so that two vocabularies never mix:

1. a column of the units table (`UNIT_COLUMNS`);
2. ``location`` of the unit's electrode, which is named by ``units.max_electrode`` (row), the first
   of ``units.electrodes`` (row), or ``units.peak_channel_id`` (id of the electrode);
3. ``location`` of the unit's electrode group.

Empty, NaN and N/A mean that no region is known. ``root`` and ``grey`` (in the brain, no further)
are kept as names; the unit filter "channel" drops them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.regions import NO_TEXT, Regions
from boltzbrain.readers.containers.hdf5 import attribute, reading
from boltzbrain.readers.nwb.table import DynamicTable

UNIT_COLUMNS = (
    "location",
    "area",
    "structure_acronym",
    "ecephys_structure_acronym",
    "beryl_location",
    "brain_area",
    "brain_region",
)
# anterior-posterior, dorsal-ventral, left-right, in micrometres; IBL's own axes are
# x medio-lateral, y antero-posterior, z dorso-ventral, from Bregma
_POSITION_COLUMNS = (("x", "y", "z"), ("ccf_ap", "ccf_dv", "ccf_lr"), ("ibl_y", "ibl_z", "ibl_x"))
_MAIN_ATLAS = "ccf"


@dataclass(frozen=True)
class Places:
    """Where units lie.

    Attributes
    ----------
    electrode
        (unit,) row of the electrodes table, -1 where none is known.
    xyz_um
        (unit, 3) anterior-posterior, dorsal-ventral, left-right in micrometres, NaN where unknown.
    labels
        Atlas to the region label of each unit, "" where unknown; the main atlas first.
    valid
        (unit,) whether the electrode is valid, 0, 1 or NaN; None where the file does not say.
    probe
        Name of each unit's electrode group, "" where unknown.
    found
        Which columns served, for the source.
    """

    electrode: NDArray[np.int64]
    xyz_um: NDArray[np.float64]
    labels: Mapping[str, list[str]]
    valid: NDArray[np.float64] | None
    probe: list[str]
    found: Mapping[str, str]

    def main_labels(self) -> list[str]:
        """Return the label of each unit in the main atlas, "" where there is none."""
        return next(iter(self.labels.values()), [""] * len(self.electrode))

    def regions(self, keep: NDArray[np.bool_]) -> dict[str, Regions]:
        """Return the regions of the kept units in every atlas that names any."""
        kept = {
            atlas: np.asarray(labels, dtype=np.str_)[keep] for atlas, labels in self.labels.items()
        }
        return {
            atlas: Regions.from_labels(names)
            for atlas, names in kept.items()
            if (names != "").any()
        }


def find_places(units: DynamicTable, electrodes: DynamicTable | None) -> Places:
    """Return where the units of a file lie.

    Raises
    ------
    InputError
        If a column that is needed has another length or holds no numbers.
    """
    row, how = _electrode_rows(units, electrodes)
    found = {"electrode": how} if how else {}
    labels: dict[str, list[str]] = {}
    main, came_from = _main_labels(units, electrodes, row)
    if main is not None:
        labels[_atlas_name(units, electrodes, came_from)] = main
        found["regions"] = came_from
    for atlas, others in _further_labels(units, electrodes, row).items():
        labels.setdefault(atlas, others)
    xyz = np.full((units.rows, 3), np.nan)
    valid, probe = None, [""] * units.rows
    if electrodes is not None:
        xyz, columns = _positions(electrodes, row)
        if columns:
            found["positions"] = columns
        valid = _take(electrodes.numbers("valid_data"), row)
        probe = _take_text(electrodes.text("group_name"), row) or probe
    return Places(row, xyz, labels, valid, probe, found)


def _electrode_rows(
    units: DynamicTable, electrodes: DynamicTable | None
) -> tuple[NDArray[np.int64], str]:
    none = np.full(units.rows, -1, dtype=np.int64)
    if electrodes is None:
        return none, ""
    for column in ("max_electrode", "electrodes"):
        rows = units.first_of_each(column)
        if rows is not None:
            inside = (rows >= 0) & (rows < electrodes.rows) & (rows == np.floor(rows))
            if inside.any():
                return np.where(inside, rows, -1).astype(np.int64), f"units.{column}"
    wanted, ids = units.first_of_each("peak_channel_id"), electrodes.numbers("id")
    if wanted is None or ids is None:
        return none, ""
    row_of = {float(number): row for row, number in enumerate(ids.tolist())}
    rows = np.array([row_of.get(number, -1) for number in wanted.tolist()], dtype=np.int64)
    return rows.astype(np.int64), "units.peak_channel_id"


def _main_labels(
    units: DynamicTable, electrodes: DynamicTable | None, row: NDArray[np.int64]
) -> tuple[list[str] | None, str]:
    for column in UNIT_COLUMNS:
        labels = units.text(column) if units.is_simple(column) else None
        if labels is not None and any(labels):
            return labels, f"units.{column}"
    if electrodes is not None:
        labels = _take_text(electrodes.text("location"), row)
        if labels is not None and any(labels):
            return labels, "electrodes.location"
    labels = _group_labels(units)
    if labels is not None and any(labels):
        return labels, "electrode_group.location"
    return None, ""


def _atlas_name(units: DynamicTable, electrodes: DynamicTable | None, came_from: str) -> str:
    """Return the atlas of the labels: our own files name it, "beryl" tells itself, else "ccf"."""
    if came_from == "units.beryl_location":
        return "beryl"
    table, column = (units, came_from.removeprefix("units."))
    if came_from == "electrodes.location" and electrodes is not None:
        table, column = electrodes, "location"
    dataset = table.dataset(column)
    if dataset is not None:
        told = re.search(r"\(atlas: ([^()]+)\)", attribute(dataset, "description", table.where))
        if told:
            return told.group(1)
    return _MAIN_ATLAS


def _further_labels(
    units: DynamicTable, electrodes: DynamicTable | None, row: NDArray[np.int64]
) -> dict[str, list[str]]:
    """Return the labels of every column ``<atlas>_location``, of the electrodes and the units."""
    result: dict[str, list[str]] = {}
    for table in (electrodes, units):
        for column in table.columns() if table is not None else ():
            atlas = column.removesuffix("_location")
            if table is None or atlas in ("", column) or not table.is_simple(column):
                continue
            labels = table.text(column)
            if table is not units:
                labels = _take_text(labels, row)
            if labels is not None and any(labels):
                result[atlas] = labels
    return result


def _group_labels(units: DynamicTable) -> list[str] | None:
    """Return the ``location`` of each unit's electrode group."""
    dataset = units.dataset("electrode_group")
    if dataset is None:
        return None
    known: dict[str, str] = {}
    labels: list[str] = []
    with reading(units.where, "units.electrode_group"):
        if h5py.check_ref_dtype(dataset.dtype) is None or dataset.shape is None:
            return None
        if dataset.size != units.rows:
            return None
        for reference in np.ravel(dataset[()]):
            group = dataset.file[reference] if reference else None
            name = "" if group is None else str(group.name)
            if name not in known:
                text = "" if group is None else attribute(group, "location", units.where).strip()
                known[name] = "" if text.lower() in NO_TEXT else text
            labels.append(known[name])
    return labels


def _positions(electrodes: DynamicTable, row: NDArray[np.int64]) -> tuple[NDArray[np.float64], str]:
    for names in _POSITION_COLUMNS:
        columns = [
            electrodes.numbers(name) if electrodes.is_simple(name) else None for name in names
        ]
        taken = [_take(column, row) for column in columns if column is not None]
        if len(taken) < 3:
            continue
        xyz = np.stack([axis for axis in taken if axis is not None], axis=1)
        # writers that know no position fill in 0 0 0 or -1 -1 -1
        xyz[~np.isfinite(xyz)] = np.nan
        unknown = np.isnan(xyz).all(axis=1) | (xyz == 0).all(axis=1) | (xyz == -1).all(axis=1)
        xyz[unknown] = np.nan
        if not unknown.all():
            told = ", ".join(names)
            return xyz, f"electrodes.{told}: anterior-posterior, dorsal-ventral, left-right"
    return np.full((len(row), 3), np.nan), ""


def _take(values: NDArray[Any] | None, row: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Return one value per unit, NaN where it has no electrode."""
    if values is None:
        return None
    result = np.full(len(row), np.nan)
    result[row >= 0] = values[row[row >= 0]]
    return result


def _take_text(values: list[str] | None, row: NDArray[np.int64]) -> list[str] | None:
    """Return one text per unit, "" where it has no electrode."""
    return None if values is None else [values[one] if one >= 0 else "" for one in row.tolist()]
