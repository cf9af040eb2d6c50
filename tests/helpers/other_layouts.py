"""Files and folders of the further layouts, written small: phy, suite2p, CaImAn and plain arrays.

Where the library that writes a layout is installed for tests, test_real_libraries.py compares with
it; here the files are written by hand, so that every byte is known.
"""

from __future__ import annotations

import collections
import datetime as dt
import json
import pathlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy import io as scipy_io
from scipy import sparse

BINS, NEURONS = 40, 7
CLUSTERS = (3, 5, 8, 11)
SAMPLING_HZ = 30000.0


def counts(seed: int = 3) -> NDArray[np.uint8]:
    """Return counts, (bin, neuron)."""
    return np.random.default_rng(seed).poisson(0.6, size=(BINS, NEURONS)).astype(np.uint8)


def samples(seed: int = 4) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ascending sample numbers and the cluster of each spike."""
    generator = np.random.default_rng(seed)
    times = np.sort(generator.choice(60_000, size=200, replace=False))
    return times, generator.choice(CLUSTERS, size=200)


def write_phy(path: Path, *, labels: bool = True, flat: bool = False) -> Path:
    """Write a phy folder: samples as (n, 1) unless flat, and labels for three of four clusters."""
    path.mkdir(exist_ok=True)
    times, clusters = samples()
    shape = (-1,) if flat else (-1, 1)
    np.save(path / "spike_times.npy", times.astype(np.uint64).reshape(shape))
    np.save(path / "spike_clusters.npy", clusters.astype(np.int32).reshape(shape))
    np.save(path / "spike_templates.npy", clusters.astype(np.uint32).reshape(shape))
    positions = np.array([[10.0 * (n % 2), 20.0 * n] for n in range(16)])
    np.save(path / "channel_positions.npy", positions)
    np.save(path / "channel_map.npy", np.arange(16, dtype=np.int32)[None])
    templates = np.zeros((12, 5, 16), dtype=np.float32)
    for template in range(12):  # template k is largest on channel k + 2
        templates[template, 2, template + 2] = -1.0
    np.save(path / "templates.npy", templates)
    (path / "params.py").write_text(
        "import os\ndat_path = os.path.join('a', 'b.dat')\nsample_rate = 30000.\n"
    )
    if labels:
        (path / "cluster_group.tsv").write_text("cluster_id\tgroup\n3\tgood\n5\tmua\n8\tunsorted\n")
        (path / "cluster_KSLabel.tsv").write_text(
            "cluster_id\tKSLabel\n3\tmua\n5\tgood\n8\tgood\n11\tgood\n"
        )
        (path / "cluster_Amplitude.tsv").write_text(
            "cluster_id\tAmplitude\n3\t10.5\n5\t11\n8\t12\n11\t13\n"
        )
    return path


ROIS, FRAMES = 6, 50


def roi_traces(plane: int = 0) -> NDArray[np.float32]:
    """Return fluorescence of the ROIs of a plane, (roi, frame); ROI 5 is flat."""
    traces = np.random.default_rng(10 + plane).gamma(2.0, 30.0, size=(ROIS, FRAMES))
    traces[5] = 0.0
    return traces.astype(np.float32)


def suite2p_ops(folder: Path, planes: int = 1) -> dict[str, Any]:
    """Return settings and results as suite2p stores them: whatever Python has, in one."""
    return {
        "fs": 10.0,
        "nplanes": planes,
        "tau": np.float32(1.0),
        "date_proc": dt.datetime(2024, 5, 6, 7, 8, 9, 10),
        "suite2p_version": "0.14.4",
        "save_path0": str(folder),
        "fast_disk": folder,
        "data_path": [str(folder), folder / "raw"],
        "filelist": [np.str_("a.tif"), "b.tif"],
        "first_tiffs": np.array([True, False]),
        "frames_per_file": np.array([30, 20]),
        "meanImg": np.ones((3, 3), np.float32),
        "refImg": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "yrange": [np.int64(2), np.int64(100)],
        "xoff": np.zeros(FRAMES, np.int32),
        "regDX": None,
        "aspect": (1.0, 2),
        "dtype": np.dtype([("y", "<i2"), ("x", "<i2")]),
        "shifts": np.zeros(2, dtype=[("y", "<i2"), ("x", "<i2")]),
        "timing": collections.OrderedDict(registration=1.5, day=np.datetime64("2024-05-06")),
        "settings": {"run": {"device": pathlib.PurePosixPath("cuda"), "kind": np.float32}},
    }


def write_suite2p(path: Path, *, planes: int = 1) -> Path:
    """Write a suite2p folder; ROI 1 and 5 of each plane are no cells."""
    path.mkdir(exist_ok=True)
    for plane in range(planes):
        folder = path if planes == 1 else path / f"plane{plane}"
        folder.mkdir(exist_ok=True)
        traces = roi_traces(plane)
        np.save(folder / "F.npy", traces)
        np.save(folder / "Fneu.npy", traces * 0.5)
        np.save(folder / "spks.npy", np.abs(np.diff(traces, axis=1, prepend=0)))
        accepted = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 0.0])
        np.save(folder / "iscell.npy", np.stack([accepted, 0.5 + 0.4 * accepted], axis=1))
        stat = np.empty(ROIS, dtype=object)
        for roi in range(ROIS):
            pixels = np.arange(3) + roi
            stat[roi] = {
                "med": [10 + roi, 20 + 2 * roi],
                "ypix": pixels,
                "xpix": pixels,
                "npix": np.int64(3),
                "skew": np.float32(0.5),
            }
        np.save(folder / "stat.npy", stat, allow_pickle=True)
        ops = np.array(suite2p_ops(folder, planes), dtype=object)
        np.save(folder / "ops.npy", ops, allow_pickle=True)
    return path


def write_caiman(path: Path, *, judged: bool = True) -> Path:
    """Write the HDF5 of CaImAn; component 2 is not accepted."""
    traces = np.random.default_rng(5).gamma(2.0, 1.0, size=(5, 60))
    footprints = np.zeros((8 * 6, 5))
    for component in range(5):
        y, x = component + 1, component
        footprints[x * 8 + y, component] = 2.0  # order 'F' of an image of 8 x 6
    matrix = sparse.csc_matrix(footprints)
    with h5py.File(path, "w") as file:
        group = file.create_group("estimates")
        group["C"], group["S"], group["F_dff"] = traces, np.maximum(traces - 2, 0), traces / 10
        group["YrA"] = traces * 0
        group["idx_components"] = np.array([0, 1, 3, 4]) if judged else np.float64(np.nan)
        group["SNR_comp"] = np.arange(5) + 0.5
        footprint = group.create_group("A")
        footprint["data"], footprint["indices"] = matrix.data, matrix.indices
        footprint["indptr"], footprint["shape"] = matrix.indptr, np.array(matrix.shape)
        file["params/data/fr"] = 10.0
        file["params/data/dims"] = np.array([8, 6])
    return path


def write_pynapple(path: Path) -> Path:
    """Write a TsGroup as pynapple does, with one metadata column as a plain array."""
    times, clusters = samples()
    meta = np.empty(1, dtype=object)
    meta[0] = {"rate": [1.0]}
    with path.open("wb") as handle:
        np.savez(
            handle,
            type=np.array(["TsGroup"], dtype=np.str_),
            t=times / SAMPLING_HZ,
            index=clusters,
            keys=np.array(CLUSTERS),
            start=np.array([0.0, 1.2]),
            end=np.array([1.1, 2.0]),
            area=np.array(["CA1", "CA3", "CA1", "DG"]),
            _metadata=meta,
        )
    return path


def write_sorting(path: Path) -> Path:
    """Write a NumpyFolder sorting of two segments, with a property."""
    path.mkdir(exist_ok=True)
    times, clusters = samples()
    ids = [f"u{number}" for number in CLUSTERS]
    (path / "numpysorting_info.json").write_text(
        json.dumps({"sampling_frequency": SAMPLING_HZ, "unit_ids": ids, "num_segments": 2})
    )
    spikes = np.zeros(
        len(times),
        dtype=[("sample_index", "<i8"), ("unit_index", "<i8"), ("segment_index", "<i8")],
    )
    later = times >= 30_000
    spikes["sample_index"] = np.where(later, times - 30_000, times)
    spikes["unit_index"] = np.searchsorted(CLUSTERS, clusters)
    spikes["segment_index"] = later
    np.save(path / "spikes.npy", spikes)
    (path / "properties").mkdir(exist_ok=True)
    np.save(path / "properties" / "quality.npy", np.array(["good", "good", "mua", "good"]))
    return path


def write_sorting_npz(path: Path) -> Path:
    """Write an NpzSorting of one segment."""
    times, clusters = samples()
    with path.open("wb") as handle:
        np.savez(
            handle,
            unit_ids=np.array(CLUSTERS),
            num_segment=np.array([1]),
            sampling_frequency=np.array([SAMPLING_HZ]),
            spike_indexes_seg0=times,
            spike_labels_seg0=clusters,
        )
    return path


def write_celegans(path: Path) -> Path:
    """Write traces of a worm as npz."""
    with path.open("wb") as handle:
        np.savez(
            handle,
            traces=np.random.default_rng(6).normal(size=(30, 4)).astype(np.float32),
            t=1e6 + 0.6 * np.arange(30),
            label=np.array(["AVA", "", "RIM", "AIY"]),
            canonical_xyz_um=np.arange(12.0).reshape(4, 3),
        )
    return path


def write_npy(path: Path, *, fortran: bool = False) -> Path:
    """Write counts as .npy, (bin, neuron)."""
    with path.open("wb") as handle:
        np.save(handle, np.asfortranarray(counts()) if fortran else counts())
    return path


def write_sparse(path: Path) -> Path:
    """Write counts as a sparse matrix."""
    with path.open("wb") as handle:
        sparse.save_npz(handle, sparse.csr_array(counts()))
    return path


def write_mat5(path: Path) -> Path:
    """Write counts and other variables as MATLAB 5."""
    with path.open("wb") as handle:
        scipy_io.savemat(
            handle,
            {"spikes": counts().astype(np.float64), "t": 0.02 * np.arange(BINS), "note": "x"},
            do_compression=True,
        )
    return path


def write_mat73(path: Path) -> Path:
    """Write counts as MATLAB 7.3 does: HDF5 behind a block of text, axes turned round."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["spikes"] = counts().T.astype(np.float64)
        file["spikes"].attrs["MATLAB_class"] = np.bytes_("double")
        file["t"] = 0.02 * np.arange(BINS)[:, None]
        file["t"].attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("rb+") as handle:
        handle.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512, b"\0"))
    return path


def write_csv(path: Path) -> Path:
    """Write counts as a table with names and times."""
    names = ["time", *(f"cell{n}" for n in range(NEURONS))]
    lines = [",".join(names)]
    for number, row in enumerate(counts().tolist()):
        lines.append(",".join([f"{0.02 * number:.2f}", *map(str, row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_neo(path: Path) -> Path:
    """Write spike trains in seconds as text, a line each, as Neo's AsciiSpikeTrainIO has them."""
    times, clusters = samples()
    trains = [times[clusters == cluster] / SAMPLING_HZ for cluster in CLUSTERS]
    path.write_text("".join("\t".join(map(str, one.tolist())) + "\n" for one in trains))
    return path
