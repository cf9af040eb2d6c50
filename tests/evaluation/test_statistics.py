"""Statistics of activity against slow, obvious computations and against exact values."""

from __future__ import annotations

import itertools
from dataclasses import astuple, replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import Clusters, bootstrap_weights, clustered_stderr, clusters_of
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.samples import Samples
from boltzbrain.evaluation.statistics.agreement import (
    Comparison,
    compare_columns,
    kolmogorov_smirnov,
    normalised_rmse,
    sampling_stderr,
)
from boltzbrain.evaluation.statistics.compare import (
    Statistic,
    compare_statistics,
    statistics_to_compare,
)
from boltzbrain.evaluation.statistics.intervals import comparison_spread
from boltzbrain.evaluation.statistics.population import (
    count_band,
    count_distribution,
    distance_band,
    distance_interval,
    independent_distribution,
    total_variation,
)
from boltzbrain.evaluation.statistics.projection import principal_axes
from boltzbrain.foundations import moments
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.foundations.moments import (
    coincidences,
    connected,
    draw_tuples,
    pack,
    pair_counts,
    rates,
)
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_samples
from helpers.enumeration import exact_distribution


def random_states(bins, neurons, seed=0, rate=0.3):
    return (np.random.default_rng(seed).random((bins, neurons)) < rate).astype(np.uint8)


def slow_connected(states, tuples):
    deviation = states - states.mean(axis=0)
    return np.array([np.prod(deviation[:, list(one)], axis=1).mean() for one in tuples])


def small_model(seed=0, visible=6, hidden=3):
    """Return a strongly coupled model whose units are all active about half of the time."""
    generator = Generator.from_seed(seed, "model")
    weights = 2.5 * generator.normal((visible, hidden), torch.float64)
    tilt = 0.3 * generator.normal((1, visible), torch.float64)[0]
    return RBM(
        Bernoulli(tilt - weights.sum(dim=1) / 2), Bernoulli(-weights.sum(dim=0) / 2), weights
    )


# ---- counting bits


