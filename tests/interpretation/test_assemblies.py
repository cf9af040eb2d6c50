"""Assemblies and their places: slow twins, planted members, and shuffles that find nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from boltzbrain.data.regions import Regions
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.assemblies import (
    RULES,
    assemblies_by_rule,
    hidden_activity,
    hidden_deviation,
    order_by_activity,
    participation_ratio,
)
from boltzbrain.interpretation.assemblies.find import find_assemblies
from boltzbrain.interpretation.assemblies.membership import (
    compactness,
    effective_regions,
    embedding,
    region_occupancy,
    spanned_regions,
)
from boltzbrain.interpretation.choices import Choices
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.sampling.synthetic import random_model, simulate_assemblies
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from helpers.activities import activity_of


def planted(neurons: int = 120, hidden: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Weights near 1 in blocks of 15 neurons, near 0.02 elsewhere; the last 30 are in no block."""
    generator = np.random.default_rng(seed)
    members = np.zeros((neurons, hidden), dtype=bool)
    for unit in range(hidden):
        members[15 * unit : 15 * unit + 15, unit] = True
    weights = 0.02 * generator.standard_normal((neurons, hidden))
    sign = np.where(generator.random(members.sum()) < 0.2, -1.0, 1.0)
    weights[members] = sign * np.exp(0.2 * generator.standard_normal(members.sum()))
    return weights, members


def overlapping_regions(neurons: int, seed: int = 0) -> Regions:
    generator = np.random.default_rng(seed)
    table = sparse.csr_array((generator.random((neurons, 4)) < 0.3).astype(np.uint8))
    return Regions(("a", "b", "c", "empty"), table.multiply([1, 1, 1, 0]).tocsr(), ("",) * 4)


def test_participation_ratio_counts_equal_entries_and_has_no_scale():
    values = np.random.default_rng(1).standard_normal((7, 5))
    slow = [(sum(x * x for x in row)) ** 2 / sum(x**4 for x in row) for row in values.tolist()]
    np.testing.assert_allclose(participation_ratio(values), slow, rtol=1e-12)
    np.testing.assert_allclose(participation_ratio(values, axis=0), participation_ratio(values.T))
    # the fourth power of 1e-90 underflows
    np.testing.assert_allclose(participation_ratio(1e-90 * values), slow, rtol=1e-12)
    assert participation_ratio(np.ones((1, 9))).tolist() == [9.0]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_deviation_of_hidden_units_is_that_of_drawn_ones(kind):
    model = random_model(kind, 8, 3, Generator.from_seed(1, kind), weight_std=1.0)
    states = (np.random.default_rng(0).random((300, 8)) < 0.4).astype(np.uint8)
    repeated = torch.from_numpy(np.tile(states, (200, 1)))
    drawn = model.sample_hidden(repeated, Generator.from_seed(2)).to(torch.float64).numpy()
    # 60,000 draws: the relative error of a deviation is about 0.4 %, of a skewed one 1 %
    np.testing.assert_allclose(hidden_deviation(model, states), drawn.std(axis=0), rtol=0.05)
    mean = drawn.reshape(200, 300, 3).mean(axis=0)
    error = 6 * drawn.reshape(200, 300, 3).std(axis=0) / np.sqrt(200) + 0.05
    assert (np.abs(hidden_activity(model, states) - mean) < error).all()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_scaled_weights_do_not_depend_on_the_free_scale_of_continuous_units(kind):
    model = random_model(kind, 8, 3, Generator.from_seed(3, kind))
    states = (np.random.default_rng(0).random((200, 8)) < 0.4).astype(np.uint8)
    found, _, judged = find_assemblies(
        model, activity_of(states), None, Choices(), Generator.from_seed(4)
    )
    weights, scale = (found[f"assemblies/{name}"].values for name in ("weights", "scale"))
    train = states[activity_of(states).fold == 0]
    if kind in ("bernoulli", "ising"):
        np.testing.assert_array_equal(scale, 1.0)
    else:
        np.testing.assert_allclose(scale, hidden_deviation(model, train), rtol=1e-6)
    np.testing.assert_allclose(judged.weights, weights * scale, rtol=1e-6)
    np.testing.assert_allclose(np.abs(weights), np.abs(model.weights.numpy()), rtol=1e-6)
    mirrored = model.hidden.flipped(torch.ones(3, dtype=torch.bool)) is not None
    if mirrored:
        assert (weights.sum(axis=0) >= 0).all()
    else:
        np.testing.assert_array_equal(np.sign(weights), np.sign(model.weights.numpy()))


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_planted_members(rule):
    weights, members = planted()
    found = assemblies_by_rule(weights, rule, 0.3)
    if rule == "one_per_neuron":
        # 120 weights for 90 members: the threshold reaches 30 of the weak ones
        assert found.membership[members].all()
        assert found.membership.sum() == 120
    elif rule == "effective":
        # 90 members whose weights spread by 20 % count as 90 exp(-4 0.2**2) = 77 equal ones
        assert (found.membership <= members).all()
        assert 70 <= found.membership.sum() <= 85
    elif rule == "participation":
        # the effective number of unequal weights is somewhat below the number of members
        assert (found.membership <= members).all()
        assert (found.sizes >= 12).all()
    elif rule == "mixture":
        # where the laws cross, some of the 630 weak weights count as strong, and no strong as weak
        assert (found.membership >= members).all()
        assert (found.membership & ~members).sum() <= 10
    else:
        np.testing.assert_array_equal(found.membership, members)
        assert found.embedded == 0.75
    strongest = found.strongest
    np.testing.assert_array_equal(strongest[:90], np.repeat(np.arange(6), 15))


