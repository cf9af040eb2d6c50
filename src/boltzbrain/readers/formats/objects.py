"""Objects of other libraries in memory, known by what they can do; no library is imported.

SpikeInterface sortings, Neo blocks, segments and lists of spike trains, pynapple groups and frames,
arrays, sparse matrices, data frames and lists of them, and lists of spike times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Signal
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in, one_of
from boltzbrain.readers.containers.arrays.held import Arrays, Held, cells_of
from boltzbrain.readers.containers.arrays.matrix import (
    AXES,
    TRIAL_AXES,
    VALUES,
    guess_values,
    matrix_of,
)
from boltzbrain.readers.formats.arrays import require_told, tidy_axes
from boltzbrain.readers.formats.pynapple import checked_support, frame_signal
from boltzbrain.readers.formats.sorted.spikeinterface import lay_segments, spanned
from boltzbrain.readers.formats.trials import Told, cells_signal, matrix_signal
from boltzbrain.readers.memory.numbers import is_torch, is_xarray, plain_array
from boltzbrain.readers.trains import from_trains, regions_of


@dataclass(frozen=True)
class Kind:
    """A kind of object: its name, what tells it, and its reader ``read(thing, **options)``."""

    name: str
    looks_for: str
    fits: Callable[[Any], bool]
    read: Callable[..., Recording]


def _recording(
    name: str, ids: Sequence[Any], signal: Signal, columns: Mapping[str, NDArray[Any]], options: Any
) -> Recording:
    rest = dict(columns)
    regions = regions_of(rest)
    return Recording(
        neurons=neuron_table([str(one) for one in ids], None, rest),
        regions=regions,
        signal=signal,
        epochs=no_epochs(),
        source=Source(name, f"<{name} in memory>", "", options),
    )


# --- SpikeInterface ------------------------------------------------------------------------------


def read_sorting(sorting: Any) -> Recording:
    """Read a SpikeInterface sorting: spike times in seconds.

    A segment is what lies between its first spike and its last; segments are laid one after another
    with a pause of a second and are recorded stretches.
    """
    ids = list(sorting.get_unit_ids())
    segments = range(sorting.get_num_segments())
    trains = [
        [
            np.asarray(
                sorting.get_unit_spike_train(unit, segment_index=one, return_times=True),
                dtype=np.float64,
            )
            for one in segments
        ]
        for unit in ids
    ]
    where = "<spikeinterface in memory>"
    windows = [
        (
            min((float(train[one].min()) for train in trains if len(train[one])), default=np.inf),
            max((float(train[one].max()) for train in trains if len(train[one])), default=-np.inf),
        )
        for one in segments
    ]
    moved, recorded = lay_segments(windows, where)
    joined = [
        np.concatenate([part + by for part, by in zip(train, moved, strict=True)])
        for train in trains
    ]
    start, stop = spanned(recorded)
    signal, losses = from_trains(joined, where, start_s=start, stop_s=stop, recorded=recorded)
    columns = {}
    for name in sorting.get_property_keys() if hasattr(sorting, "get_property_keys") else ():
        values = np.asarray(sorting.get_property(name))
        if values.shape == (len(ids),) and values.dtype.kind in "biufU":
            columns[name] = values.astype(object) if values.dtype.kind == "U" else values
    return _recording("spikeinterface", ids, signal, columns, stored(losses))


# --- Neo -----------------------------------------------------------------------------------------


def read_neo(thing: Any) -> Recording:
    """Read a Neo block, a segment, or a list of spike trains.

    Trains of one position in every segment are one neuron. Times are seconds as Neo has them; where
    segments overlap in time they are laid one after another with a pause of a second.
    """
    return neo_recording(thing, "<neo in memory>")


def neo_recording(thing: Any, where: str) -> Recording:
    """Read what `read_neo` reads; `where` names it in messages."""
    if hasattr(thing, "segments"):
        groups = [list(segment.spiketrains) for segment in thing.segments]
    elif hasattr(thing, "spiketrains"):
        groups = [list(thing.spiketrains)]
    else:
        groups = [list(thing)]
    groups = [group for group in groups if group]
    if not groups or len({len(group) for group in groups}) != 1:
        raise bad_input(
            "the block",
            "hold the same spike trains in every segment, at least one",
            f"{[len(group) for group in groups]} trains",
            file=where,
        )
    windows = np.array(
        [
            [
                min(_seconds(train.t_start) for train in group),
                max(_seconds(train.t_stop) for train in group),
            ]
            for group in groups
        ]
    )
    shift = np.zeros(len(groups))
    if (np.diff(windows.ravel()) < 0).any() or windows[0, 0] < 0:
        # from 0: where they overlap their own times mean nothing
        shift, _ = lay_segments([(low, high) for low, high in windows.tolist()], where)
        shift = shift - windows[0, 0] if len(windows) > 1 else -windows[:, 0]
    windows = windows + shift[:, None]
    trains = [
        np.concatenate(
            [
                np.asarray(_magnitude(group[neuron].times), dtype=np.float64) + moved
                for group, moved in zip(groups, shift, strict=True)
            ]
        )
        for neuron in range(len(groups[0]))
    ]
    recorded = checked_support(windows, where) if len(groups) > 1 else None
    signal, losses = from_trains(
        trains,
        where,
        start_s=float(windows[0, 0]),
        stop_s=float(windows[-1, 1]),
        recorded=recorded,
    )
    names = [getattr(train, "name", None) or str(n) for n, train in enumerate(groups[0])]
    if len(set(names)) != len(names):
        names = [str(number) for number in range(len(names))]
    columns = _annotations(groups[0])
    return _recording("neo", names, signal, columns, stored(losses))


def _seconds(value: Any) -> float:
    return float(np.asarray(_magnitude(value)).ravel()[0])


def _magnitude(value: Any) -> Any:
    return value.rescale("s").magnitude


def _annotations(trains: list[Any]) -> dict[str, NDArray[Any]]:
    """Return the annotations that every train has as one number or text."""
    told = [dict(getattr(train, "annotations", {})) for train in trains]
    columns: dict[str, NDArray[Any]] = {}
    for name in told[0]:
        values = [one.get(name) for one in told]
        if all(isinstance(value, str) for value in values):
            columns[str(name)] = np.asarray(values, dtype=object)
        elif all(isinstance(value, (bool, int, float, np.number)) for value in values):
            columns[str(name)] = np.asarray(values)
    return columns


# --- pynapple ------------------------------------------------------------------------------------


def _support(thing: Any) -> NDArray[np.float64]:
    support = thing.time_support
    pair = np.stack([np.asarray(support["start"]), np.asarray(support["end"])], axis=1)
    return checked_support(pair, "<pynapple in memory>")


def read_tsgroup(group: Any) -> Recording:
    """Read a pynapple TsGroup, with the stretches of its time support and its metadata."""
    support = _support(group)
    keys = list(group.keys())
    signal, losses = from_trains(
        [np.asarray(group[key].t) for key in keys],
        "<pynapple in memory>",
        start_s=float(support[0, 0]),
        stop_s=float(support[-1, 1]),
        recorded=support if len(support) > 1 else None,
    )
    columns = {}
    for name in getattr(group, "metadata_columns", ()):
        values = np.asarray(group.get_info(name))
        if name != "rate" and values.shape == (len(keys),):
            columns[str(name)] = values.astype(object) if values.dtype.kind in "UO" else values
    return _recording("pynapple", keys, signal, columns, stored(losses))


def read_tsdframe(
    frame: Any, *, values: str | None = None, bin_width_s: float | None = None
) -> Recording:
    """Read a pynapple TsdFrame; options as of `formats.arrays.read_array`."""
    if values is not None:
        one_of("values", values, VALUES)
    where = "<pynapple in memory>"
    signal = frame_signal(
        np.asarray(frame.values), np.asarray(frame.t), _support(frame), values, bin_width_s, where
    )
    return _recording("pynapple", list(frame.columns), signal, {}, {"values": values})


# --- plain ---------------------------------------------------------------------------------------


def read_matrix(
    matrix: Any,
    *,
    axes: str | None = None,
    values: str | None = None,
    frame_s: float | None = None,
    sampling_hz: float | None = None,
    bin_width_s: float | None = None,
) -> Recording:
    """Read an array, a sparse matrix, a data frame, or a list with the matrix of each trial.

    Options are those of `boltzbrain.readers.formats.arrays.read_array`.
    """
    where = "<array in memory>"
    axes = None if axes is None else tidy_axes(axes, where)
    if values is not None:
        one_of("values", values, VALUES)
    listed = isinstance(matrix, list | tuple)
    held = _held_list(matrix, where) if listed else _held_array(matrix, where)
    told = Told(frame_s, sampling_hz, bin_width_s)
    require_told(
        Arrays(where, (held,), (), lambda _: held.load(), in_memory=True),
        [held],
        axes,
        values,
        told,
    )
    assert axes is not None
    one_of("axes", axes, held.axes() if not listed else TRIAL_AXES, file=where)
    names: list[str] | None = None
    if isinstance(matrix, pd.DataFrame):
        names = [str(name) for name in (matrix.columns if axes == AXES[0] else matrix.index)]
    kind = values
    if listed:
        assert values is not None
        signal = cells_signal(held.load(), axes, values, None, told, held.name, where)
    else:
        kind = guess_values(held.load()) if values is None else values
        signal = matrix_signal(held.load(), axes, kind, None, told)
    count = len(signal)
    ids = (
        names if names is not None and len(set(names)) == count else [str(n) for n in range(count)]
    )
    return _recording("array", ids, signal, {}, {"axes": axes, "values": kind})


def _held_array(matrix: Any, where: str) -> Held:
    whole = matrix_of(plain_array(matrix, "the array"), "the array", where)
    return Held(whole.name, whole.shape, whole.dtype, lambda: whole)


def _held_list(trials: Any, where: str) -> Held:
    name = "the list of trials"
    cells = cells_of([plain_array(one, name) for one in trials], (len(trials),), name, where)
    return Held(name, cells.shape, None, lambda: cells)


def read_trains(trains: Any, *, stop_s: float | None = None, start_s: float = 0.0) -> Recording:
    """Read a list of spike trains in seconds, or a dictionary from names to them.

    `stop_s` is the end of the recording in seconds and must be given: after the last spike nothing
    tells how long silence lasted.
    """
    where = "<spike times in memory>"
    if stop_s is None:
        raise bad_input(
            "stop_s", "be given: the end of the recording in seconds", "none", file=where
        )
    number_in("stop_s", stop_s, low=0.0, include_low=False)
    names = list(trains) if isinstance(trains, Mapping) else range(len(trains))
    values = list(trains.values()) if isinstance(trains, Mapping) else list(trains)
    signal, losses = from_trains(values, where, start_s=start_s, stop_s=stop_s)
    return _recording("spike times", names, signal, {}, stored(losses))


def _is_neo(thing: Any) -> bool:
    if hasattr(thing, "segments") and not hasattr(thing, "get_unit_spike_train"):
        return True
    if hasattr(thing, "spiketrains"):
        return True
    listed = isinstance(thing, (list, tuple)) and len(thing) > 0
    return listed and all(hasattr(one, "t_stop") and hasattr(one, "times") for one in thing)


def _is_group(thing: Any) -> bool:
    return hasattr(thing, "time_support") and hasattr(thing, "keys") and hasattr(thing, "items")


def _is_frame(thing: Any) -> bool:
    return hasattr(thing, "time_support") and hasattr(thing, "columns") and hasattr(thing, "t")


def _is_matrix(thing: Any) -> bool:
    if isinstance(thing, list | tuple):  # a matrix per trial
        return len(thing) > 0 and all(
            isinstance(one, np.ndarray | pd.DataFrame) and one.ndim == 2 for one in thing
        )
    known = isinstance(thing, (np.ndarray, pd.DataFrame)) or sparse.issparse(thing)
    return known or is_torch(thing) or is_xarray(thing)


def _is_trains(thing: Any) -> bool:
    values = thing.values() if isinstance(thing, Mapping) else thing
    if not isinstance(thing, (Mapping, list, tuple)) or not values:
        return False
    return all(isinstance(one, (np.ndarray, list, tuple)) for one in values)


KINDS: tuple[Kind, ...] = (
    Kind(
        "spikeinterface",
        "a SpikeInterface sorting (get_unit_spike_train)",
        lambda thing: hasattr(thing, "get_unit_spike_train"),
        read_sorting,
    ),
    Kind("neo", "a Neo block, segment or list of spike trains", _is_neo, read_neo),
    Kind("pynapple TsGroup", "a pynapple TsGroup", _is_group, read_tsgroup),
    Kind("pynapple TsdFrame", "a pynapple TsdFrame", _is_frame, read_tsdframe),
    Kind(
        "array",
        "an array, sparse matrix, tensor, DataArray or data frame, or a list with one per trial",
        _is_matrix,
        read_matrix,
    ),
    Kind("spike times", "a list of arrays of spike times in seconds", _is_trains, read_trains),
)
"""Kinds of objects, tried in this order."""


def find_kind(thing: Any) -> Kind:
    """Return what an object is.

    Raises
    ------
    InputError
        If it is of no known kind.
    """
    for kind in KINDS:
        if kind.fits(thing):
            return kind
    raise bad_input(
        "the recording",
        "be a path, or " + ", ".join(kind.looks_for for kind in KINDS),
        type(thing).__name__,
    )
