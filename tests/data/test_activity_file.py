"""activity.h5: the same bits come back, and a file that is not whole or not ours is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from boltzbrain.data.activity import Activity
from boltzbrain.data.activity_file import FORMAT, read_activity, write_activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import InputError


def make(bins=50, neurons=4):
    rng = np.random.default_rng(0)
    xyz = rng.normal(size=(neurons, 3))
    xyz[0] = np.nan
    table = neuron_table([f"é{k}" for k in range(neurons)], xyz)
    table["snr"] = np.array([1.5, np.nan, np.inf, 3.0], dtype=np.float32)[:neurons]
    table["good"] = np.array([True, False, True, True])[:neurons]
    table["depth/µm"] = np.arange(neurons, dtype=np.int16)
    table["mixed"] = pd.Series(["a", None, 1.5, {"x": 1}][:neurons], dtype=object)
    table["."] = pd.Series(["", "b", "c", "d"][:neurons], dtype=object)
    membership = sparse.csr_array(
        np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]], dtype=np.uint8)[:neurons]
    )
    return Activity(
        states=(rng.random((bins, neurons)) < 0.3).astype(np.uint8),
        bin_width_s=1 / 3.9,
        segment=np.repeat([7, 2], [bins // 2, bins - bins // 2]).astype(np.int32),
        fold=rng.integers(-1, 3, bins).astype(np.int8),
        neurons=table,
        regions={
            "Allen/CCF": Regions.from_labels(["CA1", "", "VISp", "CA1"][:neurons]),
            "zbrain": Regions(("a - b", "c", "d"), membership, ("left", "", "right")),
            "empty": Regions.from_labels([""] * neurons),
        },
        steps=(
            Step("binarize", {"bin_ms": 20.0, "epochs": None, "counts": np.arange(3)}),
            Step("split", {"dropped": [f"n{k}" for k in range(20_000)], "share": float("nan")}),
        ),
        source=Source("nwb", "/data/a b.nwb", "ab" * 32, {"dropped": {"snr": np.int64(3)}}),
    )


@pytest.fixture
def stored(tmp_path):
    activity = make()
    write_activity(tmp_path / "activity.h5", activity)
    return activity, tmp_path / "activity.h5"


def test_the_same_bits_come_back(stored):
    activity, path = stored
    back = read_activity(path)
    for name in ("states", "segment", "fold"):
        ours, theirs = getattr(activity, name), getattr(back, name)
        assert ours.dtype == theirs.dtype
        assert (ours == theirs).all()
    assert back.bin_width_s == activity.bin_width_s
    pd.testing.assert_frame_equal(back.neurons, activity.neurons, check_exact=True)
    assert list(back.regions) == list(activity.regions)
    for atlas, regions in activity.regions.items():
        other = back.regions[atlas]
        assert other.names == regions.names
        assert other.hemisphere == regions.hemisphere
        assert other.membership.dtype == np.uint8
        assert (other.membership.toarray() == regions.membership.toarray()).all()
    assert [step.name for step in back.steps] == ["binarize", "split"]
    assert back.steps[0].options == {"bin_ms": 20.0, "epochs": None, "counts": [0, 1, 2]}
    assert back.steps[1].options["share"] is None
    assert len(back.steps[1].options["dropped"]) == 20_000
    assert back.source == Source("nwb", "/data/a b.nwb", "ab" * 32, {"dropped": {"snr": 3}})


def test_the_epochs_of_the_bins_come_back(tmp_path):
    epoch = np.arange(50, dtype=np.int32) % 3 - 1
    activity = replace(make(), epoch=epoch, epoch_names=("rest", "täsk"))
    write_activity(tmp_path / "activity.h5", activity)
    back = read_activity(tmp_path / "activity.h5")
    assert back.epoch.tolist() == epoch.tolist()
    assert back.epoch.dtype == np.int32
    assert back.epoch_names == ("rest", "täsk")
    with pytest.raises(InputError, match="epoch must be -1 or the number of one of 1 names"):
        replace(activity, epoch_names=("rest",))


def test_what_was_read_and_written_again_is_the_same_file(stored, tmp_path):
    _, path = stored
    write_activity(tmp_path / "again.h5", read_activity(path))
    write_activity(tmp_path / "thrice.h5", read_activity(tmp_path / "again.h5"))
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "thrice.h5").read_bytes()


def test_the_layout_is_the_documented_one(stored):
    activity, path = stored
    with h5py.File(path, "r") as file:
        assert file.attrs["format"] == "boltzbrain activity"
        assert file.attrs["version"] == FORMAT.newest
        assert file["states"].dtype == np.uint8
        assert (file["states"][...] == activity.states).all()
        assert file["fold"].dtype == np.int8
        assert file["segment"].dtype == np.int32
        assert file["neurons/id"].asstr()[...].tolist() == activity.neurons["id"].tolist()
        assert json.loads(file["steps"].asstr()[()])[0]["name"] == "binarize"


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.h5: the activity file must exist"):
        read_activity(tmp_path / "none.h5")


@pytest.mark.parametrize("content", [b"", b"not hdf5", b"\x89HDF\r\n\x1a\n" + b"\0" * 50])
def test_a_file_that_is_no_hdf5(tmp_path, content):
    path = tmp_path / "activity.h5"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"activity\.h5: the file must be a whole boltzbrain"):
        read_activity(path)


def test_a_foreign_and_a_newer_file(stored, tmp_path):
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["states"] = np.zeros((2, 2), np.uint8)
    with pytest.raises(InputError, match=r"foreign\.h5: format must be 'boltzbrain activity'"):
        read_activity(tmp_path / "foreign.h5")
    _, path = stored
    with h5py.File(path, "a") as file:
        file.attrs["version"] = FORMAT.newest + 1
    with pytest.raises(InputError, match="a newer boltzbrain wrote this file"):
        read_activity(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.__delitem__("fold"), "fold"),
        (lambda file: file["states"].__setitem__((0, 0), 2), "states must be 0 or 1; got 2"),
        (lambda file: file["fold"].__setitem__(0, 5), "fold must be 0"),
        (lambda file: file["neurons"].__delitem__("x_um"), "x_um"),
        (lambda file: file.attrs.__setitem__("bin_width_s", np.nan), "bin_width_s must be"),
        (lambda file: file["regions/001/indices"].__setitem__(0, 99), "whole boltzbrain activity"),
        (lambda file: file["segment"].__setitem__(0, 2), "segment must hold every number"),
    ],
)
def test_a_damaged_file_is_named(stored, damage, message):
    _, path = stored
    with h5py.File(path, "a") as file:
        damage(file)
    with pytest.raises(InputError, match=message) as raised:
        read_activity(path)
    assert str(path) in str(raised.value)


def test_a_declared_size_beyond_all_memory_is_refused(stored):
    _, path = stored
    with h5py.File(path, "a") as file:
        del file["states"]
        file.create_dataset("states", shape=(10**9, 10**6), dtype=np.uint8, chunks=(1, 10**6))
    with pytest.raises(InputError, match="the memory available must hold"):
        read_activity(path)


def test_truncated_and_flipped_files_give_an_error_or_the_right_answer(stored):
    activity, path = stored
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(150):
        content = bytearray(whole)
        if trial % 2:
            content = content[: int(rng.integers(len(content)))]
        else:
            for place in rng.integers(0, len(content), 20):
                content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(content))
        try:
            back = read_activity(path)
        except InputError:
            refused += 1
        else:
            for name in ("states", "segment", "fold"):
                assert (getattr(back, name) == getattr(activity, name)).all()
    assert refused > 75


def test_text_that_cannot_be_stored_and_a_folder_that_is_absent(tmp_path):
    activity = make()
    activity.neurons.loc[1, "id"] = "a\0b"
    with pytest.raises(InputError, match="id must be text of UTF-8"):
        write_activity(tmp_path / "activity.h5", activity)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="must be writable"):
        write_activity(tmp_path / "absent" / "activity.h5", make())


def test_an_existing_file_survives_a_write_that_fails(stored):
    activity, path = stored
    before = path.read_bytes()
    broken = make()
    broken.neurons.loc[1, "id"] = "\ud800"
    with pytest.raises(InputError):
        write_activity(path, broken)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["activity.h5"]
    assert (activity.states == read_activity(path).states).all()
