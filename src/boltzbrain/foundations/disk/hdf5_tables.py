"""Tables and texts in HDF5 without pickles: numbers as they are, text as UTF-8, others as JSON.

Whole tables of bytes are decompressed by all threads, of which the library itself uses one.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input, has_shape

_NUMBERS = "biuf"
_DEFLATE, _CHECKSUM = 1, 3
"""Numbers of the filters gzip and fletcher32 of HDF5."""
_CHECKSUM_BYTES = 4


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


def read_table_of_bytes(dataset: h5py.Dataset) -> NDArray[np.uint8]:
    """Return a table (row, column) of uint8.

    Chunks of whole rows under gzip are decompressed side by side, each checked by the sum that gzip
    has of its own; any other table is read by the library.

    Raises
    ------
    OSError
        If a chunk is damaged.
    """
    rows, columns = dataset.shape
    sums = _checksum_bytes(dataset)
    if sums is None or not rows * columns:
        return np.asarray(dataset[...], dtype=np.uint8)
    result = np.empty((rows, columns), dtype=np.uint8)
    step = dataset.chunks[0]

    def take(first: int, raw: bytes) -> None:
        count = min(step, rows - first) * columns
        stream = zlib.decompressobj()
        try:
            # no more than a chunk may hold, whatever a damaged one would grow to
            content = stream.decompress(raw[: len(raw) - sums], step * columns + 1)
        except zlib.error as error:
            raise OSError(f"a chunk of {dataset.name} cannot be decompressed: {error}") from error
        if len(content) != step * columns or not stream.eof:
            raise OSError(f"a chunk of {dataset.name} does not hold {step * columns} bytes")
        # the last chunk is filled up
        result[first : first + step].reshape(-1)[:] = np.frombuffer(content, np.uint8)[:count]

    with ThreadPoolExecutor() as pool:
        waiting = [
            pool.submit(take, first, dataset.id.read_direct_chunk((first, 0))[1])
            for first in range(0, rows, step)
        ]
        for one in waiting:
            one.result()
    return result


def _checksum_bytes(dataset: h5py.Dataset) -> int | None:
    """Return the bytes after a gzip stream; None where chunks are no such streams of whole rows."""
    chunks: Any = dataset.chunks
    if dataset.dtype != np.uint8 or chunks is None or chunks[1] != dataset.shape[1]:
        return None
    made = dataset.id.get_create_plist()
    filters = [made.get_filter(place)[0] for place in range(made.get_nfilters())]
    whole = dataset.id.get_num_chunks() == -(-dataset.shape[0] // chunks[0])
    masked = whole and any(
        dataset.id.get_chunk_info(place).filter_mask for place in range(dataset.id.get_num_chunks())
    )
    if not whole or masked:
        return None
    return {(_DEFLATE,): 0, (_DEFLATE, _CHECKSUM): _CHECKSUM_BYTES}.get(tuple(filters))
