"""The file interpretation.h5: arrays with their definitions and units, and a summary in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.disk.files import FileFormat, atomic_hdf5, open_ours
from boltzbrain.foundations.disk.hdf5_tables import plain, read_text, write_text, write_text_list
from boltzbrain.foundations.doors import keeper
from boltzbrain.foundations.showing.told import Brief, SelfTold
from boltzbrain.interpretation.couplings.low_rank import Couplings, LowRank
from boltzbrain.interpretation.regions.maps import KINDS, RegionMaps

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

FORMAT = FileFormat(
    "boltzbrain interpretation",
    newest=2,  # 1 held zeros for the positions that are not known
    what="interpretation.h5",
    command="boltzbrain interpret",
)

_PACKED = 1 << 16
"""Bytes from which an array of small whole numbers is compressed."""


@dataclass(frozen=True, eq=False, repr=False)
class Entry(Brief):
    """One array of the file.

    Attributes
    ----------
    values
        Numbers or texts, no NaN among them.
    definition
        What they are, axes first.
    unit
        "nats" for couplings and fields, "1" for what has none.
    """

    values: NDArray[Any]
    definition: str
    unit: str = "1"


Entries = dict[str, Entry]


@dataclass(frozen=True, eq=False, repr=False)
class Interpretation(SelfTold):
    """What was read out of a model.

    Attributes
    ----------
    entries
        Path in the file to array; docs/interpretation.md lists them.
    summary
        Single figures in the types of JSON. What does not exist is None, and ``reasons`` says why
        by its dotted path.
    """

    entries: Mapping[str, Entry]
    summary: Mapping[str, Any]

    def __getitem__(self, path: str) -> NDArray[Any]:
        """Return the array at a path."""
        return self.entries[one_of("path", path, self.entries)].values

    def __contains__(self, path: object) -> bool:
        """Say whether there is an array at a path."""
        return path in self.entries

    def __iter__(self) -> Iterator[str]:
        """Go through the paths."""
        return iter(self.entries)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.entries)

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why figures of the summary are None, by their dotted path."""
        told: Mapping[str, str] = self.summary.get("reasons", {})
        return told

    @property
    def weights(self) -> NDArray[np.float32]:
        """Weights, (neuron, hidden), each unit's summing to 0 or more."""
        return self["assemblies/weights"]

    @property
    def membership(self) -> NDArray[np.bool_]:
        """Which neurons are members of which assembly, (neuron, hidden)."""
        return self["assemblies/membership"].astype(np.bool_)

    @property
    def fields(self) -> NDArray[np.float64]:
        """Ising fields under the uniform reference, (neuron,) nats."""
        return self["couplings/fields"]

    @property
    def positions(self) -> NDArray[np.float64] | None:
        """Positions, (neuron, 3) micrometres, NaN where unknown; None where none is known."""
        known = self["neurons/positioned"].astype(bool)
        if not known.any():
            return None
        xyz = np.full((len(known), 3), np.nan)
        xyz[known] = self["neurons/xyz_um"]
        return xyz

    def to_dataframe(self, of: str = "neurons") -> pd.DataFrame:
        """Return a table: of "neurons", "couplings", "assemblies" or "regions".

        Couplings are the strongest pairs of every neuron, each once, largest first; regions are
        pairs of regions of the map. `boltzbrain.interpretation.tables` makes them.

        Raises
        ------
        InputError
            If there is no such table, or the recording has no regions.
        """
        table: pd.DataFrame = keeper("Interpretation.to_dataframe")(self, of)
        return table

    def to_xarray(self) -> xr.Dataset:
        """Return every array, its axes named; errors as of `boltzbrain.interpretation.tables`."""
        dataset: xr.Dataset = keeper("Interpretation.to_xarray")(self)
        return dataset

    def pairs(self, reference: str = "uniform") -> Couplings:
        """Return the pair couplings under a reference, as an array or in factors."""
        folder = _folder("couplings", reference)
        if f"{folder}/pairs" in self:
            return self[f"{folder}/pairs"]
        thin = f"{folder}/low_rank"
        modes = self[f"{thin}/modes"]
        rows, pairs = (
            sparse.csr_array(
                (self[f"{thin}/{name}_values"], tuple(self[f"{thin}/{name}_places"].T)),
                shape=shape,
            )
            for name, shape in (("rows", modes.shape), ("pairs", (len(modes), len(modes))))
        )
        return LowRank(modes, self[f"{thin}/sizes"], rows, pairs)

    def maps(self, of: str = "uniform") -> RegionMaps | None:
        """Return the region maps of couplings under a reference, "covariance" etc., if any."""
        folder = _folder("regions", of)
        if f"{folder}/mean" not in self:
            return None
        names = tuple(str(name) for name in self["regions/names"])
        common = names, self["regions/counts"], self["regions/pairs"]
        return RegionMaps(*common, *(self[f"{folder}/{kind}"] for kind in KINDS))


