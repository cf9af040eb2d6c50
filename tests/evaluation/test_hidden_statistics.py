"""Statistics of hidden units, energies and reconstructions against loops and exact values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from boltzbrain.baselines.logistic import fit_logistic
from boltzbrain.evaluation.reconstruction import (
    reconstruct,
    reconstruction_quality,
    reconstruction_scores,
)
from boltzbrain.evaluation.statistics.agreement import Comparison, normalised_rmse
from boltzbrain.evaluation.statistics.energies import compare_energies, energies
from boltzbrain.evaluation.statistics.hidden_statistics import (
    compare_hidden,
    hidden_moments,
    products_compared,
)
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import exact_samples
from boltzbrain.training.update.penalties import Penalties
from helpers.enumeration import exact_distribution


def small_model(seed=0, visible=7, hidden=3):
    generator = Generator.from_seed(seed, "model")
    weights = 2.0 * generator.normal((visible, hidden), torch.float64)
    return RBM(Bernoulli(-weights.sum(dim=1) / 2), Bernoulli(-weights.sum(dim=0) / 2), weights)


def draw(model, bins, seed=0):
    return exact_samples(model, bins, Generator.from_seed(seed, "data")).numpy()


def test_hidden_moments_against_loops():
    model, states = small_model(), draw(small_model(), 70)
    found = hidden_moments(model, states)
    h = 1 / (1 + np.exp(-(states @ model.weights.numpy() + model.hidden.field.numpy())))
    np.testing.assert_allclose(found.h, h.mean(axis=0))
    np.testing.assert_allclose(found.vh, states.T @ h / 70)
    expected = [np.mean(h[:, a] * h[:, b]) - h[:, a].mean() * h[:, b].mean()
                for a, b in ((0, 1), (0, 2), (1, 2))]  # fmt: skip
    np.testing.assert_allclose(found.hh, expected, atol=1e-14)


def test_hidden_moments_of_samples_agree_with_the_exact_model():
    # 21 + 3 figures, 6 standard errors: false alarm below 1e-7
    model = small_model()
    states, log_p = exact_distribution(model)
    p, mean = log_p.exp(), model.mean_hidden(states)
    n = 20_000
    found = hidden_moments(model, draw(model, n))
    for mine, values in ((found.h, mean), (found.vh, states[:, :, None] * mean[:, None, :])):
        flat = values.reshape(len(states), -1)
        exact = p @ flat
        error = torch.sqrt((p @ (flat - exact) ** 2) / n).numpy()
        assert np.all(np.abs(mine.ravel() - exact.numpy()) < 6 * error)
        turned = hidden_moments(RBM(model.visible, model.hidden, -model.weights), draw(model, n))
        other = turned.h if mine is found.h else turned.vh
        assert np.any(np.abs(other.ravel() - exact.numpy()) > 6 * error)


def test_the_shift_of_the_penalty_and_exact_zeros_as_in_the_paper():
    model, states = small_model(), draw(small_model(), 50)
    weights = model.weights.clone()
    weights[0, 0] = 0.0
    model = RBM(model.visible, model.hidden, weights)
    moments = hidden_moments(model, states)
    penalties = Penalties(0.1, 0.01)
    kept = products_compared(model, {"test": moments, "generated": moments}, penalties)
    assert len(kept["test"]) == weights.numel() - 1
    chosen = weights.numpy()[weights.numpy() != 0]
    np.testing.assert_allclose(
        kept["generated"] - kept["test"], 0.1 * np.sign(chosen) + 0.01 * chosen
    )


def test_hidden_comparison_is_perfect_for_the_training_fold_and_its_parts_add_up():
    model = small_model()
    train, test = draw(model, 200, 1), draw(model, 150, 2)
    same = compare_hidden(model, train, test, train)
    for name in ("h", "vh", "hh"):
        assert same["nrmse"][name] == pytest.approx(0, abs=1e-12)
        assert same["hidden"][name] == same["hidden"]["ceiling"][name]
    generated = draw(model, 100, 3)
    result = compare_hidden(model, train, test, generated)
    of = {name: hidden_moments(model, one) for name, one in
          (("train", train), ("test", test), ("generated", generated))}  # fmt: skip
    for name in ("h", "vh", "hh"):
        x, y, z = (getattr(of[one], name).ravel() for one in ("generated", "test", "train"))
        assert result["hidden"][name]["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic)
        assert result["nrmse"][name] == normalised_rmse(Comparison(y, x), Comparison(y, z))


def test_one_hidden_unit_and_no_test_fold_are_undefined():
    model = small_model(hidden=1)
    states = draw(model, 60)
    alone = compare_hidden(model, states, states, states)
    assert isinstance(alone["nrmse"]["hh"], Undefined)
    nothing = compare_hidden(model, states, states[:0], states)
    assert isinstance(nothing["nrmse"]["vh"], Undefined)


def test_energies_are_minus_the_log_probability_up_to_log_z():
    model = small_model()
    states, log_p = exact_distribution(model)
    sums = energies(model, states.numpy()) + log_p.numpy()
    np.testing.assert_allclose(sums, sums[0], atol=1e-12)
    train, test, generated = (draw(model, 200, seed) for seed in range(3))
    found = [energies(model, one) for one in (train, test, generated)]
    result = compare_energies(*found)
    expected = stats.ks_2samp(found[2], found[1]).statistic
    assert result["kolmogorov_smirnov"] == pytest.approx(expected)
    assert result["mean"]["test"] == pytest.approx(found[1].mean())
    nothing = compare_energies(found[0], found[1][:0], found[2])
    assert isinstance(nothing["kolmogorov_smirnov"], Undefined)


# ---- reconstruction


def test_reconstruction_quality_against_equation_18():
    model = small_model()
    train, test = draw(model, 300, 1), draw(model, 100, 2)
    h = 1 / (1 + np.exp(-(test @ model.weights.numpy() + model.hidden.field.numpy())))
    p = 1 / (1 + np.exp(-(h @ model.weights.numpy().T + model.visible.field.numpy())))
    expected = np.log(p * test + (1 - p) * (1 - test)).mean(axis=0)
    np.testing.assert_allclose(reconstruction_quality(model, test), expected, atol=1e-12)
    rates = (train.sum(axis=0) + 0.5) / 301
    independent = np.log(rates * test + (1 - rates) * (1 - test)).mean(axis=0)
    found = reconstruct(model, train, test[:50], test, neurons=2)
    np.testing.assert_allclose(found.rbm, (expected - independent) / -independent)
    assert len(found.neurons) == len(found.glm) == 2
    summary = found.summary()
    same = found.rbm[found.neurons]
    assert summary["mann_whitney"]["p"] == pytest.approx(
        stats.mannwhitneyu(same, found.glm, alternative="greater").pvalue
    )
    assert summary["rbm"]["median_nllh"] == pytest.approx(np.median(found.rbm))
    assert summary["rbm"]["median_nllh_same_neurons"] == pytest.approx(np.median(same))


def test_logistic_regression_agrees_with_scikit_learn():
    model = small_model(visible=12)
    train, validation, test = (draw(model, bins, 4) for bins in (400, 100, 100))
    for penalty in (30.0, 1.0):
        fit = fit_logistic(train, validation, np.array([0, 5]), penalties=[penalty])
        for column, neuron in enumerate((0, 5)):
            rest = np.delete(np.arange(12), neuron)
            other = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=5000)
            other.fit(train[:, rest].astype(float), train[:, neuron])
            mine = fit.weights[:, column].numpy()
            np.testing.assert_allclose(mine[rest], other.coef_[0], atol=0.02)
            assert mine[neuron] == 0
            p = other.predict_proba(test[:, rest].astype(float))[:, 1]
            expected = np.mean(np.log(np.where(test[:, neuron] == 1, p, 1 - p)))
            assert fit.log_likelihood(test)[column] == pytest.approx(expected, abs=1e-3)


def test_the_penalty_is_the_best_on_the_validation_fold():
    model = small_model(visible=10)
    train, validation = draw(model, 300, 1), draw(model, 300, 2)
    targets, penalties = np.arange(4), (100.0, 10.0, 1.0, 0.1)
    fit = fit_logistic(train, validation, targets, penalties=penalties)
    alone = np.stack(
        [
            fit_logistic(train, validation, targets, penalties=[one]).log_likelihood(validation)
            for one in penalties
        ]
    )
    for column, chosen in enumerate(fit.penalties):
        # weaker penalties are tried until the first that is no better
        place = penalties.index(chosen)
        assert np.all(np.diff(alone[: place + 1, column]) > 0)
        if place + 1 < len(penalties):
            assert alone[place + 1, column] <= alone[place, column] + 1e-4


def test_dependent_neurons_are_predicted_and_independent_ones_are_not():
    # the second neuron copies the first in 9 of 10 bins; the third is by itself
    generator = np.random.default_rng(0)
    first = generator.random(2000) < 0.3
    states = np.column_stack(
        [first, np.where(generator.random(2000) < 0.9, first, ~first), generator.random(2000) < 0.3]
    ).astype(np.uint8)
    train, validation, test = states[:1000], states[1000:1300], states[1300:]
    fit = fit_logistic(train, validation, np.arange(3))
    rate = test.mean(axis=0)
    floor = rate * np.log(rate) + (1 - rate) * np.log(1 - rate)
    gain = fit.log_likelihood(test) - floor
    assert np.all(gain[:2] > 0.15)
    assert gain[2] < 0.02


def test_reconstruction_without_folds_is_undefined():
    model, states = small_model(), draw(small_model(), 60)
    nothing = reconstruction_scores(model, states, states, states[:0])
    assert isinstance(nothing["rbm"]["median_nllh"], Undefined)
    unchecked = reconstruction_scores(model, states, states[:0], states)
    assert isinstance(unchecked["glm"]["median_nllh"], Undefined)
    assert math.isfinite(unchecked["rbm"]["median_nllh"])
