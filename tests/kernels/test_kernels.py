"""The fast loops against the plain ones that specify them, and the law that both sample.

Every fast draw uses the words that the specification names, so states are compared one by one. They
may differ where a probability and its uniform agree to rounding: in float32 the probabilities are
right to 4e-7, hence one draw in a million at most, and in float64 none of those made here.

Statistical tests demand p > 1e-6. There are 22 of them: kernels without fault fail this file
for one choice of keys in 45,000. Each has a control that must fail.
"""

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from scipy.stats import chi2, poisson

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import reference
from boltzbrain.kernels.cpu import backend as cpu
from boltzbrain.kernels.cpu import binary_products, many_chains, threads

SMALLEST_P = 1e-6
SHAPES = [(1, 1, 1), (3, 5, 2), (40, 64, 128), (37, 130, 70), (130, 200, 33), (7, 3, 300)]
DENSITIES = [0.0, 0.04, 0.22, 0.5, 1.0]


def normals(*names, shape, dtype=torch.float32):
    return Generator.from_seed(0, "test", *names).normal(shape, torch.float64).to(dtype)


def states_of(samples, units, density, *names):
    uniform = Generator.from_seed(0, "states", *names).uniform((samples, units))
    return (uniform < density).to(torch.uint8)


def model_of(visible, hidden, dtype=torch.float32, scale=0.3):
    return (
        normals("b", shape=(1, visible), dtype=dtype)[0] - 1,
        normals("c", shape=(1, hidden), dtype=dtype)[0],
        scale * normals("w", shape=(visible, hidden), dtype=dtype),
    )


