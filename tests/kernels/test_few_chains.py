"""The kernels of few samples and many units, the step of Adam, and the moments of rectified units.

Statistical tests demand p > 1e-6; there are two of them, so that kernels without fault fail this
file for one choice of keys in 500,000. Each has a control that must fail.
"""

import math

import numpy as np
import pytest
import torch
from scipy.stats import chi2, norm

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels import reference
from boltzbrain.kernels.cpu import backend, few_chains, products, steps, threads
from boltzbrain.kernels.cpu.doubles.moments import respond_rectified
from boltzbrain.model.layers.continuous import Gaussian
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.layers.rectified import DReLU, ReLU
from boltzbrain.model.rbm import RBM

SMALLEST_P = 1e-6
SHAPES = [(1, 1, 1), (3, 5, 2), (37, 130, 70), (100, 301, 20), (130, 200, 33), (20, 5000, 17)]


def normals(*shape, name="x"):
    return Generator.from_seed(0, "wide", name).normal((shape[0], shape[-1]))


def case(samples, units, hidden, zeros=0.0):
    weights = 0.3 * normals(units, hidden, name="w")
    chosen = Generator.from_seed(0, "zeros").uniform((units, hidden)) < zeros
    weights[chosen] = 0.0
    return normals(samples, hidden), weights, normals(1, units, name="f")[0]


