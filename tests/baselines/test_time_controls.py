"""Controls of a gain with time: each takes away what it should, and only that."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from boltzbrain.baselines.in_time.choosing import Candidate, choose
from boltzbrain.comparison.controls import time_controls
from boltzbrain.data.activity import Activity
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import Undefined
from boltzbrain.model.context.sequences import Sequences

NEURONS, PIECES, BINS = 12, 150, 20


def activity_of(odds_of, seed=0, pieces=PIECES, bins=BINS):
    """Return trials whose log-odds follow from place, slow state of the trial, and last bin."""
    rng = np.random.default_rng(seed)
    states = np.zeros((pieces, bins, NEURONS), dtype=np.uint8)
    slow = rng.normal(size=(pieces, NEURONS // 4)).repeat(4, axis=1)
    for place in range(bins):
        before = states[:, place - 1] if place else np.zeros((pieces, NEURONS))
        states[:, place] = rng.random((pieces, NEURONS)) < expit(odds_of(place, slow, before))
    fold = rng.permutation(np.repeat([0, 1, 2], (pieces * 6 // 10, pieces // 5, pieces // 5)))
    return Activity(
        states.reshape(-1, NEURONS), 0.02, np.repeat(np.arange(pieces), bins).astype(np.int32),
        np.repeat(fold, bins).astype(np.int8), pd.DataFrame({"id": range(NEURONS)}), {}, (),
        Source("made", "made", "", {}),
    )  # fmt: skip


def controls_of(odds_of):
    found = time_controls(activity_of(odds_of), 0, penalties=(100.0, 30.0))
    return {name: one["gain"]["value"] for name, one in found.items()}, found


def test_what_follows_the_last_bin_goes_with_another_past_and_with_shuffling():
    gains, found = controls_of(lambda place, slow, before: -2.0 + 2.5 * np.roll(before, 1, axis=1))
    assert gains["history"] > 0.2
    # three of its errors
    assert gains["other_segment"] < 3 * found["other_segment"]["gain"]["stderr"]
    assert found["shuffled_in_segment"]["share"] < 0.2
    assert gains["place_in_trial"] < 0.1 * gains["history"]


def test_what_is_slow_is_left_by_shuffling_and_goes_with_another_past():
    gains, found = controls_of(lambda place, slow, before: -2.0 + 1.2 * slow)
    assert gains["history"] > 0.2
    assert found["shuffled_in_segment"]["share"] > 0.7
    assert gains["other_segment"] < 3 * found["other_segment"]["gain"]["stderr"]


def test_what_is_locked_to_the_trial_is_told_by_the_place():
    shape = np.where(np.arange(NEURONS) % 2 == 0, 1.8, -1.8)
    gains, _ = controls_of(
        lambda place, slow, before: -1.5 + shape * np.sin(place / 3) + 0.0 * slow
    )
    assert gains["place_in_trial"] > 0.3
    assert gains["place_in_trial"] > gains["history"]
    # another trial tells as much, as all are alike
    assert gains["other_segment"] > 0.5 * gains["history"]


def test_one_long_segment_has_no_places_and_no_other_segment():
    one = activity_of(lambda place, slow, before: -1.0 + 0.0 * slow, pieces=10, bins=60)
    fold = np.repeat([0, -1, 1, -1, 2], (300, 20, 100, 20, 160)).astype(np.int8)
    one = Activity(
        one.states, 0.02, np.zeros(600, dtype=np.int32), fold, one.neurons, {}, (), one.source
    )
    found = time_controls(one, 0, penalties=(100.0,))
    assert isinstance(found["place_in_trial"]["gain"]["value"], Undefined)
    assert isinstance(found["other_segment"]["gain"]["value"], Undefined)
    assert np.isfinite(found["history"]["gain"]["value"])


def test_a_piece_ends_where_bins_of_the_fold_do():
    one = activity_of(lambda place, slow, before: -1.0 + 0.0 * slow, pieces=10, bins=60)
    fold = np.full(600, -1, dtype=np.int8)
    # two pieces of one segment with a gap between them, and the next segment
    fold[10:20] = fold[25:30] = fold[55:70] = 2
    fold[:5] = 0
    cut = Activity(one.states, 0.02, one.segment, fold, one.neurons, {}, (), one.source)
    found = Sequences.of_fold(cut, "test")
    assert found.edges.tolist() == [0, 10, 15, 20, 30]
    assert found.begins.nonzero()[0].tolist() == [0, 10, 15, 20]
    assert found.place[8:12].tolist() == [8, 9, 0, 1]


@pytest.mark.parametrize(
    ("better", "chosen"),
    # gains over one state of two and of four, in their own error
    [((0.0, 0.5), 1), ((0.0, 1.5), 1), ((0.0, 3.0), 4), ((3.0, 3.5), 2), ((-5.0, -6.0), 1)],
)
def test_the_fewest_states_as_good_as_the_best_are_taken(better, chosen):
    rng = np.random.default_rng(0)
    validation = Sequences(np.zeros((400, 2), dtype=np.uint8), np.repeat(np.arange(40), 10), 0.02)
    noise = rng.normal(size=(3, 40)).repeat(10, axis=1)
    noise -= noise.mean(axis=1, keepdims=True)
    # differences of 40 pieces have an error of about sqrt(2 / 40)
    error = np.sqrt(2 / 40)
    scores = {
        states: one + gain * error
        for states, one, gain in zip((1, 2, 4), noise, (0.0, *better), strict=True)
    }
    found = choose(
        "states", (1, 2, 4), lambda n: Candidate({"states": n}, None, scores[int(n)]), validation
    )
    assert found.best.values["states"] == chosen
