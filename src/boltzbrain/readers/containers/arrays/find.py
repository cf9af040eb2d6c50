"""What a file of plain arrays holds, whatever its container: npy, npz, table, MATLAB or HDF5."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.foundations.checks import InputError, bad_input, closest
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.arrays.held import (
    Arrays,
    Held,
    cells_of,
    in_words,
    is_meant,
    numbers_only,
)
from boltzbrain.readers.containers.arrays.mat5 import arrays_in_mat
from boltzbrain.readers.containers.arrays.mat73 import arrays_in_hdf5
from boltzbrain.readers.containers.arrays.matrix import AXES, Matrix, matrix_of
from boltzbrain.readers.containers.hdf5 import open_hdf5
from boltzbrain.readers.containers.npy import DAMAGE, NpyFile
from boltzbrain.readers.containers.signatures import signature_of
from boltzbrain.readers.containers.text.dialect import TableOptions
from boltzbrain.readers.containers.text.table import read_table
from boltzbrain.readers.containers.unpickled import plain, read_objects
from boltzbrain.readers.containers.zip_archive import Archive, open_npz

_SHOWN = 8


@contextlib.contextmanager
def open_arrays(
    path: Path, *, times: str | None = None, axes: str | None = None, table: TableOptions
) -> Iterator[Arrays]:
    """Give what a file holds, while it is open.

    Parameters
    ----------
    path
        The file.
    times, axes
        The column of times of a table, and how it lies: a table has to be read to be looked at.
    table
        How a table is written.

    Raises
    ------
    InputError
        If the file is damaged, or options of a table are given for another file.
    """
    signature = signature_of(path)
    if signature.kind != "text":
        for option, given in table.given.items():
            raise bad_input(option, "be left out: the file is no table of text", given, file=path)
    if signature.kind == "npy":
        yield _in_npy(path)
    elif signature.kind == "zip":
        with open_npz(path) as archive:
            yield _in_npz(archive)
    elif signature.kind == "hdf5":
        with open_hdf5(path) as file:
            yield arrays_in_hdf5(file, str(path), signature.names)
    elif signature.kind == "mat":
        yield arrays_in_mat(path)
    elif signature.kind == "text":
        yield _in_table(path, times, axes, table)
    else:
        raise bad_input("the file", "hold a matrix of numbers", signature.describe(), file=path)


def _in_npy(path: Path) -> Arrays:
    file = NpyFile.open(path, objects=True)
    where, shape = str(path), file.header.shape
    if file.header.dtype.kind == "O":
        load = _objects(lambda: read_objects(path), shape, path.name, where)
        held = [Held(path.name, shape, None, load)]
    else:
        # refused where it is loaded if it is no matrix
        def matrix() -> Matrix:
            return Matrix(file.stored_shape, file.header.dtype, path.name, where, file.blocks)

        held = [Held(path.name, shape, file.header.dtype, matrix, file.header.fortran)]
    return Arrays(where, tuple(held), (), _none_beside(where, "one array"))


def _none_beside(where: str, what: str) -> Callable[[str], NDArray[Any]]:
    def numbers(name: str) -> NDArray[Any]:
        raise bad_input("times", f"be left out: the file holds {what} alone", name, file=where)

    return numbers


def _objects(
    read: Callable[[], list[Any]], shape: tuple[int, ...], name: str, where: str
) -> Callable[[], NDArray[np.object_]]:
    """Return what gives the arrays in an array of objects, of which nothing is run."""

    def load() -> NDArray[np.object_]:
        values = [np.asarray(one) if isinstance(one, list) else one for one in map(_array, read())]
        whole = shape if int(np.prod(shape)) == len(values) else (len(values),)
        return cells_of(values, whole, name, where)

    return load


def _array(value: Any) -> Any:
    """Return an array of numbers, a list of them as one, and anything else as it is."""
    found = plain(value)
    if isinstance(found, list) and all(type(one) in (int, float, bool) for one in found):
        return np.asarray(found, dtype=np.float64 if not found else None)
    return found if isinstance(found, np.ndarray) else None


def _in_npz(archive: Archive) -> Arrays:
    where = str(archive.path)
    if {"format", "shape", "data"} <= set(archive.names):
        whole = matrix_of(_sparse(archive), "the sparse matrix", where)
        held = [Held(whole.name, whole.shape, whole.dtype, lambda: whole)]
        return Arrays(where, tuple(held), (), _none_beside(where, "one matrix"))
    found: list[Held] = []
    others: list[str] = []
    for name in archive.names:
        shape, dtype, fortran = archive.stored_shape(name, objects=True)
        if dtype.kind == "O" and shape:
            load = _objects(_objects_in(archive, name), shape, name, where)
            found.append(Held(name, shape, None, load))
        elif is_meant(shape, dtype):
            found.append(Held(name, shape, dtype, _matrix_in(archive, name), fortran))
        else:
            others.append(in_words(name, shape, dtype))

    def numbers(name: str) -> NDArray[Any]:
        if name not in archive:
            raise bad_input(
                "times", "be an array of the file: " + ", ".join(archive.names[:_SHOWN]), name,
                suggestion=closest(name, archive.names), file=where,
            )  # fmt: skip
        return numbers_only(archive.read(name), name, where)

    return Arrays(where, tuple(found), tuple(others), numbers)


def _objects_in(archive: Archive, name: str) -> Callable[[], list[Any]]:
    return lambda: archive.objects(name) or []


def _matrix_in(archive: Archive, name: str) -> Callable[[], Matrix]:
    shape, dtype, fortran = archive.stored_shape(name)
    stored = shape[::-1] if fortran else shape
    return lambda: Matrix(stored, dtype, name, str(archive.path), lambda: archive.blocks(name))


def _in_table(path: Path, times: Any, axes: str | None, options: TableOptions) -> Arrays:
    """Return a table of numbers; a header names the neurons where rows are times."""
    upright = axes != AXES[1]
    table = read_table(path, times, options, upright)
    labels = table.names
    named = labels is not None and upright and all(labels) and len(set(labels)) == len(labels)
    whole = matrix_of(table.values, "the table", str(path))
    held = Held(
        whole.name,
        whole.shape,
        whole.dtype,
        lambda: whole,
        neurons=labels if named else None,
        told=table.told,
    )

    def numbers(_name: str) -> NDArray[Any]:
        assert table.times is not None
        return table.times

    return Arrays(str(path), (held,), (), numbers)


def _sparse(archive: Archive) -> NDArray[Any]:
    """Return a matrix that `scipy.sparse.save_npz` wrote, dense."""
    where = archive.path
    told = archive.read("format").ravel()
    kind = "".join(
        one.decode("latin1") if isinstance(one, bytes) else str(one) for one in told[:1].tolist()
    )
    shape = tuple(
        int(size) for size in numbers_only(archive.read("shape"), "shape", str(where)).ravel()
    )
    data = archive.read("data")
    if len(shape) != 2 or min(shape) < 1 or shape[0] * shape[1] > 1 << 36:
        raise bad_input("shape", "be two sizes above 0", shape, file=where)
    if data.dtype.kind not in "biuf":
        raise bad_input("data", "hold numbers", f"dtype {data.dtype}", file=where)
    if data.dtype == np.float16:  # of which SciPy makes no sparse matrix
        data = data.astype(np.float32)
    require_memory(
        "the sparse matrix made dense",
        shape[0] * shape[1] * data.dtype.itemsize,
        limit_gb=None,
        advice="a shorter recording",
        file=where,
    )
    try:
        if kind in ("csr", "csc", "bsr"):
            parts = (data, archive.read("indices"), archive.read("indptr"))
            made = {"csr": sparse.csr_array, "csc": sparse.csc_array, "bsr": sparse.bsr_array}
            matrix = made[kind](parts, shape=shape)
            matrix.check_format(full_check=True)
        elif kind == "coo":
            matrix = sparse.coo_array((data, (archive.read("row"), archive.read("col"))), shape)
        elif kind == "dia":
            matrix = sparse.dia_array((data, archive.read("offsets")), shape=shape)
        else:
            raise bad_input("format", "be csr, csc, coo, bsr or dia", kind, file=where)
        return np.asarray(matrix.toarray())
    except InputError:
        raise
    except DAMAGE as error:
        raise bad_input(
            "the sparse matrix",
            "be whole",
            f"arrays that do not fit each other ({error})".split("\n")[0],
            file=where,
        ) from error
