"""The Triton kernels against the plain ones that specify them, and the law that they sample.

They run compiled where there is a GPU and in Triton's interpreter elsewhere, on the same numbers.
Every draw uses the words that the specification names, so states are compared one by one: they may
differ only where a probability and its uniform agree to float32 rounding, one draw in a million.

The test of the law demands p > 1e-6: kernels without fault fail it for one key in a million. It has
controls that must fail.
"""

import itertools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from boltzbrain.foundations.random import Generator, philox_words
from boltzbrain.kernels import dispatch, reference
from boltzbrain.kernels.cpu.doubles.rectified import draw_rectified
from boltzbrain.model.layers.continuous import Gaussian
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.rbm import RBM

pytest.importorskip("triton", reason="Triton is absent")

import triton
import triton.language as tl

from boltzbrain.kernels.cuda import backend as cuda
from boltzbrain.kernels.cuda import products as cuda_products
from boltzbrain.kernels.cuda import sweeps as cuda_sweeps
from boltzbrain.kernels.cuda.draws import draw_words

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALLEST_P = 1e-6
KEY, DRAW = (1 << 64) - 5, (1 << 33) - 1
SHAPES = [(1, 1, 1), (3, 5, 2), (37, 130, 70), (130, 20, 33), (7, 3, 100)]


def normals(*names, shape, dtype=torch.float32):
    values = Generator.from_seed(0, "test", *names).normal(shape, torch.float64)
    return values.to(dtype).to(DEVICE)


def states_of(samples, units, density):
    uniform = Generator.from_seed(0, "states").uniform((samples, units))
    return (uniform < density).to(torch.uint8).to(DEVICE)


def model_of(visible, hidden, scale=0.3):
    return (
        normals("b", shape=(1, visible))[0] - 1,
        normals("c", shape=(1, hidden))[0],
        scale * normals("w", shape=(visible, hidden)),
    )


# the same numbers as the specification


@triton.jit
def _write_words(state, result, rows, columns, ROWS: tl.constexpr, BLOCKS: tl.constexpr):
    row = tl.arange(0, ROWS)
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    key, draw = tl.load(state).to(tl.uint64), tl.load(state + 1).to(tl.uint64)
    words = draw_words(row.to(tl.uint32)[:, None], block.to(tl.uint32)[None, :], key, draw)
    column = tl.program_id(0) * BLOCKS * 4 + tl.arange(0, 4 * BLOCKS)
    kept = (row < rows)[:, None] & (column < columns)[None, :]
    tl.store(result + row[:, None] * columns + column[None, :], words.to(tl.int64), mask=kept)


@pytest.mark.parametrize("draw", [0, DRAW, (1 << 63) + 9])
@pytest.mark.parametrize("key", [0, 1, KEY])
def test_words_are_the_specified_ones(key, draw):
    rows, columns = 13, 39
    words = torch.empty((rows, columns), dtype=torch.int64, device=DEVICE)
    state = cuda_products.random_state(key, draw, words.device)
    _write_words[(3,)](state, words, rows, columns, ROWS=16, BLOCKS=4)
    assert torch.equal(words, philox_words(rows, columns, key, draw, DEVICE))


@pytest.mark.parametrize("shape", SHAPES)
def test_draws_are_those_of_the_reference(shape):
    samples, units, _ = shape
    inputs = 6 * normals("x", shape=(samples, units))
    field = normals("f", shape=(1, units))[0]
    drawn = cuda.draw_bernoulli(inputs, field, KEY, DRAW)
    assert drawn.dtype == torch.uint8
    assert torch.equal(drawn, reference.draw_bernoulli(inputs, field, KEY, DRAW))
    if units > 10:
        assert not torch.equal(drawn, cuda.draw_bernoulli(inputs, field, KEY, DRAW + 1))


def test_rows_of_fields_are_drawn_and_swept_as_by_the_reference():
    visible, (field, hidden_field, weights) = states_of(5, 20, 0.3), model_of(20, 6)
    rows = field + normals("rows", shape=(5, 20))
    inputs = normals("x", shape=(5, 20))
    drawn = cuda.draw_bernoulli(inputs, rows, KEY, DRAW)
    assert torch.equal(drawn, reference.draw_bernoulli(inputs, rows, KEY, DRAW))
    given = visible, rows, hidden_field, weights, 2, KEY, DRAW
    found, expected = cuda.sweep_bernoulli(*given), reference.sweep_bernoulli(*given)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_inputs_of_another_layout_or_type_are_drawn_alike():
    inputs = normals("x", shape=(60, 40))
    field = normals("f", shape=(1, 60))[0]
    expected = reference.draw_bernoulli(inputs.T, field, 3, 4)
    assert torch.equal(cuda.draw_bernoulli(inputs.T, field, 3, 4), expected)
    assert torch.equal(cuda.draw_bernoulli(inputs.T, field.double(), 3, 4), expected)


