"""The first screen: its sentences, its scores on one scale, and the figure that it chooses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.file import Entry, Interpretation, map_entries
from boltzbrain.interpretation.regions.maps import RegionMaps
from boltzbrain.pages import story
from boltzbrain.pages.glance import glance
from boltzbrain.pages.glossary import GLOSSARY, explained
from boltzbrain.pages.page import PageData
from boltzbrain.pages.verdicts.checks import Check
from boltzbrain.pages.verdicts.verdict import Verdict
from boltzbrain.sampling.synthetic import random_model

NEURONS, UNITS = 12, 3
GOOD = [Check("gain", "Held-out score", Verdict("good", ""))]


def reading(*, positions=True, regions=True, sizes=(4, 6, 0), compact=None):
    """Return a reading of twelve neurons and three hidden units."""
    strongest = np.arange(NEURONS) % 2
    values = {
        "assemblies/sizes": np.array(sizes),
        "neurons/id": np.array([str(one) for one in range(NEURONS)], dtype=object),
        "neurons/strongest_assembly": strongest,
        "neurons/positioned": np.full(NEURONS, int(positions), dtype=np.uint8),
        "neurons/xyz_um": np.random.default_rng(0).uniform(0, 99, (NEURONS, 3)),
    }
    if compact is not None:
        values["assemblies/compactness/p_value"] = np.array(compact)
    entries = {name: Entry(array, "noise") for name, array in values.items()}
    test = {"within": 0.6, "between": 0.2, "p_value": 0.004}
    told = None
    if regions:
        square = np.array([[2.0, 1.0], [1.0, 2.0]])
        counts = np.array([6, 6])
        maps = RegionMaps(("CA1", "VISp"), counts, np.outer(counts, counts), square, square, square)
        entries["regions/names"] = Entry(np.array(["CA1", "VISp"], dtype=object), "noise")
        entries["regions/counts"] = Entry(maps.counts, "noise")
        entries["regions/pairs"] = Entry(maps.pairs, "noise")
        entries |= map_entries(maps, "uniform", "noise", "1")
        told = {"label_tests": {"uniform": {"l1": test}}}
    return Interpretation(entries, {"assemblies": {"embedded": 0.75}, "regions": told})


def scored(gain=5.0, **models):
    """Return an evaluation; of each model its gain, and how far the RBM lies above it."""
    own = {"value": gain, "stderr": 0.3, "stderr_log_partition": 0.4}
    found = {
        name: {
            "title": name,
            "gain": {"value": value, "stderr": 0.3, "stderr_log_partition": 0.4, "kind": kind},
            "rbm_minus_this": {"gain": {"value": gain - value, "stderr": 0.1}},
        }
        for name, (value, kind) in models.items()
    }
    return {
        "log_likelihood": {"gain": own, "bits_per_spike": 0.25, "unreliable": []},
        **({"baselines": found} if found else {}),
    }


def page(**more):
    bins = BinSet((np.random.default_rng(1).random((40, NEURONS)) < 0.2).astype(np.uint8),
                  np.arange(40))  # fmt: skip
    given = {
        "title": "a.npz", "card": [], "plan": [], "log": pd.DataFrame(), "chosen_update": 1,
        "evaluation": scored(), "train": bins, "test": bins, "generated": bins,
        "test_segment": np.zeros(40, dtype=np.int32), "bin_width_s": 0.02,
        "regions": ["CA1"] * 6 + ["VISp"] * 6, "neuron_ids": [""] * NEURONS, "bins": 6000,
        "model": random_model("bernoulli", NEURONS, UNITS, Generator.from_seed(0)),
    }  # fmt: skip
    return PageData(**{**given, **more})


def test_what_was_found_is_told_by_the_figures_of_the_reading():
    told = story.found(reading(compact=[0.01, 0.5, np.nan]))
    assert told[0].startswith("2 assemblies:")
    assert "of 5 neurons in the median; 75% of the 12 neurons" in told[0]
    assert "3 times as strong as between regions (p = 0.004" in told[1]
    assert told[2].startswith("1 of 2 assemblies lie closer in space than shuffled ones")
    assert len(story.found(reading(regions=False))) == 1


def test_hidden_units_without_members_are_no_assemblies():
    (told,) = story.found(reading(sizes=(0, 0, 0)))
    assert told.startswith("No neuron is tied")


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({}, "(0.250 bits per spike)."),
        ({"ising": (4.0, "log-likelihood")}, "1.00 ± 0.10 above the best simpler model, ising."),
        ({"ising": (4.9, "log-likelihood")}, "0.10 ± 0.10 not clearly above the best"),
        ({"ising": (6.0, "log-likelihood"), "pca": (1.0, "log-likelihood")}, "1.00 ± 0.10 below"),
        # nothing follows from a bound for the model whose bound it is
        ({"vae": (6.0, "lower bound"), "pca": (1.0, "log-likelihood")}, "above the best simpler "
         "model, pca."),
    ],
)  # fmt: skip
def test_the_score_stands_beside_the_best_simpler_model(models, words):
    told = story.scored(scored(**models))
    assert told.startswith("+5.00 ± 0.50 nats per test bin over independent neurons")
    assert words in told


def test_without_held_out_bins_there_is_no_score():
    found = scored()
    found["log_likelihood"]["gain"]["value"] = None
    assert story.scores(found) == []
    assert "No bins were held out" in story.scored(found)


def test_bars_share_one_scale_with_zero_in_it():
    found = glance(page(evaluation=scored(ising=(-5.0, "log-likelihood"))), GOOD).bars
    by_name = {one.score.title: one for one in found}
    # from -5.5 to 5.5, so that zero lies in the middle
    assert by_name["RBM"].start == pytest.approx(50)
    assert by_name["RBM"].width == pytest.approx(5 / 11 * 100, abs=0.01)
    assert by_name["RBM"].high == pytest.approx(100)
    assert by_name["ising"].low == pytest.approx(0)
    assert glance(page(), GOOD).bars == []


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (reading(), "Neurons at their places"),
        (reading(positions=False), "between and within regions"),
        (reading(positions=False, regions=False), "sorted by the assembly"),
        (None, "sorted by the hidden unit"),
    ],
)
def test_the_figure_shows_as_much_as_is_known(read, words):
    shown = glance(page(interpretation=read), GOOD)
    assert words in shown.caption
    assert shown.finding.address.startswith("data:image/")
    assert words in shown.finding.words
    if read is None:
        assert "boltzbrain interpret" in shown.answer[0]


def test_a_model_that_failed_is_doubtful():
    failed = [replace(GOOD[0], verdict=Verdict("poor", "nothing"))]
    assert glance(page(), failed).doubtful
    assert not glance(page(), GOOD).doubtful


def test_words_are_explained_once_and_text_stays_text():
    told = explained("Assemblies & an assembly <b> of the test fold")
    assert told.count("<abbr") == 2
    assert "&lt;b&gt;" in told
    assert "&amp;" in told
    assert GLOSSARY["assembly"] in told
    assert explained("nothing of the kind") == "nothing of the kind"
    assert explained("told after `a <b>`") == "told after <code>a &lt;b&gt;</code>"
