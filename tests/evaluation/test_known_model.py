"""A recording simulated from a known model, evaluated with that model: every mark must be full."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.evaluate import evaluate_model
from boltzbrain.evaluation.samples import Samples
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples

BINS, NEURONS, HIDDEN = 100_000, 40, 8


@pytest.fixture(scope="module")
def known():
    """Return a model of 8 assemblies of 5 neurons, and 100,000 independent bins of it."""
    generator = Generator.from_seed(0, "known model")
    weights = torch.zeros((NEURONS, HIDDEN))
    weights[torch.arange(NEURONS), torch.arange(NEURONS) // 5] = 3.5
    field = -3.0 + 0.5 * generator.normal((1, NEURONS))[0]
    # each unit is on in about a quarter of the bins, some more and some less
    pull = softplus(field + 3.5) - softplus(field)
    spread = torch.linspace(-0.8, 0.8, HIDDEN)
    hidden = spread - pull.reshape(HIDDEN, 5).sum(dim=1) - 1.1
    model = RBM(Bernoulli(field), Bernoulli(hidden), weights)
    states = exact_samples(model, BINS, Generator.from_seed(1, "known data")).numpy()
    segment = (np.arange(BINS) // 100).astype(np.int32)
    fold = np.where(segment % 20 < 14, 0, np.where(segment % 20 < 17, 1, 2)).astype(np.int8)
    table = neuron_table([str(number) for number in range(NEURONS)])
    source = Source("simulated", "memory", "")
    return model, Activity(states, 0.02, segment, fold, table, {}, (), source)


def test_a_known_model_gets_full_marks(known):
    model, activity = known
    result = evaluate_model(model, activity, ais_chains=200, ais_rungs=100)
    statistics, scores = result["statistics"], result["log_likelihood"]
    for name in ("rates", "covariances", "correlations", "triplets", "triplets_most_active"):
        assert statistics[name]["ratio"] >= 0.98, name
        assert statistics[name]["interval"][1] >= 0.99, name
    assert statistics["population_count"]["total_variation"] <= 0.05
    assert statistics["h_eff"]["fraction_within_3_stderr"] >= 0.9
    assert statistics["h_eff"]["calibration_error"] <= 0.01
    for name in ("v", "h", "vh", "vv"):  # the assemblies are independent: hh is noise around 0
        assert statistics["nrmse"][name] <= 0.1, name
    forward = scores["log_partition"]["forward"]
    # false-alarm rate of 4 standard errors: 6e-5
    assert abs(forward["value"] - exact_log_partition(model)) < 4 * forward["stderr"]
    assert scores["gain"]["value"] > 10 * scores["gain"]["stderr"]
    assert result["conditional"]["bits_per_spike"] > 0.1


def test_a_model_without_its_couplings_gets_bad_marks(known):
    # the negative control: the same marks must be able to fail
    model, activity = known
    first = activity.segment < 200
    activity = replace(
        activity,
        states=activity.states[first],
        segment=activity.segment[first],
        fold=activity.fold[first],
    )
    rates = torch.from_numpy(activity.states_of("train").mean(axis=0)).to(torch.float32)
    poor = RBM(Bernoulli(torch.logit(rates)), model.hidden, torch.zeros_like(model.weights))
    drawn = exact_samples(poor, 20_000, Generator.from_seed(2, "poor")).numpy()
    samples = Samples(drawn, np.arange(len(drawn)), 0)
    result = evaluate_model(poor, activity, samples=samples, ais_chains=20, ais_rungs=10)
    statistics = result["statistics"]
    assert statistics["rates"]["ratio"] > 0.98
    for name in ("covariances", "triplets_most_active"):
        assert statistics[name]["interval"][1] < 0.5, name
    assert (
        statistics["population_count"]["total_variation"]
        > statistics["population_count"]["band"][1]
    )
    assert statistics["nrmse"]["vv"] > 0.8
    assert abs(result["log_likelihood"]["gain"]["value"]) < 0.02
