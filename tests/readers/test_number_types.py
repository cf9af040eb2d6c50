"""Numbers of every type, through every door that takes a matrix or spikes, are read by value."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io as scipy_io
from scipy import sparse

from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from helpers.layouts import write_fish
from helpers.other_layouts import CLUSTERS, SAMPLING_HZ, counts, samples, write_phy

TYPES = [order + kind for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")
         for order in "<>"] + ["?"]  # fmt: skip
PLAIN = {"axes": "time,neuron", "frame_s": 0.02, "values": "counts"}


def _saved(write, name: str):
    def door(values: np.ndarray, folder: Path):
        write(folder / name, values)
        return read(folder / name, **PLAIN)

    return door


def _own(values: np.ndarray, folder: Path):
    np.savez(folder / "a.npz", counts=values, bin_width_s=0.02)
    return read(folder / "a.npz")


def _h5(path: Path, values: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file["a"] = values


def _sparse(path: Path, values: np.ndarray) -> None:
    # as other programs write it: SciPy itself makes none of some types
    whole = sparse.csr_array(values.astype(np.float64))
    parts = {"indices": whole.indices, "indptr": whole.indptr, "shape": whole.shape}
    np.savez(path, format=b"csr", data=whole.data.astype(values.dtype), **parts)


def _pynapple(values: np.ndarray, folder: Path):
    times = 0.02 * np.arange(len(values))
    np.savez(folder / "a.npz", t=times, d=values, start=[0.0], end=[times[-1]])
    return read(folder / "a.npz", values="counts")


DOORS = {
    "array": lambda values, _: read(values, **PLAIN),
    "frame": lambda values, _: read(pd.DataFrame(values), **PLAIN),
    "npy": _saved(np.save, "a.npy"),
    "npy_fortran": _saved(lambda path, one: np.save(path, np.asfortranarray(one)), "a.npy"),
    "npz": _saved(lambda path, one: np.savez(path, a=one), "a.npz"),
    "own_npz": _own,
    "sparse": _saved(_sparse, "a.npz"),
    "matlab": _saved(lambda path, one: scipy_io.savemat(path, {"a": one}), "a.mat"),
    "hdf5": _saved(_h5, "a.h5"),
    "pynapple": _pynapple,
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("door", DOORS)
def test_counts_of_every_type_are_read_by_value(tmp_path: Path, door, dtype):
    values = counts().astype(dtype)
    signal = DOORS[door](values, tmp_path).signal
    assert signal.counts.dtype == np.uint8
    np.testing.assert_array_equal(signal.counts, values.astype(np.uint8))


@pytest.mark.parametrize("dtype", [one for one in TYPES if "i" in one or "f" in one])
# of one in Fortran order rows and columns are named as they lie in the file
@pytest.mark.parametrize("door", [one for one in DOORS if one != "npy_fortran"])
def test_negative_counts_are_refused_by_place(tmp_path: Path, door, dtype):
    values = counts().astype(dtype)
    values[3, 5] = -1
    with pytest.raises(InputError, match=r"got -1(\.0)? in (row|bin) 3, (column|neuron) 5"):
        DOORS[door](values, tmp_path)


@pytest.mark.parametrize("dtype", [one for one in TYPES if one[-2:] not in ("i1", "u1", "?")])
@pytest.mark.parametrize("door", DOORS)
def test_counts_above_255_of_every_type_are_stored_as_255(tmp_path: Path, door, dtype):
    values = counts().astype(dtype)
    values[3, 5], values[0, 0] = 256, 300
    signal = DOORS[door](values, tmp_path).signal
    assert signal.saturated == 2
    assert signal.counts[3, 5] == signal.counts[0, 0] == 255


@pytest.mark.parametrize("dtype", TYPES)
def test_states_of_a_fish_of_every_type(tmp_path: Path, dtype):
    want = read(write_fish(tmp_path / "a.h5")).signal.counts
    write_fish(tmp_path / "b.h5", ThresholdedSpikes=want.astype(dtype))
    np.testing.assert_array_equal(read(tmp_path / "b.h5").signal.counts, want)


@pytest.mark.parametrize("dtype", ["<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8", "<f8"])
def test_sample_numbers_and_labels_of_every_type(tmp_path: Path, dtype):
    times, clusters = samples()
    want = [times[clusters == one] / SAMPLING_HZ for one in CLUSTERS]
    folder = write_phy(tmp_path / "phy", labels=False)
    np.save(folder / "spike_times.npy", times.astype(dtype))
    np.save(folder / "spike_clusters.npy", clusters.astype(dtype.replace("f8", "i8")))
    np.savez(
        tmp_path / "sorting.npz", unit_ids=np.array(CLUSTERS).astype(dtype.replace("f8", "i8")),
        num_segment=[1], sampling_frequency=[SAMPLING_HZ],
        spike_indexes_seg0=times.astype(dtype.replace("f8", "i8")),
        spike_labels_seg0=clusters.astype(dtype.replace("f8", "i8")),
    )  # fmt: skip
    for path in (folder, tmp_path / "sorting.npz"):
        signal = read(path).signal
        for neuron, train in enumerate(want):
            np.testing.assert_allclose(signal.train(neuron), train, rtol=1e-12)


def test_frames_of_pandas_with_columns_of_several_types():
    frame = pd.DataFrame({"a": [True, False] * 5, "b": range(10)})
    plain = {"axes": "time,neuron", "frame_s": 0.02}
    for one in (frame, frame.astype({"b": "Int64"}), frame.astype({"b": "UInt8"})):
        signal = read(one, **plain).signal
        np.testing.assert_array_equal(signal.counts, frame.to_numpy(dtype=np.uint8))
    missing = frame.astype({"b": "Int64"})
    missing.iloc[3, 1] = pd.NA
    with pytest.raises(InputError, match="got nan in row 3, column 1"):
        read(missing, values="counts", **plain)
    with pytest.raises(InputError, match="must hold numbers; got dtype object"):
        read(frame.assign(b="x"), **plain)


def test_what_is_masked_is_no_number():
    masked = np.ma.masked_array(counts(), mask=np.zeros(counts().shape, dtype=bool))
    np.testing.assert_array_equal(read(masked, **PLAIN).signal.counts, counts())
    masked[2, 1] = np.ma.masked
    with pytest.raises(InputError, match="got nan in row 2, column 1"):
        read(masked, **PLAIN)
