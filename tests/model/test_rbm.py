"""The RBM against enumeration: free energy, likelihood gradient, Gibbs sweeps without drift."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states, exact_samples
from helpers.enumeration import exact_distribution
from helpers.quadrature import law

ALL_KINDS = sorted(KINDS)
VISIBLE_KINDS = ["bernoulli", "ising"]
PAIRS = list(product(VISIBLE_KINDS, ALL_KINDS))


def drawn(kind: str, size: int, generator: Generator) -> Layer:
    """Return a layer with fields of spread 1/2 and precisions between 0.6 and 1.6."""
    parameters = {}
    for name in KINDS[kind].parameter_names():
        if name in KINDS[kind].positive:
            parameters[name] = 0.6 + generator.uniform((1, size))[0]
        else:
            parameters[name] = 0.5 * generator.normal((1, size), torch.float64)[0]
    return KINDS[kind](**parameters)


def model_of(visible: str, hidden: str, seed: int = 0) -> RBM:
    """Return 4 visible and 3 hidden units, coupled strongly enough to see, with no state rare."""
    generator = Generator.from_seed(seed, "model", visible, hidden)
    scale = {"bernoulli": 0.6, "ising": 0.4}[visible] * (2.0 if hidden == "bernoulli" else 1.0)
    weights = scale * generator.normal((4, 3), torch.float64)
    units, potential = drawn(visible, 4, generator), drawn(hidden, 3, generator)
    middle = all_states(units).to(torch.float64).mean(dim=0, keepdim=True)
    pull = potential.mean(middle @ weights) @ weights.T
    field = units.parameters()["field"] - pull[0]
    return RBM(units.with_parameters({"field": field}), potential, weights)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_free_energy_is_the_hidden_units_summed_or_integrated_out(
    visible: str, hidden: str
) -> None:
    model = model_of(visible, hidden)
    states = all_states(model.visible)
    if model.hidden.all_states() is not None:
        every = all_states(model.hidden)
        want = torch.stack(
            [
                -torch.logsumexp(-model.energy(state.expand(len(every), -1), every), dim=0)
                for state in states
            ]
        )
    else:
        want = model.visible.energy(states)
        inputs = states.to(torch.float64) @ model.weights
        for sample, unit in product(range(len(states)), range(3)):
            parameters = {
                name: float(value[unit]) for name, value in model.hidden.parameters().items()
            }
            want[sample] -= law(hidden, parameters, float(inputs[sample, unit])).log_partition
    assert torch.allclose(model.free_energy(states), want, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_energy_is_that_of_the_formula(visible: str, hidden: str) -> None:
    """E(v, h) = E_visible(v) + E_hidden(h) - v W h; the layers' parts have tests of their own."""
    model = model_of(visible, hidden)
    generator = Generator.from_seed(3, "energy")
    v = model.visible.sample(torch.zeros((6, 4), dtype=torch.float64), generator)
    h = model.hidden.sample(torch.zeros((6, 3), dtype=torch.float64), generator)
    interaction = [
        sum(
            float(v[s, i]) * float(model.weights[i, a]) * float(h[s, a])
            for i, a in product(range(4), range(3))
        )
        for s in range(6)
    ]
    parts = model.visible.energy(v) + model.hidden.energy(h)
    want = parts - torch.tensor(interaction, dtype=torch.float64)
    assert torch.allclose(model.energy(v, h), want, rtol=1e-12)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_moments_give_the_gradient_of_the_log_likelihood(visible: str, hidden: str) -> None:
    """Data moments minus exact model moments, against autograd through the enumerated likelihood.

    For two-valued hidden units the likelihood is summed over all joint states, else over the
    visible states with the closed-form log-partitions that the quadrature has checked.
    """
    model = model_of(visible, hidden)
    states, log_shares = exact_distribution(model)
    data = exact_samples(model_of(visible, hidden, seed=1), 50, Generator.from_seed(4, "data"))
    leaves = {
        "visible": {n: p.clone().requires_grad_() for n, p in model.visible.parameters().items()},
        "hidden": {n: p.clone().requires_grad_() for n, p in model.hidden.parameters().items()},
    }
    weights = model.weights.clone().requires_grad_()
    live = RBM(
        model.visible.with_parameters(leaves["visible"]),
        model.hidden.with_parameters(leaves["hidden"]),
        weights,
    )
    dense = torch.float64

    def log_weight(v: Tensor) -> Tensor:
        if live.hidden.all_states() is None:
            return -live.free_energy(v.to(dense))
        every = all_states(live.hidden).to(dense)
        joint = [live.energy(v.to(dense), h.expand(len(v), -1)) for h in every]
        return torch.logsumexp(-torch.stack(joint), dim=0)

    likelihood = log_weight(data).mean() - torch.logsumexp(log_weight(states), dim=0)
    likelihood.backward()

    positive = model.moments(data)
    # moments() weighs its samples equally: the exact mean is taken over single states
    singles = [model.moments(state[None]) for state in states]
    shares = log_shares.exp()

    def exact_mean(pick: Callable[..., Tensor]) -> Tensor:
        return torch.stack([s * pick(m) for s, m in zip(shares, singles, strict=True)]).sum(dim=0)

    for side in ("visible", "hidden"):
        for name, leaf in leaves[side].items():
            got = getattr(positive, side)[name] - exact_mean(lambda m: getattr(m, side)[name])  # noqa: B023
            assert leaf.grad is not None
            assert torch.allclose(got, leaf.grad, rtol=0, atol=1e-10), (side, name)
    got = positive.products - exact_mean(lambda m: m.products)
    assert weights.grad is not None
    assert torch.allclose(got, weights.grad, rtol=0, atol=1e-10)


