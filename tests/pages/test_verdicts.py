"""The sentences of the page: each level comes from the numbers, and says them."""

from __future__ import annotations

import pandas as pd
import pytest

from boltzbrain.pages.verdicts import activity as verdicts
from boltzbrain.pages.verdicts import score as score_verdicts
from boltzbrain.pages.verdicts.chains import chains
from boltzbrain.pages.verdicts.checks import Check, belief, counted
from boltzbrain.pages.verdicts.verdict import Verdict


def evaluation(**statistics):
    return {"statistics": statistics, "log_likelihood": {"unreliable": []}}


def count(value, ceiling, band):
    return evaluation(
        population_count={"total_variation": value, "band": band},
        ceiling={"population_count": {"total_variation": ceiling}},
    )


@pytest.mark.parametrize(("number", "level"), [(6, "fair"), (30, "good")])
def test_a_gain_over_few_stretches_is_said_to_be_so(number, level):
    found = {
        "log_likelihood": {"gain": {"value": 11.0, "stderr": 1.1, "clusters": {"number": number}}}
    }
    told = score_verdicts.gain(found)
    assert told.level == level
    assert ("6 independent stretches" in told.text) == (number == 6)


@pytest.mark.parametrize(
    ("value", "stderr", "level"),
    [(5.0, 1.0, "good"), (3.0, 1.0, "fair"), (1.0, 1.0, "poor"), (None, None, "unknown")],
)
def test_the_gain_is_judged_in_its_own_errors(value, stderr, level):
    gain = {"value": value, "stderr": stderr, "stderr_log_partition": 0.1}
    found = score_verdicts.gain({"log_likelihood": {"gain": gain, "bits_per_spike": 0.25}})
    assert found.level == level
    assert value is None or f"+{value:.2f} ± " in found.text


def test_the_error_of_log_z_counts_against_the_gain():
    gain = {"value": 5.0, "stderr": 1.0, "stderr_log_partition": 2.0}
    assert score_verdicts.gain({"log_likelihood": {"gain": gain}}).level == "fair"


@pytest.mark.parametrize(
    ("value", "band", "level"),
    [
        (0.13, [0.09, 0.16], "good"),
        (0.17, [0.09, 0.16], "fair"),
        (0.40, [0.09, 0.16], "poor"),
        (0.04, [0.01, 0.02], "good"),  # below 5 % nobody can see it
        (0.14, None, "good"),
        (0.20, None, "fair"),
    ],
)
def test_the_population_count_is_judged_by_its_band(value, band, level):
    found = verdicts.population_count(count(value, 0.12, band))
    assert found.level == level
    assert f"{value:.1%}" in found.text
    assert ("9.0% to 16.0%" in found.text) == (band == [0.09, 0.16])


@pytest.mark.parametrize(("value", "level"), [(0.60, "good"), (0.75, "fair"), (0.82, "poor")])
def test_a_population_count_can_be_poor_where_few_bins_hold_many_counts(value, level):
    """There even the training fold is far from the test fold, and 2.5 times as far is beyond 1."""
    assert verdicts.population_count(count(value, 0.55, [0.50, 0.61])).level == level


@pytest.mark.parametrize(("ratio", "level"), [(0.95, "good"), (0.8, "fair"), (0.5, "poor")])
def test_agreement_is_the_share_of_the_ceiling(ratio, level):
    found = evaluation(
        covariances={"pearson": 0.6 * ratio, "interval": [ratio - 0.02, ratio + 0.02]},
        ceiling={"covariances": {"pearson": 0.6}},
    )
    told = verdicts.agreement(found, "covariances")
    assert told.level == level
    assert f"{ratio:.0%} of what can be had" in told.text
    nothing = evaluation(covariances={"pearson": None}, ceiling={})
    assert verdicts.agreement(nothing, "covariances").level == "unknown"


@pytest.mark.parametrize(
    ("interval", "level"), [([0.964, 0.977], "fair"), ([0.95, 0.969], "poor"), (None, "poor")]
)
def test_a_share_that_may_be_enough_does_not_fail_a_model(interval, level):
    found = evaluation(
        rates={"pearson": 0.8464, "interval": interval}, ceiling={"rates": {"pearson": 0.8737}}
    )
    assert verdicts.agreement(found, "rates").level == level


def test_a_share_is_never_below_nothing_and_figures_have_a_true_minus():
    found = evaluation(
        covariances={"pearson": -0.01, "interval": [-0.1, 0.05]},
        ceiling={"covariances": {"pearson": 0.5}},
    )
    told = verdicts.agreement(found, "covariances").text
    assert "at −0.010" in told
    assert "has 0% of what can be had (95% interval: −10.0% to 5.0%)" in told


