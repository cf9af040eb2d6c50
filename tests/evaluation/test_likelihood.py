"""The scores of evaluation.json against enumeration and slow loops."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import neuron_table
from boltzbrain.data.steps import Source
from boltzbrain.evaluation.evaluate import evaluate_model
from boltzbrain.evaluation.likelihood import (
    independent_log_likelihood,
    likelihoods,
    log_likelihood,
)
from boltzbrain.evaluation.partitions import METHODS, log_partitions, unreliable
from boltzbrain.evaluation.results import (
    plain,
    read_evaluation,
    write_evaluation,
)
from boltzbrain.evaluation.samples import Samples, draw_samples, read_samples, write_samples
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli, Ising
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.enumeration import all_states, exact_log_partition, exact_samples
from boltzbrain.sampling.partition import LogPartition
from helpers.enumeration import exact_distribution


def small_model(seed=0, visible=6, hidden=3):
    """Return a strongly coupled model whose units are all active about half of the time."""
    generator = Generator.from_seed(seed, "model")
    weights = 2.5 * generator.normal((visible, hidden), torch.float64)
    tilt = 0.3 * generator.normal((1, visible), torch.float64)[0]
    return RBM(
        Bernoulli(tilt - weights.sum(dim=1) / 2), Bernoulli(-weights.sum(dim=0) / 2), weights
    )


def small_activity(states, segments=30, test=True):
    bins, neurons = states.shape
    segment = np.sort(np.arange(bins) % segments).astype(np.int32)
    fold = np.zeros(bins, dtype=np.int8)
    if test:
        fold = np.where(segment % 4 == 1, 1, np.where(segment % 4 == 2, 2, 0)).astype(np.int8)
    return Activity(
        states,
        0.02,
        segment,
        fold,
        neuron_table([str(number) for number in range(neurons)]),
        {},
        (),
        Source("test", "memory", ""),
    )


def exact(model):
    return LogPartition(exact_log_partition(model), 0.0, 100.0, torch.zeros(100), "exact")


def few_samples(model, seed=0):
    return draw_samples(model, seed, chains=60, anneal=10, sweeps=20, spacing=5)


@pytest.fixture(scope="module")
def data():
    model = small_model()
    states = exact_samples(model, 600, Generator.from_seed(1, "data")).numpy()
    return model, small_activity(states)


def test_likelihood_is_the_enumerated_probability_and_sums_to_one():
    model = small_model()
    states, log_p = exact_distribution(model)
    mine = log_likelihood(model, exact_log_partition(model), states.numpy())
    np.testing.assert_allclose(mine, log_p.numpy(), atol=1e-12)
    assert np.exp(mine).sum() == pytest.approx(1, abs=1e-12)


def test_independent_model_is_a_proper_distribution_of_the_training_rates():
    train = np.array([[0, 1, 1], [0, 0, 1], [0, 1, 1], [0, 0, 1]], dtype=np.uint8)
    field = independent_field(torch.from_numpy(train))
    np.testing.assert_allclose(torch.sigmoid(field), [0.1, 0.5, 0.9])  # Jeffreys, 4 bins
    grid = all_states(Bernoulli(torch.zeros(3))).numpy()
    assert np.exp(independent_log_likelihood(field, grid)).sum() == pytest.approx(1, abs=1e-12)


def test_every_score_against_loops(data):
    model, activity = data
    result = likelihoods(model, {"forward": exact(model)}, activity)
    log_z = exact_log_partition(model)
    train = activity.states_of("train")
    p = (train.sum(axis=0) + 0.5) / (len(train) + 1)
    differences, labels, spikes = [], [], 0
    for fold in ("train", "validation", "test"):
        scores, baseline = [], []
        for place in activity.bins_of(fold):
            v = activity.states[place].astype(float)
            inputs = model.hidden.field.numpy() + v @ model.weights.numpy()
            minus_f = v @ model.visible.field.numpy() + np.log1p(np.exp(inputs)).sum()
            scores.append(minus_f - log_z)
            baseline.append(float(np.sum(v * np.log(p) + (1 - v) * np.log(1 - p))))
            if fold == "test":
                differences.append(scores[-1] - baseline[-1])
                labels.append(activity.segment[place])
                spikes += v.sum()
        assert result[fold]["nats_per_bin"] == pytest.approx(np.mean(scores), abs=1e-10)
        assert result["independent"][fold] == pytest.approx(np.mean(baseline), abs=1e-10)
    gain = np.mean(differences)
    assert result["gain"]["value"] == pytest.approx(gain, abs=1e-10)
    assert result["bits_per_spike"] == pytest.approx(
        gain / math.log(2) / (spikes / len(labels)), abs=1e-10
    )
    sums = dict.fromkeys(labels, 0.0)
    for label, difference in zip(labels, differences, strict=True):
        sums[label] += difference - gain
    count = len(sums)
    squares = sum(one**2 for one in sums.values())
    expected = math.sqrt(squares * count / (count - 1)) / len(labels)
    # 8 test segments are fewer than 20, and 20 bins of 20 ms are shorter than any stretch
    assert result["gain"]["clusters"]["number"] == count
    assert result["gain"]["stderr"] == pytest.approx(expected)
    assert result["gain"]["stderr_log_partition"] == 0


def test_the_test_fold_does_not_touch_the_independent_model(data):
    model, activity = data
    states = activity.states.copy()
    states[activity.bins_of("test")] = 1
    other = likelihoods(model, {"forward": exact(model)}, small_activity(states))
    same = likelihoods(model, {"forward": exact(model)}, activity)
    assert other["independent"]["train"] == same["independent"]["train"]
    assert other["independent"]["validation"] == same["independent"]["validation"]
    assert other["independent"]["test"] != same["independent"]["test"]


def test_float32_scores_agree_with_float64(data):
    model, activity = data
    half = model.to(torch.float32)
    for fold in ("train", "test"):
        states = activity.states_of(fold)
        np.testing.assert_allclose(
            log_likelihood(half, 0.0, states), log_likelihood(model, 0.0, states), rtol=1e-5
        )


def test_the_model_that_made_the_data_gains_and_a_wrong_one_loses(data):
    # a gain of 0 exceeds 4 of its errors with a false-alarm rate below 3e-3 (t, 7 degrees)
    model, activity = data
    right = likelihoods(model, {"forward": exact(model)}, activity)["gain"]
    assert right["value"] > 4 * right["stderr"]
    turned = RBM(model.visible, model.hidden, -model.weights)
    wrong = likelihoods(turned, {"forward": exact(turned)}, activity)["gain"]
    assert wrong["value"] < 0


# ---- evaluate_model


def test_evaluation_holds_what_is_promised_and_only_finite_numbers(data):
    model, activity = data
    seen = []
    result = evaluate_model(
        model, activity, seed=5, chosen_update=7, samples=few_samples(model), ais_chains=400,
        ais_rungs=200, callbacks=[seen.append],
    )  # fmt: skip
    text = json.dumps(result, allow_nan=False)
    assert json.loads(text) == result
    scores = result["log_likelihood"]
    forward = scores["log_partition"]["forward"]
    # false-alarm rate of 4 standard errors: 6e-5
    assert abs(forward["value"] - exact_log_partition(model)) < 4 * forward["stderr"]
    assert forward["stderr"] < 0.1
    assert set(forward) >= {"value", "stderr", "effective_sample_size"}
    for fold in ("train", "validation", "test"):
        assert set(scores[fold]) >= {"nats_per_bin", "stderr"}
    for part in (result["statistics"], result["statistics"]["ceiling"]):
        for name in ("rates", "covariances", "triplets"):
            assert set(part[name]) >= {"pearson", "slope", "rmse"}
    statistics = result["statistics"]
    assert set(statistics["triplets_most_active"]) >= {"ratio", "interval"}
    assert set(statistics["population_count"]) == {
        "total_variation",
        "band",
        "same_law_band",
    }
    names = {"calibration_error", "fraction_within_3_stderr", "calibration"}
    assert set(statistics["h_eff"]) == names
    assert set(statistics["nrmse"]) == {"v", "h", "vh", "vv", "hh"}
    assert set(result["weights"]) == {"std", "zero_fraction"}
    assert result["conditional"]["bits_per_spike"] > 0
    for kind in ("rbm", "glm"):
        assert "median_nllh" in result["reconstruction"][kind]
    assert result["activity"] == {
        "neurons": 6, "bins": 600, "mean_activity": pytest.approx(activity.states.mean()),
    }  # fmt: skip
    assert result["chosen_update"] == 7
    assert result["seconds"] > 0
    # bins in random order have no memory, so that there is no time scale; without checkpoints there
    # is no estimate along the training
    partition = "log_likelihood.log_partition"
    missing = {
        f"{partition}.{name}.{figure}"
        for name in ("trajectory", "running")
        for figure in ("value", "stderr", "effective_sample_size")
    }
    assert missing <= set(result["reasons"])
    assert all(path.startswith("dynamics.") for path in set(result["reasons"]) - missing)
    backward = scores["log_partition"]["backward"]
    assert abs(backward["value"] - exact_log_partition(model)) < 4 * backward["stderr"]
    assert scores["unreliable"] == []
    assert {one.phase for one in seen} == {"log-partition", "statistics"}
    assert all(one.done <= one.total for one in seen)


def test_every_estimate_finds_log_z_and_what_is_doubtful_is_said(data):
    # 4 standard errors over 4 estimates: false alarm below 3e-4, the seed is fixed
    model, activity = data
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    trajectory = [RBM(model.visible, model.hidden, t * model.weights) for t in (0.3, 0.6, 1.0)]
    found = log_partitions(model, field, 2, checkpoints=trajectory, chains=400, rungs=200)
    assert list(found) == list(METHODS)
    for estimate in found.values():
        assert isinstance(estimate, LogPartition)
        assert abs(estimate.value - exact_log_partition(model)) < 4 * estimate.stderr
    assert unreliable(found) == []
    far = replace(found["running"], value=found["forward"].value + 1.2)
    few = replace(found["backward"], effective_sample_size=3.0)
    doubts = unreliable({**found, "running": far, "backward": few})
    assert len(doubts) == 2
    assert "effective sample size of the backward estimate is 3.0" in doubts[0]
    assert "forward and running estimates of log Z lie 1.20 nats per bin apart" in doubts[1]
    described = likelihoods(model, {**found, "running": far}, activity)
    assert described["unreliable"] == doubts[1:]
    with pytest.raises(InputError, match="forward"):
        likelihoods(model, {"backward": found["backward"]}, activity)


def test_the_same_seed_gives_the_same_evaluation(data):
    model, activity = data
    runs = []
    for seed in (3, 3, 4):
        result = evaluate_model(
            model, activity, seed=seed, samples=few_samples(model, seed), ais_chains=40,
            ais_rungs=20,
        )  # fmt: skip
        result.pop("seconds")
        runs.append(result)
    assert runs[0] == runs[1]
    for part in ("statistics", "log_likelihood"):
        assert runs[0][part] != runs[2][part]


def test_without_a_test_fold_figures_are_null_with_a_reason(data):
    model, activity = data
    everything = small_activity(activity.states, test=False)
    result = evaluate_model(
        model, everything, samples=few_samples(model), ais_chains=40, ais_rungs=20
    )
    scores = result["log_likelihood"]
    assert scores["train"]["nats_per_bin"] is not None
    for path in ("test.nats_per_bin", "test.stderr", "independent.test", "gain.value",
                 "gain.stderr", "bits_per_spike", "validation.nats_per_bin"):  # fmt: skip
        value = scores
        for part in path.split("."):
            value = value[part]
        assert value is None, path
        assert "no bins" in result["reasons"][f"log_likelihood.{path}"]
    assert result["statistics"]["ceiling"]["rates"]["pearson"] is None
    assert result["statistics"]["generated_vs_train"]["rates"]["pearson"] > 0.9


def test_bad_input_is_refused_before_any_work(data):
    model, activity = data
    with pytest.raises(InputError, match="one unit per neuron"):
        evaluate_model(small_model(visible=5), activity)
    ising = RBM(Ising(model.visible.field), model.hidden, model.weights)
    with pytest.raises(InputError, match="bernoulli"):
        evaluate_model(ising, activity)


# ---- samples


def test_samples_have_the_moments_of_the_model():
    # 400 independent chains; 6 standard errors over 6 rates: false alarm below 2e-8
    model = small_model()
    states, log_p = exact_distribution(model)
    exact_rates = (log_p.exp()[:, None] * states).sum(dim=0).numpy()
    samples = draw_samples(model, 0, chains=400, anneal=20, sweeps=50, spacing=10)
    assert samples.states.shape == (2000, 6)
    np.testing.assert_array_equal(np.bincount(samples.chain), 5)
    per_chain = np.stack([samples.states[samples.chain == one].mean(0) for one in range(400)])
    error = per_chain.std(axis=0) / np.sqrt(400)
    assert np.all(np.abs(per_chain.mean(axis=0) - exact_rates) < 6 * error)
    wrong = draw_samples(model.independent(), 0, chains=400, anneal=1, sweeps=1, spacing=1)
    assert np.any(np.abs(wrong.states.mean(axis=0) - exact_rates) > 6 * error)


def test_large_models_get_fewer_chains_and_progress_is_told(monkeypatch):
    model, seen = small_model(), []
    monkeypatch.setattr("boltzbrain.evaluation.samples._WEIGHTS", 6)
    samples = draw_samples(
        model,
        0,
        anneal=3,
        sweeps=12,
        spacing=1,
        tell=Teller([lambda told: seen.append((told.done, told.total))]),
    )
    assert len(samples.states) == 5 * round(2000 * 6 / 18)
    assert seen[-1] == (19, 19)
    assert seen == sorted(set(seen))


def test_samples_survive_their_file(tmp_path):
    samples = Samples(np.eye(4, dtype=np.uint8), np.array([0, 1, 0, 1]), 20)
    write_samples(tmp_path / "samples.h5", samples)
    again = read_samples(tmp_path / "samples.h5")
    np.testing.assert_array_equal(again.states, samples.states)
    np.testing.assert_array_equal(again.chain, samples.chain)
    assert again.sweeps == 20
    assert [path.name for path in tmp_path.iterdir()] == ["samples.h5"]


def test_damaged_and_missing_files_are_named(tmp_path):
    for read, name in ((read_samples, "samples.h5"), (read_evaluation, "evaluation.json")):
        with pytest.raises(InputError, match=name):
            read(tmp_path / name)
        (tmp_path / name).write_bytes(b"not this")
        with pytest.raises(InputError, match=name):
            read(tmp_path / name)


# ---- results


def test_plain_results_hold_no_nan_and_give_reasons(tmp_path):
    result = plain(
        {"a": {"b": float("nan")}, "c": Undefined("why"), "d": np.float32(2), "e": [1, math.inf]}
    )
    assert result["a"]["b"] is None
    assert result["e"] == [1, None]
    assert result["reasons"] == {"a.b": "the value is nan", "c": "why", "e[1]": "the value is inf"}
    write_evaluation(tmp_path / "evaluation.json", result)
    again = read_evaluation(tmp_path / "evaluation.json")
    assert again.pop("format") == "boltzbrain evaluation"
    assert again.pop("version") == 1
    assert again == result
