"""The log-partition estimates against enumeration and quadrature, and their error bars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numba
import numpy as np
import pytest
import torch
from scipy.integrate import quad

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import annealing_schedule
from boltzbrain.sampling.enumeration import all_states, exact_samples
from boltzbrain.sampling.partition import (
    LogPartition,
    annealed_importance,
    annealed_importance_backward,
    bootstrap_log_mean,
    disagreement,
    effective_sample_size,
    exact_log_partition,
    log_mean_exp,
)
from boltzbrain.sampling.synthetic import random_model

KIND_NAMES = sorted(KINDS)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small arrays lose more to waking threads than they win."""
    before = numba.get_num_threads(), torch.get_num_threads()
    numba.set_num_threads(1)
    torch.set_num_threads(1)
    yield
    numba.set_num_threads(before[0])
    torch.set_num_threads(before[1])


def small_models(count: int, *names: str) -> list[RBM]:
    """Models of all hidden kinds with at most 20 visible, or at most 20 two-valued hidden units."""
    models = []
    for number in range(count):
        generator = Generator.from_seed(number, "small models", *names)
        kind = KIND_NAMES[number % len(KIND_NAMES)]
        wide = KINDS[kind].state_dtype is torch.uint8 and number % 2 == 0
        visible, hidden = (60, 10) if wide else (12, 15)
        spin = "ising" if number % 3 == 2 else "bernoulli"
        models.append(
            random_model(kind, visible, hidden, generator, visible_kind=spin, weight_std=0.15)
        )
    return models


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_exact_log_partition_is_the_integral_of_the_energy(kind: str) -> None:
    # guards the free energy: the integral here knows only the joint energy
    model = random_model(kind, 5, 1, Generator.from_seed(1, kind), dtype=torch.float64)
    visible = all_states(model.visible)

    def total(hidden: float) -> float:
        states = torch.full((len(visible), 1), hidden, dtype=torch.float64)
        return float(torch.exp(-model.energy(visible, states)).sum())

    values = model.hidden.all_states()
    if values is None:
        expected = sum(
            quad(total, low, high, epsabs=1e-12, epsrel=1e-11, limit=400)[0]
            for low, high in ((-40.0, 0.0), (0.0, 40.0))
            if kind != "relu" or low == 0.0
        )
    else:
        expected = sum(total(float(value)) for value in values)
    assert exact_log_partition(model) == pytest.approx(math.log(expected), abs=1e-8)


@pytest.mark.parametrize("kind", ["bernoulli", "ising"])
def test_either_side_may_be_enumerated(kind: str) -> None:
    model = random_model(kind, 9, 4, Generator.from_seed(2, kind), dtype=torch.float64)
    states = all_states(model.visible)
    by_visible = float(torch.logsumexp(-model.free_energy(states), dim=0))
    assert exact_log_partition(model) == pytest.approx(by_visible, abs=1e-10)


def test_a_model_too_large_to_enumerate_is_refused() -> None:
    with pytest.raises(InputError, match="at most 20 two-valued units"):
        exact_log_partition(random_model("gaussian", 21, 3, Generator.from_seed(0)))


def z_scores(models: list[RBM], field: str) -> list[float]:
    scores = []
    for number, model in enumerate(models):
        generator = Generator.from_seed(number, "scores", field)
        chosen = generator.normal((1, len(model.visible)))[0] if field == "given" else None
        estimate = annealed_importance(model, generator, chains=200, rungs=60, visible_field=chosen)
        scores.append((estimate.value - exact_log_partition(model)) / estimate.stderr)
    return scores


@pytest.mark.parametrize("field", ["own", "given"])
def test_annealed_importance_agrees_with_enumeration(field: str) -> None:
    # 20 scores, |z| < 4: false alarms 20 * 6e-5 = 0.1 % for new seeds, none for these
    scores = z_scores(small_models(20), field)
    assert max(map(abs, scores)) < 4
    assert 0.4 < float(np.std(scores)) < 1.7


def test_a_wrong_constant_of_the_lowest_rung_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    # negative control: the constant without the hidden fields, a defect of a published package
    right = RBM.log_partition_independent

    def wrong(model: RBM) -> float:
        fieldless = {
            name: torch.zeros_like(value) if name not in model.hidden.positive else value
            for name, value in model.hidden.parameters().items()
        }
        return right(RBM(model.visible, model.hidden.with_parameters(fieldless), model.weights))

    monkeypatch.setattr(RBM, "log_partition_independent", wrong)
    scores = np.abs(z_scores(small_models(20), "own"))
    assert scores.max() > 4
    assert np.median(scores) > 4


def test_backward_from_exact_samples_agrees_with_enumeration() -> None:
    # 20 scores, |z| < 4: false alarms 0.1 % for new seeds
    scores, control = [], []
    for number, model in enumerate(small_models(20, "backward")):
        generator = Generator.from_seed(number, "backward scores")
        exact = exact_log_partition(model)
        samples = exact_samples(model, 200, generator)
        estimate = annealed_importance_backward(model, samples, generator, rungs=60)
        scores.append((estimate.value - exact) / estimate.stderr)
        # negative control: chains that never left one state, taken for samples of the model
        unmixed = samples[:1].expand_as(samples)
        biased = annealed_importance_backward(model, unmixed, generator, rungs=60)
        control.append(abs(biased.value - exact) / biased.stderr)
    assert max(map(abs, scores)) < 4
    assert max(control) > 4


