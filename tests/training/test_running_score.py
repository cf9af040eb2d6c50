"""The validation score along training: against enumeration, checked, and whole after a restart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from boltzbrain.data.clusters import Clusters, clustered_stderr
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling import running
from boltzbrain.sampling.annealing import log_weight
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.partition import LogPartition, annealed_importance
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.training.plan import make_plan
from boltzbrain.training.score.likelihood_log import error_over_bins, independent_scores
from boltzbrain.training.score.running import (
    COLUMNS,
    RunningScore,
    ScoredBins,
    chains_of,
    most_steps,
)

PLAN = make_plan(seed=3, chains=500, sweeps=5, batch=1000)


def grown(t, kind="bernoulli"):
    """A model whose weights have grown to a share t of their last value."""
    model = random_model(kind, 12, 6, Generator.from_seed(0, "online"), weight_std=0.6)
    return RBM(model.visible, model.hidden, t * model.weights)


def start(kind="bernoulli"):
    model = grown(0.05, kind)
    return RunningScore.start(model, model.visible.field, PLAN)


def bins_of(states):
    independent = independent_scores(grown(1.0).visible.field.double(), states)
    return ScoredBins(states, Clusters(np.arange(len(states)) // 10, "stretch", 0.2), independent)


def samples(kind="bernoulli"):
    return bins_of(exact_samples(grown(1.0, kind), 400, Generator.from_seed(1, "bins")))


def along(bins, kind="bernoulli"):
    """Follow a model that grows, as a training makes it grow; give the misses in nats."""
    score, misses = start(kind), []
    for update in range(1, 11):
        model = grown(0.05 + 0.095 * update, kind)
        score = score.followed(model, update, bins, PLAN)
        exact = -model.free_energy(bins.states) - exact_log_partition(model)
        misses.append(score.newest["validation_nats_per_bin"] - float(exact.mean()))
    return score, np.array(misses)


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_the_scores_are_those_of_enumeration(kind):
    bins = samples(kind)
    score, misses = along(bins, kind)
    history = score.history.numpy()
    errors = history[:, COLUMNS.index("log_partition_stderr")]
    # 4 standard errors over 10 dependent scores: false alarm below 6e-4, the seed is fixed
    assert (np.abs(misses) < 4 * errors + 1e-5).all()
    assert errors[-1] < 0.1
    model = grown(1.0, kind)
    exact = -model.free_energy(bins.states) - exact_log_partition(model)
    of_bins = clustered_stderr(exact.numpy(), bins.clusters)
    assert score.newest["validation_stderr"] == pytest.approx(
        math.hypot(of_bins, errors[-1]), rel=1e-3
    )
    # bins that are hard for the model are hard for independent neurons too
    field = grown(1.0).visible.field.double()
    gain = exact - bins.states.double() @ field + torch.nn.functional.softplus(field).sum()
    paired = clustered_stderr(gain.numpy(), bins.clusters)
    assert paired < of_bins
    assert score.newest["validation_gain_stderr"] == pytest.approx(
        math.hypot(paired, errors[-1]), rel=1e-3
    )
    assert score.frame()["update"].tolist() == list(range(1, 11))
    assert not score.frame()["annealed"].any()


def test_with_the_sign_of_the_weights_turned_they_are_not(monkeypatch):
    # the negative control: a published defect, told at the end of docs/developer/formulas.md
    monkeypatch.setattr(running, "log_weight", lambda p, q, v: -log_weight(p, q, v))
    score, misses = along(samples())
    assert abs(misses[-1]) > 10 * score.newest["log_partition_stderr"]
    assert abs(misses[-1]) > 0.5


def test_an_annealing_anchors_the_estimate():
    bins, model = samples(), grown(1.0)
    score = along(bins)[0]
    mine = score.running.estimate()
    other = annealed_importance(model, Generator.from_seed(5, "ais"), chains=500, rungs=100)
    anchored = check(score, other, bins)
    found, exact = anchored.running.estimate(), exact_log_partition(model)
    assert anchored.resets == 0
    assert min(mine.value, other.value) <= found.value <= max(mine.value, other.value)
    assert found.stderr < 1.02 * min(mine.stderr, other.stderr)
    assert found.effective_sample_size > mine.effective_sample_size
    assert abs(found.value - exact) < 4 * found.stderr  # false alarm below 1e-4, fixed seed
    # and it goes on as well as before
    later = grown(1.2)
    moved = anchored.followed(later, 11, bins, PLAN).newest
    gap = moved["log_partition"] - exact_log_partition(later)
    assert abs(gap) < 4 * moved["log_partition_stderr"]


def check(score, annealed, bins, fold=None):
    """Check a score of the model grown to its last value, at update 10."""
    model, fold = grown(1.0), bins if fold is None else fold
    of_fold = float(-model.free_energy(fold.states).mean()) - annealed.value
    return score.checked(model, 10, annealed, (of_fold, 0.1, 0.05), bins, model.visible.field, PLAN)


def shifted(estimate, by, size=None):
    size = estimate.effective_sample_size if size is None else size
    return LogPartition(
        estimate.value + by, estimate.stderr, size, estimate.log_weights + by, "forward"
    )


def test_estimates_that_disagree_widen_the_error():
    bins = samples()
    score = along(bins)[0]
    mine = score.running.estimate()
    apart = check(score, shifted(mine, 0.9), bins)
    assert apart.resets == 0
    found = apart.running.estimate()
    assert found.value == pytest.approx(mine.value + 0.45, abs=0.05)
    assert found.stderr == pytest.approx(0.45, abs=0.05)


@pytest.mark.parametrize("by", [-1.5, 1.5])
def test_an_estimate_that_strayed_is_annealed_anew(by):
    bins, model = samples(), grown(1.0)
    score, exact = along(bins)[0], exact_log_partition(model)
    other = annealed_importance(model, Generator.from_seed(5, "ais"), chains=500, rungs=100)
    strayed = replace(score, running=replace(score.running, settled=score.running.settled + by))
    mended = check(replace(strayed, checked_at=7), other, bins)
    assert mended.resets == 1
    assert abs(mended.running.estimate().value - exact) < 4 * other.stderr
    # the scores since the last check are struck out, the annealed one stands in
    assert mended.frame()["update"].tolist() == [1, 2, 3, 4, 5, 6, 7, 10]
    assert mended.frame()["annealed"].tolist() == [0] * 7 + [1]
    assert mended.newest["log_partition"] == other.value
    # an annealing that rests on a few chains can throw nothing over
    unsure = check(strayed, shifted(other, 0.0, 20.0), bins)
    assert unsure.resets == 0
    assert unsure.running is strayed.running


def test_chains_that_are_lost_give_no_score_until_the_next_check():
    bins, model = samples(), grown(1.0)
    fast = PLAN.model_copy(update={"score_every": 1})
    assert most_steps(fast, len(bins.states)) == 1
    lost = start().followed(grown(4.0), 9, bins, fast)
    assert lost.lost
    assert not len(lost.history)
    again = lost.followed(model, 10, bins, PLAN)
    assert again is lost
    other = annealed_importance(model, Generator.from_seed(5, "ais"), chains=500, rungs=100)
    found = check(again, other, bins)
    assert not found.lost
    assert found.frame()["update"].tolist() == [10]
    assert abs(found.running.estimate().value - exact_log_partition(model)) < 4 * other.stderr
    # the control: with steps enough the same way loses nothing
    slow = PLAN.model_copy(update={"score_every": 2000})
    assert not start().followed(grown(4.0), 9, bins, slow).lost


def test_the_cost_of_following_is_counted():
    assert chains_of(PLAN) == 200
    assert chains_of(make_plan(chains=100)) == 100
    assert chains_of(make_plan(chains=2)) == 10
    for every in (25, 50, 200):
        plan = PLAN.model_copy(update={"score_every": every})
        cost = 4 * 200 * most_steps(plan, 300) + 300
        assert 0.5 < cost / (0.04 * every * (500 * 5 + 500 + 1000)) <= 1


def test_some_bins_stand_for_the_fold():
    """The offset taken at a checkpoint makes the score of a tenth of the bins that of all."""
    fold, model = samples(), grown(1.0)
    # the busiest, so that they are unlike the rest
    some = bins_of(fold.states[fold.states.sum(dim=1).argsort()[-40:]])
    score = along(some)[0]
    exact = float(-model.free_energy(fold.states).mean()) - exact_log_partition(model)
    before = score.newest["validation_nats_per_bin"]
    log_z = score.running.estimate()
    anchored = check(score, log_z, some, fold)
    later = grown(1.1)
    after = anchored.followed(later, 11, some, PLAN).newest["validation_nats_per_bin"]
    exact_later = float(-later.free_energy(fold.states).mean()) - exact_log_partition(later)
    assert abs(before - exact) > 0.5, "these bins are like the fold: no control"
    assert abs(after - exact_later) < 0.2 * abs(before - exact)


def test_what_is_restored_goes_on_bit_for_bit():
    bins = samples()
    score = along(bins)[0]
    again = RunningScore.restore(score.running.model, score.tensors())
    first, second = (one.followed(grown(0.8), 11, bins, PLAN) for one in (score, again))
    for name, value in first.tensors().items():
        assert torch.equal(value, second.tensors()[name]), name
    other = RunningScore.start(grown(0.05), grown(0.05).visible.field, make_plan(seed=4))
    assert not torch.equal(other.running.visible, start().running.visible)


def test_the_error_over_bins_is_clustered():
    values = torch.tensor([1.0, 1.0, 3.0, 3.0])
    assert error_over_bins(values, Clusters(np.array([0, 0, 1, 1]), "segment", None)) == 1.0
    # one cluster has no error of its own: its bins are taken as independent
    alone = error_over_bins(values, Clusters(np.zeros(4, dtype=np.int64), "segment", None))
    assert alone == pytest.approx(math.sqrt(4 / 3) / 2)
    assert error_over_bins(values[:1], Clusters(np.zeros(1, dtype=np.int64), "segment", None)) == 0
