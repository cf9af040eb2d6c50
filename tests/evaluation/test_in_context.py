"""A model with a context evaluated: scores of bins given their past, and activity in time."""

import dataclasses

import numpy as np
import pytest
import torch

from boltzbrain.evaluation.in_context.free_running import covariances_at, free_run_agreement
from boltzbrain.evaluation.in_context.predict import (
    predicted,
    predictive_in_context,
    samples_given_context,
)
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.sampling.enumeration import (
    all_states,
    exact_log_partition,
    exact_log_partitions,
)
from boltzbrain.sampling.rows.free_run import free_run, no_longer
from helpers.activities import activity_of
from helpers.contexts import BINS, NEURONS, model_of, pieces_of, predictive

PIECES = 400


def drawn_from(model, pieces=PIECES, seed=0):
    """Return activity of a model, in pieces; chains long enough to forget where they begin."""
    layout = pieces_of(seed, pieces=pieces)
    generator = Generator.from_seed(seed, "free")
    made = free_run(model.to(torch.float32), layout, generator, sweeps=20)
    activity = activity_of(made.states, segment_bins=BINS)
    epoch = layout.epoch.astype(np.int32)
    return dataclasses.replace(activity, epoch=epoch, epoch_names=("rest", "task"))


@pytest.fixture(scope="module")
def model():
    return model_of("bernoulli", "past,epoch")


@pytest.fixture(scope="module")
def activity(model):
    return drawn_from(model)


@pytest.mark.parametrize("names", ["past,epoch", "assemblies"])
def test_a_free_run_has_the_law_of_the_model(names):
    # bin by bin a score less what its law expects of it is a martingale difference
    model = model_of("bernoulli", names)
    test = Sequences.of_fold(drawn_from(model, pieces=250), "train")
    scores = predictive(model, test)
    offsets = model.offsets(test)
    every = all_states(model.rbm.visible)
    logs = exact_log_partitions(model.rbm, offsets)
    table = torch.stack(
        [-model.rbm.free_energy(state.expand(len(test), -1), offsets) - logs for state in every],
        dim=1,
    )
    expected = (table.exp() * table).sum(dim=1).numpy()
    spread = ((table.exp() * table**2).sum(dim=1).numpy() - expected**2).mean()
    apart = (scores - expected).mean() / np.sqrt(spread / len(test))
    # beyond four errors by chance once in 15,000 times
    assert abs(apart) < 4
    means = (table.exp() @ every.double()).numpy()
    error = np.sqrt((means * (1 - means)).sum(axis=0)) / len(test)
    assert (np.abs(test.states.mean(axis=0) - means.mean(axis=0)) / error).max() < 4.5


def test_without_weights_a_free_run_has_no_memory_of_a_chain(model):
    # independent neurons without a past: any correlation of bins would come from the chains
    trial = model_of("bernoulli", "trial")
    rbm = dataclasses.replace(trial.rbm, weights=0 * trial.rbm.weights)
    states = drawn_from(ContextualRBM(rbm, trial.contexts), seed=1).states.reshape(
        -1, BINS, NEURONS
    )
    centred = states - states.mean(axis=0)
    lagged = (centred[:, 1:] * centred[:, :-1]).mean(axis=(0, 1))
    spread = centred.var(axis=(0, 1)) / np.sqrt(PIECES * (BINS - 1))
    assert (np.abs(lagged) / spread).max() < 4.5


def test_the_score_of_a_bin_is_exact_where_it_can_be(model, activity):
    single = model.to(torch.float32)
    found = predicted(single, activity, 0)
    exact = predictive(model, Sequences.of_fold(activity, "test"))
    np.testing.assert_allclose(found.scores, exact, atol=1e-4)
    assert found.partitions.method == "exact"


def test_time_and_the_weights_tell_what_they_tell(model, activity):
    single = model.to(torch.float32)
    alone = single.at_mean(activity)
    pair = alone, exact_log_partition(alone)
    told = predictive_in_context(
        predicted(single, activity, 0), activity, pair, Undefined("no other run")
    )
    assert told["uses_time"] is True
    gain, time = told["gain"], told["over_itself_without_time"]
    # the model made the activity: it and its past both tell more than 5 errors
    assert gain["value"] > 5 * gain["stderr"]
    assert time["value"] > 5 * time["stderr"]
    assert isinstance(told["over_run"]["value"], Undefined)
    again = predictive_in_context(predicted(single, activity, 0), activity, pair, pair)
    assert again["over_run"] == time


def test_samples_given_the_context_have_the_law_of_their_bin(model, activity):
    samples = samples_given_context(model.to(torch.float32), activity, 0)
    train = Sequences.of_fold(activity, "train")
    offsets, every = model.offsets(train), all_states(model.rbm.visible)
    logs = exact_log_partitions(model.rbm, offsets)
    table = torch.stack(
        [-model.rbm.free_energy(one.expand(len(train), -1), offsets) - logs for one in every], dim=1
    )
    means = (table.exp() @ every.double()).numpy()
    error = np.sqrt((means * (1 - means)).sum(axis=0)) / len(train)

    def worst(told):
        # bins that follow their own means covary with them as the means do with each other
        centred = told - told.mean(axis=0)
        apart = (centred * (samples.states - told)).mean(axis=0)
        return (np.abs(apart) / (centred.std(axis=0) * error)).max()

    assert (np.abs((samples.states - means).mean(axis=0)) / error).max() < 4.5
    assert worst(means) < 4.5
    # the means of other bins do not tell them
    assert worst(np.roll(means, 3, axis=0)) > 10


def test_covariances_between_bins_stay_within_pieces():
    rng = np.random.default_rng(0)
    states = (rng.random((60, 4)) < 0.4).astype(np.uint8)
    label = np.repeat(np.arange(6), 10)
    for lag in (0, 2):
        pieces = states.reshape(6, 10, 4).astype(float)
        first, later = pieces[:, : 10 - lag].reshape(-1, 4), pieces[:, lag:].reshape(-1, 4)
        wanted = (first - first.mean(axis=0)).T @ (later - later.mean(axis=0)) / len(first)
        found = covariances_at(Sequences(states, label, 0.02), lag)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        np.testing.assert_allclose(
            covariances_at(Sequences(states, label, 0.02), lag, every=2), wanted[::2, ::2]
        )


def test_a_model_generates_the_covariances_of_what_it_made(model, activity):
    told = free_run_agreement(model.to(torch.float32), activity, 0)["covariances"]
    assert set(told) == {str(lag) for lag in (0, 1, 2, 4, 8) if lag < BINS}
    assert told["0"]["pearson"] > 0.8
    assert told["1"]["pearson"] > 0.5 * told["1"]["ceiling"] > 0
    silent = dataclasses.replace(model.rbm, weights=0 * model.rbm.weights)
    trial = model_of("bernoulli", "trial")
    alone = ContextualRBM(silent, trial.contexts).to(torch.float32)
    assert free_run_agreement(alone, activity, 0)["covariances"]["1"]["pearson"] < 0.5


def test_a_long_piece_is_generated_in_several():
    layout = Sequences(np.zeros((7, 2), dtype=np.uint8), np.array([0] * 5 + [1] * 2), 0.02)
    assert no_longer(layout, 2).label.tolist() == [0, 0, 1, 1, 2, 3, 3]
