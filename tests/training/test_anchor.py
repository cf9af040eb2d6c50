"""The anchor: its gradient is that of the objective, and without weight it is not there."""

from __future__ import annotations

import json

import pytest
import torch

from boltzbrain.foundations.checks import InputError
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.training.anchor import Anchor
from boltzbrain.training.health.convergence import _means_of_samples
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.anchored import (
    mixed,
    moments_of_hidden,
    read_samples,
    write_samples,
)
from boltzbrain.training.update.gradient import (
    Ascent,
    log_likelihood_gradient,
    parameters_of,
    with_parameters,
)
from helpers.activities import activity_of
from helpers.enumeration import exact_distribution

SHARE = 0.4


def case(kind: str) -> tuple[RBM, torch.Tensor, torch.Tensor]:
    """Return a model, bins, and hidden samples of another model."""
    stream = Generator.from_seed(3, "anchor", kind)
    model, other = (
        random_model(kind, 5, 3, stream, weight_std=0.6, dtype=torch.float64) for _ in range(2)
    )
    bins, more = ((stream.uniform((30, 5)) < 0.4).to(torch.uint8) for _ in range(2))
    return model, bins, other.sample_hidden(more, stream)


def exact_moments(model: RBM) -> Moments:
    """Return the moments of the model itself: listed states whose means carry their probability."""
    states, log_p = exact_distribution(model)
    p = log_p.exp()
    inputs = model.inputs_to_hidden(states)
    statistics = model.hidden.mean_statistics(inputs)
    means = model.hidden.mean(inputs)
    return Moments(
        {"field": p @ states.to(torch.float64)},
        {name: p @ value for name, value in statistics.items()},
        p @ states.to(torch.float64),
        p @ means,
        states,
        means * p[:, None] * len(p),
    )


def objective(model: RBM, bins: torch.Tensor, hidden: torch.Tensor) -> float:
    log_z = exact_log_partition(model)
    of_bins = -model.free_energy(bins).mean() - log_z
    of_hidden = -model.free_energy_of_hidden(hidden).mean() - log_z
    return float((1 - SHARE) * of_bins + SHARE * of_hidden)


@pytest.mark.parametrize("kind", ["bernoulli", "drelu"])
def test_the_gradient_is_that_of_both_terms(kind):
    """Central differences of the enumerated objective, every parameter of the model."""
    model, bins, hidden = case(kind)
    anchored = moments_of_hidden(model, hidden)
    data = mixed(model.moments(bins), anchored, SHARE)
    found = log_likelihood_gradient(
        model, data, exact_moments(model), centred=False, anchored=(anchored, SHARE)
    )
    step = 1e-4
    for name, value in parameters_of(model).items():
        for place in range(value.numel()):
            ends = []
            for sign in (1, -1):
                moved = value.clone()
                moved.view(-1)[place] += sign * step
                other = with_parameters(model, {**parameters_of(model), name: moved})
                ends.append(objective(other, bins, hidden))
            difference = (ends[0] - ends[1]) / (2 * step)
            assert float(found[name].reshape(-1)[place]) == pytest.approx(difference, abs=1e-6)


def test_the_centred_gradient_is_centred_at_the_mixture():
    model, bins, hidden = case("drelu")
    anchored = moments_of_hidden(model, hidden)
    data, chains = mixed(model.moments(bins), anchored, SHARE), model.moments(bins[:7])
    plain, centred = (
        log_likelihood_gradient(model, data, chains, centred=one, anchored=(anchored, SHARE))
        for one in (False, True)
    )
    weights = (
        plain["weights"]
        - torch.outer(data.mean_visible, data.mean_hidden - chains.mean_hidden)
        - torch.outer(data.mean_visible - chains.mean_visible, data.mean_hidden)
    )
    assert torch.allclose(centred["weights"], weights, atol=1e-12)
    field = plain["visible.field"] - weights @ data.mean_hidden
    assert torch.allclose(centred["visible.field"], field, atol=1e-12)