@pytest.mark.parametrize("total", [-1e30, -200.0, -64.5, 64.5, 200.0, 1e30])
def test_extreme_inputs_leave_no_doubt(total):
    inputs, field = torch.full((16, 64), total, device=DEVICE), torch.zeros(64, device=DEVICE)
    drawn = cuda.draw_bernoulli(inputs, field, 5, 6)
    assert bool((drawn == int(total > 0)).all())


@pytest.mark.parametrize("density", [0.0, 0.04, 1.0])
@pytest.mark.parametrize("shape", [*SHAPES, (5, 1100, 20)])
def test_products_are_those_of_the_reference(shape, density):
    samples, units, columns = shape
    states = states_of(samples, units, density)
    weights = normals("w", shape=(units, columns))
    values = normals("v", shape=(samples, columns))
    for fast, plain in (
        (cuda.sum_active_rows(states, weights), states.double() @ weights.double()),
        (
            cuda.sum_active_columns(states, weights.T.contiguous()),
            states.double() @ weights.double(),
        ),
        (cuda.correlate(states, values), states.T.double() @ values.double()),
    ):
        assert fast.dtype == torch.float32
        assert torch.allclose(fast.double(), plain, rtol=2e-5, atol=2e-5)
    means = cuda.mean_states(states, torch.float32)
    assert torch.allclose(means.double(), states.double().mean(dim=0), rtol=1e-6)


def test_other_types_are_left_to_the_reference():
    states, weights = states_of(9, 30, 0.3), normals("w", shape=(30, 4), dtype=torch.float64)
    model = tuple(part.double() for part in model_of(30, 4))
    exact = states.double() @ weights
    assert torch.allclose(cuda.sum_active_rows(states, weights), exact, rtol=1e-12)
    assert torch.allclose(cuda.sum_active_columns(states, weights.T), exact, rtol=1e-12)
    values = normals("v", shape=(9, 4), dtype=torch.float64)
    assert torch.allclose(cuda.correlate(states, values), states.T.double() @ values, rtol=1e-12)
    found = cuda.sweep_bernoulli(states, *model, 2, 7, 8)
    expected = reference.sweep_bernoulli(states, *model, 2, 7, 8)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_a_product_is_cut_where_its_tiles_are_few():
    for rows, depth, columns in ((100, 50_000, 200), (2000, 1560, 500), (1, 1, 1), (5, 1100, 20)):
        cut = cuda_products.plan(rows, depth, columns)
        assert (cut.pieces - 1) * cut.length < depth <= cut.pieces * cut.length
        assert cut.length % cut.tile_depth == 0
    assert cuda_products.plan(100, 50_000, 200).pieces > 30
    for depth, columns in ((500, 1560), (1560, 500)):
        assert cuda_products.plan(2000, depth, columns).pieces == 1


@pytest.fixture
def precision():
    """Set PyTorch's precision of float32 products, and put back what it was."""
    before = torch.get_float32_matmul_precision()
    yield torch.set_float32_matmul_precision
    torch.set_float32_matmul_precision(before)


def test_products_follow_the_precision_that_pytorch_is_set_to(precision):
    states, weights = states_of(20, 70, 0.5), normals("w", shape=(70, 30))
    exact = states.double() @ weights.double()
    precision("medium")
    # eight leading bits of every weight; the interpreter cuts off where a GPU rounds
    found = cuda.sum_active_rows(states, weights).double()
    assert bool(
        ((found - exact).abs() < 2.0**-7 * (states.double() @ weights.double().abs())).all()
    )
    assert not torch.allclose(found, exact, rtol=1e-4, atol=1e-4)
    if DEVICE == "cuda":
        rounded = states.double() @ weights.bfloat16().double()
        assert torch.allclose(found, rounded, rtol=1e-5, atol=1e-5)
    precision("high")
    found = cuda.sum_active_rows(states, weights).double()
    assert torch.allclose(found, exact, rtol=1e-2, atol=2e-2)


