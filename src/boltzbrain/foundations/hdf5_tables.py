"""Tables and texts in HDF5 without pickles: numbers as they are, text as UTF-8, others as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd

from boltzbrain.foundations.checks import bad_input, has_shape

_NUMBERS = "biuf"


def plain(value: Any) -> Any:
    """Return a value made of dict, list, str, int, float, bool and None only; NaN becomes None.

    Examples
    --------
    >>> plain({"a": np.arange(2), "b": (np.float64(0.5), float("nan"))})
    {'a': [0, 1], 'b': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def write_text(group: h5py.Group, name: str, text: str) -> None:
    """Write one text.

    Raises
    ------
    InputError
        If it is not UTF-8 or holds the character of number 0.
    """
    write_text_list(group, name, text)


def write_text_list(group: h5py.Group, name: str, texts: Sequence[str] | str) -> None:
    """Write a list of texts, or one; the errors are those of `write_text`."""
    kind = h5py.string_dtype("utf-8")
    values: Any = texts if isinstance(texts, str) else np.asarray(list(texts), dtype=object)
    try:
        shape = () if isinstance(texts, str) else (len(texts),)
        group.create_dataset(name, shape=shape, dtype=kind)[...] = values
    except (UnicodeEncodeError, ValueError) as error:
        raise bad_input(name, "be text of UTF-8 without the character 0", str(error)) from error


def read_text(group: h5py.Group, name: str) -> str:
    """Read what `write_text` wrote."""
    return str(group[name].asstr()[()])


def read_text_list(group: h5py.Group, name: str) -> list[str]:
    """Read what `write_text_list` wrote."""
    return [str(text) for text in group[name].asstr()[...]]


def write_table(group: h5py.Group, table: pd.DataFrame) -> None:
    """Write a table, one dataset per column, in order.

    A column of numbers or truth values keeps its type; any other is written as text, or as JSON
    where it holds something else than text.

    Raises
    ------
    InputError
        If two columns have one name.
    """
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        raise bad_input("neurons", "have columns of different names", ", ".join(names))
    datasets = []
    for number, name in enumerate(names):
        # a slash would make a group, and a dot is the group itself
        safe = name if name and "/" not in name and not name.startswith(".") else f"{number:03d}"
        while safe in datasets or safe == "columns" or (safe != name and safe in names):
            safe += "_"
        datasets.append(safe)
        _write_column(group, safe, table.iloc[:, number])
    write_text(group, "columns", json.dumps([names, datasets]))


def read_table(group: h5py.Group, rows: int) -> pd.DataFrame:
    """Read what `write_table` wrote.

    Raises
    ------
    InputError
        If a column has another number of rows.
    """
    columns: dict[str, Any] = {}
    for name, dataset in zip(*json.loads(read_text(group, "columns")), strict=True):
        has_shape(f"neurons.{name}", group[dataset], (rows,))
        columns[name] = _read_column(group[dataset])
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


def _write_column(group: h5py.Group, name: str, column: pd.Series[Any]) -> None:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in _NUMBERS:
        group.create_dataset(name, data=column.to_numpy())
        group[name].attrs["kind"] = "numbers"
        return
    values = [None if value is pd.NA else value for value in column.tolist()]
    texts = [value for value in values if isinstance(value, str)]
    text = len(texts) == len(values)
    # floats keep their NaN here: the column comes back as it was
    cells = texts if text else [json.dumps(value, default=str) for value in values]
    write_text_list(group, name, cells)
    group[name].attrs["kind"] = "text" if text else "json"
    group[name].attrs["dtype"] = str(column.dtype)


def _read_column(dataset: h5py.Dataset) -> Any:
    kind = dataset.attrs["kind"]
    if kind == "numbers":
        return dataset[...]
    cells = [str(cell) for cell in dataset.asstr()[...]]
    values = cells if kind == "text" else [json.loads(cell) for cell in cells]
    dtype = dataset.attrs["dtype"]
    return pd.Series(values, dtype=object if dtype == "object" else str(dtype))
