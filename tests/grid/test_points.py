"""The search along a grid: it ends at a worse value, goes on at an edge, and says what is left."""

import numpy as np
import pytest

from boltzbrain.baselines.latent import fit_pca
from boltzbrain.baselines.logistic import fit_glm
from boltzbrain.baselines.pairwise.fit import fit_pairwise
from boltzbrain.baselines.protocol import Trial
from boltzbrain.baselines.search import BEYOND, Tried, lies_at_edge, search
from boltzbrain.baselines.vae import fit_vae
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import simulate_assemblies

VALUES = (8.0, 4.0, 2.0)


def searched(top, values=VALUES):
    """Search a score that is highest at `top`; return the best, what was tried, and from where."""
    tried = []

    def fit(value, near):
        tried.append((value, near))
        return Tried(value, -abs(np.log(value / top)), value)

    return search(values, fit), tried


@pytest.mark.parametrize(
    ("top", "best", "tried"),
    [
        (4.0, 4.0, [8, 4, 2]),
        (1.0, 1.0, [8, 4, 2, 1, 0.5]),
        (16.0, 16.0, [8, 4, 16, 32]),
        (1e-9, 0.5, [8, 4, 2, 1, 0.5]),
        (1e9, 32.0, [8, 4, 16, 32]),
    ],
)
def test_it_goes_on_beyond_an_edge_and_no_further_than_need_be(top, best, tried):
    found, seen = searched(top)
    assert found.value == found.model == best
    assert [value for value, _ in seen] == tried
    trials = [Trial({"l2": value}, 0.0) for value in tried]
    assert lies_at_edge({"l2": best}, trials) == (top in (1e-9, 1e9))
    assert BEYOND == 2


def test_each_fit_starts_from_the_best_before():
    _, seen = searched(16.0)
    assert [near for _, near in seen] == [None, 8.0, 8.0, 16.0]


def test_a_single_value_is_a_choice():
    found, seen = searched(1.0, values=(8.0,))
    assert found.value == 8.0
    assert len(seen) == 1
    assert not lies_at_edge({"l2": 8.0}, [Trial({"l2": 8.0}, 0.0)])


@pytest.fixture(scope="module")
def folds():
    truth = simulate_assemblies(
        Generator.from_seed(3, "grid"), neurons=12, assemblies=3, bins=2000, sizes=(4, 4),
        on_fraction=(0.2, 0.2), firing=0.8, background=0.1, overlap=0.0, background_spread=0.3,
    )  # fmt: skip
    return truth.states[:1400], truth.states[1400:]


def test_a_pairwise_model_searches_beyond_penalties_that_are_all_too_strong(folds):
    found = fit_pairwise(
        *folds, Generator.from_seed(0), penalties=(3000.0, 1500.0), factors=(1.0,), chains=200,
        updates=20, rungs=50,
    ).fit  # fmt: skip
    tried = [trial.values["l2"] for trial in found.trials if "l2" in trial.values]
    assert tried == [3000.0, 1500.0, 750.0, 375.0]
    # still too strong, and said
    assert found.chosen["l2"] == 375.0
    assert found.describe()["grid_edge"] is True


def test_the_climb_of_the_likelihood_searches_beyond_the_strongest_penalty(folds):
    # few bins and a pseudo-likelihood of hardly any penalty: a stronger one must be better
    train, validation = folds
    found = fit_pairwise(
        train[:60], validation, Generator.from_seed(0), penalties=(1.0,), factors=(0.2, 0.1),
        chains=500, updates=60, rungs=50,
    ).fit  # fmt: skip
    tried = [t.values["l2_per_bin"] for t in found.trials if "l2_per_bin" in t.values]
    assert max(tried) > tried[0]
    assert found.chosen["l2_per_bin"] > tried[0]


def test_components_and_penalties_go_beyond_their_grids(folds):
    pca = fit_pca(*folds, Generator.from_seed(0), latents=(1, 2)).fit
    assert max(trial.values["latents"] for trial in pca.trials) >= 4
    assert not pca.grid_edge
    vae = fit_vae(
        *folds, Generator.from_seed(0), latents=(3,), penalties=(1.0, 2.0), trial_updates=30,
        updates=30,
    ).fit  # fmt: skip
    assert min(trial.values["l1"] for trial in vae.trials) < 1.0
    fixed = fit_pca(*folds, Generator.from_seed(0), latents=(2,)).fit
    assert [trial.values["latents"] for trial in fixed.trials] == [2]


def test_a_glm_says_how_many_neurons_lie_at_an_edge(folds):
    strong = fit_glm(*folds, Generator.from_seed(0), penalties=(3000.0, 1500.0)).fit
    assert strong.chosen["share_at_weakest"] > 0.5
    assert strong.grid_edge
    # from hardly any weights to weights that grow without end on 60 bins
    train, validation = folds
    every = (1e5, 100.0, 30.0, 10.0, 3.0, 1.0, 1e-6)
    wide = fit_glm(train[:60], validation, Generator.from_seed(0), penalties=every).fit
    assert wide.chosen["share_at_weakest"] + wide.chosen["share_at_strongest"] < 0.05
    assert not wide.grid_edge
