"""Models with time: exact against enumeration, and nothing passes the edge of a piece."""

import itertools

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp

from boltzbrain.baselines.in_time.by_state.regression import StateRegression
from boltzbrain.baselines.in_time.changes import changing_couplings
from boltzbrain.baselines.in_time.history import fit_at, fit_history, history_of
from boltzbrain.baselines.in_time.hmm import climb_from_blocks, fit_hmm, reordered
from boltzbrain.baselines.in_time.hmm_glm import fit_hmm_glm, fit_states
from boltzbrain.baselines.in_time.model import generate
from boltzbrain.baselines.in_time.regression import PastRegression, Penalties
from boltzbrain.baselines.in_time.signs import fit_hmm_signs
from boltzbrain.baselines.in_time.states import describe_states, group_neurons
from boltzbrain.baselines.protocol import Unfitted
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Chain, filtered, smoothed
from boltzbrain.model.context.past import raw_traces
from boltzbrain.model.context.sequences import Sequences

WIDTH = 0.02


def random_chain(rng, states):
    initial, transition = rng.dirichlet(np.ones(states)), rng.dirichlet(np.ones(states), states)
    return Chain(initial, transition)


def all_paths(chain, emission):
    """Return log P of one piece, its posteriors and expected steps, by all paths of states."""
    bins, states = emission.shape
    total, posterior = [], []
    steps = np.zeros((states, states))
    for path in itertools.product(range(states), repeat=bins):
        value = np.log(chain.initial[path[0]])
        value += sum(np.log(chain.transition[one, two]) for one, two in itertools.pairwise(path))
        total.append(value + sum(emission[place, state] for place, state in enumerate(path)))
        posterior.append(np.eye(states)[list(path)])
    log_total = logsumexp(total)
    weights = np.exp(np.array(total) - log_total)
    for weight, path in zip(weights, itertools.product(range(states), repeat=bins), strict=True):
        for one, two in itertools.pairwise(path):
            steps[one, two] += weight
    return log_total, np.tensordot(weights, posterior, axes=1), steps


@pytest.mark.parametrize("spread", [1.0, 3000.0])
@pytest.mark.parametrize("states", [1, 2, 3])
def test_forward_and_backward_are_sums_over_all_paths(states, spread):
    # a spread of thousands of nats: hundreds of neurons leave no other state a chance for a while
    rng = np.random.default_rng(states)
    chain = random_chain(rng, states)
    emission = rng.normal(size=(11, states)) * spread
    edges = np.array([0, 6, 7, 11])
    found = smoothed(chain, emission, edges)
    steps = np.zeros((states, states))
    for first, last in itertools.pairwise(edges):
        total, posterior, each = all_paths(chain, emission[first:last])
        assert found.score[first:last].sum() == pytest.approx(total, rel=1e-12)
        np.testing.assert_allclose(found.posterior[first:last], posterior, atol=1e-9)
        steps += each
        # filtered: the piece up to a bin says what its posterior at its last bin does
        for place in range(first, last):
            total, posterior, _ = all_paths(chain, emission[first : place + 1])
            log_filtered = filtered(chain, emission, edges)[1]
            np.testing.assert_allclose(np.exp(log_filtered[place]), posterior[-1], atol=1e-9)
    np.testing.assert_allclose(found.transitions, steps, atol=1e-9)


def test_a_state_that_was_all_but_impossible_comes_back():
    # states that never change: only the last bin, by 5000 nats, speaks for the second
    chain = Chain(np.array([0.5, 0.5]), np.eye(2))
    emission = np.array([[0.0, -2000.0], [0.0, -2000.0], [-5000.0, 0.0]])
    found = smoothed(chain, emission, np.array([0, 3]))
    assert found.score.sum() == pytest.approx(np.log(0.5) - 4000.0)
    np.testing.assert_allclose(found.posterior, [[0, 1]] * 3, atol=1e-12)


