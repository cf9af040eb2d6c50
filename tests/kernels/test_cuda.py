"""What only a GPU can show: the compiled kernels, the captured graphs, and no waiting for the host.

`test_triton` compares the same kernels with their specification, compiled where there is a GPU.
"""

import pytest
import torch

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import dispatch, reference
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.gradient import Ascent

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")


def normals(*names, shape):
    return Generator.from_seed(0, "test", *names).normal(shape).to("cuda")


def states_of(samples, units, density):
    uniform = Generator.from_seed(0, "states").uniform((samples, units))
    return (uniform < density).to(torch.uint8).to("cuda")


def model_of(visible, hidden, kind="bernoulli"):
    field = normals("b", shape=(1, visible))[0] - 2
    weights = 0.2 * normals("w", shape=(visible, hidden))
    return RBM(Bernoulli(field), KINDS[kind].standard(hidden).to("cuda"), weights)


def parts_of(model):
    return model.visible.field, model.hidden.field, model.weights


def test_a_gpu_gets_the_triton_kernels():
    assert (
        dispatch._kernels(torch.empty(1, device="cuda")).__name__
        == "boltzbrain.kernels.cuda.backend"
    )


@pytest.mark.parametrize("shape", [(2000, 1560, 500), (100, 20_000, 200), (1, 70, 3)])
def test_products_have_float32_accuracy(shape):
    samples, units, columns = shape
    states, weights = states_of(samples, units, 0.04), normals("w", shape=(units, columns))
    found = dispatch.sum_active_rows(states, weights).double()
    exact, size = states.double() @ weights.double(), states.double() @ weights.double().abs()
    # some units in the last place of the sum of the magnitudes, where TF32 would be off by 2e-4
    assert bool(((found - exact).abs() <= 2e-6 * size + 1e-12).all())


@pytest.mark.parametrize("sweeps", [1, 2, 5])
def test_few_chains_leave_those_of_the_reference(sweeps):
    # a draw that differs makes its chain another one: 500 x 2 x 5 x 1000 draws of 1e-6 each
    model, visible = model_of(700, 300), states_of(500, 700, 0.1)
    found, hidden = dispatch.sweep_bernoulli(visible, *parts_of(model), sweeps, 7, 1 << 40)
    expected, _ = reference.sweep_bernoulli(visible, *parts_of(model), sweeps, 7, 1 << 40)
    assert int((found != expected).any(dim=1).sum()) <= 25
    assert hidden.device.type == "cuda"


@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "relu", "drelu"])
def test_a_graph_gives_what_single_sweeps_give(kind):
    # single sweeps are launched one by one; seven at once are a graph, captured and then replayed
    model, visible = model_of(150, 40, kind), states_of(64, 150, 0.1)
    for first in (0, 1 << 33):
        at_once, single = Generator(3, first), Generator(3, first)
        found = model.sweep(visible, at_once, 7)
        states = visible
        for _ in range(7):
            states, hidden = model.sweep(states, single, 1)
        assert at_once == single
        assert torch.equal(found[0], states)
        assert torch.equal(found[1], hidden)


def test_a_graph_follows_weights_that_change_in_place():
    model, visible = model_of(150, 40), states_of(64, 150, 0.1)
    model.sweep(visible, Generator(3), 4)
    model.weights.add_(1.0)
    found, _ = model.sweep(visible, Generator(3), 4)
    expected, _ = reference.sweep_bernoulli(visible, *parts_of(model), 4, 3, 0)
    assert int((found != expected).any(dim=1).sum()) <= 1


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_sweeps_and_updates_do_not_wait_for_the_gpu(kind):
    # PyTorch raises where the host would wait
    ascent = Ascent(model_of(150, 40, kind), TrainingPlan(hidden=40, hidden_kind=kind))
    visible = states_of(64, 150, 0.1)
    generator = Generator(3)
    ascent.model.sweep(visible, generator, 3)  # compiles and captures, which may wait
    ascent.step(visible, visible, 1)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        states, _ = ascent.model.sweep(visible, generator, 3)
        ascent.step(visible, states, 2)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert bool(torch.isfinite(ascent.model.weights).all())


def test_offsets_beyond_32_bits_are_right():
    # 2.2 GB of states
    chains, units = 70_000, 31_000
    states = torch.zeros((chains, units), dtype=torch.uint8, device="cuda")
    states[-1, -1] = 1
    weights = normals("w", shape=(units, 3))
    sums = dispatch.sum_active_rows(states, weights)
    assert torch.equal(sums[-1], weights[-1])
    assert not bool(sums[:-1].any())
