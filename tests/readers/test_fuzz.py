"""Damaged files: every reader gives a consistent recording or one clear `InputError`, never else.

Two hundred files per reader are spoilt with fixed seeds: cut short, bits flipped, stretches
overwritten, zeroed or repeated (fuzzing.py), or one of their arrays replaced by another type, an
absurd size, or a pickle with code in it (disguising.py); of a folder one file at a time. They are
read in a forked worker with a limit of memory and of time. Checksums find all damage inside npz
data; HDF5 and plain files have none, so there a flipped bit may change a value, and what is
asserted is that the recording keeps its promises (`check_recording`). proofs/fuzz.py does the same
ten times over.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import pickle
import shutil
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from boltzbrain.readers.containers.hdf5 import attribute, open_hdf5, read_text
from helpers.checking import check_recording
from helpers.disguising import Payload
from helpers.fuzzing import LONGEST_S, MOST_MB, fuzz
from helpers.layouts import LAYOUTS

SEED = 20_260_101

# layout to number of files: two hundred per reader
FUZZED = {
    "npz": 200, "nwb_allen": 60, "nwb_ibl": 60, "nwb_plain": 40, "nwb_zarr": 40,
    "nwb_zarr3": 40,
    "nwb_calcium": 60, "fish": 200,
    "phy": 200, "suite2p": 200, "caiman": 200, "pynapple": 200, "sorting": 120, "sorting_npz": 80,
    "celegans": 200, "npy": 30, "npy_fortran": 10, "sparse": 20, "mat5": 20, "mat73": 20, "csv": 20,
    "trials_npy": 10, "trials_npz": 20, "trials_mat5": 30, "trials_mat73": 30, "trials_groups": 20,
    "spikes_mat5": 20, "spikes_mat73": 20, "spikes_groups": 20,
    "alf": 100, "alf_session": 100, "buzcode": 100, "buzcode_hdf5": 100,
    "neo": 60,
}  # fmt: skip


@pytest.mark.parametrize("layout", FUZZED)
def test_a_damaged_file_is_refused_clearly_or_read_rightly(tmp_path: Path, layout: str):
    files = FUZZED[layout]
    outcome = fuzz(layout, files, tmp_path, SEED)
    assert outcome.wrong == []
    assert outcome.slowest_s < LONGEST_S
    assert outcome.memory_mb < MOST_MB
    # damage that never matters, or always does, would mean that nothing was tested
    assert outcome.refused > files / 10, outcome
    assert outcome.read + outcome.refused == files


def test_no_pickle_is_ever_run(tmp_path: Path):
    marker = tmp_path / "ran"
    evil = np.array([Payload(marker)], dtype=object)
    LAYOUTS["suite2p"].write(tmp_path / "plane0")
    for name in ("stat.npy", "ops.npy", "iscell.npy", "F.npy"):
        kept = (tmp_path / "plane0" / name).read_bytes()
        np.save(tmp_path / "plane0" / name, evil, allow_pickle=True)
        with pytest.raises(InputError, match="must "):
            read(tmp_path / "plane0")
        (tmp_path / "plane0" / name).write_bytes(kept)
    LAYOUTS["pynapple"].write(tmp_path / "group.npz")
    with np.load(tmp_path / "group.npz", allow_pickle=True) as held:
        arrays = {**held, "_metadata": evil}
    np.savez(tmp_path / "group.npz", **arrays)
    check_recording(read(tmp_path / "group.npz"))
    np.save(tmp_path / "array.npy", evil, allow_pickle=True)
    for axes in ("time,neuron", "neuron", "trial,neuron,time"):
        with pytest.raises(InputError, match=r"array\.npy.* must "):
            read(tmp_path / "array.npy", axes=axes, frame_s=1.0, values="counts")
    with pytest.raises(InputError, match=r"cell 0 of array\.npy must hold numbers"):
        read(tmp_path / "array.npy", axes="neuron")
    LAYOUTS["phy"].write(tmp_path / "phy")
    (tmp_path / "phy" / "params.py").write_text(
        f"import pathlib\npathlib.Path({str(marker)!r}).touch()\nsample_rate = 30000\n"
    )
    read(tmp_path / "phy")
    assert not marker.exists()
    # the control: numpy, told to, runs it
    np.load(tmp_path / "array.npy", allow_pickle=True)
    assert marker.exists()


def pickles_with_code(marker: Path) -> dict[str, bytes]:
    """Return pickles of {"fs": 10.0, "odd": ...} that make a folder, by each way to an object."""
    name, path = b"cposix\nmkdir\n", f"V{marker}\n".encode()
    ways = {
        "reduce": name + path + b"\x85R",
        "stack global": b"V posix\n0Vposix\nVmkdir\n\x93" + path + b"\x85R",
        "inst": b"(" + path + b"iposix\nmkdir\n",
        "obj": b"(" + name + path + b"o",
        "newobj": name + path + b"\x85\x81",
        "newobj with names": name + path + b"\x85}\x92",
        "build": name + path + b"\x85RVstate\nb",
        "a list of its own": name + path + b"\x85R(I1\nI2\ne",
        "a dictionary of its own": name + path + b"\x85R(I1\nI2\nu",
        "a set of its own": name + path + b"\x85R(I1\n\x90",
    }
    return {way: b"\x80\x04}Vfs\nF10.0\nsVodd\n" + content + b"s." for way, content in ways.items()}


@pytest.mark.parametrize("way", pickles_with_code(Path()))
def test_an_object_of_any_kind_in_ops_is_passed_over_and_its_code_not_run(tmp_path: Path, way: str):
    marker = tmp_path / "ran"
    content = pickles_with_code(marker)[way]
    folder = LAYOUTS["suite2p"].write(tmp_path / "plane0")
    header = (folder / "ops.npy").read_bytes()[:128]
    (folder / "ops.npy").write_bytes(header + content)
    np.testing.assert_allclose(read(folder).signal.times[:2], [0.0, 0.1])
    assert not marker.exists()
    # the control: pickle makes the folder, but for the two ways that call no function
    with contextlib.suppress(Exception):
        pickle.loads(content)
    assert marker.exists() == (not way.startswith("newobj"))


def test_what_is_needed_of_an_odd_object_is_refused_by_its_name(tmp_path: Path):
    folder = LAYOUTS["suite2p"].write(tmp_path / "plane0")
    ops = {"fs": dt.timedelta(seconds=0.1)}
    np.save(folder / "ops.npy", np.array(ops, dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"fs of ops\.npy must .*; got an object of .*delta"):
        read(folder)
    np.save(folder / "ops.npy", np.array({"fs": np.array([4.0])}, dtype=object))
    assert read(folder).signal.times[1] == 0.25


@pytest.mark.parametrize("layout", ["nwb_ibl", "fish"])
def test_a_dataset_of_another_type_or_shape_is_refused_clearly_or_read_rightly(
    tmp_path: Path, layout: str
):
    """Each dataset in turn becomes something else."""
    LAYOUTS[layout].write(tmp_path / "whole")
    names: list[str] = []
    with h5py.File(tmp_path / "whole") as file:
        file.visititems(lambda name, thing: names.append(name) if hasattr(thing, "shape") else None)
    others = [
        np.float64(3.0), np.zeros(0), np.zeros((2, 3, 4)), np.full(5, np.nan),
        np.array([b"a", b"b"]), np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.full(6, 1 + 2j), h5py.Empty("f8"), None, "group",
    ]  # fmt: skip
    path = tmp_path / "spoilt"
    refused = []
    for name in names:
        for other in others:
            shutil.copy(tmp_path / "whole", path)
            with h5py.File(path, "a") as file:
                del file[name]
                if isinstance(other, str):
                    file.create_group(name)
                elif other is not None:
                    file[name] = other
            try:
                check_recording(read(path))
            except InputError as error:
                refused.append(str(error))
    assert len(refused) > len(names)
    assert all(message.startswith(f"{path}: ") and " must " in message for message in refused)


def test_a_table_that_declares_more_rows_than_the_file_can_hold_is_refused(tmp_path: Path):
    # its rows were counted, and memory taken for each, before anything was read of them
    path = tmp_path / "long.nwb"
    LAYOUTS["nwb_plain"].write(path)
    for name in ("units/id", "general/extracellular_ephys/electrodes/id"):
        shutil.copy(path, tmp_path / "spoilt.nwb")
        with h5py.File(tmp_path / "spoilt.nwb", "a") as file:
            del file[name]
            file.create_dataset(name, shape=(2**40,), dtype="f4", chunks=(1024,))
        with pytest.raises(InputError, match=r"id must have the size that it declares"):
            read(tmp_path / "spoilt.nwb")


def test_a_name_with_a_line_break_in_it_leaves_the_message_one_line(tmp_path: Path):
    with np.load(LAYOUTS["npz"].write(tmp_path / "a.npz")) as held:
        np.savez(tmp_path / "b.npz", **held, **{"time_s\n": np.zeros(3)})
    with pytest.raises(InputError, match=r"got time_s\\n \(did you mean") as refused:
        read(tmp_path / "b.npz")
    assert "\n" not in str(refused.value)


# --- damage that the HDF5 library itself does not survive --------------------------------------


def overwrite(path: Path, place: int, content: bytes) -> None:
    with path.open("rb+") as file:
        file.seek(place)
        file.write(content)


def test_a_heap_whose_objects_lead_nowhere_is_refused(tmp_path: Path):
    # the library (HDF5 2.0.0) runs for ever in this file
    path = tmp_path / "endless.nwb"
    LAYOUTS["nwb_plain"].write(path)
    heap = path.read_bytes().index(b"GCOL")
    overwrite(path, heap + 16, bytes(16))
    with pytest.raises(
        InputError, match=r"endless\.nwb: the file must be a whole HDF5 file; got a d"
    ):
        read(path)


def test_a_heap_that_nothing_refers_to_is_no_damage(tmp_path: Path):
    # space that is no longer used may hold the ruins of a heap
    path = tmp_path / "ruin.nwb"
    LAYOUTS["nwb_plain"].write(path)
    with h5py.File(path, "a") as file:
        ruin = b"GCOL\x01\0\0\0" + struct.pack("<Q", 4096) + bytes(5000)
        ruin = b"unused space: " + ruin
        file["general/ruin"] = np.frombuffer(ruin, dtype=np.uint8)
    check_recording(read(path))


def test_a_text_longer_than_the_file_takes_no_memory(tmp_path: Path):
    # the library takes the memory for a text before it looks whether there is one
    path = tmp_path / "long.nwb"
    LAYOUTS["nwb_plain"].write(path)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        place = file["intervals/epochs/tags"].id.get_offset()
    overwrite(path, place + 16, struct.pack("<I", 2**32 - 1))
    with pytest.raises(
        InputError, match=r"tags must hold texts no longer than the file; got a text"
    ):
        read(path)
    # the same in an attribute: the location "PoS" of the first electrode group
    path.write_bytes(whole)
    heap = whole.index(b"GCOL")
    place = whole.index(struct.pack("<IQ", len("PoS"), heap))
    overwrite(path, place, struct.pack("<I", 2**32 - 1))
    with pytest.raises(InputError, match="location must hold texts no longer than the file"):
        read(path)


def text_files(folder: Path) -> dict[str, Path]:
    """Return files with a text of variable length in a dataset, and in an attribute, by storage."""
    ways: dict[str, dict[str, object]] = {
        "contiguous": {}, "chunks": {"chunks": (2,)},
        "packed": {"chunks": (2,), "compression": "gzip", "shuffle": True},
        "lzf": {"chunks": (2,), "compression": "lzf"},
    }  # fmt: skip
    found = {}
    for name, how in ways.items():
        for newest in (False, True):
            path = folder / f"{name}_{newest}.h5"
            with h5py.File(path, "w", libver="latest" if newest else None) as file:
                file.create_dataset("x", data=["a", "bcd", "ef"], dtype=h5py.string_dtype(), **how)
                for number in range(12):
                    file["x"].attrs[f"told{number}"] = f"attribute {number}"
                    file.attrs[f"told{number}"] = f"of the file {number}"
            found[path.stem] = path
    return found


def test_heaps_are_found_by_every_way_in_which_texts_are_stored(tmp_path: Path):
    for name, path in text_files(tmp_path).items():
        with open_hdf5(path) as file:
            assert read_text(file["x"], str(path), "x") == ["a", "bcd", "ef"], name
            assert attribute(file["x"], "told11", str(path)) == "attribute 11"
            assert attribute(file, "told3", str(path)) == "of the file 3"
        whole = path.read_bytes()
        heap = whole.index(b"GCOL")
        while heap >= 0:  # objects of length 0 lead nowhere
            overwrite(path, heap + 16, bytes(16))
            heap = whole.find(b"GCOL", heap + 1)
        with open_hdf5(path) as file:
            for look in (
                lambda file, path: read_text(file["x"], str(path), "x"),
                lambda file, path: attribute(file["x"], "told11", str(path)),
                lambda file, path: attribute(file, "told3", str(path)),
            ):
                with pytest.raises(InputError, match=r"must be a whole HDF5 file; got a damaged"):
                    look(file, path)
