"""Folds by segments, blocks, table, shuffled bins or none; and the neurons that are dropped."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from boltzbrain.cli.summaries.results import activity_line
from boltzbrain.data.activity import GAP, TEST, TRAIN, VALIDATION, Activity, stretches
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Binned
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.preparing.card.card import data_card
from boltzbrain.preparing.folds.like_statistics import dissimilarities
from boltzbrain.preparing.folds.split import LeakageWarning, _drop_rare, split


def make(segment, neurons=3, rate=0.5, width=0.02, steps=()):
    segment = np.asarray(segment, dtype=np.int32)
    rng = np.random.default_rng(len(segment))
    return Activity(
        states=(rng.random((len(segment), neurons)) < rate).astype(np.uint8),
        bin_width_s=width,
        segment=segment,
        fold=np.zeros(len(segment), dtype=np.int8),
        neurons=neuron_table([f"n{k}" for k in range(neurons)]),
        regions={},
        steps=tuple(steps),
        source=Source("test", "file.npz", ""),
    )


def trials(count, bins=20):
    return make(np.repeat(np.arange(count), bins))


def share(activity, code):
    return float((activity.fold == code).mean())


def told(activity):
    return activity.step("split").options


class TestAuto:
    def test_twenty_segments_are_enough(self):
        assert told(split(trials(20)))["by"] == "segments"
        assert told(split(trials(19)))["by"] == "blocks"


class TestSegments:
    def test_whole_segments_in_their_shares(self):
        activity = split(trials(100))
        assert share(activity, TEST) == 0.15
        assert share(activity, VALIDATION) == 0.15
        for number in range(100):
            assert len(set(activity.fold[activity.segment == number].tolist())) == 1
        assert told(activity)["bins"] == {"train": 1400, "validation": 300, "test": 300, "gap": 0}

    def test_the_seed_draws_them(self):
        first, again, other = (split(trials(100), seed=seed).fold for seed in (0, 0, 1))
        assert (first == again).all()
        assert (first != other).any()

    def test_every_segment_is_tested_as_often(self):
        # 200 seeds; the count of each of 40 segments in the test fold is binomial(200, 0.15), and a
        # segment beyond 5.5 standard deviations happens once in 600,000 runs of this test
        counts = np.zeros(40)
        for seed in range(200):
            counts += split(trials(40, 1), seed=seed, min_active_bins=0).fold == TEST
        assert np.abs(counts - 30).max() < 5.5 * np.sqrt(200 * 0.15 * 0.85)
        # the control: the same segments every time
        assert np.abs(200 * (split(trials(40, 1), min_active_bins=0).fold == TEST) - 30).max() > 28

    def test_a_segment_too_long_for_a_fold_trains(self):
        activity = make(np.repeat(np.arange(25), [500] + [10] * 24))
        for seed in range(10):
            result = split(activity, seed=seed)
            assert (result.fold[:500] == TRAIN).all()
            assert (result.fold == TEST).sum() in (100, 110, 120)

    def test_three_long_segments_make_three_folds(self):
        activity = split(trials(3), by="segments", min_active_bins=1)
        assert sorted(activity.fold[::20].tolist()) == [TRAIN, VALIDATION, TEST]

    def test_two_do_not(self):
        with pytest.raises(InputError, match="by must be 'blocks' where there are fewer than 3"):
            split(trials(2), by="segments", min_active_bins=1)


class TestBlocks:
    def test_shares_gaps_and_turns(self):
        activity = split(make(np.zeros(60_000)))  # 20 minutes
        options = told(activity)
        assert options["rounds"] == 10
        assert options["gap_s"] == 2.0
        assert share(activity, TEST) == pytest.approx(0.15, abs=0.001)
        assert share(activity, VALIDATION) == pytest.approx(0.15, abs=0.001)
        assert share(activity, GAP) == pytest.approx(40 * 100 / 60_000, abs=0.002)
        first, _ = stretches(activity.segment)
        assert (activity.fold[first] == TEST).sum() == 10
        assert (activity.fold[first] == VALIDATION).sum() == 10

    @pytest.mark.parametrize("seed", range(20))
    @pytest.mark.parametrize("bins", [100, 3_001, 60_000])
    def test_a_gap_lies_wherever_the_fold_changes(self, seed, bins):
        whole = make(np.zeros(bins), neurons=1)
        activity = split(whole, seed=seed, min_active_bins=0)
        gap = told(activity)["gap_bins"]
        assert gap >= 1
        assert not self.mixed_within(activity.fold, gap)
        # the control: the check finds folds that touch
        assert self.mixed_within(split(whole, seed=seed, gap_s=0, min_active_bins=0).fold, 1)

    def mixed_within(self, fold, gap):
        pairs = ((fold[:-shift], fold[shift:]) for shift in range(1, gap + 1))
        return any(((a != b) & (a != GAP) & (b != GAP)).any() for a, b in pairs)

    def test_a_drift_falls_on_every_fold(self):
        # a population whose rate grows over the recording: the folds' mean times agree
        for seed in range(10):
            activity = split(make(np.zeros(60_000)), seed=seed)
            times = [np.flatnonzero(activity.fold == code).mean() for code in (0, 1, 2)]
            assert np.ptp(times) < 0.08 * 60_000

    def test_segments_are_cut_where_the_fold_changes(self):
        activity = split(make(np.repeat([4, 9], [3000, 5000])))
        first, length = stretches(activity.segment)
        for start, size in zip(first, length, strict=True):
            assert len(set(activity.fold[start : start + size].tolist())) == 1
            assert not start < 3000 < start + size

    def test_no_gap_and_a_gap_too_long(self):
        activity = split(make(np.zeros(1000)), gap_s=0)
        assert (activity.fold != GAP).all()
        assert told(activity)["rounds"] == 10
        with pytest.raises(InputError, match=r"gap_s must fit into 1000 bins.*at most 3\.48 s"):
            split(make(np.zeros(1000)), gap_s=4)
        assert told(split(make(np.zeros(1000)), gap_s=3.48))["rounds"] == 1
        with pytest.raises(InputError, match="gap_s must be a number"):
            split(make(np.zeros(1000)), gap_s=-1)

    @pytest.mark.parametrize("bins", [1, 2, 3, 5])
    def test_too_short(self, bins):
        with pytest.raises(InputError, match="must"):
            split(make(np.zeros(bins)), min_active_bins=0)

    def test_a_gap_where_there_are_segments_is_refused(self):
        with pytest.raises(InputError, match="gap_s must be left out: folds by segments"):
            split(trials(30), gap_s=1.0)


class TestOtherWays:
    def test_shuffled_bins_leak_and_say_so(self):
        with pytest.warns(LeakageWarning, match="neighbouring bins"):
            activity = split(trials(50), by="shuffled")
        assert share(activity, TEST) == 0.15
        assert share(activity, VALIDATION) == 0.15
        assert "too good" in told(activity)["warning"]
        assert len(stretches(activity.segment)[0]) == 50

    def test_none_trains_on_everything(self):
        activity = split(trials(5), by="none")
        assert (activity.fold == TRAIN).all()
        assert "no held-out score" in told(activity)["warning"]

    def test_an_unknown_way(self):
        with pytest.raises(InputError, match=r"by must be one of.*did you mean 'blocks'"):
            split(trials(5), by="block")

    @pytest.mark.parametrize(
        "options",
        [
            {"validation": 0.0},
            {"test": 1.0},
            {"test": -0.1},
            {"test": np.nan},
            {"test": "0.1"},
            {"validation": 0.5, "test": 0.5},
        ],
    )
    def test_impossible_shares(self, options):
        with pytest.raises(InputError, match=r"validation|test"):
            split(trials(30), **options)

    @pytest.mark.parametrize("options", [{"seed": -1}, {"seed": 0.5}, {"min_active_bins": -1}])
    def test_impossible_numbers(self, options):
        with pytest.raises(InputError, match="must be a whole number"):
            split(trials(30), **options)

    def test_once_only(self):
        with pytest.raises(InputError, match="without folds"):
            trials(30).split().split()

    def test_the_given_activity_is_untouched(self):
        activity = make(np.zeros(1000))
        before = activity.states.copy()
        split(activity)
        assert (activity.fold == 0).all()
        assert (activity.segment == 0).all()
        assert (activity.states == before).all()


class TestTable:
    def write(self, folder, text):
        path = folder / "folds.csv"
        path.write_text(text, encoding="utf-8")
        return f"{path}:split0"

    def test_folds_come_from_the_column(self, tmp_path):
        where = self.write(
            tmp_path, "segment,other,split0\n2,test,train\n0,train,test\n7,train, validation \n\n"
        )
        activity = make([2] * 30 + [7] * 20 + [0] * 10)
        result = split(activity, folds=where, min_active_bins=0)
        assert result.fold.tolist() == [TRAIN] * 30 + [VALIDATION] * 20 + [TEST] * 10
        assert told(result)["folds"] == where
        assert told(result)["by"] == "csv"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("segment,split1\n0,train\n", "column split0 must be one of.*did you mean 'split1'"),
            ("segments,split0\n0,train\n", "column segment must .*did you mean 'segments'"),
            (
                "segment,split0\n0,train\n1,tset\n2,test\n",
                "split0 of segment 1 must be one of: train, validation, test; got tset .*'test'",
            ),
            (
                "segment,split0\n0,train\n1,test\n2,\n",
                "split0 of segment 2 must be .*; got nothing",
            ),
            ("segment,split0\n0,train\n1,test\n", "list every segment .*; got no row for 2"),
            (
                "segment,split0\n0,train\n1,test\n2,validation\n3,test\n",
                r"only segments of the recording \(0 to 2\); got 3",
            ),
            ("segment,split0\n0,train\n1,test\n1,test\n", "listed once; got 1 twice"),
            (
                "segment,split0\n0,train\none,test\n",
                "segment in row 3 must be a whole number; got one",
            ),
            ("segment,split0\n0,train\n1\n", "row 3 must have 2 cells; got 1"),
            (
                "segment,split0\n0,train\n1,train\n2,test\n",
                "validation fold must have at least one",
            ),
            ("segment,split0\n", "a header and a row per segment"),
            ("", "a header and a row per segment"),
            ("segment,split0,split0\n0,test,test\n", "several of this name"),
        ],
    )
    def test_a_table_that_does_not_fit(self, tmp_path, text, message):
        with pytest.raises(InputError, match=message) as raised:
            split(trials(3), folds=self.write(tmp_path, text))
        if "fold must" not in message:
            assert "folds.csv" in str(raised.value)

    def test_a_file_that_is_no_table(self, tmp_path):
        (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x81")
        with pytest.raises(InputError, match="must be a csv in UTF-8"):
            split(trials(3), folds=f"{tmp_path}/x.csv:split0")
        with pytest.raises(InputError, match="no such file"):
            split(trials(3), folds=f"{tmp_path}/y.csv:split0")
        with pytest.raises(InputError, match=re.escape("be FILE.csv:COLUMN")):
            split(trials(3), folds=tmp_path / "x.csv")

    def test_a_bom_is_no_part_of_the_header(self, tmp_path):
        text = "\ufeffsegment,split0\r\n0,train\r\n1,test\r\n2,validation\r\n"
        where = self.write(tmp_path, text)
        assert share(split(trials(3), folds=where, min_active_bins=1), TEST) == pytest.approx(1 / 3)

    def test_segments_that_binning_left_out_may_be_listed(self, tmp_path):
        where = self.write(tmp_path, "segment,split0\n0,train\n1,test\n2,validation\n3,test\n")
        step = Step("binarize", {"segments_dropped": [3]})
        activity = make(np.repeat([0, 1, 2], 5), steps=[step])
        assert told(split(activity, folds=where, min_active_bins=0))["bins"]["test"] == 5

    def test_both_ways_at_once_are_refused(self, tmp_path):
        where = self.write(tmp_path, "segment,split0\n0,train\n")
        with pytest.raises(InputError, match="by must be left out"):
            split(trials(1), by="segments", folds=where)
        with pytest.raises(InputError, match="gap_s must be left out: folds by csv"):
            split(
                trials(3),
                gap_s=1,
                folds=self.write(tmp_path, "segment,split0\n0,train\n1,test\n2,validation\n"),
            )


class TestRareNeurons:
    def activity(self):
        states = np.zeros((400, 4), dtype=np.uint8)
        states[:30, 0] = 1
        states[:19, 1] = 1
        states[:, 3] = 1
        signal = Binned(states, 0.01, np.arange(400, dtype=np.int32), np.arange(400) * 0.01)
        recording = Recording(
            neuron_table(["often", "rare", "never", "always"]),
            {},
            signal,
            no_epochs(),
            Source("test", "file.npz", ""),
        )
        return recording.binarize()

    def test_they_are_counted_in_training_bins_and_listed(self):
        activity = self.activity()
        result = activity.split(by="none")
        assert result.neurons["id"].tolist() == ["often"]
        step = result.step("drop_rare_neurons").options
        assert step["dropped"] == ["rare", "never", "always"]
        assert step["never_active"] == ["never"]
        assert step["always_active"] == ["always"]
        # "often" is active in 30 bins, most of them held out here
        fold = np.zeros(400, dtype=np.int8)
        fold[:15], fold[-15:] = TEST, VALIDATION
        with pytest.raises(
            InputError, match=r"1 are active in every training bin .*; the most .* 15 "
        ):
            _drop_rare(activity.with_fold(fold, Step("split")), 20)

    @pytest.mark.parametrize("code", [TRAIN, VALIDATION, TEST])
    def test_only_the_training_bins_say_who_is_always_active(self, code):
        activity = self.activity()
        fold = np.full(400, TRAIN, dtype=np.int8)
        fold[300:] = VALIDATION
        fold[350:] = TEST
        activity.states[np.flatnonzero(fold == code)[-1], 3] = 0
        result = _drop_rare(activity.with_fold(fold, Step("split")), 20)
        # one silent bin in training is enough to stay, one elsewhere is not
        assert ("always" in result.neurons["id"].tolist()) == (code == TRAIN)
        assert result.step("drop_rare_neurons").options["always_active"] == (
            [] if code == TRAIN else ["always"]
        )

    def test_the_card_and_the_line_before_training_tell_them_apart(self):
        result = self.activity().split(by="none")
        assert data_card(None, result).dropped == {
            "active in fewer than 20 training bins": 2, "active in every training bin": 1,
        }  # fmt: skip
        line = activity_line(result)
        assert (
            "1 neurons (2 more are too rarely active, 1 more are active in every training bin)"
            in line
        )

    def test_zero_keeps_all(self):
        result = self.activity().split(by="none", min_active_bins=0)
        assert result.n_neurons == 4
        assert result.step("drop_rare_neurons").options["never_active"] == ["never"]

    def test_the_number_noted_at_binning_holds(self):
        recording = self.activity()
        noted = Step("binarize", {**recording.steps[0].options, "min_active_bins": 19})
        activity = make(np.zeros(400), steps=[noted])
        assert split(activity, by="none").step("drop_rare_neurons").options["min_active_bins"] == 19

    def test_no_neuron_left(self):
        with pytest.raises(
            InputError,
            match=r"min_active_bins must leave at least one neuron; 1 are active in every training "
            r"bin \(shorter bins\?\); the most active of the others is active in 30 of 400",
        ):
            self.activity().split(by="none", min_active_bins=401)


def test_the_real_recording_keeps_the_neurons_of_its_readme(shared_data):
    folder = shared_data / "steinmetz"
    stored = np.load(folder / "session10.npz", allow_pickle=False)
    counts = stored["counts"]
    signal = Binned(
        counts, float(stored["bin_width_s"]), stored["segment"], np.arange(len(counts)) * 0.01
    )
    recording = Recording(
        neuron_table([str(k) for k in range(counts.shape[1])]),
        {},
        signal,
        no_epochs(),
        Source("npz", "session10.npz", ""),
    )
    whole = recording.binarize(bin_ms=20)
    kept = []
    for column in range(5):
        activity = whole.split(folds=f"{folder}/session10_folds.csv:split{column}")
        assert told(activity)["bins"] == {"train": 6260, "validation": 1340, "test": 1340, "gap": 0}
        kept.append(activity.n_neurons)
    assert kept == [921, 920, 915, 916, 926]
    # the README's figure, 918, is of another draw of 70 % of the trials
    assert abs(np.mean(kept) - 918) < 5


class TestStatistics:
    def drifting(self, segments=1):
        """Return 1000 bins whose rates jump in the last two tenths."""
        segment = np.repeat(np.arange(segments), 1000 // segments)
        activity = make(segment, neurons=6, rate=0.2)
        rng = np.random.default_rng(3)
        activity.states[800:] = rng.random((200, 6)) < 0.7
        return activity

    def test_the_dissimilarity_is_that_of_slow_loops(self):
        activity = self.drifting()
        part = np.repeat(np.arange(10), 100)
        ways = list(itertools.combinations(range(10), 3))
        found = dissimilarities(activity.states, part, ways, Generator.from_seed(0))
        figures = []
        for way in ways:
            out = np.isin(part, way)
            two = [activity.states[chosen].astype(float) for chosen in (~out, out)]
            rates = [one.mean(axis=0) for one in two]
            upper = np.triu_indices(6, 1)
            covariances = [np.cov(one.T, bias=True)[upper] for one in two]
            figures.append([np.sqrt(np.mean((a - b) ** 2)) for a, b in (rates, covariances)])
        figures = np.array(figures)
        np.testing.assert_allclose(found, (figures / figures.mean(axis=0)).mean(axis=1))

    def test_the_tenth_percentile_of_120_ways_is_taken(self):
        activity = self.drifting()
        chosen = told(split(activity, by="statistics", min_active_bins=0))
        part = np.repeat(np.arange(10), 100)
        ways = list(itertools.combinations(range(10), 3))
        assert chosen["ways"] == len(ways) == 120
        differ = np.sort(dissimilarities(activity.states, part, ways, Generator.from_seed(0)))
        assert chosen["dissimilarity"] == pytest.approx(differ[12])
        # one of the two tenths in which the rates are others is held out, and one trains
        assert len({8, 9} & set(chosen["parts_held_out"])) == 1

    def test_shares_gaps_and_segments(self):
        activity = split(self.drifting(), by="statistics", gap_s=0.1, min_active_bins=0)
        assert share(activity, TEST) == pytest.approx(0.15, abs=0.02)
        assert share(activity, VALIDATION) == pytest.approx(0.15, abs=0.02)
        assert told(activity)["gap_bins"] == 5
        fold = activity.fold
        for before, after in itertools.pairwise(fold.tolist()):
            assert before == after or GAP in (before, after), "folds must not touch"
        for number in np.unique(activity.segment):
            assert len(set(fold[activity.segment == number].tolist())) == 1

    def test_trials_stay_whole_and_have_no_gap(self):
        activity = self.drifting(segments=50)
        made = split(activity, by="statistics", min_active_bins=0)
        assert share(made, GAP) == 0
        for number in range(50):
            assert len(set(made.fold[activity.segment == number].tolist())) == 1

    def test_a_recording_too_short_is_refused(self):
        with pytest.raises(InputError, match="long enough for 10 parts"):
            split(make(np.zeros(15)), by="statistics")