def planted(seed, bins=3000, neurons=8, piece=40):
    """Return pieces of neurons that follow a state of two and the neuron before them."""
    rng = np.random.default_rng(seed)
    states = np.zeros((bins, neurons), dtype=np.uint8)
    state = 0
    for place in range(bins):
        begins = place % piece == 0
        state = rng.integers(2) if begins else state ^ (rng.random() < 0.03)
        odds = np.full(neurons, -2.5) + 3.0 * state * (np.arange(neurons) < neurons // 2)
        if not begins:
            odds = odds + 2.0 * np.roll(states[place - 1], 1)
        states[place] = rng.random(neurons) < expit(odds)
    return Sequences(states, np.arange(bins) // piece, WIDTH)


@pytest.fixture(scope="module")
def folds():
    return [planted(seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def models(folds):
    train, validation, _ = folds
    generator = Generator.from_seed(0, "in time")
    return {
        "hmm": fit_hmm(train, validation, generator, states=(1, 2, 3), starts=3),
        "history": fit_history(train, validation, generator, penalties=(30.0, 10.0)),
        "hmmglm": fit_hmm_glm(train, validation, generator, states=(1, 2), starts=3),
        "hmmsigns": fit_hmm_signs(
            train, validation, generator, states=(1, 2), starts=3, penalties=(10.0, 3.0), rounds=3
        ),
    }


NAMES = ("hmm", "history", "hmmglm", "hmmsigns")


def all_states(neurons):
    number = np.arange(1 << neurons)[:, None]
    return ((number >> np.arange(neurons)) & 1).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_of_all_next_patterns_sum_to_one(models, folds, name):
    model, past = models[name], folds[2].states
    patterns = all_states(past.shape[1])
    for length in (0, 1, 5):
        before = np.broadcast_to(past[:length], (len(patterns), length, past.shape[1]))
        states = np.concatenate((before, patterns[:, None]), axis=1)
        label = np.repeat(np.arange(len(patterns)), length + 1)
        given = Sequences(states.reshape(-1, past.shape[1]), label, WIDTH)
        scores = model.predictive(given).reshape(len(patterns), -1)
        assert np.exp(scores[:, -1]).sum() == pytest.approx(1.0, abs=1e-5)
    assert np.exp(model.log_likelihood(patterns)).sum() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_passes_the_edge_of_a_piece_and_none_looks_ahead(models, folds, name):
    model, given = models[name], folds[2]
    scores = model.predictive(given)
    bins = np.arange(40)
    alone = Sequences(given.states[bins], given.label[bins], WIDTH)
    np.testing.assert_allclose(model.predictive(alone), scores[bins], rtol=1e-5, atol=1e-5)
    # other pieces first, and another future
    order = np.concatenate((np.arange(40, 120), bins))
    turned = Sequences(given.states[order], given.label[order], WIDTH)
    np.testing.assert_allclose(model.predictive(turned)[80:], scores[bins], rtol=1e-5, atol=1e-5)
    ahead = given.states[bins].copy()
    ahead[20:] ^= 1
    cut = model.predictive(Sequences(ahead, given.label[bins], WIDTH))
    np.testing.assert_allclose(cut[:20], scores[:20], rtol=1e-5, atol=1e-5)
    # without the edge it is another score
    joined = Sequences(given.states[:80], np.zeros(80, dtype=np.int64), WIDTH)
    assert np.abs(model.predictive(joined)[40:42] - scores[40:42]).max() > 1e-3


def test_the_order_of_neurons_and_the_names_of_states_change_nothing(models, folds):
    train, validation, test = folds
    model = models["hmm"]
    order = np.arange(len(model.chain))[::-1].copy()
    other = reordered(model, order)
    np.testing.assert_allclose(other.predictive(test), model.predictive(test), rtol=1e-12)
    np.testing.assert_allclose(other.posterior(test)[:, order], model.posterior(test), atol=1e-12)
    turned = [Sequences(one.states[:, ::-1].copy(), one.label, WIDTH) for one in folds]
    again = fit_history(*turned[:2], Generator.from_seed(0), penalties=(30.0, 10.0))
    wanted = models["history"].predictive(test)
    np.testing.assert_allclose(again.predictive(turned[2]), wanted, atol=2e-2)
    fresh = climb_from_blocks(train, 2, Generator.from_seed(1), starts=2)[0]
    back = Sequences(train.states[:, ::-1].copy(), train.label, WIDTH)
    flipped = climb_from_blocks(back, 2, Generator.from_seed(1), starts=2)[0]
    np.testing.assert_allclose(
        flipped.predictive(turned[1]), fresh.predictive(validation), atol=1e-6
    )


def test_the_penalised_likelihood_never_falls(folds):
    train = folds[0]
    _, course, _ = climb_from_blocks(train, 3, Generator.from_seed(2), starts=2)
    assert len(course) > 3
    assert np.diff(course).min() > -1e-6
    regression = PastRegression(train, 16)
    hidden = climb_from_blocks(train, 2, Generator.from_seed(2), starts=2)[0]
    begin = regression.with_states(regression.start(), hidden.fields, "all")
    _, _, course = fit_states(
        regression, train, hidden.chain, begin, Penalties(10.0, 30.0), rounds=6
    )
    assert len(course) > 2
    # single precision inside, 4000 bins of 8 neurons: a thousandth of a nat in all
    assert np.diff(course).min() > -1e-2


def test_one_state_is_the_regression_on_the_past(folds):
    """The regression has the slope and the score of the plain formula, and one state adds none."""
    train, validation, _ = folds
    regression = PastRegression(train, 16)
    point = fit_at(regression, 10.0, iterations=200)
    model = history_of(regression, point, train)
    # plain: log-odds from couplings in units of the traces, every bin and neuron by itself
    traces = raw_traces(validation).numpy().astype(float)
    law = model.from_past
    scaled = (traces - law.past.mean.numpy()) / law.past.spread.numpy()
    scaled[validation.begins] = 0.0
    full = law.past.couplings(law.weights).numpy()
    odds = model.fields[0].numpy() + np.einsum("tkm,kmn->tn", scaled, full)
    odds += np.einsum("tkn,kn->tn", scaled, law.own.numpy())
    odds += validation.begins[:, None] * law.first.numpy()
    plain = (validation.states * odds - np.logaddexp(0, odds)).sum(axis=1)
    np.testing.assert_allclose(model.predictive(validation), plain, atol=1e-4)
    begin = regression.with_states(point, point.fields, "all")
    one, _, _ = fit_states(
        regression, train, Chain(np.ones(1), np.ones((1, 1))), begin, Penalties(10.0, 1e6), rounds=2
    )
    np.testing.assert_allclose(one.predictive(validation), plain, atol=1e-2)


def test_the_slope_is_that_of_the_penalised_likelihood(folds):
    train = folds[0]
    part = Sequences(train.states[:200], train.label[:200], WIDTH)
    given, rng = PastRegression(part, 16), np.random.default_rng(0)
    fields = torch.from_numpy(rng.normal(size=(2, 8)) - 2)
    posterior = rng.dirichlet(np.ones(2), 200)
    for kind in ("none", "own", "all"):
        point = given.with_states(given.start(), fields, kind)
        rows = torch.from_numpy(rng.normal(size=(sum(map(len, point.parts())), 8)) * 0.1)
        regression = StateRegression(given, point, Penalties(3.0, 5.0))
        held = regression._held(posterior)
        slope = torch.cat(regression._loss(point.of(rows), held)[1].parts())
        for row in rng.choice(len(rows), 8, replace=False):
            step = torch.zeros_like(rows)
            step[row, 3] = 0.05
            ahead, behind = (
                regression._loss(point.of(at), held)[0] for at in (rows + step, rows - step)
            )
            found = (ahead - behind) / 0.1
            assert float(found[3]) == pytest.approx(float(slope[row, 3]), rel=2e-2, abs=2e-2)
            # neurons are independent: no other has changed
            assert float(found.abs().sum() - found[3].abs()) < 1e-9


def test_the_loss_is_that_of_the_weighted_score_and_bins_of_no_weight_cost_none(folds):
    """Emission and loss are two loops over the bins; they agree, whatever is left out."""
    train, rng = folds[0], np.random.default_rng(1)
    given = PastRegression(train, 16)
    fields = torch.from_numpy(rng.normal(size=(3, 8)) - 2)
    posterior = rng.dirichlet(np.full(3, 0.02), len(train))
    for kind in ("none", "all"):
        shape = given.with_states(given.start(), fields, kind)
        rows = torch.from_numpy(rng.normal(size=(sum(map(len, shape.parts())), 8)) * 0.1)
        regression = StateRegression(given, shape.of(rows), Penalties(3.0, 5.0))
        held = regression._held(posterior)
        kept = sum(len(state.bins) for part in held for state in part)
        assert kept < 0.7 * posterior.size
        loss = float(regression._loss(regression.point, held)[0].sum())
        plain = -(posterior * regression.emission()).sum() - regression.log_prior()
        assert loss == pytest.approx(plain, rel=1e-6)


def test_each_model_finds_what_was_planted_and_both_together_most(models, folds):
    test = folds[2]
    rate = np.clip(folds[0].states.mean(axis=0), 1e-3, None)
    base = (test.states * np.log(rate) + (1 - test.states) * np.log(1 - rate)).sum(axis=1)
    gains = {name: (model.predictive(test) - base).mean() for name, model in models.items()}
    assert gains["hmm"] > 0.05
    assert gains["history"] > 0.1
    assert gains["hmmglm"] > max(gains["hmm"], gains["history"]) + 0.01
    # the planted source of every neuron is its strongest
    couplings = models["history"].from_past.couplings()[0].numpy()
    np.testing.assert_array_equal(np.abs(couplings).argmax(axis=0), (np.arange(8) - 1) % 8)
    assert models["hmmglm"].fit.chosen["states"] == 2


def test_generated_pieces_are_scored_as_they_were_drawn(models):
    model = models["hmmglm"]
    drawn = generate(model, 400, 30, Generator.from_seed(4))
    first, second = drawn.states[:6000], drawn.states[6000:]
    assert np.abs(first.mean(axis=0) - second.mean(axis=0)).max() < 0.05
    again = generate(model, 400, 30, Generator.from_seed(4))
    np.testing.assert_array_equal(again.states, drawn.states)
    # what a model draws it predicts better than what another process gives
    shuffled = drawn.taking(np.random.default_rng(0).permutation(len(drawn)))
    assert model.predictive(drawn).mean() > model.predictive(shuffled).mean() + 0.1
    # entropy: the mean of -log P over bins drawn in two ways agrees
    halves = [model.predictive(drawn)[:6000].mean(), model.predictive(drawn)[6000:].mean()]
    assert halves[0] == pytest.approx(halves[1], abs=0.1)


def test_pieces_that_come_back_are_refused():
    with pytest.raises(InputError, match="segment must hold every number in one unbroken stretch"):
        Sequences(np.zeros((3, 2), dtype=np.uint8), np.array([0, 1, 0]), WIDTH)


def test_couplings_have_one_sign_in_all_states_and_none_where_nothing_was_planted(models):
    """Every neuron excites the next; one that inhibits it, planted beside, is found as such."""
    couplings = models["hmmsigns"].from_past.changes().sum(dim=1).numpy()
    assert couplings.shape[1:] == (8, 8)
    # (state, source, target): no pair of both signs
    assert not ((couplings > 1e-6).any(axis=0) & (couplings < -1e-6).any(axis=0)).any()
    strongest = np.abs(couplings).sum(axis=0)
    np.testing.assert_array_equal(strongest.argmax(axis=0), (np.arange(8) - 1) % 8)
    assert all(couplings[:, (one - 1) % 8, one].max() > 0.1 for one in range(8))
    # most pairs are of no coupling
    assert (strongest < 1e-6).mean() > 0.3
    silent = np.zeros((6, 201), dtype=np.uint8)
    many = Sequences(silent, np.zeros(6, dtype=np.int64), WIDTH)
    found = fit_hmm_signs(many, many, Generator.from_seed(0))
    assert isinstance(found, Unfitted)
    assert found.reason.endswith("for at most 200 neurons; there are 201")


def test_states_are_described_as_they_were_planted(models, folds):
    told = describe_states(models["hmm"], folds[2])
    assert told["number"] == len(told["occupancy"]) >= 2
    assert sum(told["occupancy"]) == pytest.approx(1.0)
    assert sum(told["occupancy_test"]) == pytest.approx(1.0)
    # pieces of 40 bins of 20 ms: no stay is longer
    assert all(0.02 - 1e-9 <= one <= 0.8 + 1e-9 for one in told["dwell_seen_s"] if one is not None)


def profiles(rng, groups, states=4, each=20, bins=2000.0):
    """Return expected counts of groups of neurons, each with a profile over states of its own."""
    theta = rng.normal(size=(groups, states)) * 1.2
    label = np.repeat(np.arange(groups), each)
    beta, gamma = rng.normal(-2.5, 0.4, len(label)), rng.uniform(0.6, 1.2, len(label))
    rate = expit(beta + gamma * theta[label].T)
    held = np.full(states, bins / states)
    return rng.binomial(held.astype(int)[:, None], rate).astype(float), held, label


def agreement(one, two):
    from sklearn.metrics import adjusted_rand_score

    return adjusted_rand_score(one, two)


def test_groups_of_neurons_are_found_and_none_where_there_is_one():
    rng = np.random.default_rng(3)
    active, bins, label = profiles(rng, 3)
    found = group_neurons(active, bins, Generator.from_seed(0))
    assert len(found.profile) == 3
    assert agreement(found.label, label) >= 0.95
    assert len(found.bic) >= 3
    active, bins, _ = profiles(rng, 1, each=60)
    assert len(group_neurons(active, bins, Generator.from_seed(0)).profile) == 1


def test_changes_of_couplings_stand_out_only_where_they_were_planted(folds):
    """In the second state every neuron drives the one before it, not the one after."""
    rng = np.random.default_rng(5)
    states, path = np.zeros((6000, 8), dtype=np.uint8), np.zeros(6000, dtype=int)
    for place in range(1, 6000):
        path[place] = path[place - 1] ^ (rng.random() < 0.02)
        level = -2.5 + 1.2 * path[place]
        before = np.roll(states[place - 1], -1 if path[place] else 1)
        states[place] = rng.random(8) < expit(level + 2.0 * before)
    label = np.arange(6000) // 100
    whole = Sequences(states, label, WIDTH)
    model = fit_hmm_glm(
        whole, whole, Generator.from_seed(0), states=(2,), changes=(30.0,), starts=3
    )
    told = changing_couplings(model, whole, Generator.from_seed(1))
    assert told["pairs"] == 56
    assert told["changing"] >= 12
    # the first state's data alone: nothing changes, and few pairs pass for it
    steady = Sequences(folds[0].states, folds[0].label, WIDTH)
    model = fit_hmm_glm(
        steady, steady, Generator.from_seed(0), states=(2,), changes=(30.0,), starts=3
    )
    told = changing_couplings(model, steady, Generator.from_seed(1))
    assert told is None or told["changing"] <= 6