@pytest.mark.parametrize("bins", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("order", [2, 3])
def test_connected_correlations_equal_the_mean_product_of_deviations(bins, order):
    states = random_states(bins, 7, rate=0.5)
    tuples = np.array(list(itertools.combinations(range(7), order)))
    group = np.random.default_rng(1).integers(0, 3, bins)
    for packed in (pack(states), pack(states, group)):
        np.testing.assert_allclose(
            connected(packed, tuples), slow_connected(states, tuples), atol=1e-14
        )
        np.testing.assert_allclose(rates(packed), states.mean(axis=0), atol=1e-15)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_counts_in_chunks_are_those_of_whole_rows(order, monkeypatch):
    states = random_states(5000, 9, rate=0.6)
    tuples = np.array(list(itertools.combinations(range(9), order)) * 4)
    whole = coincidences(pack(states), tuples)
    expected = states.astype(int)[:, tuples].prod(axis=2).sum(axis=0)
    np.testing.assert_array_equal(whole[:, 0], expected)
    # 32 of 79 words at a time
    monkeypatch.setattr(moments, "_NEAR", 32 * 9)
    np.testing.assert_array_equal(coincidences(pack(states), tuples), whole)


def test_a_sample_of_tuples_is_what_sorting_whole_rows_gives():
    neurons, limit = 30, 400
    generator, again = (Generator.from_seed(4, "t") for _ in range(2))
    for order in (2, 3):
        drawn = np.column_stack([again.integers(neurons, limit) for _ in range(order)])
        drawn.sort(axis=1)
        expected = np.unique(drawn[(np.diff(drawn, axis=1) > 0).all(axis=1)], axis=0)
        np.testing.assert_array_equal(draw_tuples(neurons, order, limit, generator), expected)


def test_counts_per_group_are_whole_numbers_of_that_group_alone():
    states, group = random_states(150, 4), np.repeat([7, 2, 9], [70, 64, 16])
    counts = coincidences(pack(states, group), np.array([[0, 2], [1, 3]]), by_group=True)
    for column, label in enumerate([2, 7, 9]):
        mine = states[group == label]
        assert counts[0, column] == np.sum(mine[:, 0] & mine[:, 2])
        assert counts[1, column] == np.sum(mine[:, 1] & mine[:, 3])


def test_weighing_groups_equals_repeating_their_bins():
    states, group = random_states(90, 5), np.repeat([0, 1, 2], 30)
    weights = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    for order in (1, 2, 3):
        tuples = np.array(list(itertools.combinations(range(5), order)))
        weighted = connected(pack(states, group), tuples, weights)
        repeated = np.concatenate([states[group == 0]] * 2 + [states[group == 2]])
        expected = slow_connected(repeated, tuples) if order > 1 else repeated.mean(axis=0)
        np.testing.assert_allclose(weighted[:, 0], expected, atol=1e-14)
        np.testing.assert_allclose(
            weighted[:, 1], connected(pack(states, group), tuples), atol=1e-14
        )


def test_correlations_of_samples_agree_with_the_exact_model():
    # 5 standard errors over 15 pairs, 20 triplets: false alarm below 3e-5; the samples are fixed
    model = small_model()
    all_states, log_p = exact_distribution(model)
    p, grid = log_p.exp().numpy(), all_states.numpy().astype(float)
    deviation = grid - p @ grid
    n = 40_000
    packed = pack(exact_samples(model, n, Generator.from_seed(3, "s")).numpy())
    wrong = pack(random_states(n, 6))
    for order in (2, 3):
        tuples = np.array(list(itertools.combinations(range(6), order)))
        products = np.stack([np.prod(deviation[:, list(one)], axis=1) for one in tuples], axis=1)
        exact = p @ products
        error = np.sqrt((p @ (products - exact) ** 2) / n)
        assert np.all(np.abs(connected(packed, tuples) - exact) < 5 * error)
        assert np.any(np.abs(connected(wrong, tuples) - exact) > 5 * error)


def test_all_sets_are_returned_where_they_fit_and_a_uniform_sample_where_not():
    generator = Generator.from_seed(0, "t")
    for order in (2, 3):
        every = draw_tuples(6, order, 100, generator)
        assert [tuple(one) for one in every] == list(itertools.combinations(range(6), order))
    # each of 190 pairs must be drawn equally often: chi-squared, false alarm 1e-6
    drawn = np.concatenate(
        [draw_tuples(20, 2, 40, Generator.from_seed(seed, "t")) for seed in range(400)]
    )
    counts = np.bincount(drawn[:, 0] * 20 + drawn[:, 1], minlength=400)
    pairs = np.array(list(itertools.combinations(range(20), 2)))
    observed = counts[pairs[:, 0] * 20 + pairs[:, 1]]
    assert observed.sum() == counts.sum()
    assert stats.chisquare(observed).pvalue > 1e-6
    favoured = observed.copy()
    favoured[: len(favoured) // 2] += 40
    assert stats.chisquare(favoured).pvalue < 1e-6


@pytest.mark.parametrize(
    ("states", "group"),
    [(np.zeros((0, 3), np.uint8), None), (np.zeros((4, 3), np.uint8), np.zeros(3, np.int64))],
)
def test_packing_refuses_no_bins_and_groups_of_another_length(states, group):
    with pytest.raises(InputError):
        pack(states, group)


# ---- comparisons


@given(
    st.integers(0, 10_000),
    st.floats(-3, 3).filter(lambda value: abs(value) > 1e-3),
    st.integers(3, 50),
)
def test_comparison_agrees_with_scipy(seed, slope, size):
    generator = np.random.default_rng(seed)
    reference = generator.normal(size=size)
    values = slope * reference + generator.normal(size=size)
    mine = Comparison(reference, values)
    theirs = stats.linregress(reference, values)
    assert mine.pearson == pytest.approx(theirs.rvalue, abs=1e-10)
    assert mine.slope == pytest.approx(theirs.slope, abs=1e-10)
    assert mine.rmse == pytest.approx(np.sqrt(np.mean((values - reference) ** 2)))


def test_a_comparison_without_spread_is_undefined_not_nan():
    flat = Comparison(np.ones(4), np.arange(4.0))
    assert isinstance(flat.pearson, Undefined)
    assert isinstance(flat.slope, Undefined)


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(40, 100))
def test_normalised_rmse_is_0_for_the_training_statistic_and_1_for_a_permuted_one(seed, size):
    generator = np.random.default_rng(seed)
    test = generator.normal(size=size)
    ceiling = Comparison(test, test + 0.3 * generator.normal(size=size))
    assert normalised_rmse(ceiling, ceiling) == pytest.approx(0, abs=1e-9)
    shuffled = [
        normalised_rmse(Comparison(test, generator.permutation(ceiling.values)), ceiling)
        for _ in range(20)
    ]
    assert np.mean(shuffled) == pytest.approx(1, abs=0.1)
    perfect = Comparison(test, test)
    expected = -ceiling.rmse / (_shuffled(perfect) - ceiling.rmse)
    assert normalised_rmse(perfect, ceiling) == pytest.approx(expected)
    assert expected < 0


def _shuffled(comparison):
    """Return the root mean square over every pair of entries: all permutations alike."""
    return np.sqrt(np.mean((comparison.values[:, None] - comparison.reference[None, :]) ** 2))


def test_error_from_comparing_a_sample_of_entries_is_the_spread_of_the_correlation():
    # the spread of 400 draws is known to 3.5 %; 5 errors: false alarm below 1e-6
    generator = np.random.default_rng(0)
    x = generator.normal(size=4000)
    y = x + generator.standard_t(5, size=4000)
    draws, told = [], []
    for _ in range(400):
        chosen = generator.permutation(4000)[:1000]
        one = Comparison(x[chosen], y[chosen])
        draws.append(one.pearson)
        told.append(sampling_stderr(one, 4000))
    assert np.std(draws) == pytest.approx(np.mean(told), rel=0.18)
    assert sampling_stderr(Comparison(x, y), 4000) == 0


def test_column_correlations_and_kolmogorov_smirnov_agree_with_scipy():
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 30, 4))
    expected = [stats.pearsonr(x[:, k], y[:, k]).statistic for k in range(4)]
    found = compare_columns(x, y)
    np.testing.assert_allclose(found.pearson, expected)
    for k in range(4):
        alone = Comparison(y[:, k], x[:, k])
        assert (found.slope[k], found.rmse[k]) == pytest.approx((alone.slope, alone.rmse))
        far = Comparison(y[:, k], x[:, k] + 3)
        error = 1 - (alone.rmse - found.shuffled[k]) / (far.rmse - found.shuffled[k])
        assert normalised_rmse(alone, far) == pytest.approx(error)
    assert compare_columns(np.ones((3, 1)), np.arange(3.0)[:, None]).pearson == 0
    assert kolmogorov_smirnov(x[:, 0], y[:, 1]) == pytest.approx(
        stats.ks_2samp(x[:, 0], y[:, 1]).statistic
    )


