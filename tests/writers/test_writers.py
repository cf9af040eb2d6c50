"""What is written is read back the same, by our readers and by pynwb, and is whole or absent."""

from __future__ import annotations

import datetime as dt
import os
import warnings
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pynwb
import pytest
from scipy import sparse

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.covariates import BinnedCovariate, Covariate
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read, read_npz, read_nwb
from boltzbrain.writers import write_npz, write_nwb
from helpers.equality import assert_same
from helpers.layouts import LAYOUTS
from helpers.nwb_layouts import write_allen

SESSION = (np.array([0.5, 1.5]), np.array([0.25]), np.array([2.0, 3.0, 4.0]))


def spikes_recording() -> Recording:
    """Return a recording with all that NWB can hold."""
    generator = np.random.default_rng(0)
    trains = [np.sort(generator.uniform(1.0, 99.0, count)) for count in (30, 0, 7, 12)]
    neurons = neuron_table(
        ["a", "b1", "7", ""], generator.normal(size=(4, 3)),
        {"snr": np.array([1.0, np.nan, 3.0, 4.0]), "good": np.array([True, False, True, True]),
         "depth": np.array([1, 2, 3, 4], dtype=np.int16),
         "type": np.array(["é", "", "x", "y"], dtype=object)},
    )  # fmt: skip
    neurons["id"] = ["a", "b1", "7", "unit 4"]
    epochs = pd.DataFrame({"start_s": [0.0, 40.0], "stop_s": [40.0, 40.5],
                           "label": ["task", "spontaneous"]})  # fmt: skip
    return Recording(
        neurons,
        {"planted": Regions.from_labels(["V1", "", "CA1", "V1"]),
         "beryl": Regions.from_labels(["VIS", "VIS", "", ""])},
        SpikeTimes(np.concatenate(trains), np.cumsum([len(t) for t in trains]), 0.0, 100.0),
        epochs,
        Source("simulated", "demo", "", {}),
        (Step("mend", {"what": "silent", "removed": 3}),
         Step("é", {"table": [[0.1, None], []], "none": {}})),
        {"pupil": Covariate(np.array([1.0, 2.0, 3.5]), np.array([0.5, np.nan, 0.25]), "mm"),
         "licks": Covariate(np.array([2.0, 9.0]), np.array([1.0, 1.0]))},
        pd.DataFrame({"start_s": [1.0, 5.0], "stop_s": [2.0, 6.5], "choice": ["left", ""],
                      "contrast": [np.nan, 0.5]}),
    )  # fmt: skip


def binned_recording() -> Recording:
    """Return a recording with all that npz can hold."""
    generator = np.random.default_rng(1)
    spikes = spikes_recording()
    masks = sparse.csr_array(np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 0, 1]], dtype=np.uint8))
    return replace(
        spikes,
        regions={"region": spikes.regions["planted"],
                 "zbrain": Regions(("A", "B", "C"), masks, ("", "left", "right"))},
        signal=Binned(generator.poisson(1.0, (6, 4)).astype(np.uint8), 0.02,
                      np.array([4, 4, 4, 2, 2, 2], dtype=np.int32),
                      np.array([0.0, 0.02, 0.04, 5.0, 5.02, 5.04]), saturated=5),
        covariates={"speed": Covariate(np.array([0.0, 0.02]), np.array([1.0, 2.5]), "cm/s",
                                       np.array([4, 2], dtype=np.int32), "last")},
    )  # fmt: skip


def test_npz_round_trip_is_identical(tmp_path: Path):
    recording = binned_recording()
    path = write_npz(tmp_path / "a.npz", recording)
    assert_same(recording, read(path))
    again = write_npz(tmp_path / "b.npz", read(path))
    assert again.read_bytes() == path.read_bytes()


def test_nwb_round_trip_is_identical(tmp_path: Path):
    recording = spikes_recording()
    path = write_nwb(tmp_path / "a.nwb", recording)
    assert_same(recording, read(path))
    assert_same(read(path), read(write_nwb(tmp_path / "b.nwb", read(path))))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_survives_a_round_trip(tmp_path: Path, layout: str):
    LAYOUTS[layout].write(tmp_path / "in.file")
    recording = read(tmp_path / "in.file", **LAYOUTS[layout].options)
    if isinstance(recording.signal, SpikeTimes):
        assert_same(recording, read(write_nwb(tmp_path / "out.file", recording)))
    elif isinstance(recording.signal, Binned):
        assert_same(recording, read(write_npz(tmp_path / "out.file", recording)))
    else:
        with pytest.raises(InputError, match="must be binned"):
            write_npz(tmp_path / "out.file", recording)


