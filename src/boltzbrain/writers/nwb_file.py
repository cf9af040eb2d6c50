"""What every NWB file (version 2) that is written here has: names of types, identifiers, tables."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

UNKNOWN_START = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""Stands for an unknown beginning of a session: the format demands a date."""
TEXT = h5py.string_dtype("utf-8")


class NwbFile:
    """One open file; NWB wants type names and identifiers throughout.

    Parameters
    ----------
    file
        Open to write, empty.
    name
        What the identifiers are made from: the same name gives the same.
    """

    def __init__(self, file: h5py.File, name: str) -> None:
        self.file = file
        self.seed = uuid.uuid5(uuid.NAMESPACE_URL, name)

    def _begin(self, session_start: dt.datetime, description: str) -> None:
        """Write what the format demands of every file."""
        self._mark(self.file, "NWBFile", nwb_version="2.7.0")
        now = dt.datetime.now(tz=dt.UTC).isoformat()
        self.file.create_dataset("file_create_date", data=[now], dtype=TEXT)
        self.file.create_dataset("identifier", data=str(self.seed), dtype=TEXT)
        self.file.create_dataset("session_description", data=description, dtype=TEXT)
        for name in ("session_start_time", "timestamps_reference_time"):
            self.file.create_dataset(name, data=session_start.isoformat(), dtype=TEXT)
        for name in (
            "acquisition",
            "analysis",
            "processing",
            "stimulus/presentation",
            "stimulus/templates",
            "general/devices",
        ):
            self.file.create_group(name)

    def _column(
        self,
        table: h5py.Group,
        name: str,
        values: NDArray[Any],
        told: str,
        kind: str = "VectorData",
    ) -> h5py.Dataset:
        if values.dtype.kind == "U":
            dataset = table.create_dataset(
                name, data=values.tolist(), dtype=TEXT, shape=values.shape
            )
        else:
            dataset = table.create_dataset(name, data=values)
        self._mark(dataset, kind, "hdmf-common", description=told)
        return dataset

    def _index(self, table: h5py.Group, name: str, ends: NDArray[Any]) -> None:
        dataset = table.create_dataset(f"{name}_index", data=ends.astype(np.uint64))
        self._mark(dataset, "VectorIndex", "hdmf-common", description=f"ends of {name}")
        dataset.attrs["target"] = table[name].ref

    def _table(
        self,
        table: h5py.Group,
        kind: str,
        told: str,
        columns: list[str],
        rows: int,
        namespace: str = "hdmf-common",
        ids: NDArray[np.int64] | None = None,
    ) -> None:
        dataset = table.create_dataset("id", data=np.arange(rows) if ids is None else ids)
        self._mark(dataset, "ElementIdentifiers", "hdmf-common")
        self._mark(table, kind, namespace, description=told)
        table.attrs.create("colnames", data=columns, dtype=TEXT)

    def _mark(
        self,
        thing: h5py.Group | h5py.Dataset,
        kind: str,
        namespace: str = "core",
        **attributes: str | int,
    ) -> None:
        thing.attrs["namespace"] = namespace
        thing.attrs["neurodata_type"] = kind
        thing.attrs["object_id"] = str(uuid.uuid5(self.seed, str(thing.name)))
        for name, value in attributes.items():
            thing.attrs[name] = value