@pytest.mark.parametrize("zeros", [0.0, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_draws_and_sums_are_those_of_the_reference(shape, zeros):
    given, key, draw = case(*shape, zeros), (1 << 64) - 5, (1 << 33) + 1
    states, sums = few_chains.draw_and_sum(*given, key, draw)
    expected, _ = reference.draw_and_sum(*given, key, draw)
    # a draw differs where rounding carries its input across the uniform: one in a million
    assert int((states != expected).sum()) <= 1 + states.numel() // 100_000
    assert torch.allclose(sums, states.float() @ given[1], atol=1e-4)
    other, _ = few_chains.draw_and_sum(*given, key, draw + 1)
    assert not torch.equal(states, other) or states.numel() < 50


def test_weights_of_zero_may_be_left_out_or_not():
    inputs, weights, field = case(100, 333, 50, 0.95)
    # so little that no sum changes, and yet not left out
    nearly = torch.where(weights == 0, 1e-30, weights)
    counts = [products._count_nonzero(one.numpy().reshape(-1), 0, 200) for one in (weights, nearly)]
    assert counts[0] < products.SPARSE * 200 <= counts[1]
    left_out, _ = few_chains.draw_and_sum(inputs, weights, field, 1, 2)
    kept, _ = few_chains.draw_and_sum(inputs, nearly, field, 1, 2)
    assert torch.equal(left_out, kept)
    assert not torch.equal(left_out, few_chains.draw_and_sum(inputs, -weights, field, 1, 2)[0])


def test_sums_of_given_states_are_those_of_the_draw():
    for shape in SHAPES:
        given = case(*shape)
        states, sums = few_chains.draw_and_sum(*given, 3, 4)
        assert torch.equal(few_chains.sum_active_rows(states, given[1]), sums)


@pytest.mark.parametrize("count", [1, 3])
def test_results_do_not_depend_on_threads_or_other_samples(count, monkeypatch):
    given = case(150, 700, 30)
    states, sums = few_chains.draw_and_sum(*given, 5, 6)
    moved = few_chains.contrast(states, given[0], states, -given[0], torch.empty(700, 30))
    monkeypatch.setattr(threads, "thread_count", lambda: count)
    few, few_sums = few_chains.draw_and_sum(given[0][:20], *given[1:], 5, 6)
    assert torch.equal(few, states[:20])
    assert torch.equal(few_sums, sums[:20])
    again = few_chains.contrast(states, given[0], states, -given[0], torch.empty(700, 30))
    assert torch.equal(again, moved)
    assert torch.equal(few_chains.draw_and_sum(*given, 5, 6)[1], sums)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("samples", "others"), [(1, 2), (40, 70), (300, 10)])
def test_contrasts_are_differences_of_products(samples, others, dtype):
    uniform = Generator.from_seed(1, "contrast").uniform((samples + others, 90))
    states = (uniform < 0.1).to(torch.uint8)
    values = normals(samples + others, 21).to(dtype)
    parts = states[:samples], values[:samples], states[samples:], values[samples:]
    expected = reference.contrast(*(part.double() for part in parts))
    room = torch.empty(90, 21, dtype=dtype)
    for found in (backend.contrast(*parts), backend.contrast(*parts, out=room)):
        assert found.dtype == dtype
        assert torch.allclose(found.double(), expected, atol=1e-4)
    assert torch.equal(room, found)


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_adam_steps_are_those_of_torch(beta):
    tensor = normals(40, 31).clone()
    twin = tensor.clone()
    plain = torch.optim.Adam([twin], lr=0.01, betas=(beta, 0.999), eps=1e-6, maximize=True)
    square, mean = torch.zeros_like(tensor), torch.zeros_like(tensor) if beta else None
    for count in range(1, 5):
        gradient = normals(40, 31, name=count)
        twin.grad = gradient.clone()
        plain.step()
        steps.adam_step(
            tensor,
            gradient,
            mean,
            square,
            count=count,
            rate=0.01,
            betas=(beta, 0.999),
            epsilon=1e-6,
        )
        assert torch.allclose(tensor, twin, atol=1e-6)


def test_a_step_of_adam_is_no_longer_than_asked():
    gradient = normals(37, 5, name="g")
    for step in (steps.adam_step, reference.adam_step):
        moved = {}
        for longest in (2.0, np.inf):
            # the gradients of old were a fifth of these
            tensor, square = normals(37, 5).clone(), torch.full((37, 5), 0.04)
            step(
                tensor,
                gradient,
                None,
                square,
                count=10_000,
                rate=1e-2,
                betas=(0.0, 0.999),
                epsilon=1e-6,
                longest=longest,
            )
            moved[longest] = (tensor - normals(37, 5)) / 1e-2
        assert float(moved[np.inf].abs().max()) > 5
        assert torch.allclose(moved[2.0], moved[np.inf].clamp(-2.0, 2.0), atol=1e-4)


@pytest.mark.parametrize("columns", [3, 16, 31, 50])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_thresholds_of_columns_give_exact_zeros(dtype, columns):
    shape = (61, columns)
    start, gradient = normals(*shape).to(dtype), normals(*shape, name="g").to(dtype)
    thresholds = torch.linspace(0.0, 0.3, columns, dtype=dtype)
    found = []
    for step in (steps.adam_step, reference.adam_step):
        tensor, square = 0.02 * start, torch.ones_like(start)
        step(
            tensor,
            gradient,
            None,
            square,
            count=3,
            rate=1e-3,
            betas=(0.0, 0.999),
            epsilon=1e-6,
            thresholds=thresholds,
        )
        found.append(tensor)
    assert torch.allclose(*found, atol=1e-7)
    zeros = (found[0] == 0).double().mean(dim=0)
    assert zeros[0] == 0
    assert float(zeros[-1]) > 0.1
    assert 0.05 < float(zeros.mean()) < 0.9


@pytest.mark.parametrize(
    ("inputs", "roots"),
    [
        ([-300.0, -12.0, -7.9, -1.0, 0.0, 2.0, 9.0, 200.0], (0.5, 2.0)),
        ([-1e4, 1e4, -30.0, 0.3, 30.0, -1e4, 1e4, 1e4], (1e-2, 1e2)),
        ([1e4, -1e4, 0.01, -30.0, 1e4, 3.0, -1e4, -1e4], (1e2, 1e-2)),
    ],
)
@pytest.mark.parametrize("halves", [1, 2])
def test_answers_of_rectified_units_are_integrals(halves, inputs, roots):
    # at inputs from far on one side to far on the other; 200,000 points to 40 widths
    inputs = torch.tensor(inputs, dtype=torch.float64)
    fields = torch.linspace(-0.5, 0.5, 8, dtype=torch.float64).repeat(halves, 1)
    first, last = (math.log(root) for root in roots)
    roots = torch.linspace(first, last, 8, dtype=torch.float64).exp().repeat(halves, 1)
    found = respond_rectified(inputs[None], fields, roots, deep=True)
    for unit in range(8):
        # log weights of h on both half-lines, from where they are largest
        sides = []
        for half in range(halves):
            total = (inputs[unit] * (1 - 2 * half) + fields[half, unit]).item()
            root = roots[half, unit].item()
            peak = max(total / root**2, 0.0)
            width = min(1 / root, 1 / abs(total)) if total < 0 else 1 / root
            low, high = max(0.0, peak - 40 * width), peak + 40 * width
            grid = np.linspace(low, high, 200_001)
            sides.append((grid, -0.5 * root**2 * grid**2 + total * grid))
        top = max(logs.max() for _, logs in sides)
        weights = [np.exp(logs - top) for _, logs in sides]
        norm = sum(np.trapezoid(one, side[0]) for side, one in zip(sides, weights, strict=True))

        def mean(function, sides=sides, weights=weights, norm=norm):
            parts = (
                np.trapezoid(function((-1) ** half * grid) * one, grid)
                for half, ((grid, _), one) in enumerate(zip(sides, weights, strict=True))
            )
            return sum(parts) / norm

        one, two = mean(lambda h: h), mean(lambda h: h * h)

        def close(got, want, cancelled=0.0):
            # covariances are differences of products of means, which may cancel
            rounding = 20 * np.finfo(np.float64).eps * cancelled
            assert got.item() == pytest.approx(want, rel=1e-6, abs=1e-30 + rounding)

        def covariance(statistic, power, one=one, two=two, mean=mean):
            average = two if power == 2 else one
            # in one integral, so that no two large numbers are subtracted
            return mean(lambda h: (statistic(h) - mean(statistic)) * (h**power - average))

        close(found.mean[0, unit], one)
        value = inputs[unit].item()
        for power in (1, 2):
            moved = covariance(lambda h: h, power)
            size = mean(np.abs) * mean(lambda h, power=power: np.abs(h) ** power)
            close(found.by_input[power - 1, 0, unit], moved, size)
            close(found.by_scale[power - 1, unit], value * moved, abs(value) * size)
        for half, sign in enumerate((1, -1)[:halves]):
            for of in (1, 2):

                def statistic(h, sign=sign, of=of):
                    return np.maximum(sign * h, 0.0) ** of

                close(found.moments[half, of - 1, unit], mean(statistic))
                for power in (1, 2):
                    got = found.covariances[half, of - 1, power - 1, unit]
                    size = mean(statistic) * mean(lambda h, power=power: np.abs(h) ** power)
                    close(got, covariance(statistic, power), size)
    flat = respond_rectified(inputs[None], fields, roots, deep=False)
    assert torch.equal(flat.mean, found.mean)
    assert torch.equal(flat.moments, found.moments)
    assert not flat.covariances.any()


@pytest.mark.parametrize("kind", [Gaussian, ReLU, DReLU])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_responses_in_closed_form_are_the_differences(kind, dtype):
    hidden = kind.standard(7, dtype)
    shifts = {name: 0.2 * normals(1, 7, name=name)[0] for name in hidden.input_shift}
    hidden = hidden.with_parameters({name: value.to(dtype) for name, value in shifts.items()})
    # as many samples as make more than one block, and then some
    inputs = 3 * normals(300, 7).to(dtype)
    found, expected = hidden.responses(inputs), Layer.responses(hidden, inputs)
    assert found.by_input.dtype == found.answers.mean.dtype == dtype
    for name in ("by_input", "moments", "by_shift", "by_scale"):
        assert torch.allclose(getattr(found, name), getattr(expected, name), atol=3e-5), name
    for name, derivatives in expected.by_parameter.items():
        assert torch.allclose(found.by_parameter[name], derivatives, atol=1e-4), name
    statistics = hidden.mean_statistics(inputs)
    for answers in (found.answers, hidden.answers(inputs)):
        assert torch.equal(answers.mean, hidden.mean(inputs))
        for name, values in statistics.items():
            wanted = values.to(torch.float64).mean(dim=0)
            assert torch.allclose(answers.statistics[name].to(torch.float64), wanted, atol=1e-5)


def test_answers_do_not_depend_on_the_number_of_threads():
    hidden, inputs = DReLU.standard(50), 2 * normals(600, 50)
    before = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(hidden.responses(inputs))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].by_input, found[1].by_input)
    assert torch.equal(found[0].by_scale, found[1].by_scale)


