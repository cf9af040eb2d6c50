"""Finding the one matrix that is meant in a file of plain arrays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.foundations.checks import InputError, bad_input, closest
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.hdf5 import check_size, open_hdf5, read_numbers, reading
from boltzbrain.readers.containers.matlab import find_in_mat
from boltzbrain.readers.containers.matrix import AXES, Matrix, matrix_of
from boltzbrain.readers.containers.npy import DAMAGE, NpyFile
from boltzbrain.readers.containers.signatures import signature_of
from boltzbrain.readers.containers.text.dialect import TableOptions
from boltzbrain.readers.containers.text.table import read_table
from boltzbrain.readers.containers.zip_archive import Archive, open_npz

_PIECE_BYTES = 1 << 24
_SHOWN = 8


@dataclass(frozen=True)
class Found:
    """A matrix, and what the file says beside it.

    Attributes
    ----------
    matrix
        As it is stored.
    turned
        Whether it is stored the other way round than its user sees it.
    times
        (frame,) seconds, None where they were not asked for.
    neurons
        Names of the neurons, None where the file has none.
    told
        How a table was read, for the source of the recording.
    """

    matrix: Matrix
    turned: bool = False
    times: NDArray[Any] | None = None
    neurons: list[str] | None = None
    told: Mapping[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def find_matrix(
    path: Path, name: str | None, times: str | None, axes: str, table: TableOptions
) -> Iterator[Found]:
    """Give the matrix that is meant, while its file is open.

    Raises
    ------
    InputError
        If there is none, or several and no `name`, or options of a table are given for another
        file.
    """
    signature = signature_of(path)
    if signature.kind != "text":
        for option, given in table.given.items():
            raise bad_input(option, "be left out: the file is no table of text", given, file=path)
    if signature.kind == "npy":
        yield _in_npy(path, name, times)
    elif signature.kind == "zip":
        with open_npz(path) as archive:
            yield _in_npz(archive, name, times)
    elif signature.kind == "hdf5":
        with open_hdf5(path) as file:
            yield _in_hdf5(file, str(path), name, times, signature.names)
    elif signature.kind == "mat":
        yield _in_mat(path, name, times)
    elif signature.kind == "text":
        yield _in_table(path, name, times, axes, table)
    else:
        raise bad_input("the file", "hold a matrix of numbers", signature.describe(), file=path)


def pick_matrix(
    known: Sequence[tuple[str, tuple[int, ...]]], name: str | None, where: object
) -> str:
    """Return the name of the matrix that is meant.

    Parameters
    ----------
    known
        Names and shapes of the matrices of the file.
    name
        What the user asked for.
    where
        The file.

    Raises
    ------
    InputError
        If there is no such matrix, or several and none was asked for.
    """
    shown = ", ".join(f"{one} {shape}" for one, shape in known[:_SHOWN]) or "none"
    names = [one for one, _ in known]
    if name is not None:
        if name in names:
            return name
        raise bad_input(
            "name", f"be a matrix of the file: {shown}", name,
            suggestion=closest(name, names), file=where,
        )  # fmt: skip
    if len(known) != 1:
        raise bad_input(
            "name" if known else "the file",
            "be given, as the file holds several matrices" if known else "hold a matrix of numbers",
            shown,
            file=where,
        )
    return names[0]


def _only(name: str | None, times: str | None, path: Path) -> None:
    for option, given in (("name", name), ("times", times)):
        if given is not None:
            raise bad_input(option, "be left out: the file holds one array alone", given, file=path)


def _in_npy(path: Path, name: str | None, times: str | None) -> Found:
    _only(name, times, path)
    file = NpyFile.open(path)
    matrix = Matrix(file.stored_shape, file.header.dtype, path.name, str(path), file.blocks)  # type: ignore[arg-type]
    return Found(matrix, turned=file.header.fortran)


def _in_npz(archive: Archive, name: str | None, times: str | None) -> Found:
    where = str(archive.path)
    if {"format", "shape", "data"} <= set(archive.names) and name is None:
        return Found(matrix_of(_sparse(archive), "the sparse matrix", where))
    stored = {one: archive.stored_shape(one) for one in archive.names}
    known = [
        (one, shape)
        for one, (shape, dtype, _) in stored.items()
        if len(shape) == 2 and dtype.kind in "biuf" and 0 not in shape
    ]
    chosen = pick_matrix(known, name, where)
    shape, dtype, fortran = stored[chosen]
    matrix = Matrix(
        shape[::-1] if fortran else shape,  # type: ignore[arg-type]  # two of them
        dtype,
        chosen,
        where,
        lambda: archive.blocks(chosen),
    )
    seconds = None
    if times is not None:
        if times not in archive:
            raise bad_input(
                "times", "be an array of the file: " + ", ".join(archive.names[:_SHOWN]), times,
                suggestion=closest(times, archive.names), file=where,
            )  # fmt: skip
        seconds = _numbers(archive.read(times), times, where)
    return Found(matrix, turned=fortran, times=seconds)


def _numbers(values: NDArray[Any], name: str, where: str) -> NDArray[Any]:
    if values.dtype.kind not in "iuf":
        raise bad_input(name, "hold numbers", f"dtype {values.dtype}", file=where)
    return values


def _sparse(archive: Archive) -> NDArray[Any]:
    """Return a matrix that `scipy.sparse.save_npz` wrote, dense."""
    where = archive.path
    told = archive.read("format").ravel()
    kind = "".join(
        one.decode("latin1") if isinstance(one, bytes) else str(one) for one in told[:1].tolist()
    )
    shape = tuple(
        int(size) for size in _numbers(archive.read("shape"), "shape", str(where)).ravel()
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


def _in_hdf5(
    file: h5py.File, where: str, name: str | None, times: str | None, names: tuple[str, ...]
) -> Found:
    known = []
    for one in names:
        with reading(where, one):
            thing = file[one]
            if isinstance(thing, h5py.Dataset) and thing.shape is not None:
                fits = thing.ndim == 2 and thing.dtype.kind in "biuf" and 0 not in thing.shape
                if fits and not one.startswith("#refs#") and 1 not in thing.shape:
                    known.append((one, tuple(int(size) for size in thing.shape)))
    chosen = pick_matrix(known, None if name is None else name.lstrip("/"), where)
    with reading(where, chosen):
        dataset = file[chosen]
        matlab = "MATLAB_class" in dataset.attrs
    check_size(dataset, where, chosen)
    matrix = Matrix(
        dict(known)[chosen],  # type: ignore[arg-type]  # two of them
        dataset.dtype,
        chosen,
        where,
        lambda: _hdf5_blocks(dataset, where, chosen),
    )
    seconds = None
    if times is not None:
        with reading(where, times):
            if times not in file or not isinstance(file[times], h5py.Dataset):
                raise bad_input("times", "be a dataset of the file", times, file=where)
            column = file[times]
        seconds = read_numbers(column, where, times)
    # MATLAB's first axis is HDF5's last
    return Found(matrix, turned=matlab, times=seconds)


def _hdf5_blocks(dataset: h5py.Dataset, where: str, name: str) -> Iterator[NDArray[Any]]:
    with reading(where, name):
        rows, columns = dataset.shape
        step = max(1, _PIECE_BYTES // max(1, columns * dataset.dtype.itemsize))
        if dataset.chunks:  # whole chunks, so that none is unpacked twice
            step = max(1, step // dataset.chunks[0]) * int(dataset.chunks[0])
    for first in range(0, rows, step):
        with reading(where, name):
            piece = np.asarray(dataset[first : first + step])
        yield piece


def _in_mat(path: Path, name: str | None, times: str | None) -> Found:
    values, seconds, chosen = find_in_mat(path, name, times, pick_matrix)
    return Found(matrix_of(values, chosen, str(path)), times=seconds)


def _in_table(path: Path, name: str | None, times: Any, axes: str, options: TableOptions) -> Found:
    """Return a table of numbers; a header names the neurons where rows are times."""
    if name is not None:
        raise bad_input("name", "be left out: the file holds one table alone", name, file=path)
    upright = axes == AXES[0]
    table = read_table(path, times, options, upright)
    labels = table.names
    named = labels is not None and upright and all(labels) and len(set(labels)) == len(labels)
    return Found(
        matrix_of(table.values, "the table", str(path)),
        times=table.times,
        neurons=labels if named else None,
        told=table.told,
    )
