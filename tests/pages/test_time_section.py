"""The section on time: what it says of models that see earlier bins."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.interpretation.file import Entry, Interpretation
from boltzbrain.pages.page import PageData
from boltzbrain.pages.panels.activity import rasters, reference_of
from boltzbrain.pages.panels.in_time import time_section
from boltzbrain.pages.verdicts import in_time as verdicts
from boltzbrain.pages.verdicts.baselines import without_time

NEURONS, BINS = 6, 12


def pair(value, error=0.1):
    return {"value": value, "stderr": error}


def row(title, given, without, **more):
    """Return the figures of a model; those without time are the same given earlier bins."""
    uses = given != without
    grid = [{"states": 1, "score": -2.0}, {"states": 2, "score": -1.0}]
    return {
        "title": title,
        "gain": {**pair(without), "kind": "log-likelihood"},
        "predictive": {
            "uses_time": uses, "gain": {**pair(given), "kind": "log-likelihood"},
            "bits_per_spike": 0.2, "over_without_time": pair(given - without),
        },
        "fit": {"grid": grid if uses else [], "chosen": {"states": 2}, "grid_edge": False},
        "rbm_minus_this": {"predictive": pair(13.0 - given)},
        **more,
    }  # fmt: skip


STATES = {
    "number": 2, "dwell_seen_s": [0.2, None], "rare": [1], "certainty": 0.9,
    "groups": {"number": 2, "sizes": [4, 2]},
}  # fmt: skip


def evaluation(hmm=11.0, history=15.0, **controls):
    return {
        "predictive": {
            "gain": pair(13.0),
            **({"controls": {name: {"gain": pair(one)} for name, one in controls.items()}}
               if controls else {}),
        },
        "baselines": {
            "rbm": row("RBM", 13.0, 13.0),
            "hmm": row("hidden Markov model", hmm, 9.0, states=STATES),
            "history": row("GLM on the past", history, -2.0),
        },
    }  # fmt: skip


def shown(found, own=False):
    states = (np.arange(BINS * NEURONS).reshape(BINS, NEURONS) % 5 == 0).astype(np.uint8)
    bins = BinSet(states, np.arange(BINS))
    kept = {
        "posterior": np.tile([0.7, 0.3], (BINS, 1)), "transition": np.full((2, 2), 0.5),
        "occupancy": np.array([0.7, 0.3]), "profile": np.ones((2, 2)),
    }  # fmt: skip
    return PageData(
        title="", card=[], plan=[], log=pd.DataFrame(), chosen_update=1, evaluation=found,
        train=bins, test=bins, generated=bins, test_segment=np.zeros(BINS, dtype=np.int32),
        bin_width_s=0.02, regions=[""] * NEURONS, neuron_ids=[""] * NEURONS, states={"hmm": kept},
        kept={f"states/{name}": values for name, values in kept.items()} if own else None,
    )  # fmt: skip


def test_every_model_has_a_row_and_states_their_ribbon():
    section = time_section(shown(evaluation(history=15.0, place_in_trial=0.4)))
    assert [one[0] for one in section.rows] == ["RBM", "hidden Markov model", "GLM on the past"]
    assert section.rows[0][1:4] == ["+13.00 ± 0.10", "the same", "—"]
    assert section.rows[1][1:] == [
        "+11.00 ± 0.10", "+9.00 ± 0.10", "+2.00 ± 0.10", "0.200", "+2.00 ± 0.10", "2", "0.2",
    ]  # fmt: skip
    assert [one.name for one in section.panels] == [
        "time-gains", "time-states", "time-profiles", "time-number-of-states",
    ]  # fmt: skip
    assert all(one.verdict is not None for one in section.panels)


def test_a_model_with_time_that_tells_no_more_than_rates_is_greyed_out_and_says_why():
    sound = {one.name: one for one in time_section(shown(evaluation(hmm=11.0))).panels}
    # the RBM's own verdict does not reach it
    assert sound["time-states"].doubtful is False
    found = {one.name: one for one in time_section(shown(evaluation(hmm=0.1))).panels}
    for name in ("time-states", "time-profiles"):
        assert found[name].doubtful
        assert found[name].verdict.level == "poor"
        assert "what it found should not be interpreted" in found[name].verdict.text
    own = evaluation()
    own["predictive"] |= {"context": "states:2", "uses_time": True, "states": STATES}
    panels = {one.name: one for one in time_section(shown(own, own=True)).panels}
    assert panels["time-rbm-states"].doubtful is None


def test_the_states_of_the_rbm_have_their_own_ribbon():
    found = evaluation()
    found["predictive"] |= {"context": "states:2", "uses_time": True, "states": STATES}
    names = [one.name for one in time_section(shown(found, own=True)).panels]
    assert names[1:5] == ["time-rbm-states", "time-rbm-profiles", "time-states", "time-profiles"]
    assert "given 2 hidden states" in time_section(shown(found, own=True)).lead
    # an evaluation of one state has none
    del found["predictive"]["states"]
    assert "time-rbm-states" not in [one.name for one in time_section(shown(found)).panels]


def test_what_is_read_of_time_has_its_own_figures():
    found = evaluation()
    following = {
        "kind": "assemblies", "pairs": 2, "clear": 1, "expected": 0.0, "median_s": 0.1,
        "shorter": 0, "longer": 1,
        "strongest": [{"unit": 0, "follows": 1, "value": 0.4, "stderr": 0.1}],
    }  # fmt: skip
    changing = {
        "kind": "couplings", "labels": ["rest", "task"], "pairs": 15, "changing": 14,
        "expected": 0.2, "threshold": 0.01,
    }  # fmt: skip
    entries = {
        "in_time/influence": np.eye(2), "in_time/influence_clear": np.eye(2, dtype=np.uint8),
        "in_time/time_constant_s": np.array([0.1, 0.0]),
        "in_time/couplings/pairs": np.array([[0, 1], [2, 3]]),
        "in_time/couplings/values": np.array([[0.1, 0.2], [0.3, -0.1]]),
    }  # fmt: skip
    entries = {name: Entry(value, "") for name, value in entries.items()}
    for summary, name, words in (
        (following, "time-influences", "0 follows 1 by +0.400 ± 0.100"),
        (changing, "time-couplings", "Couplings of 14 of 15 pairs change over 2 labels"),
    ):
        page = replace(shown(found), interpretation=Interpretation(entries, {"in_time": summary}))
        (panel,) = (one for one in time_section(page).panels if one.name == name)
        assert words in panel.verdict.text
    alone = replace(shown(found), interpretation=Interpretation({}, {"in_time": None}))
    assert "time-influences" not in [one.name for one in time_section(alone).panels]


def test_without_models_in_time_or_controls_there_is_none():
    assert time_section(shown({"predictive": {"gain": pair(13.0)}, "baselines": {}})) is None
    # a result of an earlier version has no such entry
    assert time_section(shown({"baselines": {"rbm": {"title": "RBM"}}})) is None
    alone = {"predictive": {**evaluation(place_in_trial=0.4)["predictive"]}}
    assert [one.name for one in time_section(shown(alone)).panels] == ["time-gains"]


@pytest.mark.parametrize(
    ("history", "level"), [(15.0, "poor"), (13.1, "fair"), (12.0, "good")]
)  # fmt: skip
def test_the_rbm_is_judged_beside_the_best_with_time(history, level):
    found = verdicts.beside_time(evaluation(history=history))
    assert found.level == level
    assert "GLM on the past" in found.text
    assert "the RBM, which sees the bin alone, has +13.00" in found.text


@pytest.mark.parametrize(
    ("other", "own", "level"), [(0.1, 15.0, "good"), (9.0, 15.0, "poor"), (0.0, -0.1, "unknown")]
)
def test_what_another_segment_tells_is_not_time(other, own, level):
    found = verdicts.controls(evaluation(history=15.0, other_segment=other, place_in_trial=0.4)
                              | {"predictive": {"controls": {
                                  "history": {"gain": pair(own)},
                                  "other_segment": {"gain": pair(other)},
                                  "shuffled_in_segment": {"gain": pair(7.0), "share": 0.5},
                                  "place_in_trial": {"gain": pair(0.4)}}}})  # fmt: skip
    assert found.level == level
    assert "rates that follow the place in the trial gain +0.40 nats" in found.text


@pytest.mark.parametrize(("stay", "level"), [(0.2, "good"), (0.04, "fair"), (0.02, "poor")])
def test_states_are_good_that_stay(stay, level):
    told = {**STATES, "dwell_seen_s": [stay, stay]}
    assert verdicts.states(told, 0.02).level == level
    changing = {"couplings": {"pairs": 30, "changing": 5, "expected": 0.03}}
    assert "5 of 30 pairs change" in verdicts.states({**told, **changing}, 0.02).text


def test_scores_of_a_bin_alone_are_named_so():
    titles = [one["title"] for one in without_time(evaluation()["baselines"]).values()]
    assert titles == ["RBM", "hidden Markov model, without time", "GLM on the past, without time"]


def test_samples_of_a_model_with_a_context_are_not_called_draws_without_order():
    found = evaluation()
    for context in (False, True):
        if context:
            found["predictive"] |= {"context": "past", "uses_time": True}
        page = shown(found)
        panel = rasters(page, reference_of(page))
        label = panel.images[1].drawing.alone().get_xlabel()
        assert ("no order in time" in label) is not context
        assert ("independent draws" in panel.caption) is not context