# the law that they sample


def small_model():
    hidden = DReLU.standard(3).with_parameters({"field_plus": torch.tensor([0.5, -0.3, 0.1])})
    return RBM(Bernoulli(normals(1, 6)[0] - 0.5), hidden, 0.7 * normals(6, 3, name="w"))


def drift(sweep, chains=250):
    """Return the p-value of visible states swept from exact samples of the small model."""
    model = small_model()
    states = ((torch.arange(64)[:, None] >> torch.arange(6)) & 1).to(torch.uint8)
    law = torch.softmax(-model.to(torch.float64).free_energy(states), 0).numpy()
    rng, counts = np.random.default_rng(4), np.zeros(64)
    for repeat in range(100):
        start = states[torch.from_numpy(rng.choice(64, size=chains, p=law))]
        visible = sweep(model, start, Generator.from_seed(repeat, "drift"))
        codes = (visible.long() << torch.arange(6)).sum(dim=1).numpy()
        counts += np.bincount(codes, minlength=64)
    expected = law * counts.sum()
    kept = expected > 10
    rest = np.append(counts[kept], counts[~kept].sum())
    expected = np.append(expected[kept], expected[~kept].sum())
    return chi2.sf(((rest - expected) ** 2 / np.maximum(expected, 1e-9)).sum(), len(rest) - 1)


