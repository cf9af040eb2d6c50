"""What holds for every recording: spikes are neither lost nor invented, folds never touch."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from boltzbrain.data.activity import Activity, stretches
from boltzbrain.data.activity_file import read_activity, write_activity
from boltzbrain.data.atlas import merge_regions
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError
from boltzbrain.preparing.bins.binarize import binarize


def make(signal):
    return Recording(
        neuron_table([str(k) for k in range(len(signal))]),
        {},
        signal,
        no_epochs(),
        Source("test", "file", ""),
    )


trains = st.lists(st.lists(st.integers(0, 29_999), max_size=40).map(sorted), min_size=1, max_size=4)


@given(trains, st.integers(1, 400), st.integers(0, 10**6))
def test_states_are_those_of_a_histogram_in_samples(samples, bin_ms, start_ms):
    # times are samples at 30 kHz over one second; whole samples make the histogram exact
    width = 30 * bin_ms
    bins = 30_000 // width
    start = start_ms / 1000
    times = [np.array([(30 * start_ms + sample) / 30_000 for sample in train]) for train in samples]
    signal = SpikeTimes(
        np.concatenate(times), np.cumsum([len(train) for train in samples]), start, start + 1.0
    )
    activity = binarize(make(signal), bin_ms=bin_ms)
    assert activity.n_bins == bins
    counts = np.zeros((bins, len(samples)), dtype=int)
    edges = start + np.arange(bins + 1) * bin_ms / 1000
    for neuron, train in enumerate(times):
        for time in train:
            place = int(np.searchsorted(edges, time, side="right")) - 1
            if place < bins:
                counts[place, neuron] += 1
    assert (activity.states == (counts > 0)).all()
    told = activity.steps[0].options
    assert told["active_bins"] == (counts > 0).sum()
    assert told["multi_spike_bins"] == (counts > 1).sum()
    assert told["spikes_lost"] == counts.sum() - (counts > 0).sum()


@given(
    npst.arrays(
        np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=st.integers(0, 3)
    ),
    st.integers(1, 5),
    st.integers(1, 9),
)
def test_merged_bins_are_those_of_each_segment_alone(counts, merged, length):
    segment = (np.arange(len(counts)) // length).astype(np.int32)
    times = np.arange(len(counts)) * 0.01
    assume(min(length, len(counts)) >= merged)
    whole = binarize(make(Binned(counts, 0.01, segment, times)), bin_ms=10 * merged)
    expected = []
    for number in np.unique(segment):
        mine = counts[segment == number]
        bins = len(mine) // merged
        sums = mine[: bins * merged].reshape(bins, merged, counts.shape[1]).sum(axis=1, dtype=int)
        expected.append(sums > 0)
        assert (whole.segment == number).sum() == bins
    assert (whole.states == np.concatenate(expected)).all()


activities = st.builds(
    lambda lengths, seed: Activity(
        states=(np.random.default_rng(seed).random((sum(lengths), 3)) < 0.5).astype(np.uint8),
        bin_width_s=0.05,
        segment=np.repeat(np.arange(len(lengths)) * 3, lengths).astype(np.int32),
        fold=np.zeros(sum(lengths), dtype=np.int8),
        neurons=neuron_table(["a", "b", "c"]),
        regions={},
        steps=(),
        source=Source("test", "file", ""),
    ),
    st.lists(st.integers(1, 80), min_size=1, max_size=40),
    st.integers(0, 100),
)


@settings(max_examples=150)
@given(
    activities,
    st.sampled_from(["segments", "blocks", "auto"]),
    st.floats(0.02, 0.45),
    st.floats(0.02, 0.45),
    st.integers(0, 2**63 - 1),
)
def test_every_split_has_three_folds_or_says_why_not(activity, by, validation, test, seed):
    try:
        result = activity.split(
            by=by, validation=validation, test=test, seed=seed, min_active_bins=0
        )
    except InputError:
        # only what is too short to be split may be refused
        segments = len(stretches(activity.segment)[0])
        assert activity.n_bins * min(validation, test) < 1 or segments < 3 or by != "segments"
        return
    assert set(result.fold.tolist()) >= {0, 1, 2}
    assert (result.states == activity.states).all()
    # no segment of the result lies in two folds, or in two segments of the recording
    for first, length in zip(*stretches(result.segment), strict=True):
        assert len(set(result.fold[first : first + length].tolist())) == 1
        assert len(set(activity.segment[first : first + length].tolist())) == 1


@settings(max_examples=20)
@given(activities)
def test_a_stored_activity_is_the_same_activity(tmp_path_factory, activity):
    path = tmp_path_factory.mktemp("store") / "activity.h5"
    write_activity(path, activity)
    back = read_activity(path)
    assert (back.states == activity.states).all()
    assert (back.segment == activity.segment).all()
    assert (back.fold == activity.fold).all()


names = st.lists(
    st.sampled_from(["VISp", "VISp5", "VISl2/3", "CA1", "DG-mo", "MOs", ""]), min_size=1, max_size=9
)


@given(names)
def test_merged_regions_keep_their_neurons(labels):
    regions = Regions.from_labels(labels)
    merged = merge_regions(regions, lambda name: name[:2])
    assert merged.labels().tolist() == [label[:2] for label in labels]
