"""The numbers of an array of whatever library, read by blocks; no library is imported for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import slices
from boltzbrain.readers.containers.arrays.matrix import Matrix, matrix_of

_TIME = frozenset({"time", "times", "time_s", "t", "bin", "bins", "frame", "frames", "sample"})
_NEURON = frozenset({"neuron", "neurons", "unit", "units", "unit_id", "cell", "cells", "roi"})


@dataclass(frozen=True)
class Held:
    """What an object holds of a matrix (time, neuron).

    Attributes
    ----------
    matrix
        The numbers.
    neurons
        (neuron,) names, None where the object has none.
    times
        (time,) seconds, None where the object tells none.
    regions
        (neuron,) labels by name of the coordinate, of xarray.
    named
        Its columns or its axes have names, so that they are not turned round unnoticed.
    """

    matrix: Matrix
    neurons: list[str] | None = None
    times: NDArray[np.float64] | None = None
    regions: dict[str, list[str]] | None = None
    named: bool = False


def is_torch(thing: Any) -> bool:
    """Say whether an object is a tensor of PyTorch."""
    return hasattr(thing, "detach") and hasattr(thing, "layout") and hasattr(thing, "numpy")


def is_xarray(thing: Any) -> bool:
    """Say whether an object is a DataArray of xarray."""
    return hasattr(thing, "dims") and hasattr(thing, "coords") and hasattr(thing, "values")


def plain_array(thing: Any, name: str) -> NDArray[Any]:
    """Return any array as one of numpy; what is masked or missing becomes NaN.

    Raises
    ------
    InputError
        If it is none.
    """
    if is_torch(thing):
        dense = (
            thing.detach().to_dense() if str(thing.layout) != "torch.strided" else thing.detach()
        )
        if str(dense.dtype) == "torch.bfloat16":  # numpy has no such type
            dense = dense.float()
        return np.asarray(dense.cpu().resolve_conj().resolve_neg().numpy())
    if np.ma.is_masked(thing):
        return np.asarray(np.ma.filled(thing.astype(np.float64), np.nan))
    if hasattr(thing, "toarray"):
        return np.asarray(thing.toarray())
    if thing is None or isinstance(thing, (str, bytes, os.PathLike)):
        raise bad_input(name, "be an array (boltzbrain.read takes files)", thing)
    try:
        values = np.asarray(thing)
    except (TypeError, ValueError, RuntimeError) as error:
        raise bad_input(name, "be an array of numbers", str(error)) from error
    if isinstance(thing, pd.DataFrame) and values.dtype == object:
        values = _of_frame(thing, values)
    return values


def _of_frame(frame: pd.DataFrame, values: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers of columns of several types, or of those that know missing values."""
    kinds = [one.kind for one in frame.dtypes if hasattr(one, "kind")]
    if len(kinds) < frame.shape[1] or not set(kinds) <= set("biuf"):
        return values
    numbers = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return numbers if "f" in kinds or np.isnan(numbers).any() else numbers.astype(np.int64)


def held_of(thing: Any, name: str) -> Held:
    """Return what an array, sparse matrix, data frame, DataArray or tensor holds.

    Parameters
    ----------
    thing
        Rows are times, columns neurons; an xarray whose axes have names may be turned round.
    name
        What it is called, for messages.

    Raises
    ------
    InputError
        If it is no table of numbers.
    """
    if sparse.issparse(thing):
        return Held(_of_sparse(thing, name))
    if is_xarray(thing):
        return _of_xarray(thing, name)
    if isinstance(thing, list | tuple) and len({np.size(one) for one in thing}) > 1:
        must = "be a table, (time, neuron) (spike times of each neuron go to from_spike_times)"
        raise bad_input(name, must, "lists of different lengths")
    if isinstance(thing, pd.DataFrame):
        _require_neurons(thing, name)
    values = plain_array(thing, name)
    require_table(values, name)
    matrix = matrix_of(values, name, None)
    if isinstance(thing, pd.DataFrame):
        ids = [str(one) for one in thing.columns]
        different = len(set(ids)) == len(ids)
        named = not isinstance(thing.columns, pd.RangeIndex)
        return Held(matrix, ids if different else None, _seconds(thing.index), named=named)
    if hasattr(thing, "time_support") and hasattr(thing, "columns"):  # pynapple's TsdFrame
        ids = [str(one) for one in thing.columns]
        return Held(matrix, ids, np.asarray(thing.t, np.float64), named=True)
    return Held(matrix)


