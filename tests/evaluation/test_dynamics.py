"""Dynamics against slow loops, against exact transition matrices, and against known kinetics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source, Step
from boltzbrain.evaluation.dynamics.compare import compare_dynamics
from boltzbrain.evaluation.dynamics.curves import Curve, Recorded, lag_grid, unusual
from boltzbrain.evaluation.dynamics.hidden_units import hidden_dynamics
from boltzbrain.evaluation.dynamics.kinetics import (
    glauber_updates,
    independent_curve,
    model_curves,
    sweep_grid,
    trajectory,
)
from boltzbrain.evaluation.dynamics.surrogates import time_shuffled, trial_shuffled
from boltzbrain.evaluation.dynamics.time_scales import (
    agreement,
    at_times,
    decay,
    fit_time_scale,
    integrated_time,
)
from boltzbrain.evaluation.results import plain
from boltzbrain.evaluation.samples import Samples, draw_samples
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.hidden_activity import hidden_activity
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.rectified import DReLU
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_samples
from helpers.enumeration import exact_distribution

NINE = 9


def small_model(kind="bernoulli", seed=0, visible=NINE, hidden=4, scale=1.2):
    generator = Generator.from_seed(seed, "small model")
    weights = scale * generator.normal((visible, hidden), torch.float64)
    field = generator.normal((1, visible), torch.float64)[0] - 1
    if kind == "bernoulli":
        layer = Bernoulli(generator.normal((1, hidden), torch.float64)[0])
    else:
        ones = torch.ones(hidden, dtype=torch.float64)
        layer = DReLU(0 * ones, 0.5 * ones, ones, 2 * ones)
    return RBM(Bernoulli(field), layer, weights)


def glauber_matrix(model):
    """Return the transition matrix of one update of a neuron drawn at random, (state, state)."""
    states, log_p = exact_distribution(model)
    number, neurons = states.shape
    log_p = log_p.numpy()
    matrix = np.zeros((number, number))
    for state in range(number):
        for neuron in range(neurons):
            other = state ^ (1 << (neurons - 1 - neuron))
            move = 1 / (1 + np.exp(log_p[state] - log_p[other]))
            matrix[state, other] += move / neurons
            matrix[state, state] += (1 - move) / neurons
    return states.numpy(), np.exp(log_p), matrix


def gibbs_matrix(model):
    """Return the transition matrix of one block Gibbs sweep of a binary model, (state, state)."""
    states, log_p = exact_distribution(model)
    hidden, _ = exact_distribution(RBM(model.hidden, model.visible, model.weights.T.contiguous()))
    up, down = (
        torch.sigmoid(inputs + layer.field)
        for inputs, layer in (
            (states.to(torch.float64) @ model.weights, model.hidden),
            (hidden.to(torch.float64) @ model.weights.T, model.visible),
        )
    )
    given_v = torch.stack([torch.where(one > 0, up, 1 - up).prod(dim=1) for one in hidden], dim=1)
    given_h = torch.stack([torch.where(one > 0, down, 1 - down).prod(dim=1) for one in states], 1)
    return states.numpy(), log_p.exp().numpy(), (given_v @ given_h).numpy()


def exact_curves(states, p, matrix, powers, start=None):
    """Return the four curves by the transition matrix: count and overlap at each power of it."""
    rates = p @ states
    count = states.sum(axis=1) - rates.sum()
    shifted = states - rates
    law = p if start is None else start
    counts, overlaps = [], []
    for power in powers:
        step = np.linalg.matrix_power(matrix, int(power))
        overlap = np.einsum("s,si,st,ti->", law, shifted, step, shifted)
        now = law @ np.sum(shifted**2, axis=1)
        later = law @ step @ np.sum(shifted**2, axis=1)
        if start is None:
            counts.append(p @ (count * (step @ count)) / (p @ count**2))
            overlaps.append(overlap / ((now + later) / 2))
        else:
            counts.append(law @ step @ count / (law @ count))
            overlaps.append(overlap / now)
    return np.array(counts), np.array(overlaps)


MATRICES = {"gibbs": gibbs_matrix, "glauber": glauber_matrix}


@pytest.mark.parametrize("kind", ["gibbs", "glauber"])
def test_the_transition_matrix_of_the_test_keeps_the_model(kind):
    # the truth that the next test rests on
    _, p, matrix = MATRICES[kind](small_model())
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(p @ matrix, p, atol=1e-12)


@pytest.mark.parametrize("kind", ["gibbs", "glauber"])
def test_curves_of_a_model_are_those_of_its_transition_matrix(kind):
    model = small_model()
    states, p, matrix = MATRICES[kind](model)
    updates = np.array([0, 1, 2, 4, 8, 16])
    times = updates / (1 if kind == "gibbs" else NINE)
    chains = 20_000
    generator = Generator.from_seed(0, "test dynamics", kind)
    still = exact_samples(model, chains, generator)
    busy = np.flatnonzero(states.sum(axis=1) >= 5)
    law = np.zeros(len(states))
    law[busy] = p[busy] / p[busy].sum()
    chosen = np.random.default_rng(0).choice(len(states), size=chains, p=law)
    start = np.concatenate((still.numpy(), states[chosen])).astype(np.uint8)
    found = model_curves(
        model, start, times, kind, generator,
        rates=p @ states, relaxing=np.repeat([0, 1], chains),
    )  # fmt: skip
    for group, first in ((0, None), (1, law)):
        exact = exact_curves(states, p, matrix, updates, first)
        for curve, truth in zip((found[group].count, found[group].overlap), exact, strict=True):
            # false-alarm rate: 5 errors of 20 figures, 1e-5
            off = np.abs(curve.values - truth) - 5 * curve.stderr
            assert off.max() < 1e-9, (group, curve.values, truth)
            assert truth[1] < 0.97, "the curve must fall for the test to mean anything"
    # the negative control: the other kind of update has other curves
    other = exact_curves(*MATRICES["glauber" if kind == "gibbs" else "gibbs"](model), updates)[0]
    off = np.abs(found[0].count.values - other) - 5 * found[0].count.stderr
    assert off.max() > 0


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_glauber_updates_keep_the_law_of_the_model(kind):
    model = small_model(kind, visible=5, hidden=3)
    generator = Generator.from_seed(1, "no drift", kind)
    states, log_p = exact_distribution(model)
    chains = 40_000
    cumulated = log_p.exp().cumsum(0)
    uniform = generator.uniform((chains, 1))[:, 0] * cumulated[-1]
    start = states[torch.searchsorted(cumulated, uniform)].to(torch.uint8)
    moved = glauber_updates(model, start, 23, generator)
    code = moved.numpy() @ (1 << np.arange(4, -1, -1))
    share = np.bincount(code, minlength=32) / chains
    p = log_p.exp().numpy()
    floor = np.sqrt(2 * p / np.pi / chains).sum() / 2
    # the expected distance of an exact sample; 2.5 times it is beyond 1e-6
    assert np.abs(share - p).sum() / 2 < 2.5 * floor
    assert (moved != start).any()
    # the negative control: chains of another model drift away
    poor = RBM(model.visible, model.hidden, model.weights * 0.5)
    moved = glauber_updates(poor, start, 23, generator)
    share = np.bincount(moved.numpy() @ (1 << np.arange(4, -1, -1)), minlength=32) / chains
    assert np.abs(share - p).sum() / 2 > 4 * floor


def slow_curves(states, segment, lag, start=None):
    """Return both curves at one lag by loops over pairs of bins."""
    rates = states.mean(axis=0)
    shifted = states - rates
    count = shifted.sum(axis=1)
    tops, bottoms = np.zeros(2), np.zeros(2)
    for t in range(len(states) - lag):
        if segment[t] != segment[t + lag] or (start is not None and not start[t]):
            continue
        now, later = shifted[t], shifted[t + lag]
        if start is None:
            tops += (count[t] * count[t + lag], now @ later)
            bottoms += ((count[t] ** 2 + count[t + lag] ** 2) / 2, (now @ now + later @ later) / 2)
        else:
            tops += (count[t + lag], now @ later)
            bottoms += (count[t], now @ now)
    return tops / bottoms


def test_curves_of_a_recording_are_those_of_slow_loops_within_segments():
    generator = np.random.default_rng(0)
    states = (generator.random((90, 70)) < 0.2).astype(np.uint8)
    segment = np.repeat([3, 1, 2], [40, 20, 30]).astype(np.int32)
    recorded = Recorded(states, segment, np.arange(90) // 10)
    high = unusual(recorded.counts, "high")
    assert 0 < high.sum() < 30
    for start in (None, high):
        found = recorded.curves(np.array([0, 1, 5, 25]), start)
        for place, lag in enumerate(found.count.times.astype(int)):
            slow = slow_curves(states, segment, lag, start)
            got = found.count.values[place], found.overlap.values[place]
            np.testing.assert_allclose(got, slow, rtol=1e-9, atol=1e-12)


def test_the_order_of_neurons_does_not_matter():
    generator = np.random.default_rng(1)
    states = (generator.random((60, 30)) < 0.3).astype(np.uint8)
    segment, cluster = np.zeros(60, np.int32), np.arange(60) // 10
    order = generator.permutation(30)
    pairs = [
        Recorded(one, segment, cluster).curves(lag_grid(60)) for one in (states, states[:, order])
    ]
    for name in ("count", "overlap"):
        first, second = (getattr(one, name) for one in pairs)
        np.testing.assert_allclose(first.values, second.values, atol=1e-9)


def test_a_fitted_factor_is_the_true_one_and_a_shape_that_differs_is_told():
    times = np.concatenate(([0.0], np.geomspace(0.01, 3, 30)))
    sweeps = np.concatenate(([0.0], np.geomspace(1, 400, 30)))
    none = np.zeros(31)
    real = Curve(times, 0.6 * np.exp(-times / 0.4) + 0.4 * (times == 0), none)
    same = Curve(sweeps, 0.6 * np.exp(-sweeps / 25) + 0.4 * (sweeps == 0), none)
    other = Curve(sweeps, 1 / (1 + sweeps / 25), none)
    unit = fit_time_scale([(real, same)])
    assert unit.seconds_per_sweep == pytest.approx(0.4 / 25, rel=0.02)
    assert not unit.at_edge
    assert agreement(real, same, unit.seconds_per_sweep).rms < 0.01
    unit = fit_time_scale([(real, other)])
    assert agreement(real, other, unit.seconds_per_sweep).rms > 0.05
    assert agreement(real, real, 1.0).explained == 1
    flat = Curve(times, (times == 0).astype(float), none)
    assert abs(agreement(real, flat, 1.0).explained) < 0.05
    assert isinstance(fit_time_scale([(flat, same)]), Undefined)


def test_time_scales_of_a_known_decay_are_found():
    times = np.arange(0, 200) * 0.02
    found = decay(Curve(times, np.exp(-((times / 0.3) ** 0.7)), np.full(200, 1e-4)))
    assert found["stretched"]["exponent"] == pytest.approx(0.7, abs=0.01)
    assert found["stretched"]["time"] == pytest.approx(0.3, rel=0.02)
    found = decay(
        Curve(times, np.where(times > 0, 0.5 * np.exp(-times / 0.3), 1), times * 0 + 1e-4)
    )
    assert found["exponential"]["amplitude"] == pytest.approx(0.5, rel=0.01)
    assert found["exponential"]["time"] == pytest.approx(0.3, rel=0.01)
    exact = 0.02 * (0.5 + 0.5 * np.exp(-times[1:] / 0.3).sum())
    assert integrated_time(
        Curve(times, np.where(times > 0, 0.5 * np.exp(-times / 0.3), 1), times)
    ) == pytest.approx(exact, rel=0.05)
    noise = Curve(times, np.where(times > 0, 1e-4, 1.0), np.full(200, 0.01))
    assert isinstance(decay(noise)["exponential"]["time"], Undefined)


def test_a_curve_between_its_times_and_beyond_its_end():
    curve = Curve(np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.2]), np.zeros(3))
    np.testing.assert_allclose(
        at_times(curve, np.array([0.5, 1.0, np.sqrt(2), 2.0, 9.0])), [0.5, 0.5, 0.35, 0.2, 0.2]
    )


@pytest.mark.parametrize("kind", ["gibbs", "glauber"])
def test_independent_neurons_forget_as_the_formula_says(kind):
    model = small_model(visible=30, hidden=3)
    model = RBM(model.visible, model.hidden, torch.zeros_like(model.weights))
    generator = Generator.from_seed(3, "independent")
    start = model.visible.sample(torch.zeros((4000, 30), dtype=torch.float64), generator)
    times = sweep_grid(kind, 30, 3)
    rates = torch.sigmoid(model.visible.field).numpy()
    found = model_curves(
        model, start.to(torch.uint8).numpy(), times, kind, generator,
        rates=rates, relaxing=np.zeros(4000, dtype=np.int64),
    )[0]  # fmt: skip
    truth = independent_curve(times, kind, 30)
    for curve in (found.count, found.overlap):
        # 5 errors at some 20 times: 1e-5
        assert (np.abs(curve.values - truth.values) <= 5 * curve.stderr + 1e-9).all()


def test_shuffled_trials_stay_at_their_place_and_shuffled_bins_do_not():
    segment = np.repeat(np.arange(25), 8).astype(np.int32)
    order = trial_shuffled(segment, Generator.from_seed(0))
    assert sorted(order.tolist()) == list(range(200))
    np.testing.assert_array_equal(order % 8, np.arange(200) % 8)
    assert (order // 8 != segment).mean() > 0.8
    assert isinstance(trial_shuffled(segment[:80], Generator.from_seed(0)), Undefined)
    assert isinstance(trial_shuffled(segment[:-1], Generator.from_seed(0)), Undefined)
    free = time_shuffled(200, Generator.from_seed(0))
    assert sorted(free.tolist()) == list(range(200))
    assert (free % 8 != np.arange(200) % 8).any()


def activity_of(states, bin_width_s, segment=None):
    bins, neurons = states.shape
    return Activity(
        states, bin_width_s,
        np.zeros(bins, np.int32) if segment is None else segment,
        np.zeros(bins, np.int8), neuron_table([str(one) for one in range(neurons)]), {}, (),
        Source("simulated", "memory", ""),
    )  # fmt: skip


@pytest.fixture(scope="module")
def glauber_recording():
    """Return a model, and a recording that is its Glauber dynamics with 5 ms to a sweep."""
    generator = Generator.from_seed(5, "glauber recording")
    neurons, hidden = 24, 3
    weights = torch.zeros((neurons, hidden))
    weights[torch.arange(neurons), torch.arange(neurons) // 8] = 2.2
    model = RBM(
        Bernoulli(torch.full((neurons,), -2.2)), Bernoulli(torch.full((hidden,), -4.0)), weights
    )
    segments, bins, per_bin = 240, 100, 2 * neurons
    start = exact_samples(model, segments, generator).to(torch.uint8)
    times = np.arange(bins) * per_bin / neurons
    steps = [one.numpy() for one in trajectory(model, start, times, "glauber", generator)]
    states = np.stack(steps, axis=1).reshape(-1, neurons)
    segment = np.repeat(np.arange(segments), bins).astype(np.int32)
    return model, activity_of(states, 0.01, segment)


def test_known_kinetics_are_recovered_from_a_simulated_recording(glauber_recording):
    model, activity = glauber_recording
    samples = draw_samples(model, 0, chains=1500, anneal=20, sweeps=50, spacing=10)
    result = plain(compare_dynamics(model, activity, samples))
    scale = result["time_scale"]["glauber"]
    # a bin of 10 ms holds two sweeps
    assert scale["seconds_per_sweep"] == pytest.approx(0.005, rel=0.15)
    assert not scale["at_edge"]
    for name in ("count", "overlap"):
        one = result["stationary"][name]
        assert one["glauber"]["shape_rms"] < 0.06
        assert one["glauber"]["shape_explained"] > 0.93
        assert one["controls"]["time_shuffled"]["shape_explained"] < 0.2
        assert one["controls"]["independent_gibbs"]["shape_explained"] < 0.2
        assert one["recorded"]["integrated"] == pytest.approx(
            one["glauber"]["integrated"], rel=0.25
        )
    # the negative control: neurons that forget at random sites need far longer sweeps for this
    independent = result["stationary"]["count"]["controls"]["independent_glauber"]
    assert independent["seconds_per_sweep"] > 2 * 0.005
    relaxation = result["from_high"]["count"]["glauber"]
    assert relaxation["shape_rms"] < 0.08
    # no stimulus: nothing is left where bins change trials
    trial = result["stationary"]["count"]["controls"]["trial_shuffled"]
    assert max(map(abs, trial["values"][1:6])) < 0.1


def test_a_recording_without_pairs_of_bins_says_so(glauber_recording):
    model, activity = glauber_recording
    alone = activity_of(activity.states[:50], 0.01, np.arange(50, dtype=np.int32))
    samples = Samples(activity.states[:60], np.arange(60), 0)
    result = plain(compare_dynamics(model, alone, samples))
    assert result["stationary"] is None
    assert "2 bins" in result["reasons"]["stationary"]


@pytest.mark.parametrize(("fold", "name"), [([0, 0, 2, 1], "test"), ([0, -1, 1, 1], "train")])
def test_hidden_units_are_described_over_the_fold_that_the_page_draws(
    glauber_recording, fold, name
):
    model, activity = glauber_recording
    folds = np.repeat(np.array(fold, np.int8), 50)
    few = activity_of(activity.states[:200], 0.01, np.arange(200, dtype=np.int32))
    few = few.with_fold(folds, Step("split", {}))
    samples = Samples(activity.states[:60], np.arange(60), 0)
    hidden = compare_dynamics(model, few, samples)["hidden"]
    assert hidden["fold"] == name
    oriented = model.in_sign_gauge()

    def described(bins):
        states = few.states[bins]
        found = hidden_dynamics(hidden_activity(oriented, states), states, few.segment[bins])
        return found.summary(0.01)

    mine, all_bins = described(few.bins_of(name)), described(np.arange(200))
    for one in ("median_active", "bimodal_fraction", "variance_first_components"):
        assert hidden[one] == mine[one]
    assert hidden["median_active"] != all_bins["median_active"]


def test_the_phy_recording_has_a_memory_that_shuffling_destroys():
    folder = Path(__file__).parents[3] / "shared" / "data" / "phy"
    if not folder.exists():
        pytest.skip("shared/data is absent")
    samples = np.load(folder / "spike_times.npy").reshape(-1)
    cluster = np.load(folder / "spike_clusters.npy").reshape(-1)
    names, place = np.unique(cluster, return_inverse=True)
    bins = (samples / 30_000 / 0.02).astype(np.int64)
    states = np.zeros((int(bins.max()) + 1, len(names)), np.uint8)
    states[bins, place] = 1
    states = states[:, states.sum(axis=0) >= 20]
    assert len(states) == 3000
    cut = np.arange(3000) // 100
    recorded = Recorded(states, np.zeros(3000, np.int32), cut)
    curves = recorded.curves(lag_grid(3000))
    order = time_shuffled(3000, Generator.from_seed(0))
    shuffled = Recorded(states[order], np.zeros(3000, np.int32), cut).curves(lag_grid(3000))
    for name in ("count", "overlap"):
        real, none = getattr(curves, name), getattr(shuffled, name)
        assert real.values[1] > 6 * real.stderr[1]
        assert real.values[1] > 5 * abs(none.values[1])
        assert np.abs(none.values[1:10]).max() < 5 * none.stderr[1:10].max()
    assert 0.02 < integrated_time(curves.count.scaled(0.02)) < 5