# ---- all statistics of three sets of bins


def bin_set(states, size=20):
    return BinSet(states, np.arange(len(states)) // size)


def independent_reference(states, name, tuples):
    if name == "rates":
        return states.mean(axis=0)[tuples[:, 0]]
    if name == "correlations":
        return np.corrcoef(states.T)[tuples[:, 0], tuples[:, 1]]
    return slow_connected(states, tuples)


def test_every_statistic_and_comparison_against_slow_computations():
    sets = [random_states(400, 9, seed, rate=0.4) for seed in range(3)]
    result = compare_statistics(*(bin_set(one) for one in sets))
    chosen = statistics_to_compare(sets[0].mean(axis=0), 0)
    names = ["rates", "covariances", "correlations", "triplets", "triplets_most_active"]
    assert [one.name for one in chosen] == names
    for statistic in chosen:
        name = statistic.name
        values = [independent_reference(one, name, statistic.tuples) for one in sets]
        for one, value in zip(sets, values, strict=True):
            np.testing.assert_allclose(statistic.of(pack(one)), value, atol=1e-12)
        fit = stats.linregress(values[1], values[2])
        ceiling = stats.linregress(values[1], values[0])
        assert result[name]["pearson"] == pytest.approx(fit.rvalue)
        assert result[name]["slope"] == pytest.approx(fit.slope)
        assert result[name]["rmse"] == pytest.approx(np.sqrt(np.mean((values[2] - values[1]) ** 2)))
        assert result["ceiling"][name]["pearson"] == pytest.approx(ceiling.rvalue)
        assert result["compared"][name]["entries"] == len(statistic.tuples)
        if ceiling.rvalue > 0:
            assert result[name]["ratio"] == pytest.approx(fit.rvalue / ceiling.rvalue)
            for figure in ("ratio", "pearson", "slope", "rmse", "normalised_rmse"):
                interval = "interval" if figure == "ratio" else f"{figure}_interval"
                low, high = result[name][interval]
                assert low < result[name][figure] < high, figure
    assert compare_statistics(*(bin_set(one) for one in sets)) == result


def test_the_most_active_triplets_are_those_of_the_60_highest_training_rates():
    rates = np.random.default_rng(0).random(100)
    tuples = statistics_to_compare(rates, 0)[-1].tuples
    assert set(tuples.ravel()) == set(np.argsort(rates)[-60:])
    assert len(tuples) == 34_220


@given(arrays(np.uint8, (40, 5), elements=st.integers(0, 1)), st.permutations(range(5)))
def test_permuting_neurons_permutes_every_statistic(states, order):
    for statistic in statistics_to_compare(np.arange(5.0), 0)[:4]:
        moved = Statistic(statistic.name, np.array(order)[statistic.tuples], statistic.entries)
        np.testing.assert_allclose(
            statistic.of(pack(states[:, order])), moved.of(pack(states)), atol=1e-15
        )


def test_a_neuron_that_is_always_active_has_no_correlation_under_any_weights():
    states = random_states(300, 4)
    states[:, 0] = 1
    correlations = next(s for s in statistics_to_compare(np.arange(4.0), 0) if s.name[:4] == "corr")
    weights = np.random.default_rng(0).random((50, 30))
    # the rate of the neuron is above 1 in some, by rounding: a root of it would warn
    found = correlations.of(pack(states, np.repeat(np.arange(30), 10)), weights)
    with_it = (correlations.tuples == 0).any(axis=1)
    np.testing.assert_allclose(found[with_it], 0, atol=1e-6)


@pytest.mark.parametrize("bins", [1, 63, 64, 200])
def test_pairs_are_counted_as_the_product_counts_them(bins):
    states = random_states(bins, 9)
    wide = states.astype(np.int64)
    np.testing.assert_array_equal(pair_counts(pack(states, np.arange(bins) % 3)), wide.T @ wide)


def test_identical_activity_is_a_perfect_match():
    one = bin_set(random_states(300, 8))
    result = compare_statistics(one, one, one)
    for name in ("rates", "covariances", "correlations", "triplets", "triplets_most_active"):
        for part in (result, result["ceiling"], result["generated_vs_train"]):
            assert part[name]["pearson"] == pytest.approx(1)
            assert part[name]["slope"] == pytest.approx(1)
            assert part[name]["rmse"] == 0
        assert result[name]["ratio"] == pytest.approx(1)
    assert result["population_count"]["total_variation"] == 0


def test_two_neurons_and_an_empty_test_fold_give_undefined_figures():
    for neurons, missing in ((1, "covariances"), (2, "triplets")):
        one = bin_set(random_states(60, neurons))
        few = compare_statistics(one, one, one)
        assert isinstance(few[missing]["pearson"], Undefined)
        assert isinstance(few["ceiling"][missing]["rmse"], Undefined)
    nothing = compare_statistics(one, bin_set(one.states[:0]), one)
    assert isinstance(nothing["rates"]["rmse"], Undefined)
    assert isinstance(nothing["ceiling"]["rates"]["rmse"], Undefined)
    assert isinstance(nothing["population_count"]["band"], Undefined)
    assert nothing["generated_vs_train"]["rates"]["rmse"] == 0


def test_one_segment_has_a_ratio_but_no_interval():
    one = BinSet(random_states(60, 5), np.zeros(60, dtype=np.int64))
    result = compare_statistics(one, one, one)
    assert result["rates"]["ratio"] == pytest.approx(1)
    assert isinstance(result["rates"]["interval"], Undefined)


def test_intervals_are_as_wide_as_figures_vary_and_a_plain_bootstrap_is_not():
    # 60 independent recordings and samples of one model; the true spread is then known to 9 %, so
    # that 1.45 times it either way has a false-alarm rate below 1e-4 for each of five figures
    model = small_model(hidden=4, visible=12)
    statistic = statistics_to_compare(np.arange(12.0), 0)[1]
    sizes = {"train": 400, "test": 200, "generated": 400}
    found, told, bootstrapped = [], [], []
    for seed in range(60):
        sets = [
            bin_set(exact_samples(model, bins, Generator.from_seed(seed, name)).numpy())
            for name, bins in sizes.items()
        ]
        generator = Generator.from_seed(seed, "spread")
        spread = comparison_spread(statistic.of, *sets, generator)
        told.append(astuple(spread))
        train, test, generated = (statistic.of(one.packed) for one in sets)
        mine, ceiling = Comparison(test, generated), Comparison(test, train)
        ratio = mine.pearson / ceiling.pearson
        error = normalised_rmse(mine, ceiling)
        found.append((mine.pearson, ratio, mine.slope, mine.rmse, error))
        drawn = [
            statistic.of(one.packed, bootstrap_weights(one.clusters, 60, generator))
            for one in sets[1:]
        ]
        bootstrapped.append(compare_columns(drawn[1], drawn[0]).pearson.std())
    factors = np.median(told, axis=0) / np.std(found, axis=0)
    assert np.all((factors > 1 / 1.45) & (factors < 1.45))
    assert np.median(bootstrapped) / np.std(found, axis=0)[0] > 1.45


def test_samples_are_clustered_by_whole_chains():
    chain = np.tile(np.arange(120), 3)
    bins = BinSet.of_samples(Samples(np.zeros((360, 2), np.uint8), chain, 0))
    assert bins.clusters == 50
    for one in range(120):
        assert len(set(bins.cluster[chain == one])) == 1


# ---- population count and principal axes


def test_count_distribution_and_total_variation():
    states = np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 0, 0]], dtype=np.uint8)
    np.testing.assert_allclose(count_distribution(states), [0.25, 0.5, 0, 0.25])
    assert total_variation(np.array([1.0]), np.array([0.0, 1.0])) == 1
    assert total_variation(np.array([0.5, 0.5]), np.array([0.25, 0.75])) == pytest.approx(0.25)


