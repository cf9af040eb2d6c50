"""An interpretation as tables of pandas and as a dataset of xarray."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from boltzbrain.foundations.checks import bad_input, extra, one_of
from boltzbrain.interpretation.file import Interpretation
from boltzbrain.interpretation.regions.maps import KINDS

if TYPE_CHECKING:
    import xarray as xr

_PLACES = ("x_um", "y_um", "z_um")
_COMMON = frozenset({"neuron", "hidden", "checkpoint"})
"""Axes that are the same wherever they occur; others belong to their folder."""


def to_dataframe(found: Interpretation, of: str) -> pd.DataFrame:
    """Return a table of an interpretation.

    Parameters
    ----------
    found
        The interpretation.
    of
        "neurons", "couplings", "assemblies" or "regions".

    Raises
    ------
    InputError
        If there is no such table, or the recording has no regions.
    """
    return _TABLES[one_of("of", of, _TABLES)](found)


def _neurons(found: Interpretation) -> pd.DataFrame:
    table: dict[str, Any] = {
        "id": found["neurons/id"],
        "region": found["neurons/region"],
        "rate": found["neurons/rate"],
        "field": found["couplings/fields"],
        "strongest_assembly": found["neurons/strongest_assembly"],
    }
    xyz = found.positions
    if xyz is not None:
        table |= {name: xyz[:, axis] for axis, name in enumerate(_PLACES)}
    return pd.DataFrame(table).rename_axis("neuron")


def _couplings(found: Interpretation) -> pd.DataFrame:
    partners, values = found["couplings/partners"], found["couplings/partner_values"]
    first = np.repeat(np.arange(len(partners)), partners.shape[1])
    second, coupling = partners.ravel(), values.ravel()
    # a pair may be among the strongest of both of its neurons, or of one
    low, high = np.minimum(first, second), np.maximum(first, second)
    _, once = np.unique(low.astype(np.int64) * len(partners) + high, return_index=True)
    once = once[np.argsort(-np.abs(coupling[once]), kind="stable")]
    ids, regions = found["neurons/id"], found["neurons/region"]
    low, high = low[once], high[once]
    table: dict[str, Any] = {
        "neuron": low,
        "partner": high,
        "coupling": coupling[once],
        "neuron_id": ids[low],
        "partner_id": ids[high],
        "neuron_region": regions[low],
        "partner_region": regions[high],
    }
    if "couplings/partner_agreement" in found:
        table["agreement"] = found["couplings/partner_agreement"].ravel()[once]
    return pd.DataFrame(table)


def _assemblies(found: Interpretation) -> pd.DataFrame:
    ids, member = found["neurons/id"], found["assemblies/membership"].astype(bool)
    table: dict[str, Any] = {
        "members": found["assemblies/sizes"],
        "mean_activity": found["assemblies/mean_activity"],
        "threshold": found["assemblies/threshold"],
    }
    for name in ("agreement", "spans", "effective_regions"):
        if f"assemblies/{name}" in found:
            table[name] = found[f"assemblies/{name}"]
    where = "assemblies/compactness"
    if f"{where}/assembly" in found:
        for name in ("radius_um", "chance_um", "p_value"):
            column = np.full(member.shape[1], np.nan)
            column[found[f"{where}/assembly"]] = found[f"{where}/{name}"]
            table[name] = column
    table["neurons"] = [ids[of].tolist() for of in member.T]
    return pd.DataFrame(table).rename_axis("assembly")


def _regions(found: Interpretation) -> pd.DataFrame:
    maps = found.maps()
    if maps is None:
        reason = found.summary.get("reasons", {}).get("regions", "there is no map of regions")
        raise bad_input("of", "be a table that there is", f"regions: {reason}")
    first, second = np.indices(maps.mean.shape).reshape(2, -1)
    names = np.asarray(maps.names, dtype=object)
    table: dict[str, Any] = {"region": names[first], "other": names[second]}
    table |= {kind: maps.of(kind).ravel() for kind in KINDS}
    table["pairs"] = np.asarray(maps.pairs).ravel().astype(np.int64)
    return pd.DataFrame(table)


_TABLES = {
    "neurons": _neurons,
    "couplings": _couplings,
    "assemblies": _assemblies,
    "regions": _regions,
}


def to_xarray(found: Interpretation) -> xr.Dataset:
    """Return every array of an interpretation, its axes named as its definition names them.

    Neurons, and regions of the map, are labelled by their names; an axis that comes twice is called
    ``other_`` of its name the second time. Definitions and units are attributes.

    Raises
    ------
    InputError
        If xarray is not installed.
    """
    xarray = extra("xarray", "xarray")
    arrays = {
        path.replace("/", "_"): (
            _axes(path, entry.definition, entry.values.shape),
            entry.values,
            {"definition": entry.definition, "unit": entry.unit},
        )
        for path, entry in found.entries.items()
    }
    xyz = found.positions
    if xyz is not None:
        entry = found.entries["neurons/xyz_um"]
        told = {"definition": "(neuron, axis) position, NaN where unknown", "unit": entry.unit}
        arrays["neurons_xyz_um"] = (("neuron", "axis"), xyz, told)
    labels: dict[str, Any] = {"axis": ["x", "y", "z"]}
    labels |= {"neuron": found["neurons/id"], "other_neuron": found["neurons/id"]}
    if "regions/names" in found:
        labels |= {"region": found["regions/names"], "other_region": found["regions/names"]}
    dataset: xr.Dataset = xarray.Dataset(arrays)
    return dataset.assign_coords(
        {axis: (axis, values) for axis, values in labels.items() if axis in dataset.sizes}
    )


def _axes(path: str, definition: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the axes of an array: those that its definition begins with."""
    told = re.match(r"\(([^)]*)\)", definition)
    names = [one.strip() for one in told[1].split(",") if one.strip()] if told else []
    folder = path.rpartition("/")[0].replace("/", "_")
    axes: list[str] = []
    for place in range(len(shape)):
        name = names[place] if place < len(names) else f"axis{place}"
        if name == "region" and folder.startswith("regions"):
            axis = "region"
        else:
            axis = name if name in _COMMON else f"{folder}_{name}"
        axes.append(f"other_{axis}" if axis in axes else axis)
    return tuple(axes)
