"""Trainings of assemblies that are on or off: what is found, the start, the update, the end."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp

import boltzbrain as bb
from boltzbrain.data.activity import Activity
from boltzbrain.evaluation import partitions, samples
from boltzbrain.evaluation.dynamics import kinetics
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.moves.samples import sample_by_moves
from boltzbrain.sampling.synthetic import PlantedAssemblies, simulate_assemblies
from boltzbrain.training.assemblies import choice, couplings, factors, find, potentials
from boltzbrain.training.assemblies import graded as graded_parts
from boltzbrain.training.assemblies.choice import plan_for
from boltzbrain.training.assemblies.couplings import (
    correction,
    couplings_of_bins,
    couplings_of_states,
    of_units,
    pair_couplings,
)
from boltzbrain.training.assemblies.factors import couplings_wanted, first_model
from boltzbrain.training.assemblies.find import find_components
from boltzbrain.training.assemblies.nested import nested, where_it_counts
from boltzbrain.training.assemblies.potentials import on_off_potential
from boltzbrain.training.assemblies.rotation import varimax
from boltzbrain.training.assemblies.state import AssemblyState
from boltzbrain.training.health.restarts import Restart
from boltzbrain.training.plan import make_plan
from boltzbrain.training.run.checkpoints import read_checkpoint, write_checkpoint
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.gradient import parameters_of


def fish(seed: int = 0) -> tuple[PlantedAssemblies, Activity]:
    """Three assemblies among 700 neurons, a fifth of which belong to two."""
    truth = simulate_assemblies(
        Generator.from_seed(seed, "small fish"), neurons=700, assemblies=3, bins=1500,
        sizes=(200, 260), on_fraction=(0.1, 0.25), firing=0.3, overlap=0.1,
    )  # fmt: skip
    activity = truth.activity(0.25)
    fold = np.zeros(1500, np.int8)
    fold[1100:1300], fold[1300:] = 1, 2
    return truth, dataclasses.replace(activity, fold=fold)


def same_models(first: RBM, second: RBM) -> bool:
    mine, others = parameters_of(first), parameters_of(second)
    return all(torch.equal(value, others[name]) for name, value in mine.items())


def graded(seed: int = 0) -> Activity:
    """Neurons whose log-odds follow three factors that take every value."""
    truth, activity = fish(seed)
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((1500, 3)) @ (1.2 * truth.membership.T) - 2.5
    states = (rng.random(inputs.shape) < expit(inputs)).astype(np.uint8)
    return dataclasses.replace(activity, states=states)


def mixed(seed: int = 0) -> tuple[PlantedAssemblies, Activity, np.ndarray]:
    """Two assemblies that are on or off, and two whose amplitudes wander evenly from 0 to 1."""
    truth = simulate_assemblies(
        Generator.from_seed(seed, "mixed"), neurons=900, assemblies=4, bins=2000,
        sizes=(200, 260), on_fraction=(0.1, 0.2), firing=0.3, overlap=0.1,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    amplitude = truth.on.astype(float)
    amplitude[:, 2:] = rng.random((2000, 2))
    members = truth.membership.astype(float)
    count = amplitude[:, :2] @ members[:, :2].T
    chance = np.where(count > 0, 1 - 0.7**count, truth.background)
    odds = np.log(chance / (1 - chance)) + 3.0 * amplitude[:, 2:] @ members[:, 2:].T
    states = (rng.random(odds.shape) < expit(odds)).astype(np.uint8)
    fold = np.zeros(2000, np.int8)
    fold[1500:1750], fold[1750:] = 1, 2
    return truth, dataclasses.replace(truth.activity(0.25), states=states, fold=fold), amplitude


def states_of(activity: Activity) -> torch.Tensor:
    return torch.from_numpy(activity.states_of("train"))


@pytest.mark.parametrize("hidden", [3, 8])
def test_assemblies_are_found_once_each_with_their_bins_and_neurons(hidden: int) -> None:
    truth, activity = fish()
    found = find_components(states_of(activity), hidden, 0)
    assert found.on.shape == (1100, 3)
    assert found.share > 0.75
    on = truth.on[activity.bins_of("train")]
    alike = np.corrcoef(found.on.T, on.T)[:3, 3:]
    mine = alike.argmax(axis=1)
    assert sorted(mine) == [0, 1, 2]
    assert alike.max(axis=1).min() > 0.99
    members = truth.membership[:, mine]
    assert (found.members & members).sum() / found.members.sum() > 0.99
    assert (found.members & members).sum() / members.sum() > 0.8


def rare(seed: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """Two assemblies that share neurons; the second on in 20 bins, ten of them with the first."""
    rng = np.random.default_rng(seed)
    on = np.zeros((1500, 2), dtype=bool)
    on[:, 0] = rng.random(1500) < 0.1
    for where in (on[:, 0], ~on[:, 0]):
        on[rng.choice(np.flatnonzero(where), 10, replace=False), 1] = True
    members = np.zeros((800, 2), dtype=bool)
    members[:300, 0] = members[200:500, 1] = True
    count = on.astype(float) @ members.T
    chance = np.where(count > 0, 1 - 0.7**count, 0.02)
    return torch.from_numpy((rng.random(chance.shape) < chance).astype(np.uint8)), on, members


def test_members_of_an_assembly_that_is_rarely_on_are_told_by_their_likelihood() -> None:
    # at 6 standard errors, the rule for certain members, .47 to .78 of them are found
    shares, right = [], []
    for seed in range(6):
        states, on, members = rare(seed)
        found = find_components(states, 4, seed)
        assert found.on.shape[1] == 2
        unit = int(np.corrcoef(found.on.T, on[:, 1])[-1, :2].argmax())
        hit = (found.members[:, unit] & members[:, 1]).sum()
        shares.append(hit / members[:, 1].sum())
        right.append(hit / found.members[:, unit].sum())
    # .86 by the rise and the number of the certain ones alone
    assert np.mean(shares) > 0.88
    assert np.mean(right) > 0.95


def test_an_assembly_in_whose_component_another_has_a_part_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states, on, members = rare(0)
    first, second = members.T.astype(float)
    slopes = 4.0 * np.stack([first, second + 0.5 * first, first + 0.3 * second], axis=1)
    monkeypatch.setattr(find, "candidate_slopes", lambda *_: (slopes, slopes.shape[1], len(states)))
    found = find_components(states, 3, 0)
    # the third, a mixture of both, is none of its own
    assert found.on.shape[1] == 2
    assert np.corrcoef(found.on.T, on.T)[:2, 2:].max(axis=0).min() > 0.95
    # negative control: without the second look one of them is lost
    monkeypatch.setattr(find, "_without", lambda values, _: values)
    assert find_components(states, 3, 0).on.shape[1] == 1


def turned_one_way(monkeypatch: pytest.MonkeyPatch, *, simple: bool) -> None:
    """Let components be turned only to simple structure, or only until they are independent."""
    both = find.candidate_slopes

    def one(states: torch.Tensor, most: int, seed: int) -> tuple[np.ndarray, int, int]:
        slopes, count, bins = both(states, most, seed)
        return (slopes[:, :count] if simple else slopes[:, count:]), count, bins

    monkeypatch.setattr(find, "candidate_slopes", one)


@pytest.mark.parametrize("seed", range(3))
def test_assemblies_that_are_often_on_are_found_by_who_follows_them(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = simulate_assemblies(
        Generator.from_seed(seed, "often"), neurons=1200, assemblies=6, bins=1500,
        sizes=(150, 200), on_fraction=(0.2, 0.22), firing=0.3, overlap=0.1,
    )  # fmt: skip
    states = torch.from_numpy(truth.states)
    found = find_components(states, 12, seed)
    assert found.on.shape[1] == 6
    assert np.corrcoef(found.on.T, truth.on.T)[:6, 6:].max(axis=0).min() > 0.99
    # negative control: their kurtosis is that of a normal amplitude
    turned_one_way(monkeypatch, simple=False)
    assert find_components(states, 12, seed).on.shape[1] <= 3


def test_an_assembly_that_is_rarely_on_is_found_as_an_independent_component(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states, _, _ = rare(5)
    assert find_components(states, 4, 5).on.shape[1] == 2
    # negative control: 20 bins do not tell well who follows it
    turned_one_way(monkeypatch, simple=True)
    assert find_components(states, 4, 5).on.shape[1] == 1


def test_no_more_units_are_found_than_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, activity, _ = mixed()
    states, slopes = states_of(activity), 4.0 * truth.membership.astype(float)
    monkeypatch.setattr(find, "candidate_slopes", lambda *_: (slopes, 4, len(states)))
    for most, on, graded_ones in ((4, 2, 2), (3, 2, 1), (1, 1, 0)):
        found = find_components(states, most, 0)
        assert (found.on.shape[1], found.graded.shape[1]) == (on, graded_ones)


def test_a_component_that_three_neurons_follow_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    states, _, members = rare(0)
    rng = np.random.default_rng(0)
    together = rng.random((len(states), 1)) < 0.05
    flipped = rng.random((len(states), 3)) < 0.002
    states[:, 600:603] = torch.from_numpy((together ^ flipped).astype(np.uint8))
    three = np.zeros((states.shape[1], 1))
    three[600:603] = 4.0
    slopes = np.column_stack([4.0 * members.astype(float), three])
    monkeypatch.setattr(find, "candidate_slopes", lambda *_: (slopes, 3, len(states)))
    assert find_components(states, 3, 0).on.shape[1] == 2
    # negative control: they are on or off as a whole
    monkeypatch.setattr(find, "FEWEST_FOLLOWERS", 1)
    assert find_components(states, 3, 0).on.shape[1] == 3


def test_graded_activity_has_no_unit_that_is_on_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_components(states_of(graded()), 8, 0)
    assert found.on.shape[1] == 0
    assert found.share == 0.0
    monkeypatch.setattr(choice, "FEWEST_NEURONS", 100)
    plan = make_plan("compositional", hidden=8)
    assert plan_for(graded(), plan) == (plan, None)
    with pytest.raises(InputError, match="assemblies must be on or off in the training bins"):
        AssemblyState(make_plan("assemblies", hidden=8), states_of(graded()), None)


def test_at_the_end_members_rest_and_the_mean_of_the_fields_is_used() -> None:
    plan = make_plan("assemblies", hidden=8, updates=50)
    state = AssemblyState(plan, states_of(fish()[1]), None)
    for _ in range(35):
        state.step()
    before = {name: value.clone() for name, value in state.mean.items()}
    moved = ("visible.field", "hidden.field_plus", "hidden.field_minus")
    fields: dict[str, list[torch.Tensor]] = {name: [] for name in moved}
    for _ in range(15):
        state.step()
        for name, values in fields.items():
            values.append(state.ascent.parameters[name].clone())
    for name in ("members", "hidden.precision_plus", "hidden.precision_minus"):
        assert torch.equal(state.ascent.parameters[name], before[name])
    # the k-th counts k times
    weight = torch.arange(1.0, 16.0)
    for name, values in fields.items():
        assert not torch.equal(values[-1], before[name])
        mean = (torch.stack(values) * weight[:, None]).sum(dim=0) / weight.sum()
        torch.testing.assert_close(state.mean[name], mean)


@pytest.mark.parametrize("share", [1.0, 0.0])
def test_settling_brings_neurons_and_units_to_the_means_of_the_data(share: float) -> None:
    states = states_of(fish()[1])
    state = AssemblyState(make_plan("assemblies", hidden=8, chains=200), states, None)
    for _ in range(100):
        state.step()
    ascent, stream = state.ascent, Generator.from_seed(3)
    members, sign = ascent.support.any(dim=1), 2.0 * (torch.arange(700) % 2) - 1.0
    ascent.put(
        {**ascent.parameters, "visible.field": ascent.parameters["visible.field"] + 0.3 * sign}
    )

    def apart(steps: int, by: float | None = None) -> tuple[float, float]:
        """Move chains, and all fields where `by` is given; return how far means are apart."""
        of_v, of_h = [], []
        for step in range(steps):
            state.chains = state.mover.move(ascent.model, state.chains, step)
            of_v.append(state.chains.visible.double().mean(dim=0))
            of_h.append(ascent.model.mean_hidden(state.chains.visible).double().mean(dim=0))
            if by is not None:
                ascent.settle(states, state.chains, by * (1 - step / steps), stream)
        hidden = ascent.model.mean_hidden(states).double()
        v = torch.stack(of_v).mean(dim=0) - states.double().mean(dim=0)
        h = torch.stack(of_h).mean(dim=0) - hidden.mean(dim=0)
        return float((v * sign)[members].mean()), float((h / hidden.std(dim=0)).abs().max())

    apart(20)
    v, h = apart(50)
    assert v > 0.02
    assert h > 0.5
    apart(100, share)
    v, h = apart(150)
    # errors by the spread of 200 chains: .0005 of v, .02 of h
    assert h < 0.1
    assert (abs(v) < 0.003) == (share == 1.0)  # potentials alone bring units there, not neurons


def test_settling_looks_at_more_bins_of_many_units_and_goes_by_smaller_steps_after_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = AssemblyState(make_plan("assemblies", hidden=8, updates=10), states_of(fish()[1]), None)
    for _ in range(7):
        state.step()
    told = []
    monkeypatch.setattr(
        state.ascent, "settle", lambda batch, _, share, __: told.append((len(batch), share))
    )
    state.step()
    monkeypatch.setattr("boltzbrain.training.assemblies.state._BINS_PER_UNIT", 300)
    state.step()
    state.interventions = state.interventions.restarted(Restart(9, 8, "diverged"))
    state.step()
    assert [bins for bins, _ in told] == [400, 900, 900]
    divisor = state.interventions.rate_divisor
    assert divisor > 1
    np.testing.assert_allclose([share for _, share in told], [1, 2 / 3, 1 / 3 / divisor])


def test_unrelated_neurons_have_no_components_and_train_as_they_were_asked_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    activity = graded()
    states = np.random.default_rng(0).random(activity.states.shape) < 0.1
    alone = dataclasses.replace(activity, states=states.astype(np.uint8))
    found = find_components(states_of(alone), 8, 0)
    assert found.on.shape == (len(states_of(alone)), 0)
    assert found.members.shape == (alone.n_neurons, 0)
    assert (found.share, found.graded.size, found.slopes.size) == (0.0, 0, 0)
    monkeypatch.setattr(choice, "FEWEST_NEURONS", 100)
    plan = make_plan("compositional", hidden=8)
    assert plan_for(alone, plan) == (plan, None)


def test_the_recipe_of_assemblies_takes_over_with_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    activity = fish()[1]
    few = make_plan("compositional", hidden=8, seed=3, batch=77)
    assert plan_for(activity, few) == (few, None)
    monkeypatch.setattr(choice, "FEWEST_NEURONS", 100)
    plan, found = plan_for(activity, few)
    assert found is not None
    assert (plan.preset, plan.weights_from) == ("assemblies", "assemblies")
    assert (plan.hidden, plan.seed, plan.batch) == (8, 3, 77)
    assert plan.updates == make_plan("assemblies").updates
    binary = make_plan("binary")
    assert plan_for(activity, binary) == (binary, None)


def by_states(off: np.ndarray, rises: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The coupling of units 0 and 1, the log-partition of the neurons in all four states."""
    each = rises @ (np.eye(rises.shape[1]) + shares)
    total = [
        np.logaddexp(0, off + a * each[:, 0] + b * each[:, 1]).sum()
        for a, b in ((1, 1), (1, 0), (0, 1), (0, 0))
    ]
    return total[0] - total[1] - total[2] + total[3]


