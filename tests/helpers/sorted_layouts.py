"""Folders of ALF and files of buzcode, written small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy import io as scipy_io

from helpers.other_layouts import CLUSTERS, SAMPLING_HZ, samples
from helpers.trial_layouts import objects, put_cells

ACRONYMS = ("CA1", "void", "VISp5", "")


def write_alf(path: Path, *, seed: int = 4, revision: str = "") -> Path:
    """Write one probe as ONE has it: some clusters without spikes, places of channels."""
    folder = path / revision if revision else path
    folder.mkdir(parents=True, exist_ok=True)
    times, clusters = samples(seed)
    rows = max(CLUSTERS) + 2
    arrays: dict[str, Any] = {
        "spikes.times": times / SAMPLING_HZ,
        "spikes.clusters": clusters.astype(np.uint32),
        "spikes.depths": np.zeros(len(times)),
        "clusters.channels": (np.arange(rows) * 2).astype(np.int64),
        "clusters.depths": np.linspace(0, 100, rows),
        "clusters._phy_annotation": (np.arange(rows) % 4)[:, None].astype(np.uint8),
        "clusters.waveforms": np.zeros((rows, 5, 4), np.float32),
        "channels.mlapdv": np.arange(3.0 * 30).reshape(30, 3),
        "channels.brainLocationIds_ccf_2017": np.arange(30),
        "channels.brainLocationAcronyms_ccf_2017": np.array([ACRONYMS[n % 4] for n in range(30)]),
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    (folder / "clusters.metrics.pqt").write_bytes(b"PAR1 not read")
    return path


def write_alf_session(path: Path) -> Path:
    """Write a session of two probes, one of them sorted anew in a revision, and its trials."""
    alf = path / "alf"
    write_alf(alf / "probe00" / "pykilosort", seed=5)
    write_alf(alf / "probe00" / "pykilosort", revision="#2024-05-06#")
    write_alf(alf / "probe01" / "pykilosort", seed=6)
    intervals = np.array([[0.1, 0.5], [0.5, np.nan], [0.6, 1.5]])
    np.save(alf / "_ibl_trials.intervals.npy", intervals)
    np.save(alf / "_ibl_trials.choice.npy", np.ones(3))
    return path


def cellinfo() -> dict[str, Any]:
    """Return the struct ``spikes``: its units are those of `samples`."""
    times, clusters = samples()
    trains = [times[clusters == one][:, None] / SAMPLING_HZ for one in CLUSTERS]
    return {
        "UID": np.arange(1.0, 5.0)[None],
        "times": objects(trains)[None],
        "cluID": np.array(CLUSTERS, dtype=np.float64)[None],
        "shankID": np.array([[1.0, 1, 2, 2]]),
        "region": objects(["CA1", "CA1", "CA3", ""])[None],
        "sessionName": "rat1",
        "numcells": 4.0,
        "rawWaveform": objects([np.zeros((1, 5))] * 4)[None],
    }


def write_buzcode(path: Path) -> Path:
    """Write a .spikes.cellinfo.mat as MATLAB 5."""
    with path.open("wb") as handle:
        scipy_io.savemat(handle, {"spikes": cellinfo()}, do_compression=True)
    return path


def write_buzcode_hdf5(path: Path) -> Path:
    """Write a .spikes.cellinfo.mat as MATLAB 7.3."""
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("spikes")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for name, values in cellinfo().items():
            if isinstance(values, np.ndarray) and values.dtype == object:
                put_cells(file, f"spikes/{name}", values)
            elif isinstance(values, str):
                group[name] = np.array([[ord(sign)] for sign in values], dtype=np.uint16)
                group[name].attrs["MATLAB_class"] = np.bytes_("char")
            else:
                group[name] = np.atleast_2d(values).T
                group[name].attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("rb+") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b"\0"))
    return path
