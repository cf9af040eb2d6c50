"""States, fluorescence and times of a zebrafish recording, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.signals import Binned, Traces
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import require_memory
from boltzbrain.readers.clock import Clock, find_clock
from boltzbrain.readers.containers.hdf5 import check_size, flat, read_numbers, reading

_PIECE = 1 << 23


class WidthsTold(NamedTuple):
    """What the user says of the seconds per frame: told, and insisted on."""

    frame_s: float | None
    bin_width_s: float | None


def frame_clock(
    times: h5py.Dataset | None,
    signal: h5py.Dataset,
    neurons: int,
    widths: WidthsTold,
    where: str,
) -> Clock:
    """Return when each frame was, by the times of the file or the frame length.

    Raises
    ------
    InputError
        If the signal does not fit the number of neurons or could be read either way round, there
        are no times and no frame length, or the times do not fit the signal, the frame length or
        each other.
    """
    field = _name(signal, where)
    with reading(where, field):
        shape = tuple(signal.shape or ())
    if len(shape) != 2 or neurons not in shape or 0 in shape:
        raise bad_input(
            field,
            f"have shape (frame, neuron) with {neurons} neurons, as many as coordinates",
            f"shape {shape}",
            file=where,
        )
    if shape[0] == shape[1]:
        raise bad_input(
            field,
            "have another number of frames than of neurons: else nothing tells (frame, "
            "neuron) from (neuron, frame)",
            f"shape {shape}",
            file=where,
        )
    frames = shape[0] if shape[1] == neurons else shape[1]
    if times is None:
        if widths == (None, None):
            raise bad_input(
                "times", "be a dataset of seconds, or frame_s be given", "neither", file=where
            )
        known = None
    else:
        told = _name(times, where)
        known = told, flat(read_numbers(times, where, told).astype(np.float64)).ravel()
    return find_clock(
        frames,
        widths={"frame_s": widths.frame_s},
        times=known,
        confirmed=widths.bin_width_s,
        where=where,
    )


def read_states(signal: h5py.Dataset, keep: NDArray[np.bool_], clock: Clock, where: str) -> Binned:
    """Return binary states of the kept neurons; a pause in time starts a new segment.

    Raises
    ------
    InputError
        If a value is other than 0 and 1, or the file is damaged.
    """
    total = len(clock.times)
    states = np.empty((total, int(keep.sum())), dtype=np.uint8)
    for piece, frames, neurons, to in _pieces(signal, keep, total, where, 1):
        wrong = (piece != 0) & (piece != 1)
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            raise bad_input(
                _name(signal, where),
                "be 0 or 1",
                f"{piece[row, column]} in frame {frames.start + row}, neuron {neurons[column]}",
                file=where,
            )
        states[frames, to] = piece
    return Binned(states, clock.width_s, clock.segment, clock.times)


def read_traces(signal: h5py.Dataset, keep: NDArray[np.bool_], clock: Clock, where: str) -> Traces:
    """Return the fluorescence of the kept neurons, NaN as the file has it.

    Raises
    ------
    InputError
        If the file is damaged or the memory does not suffice.
    """
    total = len(clock.times)
    traces = np.empty((total, int(keep.sum())), dtype=np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for piece, frames, _, to in _pieces(signal, keep, total, where, 4):
            traces[frames, to] = piece
    return Traces(traces, clock.times, "dff")


def _pieces(
    signal: h5py.Dataset, keep: NDArray[np.bool_], frames: int, where: str, item: int
) -> Iterator[tuple[NDArray[Any], slice, NDArray[np.int64], slice]]:
    """Yield the signal piece by piece as (frame, neuron).

    Each piece comes with its frames, the neurons of its columns in the file, and its columns in the
    result.
    """
    field = _name(signal, where)
    with reading(where, field):
        if signal.dtype.kind not in "biuf":
            raise bad_input(field, "hold numbers", f"dtype {signal.dtype}", file=where)
        upright = signal.shape == (frames, len(keep))
    check_size(signal, where, field)
    chosen = np.flatnonzero(keep).astype(np.int64)
    require_memory(
        f"{frames:,} frames x {len(chosen):,} neurons",
        frames * len(chosen) * item,
        limit_gb=None,
        advice="units='labelled'",
        file=where,
    )
    if upright:
        step = max(1, _PIECE // len(keep))
        for first in range(0, frames, step):
            rows = slice(first, min(first + step, frames))
            with reading(where, field):
                piece = np.asarray(signal[rows])
            yield piece[:, chosen], rows, chosen, slice(0, len(chosen))
        return
    step = max(1, _PIECE // frames)
    for first in range(0, len(keep), step):
        columns = slice(first, min(first + step, len(keep)))
        low, high = np.searchsorted(chosen, [columns.start, columns.stop]).tolist()
        if high > low:
            with reading(where, field):
                piece = np.asarray(signal[columns])
            mine = chosen[low:high]
            yield piece[mine - first].T, slice(0, frames), mine, slice(low, high)


def _name(dataset: h5py.Dataset, where: str) -> str:
    with reading(where, "the file"):
        return str(dataset.name).lstrip("/")
