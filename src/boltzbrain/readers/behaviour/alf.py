"""Trials and series of ALF folders: ``trials``, and every object with times of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import checked_trials, no_trials
from boltzbrain.readers.containers.npy import NpyFile

_OF_THE_BRAIN = ("spikes", "clusters", "channels", "templates", "trials")
_TIMES = ("timestamps", "times")
_EVENTS = ("times",)
_MOST_SAMPLES = 5_000_000


def behaviour_of_alf(
    files: dict[tuple[str, str], Path], where: str
) -> tuple[dict[str, Covariate], pd.DataFrame]:
    """Return the covariates and the trials of the arrays of ALF folders.

    Parameters
    ----------
    files
        Object and attribute to the array's file. ``trials.intervals`` and every other attribute of
        ``trials`` with a value a trial are the trials; of another object with ``timestamps`` or
        ``times`` every attribute with a number a sample is a series, and ``times`` alone are events
        (``licks.times``).
    where
        The folder, for messages.

    Raises
    ------
    InputError
        If an array is damaged.
    """
    found: dict[str, Covariate] = {}
    objects: dict[str, dict[str, Path]] = {}
    for (thing, attribute), path in files.items():
        objects.setdefault(thing, {})[attribute] = path
    for thing, mine in sorted(objects.items()):
        name = next((one for one in _TIMES if one in mine), None)
        times = None if name is None or thing in _OF_THE_BRAIN else _numbers(mine[name])
        if name is None or times is None or times.ndim != 1:
            continue
        others = {one: _numbers(path) for one, path in mine.items() if one != name}
        fitting = {
            one: values for one, values in others.items()
            if values is not None and values.shape == times.shape
        }  # fmt: skip
        if not fitting and name in _EVENTS and len(mine) == 1:
            fitting = {"": np.ones(len(times))}
        for attribute, values in sorted(fitting.items()):
            series = _series(times, values)
            if series is not None:
                found[f"{thing}.{attribute}" if attribute else thing] = series
    return found, _trials(objects.get("trials", {}), where)


def _numbers(path: Path) -> NDArray[np.float64] | None:
    """Return an array of numbers, None of another or of one that is too long for behaviour."""
    file = NpyFile.open(path, objects=True)
    shape = file.header.shape
    if file.header.dtype.kind not in "biuf" or not 0 < max(shape, default=0) <= _MOST_SAMPLES:
        return None
    if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
        return None
    return file.read().astype(np.float64).ravel()


def _series(times: NDArray[np.float64], values: NDArray[np.float64]) -> Covariate | None:
    values = np.where(np.isfinite(values), values, np.nan)
    known = np.isfinite(times)
    order = np.argsort(times[known], kind="stable")
    if np.isnan(values[known]).all():
        return None
    return Covariate(times[known][order], values[known][order])


def _trials(mine: dict[str, Path], where: str) -> pd.DataFrame:
    if "intervals" not in mine:
        return no_trials()
    file = NpyFile.open(mine["intervals"], objects=True)
    shape = file.header.shape
    if len(shape) != 2 or shape[1] != 2 or file.header.dtype.kind not in "iuf":
        return no_trials()
    pairs = file.read().astype(np.float64)
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(pairs).all(axis=1) & (pairs[:, 1] > pairs[:, 0])
    columns: dict[str, Any] = {"start_s": pairs[usable, 0], "stop_s": pairs[usable, 1]}
    for name, path in sorted(mine.items()):
        if name == "intervals":
            continue
        other = NpyFile.open(path, objects=True)
        if other.header.shape not in ((len(pairs),), (len(pairs), 1)):
            continue
        if other.header.dtype.kind not in "biufU":
            continue
        values = other.read().ravel()[usable]
        if values.dtype.kind == "f":
            values = np.where(np.isfinite(values), values, np.nan)
        columns[name] = values.astype(object) if values.dtype.kind == "U" else values
    return checked_trials(pd.DataFrame(columns), file=where) if usable.any() else no_trials()
