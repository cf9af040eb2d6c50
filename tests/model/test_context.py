"""RBMs with a context: normalised sequences, nothing over a gap, files, the RBM without one."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts, ContextualRBM
from boltzbrain.model.context.following import FollowingPast
from boltzbrain.model.context.from_past import FromThePast
from boltzbrain.model.context.labelled import OfEpoch, PlaceInTrial
from boltzbrain.model.context.past import Past
from boltzbrain.model.context.recurrent import FollowingAssemblies
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.hidden_activity import hidden_activity, hidden_in_context
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_log_partition
from helpers.contexts import BINS, NEURONS, context_of, model_of, pieces_of, predictive
from helpers.contexts import KINDS_TRIED as KINDS

CONTEXTS = ("past", "trial", "epoch", "assemblies", "past,trial,epoch")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("names", "bins"), [("past", 3), ("past,trial,epoch", 2), ("past,assemblies", 3)]
)
def test_the_probabilities_of_all_sequences_sum_to_one(kind, names, bins):
    # every sequence of bins of three neurons: a field of later bins in an offset would break it
    model = model_of(kind, names, neurons=3)
    states = np.array(list(itertools.product((0, 1), repeat=3 * bins)), dtype=np.uint8)
    label = np.arange(len(states)).repeat(bins)
    epoch = np.tile(np.arange(bins) > 0, len(states)).astype(np.int64)
    given = Sequences(states.reshape(-1, 3), label, 0.02, epoch=epoch)
    logs = predictive(model, given).reshape(-1, bins).sum(axis=1)
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("names", CONTEXTS)
def test_each_piece_has_the_offsets_that_it_has_alone(names):
    model, given = model_of("bernoulli", names), pieces_of(0)
    whole = model.offsets(given)
    for number in np.unique(given.label):
        mine = given.label == number
        epoch = None if given.epoch is None else given.epoch[mine]
        alone = Sequences(given.states[mine], given.label[mine], 0.02, epoch=epoch)
        for name in ("visible", "hidden"):
            one, two = getattr(whole, name), getattr(model.offsets(alone), name)
            assert (one is None) == (two is None)
            if one is not None:
                assert torch.equal(one[torch.from_numpy(mine)], two)


@pytest.mark.parametrize(("name", "layer"), [("past", "visible"), ("assemblies", "hidden")])
def test_the_past_is_that_of_the_piece_and_later_bins_have_no_part(name, layer):
    model, given = model_of("bernoulli", name), pieces_of(0)
    before = getattr(model.offsets(given), layer)
    changed = given.states.copy()
    changed[2 * BINS + 3] ^= 1
    after = Sequences(changed, given.label, 0.02, epoch=given.epoch)
    after = getattr(model.offsets(after), layer)
    differ = (before != after).any(dim=1).nonzero()[:, 0].tolist()
    # later bins of that piece, from the next on, and no other
    assert differ == list(range(2 * BINS + 4, 3 * BINS))


@pytest.mark.parametrize("kind", KINDS)
def test_a_context_of_nothing_is_the_rbm_bit_for_bit(kind):
    given = pieces_of(1)
    table = torch.zeros((BINS, NEURONS))
    rbm = model_of(kind, "past").rbm
    nothing = Contexts((PlaceInTrial(table, torch.ones(NEURONS)),), torch.zeros(NEURONS))
    offsets = ContextualRBM(rbm, nothing).offsets(given)
    states = torch.from_numpy(given.states)
    assert torch.equal(rbm.free_energy(states, offsets), rbm.free_energy(states))
    drawn = [
        rbm.sweep(states, Generator.from_seed(0, "sweeps"), 2, one)[0] for one in (None, offsets)
    ]
    assert torch.equal(*drawn)


def test_offsets_add_up():
    given = pieces_of(2)
    parts = [context_of(name, 4) for name in ("past", "trial", "epoch")]
    rbm = model_of("bernoulli", "past").rbm
    foot = torch.zeros(NEURONS)
    whole = Contexts(tuple(parts), foot).offsets(given, rbm)
    each = [Contexts((one,), foot).offsets(given, rbm) for one in parts]
    torch.testing.assert_close(whole.visible, sum(one.visible for one in each))
    torch.testing.assert_close(whole.hidden, each[1].hidden + each[2].hidden)


def test_a_bin_without_a_label_has_the_fields_of_the_model():
    trial = PlaceInTrial(torch.ones((2, 3)), torch.ones(3))
    epoch = OfEpoch(torch.ones((2, 3)), torch.ones(3), names=("a", "b"))
    rbm = model_of("bernoulli", "past", neurons=3).rbm
    given = Sequences(
        np.zeros((4, 3), dtype=np.uint8), np.zeros(4, dtype=np.int64), 0.02,
        in_segment=np.array([0, 1, 2, 7]), epoch=np.array([-1, 0, 1, -1]),
    )  # fmt: skip
    assert trial.offsets(given, rbm).visible[:, 0].tolist() == [1, 1, 0, 0]
    assert epoch.offsets(given, rbm).visible[:, 0].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("names", CONTEXTS)
def test_a_model_file_keeps_the_context_bit_for_bit(names, tmp_path):
    model, given = model_of("drelu", names), pieces_of(3)
    model.save(tmp_path / "model.h5")
    again = ContextualRBM.load(tmp_path / "model.h5")
    one, two = model.offsets(given), again.offsets(given)
    for name in ("visible", "hidden"):
        first, second = getattr(one, name), getattr(two, name)
        assert first is second or torch.equal(first, second)
    assert repr(again) == repr(model)
    assert again.contexts.names == tuple(names.split(","))


def test_a_model_with_a_context_is_not_read_as_one_without_nor_the_other_way(tmp_path):
    model = model_of("bernoulli", "past")
    model.save(tmp_path / "with.h5")
    with pytest.raises(InputError, match="without a context"):
        RBM.load(tmp_path / "with.h5")
    model.rbm.save(tmp_path / "without.h5")
    with pytest.raises(InputError, match="have a context"):
        ContextualRBM.load(tmp_path / "without.h5")


def test_the_law_of_a_bin_is_that_of_the_rbm_with_its_fields_moved():
    model, given = model_of("drelu", "past,epoch"), pieces_of(4)
    offsets = model.offsets(given)
    for place in (0, 5, 17):
        moved = model.rbm.with_fields_moved(offsets[place : place + 1])
        state = torch.from_numpy(given.states[place : place + 1])
        alone = -float(moved.free_energy(state)) - exact_log_partition(moved)
        assert predictive(model, given)[place] == pytest.approx(alone, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_assemblies_that_move_nothing_are_the_rbm_bit_for_bit(kind):
    given, rbm = pieces_of(5), model_of(kind, "past").rbm
    still = FollowingAssemblies(
        torch.zeros((2, 2)), torch.zeros(2), torch.full((2,), 0.7), torch.zeros((0, NEURONS))
    )
    offsets = Contexts((still,), torch.zeros(NEURONS)).offsets(given, rbm)
    assert offsets.visible is None
    states = torch.from_numpy(given.states)
    assert torch.equal(rbm.free_energy(states, offsets), rbm.free_energy(states))


@pytest.mark.parametrize("kind", ["ising", "drelu", "gaussian"])
def test_hidden_units_in_other_signs_follow_each_other_alike(kind):
    model, given = model_of(kind, "assemblies,epoch"), pieces_of(6)
    units = torch.tensor([True, False])
    rbm = model.rbm
    other = RBM(
        rbm.visible, rbm.hidden.flipped(units), torch.where(units, -rbm.weights, rbm.weights)
    )
    turned = ContextualRBM(other, model.contexts.flipped(units))
    # an epoch moves the hidden fields beside, which the filter does not know of: so it is apart
    alone = [replace(one, contexts=replace(one.contexts, parts=one.contexts.parts[:1]))
             for one in (model, turned)]  # fmt: skip
    np.testing.assert_allclose(*(predictive(one, given) for one in alone), atol=1e-9)


@pytest.mark.parametrize("names", ["past", "assemblies"])
def test_the_order_of_pieces_changes_nothing(names):
    model, given = model_of("drelu", names), pieces_of(8)
    order = np.random.default_rng(0).permutation(6)
    bins = (order[:, None] * BINS + np.arange(BINS)).ravel()
    other = Sequences(given.states[bins], given.label, 0.02)
    np.testing.assert_allclose(predictive(model, other), predictive(model, given)[bins], atol=1e-9)


def test_pieces_that_are_joined_differ_in_the_bins_that_hear_of_the_other():
    # of a past of one bin that is the first of the second piece alone; else those that come later
    stream = Generator.from_seed(0, "one bin of past")
    ones = torch.ones((1, NEURONS))
    law = FromThePast(
        Past(0.3 * ones, ones, torch.eye(NEURONS), (0.0,)), stream.normal((1, NEURONS))[0],
        stream.normal((1, NEURONS)), stream.normal((NEURONS, NEURONS)),
        torch.zeros((1, 1, NEURONS)),
    )  # fmt: skip
    bare, given = model_of("bernoulli", "assemblies"), pieces_of(9, pieces=2)
    one_bin = replace(bare, contexts=replace(bare.contexts, parts=(FollowingPast(law),)))
    for model, told in ((one_bin, [BINS]), (bare, range(BINS, 2 * BINS))):
        joined = Sequences(given.states, np.zeros(2 * BINS, dtype=np.int64), 0.02)
        change = predictive(model, joined) - predictive(model, given)
        assert np.flatnonzero(np.abs(change) > 1e-12).tolist() == list(told)
    # by what the model says of that bin with the past of the other piece
    joined = Sequences(given.states, np.zeros(2 * BINS, dtype=np.int64), 0.02)
    told = one_bin.offsets(joined)[BINS : BINS + 1]
    moved = one_bin.rbm.with_fields_moved(told)
    state = torch.from_numpy(given.states[BINS : BINS + 1])
    alone = -float(moved.free_energy(state)) - exact_log_partition(moved)
    assert predictive(one_bin, joined)[BINS] == pytest.approx(alone, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_assemblies_in_pieces_of_one_bin_are_an_rbm_without_a_context(kind):
    model, given = model_of(kind, "assemblies"), pieces_of(10)
    (context,) = model.contexts.parts
    apart = Sequences(given.states, np.arange(len(given)), 0.02)
    alone = model.rbm.with_fields_moved(model.offsets(apart)[:1])
    states = torch.from_numpy(given.states)
    wanted = -alone.free_energy(states).numpy() - exact_log_partition(alone)
    np.testing.assert_allclose(predictive(model, apart), wanted, atol=1e-9)
    moved = alone.hidden.shifted(-context.first.double()).parameters()
    for name, value in model.rbm.hidden.parameters().items():
        torch.testing.assert_close(moved[name], value)


@pytest.mark.parametrize("names", ["past", "past,assemblies", "trial,epoch"])
def test_hidden_means_are_those_under_the_fields_of_the_bin(names):
    model, given = model_of("drelu", names), pieces_of(11)
    wanted = model.rbm.mean_hidden(torch.from_numpy(given.states), model.offsets(given))
    found = hidden_in_context(model, given)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    alone = hidden_activity(model.rbm, given.states)
    # the past moves the neurons, and given these says nothing of the hidden units
    assert (names == "past") == np.array_equal(found, alone)


@pytest.mark.parametrize("kind", ["ising", "drelu", "gaussian", "bernoulli"])
def test_hidden_units_of_positive_weights_have_means_of_their_sign(kind):
    model, given = model_of(kind, "assemblies"), pieces_of(12)
    down = torch.where(torch.tensor([True, False]), -1.0, 1.0)
    weights = model.rbm.weights * model.rbm.weights.sum(dim=0).sign() * down
    model = replace(model, rbm=replace(model.rbm, weights=weights))
    turned = model.in_sign_gauge()
    sign = np.ones(2) if kind == "bernoulli" else np.array([-1.0, 1.0])
    found, before = (hidden_in_context(one, given) for one in (turned, model))
    np.testing.assert_allclose(found, sign * before, atol=1e-5)
    np.testing.assert_allclose(predictive(turned, given), predictive(model, given), atol=1e-9)


def test_what_an_rbm_has_is_not_there_and_where_it_is_is_said():
    model = model_of("bernoulli", "past")
    for name in ("weights", "free_energy", "sample"):
        with pytest.raises(AttributeError, match=f"{name}.*at_mean_context"):
            getattr(model, name)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = model.nothing
