"""What the validation fold decides in a training, on rows whose answer is known."""

from __future__ import annotations

import numpy as np
import torch

from boltzbrain.data.clusters import Clusters
from boltzbrain.training.plan import make_plan
from boltzbrain.training.score.choice import choose_penalty, latest_as_good, out_of_patience
from boltzbrain.training.score.running import COLUMNS, RunningScore

PLAN = make_plan(updates=1000, l1_choices=(0.001, 0.002, 0.004), l1_trial=0.1, l1=None)
NO_TRIALS = make_plan(updates=1000)
CLUSTERS = Clusters(np.arange(200) // 5, "segment", None)
SHARED = torch.tensor(np.random.default_rng(0).normal(scale=10.0, size=200))


def trials(behind, own_noise, log_partition_stderr=0.0):
    """Three trials: each is behind the first by so much, in every bin but for noise of its own."""
    draw = np.random.default_rng(1)
    bins = {}
    for number, apart in enumerate(behind):
        own = torch.tensor(draw.normal(scale=own_noise, size=200))
        bins[100 * (number + 1)] = SHARED - apart + own - own.mean()
    rows = [
        {
            "update": update,
            "l1": 0.001 * 2**number,
            "validation_nats_per_bin": float(scores.mean()),
            "validation_stderr": 0.7,
            "log_partition_stderr": log_partition_stderr,
        }
        for number, (update, scores) in enumerate(bins.items())
    ]
    return rows, lambda row: bins[row["update"]]


def penalty(*given):
    rows, scores_at = trials(*given)
    found = choose_penalty(PLAN, rows, scores_at)
    return None if found is None else found["l1"]


def model(*given):
    rows, scores_at = trials(*given)
    return latest_as_good(NO_TRIALS, rows, scores_at, CLUSTERS)["update"]


def test_the_penalty_is_the_largest_within_one_error_of_the_best_score():
    # 10 nats over 200 bins: 0.7 on the mean
    assert penalty([0.0, 0.3, 0.6], 0.1) == 0.004
    assert penalty([0.0, 0.3, 0.9], 0.1) == 0.002
    assert penalty([0.0, 0.8, 0.9], 0.1) == 0.001
    # with that of the partition function
    assert penalty([0.0, 0.3, 0.9], 0.1, 0.7) == 0.004


def test_the_best_itself_is_always_good_enough_and_later_trials_may_be_missing():
    assert penalty([0.6, 0.3, 0.0], 0.0) == 0.004
    rows, scores_at = trials([0.0, 0.3, 0.6], 0.1)
    assert choose_penalty(PLAN, rows[:1], scores_at) is rows[0]
    assert choose_penalty(PLAN, [{"update": 7}], scores_at) is None


def test_the_model_is_the_latest_within_one_error_of_the_difference():
    # scores spread by 10 nats over the bins, 0.7 on the mean, but the bins share it: models 0.3
    # and 0.6 behind are worse for sure, which the unpaired error could not tell
    assert model([0.0, 0.3, 0.6], 0.1) == 100
    # the control: where the bins' differences are as noisy as that, they are not
    assert model([0.0, 0.3, 0.6], 10.0) == 300
    assert model([0.0, 0.03, 0.6], 1.0) == 200
    # an earlier one is never taken for being as good
    assert model([0.01, 0.0, 0.6], 1.0) == 200
    # the errors of the partition functions count
    assert model([0.0, 0.3, 0.6], 0.1, 0.3) == 200


def test_trials_are_not_chosen():
    rows, scores_at = trials([0.0, 0.3, 0.6], 0.1)
    after = [
        {**rows[0], "update": update, "validation_nats_per_bin": -50.0} for update in (301, 1000)
    ]

    def scores(row):
        return SHARED - 50.0 if row["update"] > 300 else scores_at(row)

    assert latest_as_good(PLAN, [*rows, *after], scores, CLUSTERS)["update"] == 1000
    assert latest_as_good(NO_TRIALS, [*rows, *after], scores, CLUSTERS)["update"] == 100
    assert latest_as_good(PLAN, [{"update": 5}, {"update": 9}], scores, None)["update"] == 9


def online_of(*scores):
    history = torch.zeros((len(scores), len(COLUMNS)), dtype=torch.float64)
    for row, (update, score) in zip(history, scores, strict=True):
        row[0], row[COLUMNS.index("validation_nats_per_bin")] = update, score
    return RunningScore(None, history)


def test_patience_counts_updates_since_the_best_running_score():
    plan = make_plan(updates=1000, patience=50)
    scores = [(25, -9.0), (50, -5.0), (75, -6.0), (100, -5.5)]
    assert not out_of_patience(plan, [], online_of(*scores[:3]))
    assert out_of_patience(plan, [], online_of(*scores))
    assert not out_of_patience(plan, [], online_of(*scores, (125, -4.9)))
    assert not out_of_patience(make_plan(updates=1000), [], online_of(*scores))
    # one between two regular scores counts by its update
    assert not out_of_patience(plan, [], online_of(*scores[:3], (99, -5.5)))
    assert not out_of_patience(plan, [], online_of())


def test_without_running_scores_those_of_checkpoints_count():
    plan = make_plan(updates=1000, patience=50, score_every="none")
    rows = [
        {"update": update, "validation_nats_per_bin": score}
        for update, score in ((10, -5.0), (40, -5.1), (60, -5.2))
    ]
    assert not out_of_patience(plan, rows[:2], None)
    assert out_of_patience(plan, rows, None)
    assert not out_of_patience(plan, [{"update": 10}, {"update": 90}], None)


def test_trials_do_not_count_for_patience():
    plan = PLAN.model_copy(update={"patience": 50})
    scores = [(275, -1.0), (300, -2.0), (325, -6.0), (350, -5.0), (375, -6.0)]
    assert not out_of_patience(plan, [], online_of(*scores))
    assert out_of_patience(plan, [], online_of(*scores, (400, -6.0)))
