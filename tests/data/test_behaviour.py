"""Series and trials are checked where they are made, placed by one clock, and kept in files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from boltzbrain.data.activity_file import read_activity, write_activity
from boltzbrain.data.behaviour.clock import SegmentClock
from boltzbrain.data.behaviour.covariates import BinnedCovariate, Covariate
from boltzbrain.data.behaviour.trials import checked_trials
from boltzbrain.data.signals import Binned
from boltzbrain.foundations.checks import InputError
from helpers.activities import activity_of


@pytest.mark.parametrize(
    ("times", "values", "sentence"),
    [
        ([0.0, 2.0, 1.0], [1.0, 2.0, 3.0], "times must ascend; got 1 after 2 s"),
        ([0.0, 1.0], [np.nan, np.nan], "values must hold at least one number"),
        ([0.0, 1.0], [np.inf, 1.0], "values must be finite"),
        ([0.0, np.nan], [1.0, 1.0], "times must be finite seconds"),
        ([0.0], [1.0, 1.0], "times must have shape"),
    ],
)
def test_a_covariate_that_cannot_be_laid_into_bins_is_refused(times, values, sentence):
    with pytest.raises(InputError, match=sentence):
        Covariate(np.array(times), np.array(values))


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"start_s": [0.0]}, "trials.stop_s must be a column"),
        ({"start_s": [1.0], "stop_s": [1.0]}, "each stop after they start.*1 to 1 s in row 0"),
        ({"start_s": ["a"], "stop_s": [1.0]}, "trials.start_s must hold numbers"),
    ],
)
def test_trials_without_a_length_are_refused(columns, sentence):
    with pytest.raises(InputError, match=sentence):
        checked_trials(pd.DataFrame(columns))


def test_where_the_clock_starts_again_segments_follow_each_other():
    signal = Binned(
        np.zeros((4, 1), np.uint8), 0.5, np.array([7, 7, 2, 2], np.int32), np.array([0, 0.5] * 2)
    )
    clock = SegmentClock.of(signal)
    assert not clock.ascends
    placed = clock.place(np.array([0.0, 0.0, 0.9, 3.0]), np.array([7, 2, 7, 2], np.int32))
    assert placed[0] < placed[2] < placed[1]
    assert np.isnan(placed[3])


def test_series_and_trials_are_kept_in_the_activity_file(tmp_path: Path):
    states = np.array([[0, 1], [1, 0], [1, 1]], dtype=np.uint8)
    table = pd.DataFrame(
        {"start_s": [0.0], "stop_s": [0.02], "side": ["left"], "first_bin": [0], "stop_bin": [1]}
    )
    series = BinnedCovariate(np.array([1.0, np.nan, 2.0]), "cm/s", "last")
    activity = replace(activity_of(states), covariates={"speed/x": series}, trials=table)
    write_activity(tmp_path / "activity.h5", activity)
    again = read_activity(tmp_path / "activity.h5")
    pd.testing.assert_frame_equal(again.trials, table)
    assert (again.covariates["speed/x"].unit, again.covariates["speed/x"].rule) == ("cm/s", "last")
    np.testing.assert_array_equal(again.covariates["speed/x"].values, series.values)


def test_an_activity_refuses_series_and_trials_of_other_bins():
    activity = activity_of(np.array([[0, 1], [1, 0]], dtype=np.uint8))
    with pytest.raises(InputError, match=r"covariates\.speed must have shape \(2\)"):
        replace(activity, covariates={"speed": BinnedCovariate(np.zeros(3))})
    late = pd.DataFrame({"first_bin": [0], "stop_bin": [3]})
    with pytest.raises(InputError, match=r"trials\.stop_bin must end at one of the 2 bins; got 3"):
        replace(activity, trials=late)
