"""Arrays and spike times in memory: taken or refused by what they are, and given back as given."""

from __future__ import annotations

import re

import neo
import numpy as np
import pandas as pd
import pynapple as nap
import pytest
import torch
import xarray as xr
from scipy import sparse
from spikeinterface.core import NumpySorting

import boltzbrain as bb
from boltzbrain.data.signals import Binned, SpikeTimes, Traces

STATES = np.random.default_rng(0).random((30, 4)) < 0.3
TYPES = ["?", *(order + kind for order in "<>" for kind in
                ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"))]  # fmt: skip


def _read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


LAYOUTS = {
    "plain": lambda one: one,
    "fortran": np.asfortranarray,
    "strided": lambda one: np.repeat(np.repeat(one, 2, axis=0), 3, axis=1)[::2, ::3],
    "backwards": lambda one: one[::-1].copy()[::-1],
    "read only": _read_only,
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_states_of_every_type_and_layout_are_read_by_value(layout, dtype):
    given = LAYOUTS[layout](STATES.astype(dtype))
    before = given.copy()
    recording = bb.from_states(given, bin_width_s=0.02)
    np.testing.assert_array_equal(recording.signal.counts, STATES)
    np.testing.assert_array_equal(given, before)
    traces = bb.from_traces(given, frame_s=0.02)
    np.testing.assert_array_equal(traces.signal.frames, STATES)


def _stored(one: np.ndarray) -> xr.DataArray:
    return xr.DataArray(one.T, dims=["neuron", "time"])


HOLDERS = {
    "lists": lambda one: one.astype(int).tolist(),
    "masked": np.ma.masked_array,
    "csr": sparse.csr_array,
    "csc": lambda one: sparse.csc_matrix(one.astype(float)),
    "coo": sparse.coo_array,
    "pandas": pd.DataFrame,
    "pandas of missing": lambda one: pd.DataFrame(one.astype(int)).astype("Int64"),
    "xarray": lambda one: xr.DataArray(one, dims=["time", "neuron"]),
    "xarray turned": _stored,
    "tensor": torch.from_numpy,
    "tensor with gradient": lambda one: torch.from_numpy(one.astype("f4")).requires_grad_(),
    "tensor bfloat16": lambda one: torch.from_numpy(one).to(torch.bfloat16),
    "tensor sparse": lambda one: torch.from_numpy(one.astype("f4")).to_sparse(),
    "pynapple": lambda one: nap.TsdFrame(t=np.arange(30) * 0.02, d=one.astype(float)),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_states_in_any_library_are_read_by_value(holder):
    signal = bb.from_states(HOLDERS[holder](STATES), bin_width_s=0.02).signal
    np.testing.assert_array_equal(signal.counts, STATES)
    assert signal.bin_width_s == 0.02


@pytest.mark.parametrize("width", [0.02, 1 / 30, 0.1, 1 / 3, 0.0333])
def test_a_width_comes_back_as_it_was_given_whatever_the_times_round_to(width):
    assert bb.from_states(STATES, width).binarize().bin_width_s == width
    assert bb.from_states(STATES, width, segment=np.arange(30) // 10).signal.bin_width_s == width
    traces = bb.from_traces(STATES.astype(float), width, segment=np.arange(30) // 10)
    activity = traces.binarize()
    assert activity.bin_width_s == width
    np.testing.assert_array_equal(activity.segment, np.arange(30) // 10)
    read = bb.read(STATES.astype(float), axes="time,neuron", values="dff", frame_s=width)
    assert read.binarize().bin_width_s == width


def test_times_of_an_index_or_a_coordinate_tell_the_width():
    index = pd.timedelta_range(0, periods=30, freq="20ms")
    assert bb.from_states(pd.DataFrame(STATES, index=index)).signal.bin_width_s == 0.02
    clocked = xr.DataArray(
        STATES, dims=["time", "neuron"],
        coords={"time": np.arange(30) * 0.02, "neuron": list("wxyz"),
                "region": ("neuron", list("AABB"))},
    )  # fmt: skip
    recording = bb.from_states(clocked)
    assert recording.signal.bin_width_s == 0.02
    assert recording.neurons["id"].tolist() == list("wxyz")
    assert recording.regions["region"].labels().tolist() == list("AABB")
    with pytest.raises(bb.InputError, match=r"the times must have steps of bin_width_s, 0\.5 s;"):
        bb.from_states(clocked, 0.5)


def test_what_is_told_of_neurons_and_bins_comes_back_as_given():
    xyz = np.where(np.arange(4)[:, None] < 3, np.arange(12.0).reshape(4, 3), np.nan)
    segment = np.repeat([7, -2, 4], 10)
    recording = bb.from_states(
        STATES, 0.02, segment=segment, region={"ccf": ["A", "B", "", "A"]}, xyz_um=xyz,
        neuron_id=[10, 20, 30, 40],
    )  # fmt: skip
    assert recording.neurons["id"].tolist() == ["10", "20", "30", "40"]
    np.testing.assert_array_equal(recording.neurons[["x_um", "y_um", "z_um"]].to_numpy(), xyz)
    assert recording.regions["ccf"].labels().tolist() == ["A", "B", "", "A"]
    np.testing.assert_array_equal(recording.binarize().segment, segment)
    named = bb.from_states(STATES, 0.02, segment=["rest"] * 10 + ["task"] * 20)
    assert named.signal.segment.tolist() == [0] * 10 + [1] * 20


REFUSED = [
    (lambda: bb.from_states(STATES), "bin_width_s must be given: the seconds per bin or frame"),
    (lambda: bb.from_states(STATES * 2, 0.02), "states must be 0 or 1; got 2 in row 0, column 1 "
     "(counts with from_counts"),
    (lambda: bb.from_states(STATES * 0.5, 0.02), "states must be 0 or 1; got 0.5"),
    (lambda: bb.from_states(np.where(STATES, np.nan, 0), 0.02), "states must be 0 or 1; got nan"),
    (lambda: bb.from_states(np.ma.masked_array(STATES, STATES), 0.02),
     "states must be 0 or 1; got nan"),
    (lambda: bb.from_counts(STATES * -1, 0.02), "counts must be whole numbers, at least 0"),
    (lambda: bb.from_states(STATES.astype(complex), 0.02), "states must hold numbers"),
    (lambda: bb.from_states(STATES.astype(str), 0.02), "states must hold numbers"),
    (lambda: bb.from_states(STATES[:, 0], 0.02), "(of one neuron: states[:, None])"),
    (lambda: bb.from_states(STATES.reshape(3, 10, 4), 0.02), "np.repeat(np.arange(trials), bins)"),
    (lambda: bb.from_states(STATES[:0], 0.02), "all above 0; got shape (0, 4)"),
    (lambda: bb.from_states("states.npy", 0.02), "(boltzbrain.read takes files)"),
    (lambda: bb.from_states([[0, 1], [1]], 0.02), "got lists of different lengths"),
    (lambda: bb.from_states(STATES.T, 0.02, region=list("abcd")), "pass array.T"),
    (lambda: bb.from_states(STATES, 0.02, region=list("abc")), "region must have one entry per"),
    (lambda: bb.from_states(STATES, 0.02, xyz_um=np.zeros((4, 2))), "xyz_um must have shape"),
    (lambda: bb.from_states(STATES, 0.02, xyz_um=np.full((4, 3), np.inf)), "xyz_um must be finite"),
    (lambda: bb.from_states(STATES, 0.02, neuron_id=list("aabb")), "neuron_id must be different"),
    (lambda: bb.from_states(STATES, 0.02, segment=[1, 2] * 15), "one unbroken stretch of bins"),
    (lambda: bb.from_states(STATES, 0.02, segment=np.arange(29)), "one entry per bin (30)"),
    (lambda: bb.from_states(STATES, 0.02, segment=np.full(30, 0.5)), "segment must hold whole"),
    (lambda: bb.from_states(STATES, 0.02, segment=np.full(30, np.nan)), "segment must hold whole"),
    (lambda: bb.from_states(STATES, -1.0), "bin_width_s must be a number in (0, 86400]"),
    (lambda: bb.from_traces(STATES, 0.1, kind="df"), "did you mean 'dff'?"),
    (
        lambda: bb.from_traces(
            pd.DataFrame(STATES, index=pd.to_timedelta(np.arange(30) * 0.1, unit="s")),
            segment=[0] * 15 + [1] * 15,
        ),
        "segment must be left out where the traces tell their times",
    ),
    (lambda: bb.from_traces(STATES, time_s=np.zeros(30)), "the times must be finite and ascend"),
    (lambda: bb.read(STATES), "or call boltzbrain.from_states"),
    (lambda: bb.read(STATES, axes="time,neuron"), "frame_s must be given"),
    (lambda: bb.from_spike_times([[0.1]]), "stop_s must be given"),
    (lambda: bb.from_spike_times([0.1, 0.2], stop_s=1), "(of one neuron: [times])"),
    (lambda: bb.from_spike_times(STATES, stop_s=1), "from_states and from_counts take bins"),
    (lambda: bb.from_spike_times({"a": ["x"]}, stop_s=1), "spike train a must be a list of"),
    (lambda: bb.from_spike_times(([0.1], [1, 2]), stop_s=1), "the ids must be one per spike time"),
    (lambda: bb.from_spike_times(5, stop_s=1), "times must be a list, a dictionary"),
    (lambda: bb.from_spike_times([[0.5]], stop_s=0.3), "hold all spikes"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_what_does_not_fit_is_refused_in_the_words_of_python(case):
    make, told = REFUSED[case]
    with pytest.raises(bb.InputError, match=re.escape(told)) as caught:
        make()
    assert "--" not in str(caught.value)


def test_a_width_that_looks_like_milliseconds_is_asked_about_and_taken():
    with pytest.warns(UserWarning, match="bin_width_s is 20 s: are these milliseconds"):
        assert bb.from_states(STATES, 20).signal.bin_width_s == 20.0


TRAINS = {"a": [0.1, 0.5], "b": [0.3], "c": []}
SPIKES = {
    "dictionary": lambda: bb.from_spike_times(TRAINS, stop_s=1.0),
    "series": lambda: bb.from_spike_times(pd.Series(TRAINS), stop_s=1.0),
    "list": lambda: bb.from_spike_times(list(TRAINS.values()), stop_s=1.0, neuron_id=list("abc")),
    "columns": lambda: bb.from_spike_times(
        [np.array(one).reshape(-1, 1) for one in TRAINS.values()], stop_s=1.0, neuron_id=list("abc")
    ),
    "tensors": lambda: bb.from_spike_times(
        {name: torch.tensor(one, dtype=torch.float64) for name, one in TRAINS.items()}, stop_s=1.0
    ),
}


@pytest.mark.parametrize("way", SPIKES)
def test_spike_trains_of_any_container_are_read_by_value(way):
    recording = SPIKES[way]()
    assert recording.neurons["id"].tolist() == ["a", "b", "c"]
    assert [recording.signal.train(n).tolist() for n in range(3)] == list(TRAINS.values())
    assert (recording.signal.start_s, recording.signal.stop_s) == (0.0, 1.0)


def test_a_pair_of_times_and_ids_is_sorted_by_id_and_two_trains_are_a_list():
    pair = bb.from_spike_times(([0.5, 0.2, 0.1], np.array([7, 3, 7])), stop_s=1.0)
    assert pair.neurons["id"].tolist() == ["3", "7"]
    assert pair.signal.times.tolist() == [0.2, 0.1, 0.5]
    text = bb.from_spike_times((np.array([0.5, 0.2]), ["u", "a"]), stop_s=1.0)
    assert text.neurons["id"].tolist() == ["a", "u"]
    two = bb.from_spike_times([[0.1, 0.2], [0.3, 0.4]], stop_s=1.0)
    assert two.signal.index.tolist() == [2, 4]


def test_objects_of_libraries_keep_their_interval_and_take_what_is_told_beside():
    group = nap.TsGroup({4: nap.Ts([0.1, 0.5]), 9: nap.Ts([0.3, 0.4])},
                        time_support=nap.IntervalSet(0.0, 2.0))  # fmt: skip
    told = bb.from_spike_times(group, region=["A", "B"])
    assert told.signal.stop_s == 2.0
    assert told.regions["region"].labels().tolist() == ["A", "B"]
    train = neo.SpikeTrain([0.1, 0.5], units="s", t_stop=2.0)
    assert bb.from_spike_times([train]).signal.stop_s == 2.0
    sorting = NumpySorting.from_unit_dict({"u": np.array([10, 50])}, sampling_frequency=100.0)
    assert bb.from_spike_times(sorting).signal.times.tolist() == [0.1, 0.5]
    with pytest.raises(bb.InputError, match="stop_s must be left out"):
        bb.from_spike_times(group, stop_s=3.0)


def test_each_door_gives_the_signal_that_it_names():
    counts = bb.from_counts(STATES * 300, 0.02).signal
    assert isinstance(counts, Binned)
    assert counts.saturated == STATES.sum()
    assert isinstance(bb.from_traces(STATES, 0.02).signal, Traces)
    assert isinstance(bb.from_spike_times([[0.1]], stop_s=1).signal, SpikeTimes)
    stretches = bb.from_spike_times([[0.1]], stop_s=1, recorded=[[0, 0.4], [0.6, 1]]).signal
    assert stretches.stretches().tolist() == [[0, 0.4], [0.6, 1]]


@pytest.mark.parametrize("make", [bb.from_states, bb.from_counts, bb.from_traces])
def test_more_columns_than_rows_are_asked_about_unless_something_confirms_them(make):
    turned = STATES.T.astype(int)
    with pytest.warns(
        UserWarning, match=r"30 neurons at 4 times: rows are times.*Pass \w+\.T"
    ) as one:
        assert len(make(turned, 0.02).signal) == 30
    assert one[0].filename == __file__
    make(turned, 0.02, neuron_id=np.arange(30))
    make(turned, 0.02, segment=[0, 0, 1, 1])
    make(pd.DataFrame(turned, columns=[f"n{one}" for one in range(30)]), 0.02)
    make(xr.DataArray(turned, dims=["time", "neuron"]), 0.02)
    with pytest.warns(UserWarning, match="Turned round"):
        make(pd.DataFrame(STATES.astype(int)).T.reset_index(drop=True), 0.02)


@pytest.mark.parametrize(
    ("column", "values", "hint"),
    [
        ("time", 0.02 * np.arange(30), "set_index('time')"),
        ("frame", np.arange(30), "set_index('frame')"),
        ("Unnamed: 0", np.arange(30), "set_index('Unnamed: 0')"),
        ("region", ["CA1"] * 30, "drop(columns='region')"),
    ],
)
def test_a_column_of_a_frame_that_is_no_neuron_is_named(column, values, hint):
    frame = pd.DataFrame(STATES.astype(int))
    frame.insert(2, column, values)
    with pytest.raises(bb.InputError, match=f"column '{column}'.*{re.escape(hint)}"):
        bb.from_counts(frame, 0.02)


def test_spike_times_among_counts_are_sent_to_their_door():
    with pytest.raises(bb.InputError, match="from_spike_times"):
        bb.from_counts([np.array([0.1, 0.2]), np.array([0.3])], 0.02)
