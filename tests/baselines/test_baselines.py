"""Every baseline through one suite: it gives what it says it gives, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from boltzbrain.baselines.fit_baseline import IN_TIME, fit_baseline
from boltzbrain.baselines.protocol import SCORES, Fit, Unfitted
from boltzbrain.comparison import rbms as hopfield
from boltzbrain.comparison.compare import NAMES as FITTED
from boltzbrain.comparison.compare import compare_baselines
from boltzbrain.comparison.rbms import Hopfield, Trained, fit_hopfield
from boltzbrain.evaluation.partitions import forward_log_partition
from boltzbrain.evaluation.results import plain
from boltzbrain.foundations.checks import InputError, TrainingFailedError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.continuous import Gaussian
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.sampling.synthetic import simulate_assemblies
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train

# those in time: test_in_time.py
NEURONS, NAMES = 10, sorted({*FITTED, "rbm"} - set(IN_TIME))
WITH_LIKELIHOOD = ["hopfield", "independent", "ising", "kpairwise", "rbm"]
SETTINGS = {"chains": 200, "batch": 500, "sweeps": 2, "checkpoints": 4, "ais_chains": 50,
            "ais_rungs": 50}  # fmt: skip
QUICK = {
    "ising": {"penalties": (30.0, 10.0), "factors": (1.0, 0.5), "chains": 400, "updates": 40,
              "rungs": 100},
    "kpairwise": {"penalties": (30.0,), "factors": (1.0, 0.5), "chains": 400, "updates": 40,
                  "rungs": 100},
    "pca": {"latents": (1, 2, 3)},
    "vae": {"latents": (4,), "penalties": (0.0003, 0.003), "trial_updates": 50, "updates": 500},
    "hopfield": {"penalties": (0.0003, 0.003), "updates": 800, "chains": 200, "rungs": 100,
                 "settings": SETTINGS},
}  # fmt: skip


@pytest.fixture(scope="module")
def activity():
    """Two assemblies of ten neurons, in training, validation and test bins."""
    truth = simulate_assemblies(
        Generator.from_seed(3, "baselines"), neurons=NEURONS, assemblies=2, bins=4000, sizes=(4, 4),
        on_fraction=(0.25, 0.25), firing=0.8, background=0.1, overlap=0.0, background_spread=0.3,
    )  # fmt: skip
    return replace(
        truth.activity(),
        fold=np.repeat(np.arange(3, dtype=np.int8), (2500, 700, 800)),
        segment=np.arange(4000, dtype=np.int32) // 20,
    )


def states_of(activity):
    return [activity.states_of(fold) for fold in ("train", "validation", "test")]


@pytest.fixture(scope="module")
def folds(activity):
    return states_of(activity)


def fitted(name, activity, folder, seed=0, **more):
    given = {**QUICK.get(name, {}), **more}
    if name == "hopfield":
        return fit_hopfield(activity, 4, seed, **given)
    if name == "rbm":
        return trained(activity, folder, seed)
    train_states, validation, _ = states_of(activity)
    return fit_baseline(name, train_states, validation, Generator.from_seed(seed, name), **given)


def trained(activity, folder, seed):
    """The model that the baselines stand beside, as `evaluate` makes it of a run."""
    # smaller steps have not left the start by the time that units are called dead
    plan = make_plan("binary", hidden=4, seed=seed, updates=600, learning_rate=2.0, **SETTINGS)
    run = train(activity, plan, folder / f"run{len(list(folder.iterdir()))}")
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    forward = forward_log_partition(run.best, field, seed, chains=200, rungs=100)
    fit = Fit("persistent contrastive divergence", 600, 1.0, {"update": run.chosen_update})
    return Trained(fit, run.best, forward, ())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="module")
def baselines(activity, folder):
    return {name: fitted(name, activity, folder) for name in NAMES}


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
    assert isinstance(told["grid_edge"], bool)
    if name not in ("independent", "rbm"):
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


@pytest.mark.parametrize("name", WITH_LIKELIHOOD)
def test_probabilities_of_all_patterns_add_up_to_one(baselines, name):
    baseline = baselines[name]
    total = np.exp(baseline.log_likelihood(all_states(NEURONS))).sum()
    estimate = baseline.log_partition()
    # 5 standard errors of log Z
    assert abs(np.log(total)) < (1e-9 if estimate is None else 5 * estimate.stderr)
    assert baseline.doubts() == []


def second_differences(log_likelihood, neurons):
    """Return log P(both) P(neither) / P(one) P(other) of every pair, all others silent."""
    single = np.eye(neurons, dtype=np.uint8)
    none = log_likelihood(np.zeros((1, neurons), dtype=np.uint8))
    first, second = np.triu_indices(neurons, 1)
    alone = log_likelihood(single)
    both = log_likelihood(single[first] + single[second])
    return (first, second), both - alone[first] - alone[second] + none


@pytest.mark.parametrize("name", ["hopfield", "independent", "ising"])
def test_couplings_are_those_of_the_probabilities(baselines, name):
    baseline = baselines[name]
    pairs, wanted = second_differences(baseline.log_likelihood, NEURONS)
    np.testing.assert_allclose(baseline.couplings().numpy()[pairs], wanted, atol=1e-4)
    assert (np.abs(wanted).max() > 0.3) == (name != "independent")


def test_couplings_of_gaussian_units_are_weights_over_precisions():
    # precisions and fields other than 1 and 0: the trained ones could hide what they do
    generator = Generator.from_seed(6)
    weights = generator.normal((8, 3)).to(torch.float64)
    precision = torch.tensor([0.5, 2.0, 4.0], dtype=torch.float64)
    model = RBM(
        Bernoulli(generator.normal((1, 8))[0].to(torch.float64)),
        Gaussian(torch.tensor([0.3, -0.5, 1.0], dtype=torch.float64), precision),
        weights,
    )
    energies = -model.free_energy(torch.from_numpy(all_states(8)))
    exact = LogPartition(float(torch.logsumexp(energies, 0)), 0.0, 1.0, torch.zeros(1), "exact")
    found = Hopfield(Fit("none", 0, 0.0, {}), model, exact, (), exact)
    assert np.exp(found.log_likelihood(all_states(8))).sum() == pytest.approx(1)
    couplings = found.couplings()
    wanted = weights @ torch.diag(1 / precision) @ weights.T
    torch.testing.assert_close(couplings, wanted - torch.diag(wanted.diagonal()))
    pairs, differences = second_differences(found.log_likelihood, 8)
    np.testing.assert_allclose(couplings.numpy()[pairs], differences, atol=1e-9)
    # without the precisions it is another model
    assert np.abs((weights @ weights.T).numpy()[pairs] - differences).max() > 0.1


def test_a_doubtful_log_partition_is_said_in_words(baselines, activity, monkeypatch):
    ising = baselines["ising"]
    few = replace(ising.forward, effective_sample_size=1.0)
    far = replace(ising.backward, value=ising.forward.value + 2)
    assert "effective sample size of the forward" in " ".join(replace(ising, forward=few).doubts())
    assert "2.00 nats per bin apart" in " ".join(replace(ising, backward=far).doubts())
    real = hopfield.log_partitions

    def doubtful(*given, **options):
        found = real(*given, **options)
        forward, backward = found["forward"], found["backward"]
        return {
            **found,
            "forward": replace(forward, effective_sample_size=1.0),
            "backward": replace(backward, value=forward.value + 2),
        }

    given = {"penalties": (0.01,), "updates": 20, "chains": 40, "rungs": 20, "settings": SETTINGS}
    assert fit_hopfield(activity, 4, 0, **given).doubts() == []
    monkeypatch.setattr(hopfield, "log_partitions", doubtful)
    words = fit_hopfield(activity, 4, 0, **given).doubts()
    assert len(words) == 2
    assert "effective sample size of the forward" in words[0]
    assert "2.00 nats per bin apart" in words[1]
    rbm = replace(baselines["rbm"], unreliable=("unreliable: so it is",))
    found = compare_baselines(rbm, activity, ["independent"]).figures
    assert found["rbm"]["log_partition"] == {"unreliable": ["unreliable: so it is"]}
    assert "log_partition" not in found["independent"]


def test_a_difference_of_gains_has_the_errors_of_both_partition_functions(baselines, activity):
    def stderr(error):
        rbm = baselines["rbm"]
        rbm = replace(rbm, forward=replace(rbm.forward, stderr=error))
        found = compare_baselines(rbm, activity, ["independent"]).figures
        return found["independent"]["rbm_minus_this"]["gain"]

    alone, both = stderr(0.0), stderr(3.0)
    assert alone["stderr"] > 0
    assert both["stderr_log_partition"] == 3.0
    assert both["stderr"] == pytest.approx(np.hypot(alone["stderr"], 3.0))
    assert both["value"] == alone["value"]


def test_a_model_that_no_penalty_gives_is_undefined_with_the_reason(
    baselines, activity, monkeypatch
):
    def fails(activity, plan, folder):
        raise TrainingFailedError(f"{folder}: the weights blew up")

    monkeypatch.setattr(hopfield, "train", fails)
    found = fit_hopfield(activity, 4, 0, penalties=(0.001, 0.01))
    assert isinstance(found, Unfitted)
    words = "an L2 penalty of 0.01 failed: the weights blew up"
    assert words in found.reason
    table = plain(compare_baselines(baselines["rbm"], activity, ["hopfield"]).figures)
    one, reasons = table["hopfield"], table["reasons"]
    assert set(one) == set(table["rbm"]) - {"log_partition"} | {"rbm_minus_this"}
    assert one["gain"]["value"] is None
    assert "the weights blew up" in reasons["hopfield.gain.value"]
    assert [row["score"] for row in one["fit"]["grid"]] == [None] * 3


def test_a_validation_score_that_is_not_finite_is_no_score(activity, monkeypatch):
    given = {"updates": 20, "chains": 40, "rungs": 20, "settings": SETTINGS}
    real = hopfield.train

    class Odd:
        def __init__(self, run):
            self.run, self.chosen_update, self.best = run, run.chosen_update, run.best

        def log(self):
            return self.run.log().assign(validation_nats_per_bin=np.nan)

    def odd(activity, plan, folder):
        run = real(activity, plan, folder)
        return Odd(run) if plan.l2 == 0.01 else run

    monkeypatch.setattr(hopfield, "train", odd)
    found = fit_hopfield(activity, 4, 0, penalties=(0.01,), **given)
    assert isinstance(found, Unfitted)
    assert found.reason.endswith("its validation score with an L2 penalty of 0.01 is nan")
    # where one penalty gives a model, that one is taken
    either = fit_hopfield(activity, 4, 0, penalties=(0.01, 0.001), **given)
    assert either.fit.chosen["l2"] == 0.001


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


@pytest.mark.parametrize("name", [*WITH_LIKELIHOOD, "vae"])
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
def test_the_same_seed_gives_the_same_and_the_callers_arrays_stay(
    baselines, activity, folder, name
):
    kept, state = activity.states.copy(), torch.get_rng_state()
    again = fitted(name, activity, folder)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(activity.states, kept)
    test = activity.states_of("test")
    np.testing.assert_array_equal(again.conditional(test), baselines[name].conditional(test))
    if name in ("ising", "vae"):
        other = fitted(name, activity, folder, seed=1)
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
def test_a_silent_and_an_ever_active_neuron_are_no_obstacle(activity, folder, name):
    states = activity.states.copy()
    states[:, 0], states[:, 1] = 0, 1
    odd = replace(activity, states=states)
    less = {"vae": {"updates": 60}, "hopfield": {"penalties": (0.003,)}}
    baseline = fitted(name, odd, folder, **less.get(name, {}))
    found = baseline.conditional(odd.states_of("validation"))
    assert np.isfinite(found).all()
    assert found[:, 0].max() < -3
    assert found[:, 1].min() > 3