def test_the_pair_brackets_log_z_in_expectation() -> None:
    # few rungs and strong weights, so that both are biased: the mean of 40 estimates lies below
    # and above by more than 3 of its errors
    model = random_model("bernoulli", 12, 8, Generator.from_seed(3), weight_std=1.2)
    exact = exact_log_partition(model)
    generator = Generator.from_seed(4, "bracket")
    forward, backward = [], []
    for _ in range(40):
        samples = exact_samples(model, 10, generator)
        forward.append(annealed_importance(model, generator, chains=10, rungs=4).value)
        backward.append(annealed_importance_backward(model, samples, generator, rungs=4).value)
    for gap in (exact - np.array(forward), np.array(backward) - exact):
        assert gap.mean() > 3 * gap.std() / math.sqrt(len(gap))


def test_the_one_sigma_interval_covers_as_often_as_it_should() -> None:
    # 60 repeats: the count of a 68 % interval lies in 27..54 but for 1e-4 of the seeds
    model = random_model("bernoulli", 14, 10, Generator.from_seed(5), weight_std=0.5)
    exact = exact_log_partition(model)
    generator = Generator.from_seed(6, "coverage")
    runs = [annealed_importance(model, generator, chains=200, rungs=30) for _ in range(60)]
    assert all(float(run.log_weights.std()) < 1 for run in runs)
    covered = sum(abs(run.value - exact) < run.stderr for run in runs)
    assert 27 <= covered <= 54


def test_weights_that_favour_one_chain_have_a_small_effective_sample_size() -> None:
    # a published package takes the sign the other way and finds 3 of 4 here
    assert effective_sample_size(torch.tensor([0.0, 0.0, 0.0, 10.0])) == pytest.approx(1, abs=1e-3)
    assert effective_sample_size(torch.zeros(7)) == pytest.approx(7)


def test_log_weights_of_any_size_are_summed() -> None:
    logs = torch.tensor([-2000.0, -2000.0 + math.log(3)], dtype=torch.float64)
    assert log_mean_exp(logs) == pytest.approx(-2000 + math.log(2), abs=1e-9)
    assert math.isfinite(bootstrap_log_mean(torch.tensor([0.0, -5000.0]), Generator.from_seed(0)))


def test_the_bootstrap_finds_the_error_of_a_known_law() -> None:
    # the log of the mean of n log-normal weights of spread s has variance (exp(s**2) - 1) / n
    generator = Generator.from_seed(7, "bootstrap")
    logs = 0.5 * generator.normal((1, 4000), torch.float64)[0]
    expected = math.sqrt(math.expm1(0.25) / 4000)
    assert bootstrap_log_mean(logs, generator) == pytest.approx(expected, rel=0.12)


def test_the_schedule_rises_from_0_to_1_and_lowers_the_spread() -> None:
    model = random_model("bernoulli", 40, 15, Generator.from_seed(8), weight_std=0.8)
    ts = annealing_schedule(model, Generator.from_seed(9), 200)
    assert ts[0] == 0.0
    assert ts[-1] == 1.0
    assert len(ts) == 200
    assert bool((np.diff(ts) > 0).all())


def test_the_same_generator_gives_the_same_estimate() -> None:
    model = random_model("bernoulli", 12, 6, Generator.from_seed(10))
    first = annealed_importance(model, Generator.from_seed(11), chains=50, rungs=100)
    again = annealed_importance(model, Generator.from_seed(11), chains=50, rungs=100)
    assert first.value == again.value
    assert first.stderr == again.stderr
    assert bool((first.log_weights == again.log_weights).all())


def test_an_estimate_without_weights_spread_is_exact() -> None:
    model = random_model("drelu", 10, 4, Generator.from_seed(12)).independent()
    estimate = annealed_importance(model, Generator.from_seed(13), chains=20, rungs=5)
    assert estimate.value == pytest.approx(exact_log_partition(model), abs=1e-5)
    assert estimate.effective_sample_size == pytest.approx(20)


def test_an_unreliable_estimate_says_so_in_words() -> None:
    weights = torch.zeros(50, dtype=torch.float64)
    good = LogPartition(0.0, 0.1, 50.0, weights, "forward")
    bad = LogPartition(0.0, 0.1, 4.9, weights, "forward")
    assert good.reliable
    assert good.warning is None
    assert not bad.reliable
    assert bad.warning is not None
    assert "4.9 of 50 chains" in bad.warning
    assert disagreement(good, replace(good, value=0.9, method="backward")) is None
    words = disagreement(good, replace(good, value=1.5, method="backward"))
    assert words is not None
    assert "forward and backward estimates of log Z lie 1.50 nats per bin apart" in words


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"chains": 3}, "chains"),
        ({"rungs": 1}, "rungs"),
        ({"visible_field": torch.zeros(4)}, "visible_field"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, object], named: str) -> None:
    model = RBM(Bernoulli(torch.zeros(3)), Bernoulli(torch.zeros(2)), torch.zeros(3, 2))
    with pytest.raises(InputError, match=named):
        annealed_importance(model, Generator.from_seed(0), **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="samples"):
        annealed_importance_backward(
            model, torch.zeros((5, 3), dtype=torch.uint8), Generator.from_seed(0)
        )
