"""Arrays of trials, cells and structs: read in any order of axes, and asked for in one message."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.foundations.checks import InputError
from boltzbrain.readers import read
from helpers.checking import check_recording
from helpers.command_line import run_command
from helpers.trial_layouts import (
    BINS,
    LENGTHS,
    NEURONS,
    TRIALS,
    objects,
    spikes,
    trials,
    unequal,
    write_groups,
    write_mat5,
    write_mat73,
    write_npz,
)

IN_TIME = trials().transpose(0, 2, 1).reshape(TRIALS * BINS, NEURONS)
JOINED = np.concatenate([one.T for one in unequal()])


@pytest.mark.parametrize("order", list(itertools.permutations(("trial", "neuron", "time"))))
@pytest.mark.parametrize("container", ["npy", "npy_fortran", "npz", "hdf5", "memory"])
def test_the_axes_may_stand_in_any_order(tmp_path: Path, order, container):
    turned = trials().transpose([("trial", "neuron", "time").index(one) for one in order])
    path = tmp_path / "a"
    if container == "hdf5":
        with h5py.File(path, "w") as file:
            file["x"] = turned
    elif container == "npz":
        with path.open("wb") as handle:
            np.savez(handle, x=turned)
    elif container != "memory":
        with path.open("wb") as handle:
            np.save(handle, np.asfortranarray(turned) if "fortran" in container else turned)
    thing = turned if container == "memory" else path
    recording = read(thing, axes=", ".join(order), frame_s=0.02)
    check_recording(recording)
    signal = recording.signal
    assert isinstance(signal, Binned)
    np.testing.assert_array_equal(signal.counts, IN_TIME)
    np.testing.assert_array_equal(signal.segment, np.repeat(np.arange(TRIALS), BINS))
    activity = recording.binarize()
    np.testing.assert_array_equal(activity.states, IN_TIME > 0)
    assert len(np.unique(activity.segment)) == TRIALS


@pytest.mark.parametrize("write", [write_mat5, write_mat73])
def test_a_struct_is_told_by_dotted_names(tmp_path: Path, write):
    path = write(tmp_path / "a.mat")
    for name in ("data.spikes", "data/spikes"):
        options = {"name": name, "axes": "trial,neuron,time", "values": "counts"}
        found = read(path, frame_s=0.02, **options)
        np.testing.assert_array_equal(found.signal.counts, IN_TIME)
        timed = read(path, times="data.t", **options)
        assert timed.signal.bin_width_s == pytest.approx(0.02)
        np.testing.assert_array_equal(timed.signal.segment, found.signal.segment)
    with pytest.raises(InputError, match=r"name must be an array of the .*data\.spikes \(4, 3"):
        read(path, axes="trial,neuron,time", name="data.spike", values="counts", frame_s=1.0)


@pytest.mark.parametrize(
    ("write", "name"),
    [(write_mat5, "data.cells"), (write_mat73, "data.cells"), (write_npz, "single"),
     (write_groups, "session")],
)  # fmt: skip
def test_trials_of_unequal_lengths_are_segments(tmp_path: Path, write, name):
    path = write(tmp_path / "a")
    options = {"name": name, "axes": "trial,neuron,time", "sampling_hz": 50}
    signal = read(path, values="counts", **options).signal
    assert isinstance(signal, Binned)
    np.testing.assert_array_equal(signal.counts, JOINED)
    np.testing.assert_array_equal(signal.segment, np.repeat(np.arange(3), LENGTHS))
    assert signal.bin_width_s == 0.02
    # traces tell their segments by their times
    traces = read(path, values="dff", **options).signal
    assert isinstance(traces, Traces)
    np.testing.assert_array_equal(traces.frames, JOINED)
    steps = np.diff(traces.times)
    np.testing.assert_array_equal(np.flatnonzero(steps > 0.5), np.cumsum(LENGTHS)[:-1] - 1)
    with pytest.raises(InputError, match=r"cell 1 of .* must have 10 neurons, as the first trial"):
        read(path, values="counts", **{**options, "axes": "trial,time,neuron"})


def test_trials_in_memory_are_a_list():
    recording = bb.read(unequal(), axes="trial,neuron,time", values="counts", frame_s=0.02)
    np.testing.assert_array_equal(recording.signal.counts, JOINED)
    with pytest.raises(InputError, match="axes, values and frame_s must be given"):
        bb.read(unequal())


@pytest.mark.parametrize("write", [write_mat5, write_mat73])
@pytest.mark.parametrize("start", [None, -0.5])
def test_cells_of_spike_times_per_trial(tmp_path: Path, write, start):
    path = write(tmp_path / "a")
    options = {"name": "data.times", "axes": "neuron,trial", "start_s": start}
    with pytest.raises(InputError, match=r"duration_s must be given, as --read duration_s=1\.5"):
        read(path, **options)
    recording = read(path, duration_s=2.0 - (start or 0), **options)
    check_recording(recording)
    signal = recording.signal
    assert isinstance(signal, SpikeTimes)
    begins = 3.0 * np.arange(TRIALS) if start is None else 3.5 * np.arange(TRIALS)
    for neuron, row in enumerate(spikes()):
        want = np.concatenate([one + at - (start or 0) for one, at in zip(row, begins)])  # noqa: B905
        np.testing.assert_allclose(signal.train(neuron), want)
    np.testing.assert_allclose(signal.recorded[:, 0], begins)
    # what lies outside of its trial is told
    short = read(path, **{**options, "start_s": 0.0, "duration_s": 1.0})
    told = short.source.options["losses"][0]
    assert told["name"] == "spikes outside their trial"
    assert told["lost"] == sum(int((one > 1).sum()) for row in spikes() for one in row)


def test_spike_times_of_each_unit_in_a_group(tmp_path: Path):
    path = write_groups(tmp_path / "a.h5")
    recording = read(path, axes="neuron")
    assert recording.source.options["name"] == "units"
    for neuron, row in enumerate(spikes()):
        np.testing.assert_array_equal(recording.signal.train(neuron), np.sort(np.concatenate(row)))
    assert read(path, axes="neuron", duration_s=5.0).signal.stop_s == 5.0


def test_samples_need_their_rate(tmp_path: Path):
    samples = objects([(30_000 * np.concatenate(row)).astype(np.int64) for row in spikes()])
    np.save(tmp_path / "a.npy", samples, allow_pickle=True)
    with pytest.raises(InputError, match=r"sampling_hz must be given: --read sampling_hz=30000"):
        read(tmp_path / "a.npy", axes="neuron")
    signal = read(tmp_path / "a.npy", axes="neuron", sampling_hz=30_000).signal
    np.testing.assert_allclose(signal.train(0), np.sort(samples[0]) / 30_000)


def test_all_that_is_missing_is_asked_for_at_once_and_mends_it(tmp_path: Path, capsys):
    path = tmp_path / "a.npz"
    np.savez(path, responses=trials().astype(float), other=np.zeros((2, 3, 4)), note="x")
    told = run_command(["info", path], capsys)
    assert told.status == 2
    assert "name, axes, values and frame_s must be given, as" in told.err
    for part in (
        "--read name=responses --read axes=trial,neuron,time --read values=counts "
        "--read frame_s=0.02",
        "responses (4, 3, 10)", "other (2, 3, 4)", "note () ",
    ):  # fmt: skip
        assert part in " ".join(told.err.split()), told.err
    words = ["name=responses", "axes=trial,neuron,time", "values=counts", "frame_s=0.02"]
    told = run_command(["info", path, *(part for one in words for part in ("--read", one))], capsys)
    assert told.status == 0, told.err
    assert f"{TRIALS} segments" in " ".join(told.out.split())


def test_axes_that_fit_nothing_are_answered_with_those_that_do(tmp_path: Path):
    np.save(tmp_path / "a.npy", trials())
    with pytest.raises(InputError, match=r"axes must be one of: trial,neuron,time, .*got time,ne"):
        read(tmp_path / "a.npy", axes="time,neuron", frame_s=0.02)
    with pytest.raises(InputError, match=r"axes must be one of: .*got trial,time"):
        read(tmp_path / "a.npy", axes="trial,time", frame_s=0.02)


def test_axes_choose_among_arrays_of_two_and_three(tmp_path: Path):
    path = write_npz(tmp_path / "a.npz")
    signal = read(path, axes="trial,neuron,time", frame_s=0.02, name="responses").signal
    np.testing.assert_array_equal(signal.counts, IN_TIME)
    # one matrix of two axes: as before there were arrays of three
    assert read(path, axes="time,neuron", values="counts", frame_s=1.0).signal.counts.shape == (
        3,
        2,
    )


def test_a_wrong_count_is_named_with_its_place_in_all_axes(tmp_path: Path):
    wrong = trials().astype(np.int16)
    wrong[2, 1, 5] = -3
    np.save(tmp_path / "a.npy", wrong)
    with pytest.raises(InputError, match="got -3 in trial 2, neuron 1, time 5"):
        read(tmp_path / "a.npy", axes="trial,neuron,time", values="counts", frame_s=0.02)


def test_the_real_retina_as_it_is_published(shared_data: Path, tmp_path: Path):
    # trials x neurons x bins
    with np.load(shared_data / "retina" / "salamander.npz") as held:
        states = held["states"] if "states" in held else held["counts"]
        each = len(states) // 297
    cube = states[: 297 * each].reshape(297, each, -1).transpose(0, 2, 1)
    np.save(tmp_path / "retina.npy", cube)
    signal = read(tmp_path / "retina.npy", axes="trial,neuron,time", frame_s=0.02).signal
    np.testing.assert_array_equal(signal.counts, states[: 297 * each])
    assert len(np.unique(signal.segment)) == 297
