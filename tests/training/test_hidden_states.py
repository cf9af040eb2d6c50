"""Training with hidden states: its gradient, the decisive plant, resuming, what it is refused."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics import adjusted_rand_score

import boltzbrain as bb
from boltzbrain.baselines.in_time.hmm import climb_from_blocks
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.sampling.enumeration import exact_log_partitions
from boltzbrain.training import train as training
from boltzbrain.training.context.annealed_states import anneal_states
from boltzbrain.training.context.fit import fit_contexts
from boltzbrain.training.context.seek import seek_states
from boltzbrain.training.context.state import mean_by_label
from boltzbrain.training.context.states import StatesState
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from boltzbrain.training.update.gradient import (
    log_likelihood_gradient,
    parameters_of,
    with_parameters,
)
from helpers.activities import activity_of
from helpers.contexts import model_of, pieces_of, states_of
from helpers.trained_in_context import (
    exact_chains,
    require_resumed_as_whole,
    slope,
    weighted_moments,
)

QUICK = {
    "hidden": 12, "updates": 400, "batch": 500, "sweeps": 2, "checkpoints": 2, "weight_std": 0.3,
    "learning_rate": 1.0, "chains": 200, "context": "states:2",
}  # fmt: skip
FAST = {"ais_rungs": 20, "ais_chains": 20}
NEURONS, SIZE, STAY, PIECE = 16, 4, 0.95, 100


def decisive(bins, seed=0):
    """Return activity of two laws of equal rates and different couplings, and which one it is.

    Assemblies of four neurons, on in 30% of the bins: neighbours in one law, every fourth neuron in
    the other.
    """
    rng = np.random.default_rng(seed)
    groups = np.stack([np.arange(NEURONS) // SIZE, np.arange(NEURONS) % SIZE])
    path = np.zeros(bins, dtype=int)
    for place in range(bins):
        begins = place % PIECE == 0
        change = rng.random() > STAY
        path[place] = rng.integers(2) if begins else abs(path[place - 1] - change)
    on = rng.random((bins, SIZE)) < 0.3
    odds = np.where(on[np.arange(bins)[:, None], groups[path]], 1.0, -2.5)
    states = (rng.random((bins, NEURONS)) < expit(odds)).astype(np.uint8)
    return activity_of(states, segment_bins=PIECE), path


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    """Return the decisive plant: activity, path and run."""
    activity, path = decisive(6000)
    return activity, path, train(activity, make_plan(**QUICK), tmp_path_factory.mktemp("p") / "run")


def test_states_of_equal_rates_and_different_couplings_are_found(plant):
    activity, path, run = plant
    test, true = Sequences.of_fold(activity, "test"), path[activity.bins_of("test")]
    model = run.in_context()
    states = model.contexts.states
    found = states.posterior(test, model.rbm).argmax(axis=1)
    # 0.62 to 0.88 in five seeds, 0.86 where the training starts, 0.89 by the laws themselves
    assert adjusted_rand_score(true, found) > 0.7
    # dwell times of 20 bins, of which a training fold has some hundred
    assert (np.abs(np.log(states.chain.dwell_bins() / 20)) < 0.7).all()
    gain = states.predictive(test, model.rbm) - states.without_time(test.states, model.rbm)
    assert gain.mean() > 5 * gain.std() / np.sqrt(len(gain))
    assert run.info["convergence"]["status"] == "converged"


def test_rates_alone_do_not_tell_those_states(plant):
    activity, path, _ = plant
    train_bins, test = (Sequences.of_fold(activity, fold) for fold in ("train", "test"))
    model, _, _ = climb_from_blocks(train_bins, 2, Generator.from_seed(0), starts=3)
    found = model.posterior(test).argmax(axis=1)
    assert abs(adjusted_rand_score(path[activity.bins_of("test")], found)) < 0.05


def test_one_state_is_one_law(plant, tmp_path):
    # the same training with one state has nothing of time
    activity, _, _ = plant
    run = train(
        activity, make_plan(**{**QUICK, "updates": 20, "context": "states:1"}), tmp_path / "r"
    )
    model, test = run.in_context(), Sequences.of_fold(activity, "test")
    states = model.contexts.states
    np.testing.assert_allclose(
        states.predictive(test, model.rbm), states.without_time(test.states, model.rbm), atol=1e-12
    )


def test_a_run_of_states_tells_its_score(plant):
    activity, _, run = plant
    row = run.log().set_index("update").loc[run.chosen_update]
    model, held = run.in_context().to(torch.float64), Sequences.of_fold(activity, "validation")
    states = model.contexts.states
    known = states.given_partitions(
        model.rbm, exact_log_partitions(model.rbm, states.rows(model.rbm))
    )
    exact = known.predictive(held, model.rbm).mean()
    # chains of 100 on 300 rungs, of two states: an error of log Z of about 0.02 nats
    assert row["validation_nats_per_bin"] == pytest.approx(exact, abs=0.1)
    assert states.predictive(held, model.rbm).mean() == pytest.approx(
        row["validation_nats_per_bin"], abs=1e-3
    )


@pytest.mark.parametrize("kind", ["bernoulli", "drelu", "gaussian"])
def test_the_gradient_is_that_of_the_enumerated_likelihood(kind):
    # given what all bins of a piece say of its states: of the likelihood itself, by Fisher's
    # identity, every bin as often in a state as its probability says
    bare, given = model_of(kind, "past"), pieces_of(0, pieces=2)
    rbm, contexts = bare.rbm, Contexts((states_of(0),), bare.contexts.foot)

    def likelihood(parameters, one=contexts):
        model = with_parameters(rbm, parameters)
        states = one.states
        logs = exact_log_partitions(model, states.rows(model))
        return states.given_partitions(model, logs).predictive(given, model).mean()

    states = contexts.states
    known = states.given_partitions(rbm, exact_log_partitions(rbm, states.rows(rbm)))
    posterior = torch.from_numpy(known.posterior(given, rbm))
    count, bins = len(states), len(given)
    # every bin in every state, weighted: what drawn states are in expectation
    label = torch.arange(count).repeat(bins)
    many = given.taking(np.arange(bins))
    many = Sequences(many.states.repeat(count, axis=0), np.arange(bins * count), 0.02)
    offsets = states.rows_of(label, rbm)
    weight = posterior.flatten() / bins
    chains, apart = exact_chains(rbm, many, offsets, weight)
    data = weighted_moments(rbm, torch.from_numpy(many.states).double(), offsets, weight)
    found = log_likelihood_gradient(rbm, data, chains, centred=False)
    start = parameters_of(rbm)
    for name, value in start.items():
        wanted = slope(value, lambda one, name=name: likelihood({**start, name: one}))
        assert float(found[name].reshape(-1)[1]) == pytest.approx(wanted, abs=2e-8), name
    for name in ("visible", "hidden"):
        mean = mean_by_label(posterior.flatten()[:, None] * apart[name], label, count)
        wanted = slope(
            getattr(states, name).double(),
            lambda one, name=name: likelihood(start, contexts.moved({f"states.{name}": one})),
        )
        assert float(mean[0, 1]) == pytest.approx(wanted, abs=2e-8), name


def test_log_z_of_states_is_that_of_enumeration():
    bare = model_of("bernoulli", "past").to(torch.float32)
    contexts = Contexts((states_of(1),), bare.contexts.foot)
    logs = anneal_states(bare.rbm, contexts, 400, 60, Generator.from_seed(0, "anneal"))
    exact = exact_log_partitions(bare.rbm, contexts.states.rows(bare.rbm))
    weights = (logs - exact[:, None]).exp()
    error = weights.std(dim=1) / np.sqrt(weights.shape[1])
    # of three estimates one lies beyond 4.5 errors by chance once in 50,000 times
    assert float(((weights.mean(dim=1) - 1).abs() / error).max()) < 4.5


def test_chains_of_states_are_held_against_bins_of_the_same_state():
    activity, _ = decisive(1000)
    plan = make_plan(**{**QUICK, "chains": 400, "batch": 300})
    state = StatesState(
        plan, Sequences.of_fold(activity, "train"), fit_contexts(activity, plan),
        torch.device("cpu"), None,
    )  # fmt: skip
    state.step()
    of_chain = state._against // 200
    assert torch.equal(of_chain, state._label)
    # every chain of a state as often as the others, but once
    counts = torch.bincount(state._against, minlength=400).reshape(2, 200)
    assert int((counts.max(dim=1).values - counts.min(dim=1).values).max()) <= 1


@pytest.mark.parametrize("options", [{}, {"optimizer": "adam", "l1": 0.001, "averaging": 0.0}])
def test_interrupted_training_ends_where_the_undisturbed_one_ends(tmp_path, monkeypatch, options):
    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.0)
    activity, _ = decisive(1500)
    plan = make_plan(
        **{**QUICK, "updates": 12, "batch": 200, "ais_rungs": 20, "ais_chains": 20, **options}
    )
    require_resumed_as_whole(activity, plan, tmp_path)


def test_a_start_is_sought_by_couplings_too():
    activity, path = decisive(4000, seed=1)
    given = Sequences.of_fold(activity, "train")
    chain, posterior = seek_states(given, 2, Generator.from_seed(0))
    found = adjusted_rand_score(path[activity.bins_of("train")], posterior.argmax(axis=1))
    assert found > 0.7
    assert posterior.mean(axis=0)[0] >= 0.5
    assert chain.transition.diagonal().min() > 0.85


def test_samples_of_a_run_of_states_switch_as_its_states_do(plant):
    run = plant[2]
    drawn = bb.sample(run, 3000, seed=1, progress=False)
    model = run.in_context()
    states = model.contexts.states
    given = Sequences(drawn.states, drawn.segment.astype(np.int64), drawn.bin_width_s)
    path = states.posterior(given, model.rbm).argmax(axis=1)
    inside = np.diff(given.label) == 0
    switches = (np.diff(path) != 0)[inside].mean()
    assert 0.5 / states.chain.dwell_bins().mean() < switches < 2 / states.chain.dwell_bins().mean()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (
            {"context": "states:3,past"},
            "context must be `states` alone, as each",
        ),
        ({"context": "states:many"}, "`states:K` with a whole number K"),
        ({"context": "past:3"}, "have a number after `states:` only"),
        ({"context": "states:0"}, "states must be a whole number, at least 1"),
        ({"context": "states:65"}, "at most 64"),
        ({"context": "states:3", "states": 4}, "states must be left out beside `states:3`"),
        ({"context": "states:3", "preset": "compositional"}, "must move no hidden fields"),
    ],
)
def test_a_plan_refuses_what_states_do_not_go_with(asked, words):
    with pytest.raises(InputError, match=words):
        make_plan(**asked)


def test_the_number_of_states_may_be_given_apart():
    assert make_plan(context="states", states=3) == make_plan(context="states:3")
    assert make_plan(context="states:3").context_told == "states:3"