def test_fused_sweeps_leave_the_law_of_a_drelu_model():
    assert drift(lambda model, start, stream: model.sweep(start, stream, 2)[0]) > SMALLEST_P

    def faulty(model, start, stream):
        moved = model.visible.with_parameters({"field": model.visible.field + 0.15})
        return RBM(moved, model.hidden, model.weights).sweep(start, stream, 2)[0]

    assert drift(faulty) < SMALLEST_P


def test_rows_units_and_draws_are_independent():
    states, _ = few_chains.draw_and_sum(
        torch.zeros(256, 3), torch.zeros(512, 3), torch.zeros(512), key=7, draw=0
    )
    later, _ = few_chains.draw_and_sum(
        torch.zeros(256, 3), torch.zeros(512, 3), torch.zeros(512), key=7, draw=1
    )
    pairs = {
        "rows": (states[0::2], states[1::2]),
        "vectors": (states[:16], states[16:32]),
        "blocks": (states[:128], states[128:]),
        "units": (states[:, 0::2], states[:, 1::2]),
        "fours": (states[:, :-4], states[:, 4:]),
        "draws": (states, later),
    }
    worst = max(agreement(*pair) for pair in pairs.values())
    # six z-scores
    assert worst < norm.isf(SMALLEST_P / 12)
    assert agreement(states, states) > norm.isf(SMALLEST_P / 12)


def agreement(left, right):
    """Return |z| of the number of equal states, against fair coins."""
    equal, count = int((left == right).sum()), left.numel()
    return abs(equal - count / 2) / (0.5 * count**0.5)
