"""The rules of choice on tables whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from boltzbrain.evaluation.choice import choose, grid_points
from boltzbrain.foundations.checks import InputError


def table(scores, error=0.5):
    """Rows of (hidden, l1, seed, score); a score of None is a run that failed."""
    rows = [
        {
            "hidden": hidden,
            "l1": l1,
            "seed": seed,
            "validation_nats_per_bin": math.nan if score is None else score,
            "validation_stderr": error,
            "status": "failed" if score is None else "finished",
            "run": f"{hidden}/{l1}/{seed}",
        }
        for hidden, l1, seed, score in scores
    ]
    return pd.DataFrame(rows)


RISING = [(10, 0.0, 0, -5.0), (20, 0.0, 0, -3.4), (40, 0.0, 0, -3.0), (80, 0.0, 0, -3.2)]


def test_the_highest_score_is_the_best():
    choice = choose(table(RISING), ["hidden", "l1"])
    assert choice.row["run"] == "40/0.0/0"
    assert "hidden 40" in choice.reason
    assert "-3.00" in choice.reason
    assert "2 other points" in choice.reason  # 20 and 80 hidden units are within 0.5


@pytest.mark.parametrize(("error", "hidden"), [(0.1, 40), (0.41, 20), (2.5, 10)])
def test_one_standard_error_takes_the_fewest_hidden_units(error, hidden):
    choice = choose(table(RISING, error), ["hidden", "l1"], "one-stderr")
    assert choice.row["hidden"] == hidden
    assert f"hidden {hidden}" in choice.reason
    assert "one standard error" in choice.reason


def test_among_equally_many_hidden_units_the_better_is_taken():
    scores = [(10, 0.0, 0, -3.3), (10, 0.1, 0, -3.2), (40, 0.0, 0, -3.0)]
    choice = choose(table(scores), ["hidden", "l1"], "one-stderr")
    assert (choice.row["hidden"], choice.row["l1"]) == (10, 0.1)


def test_points_are_compared_by_the_mean_over_seeds_and_the_best_seed_is_taken():
    # one lucky seed of the smaller model must not decide
    scores = [(10, 0.0, 0, -2.0), (10, 0.0, 1, -6.0), (20, 0.0, 0, -3.1), (20, 0.0, 1, -3.0)]
    choice = choose(table(scores), ["hidden", "l1"])
    assert choice.row["run"] == "20/0.0/1"
    points = grid_points(table(scores), ["hidden", "l1"]).set_index("hidden")
    assert points.loc[10, "validation_nats_per_bin"] == pytest.approx(-4.0)
    # the standard error of two seeds 4 apart is 2, that of the bins 0.5
    assert points.loc[10, "validation_stderr"] == pytest.approx(math.hypot(2.0, 0.5))
    assert "mean of 2 seeds" in choice.reason


def test_failed_runs_are_left_out():
    scores = [(10, 0.0, 0, -5.0), (20, 0.0, 0, None), (40, 0.0, 0, -6.0)]
    assert choose(table(scores), ["hidden", "l1"]).row["hidden"] == 10
    # one seed of the best point failed: the other is taken
    scores = [(10, 0.0, 0, None), (10, 0.0, 1, -5.0), (40, 0.0, 0, -6.0)]
    assert choose(table(scores), ["hidden", "l1"]).row["run"] == "10/0.0/1"


def test_ties_go_to_the_smaller_model():
    scores = [(40, 0.0, 0, -3.0), (10, 0.0, 0, -3.0)]
    assert choose(table(scores), ["hidden", "l1"]).row["hidden"] == 10


def test_nothing_to_choose_from_and_unknown_rules_are_refused():
    with pytest.raises(InputError, match="finished run"):
        choose(table([(10, 0.0, 0, None)]), ["hidden", "l1"])
    with pytest.raises(InputError, match="one-stderr"):
        choose(table(RISING), ["hidden", "l1"], "one-stdr")


def test_the_test_score_does_not_matter():
    # the test fold must not choose: whatever stands in its columns
    known = table(RISING)
    known["test_nats_per_bin"] = np.array([0.0, -9.0, -99.0, -1.0])
    assert choose(known, ["hidden", "l1"]).row["hidden"] == 40
