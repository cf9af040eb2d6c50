"""Fields that differ from chain to chain in the compiled loops: the states of the specification.

A draw differs where rounding carries its input across the uniform: one in a million.
"""

from __future__ import annotations

import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import reference
from boltzbrain.kernels.cpu import backend
from boltzbrain.kernels.cpu.annealed.binary import climb_bernoulli
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling import annealing
from boltzbrain.sampling.annealing import AnnealedPath

# visible, hidden, chains: below and above a tile of 64 units, a vector of 16, 256 chains
SIZES = [(60, 20, 300), (3, 1, 20), (64, 64, 5), (130, 70, 90)]


def parts(visible: int, hidden: int, chains: int):
    """Return weights, the fields of both layers by chain, and states."""
    generator = Generator.from_seed(visible, "rows")
    weights = 0.3 * generator.normal((visible, hidden))
    fields = generator.normal((chains, visible)) - 2.0, generator.normal((chains, hidden))
    return weights, *fields, (generator.uniform((chains, visible)) < 0.1).to(torch.uint8)


@pytest.mark.parametrize("sizes", SIZES)
def test_draws_given_rows_are_those_of_the_reference(sizes):
    weights, field, hidden_field, states = parts(*sizes)
    inputs = states.float() @ weights
    for rows in (hidden_field, hidden_field[0]):
        found = backend.draw_bernoulli(inputs, rows, 5, 6)
        assert torch.equal(found, reference.draw_bernoulli(inputs, rows, 5, 6))
    given = (hidden_field, weights, field, 7, 2**33 + 1)
    drawn, sums = backend.draw_and_sum(*given)
    assert int((drawn != reference.draw_and_sum(*given)[0]).sum()) <= 1
    torch.testing.assert_close(sums, drawn.float() @ weights, atol=1e-4, rtol=0)


@pytest.mark.parametrize("moved", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("sizes", SIZES)
def test_sweeps_given_rows_are_those_of_the_reference(sizes, moved):
    weights, *rows, states = parts(*sizes)
    fields = [every if here else every[0] for here, every in zip(moved, rows, strict=True)]
    for dtype in (torch.float32, torch.float64):
        given = (states, *(one.to(dtype) for one in (*fields, weights)), 3, 11, 12)
        found, wanted = backend.sweep_bernoulli(*given), reference.sweep_bernoulli(*given)
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1], wanted[1])


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize("sizes", SIZES)
def test_binary_annealing_with_rows_takes_the_states_of_its_specification(sizes, moving):
    weights, field, hidden_field, states = parts(*sizes)
    foot = field.flip(0) if moving else field
    ts = torch.linspace(0, 1, 12, dtype=torch.float64)
    for fields, hidden in (
        ((foot, field), hidden_field),
        ((foot, field), hidden_field[0]),
        ((field[0], field[0]), hidden_field),
    ):
        given = (states, fields, hidden, weights, ts, 5, 2**33 + 7)
        wanted, wanted_gains = reference.climb_bernoulli(*given)
        found, gains = climb_bernoulli(*given)
        alike = (wanted == found).all(dim=1)
        assert alike.double().mean() > 0.98
        torch.testing.assert_close(gains[:, alike], wanted_gains[:, alike], atol=1e-4, rtol=0)


def hidden_layer(kind: str, units: int):
    field, ones = Generator(3).normal((1, units))[0], torch.ones(units)
    return {
        "bernoulli": lambda: Bernoulli(field),
        "relu": lambda: ReLU(field, 1.5 * ones),
        "drelu": lambda: DReLU(field, 0.3 * field - 0.5, ones, 2.0 * ones),
    }[kind]()


@pytest.mark.parametrize("which", ["both", "visible", "hidden", "foot", "other base"])
@pytest.mark.parametrize("kind", ["bernoulli", "relu", "drelu"])
@pytest.mark.parametrize("sizes", SIZES)
def test_a_fused_climb_with_rows_is_the_climb_rung_by_rung(sizes, kind, which, monkeypatch):
    weights, field, hidden_rows, states = parts(*sizes)
    visible_rows = field + 2.0
    model = RBM(Bernoulli(field[0]), hidden_layer(kind, sizes[1]), weights)
    base = model.independent(field[-1] if which == "other base" else None)
    offsets = {
        "visible": Offsets(visible_rows),
        "hidden": Offsets(None, hidden_rows),
    }.get(which, Offsets(visible_rows, hidden_rows))
    foot = visible_rows.flip(0) if which == "foot" else None
    path = AnnealedPath(base, model, offsets, foot)
    ts = torch.linspace(0, 1, 12, dtype=torch.float64).tolist()
    one, other = Generator(5, 100), Generator(5, 100)
    found, gains = path.climb(states, ts, one)
    monkeypatch.setattr(annealing, "fused_climb", lambda *layers: None)
    wanted, wanted_gains = path.climb(states, ts, other)
    assert one.counter == other.counter
    alike = (wanted == found).all(dim=1)
    assert alike.double().mean() > 0.98
    torch.testing.assert_close(gains[:, alike], wanted_gains[:, alike], atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_calls_and_threads_leave_every_bit_with_rows(kind, monkeypatch):
    weights, field, hidden_rows, states = parts(100, 30, 300)
    model = RBM(Bernoulli(field[0]), hidden_layer(kind, 30), weights)
    path = AnnealedPath(model.independent(), model, Offsets(field, hidden_rows), field.flip(0))
    ts = torch.linspace(0, 1, 12, dtype=torch.float64).tolist()
    whole = path.climb(states, ts, Generator(5))
    swept = model.sweep(states, Generator(6), 2, path.offsets)
    monkeypatch.setattr(
        "boltzbrain.kernels.cpu.annealed.stretches._MOST_PRODUCTS", 5 * 300 * 100 * 30
    )
    monkeypatch.setattr("boltzbrain.kernels.cpu.threads.thread_count", lambda: 1)
    again = path.climb(states, ts, Generator(5))
    assert torch.equal(whole[0], again[0])
    assert torch.equal(whole[1], again[1])
    alone = model.sweep(states, Generator(6), 2, path.offsets)
    assert torch.equal(swept[0], alone[0])
    assert torch.equal(swept[1], alone[1])