def p_of_counts(counts, expected):
    """Return the chi-square p-value of counts, cells with few expected counts taken together."""
    order = np.argsort(expected)
    counts, expected = np.asarray(counts)[order], np.asarray(expected)[order]
    group = np.minimum(np.cumsum(expected) // 20, np.cumsum(expected[::-1])[::-1] // 20)
    group = np.searchsorted(np.unique(group), group)
    counts, expected = np.bincount(group, counts), np.bincount(group, expected)
    return chi2.sf(((counts - expected) ** 2 / expected).sum(), len(counts) - 1)


# the same numbers as the specification


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_draws_are_those_of_the_reference(shape, dtype):
    samples, units, _ = shape
    inputs = 6 * normals("x", shape=(samples, units), dtype=dtype)
    field = normals("f", shape=(1, units), dtype=dtype)[0]
    key, draw = (1 << 64) - 5, (1 << 33) + 1
    drawn = cpu.draw_bernoulli(inputs, field, key, draw)
    expected = reference.draw_bernoulli(inputs, field, key, draw)
    assert drawn.dtype == torch.uint8
    assert torch.equal(drawn, expected)
    assert not torch.equal(drawn, cpu.draw_bernoulli(inputs, field, key, draw + 1)) or units < 10


def test_few_draws_differ_from_the_reference():
    inputs = 3 * normals("x", shape=(1000, 1000))
    field = torch.zeros(1000)
    drawn = cpu.draw_bernoulli(inputs, field, 1, 2)
    assert int((drawn != reference.draw_bernoulli(inputs, field, 1, 2)).sum()) <= 3


def test_inputs_of_another_layout_or_type_are_drawn_alike():
    inputs = normals("x", shape=(60, 40))
    field = normals("f", shape=(1, 60))[0]
    expected = reference.draw_bernoulli(inputs.T, field, 3, 4)
    assert torch.equal(cpu.draw_bernoulli(inputs.T, field, 3, 4), expected)
    assert torch.equal(cpu.draw_bernoulli(inputs.T, field.double(), 3, 4), expected)


@pytest.mark.parametrize("total", [-1e30, -200.0, -64.5, 64.5, 200.0, 1e30])
def test_extreme_inputs_leave_no_doubt(total):
    drawn = cpu.draw_bernoulli(torch.full((64, 128), total), torch.zeros(128), 5, 6)
    assert bool((drawn == int(total > 0)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_and_correlations_are_products(shape, density, dtype):
    samples, units, columns = shape
    states = states_of(samples, units, density)
    weights = normals("w", shape=(units, columns), dtype=dtype)
    values = normals("v", shape=(samples, columns), dtype=dtype)
    turned = weights.T.contiguous()
    exact = 1e-12 if dtype == torch.float64 else 2e-5
    for fast, plain in (
        (cpu.sum_active_rows(states, weights), states.double() @ weights.double()),
        (cpu.sum_active_columns(states, turned), states.double() @ weights.double()),
        (cpu.correlate(states, values), states.T.double() @ values.double()),
    ):
        assert fast.dtype == dtype
        assert fast.is_contiguous()
        assert torch.allclose(fast.double(), plain, rtol=exact, atol=exact)
    assert torch.allclose(
        cpu.mean_states(states, dtype).double(), states.double().mean(dim=0), rtol=exact
    )


def test_sums_over_more_rows_than_one_stretch():
    units = 2 * binary_products.STRETCH + 100
    states, weights = states_of(5, units, 0.03), normals("w", shape=(units, 70))
    expected = states.double() @ weights.double()
    assert torch.allclose(cpu.sum_active_rows(states, weights).double(), expected, atol=1e-3)
    values = normals("v", shape=(units, 9))
    found = cpu.correlate(states.T.contiguous(), values)
    assert torch.allclose(found.double(), states.double() @ values.double(), atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_sweeps_are_those_of_the_reference(shape, dtype):
    samples, units, hidden = shape
    visible = states_of(samples, units, 0.3)
    model = model_of(units, hidden, dtype)
    found = cpu.sweep_bernoulli(visible, *model, 3, 11, 12)
    expected = reference.sweep_bernoulli(visible, *model, 3, 11, 12)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[1], expected[1])


def test_few_chains_leave_those_of_the_reference():
    # a draw that differs makes its chain another one; 300 x 5 x 260 draws of 1e-6 each
    visible, model = states_of(300, 200, 0.1), model_of(200, 60)
    found, _ = cpu.sweep_bernoulli(visible, *model, 5, 13, 14)
    expected, _ = reference.sweep_bernoulli(visible, *model, 5, 13, 14)
    assert int((found != expected).any(dim=1).sum()) <= 5


# the same numbers whatever else happens


def everything(visible, model, values):
    return [
        *cpu.sweep_bernoulli(visible, *model, 2, 15, 16),
        cpu.sum_active_rows(visible, model[2]),
        cpu.sum_active_columns(visible[:, : model[2].shape[1]].contiguous(), model[2]),
        cpu.correlate(visible, values),
        cpu.mean_states(visible, torch.float32),
        cpu.draw_bernoulli(values, model[1], 17, 18),
    ]


@pytest.fixture
def case():
    # densities from 0 to 1/2, so that samples go either way
    uniform = Generator.from_seed(1, "case").uniform((700, 300))
    visible = (uniform < torch.linspace(0, 0.5, 700)[:, None]).to(torch.uint8)
    return visible, model_of(300, 90), normals("v", shape=(700, 90))


def test_results_repeat_and_inputs_stay(case):
    before = [tensor.clone() for tensor in (case[0], *case[1], case[2])]
    first, second = everything(*case), everything(*case)
    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    after = (case[0], *case[1], case[2])
    assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_results_do_not_depend_on_the_number_of_threads(case, count, monkeypatch):
    expected = everything(*case)
    monkeypatch.setattr(threads, "thread_count", lambda: count)
    monkeypatch.setattr(many_chains, "_MOST", 100)
    found = everything(*case)
    assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


def test_a_chain_does_not_depend_on_the_others(case):
    visible, model, _ = case
    all_visible, all_hidden = cpu.sweep_bernoulli(visible, *model, 2, 15, 16)
    for count in (1, 2, 333):
        few_visible, few_hidden = cpu.sweep_bernoulli(visible[:count], *model, 2, 15, 16)
        assert torch.equal(few_visible, all_visible[:count])
        assert torch.equal(few_hidden, all_hidden[:count])


def test_many_sweeps_are_single_sweeps_one_after_the_other(case):
    visible, model, _ = case
    expected = cpu.sweep_bernoulli(visible, *model, 3, 15, 16)
    for sweep in range(3):
        visible, hidden = cpu.sweep_bernoulli(visible, *model, 1, 15, 16 + 2 * sweep)
    assert torch.equal(visible, expected[0])
    assert torch.equal(hidden, expected[1])


def test_threads_may_call_at_the_same_time(case):
    expected = everything(*case)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: everything(*case), range(8)))
    for found in results:
        assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


SCRIPT = """
import os, torch
from boltzbrain.kernels.cpu import backend as cpu, threads
visible = torch.ones(400, 200, dtype=torch.uint8)
model = torch.zeros(200), torch.zeros(30), torch.zeros(200, 30)
def total():
    found, hidden = cpu.sweep_bernoulli(visible, *model, 2, 1, 2)
    powers = torch.arange(found.numel()) % 251
    return int((found.reshape(-1) * powers).sum()), int(hidden.sum())
print(threads.thread_count(), *total())
def covered():
    seen = []
    task = lambda first, count: seen.extend(range(first, first + count))
    threads.share(task, 10, least=1, most=5)
    return sorted(seen) == list(range(10))
assert covered()
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        os._exit(0 if covered() else 1)
    assert os.waitpid(child, 0)[1] == 0
"""


def test_the_environment_sets_the_threads_and_a_fork_gets_new_ones():
    lines = []
    for count in ("1", "2"):
        environment = {**os.environ, "NUMBA_NUM_THREADS": count, "OMP_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", SCRIPT],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        lines.append(done.stdout.split())
    assert [line[0] for line in lines] == ["1", "2"]
    assert lines[0][1:] == lines[1][1:]


def test_a_failing_task_is_reported(monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: 2)

    def task(first, count):
        if first:
            raise ValueError(f"stretch {first}")

    with pytest.raises(ValueError, match="stretch 5"):
        threads.share(task, 10, least=1, most=5)


# the law that they sample


SMALL = model_of(6, 4, scale=1.0)


def visible_law(model):
    """Return all visible states (state, unit) and their probabilities, by enumeration."""
    field, hidden_field, weights = (tensor.double() for tensor in model)
    grid = itertools.product((0, 1), repeat=len(field))
    states = torch.tensor(list(grid), dtype=torch.float64)
    free = states @ field + torch.nn.functional.softplus(hidden_field + states @ weights).sum(1)
    return states.to(torch.uint8), torch.softmax(free, 0).numpy()


def drift(sweep, sweeps, chains=200_000):
    """Return the p-value of states swept from exact samples of SMALL."""
    states, law = visible_law(SMALL)
    rng = np.random.default_rng(4)
    start = states[torch.from_numpy(rng.choice(len(law), size=chains, p=law))]
    visible, _ = sweep(start, *SMALL, sweeps, 21, 22)
    codes = (visible.long() << torch.arange(5, -1, -1)).sum(dim=1).numpy()
    return p_of_counts(np.bincount(codes, minlength=len(law)), chains * law)


@pytest.mark.parametrize("sweeps", [1, 3])
@pytest.mark.parametrize("kernels", [cpu, reference])
def test_sweeps_leave_the_law_of_the_model(kernels, sweeps):
    assert drift(kernels.sweep_bernoulli, sweeps) > SMALLEST_P


@pytest.mark.parametrize("fault", ["field", "weights", "same uniforms"])
def test_a_faulty_sweep_drifts(fault):
    def sweep(visible, visible_field, hidden_field, weights, sweeps, key, draw):
        if fault == "field":
            visible_field = visible_field + 0.03
        elif fault == "weights":
            weights = 1.03 * weights
        else:
            inputs = cpu.sum_active_rows(visible, weights)
            hidden = cpu.draw_bernoulli(inputs, hidden_field, key, draw)
            inputs = cpu.sum_active_columns(hidden, weights)
            return cpu.draw_bernoulli(inputs, visible_field, key, draw), hidden
        return cpu.sweep_bernoulli(visible, visible_field, hidden_field, weights, sweeps, key, draw)

    assert drift(sweep, 1) < SMALLEST_P


def test_hidden_states_are_those_that_the_visible_ones_came_from():
    # with fields that decide everything, the visible unit copies the hidden one
    weights = torch.full((1, 1), 200.0)
    visible, hidden = cpu.sweep_bernoulli(
        torch.zeros(500, 1, dtype=torch.uint8),
        torch.tensor([-100.0]),
        torch.zeros(1),
        weights,
        1,
        31,
        32,
    )
    assert torch.equal(visible, hidden)
    assert 0 < int(hidden.sum()) < 500


@pytest.mark.parametrize("total", [-14.0, -9.0, -4.0, -1.0, 0.0, 0.5, 3.0, 9.0, 14.0])
def test_both_tails_have_their_probability(total):
    # counts of 4 million draws; the rarer outcome is within the central 1 - 1e-6 of its law
    inputs = torch.full((2000, 2000), total)
    ones = cpu.draw_bernoulli(inputs, torch.zeros(2000), 41, 42).to(torch.int64).sum().item()
    rare = min(ones, inputs.numel() - ones)
    probability = float(torch.sigmoid(-torch.tensor(abs(total), dtype=torch.float64)))
    if probability < 0.01:
        expected = inputs.numel() * probability
        assert poisson.ppf(5e-7, expected) <= rare <= poisson.isf(5e-7, expected)
        assert not poisson.ppf(5e-7, 3 * expected) <= rare or expected < 10
    else:
        spread = (inputs.numel() * probability * (1 - probability)) ** 0.5
        assert abs(ones - inputs.numel() * (probability if total < 0 else 1 - probability)) < (
            5 * spread
        )


def p_of_pairs(left, right):
    """Return the p-value of the four outcomes of two fair coins."""
    codes = 2 * left.reshape(-1).long() + right.reshape(-1).long()
    return p_of_counts(np.bincount(codes.numpy(), minlength=4), np.full(4, codes.numel() / 4))


def test_rows_sweeps_layers_units_and_seeds_are_independent():
    # without weights and fields every state is a fair coin of its own
    chains, units = 2000, 128
    model = torch.zeros(units), torch.zeros(units), torch.zeros(units, units)
    start = torch.zeros(chains, units, dtype=torch.uint8)
    visible, hidden = cpu.sweep_bernoulli(start, *model, 1, 51, 0)
    later, later_hidden = cpu.sweep_bernoulli(visible, *model, 1, 51, 2)
    other, _ = cpu.sweep_bernoulli(start, *model, 1, 52, 0)
    pairs = {
        "rows": (visible[0::2], visible[1::2]),
        "units": (visible[:, 0::2], visible[:, 1::2]),
        "tiles": (visible[:, :64], visible[:, 64:]),
        "blocks": (visible[:, :-4:8], visible[:, 4::8]),
        "sweeps": (visible, later),
        "hidden sweeps": (hidden, later_hidden),
        "layers": (visible, hidden),
        "next layer": (visible, later_hidden),
        "keys": (visible, other),
    }
    for name, (left, right) in pairs.items():
        assert p_of_pairs(left, right) > SMALLEST_P, name
    repeated, _ = cpu.sweep_bernoulli(start, *model, 1, 51, 0)
    assert p_of_pairs(visible, repeated) < SMALLEST_P
