"""Experiments in silico against sums over all states of small models."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_silico import perturb as perturbation
from boltzbrain.interpretation.in_silico.free_energies import free_energy_difference
from boltzbrain.interpretation.in_silico.perturb import (
    NOTHING,
    Clamp,
    condition,
    perturb,
    probabilities,
    sample_conditioned,
    silence,
)
from boltzbrain.model.layers.discrete import Bernoulli, Ising
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.synthetic import random_model
from helpers.enumeration import exact_distribution

NEURONS, HIDDEN = 6, 3


def small(kind: str, seed: int = 0, visible_kind: str = "bernoulli") -> RBM:
    return random_model(
        kind, NEURONS, HIDDEN, Generator.from_seed(seed, "perturbation", kind),
        visible_kind=visible_kind, weight_std=1.0, dtype=torch.float64,
    )  # fmt: skip


def conditional_means(model: RBM, given: dict[int, int]) -> np.ndarray:
    """P(active | given) of every neuron by a loop over all states."""
    states, log_probability = exact_distribution(model)
    active = (states == states.max()).numpy()
    fits = (active[:, list(given)] == list(given.values())).all(axis=1)
    chance = np.exp(log_probability.numpy()) * fits
    return chance @ active / chance.sum()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_clamped_neurons_leave_the_exact_conditional(kind):
    model, given = small(kind), {1: 1, 4: 0}
    found = probabilities(model, Clamp(given), Generator.from_seed(0))
    assert found.exact
    np.testing.assert_allclose(found.mean, conditional_means(model, given), atol=1e-12)
    free = probabilities(model, NOTHING, Generator.from_seed(0))
    np.testing.assert_allclose(free.mean, conditional_means(model, {}), atol=1e-12)


def test_clamped_spins_leave_the_exact_conditional():
    model, given = small("bernoulli", visible_kind="ising"), {2: 1, 3: 0}
    assert isinstance(model.visible, Ising)
    found = probabilities(model, Clamp(given), Generator.from_seed(0))
    np.testing.assert_allclose(found.mean, conditional_means(model, given), atol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_weights_of_the_conditioned_model_are_those_of_the_whole(kind):
    """log_weight closes the gap between the free units' energy and the whole model's."""
    model = small(kind, 1)
    amount = 1.0 if kind in ("bernoulli", "ising") else 0.7
    clamp = Clamp({0: 1, 5: 0}, hidden={1: amount})
    given = condition(model, clamp)
    for free in itertools.product((0, 1), repeat=4):
        whole = torch.tensor([[1, *free, 0]], dtype=torch.float64)
        part = torch.tensor([free], dtype=torch.float64)
        hidden = torch.zeros((1, HIDDEN), dtype=torch.float64)
        hidden[0, 1] = amount
        # the other hidden units are summed by hand; at 0 they have no energy
        others = model.hidden.log_partition(model.inputs_to_hidden(whole))[0]
        expected = float(others[0] + others[2] - model.energy(whole, hidden)[0])
        got = given.log_weight - float(given.model.free_energy(part)[0])
        assert got == pytest.approx(expected, abs=1e-10)
    assert given.whole(torch.zeros(2, 4)).tolist() == [[1, 0, 0, 0, 0, 0]] * 2


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_removed_units_are_units_without_weights(kind):
    model = small(kind, 2)
    weights = model.weights.clone()
    weights[:, 1] = 0.0
    found = probabilities(model, Clamp(removed=frozenset({1})), Generator.from_seed(0))
    without = probabilities(RBM(model.visible, model.hidden, weights), NOTHING, Generator(0))
    np.testing.assert_allclose(found.mean, without.mean, atol=1e-12)
    whole = probabilities(model, NOTHING, Generator(0))
    assert np.abs(found.mean - whole.mean).max() > 1e-3


def test_an_assembly_moves_its_members_and_nobody_else():
    weights = torch.zeros(NEURONS, 2)
    weights[:3, 0] = 2.0
    weights[3:5, 1] = 2.0
    model = RBM(Bernoulli(torch.full((NEURONS,), -2.0)), Bernoulli(torch.zeros(2)), weights)
    regions = Regions.from_labels(["a", "a", "a", "b", "b", ""])
    found = perturb(
        model, Clamp(hidden={0: 1.0}), Generator(0), baseline=Clamp(hidden={0: 0.0}),
        regions=regions,
    )  # fmt: skip
    expected = 0.5 - 1 / (1 + np.exp(2.0))
    np.testing.assert_allclose(found.change, [expected] * 3 + [0.0] * 3, atol=1e-7)
    np.testing.assert_allclose(found.region_change, [expected, 0.0], atol=1e-7)
    assert found.stderr.tolist() == [0.0] * 6
    assert found.region_stderr.tolist() == [0.0] * 2
    lesion = perturb(model, silence([0]), Generator(0))
    assert lesion.change[0] < 0
    assert (lesion.change[1:3] < 0).all()
    np.testing.assert_allclose(lesion.change[3:], 0.0, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_chains_agree_with_the_sum_within_their_errors(kind, monkeypatch):
    model, clamp = small(kind, 3), Clamp({1: 1})
    regions = Regions.from_labels(["a", "a", "a", "b", "b", "b"])
    exact = probabilities(model, clamp, Generator(0), regions=regions)
    drawn = sample_conditioned(model, clamp, 4000, Generator.from_seed(1)).to(torch.float64)
    monkeypatch.setattr(perturbation, "EXACT_UNITS", 0)
    found = probabilities(
        model, clamp, Generator.from_seed(0), regions=regions, chains=300, sweeps=50, measured=20
    )
    assert not found.exact
    free = np.array([0, 2, 3, 4, 5])
    # 5 neurons at 5 standard errors: a false alarm in 3e-6 of runs
    assert (np.abs(found.mean - exact.mean)[free] < 5 * found.stderr[free] + 1e-3).all()
    assert (found.stderr[free] > 0).all()
    assert (found.mean[1], found.stderr[1]) == (1.0, 0.0)
    gap = np.abs(found.region_mean - exact.region_mean)
    assert (gap < 5 * found.region_stderr + 1e-3).all()
    spread = np.sqrt(exact.mean * (1 - exact.mean) / 4000)
    assert (np.abs(drawn.mean(dim=0).numpy() - exact.mean) <= 5 * spread).all()
    # and the same test fails for another clamp
    other = probabilities(model, Clamp({1: 0}), Generator(0))
    assert (np.abs(found.mean - other.mean)[free] > 5 * found.stderr[free]).any()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_free_energy_difference_is_the_log_of_the_ratio(kind, monkeypatch):
    model = small(kind, 4)
    states, log_probability = exact_distribution(model)
    chance = torch.exp(log_probability)
    both, none = (
        float(chance[(states[:, 0] == value) & (states[:, 2] == value)].sum()) for value in (1, 0)
    )
    clamps = Clamp({0: 1, 2: 1}), Clamp({0: 0, 2: 0})
    found = free_energy_difference(model, *clamps, Generator(0))
    assert found.exact
    assert found.value == pytest.approx(np.log(both / none), abs=1e-10)
    monkeypatch.setattr(perturbation, "EXACT_UNITS", 0)
    estimate = free_energy_difference(model, *clamps, Generator.from_seed(5), chains=200, rungs=200)
    assert not estimate.exact
    assert estimate.reliable
    assert abs(estimate.value - found.value) < 5 * estimate.stderr + 1e-3


@pytest.mark.parametrize(
    ("clamp", "words"),
    [
        (Clamp({6: 1}), "clamp.neurons must be a whole number, at least 0 and at most 5; got 6"),
        (Clamp({1: 2}), "be 0 or 1"),
        (Clamp(hidden={0: 0.5}), "be one of: 0, 1"),
        (Clamp(hidden={3: 1.0}), "clamp.hidden"),
        (Clamp(hidden={0: 1.0}, removed=frozenset({0})), "name no clamped hidden unit"),
        (Clamp(dict.fromkeys(range(6), 0)), "at least one neuron free"),
        (Clamp(removed=frozenset(range(3))), "at least one hidden unit free"),
    ],
)
def test_impossible_clamps_are_refused(clamp, words):
    with pytest.raises(InputError, match=words):
        condition(small("bernoulli"), clamp)


def test_units_cut_at_0_take_no_negative_value():
    with pytest.raises(InputError, match="a value that the unit can take"):
        condition(small("relu"), Clamp(hidden={0: -0.1}))
    condition(small("drelu"), Clamp(hidden={0: -0.1}))
