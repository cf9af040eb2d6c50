"""Reader of the npz files that pynapple saves: groups of spike trains, and frames of signals.

pynapple's own `load_file` unpickles what it finds, which may be code, and reads a file whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Binned, Signal, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError, bad_input, one_of
from boltzbrain.readers.clock import find_clock, within_support
from boltzbrain.readers.containers.arrays.matrix import (
    AXES,
    VALUES,
    matrix_of,
    read_counts,
    read_frames,
)
from boltzbrain.readers.containers.npy import SPIKES_BYTES
from boltzbrain.readers.containers.signatures import as_file
from boltzbrain.readers.containers.unpickled import plain
from boltzbrain.readers.containers.zip_archive import Archive, open_npz
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.trains import clean, gather, regions_of, with_interval

_OWN = {"t", "index", "start", "end", "keys", "d", "type", "columns", "file_type", "_metadata"}
_SPIKES = SPIKES_BYTES // 8


def read_pynapple(
    path: str | os.PathLike[str], *, values: str | None = None, bin_width_s: float | None = None
) -> Recording:
    """Read a TsGroup or a TsdFrame that pynapple saved.

    Parameters
    ----------
    path
        The npz archive. Metadata are read where they are one number or text per neuron, pickled or
        not; nothing in them is run.
    values
        What a TsdFrame holds: "counts", "states", "dff", "fluorescence" or "deconvolved".
    bin_width_s
        Seconds per frame of a TsdFrame, whatever its times say (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `SpikeTimes` of a TsGroup, with the stretches of its time support; `Binned` or `Traces` of a
        TsdFrame.

    Raises
    ------
    InputError
        If the archive is damaged, arrays do not fit each other, or the meaning of a TsdFrame is
        not told.

    References
    ----------
    Viejo et al., eLife 12:RP85786 (2023).
    """
    if values is not None:
        one_of("values", values, VALUES)
    found = as_file(path)
    where = str(found)
    with open_npz(found) as archive:
        start, end = _numbers(archive, "start"), _numbers(archive, "end")
        if len(start) != len(end):
            raise bad_input("end", f"be as long as start ({len(start)})", len(end), file=where)
        support = checked_support(np.stack([start, end], axis=1), where)
        if "index" in archive:
            for name, given in (("values", values), ("bin_width_s", bin_width_s)):
                if given is not None:
                    raise bad_input(name, "be left out for spike times", given, file=where)
            return _group(archive, support)
        return _frame(archive, support, values, bin_width_s)


def checked_support(support: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Return the stretches of a time support as ascending seconds, (stretch, 2).

    Raises
    ------
    InputError
        If there is none, or they do not ascend.
    """
    seconds = np.asarray(support, dtype=np.float64)
    edges = seconds.ravel()
    good = len(edges) > 0 and np.isfinite(edges).all() and edges[0] >= 0
    if not good or bool((np.diff(edges) < 0).any()) or bool((edges[1::2] <= edges[::2]).any()):
        raise bad_input(
            "the time support (start, end)", "be ascending seconds from 0", "others", file=where
        )
    return seconds


def _numbers(archive: Archive, name: str) -> NDArray[np.float64]:
    _length(archive, name)
    return archive.read(name).astype(np.float64)


def _group(archive: Archive, support: NDArray[np.float64]) -> Recording:
    where = str(archive.path)
    spikes, members = _length(archive, "t"), _length(archive, "index")
    if spikes != members:
        raise bad_input("index", f"have one entry per time ({spikes})", members, file=where)
    keys = _keys(archive)
    if not np.isfinite(keys).all() or len(np.unique(keys)) != len(keys) or len(keys) == 0:
        raise bad_input("keys", "be different numbers", "others", file=where)
    order = np.argsort(keys)
    keys = keys[order]

    def chunks() -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
        """Yield seconds, and of each the row of its key, (spike,)."""
        times, labels = archive.blocks("t", _SPIKES), archive.blocks("index", _SPIKES)
        for seconds, label in zip(times, labels, strict=True):
            slot = np.minimum(np.searchsorted(keys, label), len(keys) - 1)
            if not np.array_equal(keys[slot], label):
                raise bad_input("index", "name neurons of keys", "others", file=where)
            yield seconds.astype(np.float64), slot

    seconds, index = gather(chunks, np.arange(len(keys)), where)
    seconds, ends, losses = clean(seconds, index)
    recorded = support if len(support) > 1 else None
    signal, losses = with_interval(
        seconds, ends, where, losses, float(support[0, 0]), float(support[-1, 1]), recorded
    )
    columns = {name: one[order] for name, one in _metadata(archive, len(keys)).items()}
    regions = regions_of(columns)
    return Recording(
        neurons=neuron_table([f"{key:g}" for key in keys.tolist()], None, columns),
        regions=regions,
        signal=signal,
        epochs=no_epochs(),
        source=Source("pynapple", where, fingerprint(archive.path, signal), stored(losses)),
    )


def _length(archive: Archive, name: str) -> int:
    if name not in archive:
        raise _no_list(archive, name, ", ".join(archive.names) or "none")
    shape, dtype, _ = archive.stored_shape(name)
    if len(shape) != 1 or dtype.kind not in "iuf":
        raise _no_list(archive, name, f"shape {shape}, dtype {dtype}")
    return shape[0]


def _no_list(archive: Archive, name: str, got: str) -> InputError:
    return bad_input(name, "be a list of numbers", got, file=archive.path)


def _keys(archive: Archive) -> NDArray[np.float64]:
    """Return the keys of the neurons, in the order of their metadata; those that occur if none."""
    if "keys" in archive:
        return _numbers(archive, "keys")
    found = np.empty(0)
    for block in archive.blocks("index", _SPIKES):
        found = np.union1d(found, block)
    return found


def _metadata(archive: Archive, count: int) -> dict[str, NDArray[Any]]:
    """Return the columns of one number or text per neuron, of old files and of new ones."""
    held: dict[str, Any] = {}
    for name in archive.names:
        if name == "_metadata":
            for one in archive.objects(name) or []:
                held.update(one if isinstance(one, dict) else {})
        elif name not in _OWN:
            objects = archive.objects(name)
            held[name] = archive.read(name) if objects is None else objects
    columns: dict[str, NDArray[Any]] = {}
    for key, value in held.items():
        values = plain(value)
        if isinstance(values, list) and all(isinstance(one, str) for one in values):
            values = np.asarray(values, dtype=object)
        elif isinstance(values, list) and all(isinstance(one, (int, float)) for one in values):
            values = np.asarray(values)
        fits = isinstance(values, np.ndarray) and values.shape == (count,)
        if key != "rate" and fits and values.dtype.kind in "biufUO":
            columns[str(key)] = values.astype(object) if values.dtype.kind == "U" else values
    return columns


def _frame(
    archive: Archive, support: NDArray[np.float64], values: str | None, bin_width_s: float | None
) -> Recording:
    where = str(archive.path)
    if "d" not in archive:
        raise bad_input(
            "the file", "be a TsGroup or a TsdFrame", ", ".join(archive.names), file=where
        )
    data = archive.read("d")
    signal = frame_signal(data, _numbers(archive, "t"), support, values, bin_width_s, where)
    names = [str(number) for number in range(len(signal))]
    if "columns" in archive:
        told = archive.objects("columns")
        told = archive.read("columns").ravel().tolist() if told is None else told
        if len({str(one) for one in told}) == len(signal):
            names = [str(one) for one in told]
    return Recording(
        neurons=neuron_table(names),
        regions={},
        signal=signal,
        epochs=no_epochs(),
        source=Source("pynapple", where, fingerprint(archive.path, signal), {"values": values}),
    )


def frame_signal(
    data: NDArray[Any],
    times: NDArray[np.float64],
    support: NDArray[np.float64],
    values: str | None,
    bin_width_s: float | None,
    where: str,
) -> Signal:
    """Return the signal of a TsdFrame; stretches of the time support become segments.

    Raises
    ------
    InputError
        If its meaning is not told, or arrays do not fit each other.
    """
    if values is None:
        raise bad_input(
            "values", "be given for a TsdFrame: one of " + ", ".join(VALUES), "none", file=where
        )
    matrix = matrix_of(data, "the TsdFrame", where)
    frames = matrix.shape[0]
    clock = find_clock(frames, widths={}, times=("t", times), confirmed=bin_width_s, where=where)
    within_support("t", np.asarray(times, dtype=np.float64), support, where)
    if values not in ("counts", "states"):
        return Traces(read_frames(matrix, AXES[0]), clock.times, values)
    counts, saturated = read_counts(matrix, AXES[0], values)
    stretch = np.searchsorted(support[:, 0], times, side="right")
    parts = np.r_[0, np.cumsum((np.diff(stretch) != 0) | (np.diff(clock.segment) != 0))]
    return Binned(counts, clock.width_s, parts.astype(np.int32), clock.times, saturated)