def test_samples_of_a_model_leave_its_gradient_at_zero():
    """A model is its own perfect student: the mean over its hidden law of the second term is 0."""
    model, _, _ = case("bernoulli")
    chains = exact_moments(model)
    states, log_p = exact_distribution(RBM(model.hidden, model.visible, model.weights.T))
    picked = moments_of_hidden(model, states)
    p = log_p.exp()
    assert torch.allclose(p @ picked.states, chains.mean_visible, atol=1e-12)
    assert torch.allclose(
        (p[:, None] * picked.states).T @ picked.means,
        chains.states.to(torch.float64).T @ chains.means / len(chains.means),
        atol=1e-12,
    )


def test_precisions_rest_where_they_are_fixed():
    model, bins, hidden = case("drelu")
    plan = make_plan("binary", hidden=3, hidden_kind="drelu", fixed_precisions=True)
    ascent = Ascent(model, plan)
    ascent.step(bins, bins[:10], 1, anchor=(hidden, SHARE))
    before, after = model.hidden.parameters(), ascent.model.hidden.parameters()
    for name, value in after.items():
        assert torch.equal(value, before[name]) == (name in model.hidden.positive), name


PLAN = {
    "hidden": 3,
    "updates": 20,
    "batch": 20,
    "chains": 20,
    "sweeps": 1,
    "checkpoints": 3,
    "ais_chains": 20,
    "ais_rungs": 10,
}


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """Return an activity, the file of hidden samples and its folder."""
    folder = tmp_path_factory.mktemp("anchor")
    model, _, _ = case("bernoulli")
    model = model.to(torch.float32)
    states = model.sample(100, seed=1, sweeps=5, anneal=5)
    write_samples(folder / "q.h5", model.sample_hidden(states, Generator.from_seed(1)))
    return activity_of(states.numpy()), folder


def end_of(run):
    last = run.load(run.checkpoints()[-1].update)
    return {**parameters_of(last.live), "chains": last.chains.visible}


def test_without_weight_it_is_ordinary_training_bit_for_bit(beside):
    activity, folder = beside
    anchor = Anchor.of(folder / "q.h5", 0.0)
    ends = [
        end_of(train(activity, make_plan(**PLAN, anchor=one), folder / name))
        for name, one in (("plain", None), ("none", anchor), ("half", Anchor.of(folder / "q.h5")))
    ]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert not torch.equal(ends[0]["weights"], ends[2]["weights"])


def test_an_anchored_training_resumes_bit_for_bit(beside, monkeypatch):
    """Gone on with from what a kill left: the batches of samples follow from the update alone."""
    activity, folder = beside
    plan = make_plan(**PLAN, anchor=Anchor.of(folder / "q.h5"))
    start = RBM.load(folder / "none/checkpoints/0000020.h5")
    whole = train(activity, plan, folder / "whole", begin=start)
    cut = train(activity, plan, folder / "cut", begin=start)
    for one in cut.checkpoints()[1:]:
        one.path.unlink()
    info = json.loads((cut.folder / "run.json").read_text())
    info |= {"status": "started", "chosen_update": None}
    (cut.folder / "run.json").write_text(json.dumps(info))
    ends = end_of(whole), end_of(resume(cut.folder))
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_another_file_is_refused_before_any_work(beside, tmp_path):
    activity, folder = beside
    anchor = Anchor(samples=str(tmp_path / "q.h5"), sha256=Anchor.of(folder / "q.h5").sha256)
    write_samples(tmp_path / "q.h5", read_samples(folder / "q.h5")[:10])
    with pytest.raises(InputError, match=r"q\.h5 must be the hidden samples that the plan names"):
        train(activity, make_plan(**PLAN, anchor=anchor), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="normalised must be false beside an anchor"):
        make_plan("compositional", anchor=anchor, assemblies=False)
    other = make_plan(**{**PLAN, "hidden": 4}, anchor=Anchor.of(folder / "q.h5"))
    with pytest.raises(InputError, match=r"have shape \(sample, 4\)"):
        train(activity, other, tmp_path / "run")


def test_the_verdict_on_convergence_takes_the_mixture(beside):
    model, _, hidden = case("drelu")
    found, moments = _means_of_samples(model, hidden, 1), moments_of_hidden(model, hidden)
    assert torch.allclose(found.value["v"], moments.mean_visible)
    assert torch.allclose(found.value["vh"], moments.products)
    exact = (moments.states * moments.states).mean(dim=0) - moments.mean_visible**2
    assert torch.allclose(found.squared_error["v"], exact / (len(hidden) - 1))
