"""An array of activity in any container, read some rows at a time into (time, neuron)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory, slices

Values = Literal["counts", "states", "dff", "fluorescence", "deconvolved"]
VALUES = ("counts", "states", "dff", "fluorescence", "deconvolved")
"""What a matrix may hold: spikes per bin, 0 and 1, or traces of three kinds."""

AXES = ("time,neuron", "neuron,time")
"""The two orientations of a matrix, rows first."""

TRIAL_AXES = tuple(",".join(one) for one in itertools.permutations(("trial", "neuron", "time")))
"""The orders that the axes of an array of trials may have."""


_RESULT = ("trial", "time", "neuron")


@dataclass(frozen=True)
class Matrix:
    """An array of two or three axes, to be read from its first row to its last, as often as wanted.

    Attributes
    ----------
    shape
        (row, column), or of trials the lengths of three axes; rows are the first.
    dtype
        Of its values.
    name, where
        The array and the file, for messages; None of an array in memory.
    blocks
        Returns an iterator over stretches of rows, in order.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    name: str
    where: str | None
    blocks: Callable[[], Iterator[NDArray[Any]]]

    def __post_init__(self) -> None:
        """Refuse what is no matrix of numbers."""
        if len(self.shape) not in (2, 3) or 0 in self.shape:
            raise bad_input(
                self.name,
                "be an array of time and neurons, or of trials of them, all above 0",
                f"shape {tuple(self.shape)}",
                file=self.where,
            )
        if self.dtype.kind not in "biuf":
            raise bad_input(self.name, "hold numbers", f"dtype {self.dtype}", file=self.where)


def matrix_of(values: NDArray[Any], name: str, where: str | None) -> Matrix:
    """Return an array in memory as a `Matrix`."""

    def blocks() -> Iterator[NDArray[Any]]:
        for part in slices(len(values), values[:1].nbytes):
            yield values[part]

    return Matrix(values.shape, values.dtype, name, where, blocks)


def turned(axes: str) -> str:
    """Return the axes of an array that is stored the other way round than its user sees it.

    Examples
    --------
    >>> turned("trial,neuron,time")
    'time,neuron,trial'
    """
    return ",".join(reversed(axes.split(",")))


def read_frames(
    matrix: Matrix,
    axes: str,
    keep: NDArray[np.bool_] | None = None,
    into: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the kept neurons as float32 traces, (frame, neuron), in a new array unless `into` one.

    Raises
    ------
    InputError
        If it does not fit in memory or cannot be read.
    """
    frames: NDArray[np.float32] = _fill(matrix, axes, keep, np.dtype(np.float32), _as_float, into)
    return frames


def read_counts(
    matrix: Matrix,
    axes: str,
    values: str,
    keep: NDArray[np.bool_] | None = None,
    into: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], int]:
    """Return the kept neurons as uint8 counts or states, (bin, neuron), and how many exceeded 255.

    Raises
    ------
    InputError
        If a value is negative, not whole, or for states above 1; it does not fit in memory.
    """
    saturated = 0
    called = ("row", "column") if len(matrix.shape) == 2 else tuple(axes.split(","))

    def whole(piece: NDArray[Any], row: int) -> NDArray[Any]:
        nonlocal saturated
        capped, above = whole_numbers(
            piece, values, matrix.name, matrix.where, first=row, axes=called
        )
        saturated += above
        return capped

    result: NDArray[np.uint8] = _fill(matrix, axes, keep, np.dtype(np.uint8), whole, into)
    return result, saturated


def whole_numbers(
    piece: NDArray[Any],
    values: str,
    name: str,
    where: object,
    *,
    first: int,
    axes: tuple[str, ...],
) -> tuple[NDArray[np.uint8], int]:
    """Return counts up to 255 or states as uint8, by value, and how many were above.

    Parameters
    ----------
    piece
        Some rows of a matrix.
    values
        "counts" or "states".
    name, where, first, axes
        The array, the file, the number of the first row, and what its axes are called, for the
        message.

    Raises
    ------
    InputError
        If a value is negative or not whole, or for states above 1.
    """
    if piece.dtype == np.bool_:
        return piece.astype(np.uint8), 0
    with np.errstate(invalid="ignore"):
        wrong = ~(piece >= 0)
        if piece.dtype.kind == "f":
            wrong |= ~np.isfinite(piece) | (piece != np.floor(piece))
        if values == "states":
            wrong |= piece > 1
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        numbers = (first + place[0], *place[1:])
        raise bad_input(
            name,
            "be 0 or 1" if values == "states" else "be whole numbers, at least 0",
            f"{piece[place]} in "
            + ", ".join(f"{axis} {at}" for axis, at in zip(axes, numbers, strict=True)),
            file=where,
        )
    # compared, not capped by np.minimum: 255 is no value of int8
    above = piece > 255
    return np.where(above, 255, piece).astype(np.uint8), int(above.sum())


def guess_values(matrix: Matrix) -> str:
    """Return "states" or "counts" for whole numbers of an integer or boolean type.

    Raises
    ------
    InputError
        If the numbers are floating-point: they may be counts, traces or anything.
    """
    if matrix.dtype.kind == "f":
        raise bad_input(
            "values",
            f"be given for {matrix.name}, whose numbers are floating-point: one of "
            + ", ".join(VALUES),
            "none",
            file=matrix.where,
        )
    if matrix.dtype.kind == "b":
        return "states"
    return "states" if all(int(block.max()) <= 1 for block in matrix.blocks()) else "counts"


def empty_frames(frames: int, neurons: int, dtype: Any, matrix: Matrix) -> NDArray[Any]:
    """Return an array for frames, (frame, neuron), if there is memory for it.

    Raises
    ------
    InputError
        If there is not.
    """
    require_memory(
        f"{frames:,} frames x {neurons:,} neurons of {matrix.name}",
        frames * neurons * np.dtype(dtype).itemsize,
        limit_gb=None,
        advice="a shorter recording or fewer neurons",
        file=matrix.where,
    )
    return np.empty((frames, neurons), dtype=dtype)


def _as_float(piece: NDArray[Any], row: int) -> NDArray[Any]:
    del row
    return piece


def _fill(
    matrix: Matrix,
    axes: str,
    keep: NDArray[np.bool_] | None,
    dtype: np.dtype[Any],
    convert: Callable[[NDArray[Any], int], NDArray[Any]],
    into: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Read into a (time, neuron) array, a new one unless it is given, converting by pieces.

    Trials follow one another along time.
    """
    order = axes.split(",")
    size = dict(zip(order, matrix.shape, strict=True))
    trials, bins, neurons = size.get("trial", 1), size["time"], size["neuron"]
    chosen = np.arange(neurons) if keep is None else np.flatnonzero(keep)
    result = empty_frames(trials * bins, len(chosen), dtype, matrix) if into is None else into
    # the result, seen with the axes in the order of the file
    view = result
    if "trial" in size:
        view = result.reshape(trials, bins, len(chosen))
    target = view.transpose([[one for one in _RESULT if one in size].index(one) for one in order])
    along = order.index("neuron")
    row = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for block in matrix.blocks():
            rows = len(block)
            if keep is None:
                target[row : row + rows] = convert(block, row)
            elif along > 0:
                target[row : row + rows] = convert(block.take(chosen, axis=along), row)
            else:
                low, high = np.searchsorted(chosen, [row, row + rows]).tolist()
                if high > low:
                    target[low:high] = convert(block[chosen[low:high] - row], row)
            row += rows
    return result