def test_shared_neurons_couple_units_and_the_correction_takes_it_back() -> None:
    rng = np.random.default_rng(0)
    off = rng.normal(-3.5, 0.5, 400)
    rises = np.zeros((400, 2))
    rises[:250, 0], rises[150:, 1] = rng.uniform(2, 4, 250), rng.uniform(2, 4, 250)
    shares = np.array([[0.0, -0.03], [0.02, 0.0]])
    found = pair_couplings(off, rises, shares, np.zeros(2))
    np.testing.assert_allclose(found[0, 1], by_states(off, rises, shares))
    assert found[0, 1] == found[1, 0]
    assert pair_couplings(off, rises, np.zeros((2, 2)), np.zeros(2))[0, 1] > 5
    for wanted in (0.0, 1.5):
        target, shares = wanted * (1 - np.eye(2)), np.zeros((2, 2))
        for _ in range(8):
            shares += correction(off, rises, shares, target, np.zeros(2))
        assert abs(by_states(off, rises, shares) - wanted) < 0.05
        assert np.abs(shares).max() < 0.3


def many_shared(units: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of 2,000 neurons, and rises by units each of which shares some with each other."""
    rng = np.random.default_rng(0)
    members = rng.random((2000, units)) < 0.15
    return rng.normal(-3.5, 0.5, 2000), np.where(members, rng.uniform(2, 4, members.shape), 0.0)


def test_couplings_count_what_two_units_bring_along_of_all_others() -> None:
    off, rises = many_shared()
    shares = np.where(np.eye(8), 0.0, -0.03)
    none, half = np.zeros(8), np.full(8, 0.5)
    alone = pair_couplings(off, rises[:, :2], shares[:2, :2], np.zeros(2))[0, 1]
    for usual in (none, half):
        around = np.where(np.arange(8) < 2, 0.0, usual)
        base = off + rises @ (np.eye(8) + shares) @ around
        exact = by_states(base, rises, shares)
        # neurons that are members of neither come in to second order
        assert abs(pair_couplings(off, rises, shares, usual)[0, 1] - exact) < 0.3
    assert abs(alone - by_states(off, rises, shares)) > 5


def test_the_correction_of_many_units_leaves_them_independent() -> None:
    off, rises = many_shared()
    wanted, usual = np.zeros((8, 8)), np.full(8, 0.1)

    def left(shares: np.ndarray) -> np.ndarray:
        found = []
        for pair in itertools.combinations(range(8), 2):
            order = [*pair, *(unit for unit in range(8) if unit not in pair)]
            around = np.where(np.arange(8) < 2, 0.0, usual)
            mixed = shares[np.ix_(order, order)]
            base = off + rises[:, order] @ (np.eye(8) + mixed) @ around
            found.append(by_states(base, rises[:, order], mixed))
        return np.array(found)

    shares = np.zeros((8, 8))
    assert left(shares).mean() > 20
    for _ in range(12):
        shares += correction(off, rises, shares, wanted, usual)
    # what is left is of neurons that are members of neither
    assert np.abs(left(shares)).max() < 1.5
    # negative control: each pair alone, as if it brought nothing along of the others
    alone = np.zeros((8, 8))
    for one, other in itertools.combinations(range(8), 2):
        two, both = np.zeros((2, 2)), rises[:, [one, other]]
        for _ in range(12):
            two += correction(off, both, two, np.zeros((2, 2)), usual[:2])
        alone[one, other], alone[other, one] = two[0, 1], two[1, 0]
    assert left(alone).mean() < -5


def test_many_that_are_on_do_not_hold_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    members = rng.random((2000, 20)) < 0.02
    off, usual = rng.normal(-5.0, 0.5, 2000), np.full(20, 0.06)
    rises = np.where(members, rng.uniform(2, 4, members.shape), 0.0)

    def crowded() -> float:
        shares = np.zeros((20, 20))
        for _ in range(12):
            shares += correction(off, rises, shares, np.zeros((20, 20)), usual)
        return float(pair_couplings(off, rises, shares, 2.5 * usual).max())

    assert crowded() < 0.02
    # negative control: couplings that are 0 beside as many others as usual are not beside more
    monkeypatch.setattr(couplings, "_CROWD", 1.0)
    assert crowded() > 0.1


def test_couplings_of_states_are_those_of_the_law_they_are_drawn_from() -> None:
    # six units, off at -1 and on at 2, each pair coupled by .4
    every = np.array(list(itertools.product([0.0, 1.0], repeat=6)))
    log_law = 0.4 * (every.sum(axis=1) ** 2 - every.sum(axis=1)) / 2 - 2.5 * every.sum(axis=1)
    law = np.exp(log_law - logsumexp(log_law))
    rng = np.random.default_rng(0)
    drawn = every[rng.choice(len(every), 40_000, p=law)] * 3.0 - 1.0
    found = couplings_of_states(drawn, np.full(6, 3.0))
    # sampling errors of a mean over 15 pairs: .01; first order counts neighbours of neighbours, too
    assert 0.3 < found[np.triu_indices(6, 1)].mean() < 0.6
    units = rng.normal(0, 1, 6)
    sums = units[:, None] + units[None, :]
    np.testing.assert_allclose(of_units(sums), sums)
    np.testing.assert_allclose(of_units(sums + np.diag(rng.normal(0, 1, 6))), sums)


def test_couplings_of_bins_are_log_odds_ratios_where_they_are_certain() -> None:
    rng = np.random.default_rng(1)
    one = rng.random(20_000) < 0.2
    other = np.where(one, rng.random(20_000) < 0.5, rng.random(20_000) < 0.1)
    alone = rng.random(20_000) < 0.2
    found = couplings_of_bins(np.stack([one, other, alone], axis=1))
    # log(.5/.5) - log(.1/.9), within some five of its errors of .05
    assert abs(found[0, 1] - np.log(9)) < 0.25
    assert found[0, 2] == found[1, 2] == found[0, 0] == 0.0


def test_units_that_stay_on_for_many_bins_are_asked_for_no_couplings_by_chance() -> None:
    rng = np.random.default_rng(3)
    bins, units, stay = 3000, 40, 10
    started = rng.random((bins + stay, units)) < 0.006
    on = np.stack([started[k : bins + k] for k in range(stay)]).any(axis=0)
    # 5 % of the runs have any: expected of 780 pairs is far less than one
    assert np.count_nonzero(couplings_of_bins(on)) <= 2
    # negative control: by bins alone a tenth of the pairs would be taken for coupled
    both = on.T.astype(float) @ on
    expected = np.outer(on.mean(axis=0), on.mean(axis=0)) * bins
    apart = np.abs(both - expected)[np.triu_indices(units, 1)]
    assert (apart > 3 * np.sqrt(expected[np.triu_indices(units, 1)])).mean() > 0.1


@pytest.mark.parametrize("share", [0.03, 0.4])
def test_a_potential_peaks_at_its_levels_with_its_share(share: float) -> None:
    rng = np.random.default_rng(2)
    level = 0.5 / np.sqrt(share * (1 - share))
    off, weights = rng.normal(-4, 0.5, 300), rng.uniform(2, 4, 300) / (2 * level)
    one = on_off_potential(off, weights, level, share)
    h = np.linspace(-3 * level, 3 * level, 30_001)
    law = np.logaddexp(0, off + np.multiply.outer(h + level, weights)).sum(axis=1)
    up, down = np.maximum(h, 0), np.maximum(-h, 0)
    law += one.field_plus * up - one.precision_plus * up**2 / 2
    law += one.field_minus * down - one.precision_minus * down**2 / 2
    law = np.exp(law - logsumexp(law))
    assert abs(law[h > 0].sum() - share) < 0.02 * share
    assert abs(h[h > 0][law[h > 0].argmax()] - level) < 0.02 * level
    assert abs(h[h < 0][law[h < 0].argmax()] + level) < 0.02 * level


def test_the_likeliest_potential_of_a_graded_unit_has_the_law_of_its_values() -> None:
    rng = np.random.default_rng(0)
    base, weights = rng.normal(-2.5, 0.5, 200), rng.normal(0.4, 0.1, 200)
    h = np.linspace(-6, 6, 1201)
    total = np.logaddexp(0.0, base + np.multiply.outer(h, weights)).sum(axis=1)
    true_law = np.exp(-0.5 * (np.abs(h) / 1.6) ** 3)
    true_law /= true_law.sum()
    values = rng.choice(h, 4000, p=true_law)
    values = (values - values.mean()) / values.std()
    wanted = np.exp(-0.5 * (np.abs(h) / (1.6 / (h @ (h * true_law)) ** 0.5)) ** 3)
    wanted /= wanted.sum()

    def apart(one: potentials.Potential, kink: float, sums: np.ndarray) -> float:
        up, down = np.maximum(h - kink, 0.0), np.maximum(kink - h, 0.0)
        energy = one.field_plus * up - one.precision_plus * up**2 / 2
        energy += one.field_minus * down - one.precision_minus * down**2 / 2
        log_law = sums + energy
        return float(np.abs(np.exp(log_law - logsumexp(log_law)) - wanted).sum() / 2)

    assert apart(*potentials.graded_potential(base, weights, values), total) < 0.12
    # negative control: a unit that no neuron follows needs another potential
    assert apart(*potentials.graded_potential(base, 0.0 * weights, values), total) > 0.5


def test_graded_assemblies_beside_those_that_are_on_or_off_are_found() -> None:
    truth, activity, amplitude = mixed()
    found = find_components(states_of(activity), 8, 0)
    assert found.on.shape[1] == found.graded.shape[1] == 2
    bins = activity.bins_of("train")
    alike = np.corrcoef(found.graded.T, amplitude[bins, 2:].T)[:2, 2:]
    assert alike.max(axis=1).min() > 0.85
    assert sorted(alike.argmax(axis=1)) == [0, 1]
    mine = truth.membership[:, 2 + alike.argmax(axis=1)]
    follow = found.slopes != 0
    assert (follow & mine).sum() / mine.sum() > 0.85
    assert (follow & mine).sum() / follow.sum() > 0.85


def test_chance_among_few_neurons_is_no_graded_assembly(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, activity, _ = mixed()
    states = states_of(activity)
    # neurons that happen to be active together with one of them
    alone = np.flatnonzero(~truth.membership.any(axis=1))
    mean = states.numpy().mean(axis=0)
    cov = (states.numpy()[:, alone[0]] - mean[alone[0]]) @ (states.numpy() - mean) / len(states)
    most = np.argsort(-cov)[:30]
    chance = np.zeros(len(mean))
    chance[most] = 4.0
    slopes = 4.0 * truth.membership.astype(float)
    extra = np.column_stack([slopes, chance])
    monkeypatch.setattr(find, "candidate_slopes", lambda *_: (extra, extra.shape[1], len(states)))
    assert find_components(states, 5, 0).graded.shape[1] == 2
    monkeypatch.setattr(graded_parts, "LEAST_TOGETHER", 0.0)
    monkeypatch.setattr(graded_parts, "FEWEST_FOLLOWERS", 1)
    assert find_components(states, 5, 0).graded.shape[1] == 3


@pytest.mark.parametrize("within", [True, False])
def test_what_varies_while_one_assembly_is_on_alone_is_no_assembly_beside_it(within: bool) -> None:
    rng = np.random.default_rng(0)
    on = np.repeat(rng.random((100, 1)) < 0.2, 20, axis=0)
    amplitude = rng.standard_normal(2000) * (on[:, 0] if within else 1.0)
    odds = np.full((2000, 400), -2.5)
    odds[:, :200] += 2.0 * on
    odds[:, 100:200] += amplitude[:, None]
    states = torch.from_numpy((rng.random(odds.shape) < expit(odds)).astype(np.uint8))
    rates = states.double().mean(dim=0).numpy()
    found, slopes = graded_parts.graded_components(states, amplitude[:, None], on, rates, 6.0)
    assert found.shape == (2000, 1 - within)
    assert slopes.shape == (400, 1 - within)


def test_varimax_finds_simple_loadings() -> None:
    rng = np.random.default_rng(0)
    simple = rng.normal(0, 0.02, (300, 3))
    simple[np.arange(300), np.arange(300) % 3] += 1.0
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    found = simple @ turn @ varimax(simple @ turn)
    alike = np.abs(np.corrcoef(found.T, simple.T)[:3, 3:])
    assert alike.max(axis=1).min() > 0.999
    assert np.abs(np.corrcoef((simple @ turn).T, simple.T)[:3, 3:]).max(axis=1).min() < 0.99


def test_a_training_of_mixed_assemblies_converges(tmp_path: Path) -> None:
    truth, activity, _ = mixed()
    run = train(activity, make_plan("assemblies", hidden=8), tmp_path / "run")
    found = run.info["convergence"]
    assert found["status"] in ("converged", "recovered"), found["reason"]
    weights = run.best.weights.numpy()
    assert weights.shape[1] == 4
    alike = np.corrcoef(weights.T, truth.membership.T)[:4, 4:]
    assert alike.max(axis=0).min() > 0.8


def test_the_first_model_has_units_on_about_as_often_as_the_data_and_independent() -> None:
    activity = fish()[1]
    states = states_of(activity)
    found = find_components(states, 3, 0)
    model, factors = first_model(states, found)
    torch.testing.assert_close(factors.weights, model.weights)
    assert bool(((factors.members != 0).numpy() == found.members).all())
    drawn = sample_by_moves(model, states, 4000, Generator.from_seed(1), chains=200, warm_up=20)
    on = (model.mean_hidden(drawn.samples) > 0).double().numpy()
    # some 2000 independent samples: errors below .01; half off with shared neurons uncorrected, and
    # up to .14 as odds beside average others are not average odds; training takes it from there
    assert np.abs(on.mean(axis=0) - found.on.mean(axis=0)).max() < 0.2
    assert np.abs(np.corrcoef(on.T) - np.eye(3)).max() < 0.2
    rates = drawn.samples.double().mean(dim=0) - states.double().mean(dim=0)
    assert float(rates.abs().mean()) < 0.02


def test_a_kept_coupling_stays_and_tells_nothing_of_the_others() -> None:
    # eight units of ten neurons each; the chains say that those of unit 2 are too large by 1
    rises, own = np.kron(np.eye(8), np.ones((10, 1))), np.zeros(8)
    own[2] = 1.0
    off, usual, shares = np.full(80, -2.0), np.full(8, 0.1), np.zeros((8, 8))
    excess = own[:, None] + own[None, :]
    plain = correction(off, rises, shares, np.zeros((8, 8)), usual, excess)
    wanted = np.zeros((8, 8))
    wanted[2, 5] = wanted[5, 2] = couplings.AS_THEY_ARE
    excess[2, 5] = excess[5, 2] = 40.0
    found = correction(off, rises, shares, wanted, usual, excess)
    assert found[2, 5] == found[5, 2] == 0.0
    assert (plain[2, [0, 1, 3, 4, 5, 6, 7]] < 0).all()
    others = np.ones((8, 8), bool)
    others[[2, 5], [5, 2]] = False
    np.testing.assert_allclose(found[others], plain[others], atol=1e-6)


def test_two_within_one_are_asked_for_no_coupling_that_the_outer_one_makes() -> None:
    rng = np.random.default_rng(0)
    outer = rng.random(3000) < 0.2
    on = np.column_stack([outer, *(outer & (rng.random(3000) < 0.5) for _ in range(2))])
    members = np.ones((60, 3), bool)
    members[20:, 1], members[:40, 2] = False, False
    nothing = np.zeros((3000, 0)), np.zeros((60, 0))
    wanted = couplings_wanted(find.Components(on, members, 1.0, *nothing))
    assert couplings_of_bins(on)[1, 2] > 1.0
    assert wanted[1, 2] == wanted[2, 1] == 0.0
    assert (wanted[0, 1:] == couplings.AS_THEY_ARE).all()


def test_who_lies_within_whom() -> None:
    on = np.zeros((100, 5), bool)
    on[:40, 0], on[10:30, 1], on[12:20, 2], on[60:90, 3], on[10:30, 4] = (True,) * 5
    members = np.zeros((60, 5), bool)
    members[:30, 0], members[:15, 1], members[5:12, 2], members[:30, 3] = (True,) * 4
    members[20:50, 4] = True  # on within 0 and as 1 is, but with a third of its members in one
    inside = nested(on, members)
    assert [tuple(pair) for pair in np.argwhere(inside)] == [(1, 0), (2, 0), (2, 1)]
    counts = where_it_counts(on, inside)
    assert np.flatnonzero(~counts[:, 0]).tolist() == list(range(10, 30))
    assert np.flatnonzero(counts[:, 1]).tolist() == [*range(12), *range(20, 40)]
    assert np.flatnonzero(counts[:, 2]).tolist() == list(range(10, 30))
    assert counts[:, 3:].all()
    twice = nested(on[:, [1, 1]], members[:, [1, 1]])
    assert twice.tolist() == [[False, False], [True, False]]


def _within_another() -> tuple[Activity, find.Components]:
    """`fish` with a fourth assembly, on in half of the stretches of the first, of its members."""
    truth, activity = fish(1)
    rng = np.random.default_rng(1)
    members = np.column_stack([truth.membership, np.zeros(700, bool)])
    members[rng.choice(np.flatnonzero(members[:, 0]), 100, replace=False), 3] = True
    on = np.column_stack([truth.on, truth.on[:, 0] & (rng.random(150) < 0.5).repeat(10)])
    more = on[:, [3]] & members[:, 3] & (rng.random((1500, 700)) < 0.5)
    states = (activity.states.astype(bool) | more).astype(np.uint8)
    graded = np.zeros((1100, 0)), np.zeros((700, 0))
    found = find.Components(on[:1100], members, 1.0, *graded)
    return dataclasses.replace(activity, states=states), found


@pytest.mark.parametrize("known", [True, False])
def test_an_assembly_within_another_keeps_the_coupling_of_shared_members(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    activity, found = _within_another()
    if not known:
        monkeypatch.setattr(factors, "nested", lambda on, _: np.zeros((on.shape[1],) * 2, bool))
    states = states_of(activity)
    state = AssemblyState(make_plan("assemblies", hidden=8), states, None, found)
    brought = (state.ascent.mixing - torch.eye(4)).abs()
    # bins alone do not tell so sure a coupling: by them it would be taken back, against the data
    assert (float(brought.max()) < 0.1) == known
    if not known:
        return
    for _ in range(state.plan.updates):
        state.step()
    assert float(state.ascent.mixing[[0, 3], [3, 0]].abs().max()) == 0.0
    drawn = sample_by_moves(
        state.model, states, 8000, Generator.from_seed(1), chains=200, warm_up=20
    )
    on = (state.model.mean_hidden(drawn.samples) > 0).numpy()
    # independent samples, of effective number 1000 and more: errors of at most .016
    assert np.abs(on.mean(axis=0) - found.on.mean(axis=0)).max() < 0.06
    assert (on[:, 3] & ~on[:, 0]).mean() < 0.002
    assert abs(on[on[:, 0], 3].mean() - found.on[found.on[:, 0], 3].mean()) < 0.1


def test_a_checkpoint_holds_all_that_an_update_needs(tmp_path: Path) -> None:
    # over a change of the proposals, at 25, of the mixing, at 50, and to where members rest, at 70
    plan, data = make_plan("assemblies", hidden=3, updates=100), states_of(fish()[1])
    state = AssemblyState(plan, data, None)
    for _ in range(20):
        state.step()
    write_checkpoint(tmp_path / "one.h5", state.checkpoint({}, 0.0))
    other = AssemblyState(plan, data, read_checkpoint(tmp_path / "one.h5"))
    before = state.ascent.mixing.clone()
    for _ in range(60):
        state.step()
        other.step()
    assert not torch.equal(before, state.ascent.mixing)
    assert same_models(state.model, other.model)
    assert same_models(state.live, other.live)
    assert torch.equal(state.chains.visible, other.chains.visible)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainingRun:
    """A training of `fish` by the recipe of assemblies."""
    return train(
        fish()[1], make_plan("assemblies", hidden=6), tmp_path_factory.mktemp("whole") / "run"
    )


def test_a_training_converges_near_the_truth_and_is_resumed_bit_for_bit(
    whole: TrainingRun, tmp_path: Path
) -> None:
    run, (truth, activity) = whole, fish()
    assert run.plan.preset == "assemblies"
    found = run.info["convergence"]
    assert found["status"] == "converged", found["reason"]
    model = run.best
    assert model.weights.shape == (700, 3)
    row = run.log().iloc[-1]
    assert row["effective_sample_size"] > 0.3 * run.plan.ais_chains
    # the truth is about 45 nats above independent neurons
    bins = activity.bins_of("validation")
    on = truth.on[bins].astype(np.float32) @ truth.membership.T.astype(np.float32)
    rate = np.where(on > 0, 1 - (1 - truth.firing) ** on, truth.background)
    states, share = activity.states[bins] > 0, truth.on.mean(axis=0)
    exact = np.log(np.where(states, rate, 1 - rate)).sum(axis=1)
    exact += np.log(np.where(truth.on[bins], share, 1 - share)).sum(axis=1)
    gain = row["validation_nats_per_bin"] - row["validation_independent"]
    wanted = exact.mean() - row["validation_independent"]
    assert 0.9 * wanted < gain < 1.03 * wanted

    # what is read as members are those that were planted, not the small weights that correct
    members = bb.interpret(run)["assemblies/membership"].astype(bool)
    shared = members.T.astype(float) @ truth.membership
    either = members.sum(axis=0)[:, None] + truth.membership.sum(axis=0) - shared
    assert ((shared / either).max(axis=0) > 0.8).all()
    chosen = bb.interpret(run, rule="effective")
    assert chosen.summary["assemblies"]["rule"] == "effective"

    def interrupt(progress: bb.Progress) -> None:
        if progress.done == 60:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(activity, run.plan, tmp_path / "parts", [interrupt])
    parts = resume(tmp_path / "parts")
    assert same_models(parts.best, TrainingRun.open(run.folder).best)
    assert bool((parts.log()["log_partition"] == run.log()["log_partition"]).all())


def test_evaluation_and_samples_switch_assemblies(
    whole: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "CHAINS", 200)
    monkeypatch.setattr(samples, "CHAINS", 200)
    # updates of single neurons, which nothing here asks for
    monkeypatch.setattr(kinetics, "GLAUBER_UPDATES", 1400)
    run = TrainingRun.open(shutil.copytree(whole.folder, tmp_path / "run"))
    found = bb.evaluate(run)
    estimates = found["log_likelihood"]["log_partition"]
    # the error of either is .017 with 200 chains: false alarm below 1e-9
    assert abs(estimates["forward"]["value"] - estimates["backward"]["value"]) < 0.5
    assert estimates["forward"]["effective_sample_size"] > 0.1 * estimates["forward"]["chains"]
    assert estimates["trajectory"]["value"] is None
    drawn = bb.sample(run, 400)
    assert drawn.step("sample").options["sampler"] == "moves"
    seen = found["statistics"]
    ceiling = seen["ceiling"]["covariances"]["pearson"]
    assert seen["covariances"]["pearson"] > 0.8 * ceiling
