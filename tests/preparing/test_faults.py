"""Planted faults are found, told with the option that mends them, and mended when asked."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import boltzbrain as bb
from boltzbrain.data.recording import Recording, neuron_table, no_epochs
from boltzbrain.data.signals import Binned, SpikeTimes, Traces
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError
from boltzbrain.preparing.card.bin_widths import compare_bin_widths
from boltzbrain.preparing.card.card import data_card
from boltzbrain.preparing.faults.find import OTHER_UNIT, validate
from helpers.spike_trains import LENGTH_S, NEURONS, make, poisson


def names(recording: Recording) -> dict[str, object]:
    found = validate(recording, recording.binarize(bin_ms=20))
    json.dumps(found.to_json(), allow_nan=False)
    return {point.name: point for point in found.points}


def test_a_clean_recording_is_called_clean():
    # the negative control of every check below
    for seed in range(5):
        recording = make(poisson(seed))
        assert names(recording) == {}
        assert validate(recording, recording.binarize()).verdict == "clean"


def test_duplicate_spikes_are_found_and_mended():
    trains = poisson()
    clean = make(trains)
    trains[3] = np.sort(np.r_[trains[3], trains[3][10:15], trains[3][20] + 5e-5])
    dirty = make(trains)
    point = names(dirty)["duplicate spikes"]
    assert point.neurons == (3,)
    assert point.found.startswith("6 spikes within 0.1 ms")
    assert point.mend == "--mend duplicate-spikes"
    mended = dirty.mend("duplicate-spikes")
    np.testing.assert_array_equal(mended.signal.times, clean.signal.times)
    np.testing.assert_array_equal(mended.signal.index, clean.signal.index)
    assert mended.steps[-1].options == {"what": "duplicate-spikes", "removed": 6}
    assert names(mended) == {}


@pytest.mark.parametrize(("factor", "wrong"), [(1.0, False), (1e3, True), (3e4, True)])
def test_times_that_are_not_in_seconds_are_told_by_their_intervals(factor, wrong):
    slow = [factor * one for one in poisson(rate_hz=4.0)]
    if factor == 1e3:  # whole milliseconds, some counted twice, some sorted into a wrong neuron
        slow = [np.sort(np.r_[one.round(), one[:3].round(), one[5:6] + 0.2]) for one in slow]
    said = found_in(slow, factor * LENGTH_S)
    assert OTHER_UNIT in said.looked_for
    assert (said.verdict == "mend first") == wrong
    assert (OTHER_UNIT in {point.name for point in said.points}) == wrong
    # nothing is said of few spikes, nor of times in whole frames
    few = [factor * np.arange(1, 6) * 7.3] * NEURONS
    frames = [np.repeat(np.arange(0, 9e5, 100.0), 2)] * NEURONS
    for other, length in ((few, 1e4 * factor * LENGTH_S), (frames, 9e5)):
        assert OTHER_UNIT not in {point.name for point in found_in(other, length).points}


def found_in(trains, length_s):
    index = np.cumsum([len(one) for one in trains])
    signal = SpikeTimes(np.concatenate(trains), index, 0.0, length_s)
    return validate(replace(make(poisson()), signal=signal))


def test_two_neurons_in_one_violate_the_refractory_period():
    trains = poisson(rate_hz=20.0)
    trains[5] = np.sort(np.r_[trains[5], poisson(7, rate_hz=20.0)[0]])
    dirty = make(trains)
    assert names(dirty)["refractory violations"].neurons == (5,)
    mended = dirty.mend("refractory")
    assert list(mended.neurons["id"]) == [str(n) for n in range(NEURONS) if n != 5]
    np.testing.assert_array_equal(mended.signal.train(5), trains[6])


def test_neurons_sorted_twice_are_found():
    trains = poisson()
    trains[6] = trains[2] + 1e-4
    dirty = make(trains)
    assert names(dirty)["duplicate neurons"].neurons == (6,)
    assert list(dirty.mend("duplicate-neurons").neurons["id"]) == [
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "7",
    ]


def test_neurons_that_vanish_and_bins_that_depart():
    trains = poisson()
    trains[1] = trains[1][trains[1] < 100]
    point = names(make(trains))["drifting rates"]
    assert point.neurons == (1,)
    assert len(make(trains).mend("drifting")) == NEURONS - 1
    burst = [np.sort(np.r_[one, 50 + np.linspace(0, 9.9, 600)]) for one in poisson(3)]
    found = validate(make(burst), make(burst).binarize(bin_ms=20))
    drift = next(p for p in found.points if p.name == "drifting rates")
    # 20 blocks of 10 s are 500 bins of 20 ms each
    assert "in the bins 2,500 to 3,000" in drift.found
    assert found.verdict == "mend first"


def test_silent_neurons_and_laser_epochs():
    trains = poisson()
    trains[0] = np.empty(0)
    epochs = pd.DataFrame(
        {"start_s": [10.0, 60.0], "stop_s": [20.0, 90.0], "label": ["opto_2ms", "running"]}
    )
    dirty = make(trains, epochs)
    found = names(dirty)
    assert found["silent neurons"].neurons == (0,)
    assert "opto_2ms" in found["laser epochs"].found
    mended = dirty.mend("silent", "laser")
    assert len(mended) == NEURONS - 1
    assert mended.signal.stretches().tolist() == [[0.0, 10.0], [20.0, LENGTH_S]]
    activity = mended.binarize(bin_ms=20)
    assert activity.n_bins == 9500
    assert [step.name for step in activity.steps] == ["mend", "mend", "binarize"]


def test_trains_out_of_order_are_sorted_and_told():
    generator = np.random.default_rng(0)
    trains = poisson()
    mixed = [generator.permutation(one) if n in (2, 5) else one for n, one in enumerate(trains)]
    recording = bb.read(mixed, stop_s=LENGTH_S)
    np.testing.assert_array_equal(recording.signal.times, np.concatenate(trains))
    point = names(recording)["unsorted trains"]
    assert "(2 of 8)" in point.found
    assert point.mend is None
    card = data_card(recording)
    assert card.dropped == {}
    assert any("trains (2 of 8): not in order of time: sorted" in one for one in card.warnings)
    both = bb.join_probes([recording, bb.read(mixed[:3], stop_s=LENGTH_S)])
    found = [p.found for p in validate(both, both.binarize()).points if p.name == "unsorted trains"]
    assert ["(2 of 8)" in found[0], "(1 of 3)" in found[1], len(found)] == [True, True, 2]
    # the control: nothing is told of trains in order
    assert "unsorted trains" not in names(bb.read(trains, stop_s=LENGTH_S))


def test_traces_flat_bleached_and_missing():
    generator = np.random.default_rng(0)
    fall = np.linspace(1.0, 0.5, 1000)[:, None]
    frames = (100 * fall + generator.normal(size=(1000, 5))).astype(np.float32)
    frames[:, 2] = 7.0
    frames[:, 3] = np.nan
    frames[5, 4] = np.nan
    recording = Recording(
        neuron_table(list("abcde")), {}, Traces(frames, np.arange(1000) * 0.1, "fluorescence"),
        no_epochs(), Source("test", "made", ""),
    )  # fmt: skip
    found = {point.name: point for point in validate(recording).points}
    flat = [point.neurons for point in validate(recording).points if point.name == "flat traces"]
    assert flat == [(3,), (2,)]
    assert found["missing frames"].neurons == (4,)
    assert found["bleaching"].mend.startswith("--calcium")
    assert list(recording.mend("silent").neurons["id"]) == ["a", "b", "e"]


def test_what_does_not_fit_is_refused():
    recording = make(poisson())
    with pytest.raises(InputError, match=r"mend must be one of: .*; got laser_epochs"):
        recording.mend("laser_epochs")
    binned = Binned(np.ones((4, 2), np.uint8), 0.02, np.zeros(4, np.int32), np.arange(4) * 0.02)
    always = Recording(neuron_table(["a", "b"]), {}, binned, no_epochs(), Source("t", "p", ""))
    for name in ("duplicate-spikes", "refractory"):
        with pytest.raises(InputError, match="must be asked of spike times"):
            always.mend(name)
    with pytest.raises(InputError, match="leave at least one neuron"):
        always.mend("silent")
    late = replace(binned, times=np.array([0.0, 0.02, 0.0, 0.02]))
    lit = pd.DataFrame({"start_s": [0.0], "stop_s": [0.03], "label": ["laser"]})
    with pytest.raises(InputError, match="ascend from segment to segment"):
        replace(always, signal=late, epochs=lit).mend("laser")
    with pytest.raises(InputError, match="leave some time"):
        replace(always, epochs=lit.assign(stop_s=1.0)).mend("laser")
    (point,) = validate(replace(always, signal=late, epochs=lit)).points
    assert (point.name, point.mend) == ("laser epochs", None)


def test_the_recommended_bin_loses_few_spikes():
    choice = compare_bin_widths(make(poisson(rate_hz=10.0)), [50, 5, 20, 10, 100])
    assert [row.bin_ms for row in choice.table] == [5, 10, 20, 50, 100]
    lost = [row.multi_spike_fraction for row in choice.table]
    assert lost == sorted(lost)
    # 10 Hz: expected fractions about 1, 3, 8, 20, 40 %
    assert choice.recommended_ms == 10
    assert compare_bin_widths(make(poisson(rate_hz=10.0)), [100, 200]).recommended_ms == 100
    with pytest.raises(InputError, match="bins must be widths"):
        compare_bin_widths(make(poisson()), [])
