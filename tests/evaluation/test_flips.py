"""Turning single neurons by products beside the plain loop over Gamma."""

import pytest
import torch

from boltzbrain.evaluation import conditional
from boltzbrain.evaluation.conditional import effective_fields
from boltzbrain.evaluation.dynamics import kinetics
from boltzbrain.evaluation.dynamics.kinetics import glauber_updates
from boltzbrain.evaluation.flips import turns_fast
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM


def model_of(scale, hidden=70):
    generator = Generator.from_seed(0, "tests", "flips")
    weights = scale * generator.normal((40, hidden), dtype=torch.float32)
    fields = [generator.normal((1, size), dtype=torch.float32)[0] for size in (40, hidden)]
    return RBM(Bernoulli(fields[0] - 1), Bernoulli(fields[1]), weights)


def plain(monkeypatch):
    for module in (conditional, kinetics):
        monkeypatch.setattr(module, "turns_fast", lambda model: False)


# the last: products of units leave float32, as those of a training that ran away
@pytest.mark.parametrize("scale", [0.1, 2.0, 9.0])
def test_fields_by_products_are_those_of_the_plain_loop(scale, monkeypatch):
    model = model_of(scale)
    states = (torch.arange(30 * 40).reshape(30, 40) % 7 < 2).to(torch.uint8)
    assert turns_fast(model)
    fast = effective_fields(model, states)
    plain(monkeypatch)
    exact = effective_fields(model.to(torch.float64), states)
    torch.testing.assert_close(fast.double(), exact, atol=2e-5 * max(1, scale), rtol=1e-5)


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_updates_by_products_draw_the_states_of_the_plain_loop(scale, monkeypatch):
    model = model_of(scale)
    start = (torch.arange(50 * 40).reshape(50, 40) % 5 == 0).to(torch.uint8)
    kept = start.clone()
    draws = Generator.from_seed(1, "tests", "flips")
    fast = glauber_updates(model, start, 200, Generator.from_seed(1, "tests", "flips"))
    plain(monkeypatch)
    # equal but for thresholds within a rounding of the odds: 1 in 100,000 of 10,000 updates
    slow = glauber_updates(model, start, 200, draws)
    assert (fast != start).any()
    torch.testing.assert_close(start, kept)
    torch.testing.assert_close(fast, slow)