def test_assemblies_that_the_binary_recipe_learnt_are_found(tmp_path):
    truth = simulate_assemblies(
        Generator.from_seed(0, "learnt"), neurons=60, assemblies=4, bins=4000, sizes=(8, 14),
        on_fraction=(0.1, 0.2), firing=0.5, overlap=0.1,
    )  # fmt: skip
    # the bins are independent, so that any of them may validate
    activity = replace(truth.activity(), fold=(np.arange(4000) % 10 == 0).astype(np.int8))
    plan = make_plan(
        "binary", hidden=12, batch=200, chains=100, checkpoints=2, ais_chains=20, ais_rungs=20
    )
    weights = train(activity, plan, tmp_path / "run").best.in_sign_gauge().weights.double().numpy()

    def agreement(rule: str, judged: np.ndarray) -> np.ndarray:
        """Return for each assembly the harmonic mean of precision and recall of its best unit."""
        found = assemblies_by_rule(judged, rule).membership.astype(float)
        planted = truth.membership.astype(float)
        both = planted.sum(axis=0)[:, None] + found.sum(axis=0)
        return (2 * planted.T @ found / both).max(axis=1)

    default = assemblies_by_rule(weights)
    assert default.rule == "effective"
    assert agreement("effective", weights).mean() > 0.8
    assert abs(default.embedded - truth.membership.any(axis=1).mean()) < 0.1
    # the same weights in random places: the test must be able to fail
    shuffled = np.random.default_rng(0).permutation(weights.ravel()).reshape(weights.shape)
    assert agreement("effective", shuffled).mean() < 0.55


def test_thresholds_are_those_of_a_loop():
    weights = np.random.default_rng(3).standard_normal((20, 7)) ** 3
    for rule in RULES:
        found = assemblies_by_rule(weights, rule, 1.2)
        for unit in range(7):
            mine = np.abs(weights[:, unit])
            np.testing.assert_array_equal(found.membership[:, unit], mine >= found.threshold[unit])
    falling = sorted(np.abs(weights).ravel(), reverse=True)
    assert assemblies_by_rule(weights, "one_per_neuron").threshold[0] == falling[19]
    assert assemblies_by_rule(weights, "fixed", 1.2).sizes.sum() == (np.abs(weights) >= 1.2).sum()
    # without a second group the mixture has nothing to tell apart, but it decides all the same
    assert assemblies_by_rule(np.zeros((5, 2)), "mixture").sizes.tolist() == [0, 0]
    assert assemblies_by_rule(np.ones((5, 2)), "mixture").sizes.tolist() == [5, 5]
    assert assemblies_by_rule(np.zeros((5, 2))).strongest.tolist() == [-1] * 5


def test_overlap_is_shared_over_either():
    membership = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], dtype=float)
    found = assemblies_by_rule(membership, "fixed", 0.5)
    np.testing.assert_allclose(found.overlap(), [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 0]])