def test_a_real_session_survives_a_round_trip(shared_data: Path, tmp_path: Path):
    recording = read(shared_data / "steinmetz" / "session12.npz")
    assert_same(recording, read(write_npz(tmp_path / "a.npz", recording)))
    spikes = read(shared_data / "nwb" / "A8604-211122.nwb")
    assert_same(spikes, read(write_nwb(tmp_path / "a.nwb", spikes)))


def test_series_and_trials_of_an_activity_come_back_in_the_same_bins(tmp_path: Path):
    binned = binned_recording()
    assert isinstance(binned.signal, Binned)
    activity = Activity(
        np.minimum(binned.signal.counts, 1), 0.02, binned.signal.segment,
        np.zeros(6, dtype=np.int8), binned.neurons, binned.regions, (), binned.source,
        covariates={"speed": BinnedCovariate(np.array([1, np.nan, 2, 3, 4, 5.0]), "cm/s", "mean")},
        trials=pd.DataFrame({"start_s": [0.0], "stop_s": [9.0], "side": ["left"],
                             "first_bin": [4], "stop_bin": [6]}),
    )  # fmt: skip
    again = read_npz(write_npz(tmp_path / "a.npz", activity)).binarize()
    np.testing.assert_array_equal(
        again.covariates["speed"].values, activity.covariates["speed"].values
    )
    assert again.trials[["first_bin", "stop_bin", "side"]].values.tolist() == [[4, 6, "left"]]


def test_an_activity_is_written_as_states(tmp_path: Path):
    binned = binned_recording()
    assert isinstance(binned.signal, Binned)
    states = np.minimum(binned.signal.counts, 1)
    activity = Activity(
        states, 0.02, binned.signal.segment, np.zeros(6, dtype=np.int8), binned.neurons,
        binned.regions, (Step("binarize"),), binned.source,
    )  # fmt: skip
    recording = read_npz(write_npz(tmp_path / "a.npz", activity))
    assert recording.source.options["signal"] == "states"
    assert isinstance(recording.signal, Binned)
    np.testing.assert_array_equal(recording.signal.counts, states)
    np.testing.assert_array_equal(recording.signal.segment, binned.signal.segment)
    assert recording.regions["zbrain"].hemisphere == ("", "left", "right")


def test_steps_are_carried_whatever_their_options_are_made_of(tmp_path: Path):
    told = {"pair": (1, 2.5), "array": np.arange(3), "number": np.float32(0.5), "nan": np.nan}
    plain = {"pair": [1, 2.5], "array": [0, 1, 2], "number": 0.5, "nan": None}
    recording = replace(binned_recording(), steps=(Step("dff", told), Step("deconvolve")))
    kept = (Step("dff", plain), Step("deconvolve", {}))
    assert read(write_npz(tmp_path / "a.npz", recording)).steps == kept
    spikes = replace(spikes_recording(), steps=recording.steps)
    assert read(write_nwb(tmp_path / "a.nwb", spikes)).steps == kept
    # what follows is told after what went before
    names = [step.name for step in read(tmp_path / "a.nwb").binarize(bin_ms=20).steps]
    assert names == ["dff", "deconvolve", "binarize"]


def test_an_activity_keeps_its_steps_and_not_its_folds(tmp_path: Path):
    activity = spikes_recording().binarize(bin_ms=500)
    divided = activity.split(by="blocks", validation=0.2, test=0.2, gap_s=0.0, min_active_bins=0)
    again = read(write_npz(tmp_path / "a.npz", divided)).binarize()
    assert again.step("split") is None  # its folds are not there: it must be split again
    assert [step.name for step in again.steps].count("binarize") == 2
    np.testing.assert_array_equal(again.states, divided.states)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"name": 1, "options": {}}]', "[" * 100_000])
def test_steps_that_are_none_are_refused(tmp_path: Path, text: str):
    with np.load(write_npz(tmp_path / "a.npz", binned_recording())) as held:
        np.savez(tmp_path / "b.npz", **{**held, "steps": np.array(text)})
    with pytest.raises(InputError, match=r"b\.npz: steps must be JSON, a list of steps"):
        read(tmp_path / "b.npz")
    with h5py.File(write_nwb(tmp_path / "a.nwb", spikes_recording()), "a") as file:
        del file["scratch/boltzbrain_steps"]
        file["scratch/boltzbrain_steps"] = text
    with pytest.raises(InputError, match=r"a\.nwb: scratch/boltzbrain_steps must be JSON"):
        read(tmp_path / "a.nwb")


