"""Files and folders of every layout that the readers know, written small."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from helpers import other_layouts as other
from helpers import sorted_layouts, trial_layouts
from helpers.nwb_layouts import NWB_LAYOUTS, write_calcium, write_zarr, write_zarr3

BINS, NEURONS = 40, 7
FRAMES, CELLS, MASKS = 60, 25, 294


def npz_arrays(seed: int = 0) -> dict[str, Any]:
    """Return the arrays of a recording in the package's own format."""
    generator = np.random.default_rng(seed)
    xyz = generator.normal(size=(NEURONS, 3))
    xyz[2] = np.nan
    return {
        "counts": generator.poisson(0.5, size=(BINS, NEURONS)).astype(np.uint8),
        "bin_width_s": np.float64(0.01),
        "region": np.array(["VISp", "CA1", "", "root", "CA1", "VISp", "VISp"]),
        "xyz_um": xyz,
        "segment": np.repeat(np.array([3, 1, 9, 4], dtype=np.int32), 10),
        "neuron_id": np.arange(100, 100 + NEURONS),
    }


def write_npz_arrays(path: Path, **changes: Any) -> Path:
    """Write the arrays with some replaced; a replacement of None leaves one out."""
    arrays = {**npz_arrays(), **changes}
    with path.open("wb") as handle:  # a handle keeps numpy from adding ".npz"
        np.savez_compressed(handle, **{name: a for name, a in arrays.items() if a is not None})
    return path


def fish_states(seed: int = 0) -> NDArray[np.uint8]:
    """Return the states that `write_fish` stores, (frame, neuron)."""
    return (np.random.default_rng(seed).random((FRAMES, CELLS)) < 0.2).astype(np.uint8)


def fish_labels(seed: int = 1) -> NDArray[np.uint8]:
    """Return overlapping masks, (region, neuron); neuron 0 lies in none, column 1 in several."""
    labels = (np.random.default_rng(seed).random((MASKS, CELLS)) < 0.02).astype(np.uint8)
    labels[:, 0] = 0
    labels[[14, 0, 38], 1] = 1
    labels[72, 2] = 1
    labels[[38, 72], 3:] = 0
    labels[72, 1] = labels[38, 2] = 0
    return labels


def fish_coordinates() -> NDArray[np.float64]:
    """Return positions in millimetres, (neuron, 3); neuron 1 lies left, neuron 2 right."""
    xyz = np.random.default_rng(2).uniform(0.1, 0.9, size=(CELLS, 3))
    xyz[1, 0], xyz[2, 0] = 0.05, 0.95
    xyz[3] = np.nan
    return xyz


def fish_times() -> NDArray[np.float64]:
    """Return frame times with one pause after frame 39."""
    times = 0.25 * np.arange(FRAMES)
    times[40:] += 5.0
    return times


def write_fish(
    path: Path,
    *,
    transposed: bool = False,
    dtype: str = "float32",
    leave_out: tuple[str, ...] = (),
    **changes: NDArray[Any],
) -> Path:
    """Write a zebrafish recording as MATLAB does; `changes` replace datasets by their last name."""
    states = fish_states().astype(dtype)
    parts: dict[str, NDArray[Any]] = {
        "Data/Brain/Coordinates": fish_coordinates().T + 0.001,
        "Data/Brain/ZBrainCoordinates": fish_coordinates().T,
        "Data/Brain/Labels": fish_labels().astype(np.float64),
        "Data/Brain/Times": fish_times()[:, None],
        "Data/Brain/Analysis/ThresholdedSpikes": states.T if transposed else states,
        "Data/Brain/Analysis/DFF": states.astype(np.float64) * 0.5,
        "Data/Brain/Analysis/baseline": np.ones((FRAMES, CELLS), dtype=np.float32),
        "Data/Brain/drifts": np.zeros((FRAMES, 2)),
    }
    with h5py.File(path, "w") as file:
        for name, values in parts.items():
            leaf = name.rsplit("/", 1)[-1]
            if leaf not in leave_out:
                file.create_dataset(name, data=changes.get(leaf, values))
    return path


