"""Each neuron given all others, against the enumerated model."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.calibration import _quantiles
from boltzbrain.evaluation.conditional import (
    Conditionals,
    conditional_scores,
    conditionals,
    effective_fields,
)
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states, exact_samples


def model_of(kind="bernoulli", visible=6, hidden=3, seed=0, scale=2.0):
    generator = Generator.from_seed(seed, "model")
    weights = scale * generator.normal((visible, hidden), torch.float64)
    layer = KINDS[kind].standard(hidden).to(torch.float64)
    field = generator.normal((1, visible), torch.float64)[0] - weights.sum(dim=1) / 2
    return RBM(Bernoulli(field), layer, weights)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_effective_field_is_the_log_odds_of_flipping_one_neuron(kind):
    model = model_of(kind, scale=0.8)
    states = all_states(model.visible)
    fields = effective_fields(model, states)
    for neuron in range(6):
        on, off = states.clone(), states.clone()
        on[:, neuron], off[:, neuron] = 1, 0
        expected = model.free_energy(off) - model.free_energy(on)
        torch.testing.assert_close(fields[:, neuron], expected, atol=1e-11, rtol=1e-11)


def test_float32_fields_agree_with_float64():
    model = model_of(visible=60, hidden=20)
    states = exact_samples(model, 50, Generator.from_seed(0, "s"))
    exact = effective_fields(model, states)
    torch.testing.assert_close(
        effective_fields(model.to(torch.float32), states).double(), exact, atol=1e-4, rtol=1e-4
    )


def sample_set(model, bins, seed=1, width=10):
    states = exact_samples(model, bins, Generator.from_seed(seed, "data")).numpy()
    return BinSet(states, np.arange(bins) // width)


def test_scores_against_loops():
    model = model_of()
    bins = sample_set(model, 120)
    field = independent_field(torch.from_numpy(bins.states))
    found = conditionals(model, bins)
    result = conditional_scores(found, field)["conditional"]
    gains, neurons = np.zeros((120, 6)), range(6)
    for row, state in enumerate(bins.states):
        for neuron in neurons:
            pair = torch.from_numpy(np.stack([state, state]))
            pair[0, neuron], pair[1, neuron] = 0, 1
            minus = -model.free_energy(pair)
            log_p = (minus[int(state[neuron])] - torch.logsumexp(minus, 0)).item()
            rate = torch.sigmoid(field[neuron]).item()
            gains[row, neuron] = log_p - math.log(rate if state[neuron] else 1 - rate)
    spikes = bins.states.sum(axis=0)
    assert result["bits_per_spike"] == pytest.approx(gains.sum() / math.log(2) / spikes.sum())
    assert result["median_neuron_bits_per_spike"] == pytest.approx(
        np.median(gains.sum(axis=0) / math.log(2) / spikes)
    )
    sums = (gains.sum(axis=1) - gains.sum(axis=1).mean()).reshape(12, 10).sum(axis=1)
    error = math.sqrt(12 / 11 * np.sum(sums**2)) / 120
    unit = math.log(2) * spikes.sum() / 120
    assert result["stderr"] == pytest.approx(error / unit)
    assert result["bins"] == 120


def test_calibration_against_loops():
    generator = np.random.default_rng(0)
    fields = generator.normal(size=(60, 5)).astype(np.float32)
    states = (generator.random((60, 5)) < 0.4).astype(np.uint8)
    cluster = np.arange(60) // 6
    found = Conditionals(fields, states, cluster).calibration(4)
    flat, active = fields.ravel(), states.ravel()
    order = np.argsort(flat)
    for number, members in enumerate(np.array_split(order, 4)):
        predicted = 1 / (1 + np.exp(-flat[members].astype(float)))
        assert found.weights[number] == pytest.approx(0.25)
        assert found.fields[number] == pytest.approx(flat[members].mean(), rel=1e-5)
        assert found.predicted[number] == pytest.approx(predicted.mean())
        assert found.observed[number] == pytest.approx(active[members].mean())
        residual = active[members] - predicted
        residual -= residual.mean()
        rows = cluster[members // 5]
        sums = [residual[rows == one].sum() for one in range(10)]
        expected = math.sqrt(10 / 9 * np.sum(np.square(sums))) / len(members)
        assert found.stderr[number] == pytest.approx(expected)
    assert found.error == pytest.approx(np.mean(np.abs(found.observed - found.predicted)))
    assert Conditionals(fields, states, cluster).calibration(1).weights.tolist() == [1.0]


def test_quantiles_of_counted_values_are_those_of_the_values():
    generator = np.random.default_rng(2)
    values, shares = np.sort(generator.normal(size=40)), np.linspace(0, 1, 24)
    counts = generator.integers(0, 5, 40)
    expected = np.quantile(np.repeat(values, counts), shares)
    np.testing.assert_allclose(_quantiles(values, counts, shares), expected, rtol=1e-12)


def test_the_model_that_made_the_data_is_calibrated_and_a_stronger_one_is_not():
    # independent bins: each of 100 quantiles lies outside 3 errors with p = 0.003; more than 10 of
    # them do with a probability below 1e-9
    model = model_of(visible=12, hidden=4, scale=1.5)
    bins = sample_set(model, 20_000, width=20)
    right = conditionals(model, bins).calibration()
    assert right.within() >= 0.9
    assert right.error < 0.01
    doubled = RBM(model.visible, model.hidden, 1.5 * model.weights)
    wrong = conditionals(doubled, bins).calibration()
    assert wrong.within() < 0.5
    assert wrong.error > 0.03


def test_large_data_are_sampled_by_bin(monkeypatch):
    model = model_of()
    bins = sample_set(model, 200)
    monkeypatch.setattr("boltzbrain.evaluation.conditional._WORK", 50 * 18)
    found = conditionals(model, bins, seed=3)
    assert found.fields.shape == (50, 6)
    assert found.cluster.max() + 1 == len(np.unique(found.cluster))
    again = conditionals(model, bins, seed=3)
    np.testing.assert_array_equal(found.fields, again.fields)


def test_without_test_bins_or_spikes_figures_are_undefined():
    model = model_of()
    empty = conditional_scores(None, torch.zeros(6))
    assert isinstance(empty["conditional"]["bits_per_spike"], Undefined)
    assert isinstance(empty["h_eff"]["calibration_error"], Undefined)
    silent = BinSet(np.zeros((8, 6), np.uint8), np.zeros(8, np.int64))
    result = conditional_scores(conditionals(model, silent), torch.zeros(6))
    assert isinstance(result["conditional"]["bits_per_spike"], Undefined)
    assert isinstance(result["h_eff"]["fraction_within_3_stderr"], Undefined)
    assert result["h_eff"]["calibration_error"] > 0