def _folder(room: str, reference: str) -> str:
    """Return where the entries of a reference lie: those of the uniform one come first."""
    return room if reference == "uniform" else f"{room}/{reference}"


def pair_entries(pairs: Couplings, reference: str, what: str) -> Entries:
    """Return the entries of pair couplings, as an array or in factors."""
    folder = _folder("couplings", reference)
    if not isinstance(pairs, LowRank):
        dense = pairs.astype(np.float32)
        return {f"{folder}/pairs": Entry(dense, f"(neuron, neuron) {what}", "nats")}
    thin = f"{folder}/low_rank"
    told = f"{what}, as Z diag(sizes) Z^T + R Z^T + Z R^T + S off the diagonal"
    found = {
        f"{thin}/modes": Entry(pairs.modes, f"(neuron, mode) Z of {told}"),
        f"{thin}/sizes": Entry(pairs.sizes, f"(mode,) sizes of {told}", "nats"),
    }
    for name, letter, part in (("rows", "R", pairs.rows), ("pairs", "S", pairs.pairs)):
        entries = part.tocoo()
        places = np.column_stack((entries.row, entries.col)).astype(np.int64)
        found[f"{thin}/{name}_values"] = Entry(
            entries.data, f"(entry,) entries of {letter} of {told}", "nats"
        )
        found[f"{thin}/{name}_places"] = Entry(
            places, f"(entry, 2) their rows and columns in {letter}"
        )
    return found


def map_entries(maps: RegionMaps, of: str, what: str, unit: str) -> Entries:
    """Return the entries of the three region maps of a functional matrix."""
    folder = _folder("regions", of)
    pairs = "over ordered pairs of different neurons of the two regions"
    return {
        f"{folder}/mean": Entry(maps.mean, f"(region, region) mean of {what} {pairs}", unit),
        f"{folder}/l1": Entry(maps.l1, f"(region, region) mean size of {what} {pairs}", unit),
        f"{folder}/rms": Entry(
            maps.rms, f"(region, region) root mean square of {what} {pairs}", unit
        ),
    }


def write_interpretation(path: Path, found: Interpretation) -> None:
    """Write interpretation.h5; errors as of `write_entries`."""
    write_entries(path, FORMAT, found.entries, found.summary)


def read_interpretation(path: Path) -> Interpretation:
    """Read interpretation.h5.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format.
    """
    entries, summary, version = read_entries(path, FORMAT)
    if version < 2:
        _leave_unknown_out(entries)
    return Interpretation(entries, summary)


def write_entries(
    path: Path, form: FileFormat, entries: Mapping[str, Entry], summary: Mapping[str, Any]
) -> None:
    """Write arrays with their definitions, and a summary, whole or not at all.

    Raises
    ------
    InputError
        If an array holds a number that is not finite, or the file cannot be written.
    """
    for name, entry in entries.items():
        if entry.values.dtype.kind == "f" and not np.isfinite(entry.values).all():
            raise bad_input(name, "hold finite numbers", "others")
    with atomic_hdf5(path) as file:
        file.attrs.update(form.told)
        text = json.dumps(plain(summary), allow_nan=False, ensure_ascii=False)
        write_text(file, "summary", text)
        for name, entry in entries.items():
            values = entry.values
            if values.dtype.kind in "UO":
                folder, _, last = name.rpartition("/")
                write_text_list(file.require_group(folder), last, [str(one) for one in values])
            elif values.dtype.itemsize == 1 and values.nbytes >= _PACKED:
                file.create_dataset(name, data=values, compression="gzip", compression_opts=1)
            else:
                file.create_dataset(name, data=values)
            file[name].attrs["definition"] = entry.definition
            file[name].attrs["unit"] = entry.unit


def read_entries(path: Path, form: FileFormat) -> tuple[Entries, dict[str, Any], int]:
    """Return the arrays, the summary and the version of a file of `write_entries`.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another format.
    """
    with open_ours(path, form) as file:
        entries: Entries = {}

        def collect(name: str, item: h5py.Dataset | h5py.Group) -> None:
            if isinstance(item, h5py.Dataset) and name != "summary":
                text = h5py.check_string_dtype(item.dtype)
                values = np.asarray(item.asstr()[()] if text else item[()])
                unit = str(item.attrs["unit"])
                entries[name] = Entry(values, str(item.attrs["definition"]), unit)

        file.visititems(collect)
        return entries, json.loads(read_text(file, "summary")), int(file.attrs["version"])


def _leave_unknown_out(entries: Entries) -> None:
    """Take out the zeros that files of version 1 hold for positions that are not known."""
    known = entries["neurons/positioned"].values.astype(bool)
    places = entries.pop("neurons/xyz_um")
    if known.any():
        entries["neurons/xyz_um"] = position_entry(places.values[known])


def position_entry(xyz: NDArray[np.float64]) -> Entry:
    """Return the entry of the positions that are known, (positioned neuron, 3)."""
    return Entry(xyz, "(positioned, 3) position of every neuron whose position is known", "um")
