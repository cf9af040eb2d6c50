"""Spike times in memory as a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.losses import stored
from boltzbrain.data.recording import Recording, no_epochs
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in
from boltzbrain.readers.formats.objects import KINDS
from boltzbrain.readers.memory.neurons import told_of_neurons
from boltzbrain.readers.memory.numbers import plain_array
from boltzbrain.readers.trains import LONGEST_S, from_trains

_LIBRARIES = ("spikeinterface", "neo", "pynapple TsGroup")


def from_spike_times(
    times: Any,
    *,
    stop_s: float | None = None,
    start_s: float | None = None,
    recorded: Any = None,
    region: Any = None,
    xyz_um: Any = None,
    neuron_id: Any = None,
) -> Recording:
    """Make a recording of spike times.

    Parameters
    ----------
    times
        In seconds: a list with an array per neuron; a dictionary or Series from names to arrays; a
        tuple (times, ids) of two arrays, spike by spike, the ids whole numbers or texts (neurons
        are then in the order of their ids); or a pynapple TsGroup, a Neo block, segment or list of
        spike trains, or a SpikeInterface sorting, which tell their interval themselves.
    stop_s
        End of the recording, seconds; must be given but for those objects, since after the last
        spike nothing tells how long silence lasted.
    start_s
        Its start, 0 if None.
    recorded
        (stretch, 2) start and stop of the stretches recorded without a pause; the whole if None.
    region, xyz_um, neuron_id
        As of `from_states`, in the order of the neurons here.

    Returns
    -------
    Recording
        Its signal is `SpikeTimes`. What is no time is dropped, as its losses tell.

    Raises
    ------
    InputError
        If the end is not told, a spike lies outside, or a length does not fit.

    Examples
    --------
    >>> recording = from_spike_times({"a": [0.1, 0.5], "b": [0.3]}, stop_s=1.0)
    >>> recording.neurons["id"].tolist(), recording.signal.times.tolist()
    (['a', 'b'], [0.1, 0.5, 0.3])
    """
    kind = next((one for one in KINDS if one.name in _LIBRARIES and one.fits(times)), None)
    if kind is not None:
        for name, given in (("stop_s", stop_s), ("start_s", start_s), ("recorded", recorded)):
            if given is not None:
                raise bad_input(name, "be left out: the object tells its own interval", given)
        return _told(kind.read(times), region, xyz_um, neuron_id)
    names, trains = _by_neuron(times)
    if not trains:
        raise bad_input("times", "hold at least one neuron", "none")
    end = _end(stop_s, trains)
    begin = 0.0 if start_s is None else number_in("start_s", start_s, low=0.0)
    signal, losses = from_trains(
        trains, None, start_s=begin, stop_s=end, recorded=_stretches(recorded)
    )
    ids = names if neuron_id is None else neuron_id
    neurons, regions = told_of_neurons(len(signal), ids, region, xyz_um)
    source = Source("spike times", "<spike times in memory>", "", stored(losses))
    return Recording(neurons, regions, signal, no_epochs(), source)


def _told(recording: Recording, region: Any, xyz_um: Any, neuron_id: Any) -> Recording:
    """Return the recording of an object with what is told beside it."""
    if region is None and xyz_um is None and neuron_id is None:
        return recording
    ids = recording.neurons["id"].tolist() if neuron_id is None else neuron_id
    told, regions = told_of_neurons(len(recording), ids, region, xyz_um)
    columns = ["id"] if xyz_um is None else list(told.columns)
    table = recording.neurons.assign(**{name: told[name] for name in columns})
    return replace(recording, neurons=table, regions={**recording.regions, **regions})


def _by_neuron(times: Any) -> tuple[list[str] | None, list[NDArray[Any]]]:
    """Return the names of the neurons, None where none are told, and their trains."""
    if isinstance(times, (Mapping, pd.Series)):
        items = list(times.items())
        return [str(name) for name, _ in items], [_train(one, name) for name, one in items]
    if isinstance(times, np.ndarray) and times.dtype != object and times.ndim != 1:
        raise bad_input(
            "times", "be a list of spike trains (from_states and from_counts take bins)",
            f"shape {times.shape}",
        )  # fmt: skip
    if not isinstance(times, (list, tuple, np.ndarray)):
        raise bad_input(
            "times",
            "be a list, a dictionary, a tuple (times, ids), or an object of pynapple, Neo or "
            "SpikeInterface",
            type(times).__name__,
        )
    if isinstance(times, tuple) and len(times) == 2:
        seconds, ids = plain_array(times[0], "times"), plain_array(times[1], "the ids")
        if seconds.ndim == 1 and ids.ndim == 1 and ids.dtype.kind in "iuUSO":
            return _of_pair(seconds, ids)
    if len(times) and all(np.ndim(one) == 0 for one in times):
        raise bad_input(
            "times", "be a list of spike trains, one per neuron (of one neuron: [times])",
            f"{len(times)} numbers",
        )  # fmt: skip
    return None, [_train(one, neuron) for neuron, one in enumerate(times)]


def _of_pair(seconds: NDArray[Any], ids: NDArray[Any]) -> tuple[list[str], list[NDArray[Any]]]:
    if len(seconds) != len(ids):
        raise bad_input("the ids", f"be one per spike time ({len(seconds)})", len(ids))
    _require_times(seconds, "times")
    codes, names = pd.factorize(ids, sort=True)
    if (codes < 0).any():
        raise bad_input("the ids", "be told of every spike", f"none of spike {np.argmin(codes)}")
    order = np.argsort(codes, kind="stable")
    edges = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return [str(one) for one in names], np.split(seconds[order], edges)


def _train(given: Any, name: Any) -> NDArray[Any]:
    train = plain_array(given, f"spike train {name}")
    train = train.ravel() if train.ndim == 2 and 1 in train.shape else train
    if train.size == 0:
        return np.empty(0, dtype=np.float64)
    _require_times(train, f"spike train {name}")
    return train


def _require_times(values: NDArray[Any], name: str) -> None:
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        raise bad_input(name, "be a list of seconds", f"shape {values.shape}, dtype {values.dtype}")


def _end(stop_s: float | None, trains: list[NDArray[Any]]) -> float:
    if stop_s is not None:
        return number_in("stop_s", stop_s, low=0.0, high=LONGEST_S, include_low=False)
    last = max((float(one.max()) for one in trains if len(one)), default=None)
    told = "none" if last is None else f"none (the last spike is at {last:g} s)"
    raise bad_input(
        "stop_s", "be given: the end of the recording in seconds, as silence leaves no spike", told
    )


def _stretches(recorded: Any) -> NDArray[np.float64] | None:
    if recorded is None:
        return None
    values = plain_array(recorded, "recorded")
    if values.ndim != 2 or values.shape[1] != 2 or values.dtype.kind not in "iuf":
        raise bad_input(
            "recorded", "have shape (stretch, 2), start and stop in seconds",
            f"shape {values.shape}",
        )  # fmt: skip
    return values.astype(np.float64)
