"""Probes side by side, sessions one after another, animals in a study."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording
from boltzbrain.data.regions import Regions
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.foundations.checks import InputError
from helpers.checking import check_recording
from helpers.spike_trains import LENGTH_S, NEURONS, make, poisson


def with_regions(recording: Recording, names: list[str]) -> Recording:
    return replace(recording, regions={"ccf": Regions.from_labels(names)})


def test_probes_are_laid_side_by_side():
    first = with_regions(make(poisson(0)), ["CA1"] * NEURONS)
    late = make(poisson(1))
    late = replace(late, signal=replace(late.signal, start_s=0.0, stop_s=LENGTH_S + 50))
    late = with_regions(late, ["VISp", "CA1"] * (NEURONS // 2))
    joined = bb.join_probes([first, late], ["A", "B"])
    check_recording(joined)
    assert isinstance(joined.signal, SpikeTimes)
    assert len(joined) == 2 * NEURONS
    assert joined.neurons["id"].tolist()[::NEURONS] == ["A_0", "B_0"]
    assert joined.neurons["probe"].tolist() == ["A"] * NEURONS + ["B"] * NEURONS
    assert joined.signal.stop_s == LENGTH_S
    np.testing.assert_array_equal(joined.signal.train(3), first.signal.train(3))
    np.testing.assert_array_equal(joined.signal.train(NEURONS + 2), late.signal.train(2))
    assert joined.regions["ccf"].counts().tolist() == [NEURONS + NEURONS // 2, NEURONS // 2]
    np.testing.assert_array_equal(joined.binarize().states[:, :NEURONS], first.binarize().states)


def test_what_was_dropped_of_each_part_is_told_of_the_whole():
    first, second = make(poisson(0)), make(poisson(1))
    told = [{"dropped": {"noise": 2}}, {"dropped": {"noise": 3, "spike times below 0": 1}}]
    parts = [
        replace(one, source=replace(one.source, sha256=f"{n}", options=told[n]))
        for n, one in enumerate((first, second))
    ]
    joined = bb.join_probes(parts).source
    assert joined.options["dropped"] == {"noise": 5, "spike times below 0": 1}
    assert [one["options"] for one in joined.options["parts"]] == told
    # one hash for the parts in their order, none where one has none
    assert joined.sha256 == bb.join_sessions(parts).source.sha256
    assert joined.sha256 != bb.join_probes(parts[::-1]).source.sha256
    assert bb.join_probes([first, second]).source.sha256 == ""


def test_probes_keep_the_time_that_all_recorded():
    first, second = make(poisson(0)), make(poisson(1))
    short = replace(second.signal, recorded=np.array([[10.0, 60.0], [80.0, 150.0]]))
    joined = bb.join_probes([first, replace(second, signal=short)])
    assert joined.signal.stretches().tolist() == [[10.0, 60.0], [80.0, 150.0]]
    apart = replace(second.signal, times=second.signal.times + 500, start_s=500.0, stop_s=800.0)
    with pytest.raises(InputError, match="recorded at the same time"):
        bb.join_probes([first, replace(second, signal=apart)])


def test_sessions_follow_each_other_and_never_touch():
    first, second = make(poisson(0)), make(poisson(1))
    joined = bb.join_sessions([first, second], ["morning", "evening"])
    check_recording(joined)
    assert joined.epochs["label"].tolist() == ["morning", "evening"]
    whole = joined.binarize(bin_ms=20)
    assert whole.segment.max() == 1
    for number, one in enumerate((first, second)):
        alone = one.binarize(bin_ms=20).states
        mine = whole.states[whole.segment == number]
        # moving a spike by the length of the first session rounds it, by a bin at most
        assert mine.shape == alone.shape
        assert (mine != alone).sum() <= 2
    label = joined.binarize(bin_ms=20, epochs=["evening"])
    assert (label.states != whole.states[whole.segment == 1]).sum() <= 2
    other = make(poisson(2)[:-1])
    with pytest.raises(InputError, match="same 8 neurons"):
        bb.join_sessions([first, other])


def test_sessions_of_bins_and_of_traces():
    counts = np.arange(12, dtype=np.uint8).reshape(6, 2)
    base = make(poisson())
    binned = Binned(counts, 0.02, np.array([4, 4, 4, 2, 2, 2], np.int32), np.arange(6) * 0.02)
    recording = replace(base, neurons=base.neurons[:2], signal=binned)
    joined = bb.join_sessions([recording, recording])
    assert joined.signal.segment.tolist() == [2, 2, 2, 0, 0, 0, 5, 5, 5, 3, 3, 3]
    np.testing.assert_array_equal(joined.signal.counts, np.concatenate([counts, counts]))
    traces = Traces(counts.astype(np.float32), np.arange(6) * 0.1, "dff")
    recording = replace(recording, signal=traces)
    joined = bb.join_sessions([recording, recording])
    assert np.diff(joined.signal.times)[5] == pytest.approx(1.1)
    both = bb.join_probes([recording, recording])
    assert both.signal.frames.shape == (6, 4)
    with pytest.raises(InputError, match="signals of one kind"):
        bb.join_probes([recording, base])


def test_a_study_keeps_animals_apart():
    first = with_regions(make(poisson(0)), ["CA1"] * NEURONS)
    second = with_regions(make(poisson(1)), ["VISp", "CA1"] * (NEURONS // 2))
    study = bb.Study.of([first, second], ["m1", "m2"])
    assert [name for name, _ in study] == ["m1", "m2"]
    assert study.common_regions("ccf") == ("CA1",)
    assert set(study.binarize(bin_ms=50)) == {"m1", "m2"}
    with pytest.raises(InputError, match="atlas must be one that every animal has"):
        study.common_regions("beryl")
    with pytest.raises(InputError, match="names must be different"):
        bb.Study.of([first, second], ["m", "m"])


def test_the_steps_of_every_part_are_kept():
    first, second = make(poisson(0)).mend("silent"), make(poisson(1)).mend("laser", "drifting")
    for join, name in ((bb.join_probes, "join_probes"), (bb.join_sessions, "join_sessions")):
        told = [(step.name, step.options.get("part"), step.options.get("what"))
                for step in join([first, second], ["A", "B"]).steps]  # fmt: skip
        assert told == [
            ("mend", "A", "silent"), ("mend", "B", "laser"), ("mend", "B", "drifting"),
            (name, None, None),
        ]  # fmt: skip
        # the same in each: told once, as before
        same = join([first, make(poisson(1)).mend("silent")]).steps
        assert [step.name for step in same] == ["mend", name]
        assert "part" not in same[0].options
