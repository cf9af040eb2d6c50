"""NWB's tables (DynamicTable): one dataset per column, some of them ragged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.regions import NO_TEXT
from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.readers.containers.hdf5 import (
    attribute,
    check_size,
    child_dataset,
    flat,
    read_numbers,
    read_text,
    reading,
)


@dataclass(frozen=True)
class DynamicTable:
    """A table of an NWB file.

    Attributes
    ----------
    group
        The HDF5 group of its columns.
    name
        Its name in messages, e.g. "units".
    rows
        Number of rows.
    where
        The file.
    """

    group: h5py.Group
    name: str
    rows: int
    where: str

    @classmethod
    def open(
        cls, group: h5py.Group, name: str, where: str, *, measure: tuple[str, ...] = ("id",)
    ) -> DynamicTable:
        """Open a table; its length is that of the first column of `measure` that is there.

        Raises
        ------
        InputError
            If none of these columns is there, or it is too long to be stored.
        """
        for column in measure:
            dataset = child_dataset(group, column, where)
            if dataset is not None:
                with reading(where, f"{name}.{column}"):
                    if not dataset.shape:
                        raise bad_input(f"{name}.{column}", "be a column", "a scalar", file=where)
                # the rows that it declares are taken for granted from here on
                check_size(dataset, where, f"{name}.{column}")
                with reading(where, f"{name}.{column}"):
                    return cls(group, name, int(dataset.shape[0]), where)
        raise bad_input(
            name,
            f"have a column {' or '.join(measure)}",
            "neither" if len(measure) > 1 else "none",
            file=where,
        )

    def columns(self) -> tuple[str, ...]:
        """Return the names of everything in the table, in alphabetical order."""
        with reading(self.where, self.name):
            return tuple(sorted(str(name) for name in self.group))

    def dataset(self, column: str) -> h5py.Dataset | None:
        """Return the dataset of a column, None where there is none."""
        return child_dataset(self.group, column, self.where)

    def is_simple(self, column: str) -> bool:
        """Return whether a column holds one number, boolean or text per row."""
        dataset = self.dataset(column)
        with reading(self.where, f"{self.name}.{column}"):
            if dataset is None or dataset.shape not in ((self.rows,), (self.rows, 1)):
                return False
            return self.is_text(column) or dataset.dtype.kind in "biuf"

    def is_text(self, column: str) -> bool:
        """Return whether a column holds text."""
        dataset = self.dataset(column)
        with reading(self.where, f"{self.name}.{column}"):
            return dataset is not None and h5py.check_string_dtype(dataset.dtype) is not None

    def numbers(self, column: str) -> NDArray[Any] | None:
        """Return a column of numbers or booleans, (row,), None where there is none.

        Raises
        ------
        InputError
            If it has another length or holds no numbers.
        """
        dataset = self.dataset(column)
        if dataset is None:
            return None
        values = flat(read_numbers(dataset, self.where, f"{self.name}.{column}"))
        if values.shape != (self.rows,):
            raise self._of_other_length(column, f"shape {values.shape}")
        return values

    def _of_other_length(self, column: str, got: object) -> InputError:
        return bad_input(
            f"{self.name}.{column}",
            f"have one value per row ({self.rows})",
            got,
            file=self.where,
        )

    def text(self, column: str) -> list[str] | None:
        """Return a column as text, missing entries as "", None where there is no such column.

        Raises
        ------
        InputError
            If it has another length or holds no text.
        """
        dataset = self.dataset(column)
        if dataset is None:
            return None
        values = read_text(dataset, self.where, f"{self.name}.{column}")
        if len(values) != self.rows:
            raise self._of_other_length(column, len(values))
        return ["" if value.lower() in NO_TEXT else value for value in values]

    def is_index(self, column: str) -> bool:
        """Return whether a column tells where the rows of another one end."""
        dataset = self.dataset(column)
        told = "" if dataset is None else attribute(dataset, "neurodata_type", self.where)
        return told == "VectorIndex"

    def ends(self, column: str) -> NDArray[np.int64] | None:
        """Return where each row's stretch of a ragged column ends, (row,), from ``<column>_index``.

        Raises
        ------
        InputError
            If it does not ascend, or ends elsewhere than the column.
        """
        index, values = self.dataset(f"{column}_index"), self.dataset(column)
        if index is None or values is None:
            return None
        field = f"{self.name}.{column}_index"
        with reading(self.where, field):
            length = int(values.shape[0]) if values.shape else 0
        got = flat(read_numbers(index, self.where, field))
        if got.shape != (self.rows,):
            raise bad_input(
                field,
                f"have one value per row ({self.rows})",
                f"shape {got.shape}",
                file=self.where,
            )
        with np.errstate(invalid="ignore"):
            ends = got.astype(np.int64)
            whole = bool((ends == got).all())
        if not whole or (len(ends) > 0 and (int(ends[0]) < 0 or bool((np.diff(ends) < 0).any()))):
            raise bad_input(
                field, "hold whole numbers that never descend", "others", file=self.where
            )
        if len(ends) > 0 and int(ends[-1]) != length:
            raise bad_input(
                field,
                f"end at the length of {column} ({length:,})",
                f"{int(ends[-1]):,}",
                file=self.where,
            )
        return ends

    def first_of_each(self, column: str) -> NDArray[np.float64] | None:
        """Return the first number of each row of a ragged or plain column, NaN where empty."""
        if self.dataset(f"{column}_index") is None:
            return self._leading(column)
        dataset, ends = self.dataset(column), self.ends(column)
        if dataset is None or ends is None:
            return None
        values = read_numbers(dataset, self.where, f"{self.name}.{column}").astype(np.float64)
        starts = np.r_[0, ends[:-1]] if len(ends) else ends
        result = np.full(self.rows, np.nan)
        filled = ends > starts
        result[filled] = (values[:, 0] if values.ndim == 2 and values.shape[1] else values.ravel())[
            starts[filled]
        ]
        return result

    def _leading(self, column: str) -> NDArray[np.float64] | None:
        dataset = self.dataset(column)
        if dataset is None:
            return None
        values = read_numbers(dataset, self.where, f"{self.name}.{column}").astype(np.float64)
        if values.ndim == 2 and values.shape[1] > 0:
            values = values[:, 0]
        if values.shape != (self.rows,):
            raise bad_input(
                f"{self.name}.{column}",
                f"have one value per row ({self.rows})",
                f"shape {values.shape}",
                file=self.where,
            )
        return values
