"""Annealing in one call: the states of rung-by-rung sweeps, and their log-weights."""

from __future__ import annotations

import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import reference
from boltzbrain.kernels.cpu.annealed.binary import climb_bernoulli
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.fused_sweeps import fused_climb
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling import annealing
from boltzbrain.sampling.annealing import AnnealedPath

# visible, hidden, chains, rungs: below and above a tile of 64 units, a vector of 16, 64 chains
SIZES = [(60, 20, 150, 30), (3, 1, 20, 5), (64, 64, 5, 2), (130, 70, 90, 12), (300, 17, 33, 6)]


def _parts(visible: int, hidden: int, chains: int, rungs: int):
    generator = Generator.from_seed(visible, "annealed")
    weights = 0.3 * generator.normal((visible, hidden))
    fields = [generator.normal((1, visible))[0] - 2.0 for _ in range(2)]
    field = generator.normal((1, hidden))[0]
    states = (generator.uniform((chains, visible)) < 0.1).to(torch.uint8)
    return weights, fields, field, states, torch.linspace(0, 1, rungs, dtype=torch.float64)


def test_other_types_than_float32_climb_rung_by_rung():
    weights, (start, end), field, states, ts = _parts(*SIZES[0])
    taken = []
    for dtype in (torch.float32, torch.float64):
        ends = (Bernoulli(start.to(dtype)), Bernoulli(end.to(dtype)))
        kernel = fused_climb(ends[1], Bernoulli(field))
        given = (Bernoulli(field.to(dtype)), weights.to(dtype), states.clone(), ts.tolist())
        stream = Generator.from_seed(0)
        taken.append(kernel(ends, *given, stream, None, None) is not None)
        # what is left to others has drawn nothing
        assert taken[-1] or stream.take(1) == Generator.from_seed(0).take(1)
    assert taken == [True, False]


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("sizes", SIZES)
def test_binary_annealing_takes_the_states_of_its_specification(sizes, moving):
    weights, (start, end), field, states, ts = _parts(*sizes)
    fields = (start, end) if moving else (start, start)
    kept = states.clone()
    for places in (ts, ts.flip(0)):
        given = (states, fields, field, weights, places, 5, 2**33 + 7)
        wanted, wanted_gains = reference.climb_bernoulli(*given)
        found, gains = climb_bernoulli(*given)
        # a draw may fall between two roundings of its probability: once in 10**7
        alike = (wanted == found).all(dim=1)
        assert alike.double().mean() > 0.98
        torch.testing.assert_close(gains[:, alike], wanted_gains[:, alike], atol=1e-4, rtol=0)
    assert torch.equal(states, kept)


def _hidden(kind: str, field: torch.Tensor):
    ones = torch.ones_like(field)
    return {
        "bernoulli": lambda: Bernoulli(field),
        "relu": lambda: ReLU(field, 1.5 * ones),
        "drelu": lambda: DReLU(field, 0.3 * field - 0.5, ones, 2.0 * ones),
    }[kind]()


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("kind", ["bernoulli", "relu", "drelu"])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_fused_climb_is_the_climb_rung_by_rung(sizes, kind, moving, monkeypatch):
    weights, (start, end), field, states, ts = _parts(*sizes)
    model = RBM(Bernoulli(end), _hidden(kind, field), weights)
    path = AnnealedPath(model.independent(start if moving else None), model)
    one, other = Generator(5, 100), Generator(5, 100)
    found, gains = path.climb(states, ts.tolist(), one)
    monkeypatch.setattr(annealing, "fused_climb", lambda *layers: None)
    wanted, wanted_gains = path.climb(states, ts.tolist(), other)
    assert one.counter == other.counter
    alike = (wanted == found).all(dim=1)
    assert alike.double().mean() > 0.98
    torch.testing.assert_close(gains[:, alike], wanted_gains[:, alike], atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_calls_and_threads_leave_every_bit_of_a_climb(kind, monkeypatch):
    weights, (start, end), field, states, ts = _parts(100, 30, 300, 25)
    model = RBM(Bernoulli(end), _hidden(kind, field), weights)
    path = AnnealedPath(model.independent(start), model)
    whole = path.climb(states, ts.tolist(), Generator(5))
    monkeypatch.setattr(
        "boltzbrain.kernels.cpu.annealed.stretches._MOST_PRODUCTS", 5 * 300 * 100 * 30
    )
    monkeypatch.setattr("boltzbrain.kernels.cpu.threads.thread_count", lambda: 1)
    again = path.climb(states, ts.tolist(), Generator(5))
    assert torch.equal(whole[0], again[0])
    assert torch.equal(whole[1], again[1])