SAMPLES = 60_000


def total_variation(states: Tensor, shares: Tensor) -> float:
    """Return the total variation between samples and the law of all states, first unit slowest."""
    place = 2 ** torch.arange(states.shape[1] - 1, -1, -1)
    number = (states > 0).to(torch.int64) @ place
    observed = torch.bincount(number, minlength=len(shares)) / len(states)
    return float((observed - shares).abs().sum() / 2)


def monte_carlo_floor(shares: Tensor) -> float:
    """Return the expected total variation of `SAMPLES` independent draws."""
    return float((2 * shares * (1 - shares) / (torch.pi * SAMPLES)).sqrt().sum() / 2)


def mean_field_sweep(model: RBM, visible: Tensor, generator: Generator) -> Tensor:
    """Make a wrong sweep: the hidden units are at their means in place of drawn."""
    return model.sample_visible(model.mean_hidden(visible), generator)


@pytest.mark.parametrize(("visible", "hidden"), PAIRS)
def test_sweeps_do_not_drift(visible: str, hidden: str) -> None:
    """Exact samples stay exact under the kernel: immune to slow mixing, since they start there.

    False-alarm rate: one sample moves the total variation by at most 1 / n, so (McDiarmid) it
    passes its mean by 3 floors of 0.004 with probability below exp(-2 n 0.012**2) = 3e-8, and one
    of the suite's 30 with probability 1e-6.
    """
    model = model_of(visible, hidden)
    _, log_shares = exact_distribution(model)
    shares, floor = log_shares.exp(), monte_carlo_floor(log_shares.exp())
    assert floor > 0.004
    generator = Generator.from_seed(5, visible, hidden)
    start = exact_samples(model, SAMPLES, generator)
    assert total_variation(start, shares) < 4 * floor
    for dtype, sweeps in ((torch.float64, 1), (torch.float32, 3)):
        rounded = model.to(dtype)
        begin = start.to(rounded.visible.state_dtype or dtype)
        moved, _ = rounded.sweep(begin, generator, sweeps)
        assert (moved != begin).any(dim=1).float().mean() > 0.2
        assert total_variation(moved, shares) < 4 * floor
    # negative control: a sweep that forgets the spread of the hidden units is caught
    assert total_variation(mean_field_sweep(model, start, generator), shares) > 4 * floor


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_hidden_states_of_a_sweep_gave_the_visible_ones(kind: str) -> None:
    """The pair (v, h) after a sweep follows the joint law: <v h> equals <v <h | v>>.

    5.5 standard errors of 12 means, over all kinds: a false-alarm rate of 3e-6. The control pairs
    the hidden states with those of other chains.
    """
    model = model_of("bernoulli", kind)
    generator = Generator.from_seed(6, kind)
    visible, hidden = model.sweep(exact_samples(model, SAMPLES, generator), generator, 2)
    expected = model.mean_hidden(visible)

    def deviation(states: Tensor) -> float:
        difference = visible[:, :, None] * (states.to(torch.float64) - expected)[:, None, :]
        return float((difference.mean(dim=0) / difference.std(dim=0) * SAMPLES**0.5).abs().max())

    assert deviation(hidden) < 5.5
    assert deviation(hidden.roll(1, dims=0)) > 5.5


def test_log_partition_of_the_independent_model_is_exact() -> None:
    for visible, hidden in PAIRS:
        model = model_of(visible, hidden)
        flat = model.independent()
        summed = torch.logsumexp(-flat.free_energy(all_states(flat.visible)), dim=0)
        assert model.log_partition_independent() == pytest.approx(float(summed), abs=1e-12)


@pytest.mark.parametrize("hidden", ALL_KINDS)
def test_sign_gauge_keeps_the_law_of_the_visible_units(hidden: str) -> None:
    model = model_of("bernoulli", hidden, seed=2)
    assert (model.weights.sum(dim=0) < 0).any()
    gauged = model.in_sign_gauge()
    _, before = exact_distribution(model)
    _, after = exact_distribution(gauged)
    assert torch.allclose(before, after, atol=1e-12)
    if model.hidden.flipped(torch.ones(3, dtype=torch.bool)) is None:
        assert gauged is model
    else:
        assert (gauged.weights.sum(dim=0) >= 0).all()


@pytest.mark.parametrize("hidden", ALL_KINDS)
def test_a_model_takes_the_signs_of_another(hidden: str) -> None:
    # on the line from a model to its mirror image the weights vanish
    model = model_of("bernoulli", hidden, seed=2)
    mirrored = model.in_sign_gauge()
    again = mirrored.signed_like(model)
    assert torch.equal(again.weights, model.weights)
    for name, value in model.hidden.parameters().items():
        assert torch.equal(again.hidden.parameters()[name], value)


def test_an_array_and_states_of_another_width_are_refused_before_a_kernel_reads_past_them() -> None:
    rbm = RBM(Bernoulli(torch.zeros(4)), Bernoulli(torch.zeros(2)), torch.zeros(4, 2))
    for call in (rbm.mean_hidden, rbm.free_energy):
        with pytest.raises(InputError, match=r"visible must be a tensor.*torch\.as_tensor"):
            call(np.zeros((3, 4)))
        for dtype in (torch.uint8, torch.float32):
            with pytest.raises(InputError, match=r"have shape \(sample, 4\); got \(3, 5\)"):
                call(torch.zeros((3, 5), dtype=dtype))
    with pytest.raises(InputError, match=r"hidden must have shape \(sample, 2\); got \(3, 4\)"):
        rbm.mean_visible(torch.zeros(3, 4))
