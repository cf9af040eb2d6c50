"""The sentences on simpler models: what is known of each score, and no more."""

import math

import pytest

from boltzbrain.pages.verdicts.baselines import doubted, gain_error, who_wins, winner

DOUBT = "unreliable: the forward and backward estimates of log Z lie 3.00 nats per bin apart"


def made(doubtful=(), bounds=(), **differences):
    """Return a table in which the RBM has gain 5 and each baseline lies so far below."""
    table = {
        "rbm": {"title": "RBM", "gain": {"value": 5.0, "kind": "log-likelihood"},
                "conditional": {"bits_per_spike": 0.2}},
    }  # fmt: skip
    for name, (value, error) in differences.items():
        kind = "lower bound" if name in bounds else "log-likelihood"
        table[name] = {
            "title": name.upper(),
            "gain": {"value": 5.0 - value, "kind": kind},
            "conditional": {"bits_per_spike": None},
            "rbm_minus_this": {"gain": {"value": value, "stderr": error}},
        }
    for name in doubtful:
        table[name]["log_partition"] = {"unreliable": [DOUBT]}
    return table


def test_the_sentence_follows_the_figures():
    clear = winner(made(a=(1.0, 0.1), b=(2.0, 0.1)), "gain")
    assert clear.level == "good"
    assert clear.text.startswith("The RBM scores highest with +5.00 nats per test bin")
    assert "1.00 ± 0.10 above A, 2.00 ± 0.10 above B." in clear.text
    close = winner(made(a=(0.1, 0.1)), "gain")
    assert close.level == "fair"
    assert "not clearly above A" in close.text
    lost = winner(made(a=(-1.0, 0.1), b=(0.1, 0.1)), "gain")
    assert lost.level == "poor"
    assert lost.text.startswith("Highest is A with +6.00 nats")
    assert "1.00 ± 0.10 below A" in lost.text
    assert winner(made(a=(1.0, 0.1)), "conditional").level == "unknown"


def test_a_bound_below_the_rbm_says_nothing_of_its_model():
    alone = winner(made(bounds=["vae"], vae=(1.0, 0.1)), "gain")
    assert alone.level == "unknown"
    assert alone.text.startswith("The RBM scores highest of what is known, with +5.00 nats")
    words = "1.00 ± 0.10 above a lower bound on VAE (which may itself lie higher)"
    assert words in alone.text
    # what is known decides, either way
    for value, level in ((2.0, "good"), (0.1, "fair"), (-2.0, "poor")):
        both = winner(made(bounds=["vae"], vae=(1.0, 0.1), a=(value, 0.1)), "gain")
        assert both.level == level
        assert words in both.text
    assert "only a lower bound is known of VAE" in who_wins(made(bounds=["vae"], vae=(1, 0.1))).text


def test_a_bound_above_the_rbm_says_that_its_model_is_better():
    found = winner(made(bounds=["vae"], vae=(-1.0, 0.1)), "gain")
    assert found.level == "poor"
    assert found.text.startswith("Highest is VAE (a lower bound) with +6.00 nats")
    assert "1.00 ± 0.10 below even a lower bound on VAE" in found.text
    close = winner(made(bounds=["vae"], vae=(0.1, 0.1)), "gain")
    assert close.level == "fair"
    assert "not clearly above a lower bound on VAE" in close.text


def test_a_doubtful_score_wins_nothing():
    # A is 5 nats ahead by an estimate that is not to be trusted
    table = made(doubtful=["a"], a=(-5.0, 0.1), b=(1.0, 0.1))
    found = winner(table, "gain")
    assert found.level == "fair"
    assert found.text.startswith("Of the scores that can be trusted the highest is that of the RBM")
    assert "below A (doubtful)" in found.text
    said = who_wins(table).text
    assert said.startswith("Highest likelihood: RBM (left out as doubtful: A).")
    told = doubted(table["a"])
    assert told.level == "poor"
    assert DOUBT in told.text
    assert doubted(table["b"]) is None
    # the same figures without the doubt: A wins
    sure = made(a=(-5.0, 0.1), b=(1.0, 0.1))
    assert winner(sure, "gain").level == "poor"
    assert who_wins(sure).text.startswith("Highest likelihood: A.")