@pytest.mark.parametrize(
    ("ceiling", "level"), [(0.002, "unknown"), (0.016, "unknown"), (0.02, "fair")]
)
def test_a_ceiling_within_its_error_is_none(ceiling, level):
    """As with triplets of a recording whose neurons are active in few bins."""
    found = evaluation(
        triplets_most_active={"pearson": 0.016, "pearson_interval": [0.0, 0.032]},
        ceiling={"triplets_most_active": {"pearson": ceiling}},
    )
    told = verdicts.agreement(found, "triplets_most_active")
    assert told.level == level
    assert f"{ceiling:.3f}" in told.text


@pytest.mark.parametrize(("error", "level"), [(0.01, "good"), (0.02, "fair"), (0.04, "poor")])
def test_calibration_and_the_score_given_all_others(error, level):
    found = evaluation(h_eff={"calibration_error": error, "fraction_within_3_stderr": 0.93})
    assert verdicts.activation(found).level == level
    told = verdicts.activation({**found, "conditional": {"bits_per_spike": 0.5}})
    assert told.level == level
    assert "93% of the quantiles" in told.text
    assert "0.500 bits per spike" in told.text


@pytest.mark.parametrize(("within", "level"), [(0.91, "good"), (0.64, "fair")])
def test_many_quantiles_off_the_curve_are_not_good(within, level):
    found = evaluation(h_eff={"calibration_error": 0.004, "fraction_within_3_stderr": within})
    told = verdicts.activation(found)
    assert told.level == level
    assert f"{within:.0%} of the quantiles" in told.text
    assert "99.7% are expected" in told.text
    # a mean error that is poor stays so
    found["statistics"]["h_eff"]["calibration_error"] = 0.04
    assert verdicts.activation(found).level == "poor"


@pytest.mark.parametrize(
    ("bits", "stderr", "level"),
    [(0.5, 0.1, "good"), (0.1, 0.1, "fair"), (0.0009, 1e-5, "fair"), (-0.0002, None, "fair")],
)
def test_neurons_that_tell_nothing_of_each_other_are_not_praised(bits, stderr, level):
    found = evaluation(h_eff={"calibration_error": 0.004, "fraction_within_3_stderr": 0.99})
    told = verdicts.activation({**found, "conditional": {"bits_per_spike": bits, "stderr": stderr}})
    assert told.level == level
    assert ("nothing beyond the rates" in told.text) == (level == "fair")


@pytest.mark.parametrize(("value", "level"), [(-0.1, "good"), (0.3, "fair"), (0.5, "poor")])
def test_normalised_errors(value, level):
    assert verdicts.normalised_error(evaluation(nrmse={"vv": value}), "vv").level == level


@pytest.mark.parametrize(("ceiling", "level"), [(0.018, "unknown"), (0.5, "poor")])
def test_what_training_and_test_fold_do_not_share_is_not_judged(ceiling, level):
    found = evaluation(nrmse={"hh": 0.9}, hidden={"ceiling": {"hh": {"pearson": ceiling}}})
    assert verdicts.normalised_error(found, "hh").level == level


def test_training_that_turned_is_told_from_one_that_stopped_early():
    log = pd.DataFrame(
        {"update": [1, 50, 100], "validation_stderr": 0.01, "validation_independent": -10.0}
    )
    risen = log.assign(validation_nats_per_bin=[-10.0, -9.0, -9.5])
    assert score_verdicts.training(risen, 50).level == "good"
    rising = log.assign(validation_nats_per_bin=[-10.0, -9.5, -9.0])
    assert score_verdicts.training(rising, 100).level == "fair"
    assert score_verdicts.training(log, 100).level == "unknown"
    # 0.02 nats are little of a gain of 1, and much of a gain of 0.1
    for gained, level in ((1.0, "good"), (0.1, "fair")):
        slow = log.assign(validation_nats_per_bin=[-10.0, -10.02 + gained, -10.0 + gained])
        assert score_verdicts.training(slow, 100).level == level
    # 0.6 nats are little of a gain of 270
    for rise, level in ((0.6, "good"), (6.0, "fair")):
        much = log.assign(validation_nats_per_bin=[-10.0, 260.0 - rise, 260.0])
        assert score_verdicts.training(much, 100).level == level
    # a checkpoint of long ago does not tell whether the end rises, unless nothing has since
    long_ago = rising.assign(update=[1, 10, 100])
    assert score_verdicts.training(long_ago, 100).level == "unknown"
    flat_since = long_ago.assign(validation_nats_per_bin=[-10.0, -9.01, -9.0])
    assert score_verdicts.training(flat_since, 100).level == "good"
    flat = log.assign(validation_nats_per_bin=[-10.0, -9.999, -10.5])
    assert score_verdicts.training(flat, 50).level == "poor"