def test_steps_of_a_newer_version_are_refused_and_those_of_none_are_read(tmp_path: Path):
    recording = spikes_recording()
    path = write_nwb(tmp_path / "a.nwb", recording)
    for name, value, message in (
        ("version", 2, "version must be at most 1"),
        ("format", "others", "format must be 'boltzbrain steps'; got others"),
    ):
        with h5py.File(path, "a") as file:
            before = file["scratch/boltzbrain_steps"].attrs[name]
            file["scratch/boltzbrain_steps"].attrs[name] = value
        with pytest.raises(InputError, match=rf"a\.nwb: scratch/boltzbrain_steps: {message}"):
            read(path)
        with h5py.File(path, "a") as file:
            file["scratch/boltzbrain_steps"].attrs[name] = before
    with h5py.File(path, "a") as file:  # as 0.1.0 wrote it
        for name in ("format", "version"):
            del file["scratch/boltzbrain_steps"].attrs[name]
    assert read(path).steps[: len(recording.steps)] == recording.steps


def test_numpy_reads_what_is_written_without_pickle(tmp_path: Path):
    path = write_npz(tmp_path / "a.npz", binned_recording())
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["counts"].dtype == np.uint8
        assert arrays["segment"].dtype == np.int32
        assert arrays["region"].tolist() == ["V1", "", "CA1", "V1"]
        assert all(arrays[name].dtype.kind in "biufU" for name in arrays)


# --- pynwb as the judge of what NWB is -----------------------------------------------------------


@pytest.mark.parametrize("case", ["all", "bare", "probes"])
def test_pynwb_finds_the_file_valid_and_reads_the_same(tmp_path: Path, case: str):
    recording = spikes_recording()
    if case == "bare":
        recording = replace(recording, regions={}, epochs=no_epochs(),
                            neurons=neuron_table(["3", "1", "9", "0"]))  # fmt: skip
    if case == "probes":
        recording.neurons["probe"] = ["A/1", "A/1", "B", "B"]
    start = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    path = write_nwb(tmp_path / "a.nwb", recording, session_start=start)
    signal = recording.signal
    assert isinstance(signal, SpikeTimes)
    with pynwb.NWBHDF5IO(path, "r") as handle:
        assert pynwb.validate(io=handle) == []
        nwb = handle.read()
        assert nwb.session_start_time == start
        units = nwb.units.to_dataframe()
        for neuron in range(len(recording)):
            np.testing.assert_array_equal(units["spike_times"].iloc[neuron], signal.train(neuron))
            assert units["obs_intervals"].iloc[neuron].tolist() == [[0.0, 100.0]]
            electrode = units["electrodes"].iloc[neuron].iloc[0]
            np.testing.assert_array_equal(
                electrode[["x", "y", "z"]].to_numpy(dtype=float),
                recording.neurons.loc[neuron, ["x_um", "y_um", "z_um"]].to_numpy(dtype=float),
            )
            if case != "bare":
                labels = recording.regions["planted"].labels()
                assert electrode["location"] == labels[neuron]
        if case == "bare":
            assert units.index.tolist() == [3, 1, 9, 0]
            assert nwb.epochs is None
        else:
            assert units["neuron_id"].tolist() == recording.neurons["id"].tolist()
            assert units["good"].tolist() == [True, False, True, True]
            epochs = nwb.epochs.to_dataframe()
            assert epochs["tags"].tolist() == [["task"], ["spontaneous"]]
            assert epochs["stop_time"].tolist() == [40.0, 40.5]
    assert_same(recording, read_nwb(path))


def a_session() -> pynwb.NWBFile:
    """Return a session of three units, as pynwb holds it."""
    nwb = pynwb.NWBFile("a session", "id", dt.datetime(2024, 5, 1, tzinfo=dt.UTC))
    device = nwb.create_device("probe")
    group = nwb.create_electrode_group("g", "one", "VISp", device)
    for row in range(3):
        nwb.add_electrode(x=1.0 + row, y=2.0, z=3.0, location=f"area{row}", group=group)
    nwb.add_unit_column("snr", "signal to noise")
    for unit, train in enumerate(SESSION):
        nwb.add_unit(spike_times=train, electrodes=[2 - unit], snr=float(unit))
    nwb.add_epoch(0.0, 2.0, ["rest"])
    nwb.add_trial(start_time=0.0, stop_time=0.5)
    return nwb


