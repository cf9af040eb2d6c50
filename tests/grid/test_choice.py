"""The rules of choice on tables whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.grid.choice import FoldScores, choose, grid_points, stderr_of_difference


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


def paired(rows, error=0.5, log_partition_stderr=0.0):
    """Scores of every run, of which the difference of any two has the given error over bins."""
    clusters = 2 * len(rows)
    sizes = np.full(clusters, 3)
    # each run goes its own way in two clusters: a difference departs by `own` in four
    own = error * sizes.sum() / (2 * math.sqrt(clusters / (clusters - 1)))
    shared = np.linspace(-50.0, 50.0, clusters)
    found = {}
    for number, row in enumerate(rows.itertuples()):
        departure = np.zeros(clusters)
        departure[2 * number : 2 * number + 2] = own, -own
        sums = shared + departure + 3 * row.validation_nats_per_bin
        found[row.run] = FoldScores(sums, sizes, log_partition_stderr)
    return found


def chosen_of(rows, rule="best", **errors):
    return choose(rows, ["hidden", "l1"], paired(rows, **errors), rule)


RISING = [(10, 0.0, 0, -5.0), (20, 0.0, 0, -3.4), (40, 0.0, 0, -3.0), (80, 0.0, 0, -3.2)]


def test_the_highest_score_is_the_best():
    choice = chosen_of(table(RISING))
    assert choice.row["run"] == "40/0.0/0"
    assert "hidden 40" in choice.reason
    assert "-3.00 ± 0.50 nats per bin" in choice.reason
    assert "2 other points" in choice.reason  # 20 and 80 hidden units are within 0.5


@pytest.mark.parametrize(("error", "hidden"), [(0.1, 40), (0.41, 20), (2.5, 10)])
def test_one_standard_error_takes_the_fewest_hidden_units(error, hidden):
    choice = chosen_of(table(RISING), "one-stderr", error=error)
    assert choice.row["hidden"] == hidden
    assert f"hidden {hidden}" in choice.reason
    assert "one standard error" in choice.reason
    assert "-3.00 ± 0.50" in choice.reason


def test_among_equally_many_hidden_units_the_better_is_taken():
    scores = [(10, 0.0, 0, -3.3), (10, 0.1, 0, -3.2), (40, 0.0, 0, -3.0)]
    choice = chosen_of(table(scores), "one-stderr")
    assert (choice.row["hidden"], choice.row["l1"]) == (10, 0.1)


def test_points_are_compared_by_the_mean_over_seeds_and_the_best_seed_is_taken():
    # one lucky seed of the smaller model must not decide
    scores = [(10, 0.0, 0, -2.0), (10, 0.0, 1, -6.0), (20, 0.0, 0, -3.1), (20, 0.0, 1, -3.0)]
    choice = chosen_of(table(scores))
    assert choice.row["run"] == "20/0.0/1"
    points = grid_points(table(scores), ["hidden", "l1"]).set_index("hidden")
    assert points.loc[10, "validation_nats_per_bin"] == pytest.approx(-4.0)
    # the standard error of two seeds 4 apart is 2, that of the bins 0.5
    assert points.loc[10, "validation_stderr"] == pytest.approx(math.hypot(2.0, 0.5))
    assert "mean of 2 seeds" in choice.reason


def test_failed_runs_are_left_out():
    scores = [(10, 0.0, 0, -5.0), (20, 0.0, 0, None), (40, 0.0, 0, -6.0)]
    assert chosen_of(table(scores)).row["hidden"] == 10
    # one seed of the best point failed: the other is taken
    scores = [(10, 0.0, 0, None), (10, 0.0, 1, -5.0), (40, 0.0, 0, -6.0)]
    assert chosen_of(table(scores)).row["run"] == "10/0.0/1"


def test_ties_go_to_the_smaller_model():
    scores = [(40, 0.0, 0, -3.0), (10, 0.0, 0, -3.0)]
    assert chosen_of(table(scores)).row["hidden"] == 10


def test_nothing_to_choose_from_and_unknown_rules_are_refused():
    with pytest.raises(InputError, match="finished run"):
        chosen_of(table([(10, 0.0, 0, None)]))
    with pytest.raises(InputError, match="one-stderr"):
        chosen_of(table(RISING), "one-stdr")


def test_the_test_score_does_not_matter():
    # the test fold must not choose: whatever stands in its columns
    known = table(RISING)
    known["test_nats_per_bin"] = np.array([0.0, -9.0, -99.0, -1.0])
    assert chosen_of(known).row["hidden"] == 40


def test_the_error_that_counts_is_that_of_the_difference():
    # 1.8 nats below the best with errors of 5 on each score: unpaired, any model would do
    rows = table(RISING, error=5.0)
    assert chosen_of(rows, "one-stderr", error=0.1).row["hidden"] == 40
    choice = chosen_of(rows, "one-stderr", error=0.3)
    assert choice.row["hidden"] == 40
    # the control: what differs from bin to bin, and log Z of both, widens it
    assert chosen_of(rows, "one-stderr", error=0.5).row["hidden"] == 20
    choice = chosen_of(rows, "one-stderr", error=0.3, log_partition_stderr=0.3)
    assert choice.row["hidden"] == 20
    assert "0.40 behind" in choice.reason
    assert f"{math.sqrt(3 * 0.3**2):.2f}" in choice.reason


def test_the_spread_over_seeds_counts():
    scores = [(10, 0.0, 0, -3.2), (10, 0.0, 1, -3.8), (20, 0.0, 0, -3.0), (20, 0.0, 1, -3.1)]
    rows = table(scores)
    points = grid_points(rows, ["hidden", "l1"])
    error = stderr_of_difference(
        rows, ["hidden", "l1"], points.iloc[0], points.iloc[1], paired(rows, error=0.0)
    )
    # standard errors of the means of two seeds: half of how far they lie apart
    assert error == pytest.approx(math.hypot(0.3, 0.05))


def test_a_fold_of_one_cluster_is_compared_as_if_unpaired():
    rows = table(RISING, error=0.5)
    one = {name: FoldScores(np.array([1.0]), np.array([9]), 0.0) for name in rows["run"]}
    points = grid_points(rows, ["hidden", "l1"])
    error = stderr_of_difference(rows, ["hidden", "l1"], points.iloc[0], points.iloc[1], one)
    assert error == pytest.approx(math.hypot(0.5, 0.5))


def test_doubts_about_the_chosen_one_are_repeated():
    rows = table(RISING).assign(unreliable=[None, "unreliable: too few", None, None])
    assert "unreliable" not in chosen_of(rows).reason
    rows["unreliable"] = [None, None, "unreliable: too few", None]
    assert chosen_of(rows).reason.endswith(" Beware: unreliable: too few.")


def test_a_penalty_that_trainings_chose_makes_no_points():
    # two seeds of each number of hidden units, which chose different penalties
    scores = [(10, 0.01, 0, -2.0), (10, 0.02, 1, -6.0), (20, 0.01, 0, -3.1), (20, 0.03, 1, -3.0)]
    rows = table(scores)
    choice = choose(rows, ["hidden"], paired(rows))
    assert choice.row["run"] == "20/0.03/1"
    assert "hidden 20 has" in choice.reason
    assert "mean of 2 seeds" in choice.reason
    assert choice.reason.endswith(" The L1 penalty of its training is 0.03.")
    # the control: a penalty that is given is an axis, and the lucky seed is a point of its own
    assert chosen_of(rows).row["run"] == "10/0.01/0"
    assert "L1 penalty" not in chosen_of(rows).reason


def test_a_point_may_have_no_value_on_an_axis():
    rows = table([(10, math.nan, 0, -3.2), (10, 0.1, 0, -3.0), (20, math.nan, 0, -2.0)])
    choice = chosen_of(rows, error=0.1)
    assert choice.row["run"] == "20/nan/0"
    assert chosen_of(rows, "one-stderr", error=3.0).row["run"] == "10/0.1/0"