# sweeps


@pytest.mark.parametrize("sweeps", [1, 3])
@pytest.mark.parametrize("shape", [*SHAPES, (3, 600, 5)])
def test_sweeps_are_those_of_the_reference(shape, sweeps):
    samples, units, hidden = shape
    visible, model = states_of(samples, units, 0.3), model_of(units, hidden)
    before = visible.clone()
    found = cuda.sweep_bernoulli(visible, *model, sweeps, KEY, DRAW)
    expected = reference.sweep_bernoulli(visible, *model, sweeps, KEY, DRAW)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    assert torch.equal(visible, before)


def test_a_graph_is_replayed_on_new_states_parameters_and_counters(monkeypatch):
    # five sweeps at most two to a graph: two replays and one sweep without
    monkeypatch.setattr(cuda_sweeps, "MOST_SWEEPS", 2)
    cuda_sweeps._graph.cache_clear()
    for name, density in (("one", 0.1), ("two", 0.6)):
        visible = states_of(9, 12, density)
        field, hidden_field, weights = model_of(12, 6)
        weights = weights + normals(name, shape=(12, 6))
        model = field, hidden_field, weights
        found = cuda.sweep_bernoulli(visible, *model, 5, 11, 12)
        expected = reference.sweep_bernoulli(visible, *model, 5, 11, 12)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
        later = cuda.sweep_bernoulli(visible, *model, 5, 11, 22)
        assert not torch.equal(later[0], found[0])
        again = cuda.sweep_bernoulli(visible, *model, 5, 11, 12)
        assert all(torch.equal(*pair) for pair in zip(again, found, strict=True))
    assert cuda_sweeps._graph.cache_info().misses == 1


def test_results_do_not_share_memory_with_the_graph():
    visible, model = states_of(9, 12, 0.3), model_of(12, 6)
    first = cuda.sweep_bernoulli(visible, *model, 2, 1, 2)
    kept = tuple(part.clone() for part in first)
    cuda.sweep_bernoulli(visible, *model, 2, 1, 99)
    assert all(torch.equal(*pair) for pair in zip(first, kept, strict=True))


def test_no_chains_are_swept_to_none():
    visible, hidden = cuda.sweep_bernoulli(states_of(0, 12, 0.3), *model_of(12, 6), 2, 1, 2)
    assert visible.shape == (0, 12)
    assert hidden.shape == (0, 6)


# real-valued units


def layers_of(units):
    field, other = normals("f", shape=(1, units))[0], normals("g", shape=(1, units))[0]
    precision, second = (
        (0.3 + normals(name, shape=(1, units))[0] ** 2).to(DEVICE) for name in ("p", "q")
    )
    return [
        Gaussian(field, precision),
        ReLU(field, precision),
        DReLU(field, other, precision, second),
    ]


@pytest.mark.parametrize("layer", layers_of(5)[1:], ids=lambda layer: layer.kind)
def test_rectified_draws_are_those_of_the_formulas(layer):
    # on either side of where tables begin and end and the far formula takes over, far out, and NaN
    values = [0.0, 1e6, -1e6, 300.0, -300.0, *np.linspace(-18, 18, 37), 7.99, 8.01, -7.99, -8.01]
    inputs = torch.tensor(values, dtype=torch.float32, device=DEVICE)[:, None].repeat(1, 5)
    drawn = cuda.draw_rectified(inputs, *layer.sides(), KEY, DRAW)
    exact = layer._exact_sample(inputs, Generator(KEY, DRAW))
    assert drawn.dtype == torch.float32
    assert torch.allclose(drawn.double(), exact, rtol=3e-7, atol=1e-9)
    if DEVICE == "cpu":
        assert torch.equal(drawn, draw_rectified(inputs, *layer.sides(), KEY, DRAW))
    undefined = torch.full((1, 5), torch.nan, device=DEVICE)
    assert bool(cuda.draw_rectified(undefined, *layer.sides(), KEY, DRAW).isnan().all())


