"""Assemblies that follow each other: influence against enumeration, and known time constants."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from boltzbrain.foundations.progress import SILENT
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.in_time.chance import beyond_chance
from boltzbrain.interpretation.in_time.differences import differences, shifted
from boltzbrain.interpretation.in_time.influence import (
    filtered_means,
    influence,
    propagator_times,
    time_constants,
)
from boltzbrain.model.context.contextual import Contexts, ContextualRBM
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states
from boltzbrain.sampling.rows.free_run import free_run
from helpers.contexts import model_of, pieces_of

BIN_S = 0.02


def exact_influence(model, given):
    """Return the mean over bins of the derivative of <h_t> by the means of the bin before."""
    rbm, offsets = model.rbm, model.offsets(given)
    (part,) = model.contexts.parts
    every = all_states(rbm.visible).double()
    laws, bins = offsets[torch.arange(len(given)).repeat_interleave(len(every))], len(given)
    many = every.repeat(bins, 1)

    def expected(shift):
        moved = replace(laws, hidden=laws.hidden + shift)
        logs = -rbm.free_energy(many, moved).reshape(bins, -1)
        means = rbm.mean_hidden(many, moved).reshape(bins, len(every), -1)
        return (torch.softmax(logs, dim=1)[:, :, None] * means).sum(dim=1).mean(dim=0)

    # a step of one mean moves all fields by a column of U
    steps = 1e-5 * part.recurrence.double().T
    columns = [(expected(step) - expected(-step)) / 2e-5 for step in steps]
    return torch.stack(columns, dim=1).numpy()


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_the_influence_is_the_derivative_of_what_is_expected(kind):
    model, given = model_of(kind, "assemblies"), pieces_of(0, pieces=12)
    found = influence(model.to(torch.float32), given, Generator.from_seed(0, "influence"), SILENT)
    # 96 bins with two chains each; of eight figures one lies beyond five errors of twenty groups
    # by chance once in a thousand times, and the seed is fixed
    wanted = exact_influence(model, given)
    assert (np.abs(found.value - wanted) < 5 * found.stderr).all()
    assert np.abs(wanted).max() > 5 * found.stderr.max()


def test_assemblies_that_do_not_follow_each_other_have_no_influence():
    model, given = model_of("bernoulli", "assemblies"), pieces_of(0)
    still = model.contexts.moved({"assemblies.recurrence": torch.zeros((2, 2))})
    model = replace(model, contexts=still).to(torch.float32)
    found = influence(model, given, Generator.from_seed(0), SILENT)
    assert not found.value.any()


def ring(seed=0, hidden=3, size=4, pieces=60, bins=40):
    """Return a model of assemblies of which each leads another, and what it generates."""
    weights = torch.where(
        torch.arange(hidden * size)[:, None] // size == torch.arange(hidden), 2.5, 0
    )
    field = torch.full((hidden * size,), -2.0)
    rbm = RBM(Bernoulli(field), Bernoulli(torch.full((hidden,), -3.5)), weights)
    led = 3.0 * torch.eye(hidden).roll(1, dims=0)
    still = torch.zeros(hidden)
    context = FollowingAssemblies(led, still, still, torch.zeros((0, hidden * size)))
    model = ContextualRBM(rbm, Contexts((context,), field.double()))
    label = np.arange(pieces).repeat(bins)
    layout = Sequences(np.zeros((len(label), hidden * size), dtype=np.uint8), label, BIN_S)
    return model, free_run(model, layout, Generator.from_seed(seed, "ring"), sweeps=20)


def test_influences_beyond_chance_are_those_that_were_planted_and_none_of_shuffled_bins():
    model, given = ring()
    found = influence(model, given, Generator.from_seed(0), SILENT)
    stream = Generator.from_seed(1, "chance")
    told = beyond_chance(model, given, found.covariance, stream, SILENT)
    planted = np.roll(np.eye(3, dtype=bool), 1, axis=0)
    assert told.clear[planted].all()
    mixed = given.taking(np.random.default_rng(0).permutation(len(given)))
    told = beyond_chance(model, mixed, found.covariance, stream, SILENT)
    # of six pairs 0.3 by chance
    assert told.clear[~np.eye(3, dtype=bool)].sum() <= 1


def decaying(kept, pieces=200, bins=100, seed=0):
    """Return a series (bin, unit) whose units keep so much of themselves, in pieces."""
    rng = np.random.default_rng(seed)
    value = np.zeros((pieces, bins, len(kept)))
    value[:, 0] = rng.normal(size=(pieces, len(kept)))
    for place in range(1, bins):
        noise = rng.normal(size=(pieces, len(kept))) * np.sqrt(1 - np.square(kept))
        value[:, place] = kept * value[:, place - 1] + noise
    label = np.arange(pieces).repeat(bins)
    states = np.zeros((pieces * bins, 1), dtype=np.uint8)
    return value.reshape(pieces * bins, -1), Sequences(states, label, BIN_S)


def test_time_constants_are_those_of_the_series():
    kept = np.array([0.9, 0.5, 0.0])
    series, given = decaying(kept)
    found = time_constants(series, given)
    np.testing.assert_allclose(found[:2], -BIN_S / np.log(kept[:2]), rtol=0.1)
    # nothing is remembered
    assert found[2] == 0.0
    slow = propagator_times(series[:, :2], given)
    np.testing.assert_allclose(slow[:, 0], -BIN_S / np.log(kept[:2]), rtol=0.1)
    assert not slow[:, 1].any()


def test_units_that_turn_have_a_period():
    rng, angle, kept = np.random.default_rng(1), 2 * np.pi / 10, 0.95
    turn = kept * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    value = np.zeros((20_000, 2))
    for bin_ in range(1, len(value)):
        value[bin_] = turn @ value[bin_ - 1] + rng.normal(size=2)
    states = np.zeros((len(value), 1), dtype=np.uint8)
    given = Sequences(states, np.zeros(len(value), dtype=np.int64), BIN_S)
    times = propagator_times(value, given)
    np.testing.assert_allclose(times[:, 0], -BIN_S / np.log(kept), rtol=0.1)
    np.testing.assert_allclose(times[:, 1], 10 * BIN_S, rtol=0.02)


def test_means_are_those_of_each_bin_under_its_own_fields():
    model, given = model_of("drelu", "assemblies"), pieces_of(2)
    (part,) = model.contexts.parts
    states = torch.from_numpy(given.states)
    begins = torch.ones(len(given.edges) - 1, dtype=torch.bool)
    _, wanted = part.filtered(
        model.rbm.inputs_to_hidden(states), model.rbm.hidden, given.edges, begins
    )
    np.testing.assert_allclose(filtered_means(model, given), wanted.numpy(), atol=1e-9)


def two_laws():
    """Return an RBM of two assemblies, bins in which one or the other may be on, and which."""
    generator = Generator.from_seed(0, "laws")
    weights = torch.zeros((8, 2))
    weights[:4, 0] = weights[4:, 1] = 3.0
    rbm = RBM(Bernoulli(torch.full((8,), -2.0)), Bernoulli(torch.tensor([-4.0, -4.0])), weights)
    label = np.arange(4000) // 25 % 2
    tables = torch.tensor([[1.0, -4.0], [-4.0, 1.0]])
    laws = Offsets(hidden=tables[torch.from_numpy(label)])
    start = torch.zeros((len(label), 8), dtype=torch.uint8)
    drawn, _ = rbm.sweep(start, generator, 50, laws)
    given = Sequences(drawn.numpy(), np.arange(4000) // 100, BIN_S)
    return rbm, given, (label[:, None] == [0, 1]).astype(np.float64)


def test_pairs_that_change_with_the_label_are_found_and_no_others():
    rbm, given, labels = two_laws()
    found = differences(rbm, given, labels, Generator.from_seed(1), SILENT)
    # twelve pairs within the assemblies of 28
    inside = {(a, b) for a in range(8) for b in range(a + 1, 8) if a // 4 == b // 4}
    assert set(map(tuple, found.pairs[:12].tolist())) == inside
    assert found.changing == 12
    first = found.pairs[:12, 0] < 4
    values = found.values[:12]
    assert (values[first, 0] > values[first, 1]).all()
    assert (values[~first, 0] < values[~first, 1]).all()


def test_labels_at_other_times_change_no_couplings():
    rbm, given, labels = two_laws()
    other = shifted(labels, given, Generator.from_seed(2))
    assert other.sum() == labels.sum()
    assert (other.argmax(axis=1) == labels.argmax(axis=1)).mean() < 0.7
    drawn = np.random.default_rng(4).integers(2, size=80).repeat(50)
    found = differences(
        rbm, given, (drawn[:, None] == [0, 1]).astype(np.float64), Generator.from_seed(3), SILENT
    )
    assert found.changing <= 3
