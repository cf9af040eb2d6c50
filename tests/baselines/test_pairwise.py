"""The pairwise model against enumeration, and on samples of a model that is known."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import chi2

from boltzbrain.baselines.pairwise.fit import fit_pairwise
from boltzbrain.baselines.pairwise.likelihood import climb_likelihood
from boltzbrain.baselines.pairwise.model import Pairwise, draw_pairwise
from boltzbrain.baselines.pairwise.pseudo_likelihood import (
    fit_pseudo_likelihood,
    log_pseudo_likelihood,
)
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator, philox_words
from boltzbrain.kernels.cpu.pairs import sweep_pairs
from boltzbrain.model.independent import independent_field


def random_pairwise(neurons, seed=0, spread=0.6, field=-1.0, share=1.0, count=None):
    generator = Generator.from_seed(seed, "test pairwise")
    upper = torch.triu(spread * generator.normal((neurons, neurons)), 1)
    upper *= generator.uniform((neurons, neurons)) < share
    fields = field + 0.5 * generator.normal((1, neurons))[0]
    return Pairwise.of(fields, upper + upper.T, count)


def all_states(neurons):
    number = np.arange(1 << neurons)[:, None]
    return ((number >> np.arange(neurons)) & 1).astype(np.uint8)


def exact_draw(model, n, seed):
    """Draw independent states of a small model by the inverse of its distribution."""
    states = torch.from_numpy(all_states(len(model)))
    cumulated = torch.softmax(model.log_weight(states), dim=0).cumsum(dim=0)
    uniform = Generator.from_seed(seed, "exact draw").uniform((1, n))[0]
    return states[torch.searchsorted(cumulated, uniform * cumulated[-1]).clamp_max(len(states) - 1)]


def plain_sweep(states, model, key, draw):
    """The specification of the kernel: neuron by neuron, all chains at once."""
    states = states.clone()
    words = philox_words(*states.shape, key, draw)
    for neuron in range(states.shape[1]):
        odds = model.log_odds(states)[:, neuron].to(torch.float64)
        uniform = (words[:, neuron].to(torch.float64) + 0.5) * 2.0**-32
        states[:, neuron] = (uniform * (1 + torch.exp(-odds)) < 1).to(torch.uint8)
    return states


@pytest.mark.parametrize("neurons", [1, 3, 30])
def test_the_kernel_draws_what_its_plain_twin_draws(neurons):
    count = -0.02 * torch.arange(neurons + 1, dtype=torch.float64) ** 2
    model = random_pairwise(neurons, count=count)
    start = model.path().start(40, Generator.from_seed(1))
    kept = start.clone()
    found, inputs = sweep_pairs(start, model.field, model.couplings, model.steps, 1.0, 3, 77, 5)
    wanted = kept
    for number in range(3):
        wanted = plain_sweep(wanted, model, 77, 5 + number)
    assert torch.equal(start, kept)
    assert torch.equal(found, wanted)
    torch.testing.assert_close(inputs, found.to(torch.float32) @ model.couplings)


def test_log_odds_are_differences_of_the_log_weight():
    count = torch.from_numpy(np.random.default_rng(0).normal(size=7))
    model = random_pairwise(6, count=count)
    states = torch.from_numpy(all_states(6))
    odds = model.log_odds(states).to(torch.float64)
    for neuron in range(6):
        on, off = states.clone(), states.clone()
        on[:, neuron], off[:, neuron] = 1, 0
        torch.testing.assert_close(
            odds[:, neuron], model.log_weight(on) - model.log_weight(off), atol=1e-5, rtol=0
        )


def departure(states, model):
    """Return Pearson's statistic of states against a model's probabilities, as a p-value."""
    every = torch.from_numpy(all_states(len(model)))
    chance = torch.softmax(model.log_weight(every), dim=0).numpy()
    code = states.numpy().astype(np.int64) @ (1 << np.arange(len(model)))
    seen, wanted = np.bincount(code, minlength=len(chance)), chance * len(states)
    kept = wanted > 5
    statistic = ((seen - wanted)[kept] ** 2 / wanted[kept]).sum()
    return chi2.sf(statistic, int(kept.sum()) - 1)


def test_sweeps_leave_the_distribution_as_it_is():
    # false-alarm rate 1e-6; a model of other couplings is the negative control
    model = random_pairwise(6, spread=1.0)
    start = exact_draw(model, 40_000, seed=3)
    swept = model.sweep(start, Generator.from_seed(4), 3)
    assert departure(swept, model) > 1e-6
    other = random_pairwise(6, seed=1, spread=1.0)
    assert departure(other.sweep(start, Generator.from_seed(4), 3), model) < 1e-6


@pytest.mark.parametrize("with_count", [False, True])
def test_annealing_brackets_the_exact_log_partition(with_count):
    count = -0.05 * torch.arange(16.0) ** 2 if with_count else None
    model = random_pairwise(15, count=count)
    exact = model.exact_log_partition()
    generator = Generator.from_seed(5)
    forward = model.log_partition(generator, chains=500, rungs=200)
    samples = exact_draw(model, 500, seed=6)
    backward = model.log_partition_backward(samples, generator, rungs=200, base=None)
    # 5 standard errors: false-alarm rate 6e-7
    for estimate in (forward, backward):
        assert abs(estimate.value - exact) < 5 * estimate.stderr
        # another model's log Z is told apart
        assert abs(random_pairwise(15, seed=1).exact_log_partition() - exact) > 8 * estimate.stderr


def exact_fit(states, penalty):
    """Maximise the penalised log-likelihood of few neurons by enumeration."""
    neurons = states.shape[1]
    first, second = np.triu_indices(neurons, 1)
    every = all_states(neurons).astype(np.float64)
    features = np.column_stack((every, every[:, first] * every[:, second]))
    own = states.astype(np.float64)
    target = np.concatenate((own.mean(axis=0), (own[:, first] * own[:, second]).mean(axis=0)))

    def loss(point):
        logs = features @ point
        top = logs.max()
        weights = np.exp(logs - top)
        value = top + np.log(weights.sum()) - point @ target
        pairs = point[neurons:]
        slope = weights @ features / weights.sum() - target
        slope[neurons:] += penalty * pairs
        return value + 0.5 * penalty * pairs @ pairs, slope

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, method="L-BFGS-B",
                     options={"maxiter": 300, "ftol": 1e-12, "gtol": 1e-7})  # fmt: skip
    pairs = np.zeros((neurons, neurons))
    pairs[first, second] = found.x[neurons:]
    return Pairwise.of(torch.from_numpy(found.x[:neurons]), torch.from_numpy(pairs + pairs.T))


def test_the_climb_ends_at_the_maximum_of_the_likelihood():
    truth = random_pairwise(15, spread=0.5)
    states = exact_draw(truth, 4000, seed=7).numpy()
    penalty = 2e-3
    exact = exact_fit(states, penalty)
    rough, _ = fit_pseudo_likelihood(states, 200.0)
    found = climb_likelihood(
        rough, states, penalty * len(states), Generator.from_seed(8), chains=4000, updates=200
    ).model
    first, second = np.triu_indices(15, 1)
    wanted, got, before = (one.couplings.numpy()[first, second] for one in (exact, found, rough))
    # the noise of 4000 chains in a coupling between neurons of rate 0.3 is 0.02 after averaging
    assert np.abs(got - wanted).max() < 0.06
    assert np.abs(before - wanted).max() > 0.1
    assert float((found.field - exact.field).abs().max()) < 0.1
    fresh = exact_draw(truth, 2000, seed=9)
    scores = [
        float(one.log_weight(fresh).mean()) - one.exact_log_partition() for one in (exact, found)
    ]
    assert abs(scores[0] - scores[1]) < 0.003


def test_a_climb_comes_back_from_a_model_that_has_run_away():
    # pseudo-likelihood of real cells gives couplings under which nearly all neurons are active
    truth = random_pairwise(40, spread=0.7, field=-3.0, share=0.3)
    states = draw_pairwise(truth, 6000, Generator.from_seed(18)).numpy()
    away = Pairwise.of(truth.field, truth.couplings + 0.6 * (1 - torch.eye(40)))
    begun = draw_pairwise(away, 500, Generator.from_seed(19))
    assert float(begun.float().mean()) > 3 * states.mean()
    found = climb_likelihood(away, states, 6.0, Generator.from_seed(20), chains=500, updates=80)
    assert abs(float(found.chains.float().mean()) / states.mean() - 1) < 0.1
    upper = np.triu_indices(40, 1)
    planted, got = truth.couplings.numpy()[upper], found.model.couplings.numpy()[upper]
    assert float(np.corrcoef(planted, got)[0, 1]) > 0.7


def test_a_potential_of_the_count_is_found_where_there_is_one():
    # bins of many active neurons are more frequent than any model of pairs has them
    count = torch.zeros(13, dtype=torch.float64)
    count[6:] = 3.0
    truth = random_pairwise(12, spread=0.2, count=count)
    states, fresh = (exact_draw(truth, 8000, seed=seed) for seed in (14, 15))
    start, _ = fit_pseudo_likelihood(states.numpy(), 30.0)
    scores, distances = {}, {}
    wanted = np.bincount(fresh.sum(dim=1), minlength=13) / len(fresh)
    for with_count in (False, True):
        found = climb_likelihood(
            start, states.numpy(), 8.0, Generator.from_seed(16), chains=2000, updates=150,
            count=with_count,
        ).model  # fmt: skip
        assert found.counts == with_count
        score = found.log_weight(fresh).mean() - found.exact_log_partition()
        drawn = exact_draw(found, 8000, seed=17)
        distances[with_count] = np.abs(
            np.bincount(drawn.sum(dim=1), minlength=13) / len(drawn) - wanted
        ).sum()
        scores[with_count] = float(score)
    best = float(truth.log_weight(fresh).mean()) - truth.exact_log_partition()
    assert scores[False] + 0.01 < scores[True] < best + 0.002
    assert best - scores[True] < 0.3 * (best - scores[False])
    assert distances[True] < 0.5 * distances[False]


def test_the_likelihood_of_a_fitted_model_is_the_exact_one():
    truth = random_pairwise(15)
    train, validation = (exact_draw(truth, n, seed=n).numpy() for n in (3000, 1000))
    found = fit_pairwise(
        train, validation, Generator.from_seed(10), penalties=(100.0, 30.0), factors=(1.0, 0.5),
        chains=500, updates=40, rungs=200,
    )  # fmt: skip
    exact = found.model.log_weight(torch.from_numpy(validation)) - found.model.exact_log_partition()
    gap = found.log_likelihood(validation) - exact.numpy()
    np.testing.assert_allclose(gap, gap[0], atol=1e-9)
    assert abs(gap[0]) < 5 * found.forward.stderr
    # it is better than independent neurons, and no better than the truth
    field = independent_field(torch.from_numpy(train))
    single = validation @ field.numpy() - float(torch.nn.functional.softplus(field).sum())
    best = float(truth.log_weight(torch.from_numpy(validation)).mean()) - (
        truth.exact_log_partition()
    )
    assert single.mean() + 0.1 < found.log_likelihood(validation).mean() < best + 0.01


def test_couplings_of_a_known_model_of_200_neurons_are_found():
    truth = random_pairwise(200, spread=0.5, field=-1.2, share=0.03)
    states = draw_pairwise(truth, 10_000, Generator.from_seed(11), anneal=10, sweeps=20).numpy()
    # a penalty that is given: the one that predicts best shrinks couplings of which 97 % are 0
    found = fit_pairwise(
        states[:8000], states[8000:], Generator.from_seed(12), penalties=(10.0,), factors=(1.0,),
        chains=1000, updates=30, rungs=50,
    )  # fmt: skip
    upper = np.triu_indices(200, 1)
    planted, got = truth.couplings.numpy()[upper], found.couplings().numpy()[upper]
    slope = float(got @ planted / (planted @ planted))
    assert abs(slope - 1) < 0.1
    assert np.abs(got[planted == 0]).mean() < 0.25 * np.abs(planted[planted != 0]).mean()
    # shuffled pairs have no slope: the figure is not that of any large couplings
    mixed = planted[Generator.from_seed(13).permutation(len(planted))]
    assert abs(float(got @ mixed / (mixed @ mixed))) < 0.1


def test_the_pseudo_likelihood_is_that_of_the_log_odds():
    model = random_pairwise(8)
    states = exact_draw(model, 50, seed=1)
    odds = model.log_odds(states).to(torch.float64)
    chance = torch.sigmoid(odds)
    wanted = torch.where(states == 1, chance, 1 - chance).log().sum(dim=1)
    torch.testing.assert_close(log_pseudo_likelihood(odds, states), wanted)


def test_what_is_no_pairwise_model_is_refused():
    with pytest.raises(InputError, match="symmetric with a zero diagonal"):
        Pairwise.of(torch.zeros(2), torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    with pytest.raises(InputError, match="symmetric with a zero diagonal"):
        Pairwise.of(torch.zeros(2), torch.eye(2))
    with pytest.raises(InputError, match="at most 20"):
        random_pairwise(21).exact_log_partition()
