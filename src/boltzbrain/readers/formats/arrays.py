"""Reader of plain arrays of activity: npy, npz, sparse npz, csv, MATLAB and HDF5.

A matrix does not say which of its axes is time, so `axes` must be given; nothing is guessed from
the lengths.
"""

from __future__ import annotations

import os

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Binned, Signal, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.readers.clock import find_clock
from boltzbrain.readers.containers.array_files import Found, find_matrix
from boltzbrain.readers.containers.matrix import (
    AXES,
    VALUES,
    guess_values,
    read_counts,
    read_frames,
)
from boltzbrain.readers.containers.signatures import as_file, hash_of
from boltzbrain.readers.containers.text.dialect import TableOptions


def read_array(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    values: str | None = None,
    frame_s: float | None = None,
    name: str | None = None,
    times: str | None = None,
    bin_width_s: float | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    header: str | bool | None = None,
    index: str | bool | None = None,
) -> Recording:
    """Read a matrix of time and neurons from a file of plain arrays.

    Parameters
    ----------
    path
        A .npy file, an npz archive, a sparse matrix as `scipy.sparse.save_npz` writes it, a table
        of numbers (csv), a MATLAB file of any version, or HDF5.
    axes
        "time,neuron" if rows are times, "neuron,time" if rows are neurons; of a MATLAB file as
        MATLAB shows it. Must be given.
    values
        "counts" (spikes per bin), "states" (0 and 1), "dff", "fluorescence" or "deconvolved". May
        be left out where the numbers are whole by type.
    frame_s
        Seconds per bin or frame; may be left out where `times` is given.
    name
        Which array, where the file holds several matrices.
    times
        Array, or column of a table, with the time of each row of the signal in seconds.
    bin_width_s
        Seconds per bin or frame, whatever else tells them (`boltzbrain.readers.clock`).
    separator, decimal, header, index
        How a table is written, where that is not to be found: "comma", "semicolon", "tab" or
        "space"; "point" or "comma"; whether the first line holds names, and whether the first
        column numbers the lines and is left out ("yes" or "no").

    Returns
    -------
    Recording
        `Binned` for counts and states, `Traces` for the others. A pause of more than one and a half
        frames starts a new segment. Neurons are named by the header of a table, else numbered.

    Raises
    ------
    InputError
        If the file is damaged, the orientation, the meaning or the frame length is not told, or the
        values are not what they are said to be.
    """
    found = as_file(path)
    where = str(found)
    axes = told_axes(axes, where)
    if values is not None:
        one_of("values", values, VALUES)
    table = TableOptions(separator, decimal, header, index)
    with find_matrix(found, name, times, axes, table) as held:
        values = guess_values(held.matrix) if values is None else values
        signal = make_signal(held, axes, values, frame_s, bin_width_s, where)
    count = len(signal)
    told = {"table": dict(held.told)} if held.told else {}
    ids = held.neurons if held.neurons is not None and len(held.neurons) == count else None
    return Recording(
        neurons=neuron_table([str(n) for n in range(count)] if ids is None else ids),
        regions={},
        signal=signal,
        epochs=no_epochs(),
        source=Source(
            "array",
            where,
            hash_of(found),
            {"axes": axes, "values": values, "name": held.matrix.name, **told},
        ),
    )


def told_axes(axes: str | None, where: object) -> str:
    """Return the orientation that was told.

    Raises
    ------
    InputError
        If none was, or another than the two of `AXES`.
    """
    if axes is None:
        raise bad_input(
            "axes",
            f"be given: '{AXES[0]}' if rows are times, '{AXES[1]}' if rows are neurons "
            f"(--read axes={AXES[0]})",
            "none, in a file of plain arrays (no 'counts' or 'states' of the package's npz, whose "
            "rows are bins); the shape alone cannot tell",
            file=where,
        )
    tidy = axes.replace(" ", "") if isinstance(axes, str) else axes
    return one_of("axes", tidy, AXES, file=where)


def make_signal(
    held: Found,
    axes: str,
    values: str,
    frame_s: float | None,
    bin_width_s: float | None,
    where: str | None,
) -> Signal:
    """Return the signal of a matrix whose meaning is known."""
    upright = axes == AXES[0] if not held.turned else axes == AXES[1]
    stored = AXES[0] if upright else AXES[1]
    clock = find_clock(
        held.matrix.shape[0] if upright else held.matrix.shape[1],
        widths={"frame_s": frame_s},
        times=None if held.times is None else ("times", held.times),
        confirmed=bin_width_s,
        where=where,
    )
    if values in ("counts", "states"):
        counts, saturated = read_counts(held.matrix, stored, values)
        return Binned(counts, clock.width_s, clock.segment, clock.times, saturated)
    told = frame_s if bin_width_s is None else bin_width_s
    return Traces(read_frames(held.matrix, stored), clock.times, values, told and clock.width_s)
