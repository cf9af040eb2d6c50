"""The fused pass of logistic regression beside its plain twin."""

import itertools

import numpy as np
import pytest
import torch

from boltzbrain.baselines.logistic_loops import BLOCK, TILE, listed_bins, logistic_loss
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.kernels.cpu.threads import one_thread


def twin(states, targets, weights, field):
    """Return value, slopes by weights and by fields in float64."""
    given = torch.from_numpy(states).to(torch.float64)
    odds = given @ torch.from_numpy(weights).to(torch.float64) + torch.from_numpy(field)
    active = given[:, torch.from_numpy(targets)]
    rest = torch.sigmoid(odds) - active
    value = -bernoulli_log_likelihood(odds, active).sum(dim=0)
    return value.numpy(), (given.T @ rest).numpy(), rest.sum(dim=0).numpy()


def problem(neurons, targets, scale):
    rng = np.random.default_rng(0)
    states = (rng.random((1300, neurons)) < rng.random(neurons) * 0.4).astype(np.uint8)
    weights = rng.normal(0, scale, (neurons, targets)).astype(np.float32)
    field = rng.normal(-1, scale, targets).astype(np.float32)
    chosen = rng.permutation(neurons)[:targets]
    return states, np.sort(chosen), weights, field


# fields of up to some hundreds, where a probability is 0 or 1 to the last digit
@pytest.mark.parametrize(
    ("neurons", "targets", "scale"), [(70, 5, 0.1), (130, TILE + 6, 0.5), (64, 4 * TILE, 30.0)]
)
def test_the_fused_pass_gives_what_its_plain_twin_gives(neurons, targets, scale):
    states, chosen, weights, field = problem(neurons, targets, scale)
    found = logistic_loss(listed_bins(states), states[:, chosen], weights, field)
    value, slopes, total = twin(states, chosen, weights, field)
    np.testing.assert_allclose(found.value, value, rtol=2e-6)
    np.testing.assert_allclose(found.weights, slopes, rtol=1e-5, atol=2e-3)
    np.testing.assert_allclose(found.field, total, rtol=1e-5, atol=2e-3)


def test_the_fused_pass_does_not_depend_on_the_number_of_threads():
    states, chosen, *point = problem(70, 5, 0.1)
    listed, active = listed_bins(states), states[:, chosen]
    shared = logistic_loss(listed, active, *point)
    with one_thread():
        alone = logistic_loss(listed_bins(states), active, *point)
    for one, other in zip(shared, alone, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("bins", "neurons"), [(BLOCK + 1, 63), (3, 64), (2 * BLOCK, 130)])
def test_lists_name_every_spike_by_bin_and_by_neuron(bins, neurons):
    states = (np.random.default_rng(1).random((bins, neurons)) < 0.3).astype(np.uint8)
    listed = listed_bins(states)
    of_bin, of_neuron = np.nonzero(states)
    np.testing.assert_array_equal(listed.neurons, of_neuron)
    np.testing.assert_array_equal(np.diff(listed.ends), states.sum(axis=1))
    found = np.zeros_like(states)
    for block, ends in enumerate(listed.block_ends):
        for neuron, (first, last) in enumerate(itertools.pairwise(ends)):
            found[block * BLOCK + listed.bins[first:last].astype(int), neuron] += 1
    np.testing.assert_array_equal(found, states)
    assert len(listed.bins) == len(of_bin)