@dataclass(frozen=True)
class Layout:
    """A layout: format, what writes it, options without which it is not read, main files."""

    format: str
    write: Callable[[Path], Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    main: str | None = None
    others: tuple[str, ...] = ()


TRIALS = {"axes": "trial,neuron,time", "frame_s": 0.02}
IN_CELLS = {**TRIALS, "values": "counts", "name": "data.cells"}
PLAIN = {"axes": "time,neuron", "frame_s": 0.02}

LAYOUTS: dict[str, Layout] = {
    "npz": Layout("npz", write_npz_arrays),
    "fish": Layout("zebrafish", write_fish),
    "fish_transposed": Layout(
        "zebrafish", lambda path: write_fish(path, transposed=True, dtype="uint8")
    ),
    "fish_dff": Layout(
        "zebrafish", lambda path: write_fish(path, leave_out=("ThresholdedSpikes",))
    ),
    **{f"nwb_{name}": Layout("nwb", write) for name, write in NWB_LAYOUTS.items()},
    "nwb_calcium": Layout("nwb", write_calcium),
    "nwb_zarr": Layout("nwb", write_zarr, main="units/spike_times/0"),
    "nwb_zarr3": Layout("nwb", write_zarr3, main="units/spike_times/c/0"),
    "phy": Layout("phy", other.write_phy, main="spike_times.npy"),
    "phy_bare": Layout(
        "phy",
        lambda path: other.write_phy(path, labels=False, flat=True),
        main="spike_times.npy",
    ),
    "suite2p": Layout("suite2p", other.write_suite2p, main="F.npy"),
    "suite2p_planes": Layout(
        "suite2p", lambda path: other.write_suite2p(path, planes=3), main="plane0/F.npy"
    ),
    "caiman": Layout("caiman", other.write_caiman),
    "caiman_unjudged": Layout("caiman", lambda path: other.write_caiman(path, judged=False)),
    "pynapple": Layout("pynapple", other.write_pynapple),
    "sorting": Layout("spikeinterface", other.write_sorting, main="spikes.npy"),
    "sorting_npz": Layout("spikeinterface", other.write_sorting_npz),
    "celegans": Layout("celegans", other.write_celegans),
    "npy": Layout("array", other.write_npy, PLAIN),
    "npy_fortran": Layout("array", lambda path: other.write_npy(path, fortran=True), PLAIN),
    "sparse": Layout("array", other.write_sparse, PLAIN),
    "mat5": Layout("array", other.write_mat5, {**PLAIN, "values": "counts", "name": "spikes"}),
    "mat73": Layout(
        "array", other.write_mat73, {"axes": "time,neuron", "values": "counts", "times": "t"}
    ),
    "csv": Layout(
        "array", other.write_csv, {"axes": "time,neuron", "values": "counts", "times": "time"}
    ),
}

MATRICES = tuple(name for name, one in LAYOUTS.items() if one.format == "array")
"""Layouts that hold `other_layouts.counts`, by name."""

LAYOUTS |= {
    "alf": Layout("alf", sorted_layouts.write_alf, main="spikes.times.npy"),
    "alf_session": Layout(
        "alf",
        sorted_layouts.write_alf_session,
        main="alf/probe00/pykilosort/#2024-05-06#/spikes.times.npy",
        others=("alf/probe01/pykilosort/spikes.times.npy",),
    ),
    "buzcode": Layout("buzcode", sorted_layouts.write_buzcode),
    "buzcode_hdf5": Layout("buzcode", sorted_layouts.write_buzcode_hdf5),
    "trials_npy": Layout("array", trial_layouts.write_npy, TRIALS),
    "trials_npz": Layout(
        "array", trial_layouts.write_npz, {**TRIALS, "values": "counts", "name": "single"}
    ),
    "trials_mat5": Layout("array", trial_layouts.write_mat5, IN_CELLS),
    "trials_mat73": Layout("array", trial_layouts.write_mat73, IN_CELLS),
    "trials_groups": Layout(
        "array", trial_layouts.write_groups, {**TRIALS, "values": "counts", "name": "session"}
    ),
    "spikes_mat5": Layout(
        "array", trial_layouts.write_mat5,
        {"axes": "neuron,trial", "name": "data.times", "duration_s": 2.0},
    ),
    "spikes_mat73": Layout(
        "array", trial_layouts.write_mat73,
        {"axes": "neuron,trial", "name": "data/times", "duration_s": 2.0},
    ),
    "spikes_groups": Layout(
        "array", trial_layouts.write_groups, {"axes": "neuron", "name": "units"}
    ),
}  # fmt: skip
"""Every layout that the readers know, by name."""
