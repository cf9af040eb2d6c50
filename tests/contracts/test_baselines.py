"""Every baseline through one suite: it gives what it says it gives, and nothing else."""

import numpy as np
import pytest
import torch

from boltzbrain.baselines.choose import FITS, fit_baseline
from boltzbrain.baselines.protocol import SCORES
from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.synthetic import simulate_assemblies

NEURONS, NAMES = 10, sorted(FITS)
QUICK = {
    "ising": {"penalties": (30.0, 10.0), "factors": (1.0, 0.5), "chains": 400, "updates": 40,
              "rungs": 100},
    "kpairwise": {"penalties": (30.0,), "factors": (1.0, 0.5), "chains": 400, "updates": 40,
                  "rungs": 100},
    "pca": {"latents": (1, 2, 3)},
    "vae": {"latents": (4,), "penalties": (0.0003, 0.003), "trial_updates": 50, "updates": 500},
}  # fmt: skip


@pytest.fixture(scope="module")
def folds():
    """Two assemblies of ten neurons: train, validation and test bins."""
    truth = simulate_assemblies(
        Generator.from_seed(3, "baselines"), neurons=NEURONS, assemblies=2, bins=4000, sizes=(4, 4),
        on_fraction=(0.25, 0.25), firing=0.8, background=0.1, overlap=0.0, background_spread=0.3,
    )  # fmt: skip
    return truth.states[:2500], truth.states[2500:3200], truth.states[3200:]


def fitted(name, folds, seed=0):
    train, validation, _ = folds
    return fit_baseline(
        name, train, validation, Generator.from_seed(seed, name), **QUICK.get(name, {})
    )


@pytest.fixture(scope="module")
def baselines(folds):
    return {name: fitted(name, folds) for name in NAMES}


def asked(baseline, score, states, generator):
    """Ask for a score by its name, and return it as one array."""
    method = getattr(baseline, score)
    if score == "samples":
        return method(50, generator)
    if score == "bound":
        return np.stack(method(states, generator))
    if score in ("couplings", "assemblies"):
        return np.asarray(method())
    return method(states)


def all_states(neurons):
    number = np.arange(1 << neurons)[:, None]
    return ((number >> np.arange(neurons)) & 1).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_what_it_says_and_refuses_the_rest_by_name(baselines, folds, name):
    baseline, test = baselines[name], folds[2]
    assert baseline.name == name
    assert baseline.gives
    assert baseline.gives <= set(SCORES)
    shapes = {
        "log_likelihood": (len(test),), "bound": (2, len(test)),
        "conditional": test.shape, "reconstruction": test.shape, "samples": (50, NEURONS),
        "couplings": (NEURONS, NEURONS),
    }  # fmt: skip
    for score in SCORES:
        generator = Generator.from_seed(1)
        if score not in baseline.gives:
            with pytest.raises(InputError, match=f"baseline {name} must be one that gives {score}"):
                asked(baseline, score, test, generator)
            continue
        found = asked(baseline, score, test, generator)
        assert np.isfinite(found).all()
        if score == "assemblies":
            assert found.shape[0] == NEURONS
        else:
            assert found.shape == shapes[score]
        if score == "samples":
            assert found.dtype == np.uint8
            assert set(np.unique(found)) <= {0, 1}
        if score == "couplings":
            np.testing.assert_allclose(found, found.T, atol=1e-6)
            assert not np.diag(found).any()


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_how_it_was_fitted(baselines, name):
    told = baselines[name].fit.describe()
    assert told["optimiser"]
    assert told["seconds"] >= 0
    if name != "independent":
        assert told["updates"] > 0
        assert told["chosen"]
        assert len(told["grid"]) > 1
        assert all(np.isfinite(row["score"]) for row in told["grid"])
        assert told["judged_by"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "independent"])
def test_a_neuron_is_predicted_from_the_others_alone_and_better_than_by_its_rate(
    baselines, folds, name
):
    baseline, test = baselines[name], folds[2][:300]
    odds = baseline.conditional(test)
    for neuron in (0, NEURONS - 1):
        turned = test.copy()
        turned[:, neuron] ^= 1
        other = baseline.conditional(turned)
        np.testing.assert_allclose(other[:, neuron], odds[:, neuron], atol=2e-4)
        # the others do see it
        assert np.abs(np.delete(other - odds, neuron, axis=1)).max() > 1e-3

    def score(values):
        return float(np.mean(test * values - np.logaddexp(0, values)))

    rate = baselines["independent"].conditional(test)
    assert score(odds) > score(rate) + 0.01