@pytest.mark.parametrize("layer", layers_of(6), ids=lambda layer: layer.kind)
def test_sweeps_with_real_units_are_those_of_the_layers(layer, monkeypatch):
    # the model's own loop, then the fused kernel that it takes on a GPU
    weights = 0.5 * normals("w", shape=(20, 6))
    model = RBM(Bernoulli(normals("b", shape=(1, 20))[0] - 1), layer, weights)
    visible = states_of(11, 20, 0.3)
    monkeypatch.setattr(dispatch, "_cuda", lambda: None)
    generator = Generator(KEY, 5)
    expected = model.sweep(visible, generator, 3)
    monkeypatch.setattr(dispatch, "_kernels", lambda tensor: cuda)
    monkeypatch.setattr("boltzbrain.model.layers.continuous.has_real_kernels", lambda device: True)
    fused = Generator(KEY, 5)
    found = model.sweep(visible, fused, 3)
    assert fused == generator
    assert torch.equal(found[0], expected[0])
    assert found[1].dtype == torch.float32
    assert torch.allclose(found[1], expected[1], rtol=1e-5, atol=1e-6)


# the law that they sample

SMALL = model_of(6, 4, scale=1.0)


@pytest.fixture
def tall_tiles(monkeypatch):
    """Let the interpreter, slow by the tile, take thousands of chains at once."""
    if DEVICE == "cpu":
        tall = cuda_products.Plan(8192, 16, 32, 32, 1)
        monkeypatch.setattr(cuda_products, "plan", lambda rows, depth, columns: tall)


def drift(sweep, sweeps, chains=30_000):
    """Return the chi-square p-value of states swept from exact samples of SMALL."""
    field, hidden_field, weights = (tensor.double().cpu() for tensor in SMALL)
    states = torch.tensor(list(itertools.product((0, 1), repeat=6)), dtype=torch.float64)
    free = states @ field + torch.nn.functional.softplus(hidden_field + states @ weights).sum(1)
    law = torch.softmax(free, 0).numpy()
    drawn = np.random.default_rng(4).choice(len(law), size=chains, p=law)
    visible, _ = sweep(states.to(torch.uint8)[torch.from_numpy(drawn)].to(DEVICE), *SMALL, sweeps)
    codes = (visible.cpu().long() << torch.arange(5, -1, -1)).sum(dim=1).numpy()
    counts, expected = np.bincount(codes, minlength=len(law)), chains * law
    rare = expected < 20
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    return chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


@pytest.mark.usefixtures("tall_tiles")
def test_sweeps_leave_the_law_of_the_model():
    def sweep(visible, field, hidden_field, weights, sweeps):
        return cuda.sweep_bernoulli(visible, field, hidden_field, weights, sweeps, 21, 22)

    assert drift(sweep, 2) > SMALLEST_P


@pytest.mark.usefixtures("tall_tiles")
@pytest.mark.parametrize("fault", ["field", "same uniforms"])
def test_a_faulty_sweep_drifts(fault):
    def sweep(visible, field, hidden_field, weights, sweeps):
        if fault == "field":
            return cuda.sweep_bernoulli(visible, field + 0.1, hidden_field, weights, 1, 21, 22)
        _, hidden = cuda.sweep_bernoulli(visible, field, hidden_field, weights, 1, 21, 22)
        # the other way round, so that the same words draw the visible units
        _, visible = cuda.sweep_bernoulli(hidden, hidden_field, field, weights.T, 1, 21, 22)
        return visible, hidden

    assert drift(sweep, 1) < SMALLEST_P


# the choice of the kernels, and their compilation


def test_kernels_are_chosen_by_device(monkeypatch):
    def chosen(device):
        return dispatch._kernels(SimpleNamespace(device=torch.device(device)))

    dispatch._cuda.cache_clear()
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert chosen("cpu") is dispatch.cpu
    assert chosen("meta") is reference
    assert chosen("cuda") is cuda
    assert dispatch.has_real_kernels(torch.device("cuda:1"))
    assert not dispatch.has_real_kernels(torch.device("cpu"))
    dispatch._cuda.cache_clear()
    monkeypatch.setattr(dispatch, "find_spec", lambda name: None)
    assert chosen("cuda") is reference
    assert not dispatch.has_real_kernels(torch.device("cuda"))
    dispatch._cuda.cache_clear()


def test_kernels_compile_for_gpus():
    # without a GPU: from Triton to machine code of two generations, in a process of its own since
    # this one may interpret
    environment = {**os.environ, "TRITON_INTERPRET": "0"}
    script = Path(__file__).with_name("compile_kernels.py")
    done = subprocess.run(
        [sys.executable, str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 12
    for kernel, *variant, tensor_cores in lines:
        # the products run on tensor cores
        assert (int(tensor_cores) > 0) == (kernel == "_multiply"), (kernel, *variant)
