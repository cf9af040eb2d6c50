"""First weights and fields from the data."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn import decomposition
from sklearn.metrics import roc_auc_score

from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import random_model, simulate_assemblies
from boltzbrain.training.update import first_weights as initial
from boltzbrain.training.update.first_weights import LARGEST, at_rates, component_weights


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_fields_hold_the_rates_of_neurons(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(kind, 30, 5, Generator.from_seed(1, kind), weight_std=0.5)
    states = (Generator.from_seed(2).uniform((400, 30)) < 0.2).to(torch.uint8)
    rates = torch.linspace(0.01, 0.6, 30, dtype=torch.float64)
    found = at_rates(model, states, rates, Generator.from_seed(3))
    hidden = model.sample_hidden(states, Generator.from_seed(3))
    active = torch.sigmoid(found.inputs_to_visible(hidden).double() + found.visible.field.double())
    assert torch.allclose(active.mean(dim=0), rates, atol=1e-6)
    before = torch.sigmoid(model.inputs_to_visible(hidden).double() + model.visible.field.double())
    assert not torch.allclose(before.mean(dim=0), rates, atol=1e-2)
    # in parts it is the same
    monkeypatch.setattr(initial, "VALUES", 7 * len(states))
    apart = at_rates(model, states, rates, Generator.from_seed(3))
    assert torch.allclose(apart.visible.field, found.visible.field, atol=1e-5)


def test_first_weights_point_along_assemblies() -> None:
    truth = simulate_assemblies(
        Generator.from_seed(4), neurons=300, bins=2000, assemblies=5, sizes=(20, 60)
    )
    weights = component_weights(torch.from_numpy(truth.states), 8, 0)
    assert weights.shape == (300, 8)
    assert float(weights.norm(dim=1).max()) <= LARGEST + 1e-6
    assert (weights.sum(dim=0) >= 0).all()
    for members in truth.membership.T:
        areas = [roc_auc_score(members, column) for column in weights.T.numpy()]
        assert max(areas) > 0.95
    # each neuron on its own: bins of every neuron in an order of their own
    order = np.random.default_rng(0).random(truth.states.shape).argsort(axis=0)
    alone = np.take_along_axis(truth.states, order, axis=0)
    control = component_weights(torch.from_numpy(alone), 8, 0)
    for members in truth.membership.T:
        areas = [abs(roc_auc_score(members, column) - 0.5) for column in control.T.numpy()]
        assert max(areas) < 0.3


def test_components_that_still_turn_are_a_start_without_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = decomposition.FastICA
    monkeypatch.setattr(
        decomposition, "FastICA", lambda **asked: whole(**{**asked, "max_iter": 2, "tol": 1e-12})
    )
    truth = simulate_assemblies(
        Generator.from_seed(4), neurons=60, bins=500, assemblies=3, sizes=(15, 25)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert component_weights(torch.from_numpy(truth.states), 4, 0).isfinite().all()
