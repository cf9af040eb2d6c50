"""Arrays in HDF5, and in what MATLAB makes of it: cells are references, axes are turned round."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input
from boltzbrain.readers.containers.arrays.held import Arrays, Held, cells_of, in_words, is_meant
from boltzbrain.readers.containers.arrays.matrix import Matrix
from boltzbrain.readers.containers.hdf5 import attribute, check_size, read_numbers, reading

_PIECE_BYTES = 1 << 24
_MOST_CELLS = 1_000_000
_CLASS = "MATLAB_class"


def arrays_in_hdf5(file: h5py.File, where: str, names: tuple[str, ...]) -> Arrays:
    """Return what an open HDF5 file holds.

    Parameters
    ----------
    file
        The file.
    where
        For messages.
    names
        Its objects, as `boltzbrain.readers.containers.hdf5.list_objects` gives them.

    Raises
    ------
    InputError
        If an object is damaged.
    """
    held: list[Held] = []
    others: list[str] = []
    groups: dict[str, list[tuple[str, int, bool]]] = {}
    for name in names:
        if name.startswith("#refs#"):
            continue
        with reading(where, name):
            thing = file[name]
            if not isinstance(thing, h5py.Dataset) or thing.shape is None:
                continue
            shape = tuple(int(size) for size in thing.shape)
            matlab = _CLASS in thing.attrs
            cells = h5py.check_ref_dtype(thing.dtype) is h5py.Reference and thing.size > 0
        called = name.replace("/", ".") if matlab or cells else name
        parent = name.rpartition("/")[0]
        if cells:
            first = next(_referred(file, thing, name, where))
            if first is not None and _text(first, where):
                others.append(in_words(called, shape[::-1], "cells of text"))
            else:
                trains = False if first is not None and min(first.shape) > 1 else None
                load = _cells(file, thing, name, where)
                held.append(Held(called, shape[::-1], None, load, trains=trains))
        elif is_meant(shape, thing.dtype) and 1 not in shape:
            shown = shape[::-1] if matlab else shape
            held.append(Held(called, shown, thing.dtype, _matrix(thing, name, where), matlab))
            groups.setdefault(parent, []).append((name, len(shape), matlab))
        else:
            kind = thing.dtype if h5py.check_string_dtype(thing.dtype) is None else "text"
            others.append(in_words(called, shape[::-1] if matlab else shape, kind))
            if len(shape) == 1 and thing.dtype.kind in "iuf":
                groups.setdefault(parent, []).append((name, 1, matlab))
    held += _lists(file, groups, where)

    def numbers(name: str) -> NDArray[Any]:
        for one in (name, name.replace(".", "/")):
            with reading(where, one):
                if one in file and isinstance(file[one], h5py.Dataset):
                    return read_numbers(file[one], where, one)
        raise bad_input("times", "be a dataset of the file", name, file=where)

    return Arrays(where, tuple(held), tuple(others), numbers)


def value_of(file: h5py.File, name: str, where: str) -> Any:
    """Return a value that MATLAB stored: an array, a text, an object array of cells; None if none.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with reading(where, name):
        if name not in file or not isinstance(file[name], h5py.Dataset):
            return None
        thing = file[name]
    return _value(file, thing, name, where, 2)


def _value(file: h5py.File, thing: h5py.Dataset, name: str, where: str, depth: int) -> Any:
    with reading(where, name):
        empty = "MATLAB_empty" in thing.attrs
        cells = h5py.check_ref_dtype(thing.dtype) is h5py.Reference
    if empty:
        return np.empty(0)
    if cells:
        found = [
            None if one is None or depth <= 0 else _value(file, one, name, where, depth - 1)
            for one in _referred(file, thing, name, where)
        ]
        result = np.empty(len(found), dtype=object)
        for number, one in enumerate(found):
            result[number] = one
        return result.reshape(thing.shape).T
    values = read_numbers(thing, where, name).T
    if _text(thing, where):
        codes = np.clip(values.ravel(order="F").astype(np.int64), 0, 0xFFFF).tolist()
        return "".join(map(chr, codes)).encode("utf-16-le", "replace").decode("utf-16-le")
    return values


def _text(thing: h5py.Dataset, where: str) -> bool:
    return attribute(thing, _CLASS, where) == "char"


def _referred(
    file: h5py.File, thing: h5py.Dataset, name: str, where: str
) -> Iterator[h5py.Dataset | None]:
    """Yield the datasets to which the cells refer, None where a cell holds something else."""
    check_size(thing, where, name)
    with reading(where, name):
        if thing.size > _MOST_CELLS:
            raise bad_input(name, f"hold at most {_MOST_CELLS:,} cells", thing.size, file=where)
        references = np.ravel(thing[()])
    for one in references:
        with reading(where, name):
            found = file[one] if one else None
            usable = isinstance(found, h5py.Dataset) and bool(found.shape)
        yield found if usable else None


def _cells(file: h5py.File, thing: h5py.Dataset, name: str, where: str) -> Callable[[], Any]:
    def load() -> NDArray[np.object_]:
        values = [
            None if one is None else _value(file, one, name, where, 0)
            for one in _referred(file, thing, name, where)
        ]
        return cells_of(values, thing.shape, name, where).T

    return load


def _lists(
    file: h5py.File, groups: dict[str, list[tuple[str, int, bool]]], where: str
) -> Iterator[Held]:
    """Yield groups that hold an array per trial or neuron and nothing else, in order of names."""
    for parent, members in groups.items():
        kinds = {(axes, matlab) for _, axes, matlab in members}
        with reading(where, parent or "/"):
            alone = parent != "" and len(file[parent]) == len(members)
        if len(members) > 1 and alone and len(kinds) == 1 and kinds <= {(1, False), (2, False)}:
            ordered = sorted((name for name, _, _ in members), key=_natural)
            yield Held(
                parent,
                (len(ordered),),
                None,
                _listed(file, ordered, parent, where),
                trains=kinds == {(1, False)},
                members=frozenset(ordered),
            )


def _listed(file: h5py.File, names: list[str], parent: str, where: str) -> Callable[[], Any]:
    def load() -> NDArray[np.object_]:
        values = []
        for name in names:
            with reading(where, name):
                thing = file[name]
            values.append(read_numbers(thing, where, name))
        return cells_of(values, (len(values),), parent, where)

    return load


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key by which trial_10 follows trial_9."""
    parts = re.split(r"(\d+)", name)
    return [(int(one), "") if one.isdecimal() else (-1, one) for one in parts if one]


def _matrix(dataset: h5py.Dataset, name: str, where: str) -> Callable[[], Matrix]:
    def load() -> Matrix:
        check_size(dataset, where, name)
        shape = tuple(int(size) for size in dataset.shape)
        return Matrix(shape, dataset.dtype, name, where, lambda: _blocks(dataset, where, name))

    return load


def _blocks(dataset: h5py.Dataset, where: str, name: str) -> Iterator[NDArray[Any]]:
    with reading(where, name):
        rows = int(dataset.shape[0])
        row_bytes = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64))
        step = max(1, _PIECE_BYTES // max(1, row_bytes))
        if dataset.chunks:  # whole chunks, so that none is unpacked twice
            step = max(1, step // dataset.chunks[0]) * int(dataset.chunks[0])
    for first in range(0, rows, step):
        with reading(where, name):
            piece = np.asarray(dataset[first : first + step])
        yield piece