def test_a_doubtful_rbm_is_no_winner_either():
    table = made(doubtful=["rbm"], a=(1.0, 0.1))
    found = winner(table, "gain")
    assert found.level == "unknown"
    assert "the highest is that of A, +4.00 nats" in found.text
    assert "the RBM has +5.00, which cannot be trusted" in found.text
    assert who_wins(table).text.startswith("Highest likelihood: A (left out as doubtful: RBM).")
    neither = made(doubtful=["rbm", "a"], a=(1.0, 0.1))
    assert winner(neither, "gain").text.startswith("No score in nats per test bin")
    assert who_wins(neither).text.startswith("Highest likelihood: none that can be trusted.")


def test_a_doubtful_log_partition_leaves_the_conditional_score_as_it_is():
    table = made(doubtful=["rbm"], a=(1.0, 0.1))
    table["a"]["conditional"]["bits_per_spike"] = 0.1
    table["a"]["rbm_minus_this"]["conditional"] = {"value": 0.1, "stderr": 0.01}
    assert winner(table, "conditional").level == "good"


def conditional(own, stderr, **others):
    """Return a table of conditional scores: that of the RBM, and differences from the baselines."""
    table = {"rbm": {"title": "RBM", "gain": {"value": None, "kind": "none"},
                     "conditional": {"bits_per_spike": own, "stderr": stderr}}}  # fmt: skip
    for name, (value, error) in others.items():
        table[name] = {
            "title": name.upper(),
            "gain": {"value": None, "kind": "none"},
            "conditional": {"bits_per_spike": own - value, "stderr": error},
            "rbm_minus_this": {"conditional": {"value": value, "stderr": error}},
        }
    return table


@pytest.mark.parametrize(
    ("own", "stderr"), [(-0.0002, 0.0002), (0.0008, 0.0001), (0.03, 0.02), (-0.1, 0.01)]
)
def test_a_score_that_is_not_above_the_rates_is_no_win(own, stderr):
    table = conditional(own, stderr, independent=(own, stderr), pca=(0.2, 0.001))
    found = winner(table, "conditional")
    assert found.level in ("fair", "poor")
    assert "its hidden units tell nothing beyond them" in found.text
    assert "INDEPENDENT" in found.text
    # the negative control: the same differences, and a score well above 0
    clear = winner(conditional(0.3, 0.01, independent=(0.3, 0.01), pca=(0.2, 0.001)), "conditional")
    assert clear.level == "good"
    assert "INDEPENDENT" not in clear.text
    assert "nothing" not in clear.text


def test_independent_neurons_are_compared_with_where_there_is_no_other_model():
    found = winner(conditional(0.3, 0.01, independent=(0.3, 0.01)), "conditional")
    assert found.level == "good"
    assert "0.300 ± 0.010 above INDEPENDENT." in found.text


def test_a_score_that_one_model_has_makes_no_winner():
    table = conditional(0.3, 0.01, pca=(0.1, 0.001))
    table["rbm"]["gain"]["value"] = 5.0
    said = who_wins(table)
    assert said.level == "good"
    assert said.text == "Highest score given the others: RBM."
    assert who_wins({"rbm": table["rbm"]}).level == "unknown"


@pytest.mark.parametrize(
    ("gain", "error"),
    [
        ({"stderr": 3.0, "stderr_log_partition": 4.0}, 5.0),
        ({"stderr": 3.0}, 3.0),
        ({"stderr": None, "stderr_log_partition": 4.0}, None),
    ],
)
def test_the_error_of_a_gain_has_that_of_log_z(gain, error):
    found = gain_error(gain)
    assert found == error if error is None else math.isclose(found, error)