def test_independent_distribution_is_that_of_all_patterns():
    rates = np.array([0.1, 0.5, 0.7])
    expected = np.zeros(4)
    for pattern in itertools.product([0, 1], repeat=3):
        expected[sum(pattern)] += np.prod(np.where(pattern, rates, 1 - rates))
    np.testing.assert_allclose(independent_distribution(rates, 3), expected)
    np.testing.assert_allclose(independent_distribution(rates, 1), expected[:2])


def test_the_band_of_the_distance_holds_the_distance_of_two_halves_but_not_a_shifted_set():
    # 100 pairs of sets of one model: the 97.5 % quantile is exceeded by 2.5; by more than 11 with a
    # probability of 3e-5
    model, outside = small_model(visible=10), 0
    for seed in range(100):
        first, second = (
            bin_set(exact_samples(model, 400, Generator.from_seed(seed, name)).numpy())
            for name in "ab"
        )
        _, high = distance_band(first, second, Generator.from_seed(seed, "band"), draws=100)
        distributions = [count_distribution(one.states) for one in (first, second)]
        outside += total_variation(*distributions) > high
    assert outside <= 11
    shifted = count_distribution(random_states(400, 10, rate=0.2))
    assert total_variation(distributions[0], shifted) > high


def test_the_band_of_train_vs_test_surrounds_it_and_holds_a_third_set_of_the_same_law():
    # in most of 60 triples of sets of one model; far fewer than 40 would be wrong by 1e-4 or less
    model, inside = small_model(visible=10), 0
    for seed in range(60):
        train, test, third = (
            bin_set(exact_samples(model, 400, Generator.from_seed(seed, name)).numpy())
            for name in "abc"
        )
        low, high = distance_interval(train, test, Generator.from_seed(seed, "band"), draws=100)
        p = [count_distribution(one.states) for one in (train, test, third)]
        assert low <= total_variation(p[0], p[1]) <= high
        inside += total_variation(p[2], p[1]) <= high
    assert inside >= 40
    shifted = count_distribution(random_states(400, 10, rate=0.2))
    assert total_variation(shifted, p[1]) > high


