"""Reader of the HDF5 files that CaImAn's CNMF saves."""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in, one_of
from boltzbrain.readers.clock import find_clock
from boltzbrain.readers.containers.arrays.matrix import AXES, Matrix, read_frames
from boltzbrain.readers.containers.hdf5 import (
    check_size,
    child_dataset,
    child_group,
    open_hdf5,
    read_numbers,
    reading,
)
from boltzbrain.readers.containers.signatures import as_hdf5
from boltzbrain.readers.fingerprint import fingerprint

_SIGNALS = {"F_dff": "dff", "C": "fluorescence", "S": "deconvolved"}
_UNITS = ("accepted", "none")
_QUALITY = ("SNR_comp", "r_values", "cnn_preds")
_PIECE_BYTES = 1 << 24


def read_caiman(
    path: str | os.PathLike[str],
    *,
    units: str = "accepted",
    signal: str | None = None,
    frame_s: float | None = None,
    pixel_um: float | None = None,
    bin_width_s: float | None = None,
) -> Recording:
    """Read the components that CaImAn extracted.

    Parameters
    ----------
    path
        The HDF5 file.
    units
        "accepted" keeps the components in ``idx_components``, all of them where CaImAn has not
        judged them; "none" keeps all.
    signal
        "F_dff" is dF/F, "C" the denoised fluorescence, "S" CaImAn's own deconvolution, which needs
        a threshold. If None, F_dff where it is there, else C.
    frame_s
        Seconds per frame; one over ``params/data/fr`` if None.
    pixel_um
        Micrometres per pixel, for positions; the centre of mass of each footprint.
    bin_width_s
        Seconds per frame, whatever else tells them (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `Traces`; ``neurons`` has SNR_comp, r_values and cnn_preds where the file has them, and
        ``x_pixel``, ``y_pixel``.

    Raises
    ------
    InputError
        If the file is damaged, has no such signal, shapes disagree, or the frame length is not
        known.

    References
    ----------
    Giovannucci et al., eLife 8:e38173 (2019).
    """
    one_of("units", units, _UNITS)
    if signal is not None:
        one_of("signal", signal, _SIGNALS)
    found = as_hdf5(path)
    where = str(found)
    with open_hdf5(found) as file:
        estimates = child_group(file, "estimates", where)
        if estimates is None:
            raise bad_input("estimates", "be a group of the file", "none", file=where)
        name, dataset = _signal(estimates, signal, where)
        with reading(where, name):
            count, frames = (int(size) for size in dataset.shape)
        keep = _accepted(estimates, count, where) if units == "accepted" else np.ones(count, bool)
        matrix = Matrix(
            (count, frames), dataset.dtype, name, where, lambda: _blocks(dataset, where, name)
        )
        values = read_frames(matrix, AXES[1], keep)
        told = frame_s is not None or bin_width_s is not None
        widths = {"frame_s": frame_s} if told else _frame_s(file, where)
        clock = find_clock(frames, widths=widths, confirmed=bin_width_s, where=where)
        columns = _quality(estimates, count, where)
        columns.update(_centres(file, estimates, count, where))
    columns = {column: one[keep] for column, one in columns.items()}
    xyz = np.full((int(keep.sum()), 3), np.nan)
    if pixel_um is not None and "x_pixel" in columns:
        scale = number_in("pixel_um", pixel_um, low=0.0, include_low=False)
        xyz[:, 0], xyz[:, 1] = columns["x_pixel"] * scale, columns["y_pixel"] * scale
    traces = Traces(values, clock.times, _SIGNALS[name])
    return Recording(
        neurons=neuron_table([str(n) for n in np.flatnonzero(keep)], xyz, columns),
        regions={},
        signal=traces,
        epochs=no_epochs(),
        source=Source(
            "caiman",
            where,
            fingerprint(found, traces),
            {
                "units": units,
                "signal": name,
                "frame_s": clock.width_s,
                "dropped": {"not accepted": int((~keep).sum())},
            },
        ),
    )


def _signal(estimates: h5py.Group, wanted: str | None, where: str) -> tuple[str, h5py.Dataset]:
    for name in _SIGNALS if wanted is None else (wanted,):
        dataset = child_dataset(estimates, name, where)
        if dataset is None:
            continue
        with reading(where, f"estimates/{name}"):
            usable = dataset.ndim == 2 and dataset.dtype.kind in "iuf" and 0 not in dataset.shape
        if usable:
            check_size(dataset, where, f"estimates/{name}")
            return name, dataset
    raise bad_input(
        "estimates",
        "hold (component, frame) " + (wanted or " or ".join(_SIGNALS)),
        "none such",
        file=where,
    )