def test_units_of_one_group_stand_together_in_the_order_of_activity():
    generator = np.random.default_rng(5)
    common = generator.standard_normal((400, 3))
    group = generator.permutation(np.repeat(np.arange(3), 5))
    activity = np.column_stack(
        (common[:, group] + 0.5 * generator.standard_normal((400, 15)), np.ones(400))
    )
    order = order_by_activity(activity)
    assert sorted(order.tolist()) == list(range(16))
    assert order[-1] == 15
    assert (np.diff(group[order[:15]]) != 0).sum() == 2


def test_embedding_counts_neurons_and_shuffles_embed_more_of_them():
    weights, _ = planted()
    thresholds = np.array([0.01, 0.3, 5.0])
    found = embedding(weights, thresholds, Generator.from_seed(0))
    slow = [np.mean([any(abs(w) >= t for w in row) for row in weights]) for t in thresholds]
    np.testing.assert_allclose(found.fraction, slow)
    # 90 strong weights in 720 places: a neuron's six hold none with chance C(630,6) / C(720,6)
    chance = 1 - np.prod([(630 - k) / (720 - k) for k in range(6)])
    assert abs(found.shuffled[1] - chance) < 4 * found.shuffled_deviation[1] / np.sqrt(20) + 0.01
    assert found.fraction[2] == found.shuffled[2] == 0
    again = embedding(weights, thresholds, Generator.from_seed(0))
    np.testing.assert_array_equal(found.shuffled, again.shuffled)


def test_occupancy_and_spans_are_those_of_loops():
    weights, members = planted()
    regions = overlapping_regions(120)
    table = regions.membership.toarray()
    occupancy = region_occupancy(weights, regions)
    undivided = region_occupancy(weights, regions, divided=False)
    for unit in range(6):
        for region in range(4):
            inside = [abs(weights[n, unit]) for n in range(120) if table[n, region]]
            assert undivided[unit, region] == pytest.approx(sum(inside))
            assert occupancy[unit, region] == pytest.approx(sum(inside) / max(len(inside), 1))
    assert ((effective_regions(occupancy) >= 1) & (effective_regions(occupancy) <= 3)).all()
    for unit, names in enumerate(spanned_regions(members, regions, share=0.2)):
        counts = {
            name: int((table[:, column].astype(bool) & members[:, unit]).sum())
            for column, name in enumerate(regions.names)
        }
        assert set(names) == {name for name, count in counts.items() if count >= 3}
        assert [counts[name] for name in names] == sorted((counts[n] for n in names), reverse=True)
    assert spanned_regions(np.zeros((120, 1), dtype=bool), regions) == [()]


def test_compact_assemblies_are_told_from_scattered_ones():
    generator = np.random.default_rng(2)
    xyz = generator.uniform(0, 500, (300, 3))
    xyz[5] = np.nan
    membership = np.zeros((300, 42), dtype=bool)
    near = np.argsort(np.linalg.norm(xyz - 250, axis=1))[:20]
    membership[near, 0] = True
    membership[7, 1] = True
    for unit in range(2, 42):
        membership[generator.permutation(300)[:20], unit] = True
    found = compactness(membership, xyz, Generator.from_seed(1))
    mine = xyz[near]
    expected = np.sqrt(np.square(mine - mine.mean(axis=0)).sum(axis=1).mean())
    assert found.radius_um[0] == pytest.approx(expected)
    assert found.p_value[0] == 1 / 201
    assert found.chance_um[0] > 2 * found.radius_um[0]
    assert np.isnan(found.radius_um[1])
    assert np.isnan(found.p_value[1])
    # 40 scattered assemblies: more than 8 below 0.05 has a chance of 2e-4
    assert (found.p_value[2:] < 0.05).sum() <= 8
    assert found.members[0] == 20


def test_what_cannot_be_used_is_refused():
    weights, members = planted()
    xyz, generator = np.zeros((120, 3)), Generator.from_seed(0)
    with pytest.raises(InputError, match="one_per_neuron"):
        assemblies_by_rule(weights, "one_per_neurone")
    with pytest.raises(InputError, match="threshold must be a number"):
        assemblies_by_rule(weights, "fixed", 0.0)
    with pytest.raises(InputError, match="weights must be finite"):
        assemblies_by_rule(np.full((3, 2), np.nan))
    with pytest.raises(InputError, match="weights must have shape"):
        region_occupancy(weights[:5], overlapping_regions(120))
    with pytest.raises(InputError, match="at least 2 neurons"):
        compactness(members, np.full_like(xyz, np.nan), generator)
    with pytest.raises(InputError, match="shuffles"):
        embedding(weights, np.array([0.1]), generator, shuffles=1)
