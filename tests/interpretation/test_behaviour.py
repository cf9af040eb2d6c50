"""Tuning and decoding: what is planted is found, and chance keeps the memory of time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from scipy.stats import binom
from sklearn.linear_model import Ridge as Reference

from boltzbrain.data.activity import TEST, Activity
from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.behaviour.decoding import (
    decoded,
    target_of_series,
    target_of_trials,
)
from boltzbrain.interpretation.behaviour.encoding import PLACE, explained
from boltzbrain.interpretation.behaviour.find import NOT_ASKED, find_behaviour
from boltzbrain.interpretation.behaviour.nulls import SeriesNull
from boltzbrain.interpretation.behaviour.power import tail_p_values
from boltzbrain.interpretation.behaviour.ridge import PENALTIES, Ridge, inner_folds
from boltzbrain.interpretation.behaviour.series import tuning_of_series
from boltzbrain.interpretation.behaviour.times import courses
from boltzbrain.interpretation.behaviour.trials import (
    bins_of_trials,
    column_of,
    responses,
    tuning_of_trials,
)
from boltzbrain.interpretation.choices import Choices
from boltzbrain.sampling.synthetic import random_model
from helpers.activities import activity_of

ONE = np.zeros(3000, dtype=np.int32)


def slow(rng: np.random.Generator, bins: int, units: int = 1, memory: float = 20.0) -> np.ndarray:
    """Return series that remember so many bins, of variance 1, (bin, unit)."""
    keep = 1 - 1 / memory
    noise = rng.normal(size=(bins, units)) * np.sqrt(1 - keep**2)
    noise[0] /= np.sqrt(1 - keep**2)
    return lfilter([1], [1, -keep], noise, axis=0)


def stream(name: str) -> Generator:
    return Generator.from_seed(0, name)


def too_many(alarms: int, tests: int) -> bool:
    """Return whether there are more false alarms than a level of 5 % gives once in 1000 times."""
    return binom.sf(alarms - 1, tests, 0.05) < 1e-3


def test_series_that_know_nothing_of_each_other_are_not_tuned_but_seem_so_if_bins_are_independent():
    rng = np.random.default_rng(1)
    units, series = slow(rng, 3000, 150).astype(np.float32), slow(rng, 3000)[:, 0]
    null = SeriesNull.of(ONE)
    found = tuning_of_series("x", series, units, ONE, null, draws=400, generator=stream("a"))
    assert null.way == "shifts"
    assert not too_many(int((found.p_value <= 0.05).sum()), 150)
    assert not too_many(int((found.p_information <= 0.05).sum()), 150)
    assert (found.p_plain <= 0.05).mean() > 0.25


def test_driven_units_are_found_also_at_a_lag_and_the_lag_is_told():
    rng = np.random.default_rng(2)
    units, series = slow(rng, 3000, 12, 5), slow(rng, 3000, 1, 5)[:, 0]
    units[:, 0] += series
    units[15:, 1] += 1.5 * series[:-15]
    found = tuning_of_series(
        "x", series, units.astype(np.float32), ONE, SeriesNull.of(ONE), draws=400,
        generator=stream("b"), lags=(-15, 0, 15), bin_width_s=0.1,
    )  # fmt: skip
    assert found.q_value[:2].max() < 0.05
    assert (found.q_value[2:] > 0.05).all()
    np.testing.assert_allclose(found.lag_s[:2], [0.0, 1.5])
    assert found.information[0] > 0.1 > abs(found.information[2])
    assert found.correlation[0] > 0.5
    # an effect as large as the one that is said to be seen was seen
    assert found.r2[0] > found.smallest[0]


def test_small_p_values_follow_the_tail_and_others_the_draws():
    rng = np.random.default_rng(10)
    null = rng.exponential(size=(200, 1000)).astype(np.float32)
    observed = np.full(200, 12.0)
    few = tail_p_values(np.zeros(200), observed, null)
    # exp(-12) is 6e-6: within a factor of ten, and hardly ever too small
    assert np.exp(-12) / 10 < np.median(few) < np.exp(-12) * 10
    assert (few < np.exp(-12) / 10).mean() < 0.05
    assert tail_p_values(np.full(200, 40.0), observed, null)[0] == pytest.approx(41 / 1001)


def test_segments_of_like_length_are_swapped_and_what_all_do_alike_does_not_count():
    rng = np.random.default_rng(3)
    segment = np.repeat(np.arange(100, dtype=np.int32), 20)
    ramp = np.tile(np.linspace(0, 1, 20), 100)
    series = ramp + 0.1 * rng.normal(size=2000)
    units = np.stack([ramp + rng.normal(size=2000), series + 0.1 * rng.normal(size=2000)], axis=1)
    null = SeriesNull.of(segment)
    found = tuning_of_series("x", series, units, segment, null, draws=200, generator=stream("c"))
    assert null.way == "segments"
    assert found.p_value[0] > 0.05 > found.p_value[1]


def test_sessions_keep_their_drift_where_shifts_do_not():
    rng = np.random.default_rng(4)
    sessions = np.repeat(np.arange(12, dtype=np.int32), 150)
    # in every session both drift, each in its own direction
    time = np.tile(np.linspace(-1, 1, 150), 12)
    drift = np.repeat(rng.normal(size=(12, 60)), 150, axis=0) * time[:, None]
    series = np.repeat(rng.normal(size=12), 150) * time + 0.1 * rng.normal(size=1800)
    units = drift + 0.3 * rng.normal(size=drift.shape)
    found = tuning_of_series(
        "x", series, units, sessions, SeriesNull.of(sessions, "sessions", sessions),
        draws=300, generator=stream("d"),
    )  # fmt: skip
    assert not too_many(int((found.p_value <= 0.05).sum()), 60)
    assert (found.p_plain <= 0.05).mean() > 0.5
    with pytest.raises(InputError, match="have 5 sessions or more to swap"):
        SeriesNull.of(sessions, "sessions", np.minimum(sessions, 2))


def test_labels_that_drift_with_the_activity_do_not_make_it_tuned():
    rng = np.random.default_rng(5)
    # through the session, as when an animal has had enough
    drift = 1.5 * np.cos(np.pi * np.arange(400) / 400)
    label = (rng.uniform(size=400) < 1 / (1 + np.exp(-2 * drift))).astype(float)
    units = drift[:, None] * rng.normal(size=150) + rng.normal(size=(400, 150))
    units[:, 0] += 2 * label
    trials = pd.DataFrame({"start_s": np.arange(400.0), "stop_s": 1.0, "choice": label})
    column = column_of(trials, "choice")
    found = tuning_of_trials(units, column, draws=500, generator=stream("e"))
    assert found.q_value[0] < 0.05
    assert found.column.levels == ("0", "1")
    assert found.preferred[0] == 1
    alarms = found.p_value[1:] <= 0.05
    assert alarms.mean() < 0.5 * (found.p_plain[1:] <= 0.05).mean()
    assert not too_many(int(alarms.sum()), 149)


def test_numbers_of_many_levels_are_ranked_and_labels_may_be_missing():
    rng = np.random.default_rng(6)
    number = rng.uniform(size=100)
    trials = pd.DataFrame({"speed": number, "side": ["left", "right", "", "up"] * 25})
    trials.loc[3::8, "side"] = ""
    units = np.stack([np.exp(-number), rng.normal(size=100)], axis=1)
    found = tuning_of_trials(units, column_of(trials, "speed"), draws=200, generator=stream("f"))
    assert found.column.ranked
    assert found.effect[0] > 0.98
    assert found.difference[0] < -0.98
    assert found.p_value[1] > 0.01
    side = column_of(trials, "side")
    assert side.levels == ("left", "right", "up")
    assert side.left_out == 38


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.0] * 20, r"trials\.x must have two levels or more of 5 trials each; got 1 \(20\)"),
        (["a"] * 17 + ["b"] * 3, r"got a \(17\), b \(3\)"),
        ([np.nan] * 20, "got no trial that has a value"),
    ],
)
def test_a_column_of_one_level_is_answered_in_a_sentence(values, sentence):
    with pytest.raises(InputError, match=sentence):
        column_of(pd.DataFrame({"x": values}), "x")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.ones(300), r"covariates\.x must vary; got 1 in every bin"),
        (np.where(np.arange(300) < 20, 1.0, np.nan), "known in 50 bins or more; got 20 of 300"),
    ],
)
def test_a_series_of_one_value_or_of_gaps_is_answered_in_a_sentence(values, sentence):
    one = np.zeros(300, dtype=np.int32)
    with pytest.raises(InputError, match=sentence):
        tuning_of_series(
            "x", values, np.ones((300, 1)), one, SeriesNull.of(one), draws=20,
            generator=stream("g"),
        )  # fmt: skip


def test_gaps_of_a_series_move_with_it():
    rng = np.random.default_rng(7)
    units, series = slow(rng, 3000, 40).astype(np.float32), slow(rng, 3000)[:, 0]
    series[500:1200] = np.nan
    units[:, 0] += np.nan_to_num(series)
    found = tuning_of_series(
        "x", series, units, ONE, SeriesNull.of(ONE), draws=300, generator=stream("h")
    )
    assert found.missing == pytest.approx(700 / 3000)
    assert found.p_value[0] < 0.02
    assert not too_many(int((found.p_value[1:] <= 0.05).sum()), 39)


@pytest.mark.parametrize("shape", [(60, 8), (30, 50)])
def test_the_linear_model_is_that_of_scikit_learn(shape):
    rng = np.random.default_rng(8)
    train, other = rng.normal(size=shape), rng.normal(size=(5, shape[1]))
    targets = rng.normal(size=(shape[0], 3)) + train[:, :1]
    solved = Ridge.of(train, inner_folds(len(train)), other)
    told, chosen = solved.predict(targets, 3)
    spread = train.std(axis=0)
    penalty = float(solved.penalties[np.flatnonzero(chosen[0] == PENALTIES)[0]])
    reference = Reference(alpha=penalty).fit(train / spread, targets)
    np.testing.assert_allclose(told, reference.predict(other / spread), atol=1e-8)
    # no other penalty does better on the inner folds
    inner = inner_folds(len(train))

    def error(alpha: float) -> float:
        wrong = 0.0
        for fold in range(5):
            one = Reference(alpha=alpha).fit(train[inner != fold] / spread, targets[inner != fold])
            guess = one.predict(train[inner == fold] / spread)
            wrong += ((guess - targets[inner == fold]) ** 2).sum()
        return wrong

    assert error(penalty) <= min(error(float(one)) for one in solved.penalties) + 1e-9


def planted(bins: int = 10, trials: int = 160) -> Activity:
    """Return trials of a stimulus that drives neurons 0 to 3, and a wheel that follows neuron 4."""
    rng = np.random.default_rng(9)
    side = rng.integers(0, 2, trials)
    rate = np.full((trials, bins, 12), 0.2)
    rate[side == 1, :, :4] = 0.35
    states = (rng.uniform(size=rate.shape) < rate).astype(np.uint8).reshape(-1, 12)
    activity = activity_of(states, segment_bins=bins)
    first = np.arange(trials) * bins
    table = pd.DataFrame(
        {"start_s": first * 0.02, "stop_s": (first + bins) * 0.02,
         "side": np.where(side == 1, "right", "left"), "coin": rng.integers(0, 2, trials) * 1.0,
         "first_bin": first, "stop_bin": first + bins}
    )  # fmt: skip
    fold = np.where(np.repeat(np.arange(trials) % 4 == 0, bins), TEST, 0).astype(np.int8)
    wheel = states[:, 4] + 0.3 * rng.normal(size=len(states))
    return replace(activity, trials=table, fold=fold, covariates={"wheel": BinnedCovariate(wheel)})


def test_what_drives_neurons_is_decoded_and_a_coin_is_not():
    activity = planted()
    bins = bins_of_trials(activity)
    scores = {}
    for name in ("side", "coin"):
        column = column_of(activity.trials, name)
        target = target_of_trials(activity, column, bins, draws=99, generator=stream(name))
        scores[name] = decoded(activity.states, target, stream("boot"))
    assert scores["side"].measure == "balanced accuracy"
    assert 0.75 < scores["side"].score < 1
    assert scores["side"].p_value == pytest.approx(0.01)
    assert abs(scores["side"].chance - 0.5) < 0.05
    assert 0 < scores["side"].stderr < 0.1
    assert scores["coin"].p_value > 0.05
    null = SeriesNull.of(activity.segment)
    target = target_of_series(activity, "wheel", null, draws=50, generator=stream("w"))
    wheel = decoded(activity.states, target, stream("boot"))
    assert wheel.measure == "r2"
    assert wheel.score > 0.4 > 0.1 > wheel.chance_95


def test_features_decomposed_before_give_the_same_scores_and_only_to_the_same_rows():
    activity = planted()
    bins = bins_of_trials(activity)
    targets = [
        target_of_trials(
            activity, column_of(activity.trials, name), of, draws=20, generator=stream(name)
        )
        for name, of in (("side", bins), ("coin", bins), ("coin", bins - [[0, 5]]))
    ]
    before: dict[bytes, Ridge] = {}
    for target in targets:
        alone = decoded(activity.states, target, stream("boot"))
        shared = decoded(activity.states, target, stream("boot"), before)
        np.testing.assert_array_equal(shared.draws, alone.draws)
        assert shared.score == alone.score


def test_a_fold_without_trials_is_answered_in_a_sentence():
    activity = planted()
    column = column_of(activity.trials, "side")
    no_test = replace(activity, fold=np.zeros_like(activity.fold))
    with pytest.raises(InputError, match=r"trials\.side must be known of 10 trials or more that"):
        target_of_trials(no_test, column, bins_of_trials(activity), draws=20, generator=stream("i"))


def test_behaviour_explains_the_units_that_it_drives_and_no_others():
    activity = planted()
    column = column_of(activity.trials, "side")
    found = explained(
        activity, activity.states, [column], {"wheel": activity.covariates["wheel"].values},
        bins_of_trials(activity),
    )  # fmt: skip
    row = {name: number for number, name in enumerate(found.names)}
    assert set(row) == {"wheel", PLACE, "side"}
    assert found.alone[row["side"], :4].min() > 0.015 > found.alone[row["side"], 4:].max()
    assert found.unique[row["wheel"], 4] > 0.4
    assert np.abs(found.unique[row["wheel"], 5:]).max() < 0.03
    np.testing.assert_allclose(found.together[4], found.alone[row["wheel"], 4], atol=0.03)


def test_windows_lie_around_an_event_and_within_the_segment():
    activity = planted()
    trials = activity.trials.assign(go_s=activity.trials["start_s"] + 0.06)
    trials.loc[1, "go_s"] = np.nan
    activity = replace(activity, trials=trials)
    bins = bins_of_trials(activity, align="go_s", window_s=(-0.1, 0.04))
    assert bins[0].tolist() == [0, 5]
    assert bins[1, 0] == bins[1, 1]
    assert bins[2].tolist() == [20, 25]
    assert np.isnan(responses(activity.states, bins)[1]).all()
    with pytest.raises(InputError, match=r"align must be a column .* with times"):
        bins_of_trials(activity, align="side")
    with pytest.raises(InputError, match="window_s must end after it begins"):
        bins_of_trials(activity, window_s=(0.1, 0.1))


def test_courses_are_means_over_the_trials_of_a_level():
    activity = planted()
    column = column_of(activity.trials, "side")
    found, single = courses(activity, activity.states, column, bins_of_trials(activity))
    mine = activity.states.reshape(160, 10, 12)[column.codes == 1]
    np.testing.assert_allclose(found.mean[1], mine.mean(axis=0))
    np.testing.assert_allclose(
        found.stderr[1], mine.std(axis=0, ddof=1) / np.sqrt(len(mine)), rtol=1e-6
    )
    assert single.shape == (160, 10, 12)
    np.testing.assert_allclose(found.seconds[:2], [0.01, 0.03])


def test_nothing_is_read_where_an_empty_list_is_asked_for():
    states = (np.random.default_rng(0).random((200, 4)) < 0.3).astype(np.uint8)
    series = {"speed": BinnedCovariate(np.arange(200.0))}
    activity = replace(activity_of(states), covariates=series)
    model = random_model("bernoulli", 4, 2, Generator.from_seed(0))
    asked = Choices(behaviour=())
    entries, summary, why = find_behaviour(
        model, activity, asked, Generator.from_seed(1), lambda *_: None
    )
    assert (entries, summary, why) == ({}, None, {"behaviour": NOT_ASKED})