def test_the_band_of_the_counts_surrounds_them():
    bins = bin_set(random_states(1000, 6))
    low, high = count_band(bins, Generator.from_seed(0, "band"))
    p = count_distribution(bins.states)
    assert np.all((low <= p) & (p <= high))
    alone = BinSet(bins.states, np.zeros(1000, dtype=np.int64))
    assert isinstance(distance_band(alone, bins, Generator.from_seed(0, "x")), Undefined)


@pytest.mark.parametrize("neurons", [3, 50, 80])
def test_principal_axes_agree_with_the_full_eigendecomposition(neurons):
    hidden = random_states(400, 3, 5)
    mixing = np.random.default_rng(6).random((3, neurons)) * np.array([[0.6], [0.4], [0.2]])
    states = (np.random.default_rng(7).random((400, neurons)) < hidden @ mixing).astype(np.uint8)
    axes = principal_axes(states)
    values, vectors = np.linalg.eigh(np.cov(states.T, bias=True))
    np.testing.assert_allclose(axes.fractions, values[::-1][:2] / values.sum(), rtol=1e-8)
    overlap = np.abs(np.sum(axes.axes * vectors[:, ::-1][:, :2], axis=0))
    np.testing.assert_allclose(overlap, 1, atol=1e-8)
    np.testing.assert_allclose(
        axes.project(states), (states - states.mean(axis=0)) @ axes.axes, atol=1e-10
    )