def test_a_score_that_rises_by_little_is_not_said_to_rise_by_nothing():
    log = pd.DataFrame(
        {
            "update": [1, 2],
            "validation_nats_per_bin": [-5.0005, -5.0],
            "validation_stderr": [0.1, 0.1],
            "validation_independent": [-5.0, -5.0],
        }
    )
    told = score_verdicts.training(log, 2)
    assert told.level == "fair"
    assert "by 0.0005 nats" in told.text


def test_reconstruction_is_judged_beside_the_regression():
    for rbm, level in ((0.3, "good"), (0.2, "fair"), (0.1, "poor")):
        found = {
            "reconstruction": {
                "rbm": {"median_nllh_same_neurons": rbm, "median_nllh": rbm},
                "glm": {"median_nllh": 0.25},
            }
        }
        assert verdicts.reconstruction(found).level == level
    assert verdicts.reconstruction({}).level == "unknown"


@pytest.mark.parametrize(("glm", "level"), [(-0.0002, "fair"), (0.2, "poor")])
def test_a_reconstruction_of_nothing_is_not_good(glm, level):
    found = {
        "reconstruction": {
            "rbm": {"median_nllh_same_neurons": 0.0004, "median_nllh": 0.0004},
            "glm": {"median_nllh": glm},
            "mann_whitney": {"p": 1e-7},
        }
    }
    told = verdicts.reconstruction(found)
    assert told.level == level
    assert "nothing of a neuron beyond its rate" in told.text
    assert "Mann-Whitney" not in told.text


@pytest.mark.parametrize(("value", "level"), [(0.05, "good"), (0.15, "fair"), (0.3, "poor")])
@pytest.mark.parametrize("name", ["projection", "energy"])
def test_clouds_and_energies_are_judged_by_the_training_folds_own_distance(name, value, level):
    found = {"kolmogorov_smirnov": value, "ceiling": {"kolmogorov_smirnov": 0.06}}
    assert getattr(verdicts, name)(evaluation(**{name: found})).level == level


@pytest.mark.parametrize(
    ("generated", "level"), [(0.102, "good"), (0.09, "fair"), (0.2, "poor"), (None, "unknown")]
)
def test_the_mean_activity_is_judged_by_its_share_of_the_recordings(generated, level):
    found = evaluation(mean_activity={"test": 0.1, "generated": generated})
    assert verdicts.mean_activity(found).level == level


@pytest.mark.parametrize(("std", "level"), [(0.2, "good"), (7.0, "poor"), (1e-6, "poor")])
def test_weights_that_ran_away_or_stayed_are_poor(std, level):
    assert verdicts.weights({"weights": {"std": std, "zero_fraction": 0.0}}).level == level


@pytest.mark.parametrize(
    ("levels", "overall"),
    [
        (["good", "good", "good"], "good"),
        (["good", "fair", "good"], "good"),
        (["good", "fair", "fair"], "fair"),
        (["good", "poor", "good"], "fair"),
        (["good", "poor", "poor"], "poor"),
        (["poor", "good", "good"], "poor"),
        (["unknown", "good", "good"], "unknown"),
    ],
)
def test_the_belief_is_as_good_as_the_gain_and_marked_down_by_what_is_poor(levels, overall):
    lines = [Check("", f"line {number}", Verdict(one, "")) for number, one in enumerate(levels)]
    found = belief(lines)
    assert found.level == overall
    if overall in ("poor", "fair"):
        named = [one.title for one in lines if one.verdict.level in ("poor", overall)]
        assert all(title in found.text for title in named)


def test_every_check_is_counted_once():
    levels = ["good", "good", "fair", "poor", "unknown"]
    found = counted([Check("", "", Verdict(one, "")) for one in levels])
    assert found == "2 of 4 checks passed, 1 weak, 1 failed; 1 undecided"


@pytest.mark.parametrize(
    ("r_hat", "steps", "level"),
    [(1.05, 1000, "good"), (1.2, 1000, "poor"), (1.2, 100, "unknown"), (None, 1000, "good")],
)
def test_chains_are_told_apart_only_where_they_are_long_enough(r_hat, steps, level):
    mixing = {
        "energy": {"r_hat": r_hat, "autocorrelation_time": 10.0},
        "hidden": {"r_hat": 1.0, "autocorrelation_time": None},
    }
    assert chains({"mixing": mixing, "steps": steps}).level == level
