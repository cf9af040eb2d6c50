"""Reader of suite2p folders: fluorescence of the accepted cells, of one plane or of all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import bad_input, number_in, one_of
from boltzbrain.readers.clock import find_clock
from boltzbrain.readers.containers.arrays.matrix import AXES, Matrix, empty_frames, read_frames
from boltzbrain.readers.containers.npy import NpyFile
from boltzbrain.readers.containers.signatures import as_folder
from boltzbrain.readers.containers.unpickled import plain, read_objects
from boltzbrain.readers.fingerprint import fingerprint
from boltzbrain.readers.resampling import at_common_times

_SIGNALS = {"F": "fluorescence", "spks": "deconvolved"}
_UNITS = ("cells", "none")
_PLANE = re.compile(r"plane(\d+)")


def read_suite2p(
    path: str | os.PathLike[str],
    *,
    units: str = "cells",
    signal: str = "F",
    neuropil: float = 0.7,
    frame_s: float | None = None,
    pixel_um: float | None = None,
    plane_um: float | None = None,
    bin_width_s: float | None = None,
) -> Recording:
    """Read the traces that suite2p extracted.

    Parameters
    ----------
    path
        A folder ``plane0``, the folder ``suite2p`` that holds one per plane, or its parent.
    units
        "cells" keeps the ROIs that ``iscell.npy`` accepts, "none" all of them.
    signal
        "F" is the fluorescence less `neuropil` times that around it; "spks" suite2p's own
        deconvolution, in arbitrary units and with noise in it, so that it needs a threshold.
    neuropil
        Fraction of the surrounding fluorescence that is taken off; 0.7 is suite2p's.
    frame_s
        Seconds per frame of one plane; one over ``fs`` of ``ops.npy`` if None.
    pixel_um, plane_um
        Micrometres per pixel and between planes; without them positions are not known.
    bin_width_s
        Seconds per frame of one plane, whatever else tells them (`boltzbrain.readers.clock`).

    Returns
    -------
    Recording
        `Traces`. Planes are imaged one after another; the traces of the later ones are interpolated
        to the times of the first. ``neurons`` has the columns ``plane``, ``roi``,
        ``cell_probability`` and, where ``stat.npy`` is there, ``x_pixel``, ``y_pixel``, ``npix``.

    Raises
    ------
    InputError
        If a file is missing or damaged, shapes disagree, no ROI is a cell, or the frame length is
        not known.

    References
    ----------
    Pachitariu et al., "Suite2p: beyond 10,000 neurons with standard two-photon microscopy",
    bioRxiv 061507 (2017).
    """
    one_of("units", units, _UNITS)
    one_of("signal", signal, _SIGNALS)
    neuropil = number_in("neuropil", neuropil, low=0.0, high=2.0)
    folders = _planes(as_folder(path))
    where = str(folders[0].parent if len(folders) > 1 else folders[0])
    told = frame_s is not None or bin_width_s is not None
    widths = {"frame_s": frame_s} if told else _frame_s(folders[0], where)
    step = find_clock(1, widths=widths, confirmed=bin_width_s, where=where).width_s
    planes = [_open_plane(folder, units, signal) for folder in folders]
    ends = np.cumsum([int(one.keep.sum()) for one in planes])
    if not ends[-1]:
        raise bad_input(
            "iscell.npy", "accept at least one ROI (or use units=none)", "0 cells", file=where
        )
    lengths = [one.matrix.shape[1] for one in planes]
    times = step * np.arange(min(lengths), dtype=np.float64)
    frames = empty_frames(len(times), int(ends[-1]), np.float32, planes[0].matrix)
    for number, (one, end) in enumerate(zip(planes, ends.tolist(), strict=True)):
        mine = frames[:, end - int(one.keep.sum()) : end]
        _read_plane(one, mine, neuropil if signal == "F" else 0.0)
        # planes of one volume follow each other within the frame
        at_common_times(mine, times + number * step / len(planes), times, in_place=True)
    table: dict[str, NDArray[Any]] = {
        name: np.concatenate([one.columns[name] for one in planes])
        for name in planes[0].columns
        if all(name in one.columns for one in planes)
    }
    xyz = np.full((frames.shape[1], 3), np.nan)
    if pixel_um is not None and "x_pixel" in table:
        scale = number_in("pixel_um", pixel_um, low=0.0, include_low=False)
        xyz[:, 0], xyz[:, 1] = table["x_pixel"] * scale, table["y_pixel"] * scale
    if plane_um is not None:
        xyz[:, 2] = table["plane"] * number_in("plane_um", plane_um)
    ids = [f"plane{p}_{r}" for p, r in zip(table["plane"], table["roi"], strict=True)]
    single = len(planes) == 1
    dropped = sum(int((~one.keep).sum()) for one in planes)
    options = {
        "units": units,
        "dropped": {"not accepted as a cell": dropped} if units == "cells" else {},
        "signal": signal,
        "neuropil": neuropil if signal == "F" else None,
        "frame_s": step,
        "frames_cut": max(lengths) - min(lengths),
    }
    traces = Traces(frames, times, _SIGNALS[signal])
    return Recording(
        neurons=neuron_table(
            [str(number) for number in table["roi"].tolist()] if single else ids,
            xyz,
            table,
        ),
        regions={},
        signal=traces,
        epochs=no_epochs(),
        source=Source("suite2p", where, fingerprint(folders[0] / f"{signal}.npy", traces), options),
    )


def is_plane(names: Any) -> bool:
    """Return whether these entries of a folder are those of one plane."""
    return "F.npy" in names and bool({"iscell.npy", "stat.npy", "Fneu.npy"} & set(names))


def _planes(folder: Path) -> list[Path]:
    """Return the folders of the planes, in order; "combined" is a copy and is left out."""
    if (folder / "F.npy").is_file():
        return [folder]
    parent = folder / "suite2p" if (folder / "suite2p").is_dir() else folder
    found = {
        int(match[1]): entry
        for entry in sorted(parent.iterdir())
        if (match := _PLANE.fullmatch(entry.name)) and (entry / "F.npy").is_file()
    }
    if not found:
        raise bad_input(
            "the folder",
            "be a suite2p plane, or hold plane0, plane1, ...",
            ", ".join(sorted(entry.name for entry in folder.iterdir())[:12]) or "nothing",
            file=folder,
        )
    return [found[number] for number in sorted(found)]


def _frame_s(folder: Path, where: str) -> dict[str, float | None]:
    """Return the seconds per frame that ops.npy tells, by what tells them.

    Raises
    ------
    InputError
        If it tells none, or the frame rate is no rate.
    """
    path = folder / "ops.npy"
    if path.is_file():
        ops = read_objects(path)[0]
        if isinstance(ops, dict) and "fs" in ops:
            rate = plain(ops["fs"])
            if isinstance(rate, np.ndarray) and rate.size == 1:
                rate = rate.item()
            hz = number_in("fs of ops.npy", rate, low=1e-5, high=1e7, file=where)
            return {"1 / fs of ops.npy": 1.0 / hz}
    raise bad_input(
        "frame_s",
        "be given: the seconds per frame (--read frame_s=0.1)",
        "no ops.npy with fs" if not path.is_file() else "an ops.npy without fs",
        file=where,
    )


def _matrix(path: Path) -> Matrix:
    file = NpyFile.open(path)
    if file.header.fortran or len(file.header.shape) != 2:
        raise bad_input(
            path.name, "have shape (roi, frame)", f"shape {file.header.shape}", file=path.parent
        )
    return Matrix(
        file.header.shape,
        file.header.dtype,
        path.name,
        str(path.parent),
        file.blocks,
    )


@dataclass(frozen=True)
class _Plane:
    """One plane: its folder, its traces (roi, frame), which ROIs are kept, and their columns."""

    folder: Path
    matrix: Matrix
    keep: NDArray[np.bool_]
    columns: dict[str, NDArray[Any]]


def _open_plane(folder: Path, units: str, signal: str) -> _Plane:
    matrix = _matrix(folder / f"{signal}.npy")
    rois = matrix.shape[0]
    accepted, columns = _accepted(folder, rois)
    match = _PLANE.fullmatch(folder.name)
    keep = accepted if units == "cells" else np.ones(rois, dtype=np.bool_)
    columns["plane"] = np.full(rois, int(match[1]) if match else 0)
    columns["roi"] = np.arange(rois)
    columns.update(_shapes(folder, rois))
    columns = {name: values[keep] for name, values in columns.items()}
    return _Plane(folder, matrix, keep, columns)


def _read_plane(plane: _Plane, frames: NDArray[np.float32], neuropil: float) -> None:
    """Read the first frames of the kept ROIs of one plane into an array, (frame, neuron)."""
    keep, length = plane.keep, len(frames)
    read_frames(_first_frames(plane.matrix, length), AXES[1], keep, frames)
    if not neuropil:
        return
    around = _matrix(plane.folder / "Fneu.npy")
    if around.shape != plane.matrix.shape:
        raise bad_input(
            "Fneu.npy",
            f"have shape {plane.matrix.shape}",
            f"shape {around.shape}",
            file=plane.folder,
        )
    with np.errstate(over="ignore", invalid="ignore"):
        row = column = 0
        for block in _first_frames(around, length).blocks():
            for trace in block[keep[row : row + len(block)]]:
                # a ROI that was never measured stays flat, so that the checks see it
                if np.ptp(frames[:, column]) > 0:
                    frames[:, column] -= (neuropil * trace).astype(np.float32)
                column += 1
            row += len(block)


def _first_frames(matrix: Matrix, length: int) -> Matrix:
    """Return a matrix (roi, frame) without the frames that not every plane has."""

    def blocks() -> Iterator[NDArray[Any]]:
        for block in matrix.blocks():
            yield block[:, :length]

    return replace(matrix, shape=(matrix.shape[0], length), blocks=blocks)


def _accepted(folder: Path, rois: int) -> tuple[NDArray[np.bool_], dict[str, NDArray[Any]]]:
    path = folder / "iscell.npy"
    if not path.is_file():
        raise bad_input("iscell.npy", "be there", "no such file", file=folder)
    values = NpyFile.open(path).read()
    fits = values.ndim in (1, 2) and len(values) == rois and values.dtype.kind in "biuf"
    if not fits or (values.ndim == 2 and values.shape[1] == 0):
        raise bad_input(
            "iscell.npy",
            f"have one row per ROI ({rois})",
            f"shape {values.shape}, dtype {values.dtype}",
            file=folder,
        )
    first = values if values.ndim == 1 else values[:, 0]
    columns: dict[str, NDArray[Any]] = {}
    if values.ndim == 2 and values.shape[1] > 1:
        columns["cell_probability"] = values[:, 1].astype(np.float64)
    return first.astype(np.float64) > 0.5, columns


def _shapes(folder: Path, rois: int) -> dict[str, NDArray[Any]]:
    """Return centre and size of each ROI, nothing where there is no stat.npy."""
    path = folder / "stat.npy"
    if not path.is_file():
        return {}
    stat = read_objects(path)
    if len(stat) != rois:
        raise bad_input("stat.npy", f"have one entry per ROI ({rois})", len(stat), file=folder)
    centre = np.full((rois, 2), np.nan)
    size = np.full(rois, np.nan)
    for number, one in enumerate(stat):
        if not isinstance(one, dict):
            raise bad_input("stat.npy", "hold dictionaries", f"{one!r:.60}", file=folder)
        middle, pixels = plain(one.get("med")), plain(one.get("npix"))
        try:
            if middle is not None and len(middle) == 2:
                centre[number] = [float(value) for value in middle]
            if pixels is not None:
                size[number] = float(pixels)
        except (TypeError, ValueError) as error:
            raise bad_input(
                "stat.npy", "hold numbers in med and npix", repr(middle), file=folder
            ) from error
    centre[~np.isfinite(centre)] = np.nan
    return {"x_pixel": centre[:, 1], "y_pixel": centre[:, 0], "npix": size}