def _require_neurons(frame: pd.DataFrame, name: str) -> None:
    """Refuse a frame with a column that is no neuron: times, the index of a csv, text."""
    for called, kind in zip(map(str, frame.columns), frame.dtypes, strict=True):
        if called.lower() in _TIME or called == "Unnamed: 0":  # the index, as read_csv gives it
            hint = f"make it the index: {name}.set_index({called!r})"
        elif getattr(kind, "kind", "O") not in "biuf":
            hint = f"of {kind}; leave it out: {name}.drop(columns={called!r})"
        else:
            continue
        must = "hold neurons, and nothing else, in its columns"
        raise bad_input(name, must, f"the column {called!r} ({hint})")


def require_table(values: NDArray[Any], name: str) -> None:
    """Refuse what has not two axes, and say what to do with one and with three.

    Raises
    ------
    InputError
        If it has not.
    """
    if values.ndim == 2:
        return
    hint = ""
    if values.ndim == 1 and values.dtype != object:
        hint = f" (of one neuron: {name}[:, None])"
    elif values.ndim == 3:
        hint = (
            f" (of trials: {name}.reshape(-1, neurons) with segment=np.repeat(np.arange(trials), "
            "bins))"
        )
    raise bad_input(name, f"be a table, (time, neuron){hint}", f"shape {values.shape}")


def _of_sparse(thing: Any, name: str) -> Matrix:
    if len(thing.shape) != 2:
        raise bad_input(name, "be a table, (time, neuron)", f"shape {tuple(thing.shape)}")
    rows = sparse.csr_array(thing)

    def blocks() -> Iterator[NDArray[Any]]:
        for part in slices(rows.shape[0], rows.shape[1] * rows.dtype.itemsize):
            yield rows[part].toarray()

    return Matrix(rows.shape, rows.dtype, name, None, blocks)


def _of_xarray(thing: Any, name: str) -> Held:
    if isinstance(thing.dims, dict) or not hasattr(thing, "dtype"):
        raise bad_input(name, "be one array of the Dataset", "the whole of it")
    values = np.asarray(thing.values)
    require_table(values, name)
    first, second = (str(one).lower() for one in thing.dims)
    turned = (first in _NEURON and second not in _NEURON) or (
        second in _TIME and first not in _TIME
    )
    if turned:
        values = values.T
    time, neuron = tuple(thing.dims)[::-1] if turned else tuple(thing.dims)
    coords = thing.coords
    ids = [str(one) for one in np.asarray(coords[neuron].values)] if neuron in coords else None
    regions = {
        str(one): [str(label) for label in np.asarray(coords[one].values)]
        for one in coords
        if tuple(coords[one].dims) == (neuron,)
        and str(one).lower() in ("region", "area", "brain_area", "location")
    }
    named = str(time).lower() in _TIME and time in coords
    times = _seconds(pd.Index(coords[time].values), True) if named else None
    sure = str(time).lower() in _TIME or str(neuron).lower() in _NEURON
    return Held(matrix_of(values, name, None), ids, times, regions, sure)


def _seconds(index: pd.Index[Any], numbers: bool = False) -> NDArray[np.float64] | None:
    """Return the times of an index in seconds from its first, None where it is no clock.

    Parameters
    ----------
    index
        Durations or dates.
    numbers
        Take floating-point numbers for seconds too, as they are.
    """
    if isinstance(index, pd.DatetimeIndex):
        index = index - index[0]
    if isinstance(index, pd.TimedeltaIndex):
        return np.asarray(index.total_seconds(), dtype=np.float64)
    if numbers and index.dtype.kind == "f":
        return np.asarray(index, dtype=np.float64)
    return None
