"""Reading HDF5 so that a damaged, foreign or lying file ends in one clear message.

The HDF5 library reports damage by almost any exception, and allocates what a header declares before
it looks at what is stored. `reading` turns the first into `InputError`, `check_size` forestalls the
second.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.hdf5_texts import check_texts
from boltzbrain.readers.containers.remote import Address, RemoteFile

_DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    MemoryError,
    OverflowError,
    SystemError,
    struct.error,
)
# deflate reaches 1032 : 1 at most; below a mebibyte nothing is worth refusing
_DEFLATE_RATIO = 1100
_SLACK = 1 << 20
_MOST_OBJECTS = 20_000


@contextlib.contextmanager
def open_hdf5(path: Path | Address) -> Iterator[h5py.File]:
    """Open an HDF5 file read-only.

    Parameters
    ----------
    path
        The file, or its address on a web server, from which only what is asked for is fetched.
        Texts are checked where they are read, those of a web server are not.

    Raises
    ------
    InputError
        If it is no HDF5 file, or a truncated or damaged one.
    """
    try:
        source = RemoteFile(path.url) if isinstance(path, Address) else path
        file = h5py.File(source, "r", locking="best-effort")
    except InputError:
        raise
    except _DAMAGE as error:
        raise bad_input(
            "the file",
            "be a whole HDF5 file",
            f"a truncated or damaged one ({_first(error)})",
            file=path,
        ) from error
    with file:
        yield file


@contextlib.contextmanager
def reading(where: str, field: str) -> Iterator[None]:
    """Turn every way in which the HDF5 library reports damage into `InputError`.

    Raises
    ------
    InputError
        If the block raises anything that the library is known to raise.
    """
    try:
        yield
    except InputError:
        raise
    except _DAMAGE as error:
        raise bad_input(
            field, "be readable", f"a damaged object ({_first(error)})", file=where
        ) from error


def list_objects(file: h5py.File, where: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the full names of the objects of a file, at most 20,000, and of its attributes."""
    names: list[str] = []

    def visit(name: str) -> bool | None:
        names.append(name if isinstance(name, str) else bytes(name).decode("utf-8", "replace"))
        return True if len(names) >= _MOST_OBJECTS else None

    with reading(where, "the file"):
        file.visit(visit)
        return tuple(names), tuple(str(name) for name in file.attrs)


def child(group: h5py.Group, name: str, where: str) -> h5py.Group | h5py.Dataset | None:
    """Return an object of a group, None where there is none."""
    with reading(where, name):
        if name not in group:
            return None
        # not group.get: it takes a damaged object for an absent one
        return group[name]


def child_group(group: h5py.Group, name: str, where: str) -> h5py.Group | None:
    """Return a group of a group, None where there is none or a dataset has its name."""
    found = child(group, name, where)
    return found if isinstance(found, h5py.Group) else None


def child_dataset(group: h5py.Group, name: str, where: str) -> h5py.Dataset | None:
    """Return a dataset of a group, None where there is none or a group has its name."""
    found = child(group, name, where)
    return found if isinstance(found, h5py.Dataset) else None


def attribute(thing: h5py.Group | h5py.Dataset, name: str, where: str) -> str:
    """Return an attribute as text, "" where there is none."""
    value = attribute_value(thing, name, where)
    if value is None:
        return ""
    with reading(where, f"attribute {name}"):
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def attribute_value(thing: h5py.Group | h5py.Dataset, name: str, where: str) -> Any:
    """Return an attribute as the library gives it, None where there is none."""
    with reading(where, f"attribute {name}"):
        if name not in thing.attrs:
            return None
        check_texts(thing, name, where)
        return thing.attrs[name]


def check_size(dataset: h5py.Dataset, where: str, field: str) -> None:
    """Refuse, before anything is allocated, what cannot be stored in the file or fit in memory.

    Raises
    ------
    InputError
        If the declared size is impossible.
    """
    with reading(where, field):
        if dataset.shape is None:
            raise bad_input(field, "hold values", "an empty dataset", file=where)
        item = dataset.dtype.itemsize
        declared = math.prod(dataset.shape) * item
        chunk = math.prod(dataset.chunks) * item if dataset.chunks else 0
        stored = min(dataset.id.get_storage_size(), dataset.file.id.get_filesize())
        if max(declared, chunk) > _DEFLATE_RATIO * stored + _SLACK and not dataset.is_virtual:
            raise bad_input(
                field,
                "have the size that it declares",
                f"{stored:,} stored bytes for {max(declared, chunk):,} declared",
                file=where,
            )
    if declared > _SLACK:
        require_memory(field, declared, limit_gb=None, advice="fewer units", file=where)


def read_numbers(dataset: h5py.Dataset, where: str, field: str) -> NDArray[Any]:
    """Return a dataset of numbers or booleans whole, in its own shape and dtype.

    Raises
    ------
    InputError
        If it holds anything else, is damaged, or does not fit in memory.
    """
    with reading(where, field):
        if dataset.dtype.kind not in "biuf":
            raise bad_input(field, "hold numbers", f"dtype {dataset.dtype}", file=where)
    check_size(dataset, where, field)
    with reading(where, field):
        return np.asarray(dataset[()])


def read_text(dataset: h5py.Dataset, where: str, field: str) -> list[str]:
    """Return a dataset of text as a flat list, stripped; numbers as text, NaN as "".

    Raises
    ------
    InputError
        If it holds references or compounds, or is damaged.
    """
    check_size(dataset, where, field)
    with reading(where, field):
        text = h5py.check_string_dtype(dataset.dtype)
        if text is not None:
            if text.length is None:
                check_texts(dataset, "", where)
            return [str(text).strip() for text in np.ravel(dataset.asstr(errors="replace")[()])]
        values = np.ravel(read_numbers(dataset, where, field))
        return ["" if value != value else str(value) for value in values.tolist()]


def flat(values: NDArray[Any]) -> NDArray[Any]:
    """Return a column stored as (n, 1), as some writers do, as (n,)."""
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _first(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