@pytest.mark.parametrize("name", ["independent", "ising", "kpairwise"])
def test_probabilities_of_all_patterns_add_up_to_one(baselines, name):
    baseline = baselines[name]
    total = np.exp(baseline.log_likelihood(all_states(NEURONS))).sum()
    estimate = baseline.log_partition()
    # 5 standard errors of log Z
    assert abs(np.log(total)) < (1e-9 if estimate is None else 5 * estimate.stderr)


def test_the_bounds_are_bounds(baselines, folds):
    vae, test = baselines["vae"], folds[2]
    lower, tighter = vae.bound(all_states(NEURONS), Generator.from_seed(2))
    # the mean over draws, so the sum over patterns, has noise of some thousandths
    assert np.exp(tighter).sum() < 1.02
    # with 500 draws of four latent variables little is missing
    assert np.exp(tighter).sum() > 0.95
    lower, tighter = vae.bound(test, Generator.from_seed(2))
    assert lower.mean() < tighter.mean()
    independent = baselines["independent"].log_likelihood(test)
    assert tighter.mean() > independent.mean() + 0.1


@pytest.mark.parametrize("name", ["independent", "ising", "kpairwise", "vae"])
def test_samples_have_the_rates_and_all_but_independent_ones_the_covariances(
    baselines, folds, name
):
    train = folds[0]
    drawn = baselines[name].samples(4000, Generator.from_seed(5))
    # the largest of 10 differences of rates of 4000 and 2500 bins: 5 standard errors are 0.06
    assert np.abs(drawn.mean(axis=0) - train.mean(axis=0)).max() < 0.06
    upper = np.triu_indices(NEURONS, 1)
    found, wanted = (np.cov(one.T.astype(float))[upper] for one in (drawn, train))
    likeness = np.corrcoef(found, wanted)[0, 1]
    assert (likeness > 0.9) == (name != "independent")


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_and_the_callers_arrays_stay(baselines, folds, name):
    kept = [fold.copy() for fold in folds]
    state = torch.get_rng_state()
    again = fitted(name, folds)
    assert torch.equal(torch.get_rng_state(), state)
    for fold, before in zip(folds, kept, strict=True):
        np.testing.assert_array_equal(fold, before)
    test = folds[2]
    np.testing.assert_array_equal(again.conditional(test), baselines[name].conditional(test))
    if name in ("ising", "vae"):
        other = fitted(name, folds, seed=1)
        assert np.abs(other.conditional(test) - again.conditional(test)).max() > 1e-4


@pytest.mark.parametrize("name", ["pca", "vae"])
def test_assemblies_are_those_that_were_planted(baselines, folds, name):
    weights = np.abs(baselines[name].assemblies())
    # neurons of one assembly covary, so the planted groups can be read off the data themselves
    linked = np.corrcoef(folds[0].T.astype(float)) > 0.2
    together = [np.flatnonzero(row) for row in linked if row.sum() == 4]
    assert together
    for members in together:
        strong = np.sort(np.argsort(-weights, axis=0)[:4], axis=0)
        assert any(len(np.intersect1d(column, members)) >= 3 for column in strong.T)


def test_what_cannot_be_fitted_is_refused(folds):
    train, validation, _ = folds
    generator = Generator.from_seed(0)
    with pytest.raises(InputError, match="did you mean 'ising'"):
        fit_baseline("isnig", train, validation, generator)
    with pytest.raises(InputError, match="validation fold must hold at least 2 bins"):
        fit_baseline("glm", train, validation[:0], generator)
    with pytest.raises(InputError, match="neurons must be at least 2"):
        fit_baseline("pca", train[:, :1], validation[:, :1], generator)
    with pytest.raises(InputError, match="shape"):
        fit_baseline("pca", train, validation[:, :3], generator)


@pytest.mark.parametrize("name", NAMES)
def test_a_silent_and_an_ever_active_neuron_are_no_obstacle(folds, name):
    train, validation = folds[0][:600].copy(), folds[1][:300].copy()
    for states in (train, validation):
        states[:, 0], states[:, 1] = 0, 1
    quick = {**QUICK.get(name, {}), **({"updates": 60} if name == "vae" else {})}
    baseline = fit_baseline(name, train, validation, Generator.from_seed(0), **quick)
    found = baseline.conditional(validation)
    assert np.isfinite(found).all()
    assert found[:, 0].max() < -3
    assert found[:, 1].min() > 3
