"""Reader of plain arrays of activity: npy, npz, sparse npz, csv, MATLAB and HDF5.

An array does not say which of its axes is time, so `axes` must be given; nothing is guessed from
the lengths. What is not told is asked for in one message, as it has to be typed.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Signal
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.readers.containers.arrays.find import open_arrays
from boltzbrain.readers.containers.arrays.held import SPIKE_AXES, Arrays, Held
from boltzbrain.readers.containers.arrays.matrix import AXES, TRIAL_AXES, VALUES, guess_values
from boltzbrain.readers.containers.signatures import as_file
from boltzbrain.readers.containers.text.dialect import TableOptions
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.formats.trials import (
    Told,
    cells_signal,
    matrix_signal,
    spike_cells_signal,
)

_EXAMPLE_S = 0.02


def read_array(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    values: str | None = None,
    frame_s: float | None = None,
    sampling_hz: float | None = None,
    name: str | None = None,
    times: str | None = None,
    bin_width_s: float | None = None,
    start_s: float | None = None,
    duration_s: float | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    header: str | bool | None = None,
    index: str | bool | None = None,
) -> Recording:
    """Read time and neurons, and trials where there are, from a file of plain arrays.

    Parameters
    ----------
    path
        A .npy file, an npz archive, a sparse matrix as `scipy.sparse.save_npz` writes it, a table
        of numbers (csv), a MATLAB file of any version, or HDF5.
    axes
        The axes in their order, as MATLAB shows them of a MATLAB file: "time,neuron" or
        "neuron,time" of a matrix; "trial,neuron,time" in any order of an array of trials. Of a list
        of arrays (MATLAB's cells, NumPy's array of objects, an HDF5 group with one dataset each)
        the same three where each is the matrix of a trial, of any length; "neuron" where each is
        the spike times of a neuron, "trial,neuron" or "neuron,trial" of a neuron in a trial. Must
        be given.
    values
        "counts" (spikes per bin), "states" (0 and 1), "dff", "fluorescence" or "deconvolved". May
        be left out where the numbers are whole by type.
    frame_s, sampling_hz
        Seconds per bin or frame, or bins per second; may be left out where `times` is given. Of
        spike times: samples per second, where they are samples.
    name
        Which array, where the file holds several; of a struct "data.spikes".
    times
        Array, or column of a table, with the time of each bin in seconds; of trials with the time
        of each bin of one.
    bin_width_s
        Seconds per bin or frame, whatever else tells them (`boltzbrain.readers.clock`).
    start_s, duration_s
        Of spike times: when the recording, or each trial, starts on their clock (0 if None), and
        how long it lasts. Of trials `duration_s` must be given; else the first and the last spike
        tell it.
    separator, decimal, header, index
        How a table is written, where that is not to be found: "comma", "semicolon", "tab" or
        "space"; "point" or "comma"; whether the first line holds names, and whether the first
        column numbers the lines and is left out ("yes" or "no").

    Returns
    -------
    Recording
        `Binned` for counts and states, `Traces` for the others, `SpikeTimes` of spike times. Each
        trial is a segment; a pause of more than one and a half frames starts a new one. Neurons are
        named by the header of a table, else numbered.

    Raises
    ------
    InputError
        If the file is damaged, the orientation, the meaning or the frame length is not told, or the
        values are not what they are said to be.
    """
    found = as_file(path)
    where = str(found)
    axes = None if axes is None else tidy_axes(axes, where)
    if values is not None:
        one_of("values", values, VALUES)
    told = Told(frame_s, sampling_hz, bin_width_s, start_s, duration_s, times is not None)
    table = TableOptions(separator, decimal, header, index)
    with open_arrays(found, times=times, axes=axes, table=table) as arrays:
        fitting = arrays.fitting(name, axes)
        held = fitting[0]
        require_told(arrays, fitting, axes, values, told)
        assert axes is not None
        one_of("axes", axes, held.axes(), file=where)
        signal, meaning, lost = _signal(arrays, held, axes, values, times, told)
    count = len(signal)
    options = {"axes": axes, "values": meaning, "name": held.name, **lost}
    if held.told:
        options["table"] = dict(held.told)
    ids = held.neurons if held.neurons is not None and len(held.neurons) == count else None
    return Recording(
        neurons=neuron_table([str(n) for n in range(count)] if ids is None else ids),
        regions={},
        signal=signal,
        epochs=no_epochs(),
        source=Source("array", where, fingerprint(found, signal), options),
    )


def tidy_axes(axes: Any, where: object) -> str:
    """Return axes without spaces.

    Raises
    ------
    InputError
        If they are no axes of any array.
    """
    tidy = axes.replace(" ", "") if isinstance(axes, str) else axes
    return one_of("axes", tidy, (*AXES, *TRIAL_AXES, *SPIKE_AXES), file=where)


def require_told(
    arrays: Arrays, fitting: list[Held], axes: str | None, values: str | None, told: Told
) -> None:
    """Ask for all that is missing at once, each as the user types it.

    Raises
    ------
    InputError
        If anything is missing.
    """
    held = fitting[0]
    spikes = axes in SPIKE_AXES
    floating = any(one.dtype is not None and one.dtype.kind == "f" for one in fitting)
    asked: dict[str, tuple[str, str]] = {}  # by option: what is typed, what it means
    if len(fitting) > 1:
        asked["name"] = (held.name, f"which of the {len(fitting)} arrays")
    if axes is None:
        of_one = "" if len(fitting) > 1 else f" of {held}"
        asked["axes"] = (held.axes()[0], f"the axes{of_one} in their order")
    if not spikes and values is None and (floating or held.dtype is None):
        asked["values"] = (VALUES[0], f"or {', '.join(VALUES[1:])}")
    if not spikes and not told.tells_width():
        asked["frame_s"] = (f"{_EXAMPLE_S}", f"seconds per bin; or sampling_hz={1 / _EXAMPLE_S:g}")
    if axes in SPIKE_AXES[1:] and told.duration_s is None:
        asked["duration_s"] = ("1.5", "seconds of each trial")
    if asked:
        typed = _typed({option: example for option, (example, _) in asked.items()}, arrays)
        meant = "; ".join(f"{option}: {meaning}" for option, (_, meaning) in asked.items())
        options = list(asked)
        listed = " and ".join([", ".join(options[:-1]), options[-1]] if options[1:] else options)
        raise bad_input(
            listed,
            f"be given, as {typed} ({meant})",
            f"none; there is {arrays.shown()}, and a shape alone cannot tell",
            file=arrays.where,
        )


def _typed(examples: dict[str, str], arrays: Arrays) -> str:
    """Return the options as they are typed where the user is."""
    if not arrays.in_memory:
        words = " ".join(f"--read {name}={example}" for name, example in examples.items())
        return f"{words}, in Python as keywords"
    shown = {name: one if name.endswith("_s") else repr(one) for name, one in examples.items()}
    words = ", ".join(f"{name}={example}" for name, example in shown.items())
    return f"{words}, or call boltzbrain.from_states, from_counts or from_traces"


def _signal(
    arrays: Arrays, held: Held, axes: str, values: str | None, times: str | None, told: Told
) -> tuple[Signal, str, dict[str, Any]]:
    """Return the signal, what its values are, and what was lost of it."""
    where = arrays.where
    told.refuse_what_means_nothing(axes in SPIKE_AXES, where)
    if axes in SPIKE_AXES:
        for option, given in (("values", values), ("times", times)):
            if given is not None:
                raise bad_input(option, "be left out for spike times", given, file=where)
        signal, lost = spike_cells_signal(held.load(), axes, told, held.name, where)
        return signal, "spike times", lost
    seconds = None if times is None else np.asarray(arrays.numbers(times))
    if held.dtype is None:
        assert values is not None
        return cells_signal(held.load(), axes, values, seconds, told, held.name, where), values, {}
    matrix = held.load()
    meaning = guess_values(matrix) if values is None else values
    return matrix_signal(matrix, axes, meaning, seconds, told, held.turned), meaning, {}
