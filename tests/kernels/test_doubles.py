"""Rectified units eight at a time, and sweeps of them in one call, give what plain ways give."""

import numpy as np
import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu import threads
from boltzbrain.kernels.cpu.doubles import rectified, sweeps
from boltzbrain.kernels.cpu.doubles.moments import respond_rectified
from boltzbrain.kernels.cpu.doubles.rectified import law_of
from boltzbrain.kernels.cpu.rectified import QUANTILES, TABLE
from boltzbrain.model.layers.continuous import sweep_fused
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM

SAMPLES = 400


def _case(units: int, halves: int, spread: float):
    generator = Generator.from_seed(units, "doubles", halves, str(spread))
    inputs = spread * generator.normal((SAMPLES, units))
    # some that no table holds, and some that are no numbers
    inputs[0, :] = float("nan")
    inputs[1, :], inputs[2, :] = 1e6, -1e6
    fields = generator.normal((halves, units), torch.float64)
    roots = 0.2 + 2.0 * generator.uniform((halves, units))
    return inputs.numpy().reshape(-1), law_of(fields, roots)


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0, 10.0, 50.0])
@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("units", [3, 8, 77])
def test_draws_and_log_partitions_are_those_of_one_unit_at_a_time(units, halves, spread):
    inputs, law = _case(units, halves, spread)
    state, tables = (np.uint64(2**63 + 5), np.uint64(2**33)), (TABLE, QUANTILES)
    found, wanted = (np.zeros(inputs.size, np.float32) for _ in range(2))
    rectified._draw_rows(inputs, units, law, state, tables, 0, SAMPLES, found)
    rectified._draw_each(inputs, units, law, state, tables, 0, SAMPLES, wanted)
    np.testing.assert_array_equal(found, wanted)
    assert np.isnan(found[:units]).all()
    assert np.std(found[3 * units :]) > 0
    rectified._partition_rows(inputs, units, law, TABLE, 0, SAMPLES, found)
    rectified._partition_each(inputs, units, law, TABLE, 0, SAMPLES, wanted)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("spread", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("deep", [False, True])
def test_moments_eight_at_a_time_are_those_of_one_at_a_time(halves, deep, spread):
    generator = Generator.from_seed(halves, "moments", str(spread))
    inputs = spread * generator.normal((SAMPLES, 19))
    inputs[:6, 0] = torch.tensor([8.0, -8.0, 1e4, -1e4, 0.0, -0.0])
    fields = generator.normal((halves, 19), torch.float64)
    fields[:, 0] = 0.0
    roots = 0.5 + generator.uniform((halves, 19))
    roots[:, 0] = 1.0
    found = respond_rectified(inputs, fields, roots, deep=deep)
    # in float64 every unit goes the plain way
    wanted = respond_rectified(inputs.double(), fields, roots, deep=deep)
    # covariances are differences of moments, which may be large where they are small
    size = float(wanted.mean.abs().max()) + 1.0
    for name, power in (
        ("mean", 1), ("by_input", 3), ("moments", 2), ("by_scale", 4), ("covariances", 4),
    ):  # fmt: skip
        one, other = getattr(found, name), getattr(wanted, name)
        single = 1e-6 * other.abs() if one.dtype == torch.float32 else 1e-9 * other.abs()
        assert (one.double() - other).abs().le(single + 1e-11 * size**power).all(), name
    assert not torch.equal(found.mean.double(), wanted.mean)


def test_moments_of_what_is_no_number_are_none():
    inputs = torch.zeros(3, 8)
    inputs[1, 2] = float("nan")
    law = torch.zeros((2, 8), dtype=torch.float64), torch.ones((2, 8), dtype=torch.float64)
    found = respond_rectified(inputs, *law, deep=True)
    broken = torch.zeros(8, dtype=torch.bool)
    broken[2] = True
    assert torch.equal(found.mean.isnan().any(dim=0), broken)
    assert torch.equal(found.by_input.isnan().any(dim=1), broken.expand(2, 8))
    assert torch.equal(found.covariances.isnan(), broken.expand(2, 2, 2, 8))


def _swept(kind, shape, rows, threads_there, monkeypatch):
    """Return states of sweeps in one call, layer by layer, and what both left of their streams."""
    chains, units, hidden = shape
    generator = Generator.from_seed(units, "one call", kind.kind)
    weights = 0.3 * generator.normal((units, hidden))
    weights[generator.uniform((units, hidden)) < 0.5] = 0.0
    model = RBM(Bernoulli(generator.normal((1, units))[0] - 1), kind.standard(hidden), weights)
    states = (generator.uniform((chains, units)) < 0.2).to(torch.uint8)
    if rows:
        rows = Offsets(generator.normal((chains, units)), generator.normal((chains, hidden)))
    given = model.visible, model.hidden, weights, states, 4
    before = states.clone()
    with monkeypatch.context() as patched:
        patched.setattr(threads, "thread_count", lambda: threads_there)
        patched.setattr(sweeps, "thread_count", lambda: threads_there)
        assert sweeps.worth(chains, weights)
        streams = Generator(3, 7), Generator(3, 7)
        found = model.sweep(states, streams[0], 4, rows or None)
    assert torch.equal(states, before)
    return found, sweep_fused(*given, streams[1], rows or None), streams


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("kind", [ReLU, DReLU])
@pytest.mark.parametrize(
    ("shape", "threads_there"), [((1, 5, 3), 1), ((100, 130, 20), 2), ((200, 1100, 19), 1)]
)
def test_sweeps_in_one_call_are_those_layer_by_layer(kind, shape, threads_there, rows, monkeypatch):
    found, wanted, streams = _swept(kind, shape, rows, threads_there, monkeypatch)
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)
    assert streams[0].counter == streams[1].counter
    assert found[1].std() > 0 or shape[0] == 1


def test_sweeps_in_several_calls_are_those_in_one(monkeypatch):
    shape = 40, 70, 9
    found, _, _ = _swept(DReLU, shape, False, 1, monkeypatch)
    edges = [(0, 1), (1, 4)]
    monkeypatch.setattr(sweeps, "stretches_of", lambda *sizes: edges)
    again, _, _ = _swept(DReLU, shape, False, 1, monkeypatch)
    for one, other in zip(found, again, strict=True):
        assert torch.equal(one, other)
