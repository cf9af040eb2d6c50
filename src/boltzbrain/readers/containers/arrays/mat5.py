"""Variables of MATLAB files before version 7.3, by SciPy; the later ones are HDF5.

A struct is told by dotted names (``data.spikes``); a field of an array of structs, and a cell
array, are lists of arrays.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import io as scipy_io

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.arrays.held import (
    Arrays,
    Held,
    cells_of,
    in_words,
    is_meant,
    numbers_only,
)
from boltzbrain.readers.containers.arrays.mat5_outline import Node, outline
from boltzbrain.readers.containers.arrays.matrix import Matrix, matrix_of
from boltzbrain.readers.containers.npy import damage

_NUMBERS = {
    "double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2",
    "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8", "logical": "b1", "sparse": "f8",
}  # fmt: skip
_WHOLE = "be a whole MATLAB file"
_OF_SCIPY = (zlib.error, AttributeError, AssertionError, ZeroDivisionError)
"""What SciPy raises of damaged files beside what is usual; of our own code these are mistakes."""


def arrays_in_mat(path: Path) -> Arrays:
    """Return what the variables of a file hold; structs and cells are looked into.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    where, nodes = str(path), outline_of(path)
    held: list[Held] = []
    others: list[str] = []
    for node in nodes:
        for one in _inside(path, node.name, [node], node.shape, (node.name,)):
            held.append(one) if isinstance(one, Held) else others.append(one)

    def numbers(name: str) -> NDArray[Any]:
        parts = name.replace("/", ".").split(".")
        if parts[0] not in {one.name for one in nodes}:
            known = ", ".join(one.name for one in nodes)
            raise bad_input("times", "be a variable: " + known, name, file=where)
        return numbers_only(_at(_variable(path, parts[0]), parts[1:]), name, where)

    return Arrays(where, tuple(held), tuple(others), numbers)


def outline_of(path: Path) -> list[Node]:
    """Return the variables of a file, without their numbers.

    Raises
    ------
    InputError
        If it is damaged.
    """
    with damage(path, "the file", _WHOLE, also=(zlib.error,)):
        return list(outline(path))


def read_variable(path: Path, name: str) -> Any:
    """Return a variable: an array, a text, a dict of a struct, an object array of cells or structs.

    Raises
    ------
    InputError
        If the file is damaged, or has no such variable that can be loaded.
    """
    if not any(one.name == name and one.loadable() for one in outline_of(path)):
        raise bad_input(name, "be a variable of numbers, text, cells or structs", "none", file=path)
    return _variable(path, name)


def _variable(path: Path, name: str) -> Any:
    """Return a variable of a file that was walked through."""
    with damage(path, "the file", _WHOLE, also=_OF_SCIPY):
        loaded = scipy_io.loadmat(str(path), variable_names=[name])
    with damage(path, "the file", _WHOLE):
        return _plain(loaded.get(name))


def _plain(value: Any) -> Any:
    """Return what SciPy made of a value without its wrappings; None of what is no data."""
    if hasattr(value, "toarray"):  # a sparse matrix, of which SciPy checks no index
        value.check_format(full_check=True)
        require_memory(
            "a sparse matrix made dense",
            8 * value.shape[0] * value.shape[1],
            limit_gb=None,
            advice="a shorter recording",
        )
        return np.asarray(value.toarray())
    if type(value) is not np.ndarray:  # a function, an object of a class
        return None
    if value.dtype.names is not None:
        fields = value.dtype.names
        structs = [{field: _plain(one[field]) for field in fields} for one in value.ravel()]
        return structs[0] if len(structs) == 1 else _objects(structs, value.shape)
    if value.dtype == object:
        return _objects([_plain(one) for one in value.ravel()], value.shape)
    if value.dtype.kind == "U":
        return "".join(value.ravel().tolist())
    return value


def _objects(values: list[Any], shape: tuple[int, ...]) -> NDArray[np.object_]:
    result = np.empty(len(values), dtype=object)
    for number, one in enumerate(values):
        result[number] = one
    return result.reshape(shape)


def _at(value: Any, parts: Sequence[str]) -> Any:
    """Return what lies in fields of fields: of an array of structs the field of each."""
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, np.ndarray) and value.dtype == object:
            each = [one.get(part) if isinstance(one, dict) else None for one in value.ravel()]
            value = _objects(each, value.shape)
        else:
            return None
    return value


def _inside(
    path: Path, name: str, nodes: Sequence[Node], shape: tuple[int, ...], parts: tuple[str, ...]
) -> Iterator[Held | str]:
    """Yield what there is at a name, and in words what is no activity.

    Parameters
    ----------
    path
        The file.
    name
        With dots.
    nodes
        What it is: one, or in an array of structs one of each.
    shape
        Of the list, where there are several.
    parts
        The variable and its fields.
    """
    kinds = {node.kind for node in nodes}
    if len(nodes) == 1 and not nodes[0].loadable():
        yield in_words(name, shape, "object")
    elif len(nodes) == 1 and kinds == {"cell"} and nodes[0].inside:
        yield from _list(path, name, nodes[0].inside, nodes[0].shape, parts)
    elif kinds == {"struct"} and all(node.fields == nodes[0].fields for node in nodes):
        structs = [one for node in nodes for one in _structs(node)]
        outer = nodes[0].shape if len(nodes) == 1 else shape
        for place, field in enumerate(nodes[0].fields):
            of_each = [one[place] for one in structs]
            yield from _inside(path, f"{name}.{field}", of_each, outer, (*parts, field))
    elif len(nodes) > 1:
        yield from _list(path, name, nodes, shape, parts)
    else:
        for node in nodes:
            dtype = np.dtype(_NUMBERS.get(node.kind, "O"))
            if is_meant(node.shape, dtype) and min(node.shape) > 1:
                yield Held(name, node.shape, dtype, lambda: _loaded(path, name, node, parts))  # noqa: B023
            else:
                yield in_words(name, node.shape, node.kind)


def _structs(node: Node) -> list[tuple[Node, ...]]:
    """Return the fields of each struct of an array."""
    width = max(1, len(node.fields))
    return [node.inside[at : at + width] for at in range(0, len(node.inside), width)]


def _list(
    path: Path, name: str, nodes: Sequence[Node], shape: tuple[int, ...], parts: tuple[str, ...]
) -> Iterator[Held | str]:
    where = str(path)
    if all(one.kind in _NUMBERS for one in nodes):
        # a matrix of one neuron or bin looks as a list of numbers does
        matrices = any(min(one.shape) > 1 for one in nodes)

        def load() -> NDArray[np.object_]:
            cells = _at(_variable(path, parts[0]), parts[1:])
            return cells_of(np.ravel(cells), shape, name, where)

        yield Held(name, shape, None, load, trains=False if matrices else None)
    else:
        yield in_words(name, shape, "cells")


def _loaded(path: Path, name: str, node: Node, parts: tuple[str, ...]) -> Matrix:
    values = numbers_only(_at(_variable(path, parts[0]), parts[1:]), name, str(path))
    if values.shape != node.shape:
        raise bad_input(name, f"have shape {node.shape}", f"shape {values.shape}", file=path)
    return matrix_of(values, name, str(path))
