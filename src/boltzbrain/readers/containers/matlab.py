"""Matrices of MATLAB files before version 7.3, by SciPy; the later ones are HDF5."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import io as scipy_io

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.containers.npy import DAMAGE

_NUMBERS = (
    "double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "logical", "sparse",
)  # fmt: skip
# deflate reaches 1032 : 1 at most
_DEFLATE_RATIO = 1100
_SLACK = 1 << 20

PickMatrix = Callable[[Sequence[tuple[str, tuple[int, ...]]], str | None, object], str]


def find_in_mat(
    path: Path, name: str | None, times: str | None, pick_matrix: PickMatrix
) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
    """Return the matrix that is meant, the times if asked for, and the name of the matrix.

    Raises
    ------
    InputError
        If the file is damaged, or has no such variable.
    """
    where = str(path)
    _check_elements(path)
    held = _load(path, lambda: scipy_io.whosmat(where))
    sizes = {str(one): tuple(int(size) for size in shape) for one, shape, _ in held}
    for one, _, kind in held:
        if kind != "sparse":  # which stores no zeros
            _check_size(path, str(one), sizes[str(one)])
    known = [
        (str(one), sizes[str(one)])
        for one, _, kind in held
        if kind in _NUMBERS and len(sizes[str(one)]) == 2 and min(sizes[str(one)]) > 1
    ]
    chosen = pick_matrix(known, name, where)
    wanted = [chosen] + ([] if times is None else [times])
    if times is not None and times not in sizes:
        raise bad_input("times", "be a variable: " + ", ".join(sizes), times, file=where)
    loaded = _load(path, lambda: scipy_io.loadmat(where, variable_names=wanted))
    values = loaded.get(chosen)
    if hasattr(values, "toarray"):  # a sparse one
        require_memory(
            f"the sparse matrix {chosen} made dense",
            8 * int(np.prod(sizes[chosen], dtype=np.int64)),
            limit_gb=None,
            advice="a shorter recording",
            file=where,
        )
        values = values.toarray()
    seconds = None if times is None else np.asarray(loaded.get(times))
    for one, array in ((chosen, values), (times, seconds)):
        if one is not None and (
            not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf"
        ):
            raise bad_input(one, "hold numbers", "something else", file=where)
    assert isinstance(values, np.ndarray)
    # numbers that are whole are stored as doubles, as MATLAB has no other habit
    return values, seconds, chosen


def _check_elements(path: Path) -> None:
    """Refuse a file that does not end where its last element does: SciPy takes no notice."""
    with path.open("rb") as stream:
        size = path.stat().st_size
        order = "<" if stream.read(128)[126:128] == b"IM" else ">"
        place = 128
        while place < size:
            stream.seek(place)
            tag = stream.read(8)
            length = struct.unpack(order + "I", tag[4:])[0] if len(tag) == 8 else size
            place += 8 + length
    if place != size:
        raise bad_input(
            "the file",
            "be a whole MATLAB file",
            f"a truncated or damaged one ({size:,} bytes, its elements end at {place:,})",
            file=path,
        )


def _check_size(path: Path, name: str, shape: tuple[int, ...]) -> None:
    """Refuse what cannot be stored in a file of this size; one byte per number at least."""
    declared = int(np.prod([float(size) for size in shape])) if shape else 0
    stored = path.stat().st_size
    if min(shape, default=0) < 0 or declared > _DEFLATE_RATIO * stored + _SLACK:
        raise bad_input(
            name,
            "have the size that it declares",
            f"shape {shape} in {stored:,} bytes",
            file=path,
        )


def _load(path: Path, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except InputError:
        raise
    except (*DAMAGE, zlib.error, NotImplementedError, AttributeError, AssertionError,
            UnicodeError) as error:  # fmt: skip
        text = str(error).split("\n")[0] or type(error).__name__
        raise bad_input(
            "the file", "be a whole MATLAB file", f"a truncated or damaged one ({text})", file=path
        ) from error
