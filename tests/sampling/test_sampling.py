"""Ladders, bridges, the running estimate and the diagnosis of mixing against known answers."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numba
import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.bridge import bridge, bridge_log_partition
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.exchange import exchange_step, replica_flow, replicas_from
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.sampling.ladder import (
    Ladder,
    annealing_ladder,
    respaced,
    temperature_ladder,
    trajectory_ladder,
)
from boltzbrain.sampling.mixing import diagnose, diagnose_chains, integrated_time, split_r_hat
from boltzbrain.sampling.running import RunningLogPartition, resample
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.sampling.tempering import LadderRun, sample_ladder, tuned

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


def build(method: str, model: RBM, generator: Generator) -> Ladder:
    if method == "annealing":
        return annealing_ladder(model, generator)
    if method == "temperature":
        return temperature_ladder(model, generator)
    early = RBM(model.visible, model.hidden, 0.4 * model.weights)
    return trajectory_ladder([early, model], generator)


METHODS = ["annealing", "temperature", "trajectory"]


class TestLadder:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("kind", KIND_NAMES)
    def test_ends_and_kinds(self, method: str, kind: str) -> None:
        model = random_model(kind, 12, 5, Generator.from_seed(0, kind), weight_std=0.5)
        ladder = build(method, model, Generator.from_seed(1))
        assert ladder.method == method
        assert ladder.model is model
        assert not bool(ladder.rungs[0].weights.any())
        for rung in ladder.rungs:
            for name in model.hidden.positive:
                # a precision that goes to 0 has no base measure
                torch.testing.assert_close(
                    rung.hidden.parameters()[name], model.hidden.parameters()[name]
                )
        if method == "temperature":
            assert not bool(ladder.rungs[0].visible.parameters()["field"].any())

    def test_neighbours_exchange_at_the_rate_asked_for(self) -> None:
        model = random_model("bernoulli", 60, 20, Generator.from_seed(2), weight_std=0.7)
        generator = Generator.from_seed(3)
        ladder = tuned(
            annealing_ladder(model, generator, acceptance=0.5), generator, acceptance=0.5
        )
        run = sample_ladder(ladder, 2000, generator.child("run"), chains=100, warm_up=20)
        assert len(ladder) > 3
        assert float(np.abs(run.acceptance - 0.5).max()) < 0.15

    def test_rungs_are_added_where_neighbours_do_not_exchange(self) -> None:
        model = random_model("bernoulli", 60, 20, Generator.from_seed(2), weight_std=0.7)
        base = model.independent()
        crowded = Ladder(
            tuple(base.mixed(model, t) for t in (0.0, 0.01, 0.02, 0.03, 1.0)), "annealing"
        )
        better = respaced(crowded, np.array([0.98, 0.98, 0.98, 0.01]), acceptance=0.4)
        assert better.model is crowded.model
        gaps = [
            float((upper.weights - lower.weights).norm())
            for lower, upper in zip(better.rungs[:-1], better.rungs[1:], strict=True)
        ]
        assert max(gaps) < 0.6 * float(model.weights.norm())
        assert len(better) == 5

    def test_impossible_ladders_are_refused(self) -> None:
        model = random_model("bernoulli", 4, 2, Generator.from_seed(4))
        generator = Generator.from_seed(5)
        with pytest.raises(InputError, match="acceptance"):
            annealing_ladder(model, generator, acceptance=1.0)
        with pytest.raises(InputError, match="checkpoints"):
            trajectory_ladder([], generator)
        with pytest.raises(InputError, match="rungs"):
            temperature_ladder(model, generator, rungs=1)
        with pytest.raises(InputError, match="accepted"):
            respaced(annealing_ladder(model, generator), np.ones(9))


class TestExchange:
    def test_bookkeeping_follows_every_state(self) -> None:
        # guards against a swap that moves the state but not its number: every replica is marked by
        # its state, and sweeps are left out so that marks last; trips are counted again by hand
        model = random_model("bernoulli", 3, 2, Generator.from_seed(9), weight_std=0.5)
        ladder = annealing_ladder(model, Generator.from_seed(10), rungs=4)
        marks = torch.tensor([[0, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=torch.uint8)
        replicas = replicas_from(marks[:, None].repeat(1, 7, 1), Generator.from_seed(0))
        at = [[0, 1, 2, 3] for _ in range(7)]
        climbing: list[dict[int, bool]] = [{0: True} for _ in range(7)]
        trips = [[0] * 7 for _ in range(4)]
        for _ in range(60):
            replicas, exchange = exchange_step(ladder, replicas, sweeps=0)
            for column in range(7):
                here = at[column]
                for row, pair in enumerate(exchange.pairs):
                    if exchange.accepted[row, column]:
                        here[pair], here[pair + 1] = here[pair + 1], here[pair]
                if climbing[column].get(here[0]) is False:
                    trips[here[0]][column] += 1
                climbing[column][here[0]] = True
                if here[-1] in climbing[column]:
                    climbing[column][here[-1]] = False
            assert bool((marks[replicas.replica] == replicas.visible).all())
            assert replicas.replica.T.tolist() == at
        assert replicas.round_trips.tolist() == trips
        assert sum(map(sum, trips)) > 20
        assert replicas.steps == 60

    def test_a_replica_that_starts_on_top_has_not_climbed(self) -> None:
        model = RBM(Bernoulli(torch.zeros(3)), Bernoulli(torch.zeros(2)), torch.zeros(3, 2))
        ladder = Ladder((model, model), "annealing")
        replicas = replicas_from(torch.zeros((2, 5, 3), dtype=torch.uint8), Generator.from_seed(0))
        replicas, _ = exchange_step(ladder, replicas)
        assert int(replicas.round_trips.sum()) == 0
        replicas, _ = exchange_step(ladder, replicas)
        assert int(replicas.round_trips.sum()) == 5
        assert replica_flow(replicas).tolist() == [[5, 0], [0, 5]]

    def test_a_replica_that_was_on_top_alone_comes_from_above(self) -> None:
        # the lowest rung never exchanges: its states are 800 nats dearer one rung up
        cold = RBM(Bernoulli(torch.full((3,), 9.0)), Bernoulli(torch.zeros(2)), torch.zeros(3, 2))
        hot = RBM(Bernoulli(torch.full((3,), -400.0)), cold.hidden, cold.weights)
        ladder = Ladder((cold, hot, hot), "annealing")
        replicas = replicas_from(torch.zeros((3, 5, 3), dtype=torch.uint8), Generator.from_seed(0))
        for _ in range(6):
            replicas, exchange = exchange_step(ladder, replicas)
            if 0 in exchange.pairs:
                assert not bool(exchange.accepted[0].any())
        assert int(replicas.round_trips.sum()) == 0
        assert replica_flow(replicas).tolist() == [[5, 0], [0, 5], [0, 5]]

    def test_columns_do_not_meet(self) -> None:
        model = random_model("bernoulli", 8, 3, Generator.from_seed(6), weight_std=1.0)
        ladder = annealing_ladder(model, Generator.from_seed(7), rungs=3)
        visible = torch.zeros((3, 2, 8), dtype=torch.uint8)
        visible[:, 1] = 1
        replicas, _ = exchange_step(
            ladder, replicas_from(visible, Generator.from_seed(8)), sweeps=0
        )
        assert not bool(replicas.visible[:, 0].any())
        assert bool(replicas.visible[:, 1].all())


class TestBridge:
    def test_normal_energies_give_the_known_constant(self) -> None:
        # x normal with mean m and variance s**2 below has mean m + s**2 above, and the constants
        # differ by m + s**2 / 2
        generator = Generator.from_seed(0, "bridge")
        mean, std = 3.0, 1.5
        below = mean + std * generator.normal((4000, 10), torch.float64)
        above = mean + std**2 + std * generator.normal((1000, 10), torch.float64)
        found = bridge(below, above).value
        assert found == pytest.approx(mean + std**2 / 2, abs=0.1)
        shifted = bridge(below + 1e4, above + 1e4).value
        assert shifted == pytest.approx(found + 1e4, abs=1e-6)

    @pytest.mark.parametrize("method", METHODS)
    def test_trajectory_estimate_agrees_with_enumeration(self, method: str) -> None:
        # 15 scores, |z| < 4: false alarms 15 * 6e-5 = 0.1 % for new seeds
        scores, wrong = [], []
        for kind in KIND_NAMES:
            generator = Generator.from_seed(1, "bridge", method, kind)
            weight_std = 0.8 if KINDS[kind].state_dtype is torch.uint8 else 0.3
            model = random_model(kind, 12, 6, generator, weight_std=weight_std)
            ladder = build(method, model, generator)
            run = sample_ladder(ladder, 2500, generator.child("run"), chains=50, warm_up=15)
            estimate = bridge_log_partition(ladder, run.exchanges, generator)
            exact = exact_log_partition(model)
            scores.append((estimate.value - exact) / estimate.stderr)
            assert estimate.method == method
            assert estimate.reliable
            assert float(estimate.log_weights.mean()) == pytest.approx(estimate.value, abs=1e-6)
            # negative control: the importance weights with the opposite sign
            turned = [replace(step, below=-step.below, above=-step.above) for step in run.exchanges]
            flipped = bridge_log_partition(ladder, turned, generator)
            wrong.append(abs(flipped.value - exact) / estimate.stderr)
        assert max(map(abs, scores)) < 4
        assert min(wrong) > 4

    def test_pairs_without_a_step_are_refused(self) -> None:
        model = random_model("bernoulli", 6, 3, Generator.from_seed(2))
        ladder = annealing_ladder(model, Generator.from_seed(3), rungs=4)
        visible = torch.zeros((4, 20, 6), dtype=torch.uint8)
        _, exchange = exchange_step(ladder, replicas_from(visible, Generator.from_seed(4)))
        with pytest.raises(InputError, match="all 3 pairs"):
            bridge_log_partition(ladder, [exchange], Generator.from_seed(5))


class TestRunning:
    @staticmethod
    def follow(number: int, steps: int = 10, chains: int = 200) -> tuple[RunningLogPartition, RBM]:
        generator = Generator.from_seed(number, "running")
        kind = KIND_NAMES[number % len(KIND_NAMES)]
        first = random_model(kind, 12, 6, generator, weight_std=0.1)
        last = random_model(kind, 12, 6, generator, weight_std=0.3)
        state = RunningLogPartition.start(first, generator.child("chains"), chains=chains, rungs=15)
        for step in range(1, steps + 1):
            state = state.update(first.mixed(last, step / steps))
        return state, last

    def test_agrees_with_enumeration(self) -> None:
        # 20 scores, |z| < 4: false alarms 0.1 % for new seeds
        scores, control = [], []
        for number in range(20):
            state, last = self.follow(number)
            estimate = state.estimate()
            exact = exact_log_partition(last)
            scores.append((estimate.value - exact) / estimate.stderr)
            # negative control: weights of the opposite sign, as in a published package
            flipped = state.settled + float(torch.logsumexp(-state.log_weights, 0)) - math.log(200)
            control.append(abs(flipped - exact) / estimate.stderr)
        assert max(map(abs, scores)) < 4
        assert max(control) > 4

    def test_resampling_loses_nothing_but_precision(self) -> None:
        # a strong model reached in few steps, so that chains are resampled several times
        scores = []
        for number in range(12):
            generator = Generator.from_seed(number, "resampling")
            model = random_model("bernoulli", 14, 8, generator, weight_std=2.5)
            base = model.independent()
            state = RunningLogPartition.start(base, generator.child(0), chains=400, rungs=2)
            for step in range(1, 6):
                state = state.update(base.mixed(model, step / 5), steps=1)
            assert state.resamplings >= 2
            estimate = state.estimate()
            scores.append((estimate.value - exact_log_partition(model)) / estimate.stderr)
        assert max(map(abs, scores)) < 4
        assert float(np.std(scores)) < 1.9

    def test_a_large_change_is_made_in_many_steps(self) -> None:
        # one step would leave few chains with weight; and a call that changes nothing costs one
        generator = Generator.from_seed(8, "steps")
        model = random_model("bernoulli", 20, 10, generator, weight_std=1.5)
        base = model.independent()
        start = RunningLogPartition.start(base, generator, chains=300, rungs=2)
        at_once, in_steps = start.update(model, steps=1), start.update(model)
        size = at_once.estimate().effective_sample_size
        assert in_steps.estimate().effective_sample_size > 3 * size
        with pytest.raises(InputError, match="steps"):
            start.update(model, steps=0)

    def test_likely_chains_are_drawn_more_often(self) -> None:
        # guards the sign: a published package draws the unlikely ones
        drawn = resample(torch.tensor([0.0, 0.0, 0.0, 10.0]), Generator.from_seed(0))
        assert drawn.tolist() == [3, 3, 3, 3]
        weights = torch.tensor([1.0, 2.0, 3.0, 4.0]).repeat(100)
        counts = torch.bincount(resample(weights.log(), Generator.from_seed(1)), minlength=400)
        expected = 400 * weights / weights.sum()
        assert bool(((counts - expected).abs() < 1).all())

    def test_a_restored_state_goes_on_bit_for_bit(self) -> None:
        state, last = self.follow(3, steps=5)
        again = RunningLogPartition.restore(state.model, state.tensors())
        one, two = state.update(last).update(last), again.update(last).update(last)
        assert bool((one.visible == two.visible).all())
        assert bool((one.log_weights == two.log_weights).all())
        assert one.generator == two.generator
        assert one.estimate().value == two.estimate().value
        assert one.estimate().stderr == two.estimate().stderr
        with pytest.raises(InputError, match=r"running estimate\.numbers"):
            RunningLogPartition.restore(
                last, {"visible": state.visible, "log_weights": state.log_weights}
            )

    def test_the_model_may_change_in_place_afterwards(self) -> None:
        # an optimiser moves the tensors of its model; the state must hold a copy
        state, last = self.follow(1, steps=3)
        mine = RBM(last.visible, last.hidden, last.weights.clone())
        state = state.update(mine)
        mine.weights.add_(1.0)
        assert not bool((state.model.weights == mine.weights).any())

    def test_its_own_chains_are_not_those_of_the_gradient(self) -> None:
        # why the state keeps chains of its own: an update moves the parameters against the noise
        # of the chains that it was computed from, so reweighting those is biased downwards by the
        # learning rate times the squared noise, here by 2 nats in 60 updates
        generator = Generator.from_seed(4, "coupled")
        model = random_model("bernoulli", 40, 10, generator, visible_mean=0.0, weight_std=0.1)
        field = model.visible.parameters()["field"]
        data = exact_samples(model, 2000, generator).to(torch.float32)
        own = RunningLogPartition.start(model, generator.child("own"), chains=100, rungs=20)
        coupled = own.estimate().value
        chains = start_chains(model, 50, generator.child("training"))
        for _ in range(60):
            chains = advance(model, chains, 10)
            states = chains.visible.to(torch.float32)
            field = field + 0.2 * (data.mean(dim=0) - states.mean(dim=0))
            moved = RBM(Bernoulli(field), model.hidden, model.weights)
            gain = model.free_energy(chains.visible) - moved.free_energy(chains.visible)
            coupled += float(torch.logsumexp(gain, 0)) - math.log(len(chains))
            own = own.update(moved)
            model = moved
        exact, estimate = exact_log_partition(model), own.estimate()
        assert abs(estimate.value - exact) < 4 * estimate.stderr
        assert coupled < exact - 10 * estimate.stderr


class TestMixing:
    @staticmethod
    def autoregressive(rho: float, chains: int, steps: int) -> np.ndarray:
        noise = Generator.from_seed(0, "mixing", str(rho)).normal((chains, steps), torch.float64)
        series = noise.numpy().copy()
        for step in range(1, steps):
            series[:, step] = rho * series[:, step - 1] + math.sqrt(1 - rho**2) * series[:, step]
        return series

    @pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
    def test_the_time_of_a_known_process(self, rho: float) -> None:
        series = self.autoregressive(rho, 40, 2000)
        expected = 0.5 * (1 + rho) / (1 - rho)
        assert integrated_time(series) == pytest.approx(expected, rel=0.12)
        mixing = diagnose(series)
        assert mixing.effective_samples == pytest.approx(series.size / (2 * expected), rel=0.12)
        assert mixing.r_hat == pytest.approx(1.0, abs=0.02)

    def test_chains_that_disagree_are_seen(self) -> None:
        series = self.autoregressive(0.0, 10, 200) + 3.0 * np.arange(10)[:, None]
        mixing = diagnose(series)
        assert mixing.r_hat is not None
        assert mixing.effective_samples is not None
        assert mixing.r_hat > 1.5
        # ten chains that sit in ten places are worth about ten samples, not 2000
        assert mixing.effective_samples < 60

    def test_a_drift_within_chains_is_seen(self) -> None:
        # all chains drift alike, so that R-hat of whole chains would be 1
        series = self.autoregressive(0.0, 10, 200) + np.linspace(0, 5, 200)
        found = split_r_hat(series)
        assert found is not None
        assert found > 1.3

    def test_an_undefined_figure_is_none_with_a_reason(self) -> None:
        constant = diagnose(np.ones((3, 20)))
        assert constant.autocorrelation_time is None
        assert constant.reason == "the series is constant"
        stuck = diagnose(np.repeat([[0.0], [1.0]], 20, axis=1))
        assert stuck.r_hat is None
        assert stuck.reason == "every chain is constant"
        assert stuck.effective_samples is not None
        assert stuck.effective_samples < 4
        with pytest.raises(InputError, match="at least 8 steps"):
            diagnose(np.ones((3, 5)))
        with pytest.raises(InputError, match="finite"):
            split_r_hat(np.full((3, 20), np.nan))

    def test_what_is_recorded_belongs_to_the_chains(self) -> None:
        model = random_model("drelu", 7, 3, Generator.from_seed(1))
        chains = start_chains(model, 5, Generator.from_seed(2))
        after, mixing = diagnose_chains(model, chains, 40)
        assert after.sweeps == 40
        assert set(mixing) == {"energy", "population_count", "hidden"}
        states = []
        for _ in range(40):
            chains = advance(model, chains, 1)
            states.append(chains.visible)
        energy = np.stack([model.free_energy(step).numpy() for step in states], axis=1)
        assert mixing["energy"] == diagnose(energy)


@pytest.fixture(scope="module")
def proof() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "proofs" / "estimators.py"
    spec = importlib.util.spec_from_file_location("estimators", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["estimators"] = module
    spec.loader.exec_module(module)
    return module


def test_ten_models_of_the_proof(proof: ModuleType) -> None:
    # 40 scores, |z| < 4: false alarms 0.3 % for new seeds; 3 to 10 of 10 intervals cover but for
    # 3 % of the seeds over the four estimators
    results = proof.measure(10)
    for name in proof.ESTIMATORS:
        assert results[name].largest < 4
        assert results[name].covered >= 0.3
    control = results[proof.METHODS[-1]]
    assert control.largest > 4
    assert control.covered < 0.3


BARRIER_UNITS = 20
BARRIER_SHARE = 0.6


def two_patterns(strength: float = 4.5) -> RBM:
    """One hidden unit that chooses which half of the visible units is active."""
    sign = torch.ones(BARRIER_UNITS)
    sign[BARRIER_UNITS // 2 :] = -1
    field = torch.tensor([math.log(BARRIER_SHARE / (1 - BARRIER_SHARE))])
    return RBM(
        Bernoulli(-0.5 * strength * sign), Bernoulli(field), strength * sign[:, None].clone()
    )


def share_of_first(visible: Tensor) -> float:
    """Fraction of states that lie in the first pattern, ties counted half."""
    half = BARRIER_UNITS // 2
    first, second = visible[:, :half].sum(dim=1), visible[:, half:].sum(dim=1)
    return float((first > second).double().mean() + 0.5 * (first == second).double().mean())


def exact_share(model: RBM) -> float:
    """Probability of the hidden unit that chooses the first pattern."""
    states = torch.tensor([[0], [1]], dtype=torch.uint8)
    return float(torch.softmax(-model.free_energy_of_hidden(states), dim=0)[1])


def crossing_rate(strength: float = 4.5) -> float:
    """Probability that one sweep changes the hidden unit of `two_patterns`, in closed form."""
    half, on = BARRIER_UNITS // 2, 1 / (1 + math.exp(-0.5 * strength))
    counts = np.arange(half + 1)
    first, second = binom.pmf(counts, half, on), binom.pmf(counts, half, 1 - on)
    logit = math.log(BARRIER_SHARE / (1 - BARRIER_SHARE))
    total = logit + strength * (counts[:, None] - counts[None, :])
    stays = first[:, None] * second[None, :]
    return float(2 * BARRIER_SHARE * (stays / (1 + np.exp(total))).sum())


def trained_checkpoints(target: RBM) -> list[RBM]:
    """Checkpoints of a training towards a target, its negative phase from exact samples."""
    generator = Generator.from_seed(5, "trajectory")
    rates = target.moments(exact_samples(target, 4000, generator)).mean_visible
    model = RBM(
        Bernoulli(torch.logit(rates)), Bernoulli(torch.zeros(1)), 0.05 * target.weights.sign()
    )
    models = []
    for update in range(1, 301):
        data = model.moments(exact_samples(target, 2000, generator))
        own = model.moments(exact_samples(model, 2000, generator))
        visible = model.visible.parameters()["field"] + 0.3 * (data.mean_visible - own.mean_visible)
        hidden = model.hidden.parameters()["field"] + 0.3 * (data.mean_hidden - own.mean_hidden)
        weights = model.weights + 0.3 * (data.products - own.products)
        model = RBM(Bernoulli(visible), Bernoulli(hidden), weights)
        if update in {3, 6, 10, 20, 30, 50, 80, 120, 200, 300}:
            models.append(model)
    return models


class TestTwoPatterns:
    """Two modes behind a barrier: what plain sampling gets wrong and exchange gets right.

    The weight of each mode must come out within 2 % of itself. The tempered runs are worth about
    20,000 independent choices of the mode, so that the standard error is 0.9 % of the smaller one:
    false alarms 3 % for new seeds.
    """

    @staticmethod
    def errors(visible: Tensor, model: RBM) -> list[float]:
        found, exact = share_of_first(visible), exact_share(model)
        return [abs(found / exact - 1), abs((1 - found) / (1 - exact) - 1)]

    def test_gibbs_does_not_cross(self) -> None:
        model = two_patterns()
        assert crossing_rate() < 1e-5
        assert exact_share(model) == pytest.approx(BARRIER_SHARE, abs=1e-6)
        chains = start_chains(model, 1000, Generator.from_seed(0, "barrier"))
        before = share_of_first(chains.visible)
        after = advance(model, chains, 100).visible
        assert share_of_first(after) == pytest.approx(before, abs=0.002)
        assert max(self.errors(after, model)) > 0.02

    @pytest.mark.parametrize("method", METHODS)
    def test_exchange_recovers_both_modes(self, method: str) -> None:
        model = two_patterns()
        generator = Generator.from_seed(1, "barrier", method)
        field = torch.logit(torch.full((BARRIER_UNITS,), 0.5))
        if method == "annealing":
            ladder = annealing_ladder(model, generator, visible_field=field)
        elif method == "temperature":
            ladder = temperature_ladder(model, generator)
        else:
            checkpoints = trained_checkpoints(model)
            model = checkpoints[-1]
            ladder = trajectory_ladder(checkpoints, generator, visible_field=field)
        run = self.run(ladder, generator)
        assert max(self.errors(run.samples, model)) < 0.02
        assert run.round_trips > 10_000
        # the hidden unit is the mode: the run knows that it has far fewer samples than states
        assert run.independent_samples is not None
        assert run.independent_samples < 0.5 * len(run.samples)
        estimate = bridge_log_partition(ladder, run.exchanges, generator)
        assert abs(estimate.value - exact_log_partition(model)) < 4 * estimate.stderr

    @staticmethod
    def run(ladder: Ladder, generator: Generator) -> LadderRun:
        stream = generator.child("run")
        return sample_ladder(ladder, 400 * 1000, stream, chains=1000, warm_up=40)
