"""Damaged files: every reader gives a consistent recording or one clear `InputError`, never else.

Two hundred files per reader are spoilt with fixed seeds: cut short, bits flipped, stretches
overwritten, zeroed or repeated. The archive's checksums find all damage inside npz data; HDF5 has
none, so there a flipped bit may change a value, and what is asserted is that the recording keeps
its promises (`check_recording`: sorted finite times, lengths that agree).
"""

from __future__ import annotations

import shutil
import struct
from collections import Counter
from pathlib import Path

import h5py
import numpy as np
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from boltzbrain.recordings.recording import Binned
from contracts.layouts import LAYOUTS, npz_arrays
from contracts.test_readers import check_recording

SEED = 20_260_101

# layout to number of files: two hundred per reader
FUZZED = {"npz": 200, "nwb_allen": 70, "nwb_ibl": 70, "nwb_plain": 60, "fish": 200}


def spoil(whole: bytes, generator: np.random.Generator) -> bytes:
    """Return a damaged copy."""
    data = np.frombuffer(whole, dtype=np.uint8).copy()
    way = int(generator.integers(5))
    if way == 0:
        return whole[: int(generator.integers(len(whole)))]
    if way == 1:  # flip a few bits anywhere
        places = generator.integers(len(data), size=int(generator.integers(1, 9)))
        np.bitwise_xor.at(data, places, (1 << generator.integers(8, size=len(places))).astype("u1"))
    elif way == 2:  # flip bits at either end, where the directories lie
        edge = min(2000, len(data))
        place = int(generator.integers(edge)) - (edge if generator.random() < 0.5 else 0)
        data[place] ^= np.uint8(1 << int(generator.integers(8)))
    else:
        first = int(generator.integers(len(data)))
        length = int(generator.integers(1, 64))
        if way == 3:  # huge numbers, zeros, or noise over a stretch
            fill = generator.choice([0, 255, 127])
            data[first : first + length] = fill
        else:
            start = int(generator.integers(len(data)))
            piece = data[start : start + length].copy()[: len(data) - first]
            data[first : first + len(piece)] = piece
    return data.tobytes()


@pytest.mark.parametrize("layout", FUZZED)
def test_a_damaged_file_is_refused_clearly_or_read_rightly(tmp_path: Path, layout: str):
    LAYOUTS[layout].write(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    files = FUZZED[layout]
    generator = np.random.default_rng([SEED, *layout.encode()])
    path = tmp_path / "spoilt"
    outcomes: Counter[str] = Counter()
    for number in range(files):
        path.write_bytes(spoil(whole, generator))
        try:
            recording = read(path)
        except InputError as refused:
            message = str(refused)
            assert message.startswith(f"{path}: "), f"file {number}: {message}"
            assert " must " in message, f"file {number}: {message}"
            assert "; got " in message, f"file {number}: {message}"
            assert "\n" not in message, f"file {number}: {message}"
            outcomes["refused"] += 1
        else:
            check_recording(recording)
            if layout == "npz":
                assert isinstance(recording.signal, Binned)
                np.testing.assert_array_equal(recording.signal.counts, npz_arrays()["counts"])
            outcomes["read"] += 1
    # damage that never matters, or always does, would mean that nothing was tested
    assert outcomes["refused"] > files / 10, outcomes
    assert outcomes["read"] > files / 50, outcomes


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
