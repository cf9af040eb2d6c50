"""Region maps and tests against chance: loops, shuffles that must find nothing, planted blocks."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.regions import Regions
from boltzbrain.data.steps import Source
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.couplings.couplings import couplings, low_rank_couplings
from boltzbrain.interpretation.regions.functional import (
    correlation,
    covariance,
    graphical_lasso,
    pairwise,
)
from boltzbrain.interpretation.regions.maps import (
    distribution,
    large_regions,
    log_normality,
    region_distributions,
    region_maps,
)
from boltzbrain.interpretation.regions.significance import (
    label_test,
    repeats,
    resampled_activity,
    shifted_activity,
)
from boltzbrain.sampling.synthetic import random_model

NEURONS = 40


def symmetric(seed: int, neurons: int = NEURONS) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((neurons, neurons))
    return values + values.T  # the diagonal is not 0: it must not count


def overlapping(seed: int = 0) -> Regions:
    generator = np.random.default_rng(seed)
    table = generator.random((NEURONS, 5)) < [0.4, 0.3, 0.5, 0.05, 0.2]
    table[:, 4] = False
    table[[3, 8, 9], 4] = True
    return Regions(
        tuple("abcde"), sparse.csr_array(table.astype(np.uint8)), ("left", "right", "", "", "")
    )


def test_maps_are_those_of_four_loops():
    values, regions = symmetric(0), overlapping()
    found = region_maps(values, regions, min_neurons=3)
    table = regions.membership.toarray().astype(bool)
    kept = [number for number in range(5) if table[:, number].sum() >= 3]
    assert found.names == tuple(regions.names[number] for number in kept)
    for (row, one), (column, two) in itertools.product(enumerate(kept), repeat=2):
        pairs = [
            values[i, j]
            for i in range(NEURONS)
            for j in range(NEURONS)
            if i != j and table[i, one] and table[j, two]
        ]
        assert found.pairs[row, column] == len(pairs)
        assert found.mean[row, column] == pytest.approx(np.mean(pairs))
        assert found.l1[row, column] == pytest.approx(np.mean(np.abs(pairs)))
        assert found.rms[row, column] == pytest.approx(np.sqrt(np.mean(np.square(pairs))))
    assert found.counts.tolist() == [int(table[:, number].sum()) for number in kept]
    with pytest.raises(InputError, match="kind must be one of: mean, l1, rms"):
        found.of("median")


def test_maps_of_couplings_in_factors_are_those_of_the_array():
    model = random_model("drelu", NEURONS, 6, Generator.from_seed(2))
    regions = overlapping()
    dense = couplings(model, 2, check=False)
    one, two = (
        region_maps(values, regions, min_neurons=3) for values in (dense, low_rank_couplings(model))
    )
    scale = one.rms.max()
    for kind in ("mean", "l1", "rms"):
        np.testing.assert_allclose(one.of(kind), two.of(kind), atol=1e-3 * scale)
    assert dense.max() == couplings(model, 2, check=False).max()
    many = [
        region_distributions(x, regions, min_neurons=5) for x in (dense, low_rank_couplings(model))
    ]
    for here, there in zip(*many, strict=True):
        assert here.name == there.name
        assert here.mean == pytest.approx(there.mean, abs=1e-3 * scale)
        assert here.skewness == pytest.approx(there.skewness, abs=0.05)


def test_both_hemispheres_must_have_neurons():
    labels = ["x_left"] * 6 + ["x_right"] * 6 + ["y_left"] * 6 + ["y_right"] * 3 + ["z"] * 6
    one = Regions.from_labels(labels)
    regions = Regions(
        one.names, one.membership, tuple(n.split("_")[1] if "_" in n else "" for n in one.names)
    )
    names = [one.names[n] for n in large_regions(regions, 5)]
    assert names == ["x_left", "x_right", "y_left", "z"]
    both = [one.names[n] for n in large_regions(regions, 5, both_hemispheres=True)]
    assert both == ["x_left", "x_right", "z"]


def test_distributions_say_what_their_words_mean():
    values = np.array([3.0, 1.0, -1.0, 0.1, -0.1, -2.0, 4.0])
    found = distribution("a", 5, values)
    assert found.skewness == pytest.approx(stats.skew(values))
    assert found.count_ratio == pytest.approx(4 / 3)
    assert found.strength_ratio == pytest.approx(8.1 / 3.1)
    assert found.counts.sum() == 7
    strict = distribution("a", 5, values, threshold=0.5)
    assert (strict.count_ratio, strict.strength_ratio) == (pytest.approx(1.5), pytest.approx(8 / 3))
    flat = distribution("a", 5, np.full(4, 0.3))
    assert (flat.skewness, flat.count_ratio, flat.strength_ratio) == (None, None, None)
    with pytest.raises(InputError, match="at least one pair"):
        distribution("a", 5, np.empty(0))


@pytest.mark.parametrize("law", ["log-normal", "normal"])
def test_log_normality_tells_the_two_laws_apart(law):
    generator = np.random.default_rng(4)
    draws = generator.standard_normal((40, 40))
    values = np.exp(draws - 2) if law == "log-normal" else 5 + draws
    found = log_normality(values)
    assert found.entries == 820
    # of 820 draws of the true law, the distance is above 0.06 once in 200 at most
    if law == "log-normal":
        assert found.gain > 0.1
        assert found.distance_log_normal < 0.06 < found.distance_normal
        assert found.log_mean == pytest.approx(-2, abs=0.15)
    else:
        assert found.gain < 0
        assert found.distance_normal < 0.06
    with pytest.raises(InputError, match="3 different positive"):
        log_normality(np.ones((4, 4)))


def blocks(strength: float, seed: int) -> tuple[np.ndarray, Regions]:
    labels = np.repeat(["a", "b", "c", ""], 10)
    values = symmetric(seed)
    same = (labels[:, None] == labels) & (labels != "")
    return values + strength * same, Regions.from_labels(labels)


@pytest.mark.parametrize("statistic", ["mean", "l1", "rms"])
def test_label_test_is_that_of_loops_with_the_same_shuffles(statistic):
    values, regions = blocks(0.3, 1)
    found = label_test(values, regions, Generator.from_seed(3), statistic=statistic, shuffles=20)
    change = {"mean": lambda x: x, "l1": np.abs, "rms": np.square}[statistic](values[:30, :30])
    labels = np.repeat([0, 1, 2], 10)

    def difference(order: np.ndarray) -> float:
        mine = labels[order]
        inside = [
            change[i, j] for i in range(30) for j in range(30) if i != j and mine[i] == mine[j]
        ]
        outside = [change[i, j] for i in range(30) for j in range(30) if mine[i] != mine[j]]
        ends = np.mean(inside), np.mean(outside)
        return float(np.subtract(*(np.sqrt(ends) if statistic == "rms" else ends)))

    generator = Generator.from_seed(3)
    slow = [difference(generator.permutation(30)) for _ in range(20)]
    np.testing.assert_allclose(found.null, slow, atol=1e-12)
    assert found.difference == pytest.approx(difference(np.arange(30)))
    assert found.p_value == (1 + sum(x >= found.difference for x in slow)) / 21


def test_label_test_finds_blocks_and_nothing_in_noise():
    values, regions = blocks(2.0, 0)
    generator = Generator.from_seed(0)
    assert label_test(values, regions, generator, shuffles=199).p_value == 1 / 200
    # 40 maps without structure: more than 9 of them below 0.1 has a chance of 5e-3
    found = [
        label_test(*blocks(0.0, seed), generator, shuffles=99).p_value for seed in range(1, 41)
    ]
    assert (np.array(found) <= 0.1).sum() <= 9
    assert 0.3 < np.mean(found) < 0.7


def test_label_test_of_neurons_in_several_regions():
    values, regions = symmetric(5), overlapping(3)
    found = label_test(values, regions, Generator.from_seed(1), statistic="mean", shuffles=20)
    table = regions.membership.toarray().astype(int)
    here = np.flatnonzero(table.any(axis=1))
    shared = (table @ table.T > 0)[np.ix_(here, here)]
    mine = values[np.ix_(here, here)]
    off = ~np.eye(len(here), dtype=bool)
    assert found.within == pytest.approx(mine[shared & off].mean())
    assert found.between == pytest.approx(mine[~shared & off].mean())
    alone = Regions.from_labels(["a"] * NEURONS)
    with pytest.raises(InputError, match="none between"):
        label_test(values, alone, Generator(0))


def activity(bins: int = 600, neurons: int = 6) -> Activity:
    """Neurons that a common signal drives, in 30 segments; every fifth segment is a test one."""
    generator = np.random.default_rng(0)
    common = np.convolve(generator.standard_normal(bins), np.ones(5) / 5, mode="same")
    states = (generator.random((bins, neurons)) < (0.1 + 0.6 * (common > 0.2))[:, None]).astype(
        np.uint8
    )
    segment = np.repeat(np.arange(30), bins // 30).astype(np.int32)
    fold = np.where(segment % 5 == 4, 2, 0).astype(np.int8)
    table = neuron_table([str(number) for number in range(neurons)])
    regions = {"atlas": Regions.from_labels(["a", "b"] * (neurons // 2))}
    return Activity(states, 0.1, segment, fold, table, regions, (), Source("npz", "", ""))


def test_shifted_neurons_keep_their_rates_and_lose_what_they_share():
    real = activity()
    null = shifted_activity(real, Generator.from_seed(1))
    train = real.bins_of("train")
    np.testing.assert_array_equal(
        null.states_of("train").sum(axis=0), real.states_of("train").sum(axis=0)
    )
    np.testing.assert_array_equal(null.states_of("test"), real.states_of("test"))
    off = np.triu_indices(6, 1)
    assert correlation(real)[off].min() > 0.15
    # 15 correlations of 480 bins with short memory: beyond 0.2 is more than 4 errors
    assert np.abs(correlation(null)[off]).max() < 0.2
    for neuron in range(6):
        mine, theirs = null.states[train, neuron], real.states[train, neuron]
        assert any((np.roll(theirs, step) == mine).all() for step in range(1, len(train)))
    assert null.step("circular shift per neuron") is not None


def test_bootstrap_draws_whole_segments():
    real = activity()
    drawn = resampled_activity(real, Generator.from_seed(2))
    assert drawn.states.shape == (24 * 20, 6)
    assert len(np.unique(drawn.segment)) == 24
    known = {real.states[real.segment == s].tobytes() for s in range(30) if s % 5 != 4}
    parts = [drawn.states[drawn.segment == s].tobytes() for s in range(24)]
    assert set(parts) <= known
    assert len(set(parts)) < 24
    assert (drawn.fold == 0).all()
    one = Activity(
        real.states[:20], 0.1, real.segment[:20], real.fold[:20], real.neurons, real.regions, (),
        real.source,
    )  # fmt: skip
    with pytest.raises(InputError, match="at least 2 training segments"):
        resampled_activity(one, Generator(0))


def test_repeats_summarise_entry_by_entry():
    arrays = [symmetric(seed, 8) + 3 * symmetric(99, 8) for seed in range(5)]
    found = repeats(arrays)
    np.testing.assert_allclose(found.mean, np.mean(arrays, axis=0))
    np.testing.assert_allclose(found.deviation, np.std(arrays, axis=0, ddof=1))
    upper = np.triu_indices(8, 1)
    np.testing.assert_allclose(
        found.correlation[0, 3], np.corrcoef(arrays[0][upper], arrays[3][upper])[0, 1]
    )
    assert found.same_sign.min() >= 0.6
    np.testing.assert_array_equal(found.strong(3.0), np.abs(found.mean) > 3 * found.deviation)
    assert repeats([np.ones(4), np.ones(4)]).correlation is None
    with pytest.raises(InputError, match="at least 2 fits"):
        repeats(arrays[:1])
    with pytest.raises(InputError, match=r"arrays\[1\]"):
        repeats([arrays[0], arrays[1][:4]])


def test_covariance_and_correlation_are_those_of_pandas():
    real = activity()
    states = real.states_of("train").astype(float)
    expected = pd.DataFrame(states).cov(ddof=0).to_numpy()
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(covariance(real)[off], expected[off], atol=1e-12)
    np.testing.assert_allclose(
        correlation(real)[off], pd.DataFrame(states).corr().to_numpy()[off], atol=1e-12
    )
    still = states.astype(np.uint8)
    still[:, 2] = 0
    assert np.abs(correlation(still)[2]).max() == 0
    assert (np.diag(covariance(still)) == 0).all()


def test_graphical_lasso_finds_the_chain_and_not_its_ends():
    # 0 - 1 - 2: the ends correlate, but not given the middle
    generator = np.random.default_rng(1)
    middle = generator.random(4000) < 0.4
    ends = np.where(middle[:, None], 0.8, 0.2) > generator.random((4000, 2))
    states = np.column_stack((ends[:, 0], middle, ends[:, 1])).astype(np.uint8)
    assert correlation(states)[0, 2] > 0.3
    for penalty in (0.01, None):
        found = graphical_lasso(states, penalty)
        assert found[0, 1] > 0.4
        assert found[1, 2] > 0.4
        assert abs(found[0, 2]) < 0.1
        np.testing.assert_array_equal(found, found.T)
    with pytest.raises(InputError, match="neuron 1 constant"):
        graphical_lasso(np.column_stack((states[:, 0], np.zeros(4000, dtype=np.uint8))))
    with pytest.raises(InputError, match="penalty"):
        graphical_lasso(states, 0.0)


def test_pseudo_likelihood_recovers_the_couplings_of_a_pairwise_model():
    generator = np.random.default_rng(3)
    planted = np.zeros((6, 6))
    for one, two, value in ((0, 1, 0.5), (1, 2, -0.4), (3, 4, 0.3), (0, 5, 0.2)):
        planted[one, two] = planted[two, one] = value
    field = np.array([-0.3, 0.1, 0.0, -0.2, 0.3, -0.1])
    spins = 2.0 * np.array(list(np.ndindex(*(2,) * 6))) - 1
    chance = np.exp(spins @ field + 0.5 * np.einsum("si,ij,sj->s", spins, planted, spins))
    drawn = generator.choice(64, size=40_000, p=chance / chance.sum())
    found = pairwise(((spins[drawn] + 1) / 2).astype(np.uint8), 0.0)
    np.testing.assert_array_equal(found, found.T)
    # the error of a coupling is about 1 / (2 sqrt(bins)) = 0.0025
    assert np.abs(found - planted).max() < 0.02
    heavy = pairwise(((spins[drawn] + 1) / 2).astype(np.uint8), 25_000.0)
    assert np.abs(heavy).max() < 0.3 * np.abs(found).max()
