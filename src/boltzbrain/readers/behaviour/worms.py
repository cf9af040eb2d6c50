"""What the files of worms hold of behaviour."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import checked_trials, no_trials
from boltzbrain.readers.containers.hdf5 import child_dataset, child_group, read_numbers, reading
from boltzbrain.readers.containers.zip_archive import Archive

_EVENTS = "reversal_events"
_OF_NEURONS = ("t", "label", "label_confidence")


def behaviour_of_worm(
    file: h5py.File, times: NDArray[np.float64], where: str
) -> tuple[dict[str, Covariate], pd.DataFrame]:
    """Return the covariates and the trials of an open HDF5 file of a worm.

    Parameters
    ----------
    file
        The file; of its group ``behavior`` every dataset with a number a frame is a series.
    times
        (frame,) seconds of the frames.
    where
        The file's name, for messages.

    Raises
    ------
    InputError
        If a dataset is damaged.
    """
    group = child_group(file, "behavior", where)
    if group is None:
        return {}, no_trials()
    with reading(where, "behavior"):
        names = sorted(str(name) for name in group)
    found: dict[str, Covariate] = {}
    trials = no_trials()
    for name in names:
        dataset = child_dataset(group, name, where)
        field = f"behavior/{name}"
        with reading(where, field):
            if dataset is None or dataset.dtype.kind not in "iufb":
                continue
            shape = dataset.shape
        if shape == times.shape:
            found |= _series(name, read_numbers(dataset, where, field), times)
        elif name == _EVENTS and len(shape) == 2 and 2 in shape:
            events = np.asarray(read_numbers(dataset, where, field), dtype=np.float64)
            trials = _events(events if shape[0] == 2 else events.T, times)
    return found, trials


def series_of_archive(
    archive: Archive, times: NDArray[np.float64], neurons: int
) -> dict[str, Covariate]:
    """Return the series of a worm's npz: every array with a number a frame, but for the times.

    Parameters
    ----------
    archive
        The archive.
    times
        (frame,) seconds of the frames.
    neurons
        Number of neurons; where there are as many frames only ``velocity`` is sure to be a series.
    """
    found: dict[str, Covariate] = {}
    for name in archive.names:
        shape, dtype = archive.stored_shape(name)[:2]
        ours = shape == times.shape and dtype.kind in "iufb" and name not in _OF_NEURONS
        if ours and (len(times) != neurons or name == "velocity"):
            found |= _series(name, archive.read(name), times)
    return found


def _series(name: str, values: NDArray[Any], times: NDArray[np.float64]) -> dict[str, Covariate]:
    numbers = np.asarray(values, dtype=np.float64)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    if np.isnan(numbers).all():
        return {}
    return {name.removesuffix("_vec"): Covariate(times, numbers)}


def _events(events: NDArray[np.float64], times: NDArray[np.float64]) -> pd.DataFrame:
    """Return reversals, given by their first frame and the one behind, and what lies between."""
    frames = len(times)
    width = float(np.median(np.diff(times))) if frames > 1 else 1.0
    edges = np.r_[times, times[-1] + width]
    rows: list[tuple[float, float, str]] = []
    before = 0
    for first, last in sorted(zip(*events.tolist(), strict=True)):
        if not (0 <= first < last <= frames):
            continue
        begin, end = int(first), int(last)
        if begin > before:
            rows.append((edges[before], edges[begin], "forward"))
        if end > max(begin, before):
            rows.append((edges[max(begin, before)], edges[end], "reversal"))
        before = max(before, end)
    if before and before < frames:
        rows.append((edges[before], edges[frames], "forward"))
    if not rows:
        return no_trials()
    return checked_trials(pd.DataFrame(rows, columns=["start_s", "stop_s", "event"]))
