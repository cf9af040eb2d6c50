"""Arrays of trials and lists of arrays, in every container, written small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import io as scipy_io

TRIALS, NEURONS, BINS = 4, 3, 10
LENGTHS = (10, 7, 12)


def trials(seed: int = 8) -> NDArray[np.uint8]:
    """Return counts, (trial, neuron, bin)."""
    draw = np.random.default_rng(seed)
    return draw.poisson(0.7, size=(TRIALS, NEURONS, BINS)).astype(np.uint8)


def unequal(seed: int = 9) -> list[NDArray[np.float64]]:
    """Return counts of trials of unequal lengths, (neuron, bin) each."""
    draw = np.random.default_rng(seed)
    return [draw.poisson(0.7, size=(NEURONS, length)).astype(np.float64) for length in LENGTHS]


def spikes(seed: int = 10) -> list[list[NDArray[np.float64]]]:
    """Return spike times of each neuron in each trial, some of them none, 0 to 2 s."""
    draw = np.random.default_rng(seed)
    return [
        [np.sort(draw.uniform(0, 2, draw.integers(0, 6))) for _ in range(TRIALS)]
        for _ in range(NEURONS)
    ]


def objects(values: list[Any]) -> NDArray[np.object_]:
    """Return a list as an array of objects, nested lists as one of two axes."""
    if isinstance(values[0], list):
        return np.stack([objects(one) for one in values])
    result = np.empty(len(values), dtype=object)
    for number, one in enumerate(values):
        result[number] = one
    return result


def write_npy(path: Path) -> Path:
    """Write an array of trials as .npy."""
    with path.open("wb") as handle:
        np.save(handle, trials())
    return path


def write_npz(path: Path) -> Path:
    """Write an array of trials beside other things, and a list of trials as objects."""
    with path.open("wb") as handle:
        np.savez(
            handle,
            responses=trials(),
            position=np.zeros((3, 2)),
            single=objects(unequal()),
            note="x",
        )
    return path


def write_mat5(path: Path) -> Path:
    """Write a struct with an array of trials, cells of trials and of spike times, and texts."""
    data = {
        "spikes": trials().astype(np.float64),
        "cells": objects(unequal())[None],
        "times": objects([[one[None] for one in row] for row in spikes()]),
        "t": 0.02 * np.arange(BINS),
        "names": objects(["a", "b", "c"]),
    }
    with path.open("wb") as handle:
        scipy_io.savemat(handle, {"data": data, "rate": 50.0}, do_compression=True)
    return path


def _put_matlab(group: h5py.Group, name: str, values: NDArray[Any]) -> h5py.Dataset:
    """Write an array as MATLAB 7.3 does, its axes turned; of an empty one its sizes."""
    if values.size:
        group[name] = values.T
    else:
        group[name] = np.array(values.shape, dtype=np.uint64)
        group[name].attrs["MATLAB_empty"] = np.uint8(1)
    group[name].attrs["MATLAB_class"] = np.bytes_("double")
    return group[name]


def put_cells(file: h5py.File, name: str, cells: NDArray[np.object_]) -> None:
    """Write cells as MATLAB 7.3 does: references to what lies in #refs#; texts are numbers."""
    refs = file.require_group("#refs#")
    found = np.empty(cells.shape, dtype=object)
    for place in np.ndindex(cells.shape):
        one, number = cells[place], f"r{len(refs)}"
        if isinstance(one, str):
            refs[number] = np.array([[ord(sign)] for sign in one], dtype=np.uint16)
            refs[number].attrs["MATLAB_class"] = np.bytes_("char")
        else:
            _put_matlab(refs, number, one)
        found[place] = refs[number].ref
    file.create_dataset(name, data=found.T, dtype=h5py.ref_dtype)
    file[name].attrs["MATLAB_class"] = np.bytes_("cell")


def write_mat73(path: Path) -> Path:
    """Write what `write_mat5` writes, as MATLAB 7.3 does."""
    with h5py.File(path, "w", userblock_size=512) as file:
        data = file.create_group("data")
        data.attrs["MATLAB_class"] = np.bytes_("struct")
        _put_matlab(data, "spikes", trials().astype(np.float64))
        _put_matlab(data, "t", 0.02 * np.arange(BINS)[None])
        put_cells(file, "data/cells", objects(unequal())[None])
        put_cells(file, "data/times", objects([[one[None] for one in row] for row in spikes()]))
        put_cells(file, "data/names", objects(["a", "b", "c"])[None])
    with path.open("rb+") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b"\0"))
    return path


def write_groups(path: Path) -> Path:
    """Write a group of HDF5 with a dataset per trial, and one with the spike times of each unit."""
    with h5py.File(path, "w") as file:
        for number, one in enumerate(unequal()):
            file[f"session/trial_{number + 8}"] = one.astype(np.uint16)
        for number, row in enumerate(spikes()):
            file[f"units/{number}"] = np.sort(np.concatenate(row))
    return path
