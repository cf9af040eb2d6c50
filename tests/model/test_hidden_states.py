"""RBMs of hidden states: all paths, the RBM without states, order of states, gaps, files."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts, ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.hidden_activity import hidden_in_context
from boltzbrain.sampling.enumeration import all_states, exact_log_partitions
from boltzbrain.sampling.rows.free_run import free_run
from helpers.contexts import BINS, NEURONS, model_of, pieces_of, states_of
from helpers.contexts import KINDS_TRIED as KINDS

BIN_S = 0.02


def exact(model: ContextualRBM) -> ContextualRBM:
    """Return a model with log Z of its states by enumeration."""
    states = model.contexts.states
    known = states.given_partitions(
        model.rbm, exact_log_partitions(model.rbm, states.rows(model.rbm))
    )
    return replace(model, contexts=model.contexts.with_states(known))


def model_with_states(kind: str, neurons: int = NEURONS, seed: int = 0) -> ContextualRBM:
    bare = model_of(kind, "past", neurons=neurons, seed=seed)
    return exact(replace(bare, contexts=Contexts((states_of(seed, neurons),), bare.contexts.foot)))


def all_paths(model: ContextualRBM, given: Sequences) -> np.ndarray:
    """Return log P(v_1..v_T, path) of a piece for every path, (path,), by enumeration."""
    states, chain = model.contexts.states, model.contexts.states.chain
    rbms = states.models(model.rbm)
    logs = exact_log_partitions(model.rbm, states.rows(model.rbm))
    visible = torch.from_numpy(given.states)
    emission = np.stack([(-one.free_energy(visible) - log).numpy()
                         for one, log in zip(rbms, logs, strict=True)])  # fmt: skip
    found = []
    for path in itertools.product(range(len(states)), repeat=len(given)):
        steps = [chain.transition[pair] for pair in itertools.pairwise(path)]
        law = np.log([chain.initial[path[0]], *steps]).sum()
        found.append(law + emission[list(path), range(len(path))].sum())
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_score_of_a_sequence_is_the_sum_over_all_paths(kind):
    model, piece = model_with_states(kind), pieces_of(0, pieces=1)
    states = model.contexts.states
    given = [Sequences(piece.states[:t], piece.label[:t], BIN_S) for t in range(1, 6)]
    joint = [all_paths(model, one) for one in given]
    given, found = given[-1], states.predictive(given[-1], model.rbm)
    total = [np.logaddexp.reduce(one) for one in joint]
    np.testing.assert_allclose(np.cumsum(found), total, atol=1e-9)
    weight = np.exp(joint[-1] - total[-1])
    paths = np.array(list(itertools.product(range(len(states)), repeat=5)))
    posterior = [[weight[paths[:, t] == s].sum() for s in range(len(states))] for t in range(5)]
    np.testing.assert_allclose(states.posterior(given, model.rbm), posterior, atol=1e-9)
    # what is expected of a bin has seen the earlier ones alone: it prices the bin as the score does
    ahead = states.expected(given, model.rbm)
    priced = np.log((ahead * np.exp(states.emission(given.states, model.rbm))).sum(axis=1))
    np.testing.assert_allclose(priced, found, atol=1e-9)
    score, held = states.filtered(given, model.rbm)
    np.testing.assert_allclose(score, found, atol=1e-9)
    for t, logs in enumerate(joint):
        last = np.array(list(itertools.product(range(len(states)), repeat=t + 1)))[:, -1]
        weight = np.exp(logs - total[t])
        so_far = [weight[last == state].sum() for state in range(len(states))]
        np.testing.assert_allclose(held[t], so_far, atol=1e-9)


def test_hidden_means_are_those_of_the_states_as_the_bins_so_far_tell_them():
    model, given = model_with_states("drelu"), pieces_of(2)
    states = model.contexts.states
    _, held = states.filtered(given, model.rbm)
    visible = torch.from_numpy(given.states)
    each = [one.mean_hidden(visible).numpy() for one in states.models(model.rbm)]
    wanted = np.einsum("bs,sbh->bh", held, np.stack(each))
    np.testing.assert_allclose(hidden_in_context(model, given), wanted, atol=1e-5)


def test_the_probabilities_of_all_sequences_sum_to_one():
    model = model_with_states("drelu", neurons=3)
    states = np.array(list(itertools.product((0, 1), repeat=9)), dtype=np.uint8)
    given = Sequences(states.reshape(-1, 3), np.arange(512).repeat(3), BIN_S)
    logs = model.contexts.states.predictive(given, model.rbm).reshape(-1, 3).sum(axis=1)
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_states_that_move_nothing_are_the_rbm(kind):
    model, given = model_with_states(kind), pieces_of(1)
    states = model.contexts.states
    still = states.moved({"visible": 0 * states.visible, "hidden": 0 * states.hidden})
    visible = torch.from_numpy(given.states)
    for one in still.models(model.rbm):
        assert torch.equal(one.free_energy(visible), model.rbm.free_energy(visible))
    rows = still.rows(model.rbm)
    assert len({float(one) for one in exact_log_partitions(model.rbm, rows)}) == 1
    log = float(exact_log_partitions(model.rbm, rows)[0])
    known = still.given_partitions(model.rbm, exact_log_partitions(model.rbm, rows))
    alone = (-model.rbm.free_energy(visible) - log).numpy()
    np.testing.assert_allclose(known.predictive(given, model.rbm), alone, atol=1e-9)


def test_states_in_another_order_are_the_same_model():
    model, given = model_with_states("bernoulli"), pieces_of(2)
    states, order = model.contexts.states, np.array([2, 0, 1])
    other = states.reordered(order)
    np.testing.assert_allclose(
        other.predictive(given, model.rbm), states.predictive(given, model.rbm), atol=1e-12
    )
    np.testing.assert_allclose(
        other.posterior(given, model.rbm), states.posterior(given, model.rbm)[:, order], atol=1e-12
    )
    torch.testing.assert_close(other.mean_row(model.rbm).hidden, states.mean_row(model.rbm).hidden)


def test_a_gap_does_not_couple():
    # each piece alone, and no bin of another piece tells anything
    model, given = model_with_states("bernoulli"), pieces_of(3)
    whole = model.contexts.states.predictive(given, model.rbm)
    for number in np.unique(given.label):
        mine = given.label == number
        alone = Sequences(given.states[mine], given.label[mine], BIN_S)
        found = model.contexts.states.predictive(alone, model.rbm)
        np.testing.assert_allclose(found, whole[mine], atol=1e-12)
    changed = given.states.copy()
    changed[BINS + 3] ^= 1
    after = model.contexts.states.predictive(Sequences(changed, given.label, BIN_S), model.rbm)
    differ = np.flatnonzero(~np.isclose(after, whole, atol=1e-12))
    assert differ.min() == BINS + 3
    assert differ.max() < 2 * BINS
    assert len(differ) > 1


@pytest.mark.parametrize("kind", ["ising", "drelu", "gaussian"])
def test_hidden_units_in_other_signs_have_the_same_states(kind):
    model, given, units = model_with_states(kind), pieces_of(4), torch.tensor([True, False])
    rbm = model.rbm
    turned = replace(
        rbm, hidden=rbm.hidden.flipped(units), weights=torch.where(units, -rbm.weights, rbm.weights)
    )
    contexts = model.contexts.flipped(units)
    np.testing.assert_allclose(
        contexts.states.predictive(given, turned),
        model.contexts.states.predictive(given, rbm),
        atol=1e-9,
    )


def test_a_model_file_keeps_the_states_bit_for_bit(tmp_path):
    model, given = model_with_states("drelu"), pieces_of(5)
    model.save(tmp_path / "model.h5")
    again = ContextualRBM.load(tmp_path / "model.h5")
    one, two = (each.contexts.states.predictive(given, each.rbm) for each in (model, again))
    assert np.array_equal(one, two)
    assert repr(again) == repr(model)


def test_a_free_run_has_the_law_of_the_states():
    # its states are drawn: how often a neuron is active in the first and in later bins is theirs
    model = model_with_states("bernoulli")
    states, pieces = model.contexts.states, 2000
    layout = Sequences(
        np.zeros((pieces * 4, NEURONS), dtype=np.uint8), np.arange(pieces).repeat(4), BIN_S
    )
    drawn = free_run(model.to(torch.float32), layout, Generator.from_seed(0, "free"), sweeps=20)
    every = all_states(model.rbm.visible)
    law = np.exp(states.emission(every.numpy(), model.rbm))
    share = states.chain.initial
    for place in range(4):
        means = share @ (law.T @ every.numpy())
        error = np.sqrt(means * (1 - means) / pieces)
        # of twenty means one lies beyond 4.5 errors by chance once in 7,000 times
        assert (np.abs(drawn.states[place::4].mean(axis=0) - means) / error).max() < 4.5
        share = share @ states.chain.transition
    # and bins of a piece tell each other's state: more likely together than apart
    assert (
        states.predictive(drawn, model.rbm).mean()
        > states.without_time(drawn.states, model.rbm).mean()
    )


def test_offsets_of_a_bin_whose_state_is_not_seen_are_refused():
    with pytest.raises(InputError, match="whose labels are seen"):
        model_with_states("bernoulli").offsets(pieces_of(0))