def test_principal_axes_of_constant_activity_exist():
    axes = principal_axes(np.ones((10, 4), dtype=np.uint8))
    assert np.isfinite(axes.project(np.zeros((2, 4), dtype=np.uint8))).all()


# ---- clusters


def activity_of(segment, fold=None, bin_width_s=0.1):
    bins = len(segment)
    return Activity(
        np.ones((bins, 1), dtype=np.uint8),
        bin_width_s,
        np.asarray(segment, dtype=np.int32),
        np.zeros(bins, dtype=np.int8) if fold is None else np.asarray(fold, dtype=np.int8),
        neuron_table(["a"]),
        {},
        (),
        Source("test", "memory", ""),
    )


def test_many_segments_are_the_clusters_and_few_are_cut_into_stretches():
    many = activity_of(np.repeat(np.arange(25), 4))
    assert clusters_of(many, np.arange(100)).describe() == {
        "by": "segment",
        "number": 25,
        "stretch_s": None,
    }
    long = activity_of(np.zeros(4000))  # 400 s: 40 stretches of 10 s
    chosen = clusters_of(long, np.arange(4000))
    assert (chosen.by, chosen.number, chosen.seconds) == ("stretch", 40, pytest.approx(10))
    assert set(np.bincount(chosen.label)) == {100}
    short = activity_of(np.zeros(600))  # 60 s: halved to 2.5 s
    assert clusters_of(short, np.arange(600)).seconds == pytest.approx(2.5)
    assert clusters_of(short, np.arange(600)).number == 24


def test_stretches_are_no_shorter_than_the_activity_remembers():
    random = np.random.default_rng(0)
    slow = np.repeat(random.integers(0, 2, 400), 50)  # 2000 s, in states of 5 s
    activity = activity_of(np.zeros(20_000))
    # one independent bin stands for 5 s; the estimate's error is a tenth of that
    found = clusters_of(replace(activity, states=slow[:, None].astype(np.uint8)), np.arange(600))
    assert found.seconds is not None
    assert 5 <= found.seconds <= 10
    fresh = random.integers(0, 2, (20_000, 1)).astype(np.uint8)
    assert clusters_of(replace(activity, states=fresh), np.arange(600)).seconds == 2.5


def test_a_stretch_never_spans_two_segments():
    activity = activity_of(np.repeat([4, 9], [130, 170]))
    label = clusters_of(activity, np.arange(300)).label
    assert not set(label[:130]) & set(label[130:])


def test_clustered_error_covers_where_the_naive_one_fails():
    # 1000 sets of 30 segments of 20 equal bins. |z| > 3 happens to 0.5 % of them under the t
    # distribution with 29 degrees; more than 2 % has a false-alarm rate below 1e-6
    generator = np.random.default_rng(0)
    clusters = Clusters(np.repeat(np.arange(30), 20), "segment", None)
    far, naive_far = 0, 0
    for _ in range(1000):
        values = np.repeat(generator.normal(size=30), 20)
        far += abs(values.mean()) > 3 * clustered_stderr(values, clusters)
        naive_far += abs(values.mean()) > 3 * values.std() / np.sqrt(len(values))
    assert far <= 20
    assert naive_far > 200


def test_one_cluster_has_no_error():
    alone = Clusters(np.zeros(5, dtype=np.int64), "segment", None)
    assert isinstance(clustered_stderr(np.arange(5.0), alone), Undefined)


def test_each_bootstrap_draw_takes_as_many_clusters_as_there_are():
    weights = bootstrap_weights(9, 50, Generator.from_seed(0, "b"))
    assert weights.shape == (50, 9)
    np.testing.assert_array_equal(weights.sum(axis=1), 9)
    assert pd.Series(weights.ravel()).nunique() > 2
