"""The loops of the regression in hidden states, against plain formulas."""

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from boltzbrain.baselines.in_time.by_state.weighted_pass import scores, slopes


def bins_of(rng, bins=150, neurons=37, traces=2):
    """Return odds (far and near), a field, own weights, traces and states of neurons."""
    single = np.float32
    odds = rng.normal(-2, 8, size=(bins, neurons)).astype(single)
    odds[0, :4] = (200.0, -200.0, 0.0, 30.0)
    arrays = (
        odds, rng.normal(size=neurons).astype(single),
        rng.normal(size=(traces, neurons)).astype(single),
        rng.normal(size=(bins, traces, neurons)).astype(single),
        rng.integers(0, 2, size=(bins, neurons), dtype=np.uint8),
    )  # fmt: skip
    return [torch.from_numpy(one) for one in arrays]


def plain(odds, field, own, traces, states):
    """Return log P of every bin and neuron, float64."""
    z = odds.double() + field.double() + (own.double() * traces.double()).sum(dim=1)
    return states.double() * z - softplus(z, threshold=700.0)


@pytest.mark.parametrize("traces", [1, 2])
def test_scores_are_those_of_the_plain_formula(traces):
    given = bins_of(np.random.default_rng(0), traces=traces)
    np.testing.assert_allclose(scores(*given), plain(*given).sum(dim=1), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("packed", [False, True])
def test_slopes_are_those_of_the_weighted_scores_of_the_bins_given(packed):
    rng = np.random.default_rng(1)
    odds, field, own, traces, states = bins_of(rng)
    bins = torch.from_numpy(np.sort(rng.choice(150, 90, replace=False)))
    weight = torch.from_numpy(rng.random(90).astype(np.float32))
    with torch.enable_grad():
        free = [one.double().requires_grad_() for one in (odds, field, own)]
        lost = -(weight.double()[:, None] * plain(*free, traces, states)[bins])
        lost.sum().backward()
    given = odds[bins] if packed else odds
    # the slope is added to what stands there
    residual = torch.full_like(given, 0.5)
    value, by_field, by_own = slopes(given, field, own, traces, states, bins, weight, residual)
    np.testing.assert_allclose(value, lost.detach().sum(dim=0), rtol=1e-5)
    wanted = free[0].grad[bins] if packed else free[0].grad
    np.testing.assert_allclose(residual - 0.5, wanted, atol=1e-6)
    np.testing.assert_allclose(by_field, free[1].grad, atol=1e-4)
    np.testing.assert_allclose(by_own, free[2].grad, atol=1e-4)