def _blocks(dataset: h5py.Dataset, where: str, name: str) -> Any:
    step = max(1, _PIECE_BYTES // max(1, dataset.shape[1] * dataset.dtype.itemsize))
    for first in range(0, dataset.shape[0], step):
        with reading(where, f"estimates/{name}"):
            piece = np.asarray(dataset[first : first + step])
        yield piece


def _accepted(estimates: h5py.Group, count: int, where: str) -> NDArray[np.bool_]:
    """Return which components CaImAn accepted; a scalar stands for no judgement."""
    keep = np.ones(count, dtype=np.bool_)
    dataset = child_dataset(estimates, "idx_components", where)
    if dataset is None:
        return keep
    with reading(where, "idx_components"):
        judged = dataset.ndim == 1 and dataset.dtype.kind in "iuf"
    if not judged:
        return keep
    index = read_numbers(dataset, where, "idx_components")
    with np.errstate(invalid="ignore"):
        wrong = ~((index >= 0) & (index < count) & (index == np.floor(index)))
    if wrong.any():
        raise bad_input(
            "idx_components", f"be numbers of components below {count}", "others", file=where
        )
    if len(index) == 0:
        raise bad_input(
            "idx_components", "accept at least one component (or use units=none)", "0", file=where
        )
    keep[:] = False
    keep[index.astype(np.int64)] = True
    return keep


def _frame_s(file: h5py.File, where: str) -> dict[str, float | None]:
    """Return the seconds per frame that the file tells, by what tells them.

    Raises
    ------
    InputError
        If it tells none, or the frame rate is no rate.
    """
    group: h5py.Group | None = file
    for name in ("params", "data"):
        group = child_group(group, name, where) if group is not None else None
    rate = child_dataset(group, "fr", where) if group is not None else None
    if rate is not None:
        values = read_numbers(rate, where, "params/data/fr").ravel()
        if values.size == 1:
            hz = number_in("params/data/fr", float(values[0]), low=1e-5, high=1e7, file=where)
            return {"1 / params/data/fr": 1.0 / hz}
    raise bad_input(
        "frame_s",
        "be given: the seconds per frame (--read frame_s=0.1)",
        "no params/data/fr",
        file=where,
    )


def _quality(estimates: h5py.Group, count: int, where: str) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {}
    for name in _QUALITY:
        dataset = child_dataset(estimates, name, where)
        if dataset is not None:
            with reading(where, name):
                fits = dataset.shape == (count,) and dataset.dtype.kind in "iuf"
            if fits:
                columns[name] = read_numbers(dataset, where, name).astype(np.float64)
    return columns


def _centres(
    file: h5py.File, estimates: h5py.Group, count: int, where: str
) -> dict[str, NDArray[Any]]:
    """Return the centre of mass of each footprint in pixels, nothing where it is not stored."""
    group = child_group(estimates, "A", where)
    dims = _dims(file, estimates, where)
    if group is None or dims is None:
        return {}
    parts = {}
    for name in ("data", "indices", "indptr"):
        dataset = child_dataset(group, name, where)
        if dataset is None:
            return {}
        parts[name] = read_numbers(dataset, where, f"A/{name}").ravel()
    weight = parts["data"].astype(np.float64)
    with np.errstate(invalid="ignore"):  # what is no whole number fits nothing below
        pixel, ends = parts["indices"].astype(np.int64), parts["indptr"].astype(np.int64)
    fits = (
        ends.shape == (count + 1,)
        and ends[0] == 0
        and bool((np.diff(ends) >= 0).all())
        and ends[-1] == len(weight) == len(pixel)
    )
    if not fits or len(pixel) == 0 or pixel.min() < 0 or pixel.max() >= dims[0] * dims[1]:
        raise bad_input(
            "estimates/A", "hold one footprint per component", "arrays that do not fit", file=where
        )
    component = np.repeat(np.arange(count), np.diff(ends))
    columns = {}
    # pixels are numbered down the columns of the image (order 'F')
    with np.errstate(all="ignore"):
        total = np.bincount(component, weight, count)
        for name, place in (("y_pixel", pixel % dims[0]), ("x_pixel", pixel // dims[0])):
            centre = np.bincount(component, weight * place, count) / total
            columns[name] = np.where(np.isfinite(centre), centre, np.nan)
    return columns


def _dims(file: h5py.File, estimates: h5py.Group, where: str) -> tuple[int, int] | None:
    data = child_group(file, "params", where)
    data = child_group(data, "data", where) if data is not None else None
    for group in (data, file, estimates):
        dataset = child_dataset(group, "dims", where) if group is not None else None
        if dataset is not None:
            values = read_numbers(dataset, where, "dims").ravel()
            if values.size == 2 and values.dtype.kind in "iu" and int(values.min()) > 0:
                return int(values[0]), int(values[1])
    return None