def test_our_reader_reads_what_pynwb_writes(tmp_path: Path):
    nwb = a_session()
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as handle:
        handle.write(nwb)
    recording = read(tmp_path / "a.nwb")
    assert isinstance(recording.signal, SpikeTimes)
    for unit, train in enumerate(SESSION):
        np.testing.assert_array_equal(recording.signal.train(unit), train)
    assert recording.regions["ccf"].labels().tolist() == ["area2", "area1", "area0"]
    assert recording.neurons["x_um"].tolist() == [3.0, 2.0, 1.0]
    assert recording.neurons["snr"].tolist() == [0.0, 1.0, 2.0]
    assert recording.epochs["label"].tolist() == ["trials", "rest"]


def test_our_reader_reads_what_hdmf_zarr_writes(tmp_path: Path):
    # pynwb's own backend for zarr; it warns of its dependencies as it is loaded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from hdmf_zarr.nwb import NWBZarrIO

        nwb = a_session()
        with NWBZarrIO(str(tmp_path / "a.nwb.zarr"), "w") as handle:
            handle.write(nwb)
        with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as handle:
            handle.write(a_session())
    assert_same(read(tmp_path / "a.nwb"), read(tmp_path / "a.nwb.zarr"))


# --- bad input and disks ------------------------------------------------------------------------


def test_a_file_that_is_there_is_kept_unless_told(tmp_path: Path):
    for write, recording in ((write_npz, binned_recording()), (write_nwb, spikes_recording())):
        path = tmp_path / "taken"
        path.write_bytes(b"precious")
        with pytest.raises(InputError, match="must not be there yet, or overwrite=True be given"):
            write(path, recording)
        assert path.read_bytes() == b"precious"
        write(path, recording, overwrite=True)
        assert_same(read(path), recording)
        path.unlink()


def test_what_a_format_cannot_hold_is_refused_and_nothing_is_left(tmp_path: Path):
    spikes, binned = spikes_recording(), binned_recording()
    traces = replace(spikes, signal=Traces(np.zeros((5, 4), dtype=np.float32), np.arange(5.0)))
    naive = dt.datetime(2024, 5, 1)
    for write, recording, told in [
        (write_npz, spikes, "must be binned"),
        (write_npz, traces, "must be binned"),
        (write_nwb, binned, "must have spike times"),
        (write_nwb, replace(spikes, regions=binned.regions), "regions.zbrain must have one region"),
        (lambda path, it: write_nwb(path, it, session_start=naive), spikes, "have a time zone"),
    ]:
        with pytest.raises(InputError, match=told):
            write(tmp_path / "out", recording)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    for write, recording in ((write_npz, binned_recording()), (write_nwb, spikes_recording())):
        with pytest.raises(InputError, match=r"nowhere.*must be writable"):
            write(tmp_path / "nowhere" / "a", recording)


def test_a_write_that_breaks_off_leaves_nothing_half_written(tmp_path: Path, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for write, recording in ((write_npz, binned_recording()), (write_nwb, spikes_recording())):
        with pytest.raises(InputError, match="No space left on device"):
            write(tmp_path / "a", recording)
    assert list(tmp_path.iterdir()) == []


def test_writing_changes_nothing_that_the_caller_owns(tmp_path: Path):
    for write, make in ((write_npz, binned_recording), (write_nwb, spikes_recording)):
        recording = make()
        write(tmp_path / f"{write.__name__}.out", recording)
        assert_same(recording, make())


def test_unit_layouts_can_be_filtered_and_written(tmp_path: Path):
    write_allen(tmp_path / "a.nwb")
    kept = read_nwb(tmp_path / "a.nwb", units="good")
    assert_same(kept, read(write_nwb(tmp_path / "b.nwb", kept)))


def test_identifiers_are_the_same_each_time(tmp_path: Path):
    ids = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        path = write_nwb(tmp_path / folder / "a.nwb", spikes_recording())
        with h5py.File(path) as file:
            ids.append((file["identifier"][()], file["units"].attrs["object_id"]))
    assert ids[0] == ids[1]
