"""Series and trials go into bins by their rule, and through epochs, joins and cuts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import boltzbrain as bb
from boltzbrain.data.behaviour.by_segment import recorded_segments
from boltzbrain.data.behaviour.covariates import Covariate
from boltzbrain.data.behaviour.trials import checked_trials
from boltzbrain.preparing.faults.cutting import without_rows
from boltzbrain.readers.behaviour.attach import with_rules


def spikes(**behaviour: object) -> bb.Recording:
    recording = bb.read([np.array([0.05, 0.15]), np.array([0.25, 0.95])], stop_s=1.0)
    return replace(recording, **behaviour)


def in_bins(times: list[float], values: list[float], rule: str = "") -> list[float]:
    one = Covariate(np.array(times), np.array(values), "", None, rule)
    activity = spikes(covariates={"x": one}).binarize(bin_ms=100)
    return activity.covariates["x"].values.round(6).tolist()


def test_a_bin_takes_the_mean_of_its_samples():
    found = in_bins([0.0, 0.05, 0.1, 0.31], [1.0, 3.0, 5.0, 7.0])
    assert found[:2] == [2.0, 5.0]
    assert found[3] == 7.0


def test_a_bin_between_two_samples_lies_on_the_line_but_a_gap_is_missing():
    times, values = [0.05, 0.25, 0.45, 0.95], [0.0, 2.0, 4.0, 9.0]
    found = in_bins(times, values)
    assert found[:5] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert np.isnan(found[5:9]).all()
    assert found[9] == 9.0


def test_last_holds_until_the_next_sample_and_any_counts_events():
    assert in_bins([0.15, 0.55], [2.0, 3.0], "last")[1:7] == [2.0, 2.0, 2.0, 2.0, 3.0, 3.0]
    assert np.isnan(in_bins([0.15, 0.55], [2.0, 3.0], "last")[0])
    assert in_bins([0.15, 0.55], [1.0, 1.0]) == [0, 1, 0, 0, 0, 1, 0, 0, 0, 0]


def test_the_step_says_what_a_bin_took():
    one = Covariate(np.array([0.0, 0.5]), np.array([1.0, 2.0]))
    recording = with_rules(spikes(covariates={"x": one}), {"x": "last"})
    step = recording.binarize(bin_ms=100).step("binarize")
    assert step is not None
    assert step.options["covariates"]["x"] == {"rule": "last", "missing_bins": 0}


def test_trials_have_the_bins_whose_middle_lies_in_them_also_in_epochs():
    table = checked_trials(
        pd.DataFrame({"start_s": [0.0, 0.26, 0.8], "stop_s": [0.1, 0.46, 0.9], "n": [1, 2, 3]})
    )
    epochs = pd.DataFrame({"start_s": [0.2], "stop_s": [1.0], "label": ["task"]})
    recording = spikes(trials=table, epochs=epochs)
    whole = recording.binarize(bin_ms=100).trials
    assert whole[["first_bin", "stop_bin"]].values.tolist() == [[0, 1], [3, 5], [8, 9]]
    part = recording.binarize(bin_ms=100, epochs=["task"])
    assert part.trials[["first_bin", "stop_bin", "n"]].values.tolist() == [[1, 3, 2], [6, 7, 3]]
    step = part.step("binarize")
    assert step is not None
    assert step.options["trials"] == {"trials": 2, "without_bins": 1}


def test_folds_keep_series_and_trials():
    table = checked_trials(pd.DataFrame({"start_s": [0.0], "stop_s": [0.1]}))
    one = Covariate(np.array([0.0, 0.5]), np.array([1.0, 2.0]))
    activity = spikes(trials=table, covariates={"x": one}).binarize(bin_ms=100)
    divided = activity.split(by="none", min_active_bins=0)
    assert len(divided.trials) == 1
    assert set(divided.covariates) == {"x"}


def test_segments_as_recorded_are_known_after_folds_have_cut_them():
    one = Covariate(np.arange(50) * 0.1, np.arange(50.0))
    states = np.random.default_rng(0).integers(0, 2, (60, 3)).astype(np.uint8)
    recording = bb.from_states(states, bin_width_s=0.1, segment=np.repeat([0, 1], [40, 20]))
    activity = replace(recording, covariates={"x": one}).binarize()
    cut = activity.split(by="blocks", gap_s=0.2, min_active_bins=0)
    assert len(np.unique(cut.segment)) > 2
    np.testing.assert_array_equal(recorded_segments(cut), np.repeat([0, 1], [40, 20]))
    np.testing.assert_array_equal(recorded_segments(activity), activity.segment)


def test_probes_share_series_and_trials():
    one = Covariate(np.array([0.0, 0.5]), np.array([1.0, 2.0]))
    other = replace(one, values=one.values + 1)
    table = checked_trials(pd.DataFrame({"start_s": [0.0], "stop_s": [0.1]}))
    joined = bb.join_probes(
        [spikes(covariates={"x": one}), spikes(covariates={"x": other, "y": one}, trials=table)]
    )
    assert set(joined.covariates) == {"x", "probe1_x", "y"}
    assert len(joined.trials) == 1


def test_sessions_keep_each_trial_and_sample_in_its_session():
    table = checked_trials(pd.DataFrame({"start_s": [0.3], "stop_s": [0.5], "side": ["left"]}))
    one = Covariate(np.array([0.05, 0.15]), np.array([1.0, 2.0]), rule="last")
    day = spikes(trials=table, covariates={"x": one})
    activity = bb.join_sessions([day, day], ["mon", "tue"]).binarize(bin_ms=100)
    assert activity.trials[["first_bin", "session"]].values.tolist() == [[3, "mon"], [13, "tue"]]
    assert activity.covariates["x"].values[[0, 1, 10, 11]].tolist() == [1, 2, 1, 2]


def by_segment(bins: int = 4) -> bb.Recording:
    states = np.tile(np.array([[0, 1], [1, 0]], dtype=np.uint8), (bins, 1))
    recording = bb.from_states(states, bin_width_s=0.1, segment=np.repeat([0, 1], bins))
    signal = recording.signal
    one = Covariate(
        np.tile(np.arange(bins) * 0.1, 2), np.arange(2.0 * bins), "",
        np.repeat([0, 1], bins).astype(np.int32),
    )  # fmt: skip
    signal = replace(signal, times=one.times)
    table = pd.DataFrame({"segment": [0, 1], "start_s": 0.0, "stop_s": 0.1 * bins, "n": [0, 1]})
    return replace(recording, signal=signal, covariates={"x": one}, trials=checked_trials(table))


def test_sessions_whose_clock_starts_again_in_each_segment_keep_their_trials():
    activity = bb.join_sessions([by_segment(), by_segment()]).binarize()
    assert activity.trials["n"].tolist() == [0, 1, 0, 1]
    assert activity.trials["first_bin"].tolist() == [0, 4, 8, 12]
    assert activity.covariates["x"].values.tolist() == [*range(8), *range(8)]


@pytest.mark.parametrize("away", [[1], [1, 5], [1, 3]])
def test_what_is_cut_out_takes_its_samples_and_no_others(away: list[int]):
    recording = by_segment(6)
    gone = np.zeros(12, dtype=np.bool_)
    gone[away] = True
    activity = without_rows(recording, gone).binarize()
    assert activity.covariates["x"].values.tolist() == np.flatnonzero(~gone).tolist()
    covered = np.concatenate(
        [np.arange(a, b) for a, b in activity.trials[["first_bin", "stop_bin"]].to_numpy()]
    )
    assert sorted(covered.tolist()) == list(range(activity.n_bins))
