"""From recording to binary activity: bins, segments, epochs, counts, memory, refusals."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest

from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations import memory
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.memory import slices
from boltzbrain.preparing.bins.binarize import binarize, plan_bins


def make(signal, epochs=None, regions=None):
    return Recording(
        neuron_table([f"n{k}" for k in range(len(signal))]),
        {"area": Regions.from_labels(regions)} if regions else {},
        signal,
        no_epochs() if epochs is None else epochs,
        Source("test", "file.nwb", ""),
    )


def spikes(*trains, start=0.0, stop=1.0):
    index = np.cumsum([len(train) for train in trains])
    times = np.concatenate([np.asarray(train, dtype=np.float64) for train in trains])
    return SpikeTimes(times, index.astype(np.int64), start, stop)


def binned(counts, segment=None, width=0.01):
    counts = np.asarray(counts, dtype=np.uint8)
    if segment is None:
        segment = np.zeros(len(counts))
    times = np.arange(len(counts)) * width
    return Binned(counts, width, np.asarray(segment, dtype=np.int32), times)


def epochs(*rows):
    return pd.DataFrame(rows, columns=["start_s", "stop_s", "label"])


def options(activity):
    return activity.step("binarize").options


class TestSpikeTimes:
    def test_a_bin_holds_the_spikes_from_its_start_to_just_before_its_end(self):
        signal = spikes([0.0, 0.019999, 0.02], [0.0999999], stop=0.1)
        activity = binarize(make(signal))
        assert activity.bin_width_s == 0.02
        assert activity.states.dtype == np.uint8
        assert activity.states.T.tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 0, 1]]

    @pytest.mark.parametrize("width_ms", [1, 3, 20, 33.3, 100])
    def test_spikes_on_the_edges_of_bins_open_the_next_bin(self, width_ms):
        # k * 0.1 in binary is below 0.3 for k = 3: a plain division would put the spike one early
        edges = np.array([k * width_ms / 1000 for k in range(200)])
        activity = binarize(make(spikes(edges, stop=200 * width_ms / 1000)), bin_ms=width_ms)
        assert activity.n_bins == 200
        assert activity.states.all()
        assert options(activity)["multi_spike_bins"] == 0

    def test_bins_with_several_spikes_are_counted(self):
        signal = spikes([0.001, 0.002, 0.003, 0.05], [0.021, 0.022], [], stop=0.1)
        told = options(binarize(make(signal)))
        assert told["active_bins"] == 3
        assert told["multi_spike_bins"] == 2
        assert told["multi_spike_fraction"] == pytest.approx(2 / 3)
        assert told["spikes_lost"] == 3

    def test_many_spikes_in_pieces_count_as_in_one(self, monkeypatch):
        train = np.sort(np.random.default_rng(0).random(500))
        whole = binarize(make(spikes(train, train[::2])), bin_ms=5)
        for size in (1, 2, 7):
            monkeypatch.setattr("boltzbrain.preparing.bins.binarize._SPIKES", size)
            pieces = binarize(make(spikes(train, train[::2])), bin_ms=5)
            assert (pieces.states == whole.states).all()
            assert options(pieces) == options(whole)

    def test_more_neurons_than_fit_in_a_block(self, monkeypatch):
        rng = np.random.default_rng(1)
        trains = [np.sort(rng.random(20)) for _ in range(10)]
        whole = binarize(make(spikes(*trains)))
        monkeypatch.setattr("boltzbrain.preparing.bins.binarize._NEURONS", 3)
        assert (binarize(make(spikes(*trains))).states == whole.states).all()

    def test_unsorted_spikes_count_the_same(self):
        train = np.array([0.5, 0.1, 0.51, 0.11])
        ascending = binarize(make(spikes(np.sort(train))))
        other = binarize(make(spikes(train)))
        assert (ascending.states == other.states).all()
        assert train.tolist() == [0.5, 0.1, 0.51, 0.11]

    def test_time_left_at_the_end_is_dropped_and_counted(self):
        activity = binarize(make(spikes([0.095], stop=0.11)), bin_ms=20)
        assert activity.n_bins == 5
        assert options(activity)["seconds_left_over"] == pytest.approx(0.01)

    def test_a_recording_may_start_at_any_time(self):
        activity = binarize(make(spikes([100.01, 100.05], start=100.0, stop=100.06)))
        assert activity.states.ravel().tolist() == [1, 0, 1]

    def test_nan_is_refused_and_named(self):
        with pytest.raises(InputError, match=r"file\.nwb: spike_times of neuron 1 must be finite"):
            binarize(make(spikes([0.1], [np.nan])))

    @pytest.mark.parametrize(("start", "stop"), [(0.0, 0.0), (1.0, 0.5), (0.0, np.inf)])
    def test_an_interval_without_length_is_refused(self, start, stop):
        with pytest.raises(InputError, match="the recorded interval must be finite"):
            binarize(make(spikes([], start=start, stop=stop)))

    def test_an_index_that_does_not_fit_is_refused(self):
        with pytest.raises(InputError, match="spike_times_index must ascend"):
            SpikeTimes(np.array([0.1, 0.2]), np.array([3]), 0.0, 1.0)


class TestEpochs:
    table = epochs(
        (0.5, 0.6, "b"),
        (0.0, 0.1, "a"),
        (0.2, 0.3, "a"),
        (0.7, 0.7, "a"),
        (0.8, 0.75, "a"),
        (np.nan, 0.9, "a"),
    )

    def test_every_interval_is_a_segment_in_order_of_time(self):
        signal = spikes([0.01, 0.15, 0.25, 0.55])
        activity = binarize(make(signal, self.table), epochs=["b", "a"], bin_ms=50)
        assert activity.segment.tolist() == [0, 0, 1, 1, 2, 2]
        assert activity.states.ravel().tolist() == [1, 0, 0, 1, 0, 1]
        assert options(activity)["epochs_without_length"] == 3
        assert options(activity)["epochs"] == ["b", "a"]

    def test_a_bin_has_the_epoch_of_its_middle_the_last_to_begin(self):
        table = epochs((0.0, 0.4, "whole"), (0.1, 0.16, "part"), (0.6, np.nan, "never"))
        activity = binarize(make(spikes([0.45, 0.99]), table), bin_ms=50)
        assert activity.epoch_names == ("whole", "part")
        assert activity.epoch[:9].tolist() == [0, 0, 1, 0, 0, 0, 0, 0, -1]
        assert set(activity.epoch[9:].tolist()) == {-1}
        # bins of some epochs only keep theirs
        assert binarize(make(spikes([0.45]), table), epochs="part").epoch.tolist() == [1, 1, 1]

    def test_without_epochs_bins_have_none(self):
        assert binarize(make(spikes([0.45])), bin_ms=50).epoch is None

    def test_one_label_may_be_given_as_text(self):
        assert binarize(make(spikes([0.55]), self.table), epochs="b").n_bins == 5

    def test_nothing_is_recorded_outside_the_recording(self):
        table = epochs((-1.0, 0.1, "a"), (0.9, 2.0, "a"), (3.0, 4.0, "a"))
        activity = binarize(make(spikes([0.05]), table), epochs=["a"], bin_ms=50)
        assert activity.segment.tolist() == [0, 0, 1, 1]
        assert options(activity)["epochs_clipped"] == 2
        assert options(activity)["epochs_without_length"] == 1

    def test_a_segment_shorter_than_a_bin_is_left_out_but_keeps_its_number(self):
        table = epochs((0.0, 0.1, "a"), (0.2, 0.22, "a"), (0.3, 0.4, "a"))
        activity = binarize(make(spikes([0.05]), table), epochs=["a"], bin_ms=50)
        assert activity.segment.tolist() == [0, 0, 2, 2]
        assert options(activity)["segments_dropped"] == [1]

    def test_decimal_times_lose_no_bin(self):
        # 1234.967 - 1234.567 is below 0.4 in binary
        table = epochs((1234.567, 1234.967, "a"))
        signal = spikes([1234.966], stop=2000.0)
        assert binarize(make(signal, table), epochs=["a"], bin_ms=20).n_bins == 20

    def test_overlap_is_refused_but_for_rounding(self):
        touching = epochs((0.0, 0.1000001, "a"), (0.1, 0.2, "b"))
        activity = binarize(make(spikes([0.05]), touching), epochs=["a", "b"])
        assert np.unique(activity.segment).tolist() == [0, 1]
        overlapping = epochs((0.0, 0.5, "a"), (0.1, 0.2, "b"), (0.4, 0.6, "b"))
        with pytest.raises(InputError, match=r"overlap at 0\.1 s"):
            binarize(make(spikes([0.05]), overlapping), epochs=["a", "b"])

    def test_an_unknown_label_names_the_nearest(self):
        table = epochs((0.0, 1.0, "spontaneous"))
        with pytest.raises(InputError, match="did you mean 'spontaneous'"):
            binarize(make(spikes([0.1]), table), epochs=["spontanous"])
        with pytest.raises(InputError, match="be left out: the recording has none"):
            binarize(make(spikes([0.1])), epochs=["spontaneous"])
        with pytest.raises(InputError, match="at least one label"):
            binarize(make(spikes([0.1]), table), epochs=[])

    def test_epochs_of_stored_bins_take_whole_bins_and_never_cross_a_segment(self):
        counts = np.arange(10)[:, None] % 2 == 0
        signal = binned(counts, segment=[0] * 6 + [1] * 4)
        table = epochs((0.015, 0.04, "a"), (0.05, 0.09, "a"))
        activity = binarize(make(signal, table), epochs=["a"])
        # bins 2 and 3; then 5 of segment 0, and 6 to 8 of segment 1
        assert activity.segment.tolist() == [0, 0, 1, 2, 2, 2]
        assert activity.states.ravel().tolist() == [1, 0, 0, 1, 0, 1]

    def test_epochs_need_times_that_ascend_over_all_bins(self):
        signal = Binned(
            np.ones((4, 1), np.uint8),
            0.01,
            np.array([0, 0, 1, 1], np.int32),
            np.array([0.0, 0.01, 0.0, 0.01]),
        )
        with pytest.raises(InputError, match="do not ascend"):
            binarize(make(signal, epochs((0.0, 1.0, "a"))), epochs=["a"])


class TestStoredBins:
    def test_merging_stays_within_segments_and_drops_tails(self):
        counts = [[1], [0], [0], [0], [3], [0], [1], [1], [9]]
        activity = binarize(make(binned(counts, [5] * 5 + [2] * 4)), bin_ms=20)
        assert activity.segment.tolist() == [5, 5, 2, 2]
        assert activity.states.ravel().tolist() == [1, 0, 1, 1]
        told = options(activity)
        assert told["seconds_left_over"] == pytest.approx(0.01)
        # the bin of 3 spikes lies in the tail of segment 5
        assert told["multi_spike_bins"] == 1
        assert told["spikes_lost"] == 9
        assert told["values"] == "counts"
        assert activity.bin_width_s == 0.02

    def test_the_stored_width_is_the_default_and_counts_become_states(self):
        activity = binarize(make(binned([[0, 4], [1, 0]])))
        assert activity.states.tolist() == [[0, 1], [1, 0]]
        assert options(activity)["multi_spike_fraction"] == pytest.approx(0.5)

    def test_states_do_not_tell_how_many_spikes_a_bin_held(self):
        told = options(binarize(make(binned([[0, 1], [1, 1]]))))
        assert told["values"] == "states"
        assert told["multi_spike_fraction"] is None

    def test_sums_do_not_wrap_around(self):
        counts = np.full((600, 1), 255)
        told = options(binarize(make(binned(counts)), bin_ms=6000))
        assert told["spikes_lost"] == 600 * 255 - 1

    def test_pieces_count_as_one(self, monkeypatch):
        counts = np.random.default_rng(0).poisson(0.5, (101, 3))
        whole = binarize(make(binned(counts)), bin_ms=20)
        monkeypatch.setattr("boltzbrain.preparing.bins.binarize.slices", partial(slices, budget=10))
        pieces = binarize(make(binned(counts)), bin_ms=20)
        assert (pieces.states == whole.states).all()
        assert options(pieces) == options(whole)

    @pytest.mark.parametrize("bin_ms", [5, 15, 25.0, 1e-300])
    def test_a_width_that_is_no_multiple_is_refused(self, bin_ms):
        with pytest.raises(InputError, match="whole multiple of the stored bin width, 10 ms"):
            binarize(make(binned([[1], [0], [1], [1]])), bin_ms=bin_ms)

    @pytest.mark.parametrize("bin_ms", [100, 1e300])
    def test_no_whole_bin_left(self, bin_ms):
        with pytest.raises(InputError, match="no longer than the longest segment"):
            binarize(make(binned([[1], [0]])), bin_ms=bin_ms)

    def test_a_segment_in_two_pieces_is_refused(self):
        with pytest.raises(InputError, match="segment must hold every number in one unbroken"):
            binarize(make(binned([[1], [0], [1]], [0, 1, 0])))

    def test_the_callers_counts_stay_his_own(self):
        signal = binned([[0, 4], [1, 0]])
        activity = binarize(make(signal))
        activity.states[:] = 0
        assert signal.counts.tolist() == [[0, 4], [1, 0]]

    def test_an_empty_table_is_refused(self):
        with pytest.raises(InputError, match="at least one bin and one neuron"):
            binarize(make(binned(np.empty((0, 2)))))


class TestTraces:
    def test_continuous_traces_need_a_threshold(self):
        signal = Traces(np.array([[0.0, 0.3]], np.float32), np.array([0.0]), "dff")
        with pytest.raises(InputError, match=r"traces must hold only 0 and 1.*made binary first"):
            binarize(make(signal))
        signal = Traces(np.array([[0.0, np.nan]], np.float32), np.array([0.0]), "dff")
        with pytest.raises(InputError, match="got nan"):
            binarize(make(signal))

    def test_traces_of_0_and_1_are_states_cut_where_frames_are_missing(self):
        frames = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [1, 1]], np.float32)
        times = np.array([0.0, 0.25, 0.5, 2.0, 2.25])
        activity = binarize(make(Traces(frames, times, "unknown")))
        assert activity.states.tolist() == frames.astype(int).tolist()
        assert activity.segment.tolist() == [0, 0, 0, 1, 1]
        assert activity.bin_width_s == 0.25

    def test_times_must_ascend(self):
        signal = Traces(np.ones((3, 1), np.float32), np.array([0.0, 2.0, 1.0]))
        with pytest.raises(InputError, match="times must ascend"):
            binarize(make(signal))


class TestMemory:
    def test_the_plan_says_the_size_without_taking_it(self):
        # a thousand neurons in seconds that are samples: 10**12 bins
        signal = SpikeTimes(np.empty(0), np.zeros(1000, np.int64), 0.0, 2e10)
        plan = plan_bins(make(signal))
        assert plan.bins == 10**12
        assert plan.memory_bytes == 10**12 * 1005

    def test_too_much_for_the_machine(self):
        signal = SpikeTimes(np.empty(0), np.zeros(1000, np.int64), 0.0, 2e10)
        size = r"hold 1,005 TB for 1,000,000,000,000 bins x 1,000 neurons.*bin_ms.*in seconds"
        with pytest.raises(InputError, match=size):
            binarize(make(signal))

    def test_more_bins_than_can_be_counted(self):
        with pytest.raises(InputError, match="bin_ms must be long enough"):
            binarize(make(spikes([0.1])), bin_ms=1e-300)

    def test_the_users_limit(self):
        recording = make(binned(np.zeros((1000, 200))))
        assert binarize(recording, memory_limit_gb=0.001).n_bins == 1000
        with pytest.raises(InputError, match=r"memory_limit_gb must allow 205 kB for 1,000 bins"):
            binarize(recording, memory_limit_gb=0.0002)
        with pytest.raises(InputError, match="memory_limit_gb must be a number"):
            binarize(recording, memory_limit_gb=-1.0)

    def test_what_is_available_is_known_here_and_bounded_by_the_control_group(
        self, tmp_path, monkeypatch
    ):
        assert (memory.available_bytes() or 0) > 10_000_000
        monkeypatch.setattr(memory, "_GROUP_FOLDER", tmp_path)
        (tmp_path / "memory.max").write_text("3000\n")
        (tmp_path / "memory.current").write_text("2500\n")
        (tmp_path / "memory.stat").write_text("anon 2000\ninactive_file 400\n")
        assert memory.available_bytes() == 900
        (tmp_path / "memory.max").write_text("max\n")
        assert (memory.available_bytes() or 0) > 10_000_000


@pytest.mark.parametrize("bin_ms", [0, -1, np.nan, np.inf, "20", True])
def test_an_impossible_bin_width(bin_ms):
    with pytest.raises(InputError, match="bin_ms must be a number"):
        binarize(make(spikes([0.1])), bin_ms=bin_ms)


def test_the_table_regions_and_source_come_along():
    recording = make(spikes([0.1], [0.2]), regions=["CA1", "VISp"])
    activity = recording.binarize(bin_ms=10)
    assert activity.neurons["id"].tolist() == ["n0", "n1"]
    assert activity.regions["area"].labels().tolist() == ["CA1", "VISp"]
    assert activity.source is recording.source
    assert (activity.fold == 0).all()


def test_the_least_number_of_active_bins_is_an_option_of_split():
    recording = make(spikes([0.1], [0.2, 0.21]))
    assert "min_active_bins" not in options(recording.binarize(bin_ms=10))
    # as it was given before 0.2.0, it still holds
    with pytest.warns(DeprecationWarning, match=r"belongs to Activity\.split") as told:
        activity = recording.binarize(bin_ms=10, min_active_bins=2)
    assert told[0].filename == __file__
    assert activity.split(by="none").neurons["id"].tolist() == ["n1"]
    assert activity.split(by="none", min_active_bins=1).n_neurons == 2
    with pytest.raises(InputError, match="min_active_bins must be a whole number, at least 0"):
        recording.binarize(min_active_bins=-1)


def test_a_real_recording(shared_data):
    stored = np.load(shared_data / "steinmetz" / "session10.npz", allow_pickle=False)
    signal = Binned(
        stored["counts"],
        float(stored["bin_width_s"]),
        stored["segment"],
        np.arange(len(stored["counts"])) * 0.01,
    )
    activity = binarize(make(signal, regions=stored["region"].tolist()), bin_ms=20)
    assert activity.states.shape == (8940, 1172)
    pairs = stored["counts"].reshape(447, 20, 2, 1172).sum(axis=2)
    assert (activity.states == (pairs.reshape(8940, 1172) > 0)).all()
    assert options(activity)["multi_spike_bins"] == int((pairs > 1).sum())
    assert len(np.unique(activity.segment)) == 447
