"""Training, scoring and sampling on a device that is not the host: nothing is left behind there."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import boltzbrain as bb
from boltzbrain.evaluation import samples
from boltzbrain.evaluation.evaluate import evaluate_model
from boltzbrain.evaluation.partitions import forward_log_partition
from boltzbrain.foundations.checks import InputError
from boltzbrain.training import device as choice
from boltzbrain.training import train as training
from boltzbrain.training.health.symptoms import EVERY
from boltzbrain.training.plan import make_plan
from boltzbrain.training.update.gradient import parameters_of
from helpers.activities import activity_of
from helpers.pretend_gpu import DEVICE, pretend_gpu

QUICK = {
    "updates": 30, "batch": 40, "chains": 12, "sweeps": 1, "checkpoints": 2, "score_every": 10,
    "ais_chains": 12, "ais_rungs": 12,
}  # fmt: skip


@pytest.fixture
def gpu(monkeypatch):
    """A machine with one GPU."""
    here = choice.device_of

    def device_of(asked, products):
        return DEVICE if asked.startswith("cuda") else here(asked, products)

    monkeypatch.setattr(choice, "device_of", device_of)
    with pretend_gpu() as pretence:
        yield pretence


def activity(bins: int = 300):
    generator = np.random.default_rng(0)
    on = generator.random((bins, 1)) < 0.3
    states = generator.random((bins, 8)) < np.where(on, 0.6, 0.1)
    return activity_of(states.astype(np.uint8), segment_bins=10)


def quick(preset: str = "binary", **changes):
    return make_plan(preset, hidden=3, **{**QUICK, **changes})


def test_a_training_on_a_gpu_is_that_of_the_cpu(tmp_path, gpu):
    there = training.train(activity(), quick(), tmp_path / "gpu", device="cuda")
    here = training.train(activity(), quick(), tmp_path / "cpu", device="cpu")
    assert there.devices == ["pretend:0"]
    assert here.devices == ["cpu"]
    # by rounding alone: the same random numbers, added up in another order
    torch.testing.assert_close(there.best.weights, here.best.weights, rtol=0, atol=1e-3)
    score = "validation_nats_per_bin"
    np.testing.assert_allclose(there.log()[score], here.log()[score], atol=1e-3)


class StoppedError(Exception):
    """A kill in the middle of a training."""


def stop_at(update: int):
    def callback(progress) -> None:
        if progress.done == update:
            raise StoppedError

    return callback


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("binary", {}),
        ("compositional", {}),
        ("binary", {"chains_by": "trajectory", "weights_from": "directions"}),
    ],
)
def test_a_training_that_goes_on_on_a_gpu_has_its_whole_state_there(preset, options, tmp_path, gpu):
    plan = quick(preset, checkpoints=4, **options)
    whole = training.train(activity(), plan, tmp_path / "whole")
    with pytest.raises(StoppedError):
        training.train(activity(), plan, tmp_path / "run", [stop_at(20)])
    run = training.resume(tmp_path / "run", device="cuda")
    assert run.devices == ["cpu", "pretend:0"]
    torch.testing.assert_close(run.best.weights, whole.best.weights, rtol=0, atol=1e-3)


def test_every_tensor_of_a_checkpoint_moves(tmp_path, gpu):
    plan = quick("compositional", optimizer="adam", momentum=0.5)
    run = training.train(activity(), plan, tmp_path / "run")
    kept = run.load(run.chosen_update)
    assert kept.running_score is not None
    moved = kept.to(DEVICE)
    running = moved.running_score.running
    tensors = {
        **moved.optimizer,
        **{f"live.{name}": one for name, one in parameters_of(moved.live).items()},
        **{f"model.{name}": one for name, one in parameters_of(moved.model).items()},
        **{f"their.{name}": one for name, one in parameters_of(running.model).items()},
        "visible": moved.chains.visible,
        "hidden": moved.chains.hidden,
        "running": running.visible,
        "weights": running.log_weights,
    }
    assert len(moved.optimizer) > 5
    assert {one.device for one in tensors.values()} == {DEVICE}


def test_updates_wait_for_nothing_but_scores_and_symptoms(tmp_path, gpu):
    seen: dict[int, int] = {}

    def count(progress) -> None:
        seen[progress.done] = gpu.copies.total()

    plan = quick(checkpoints=1, score_every=None)
    training.train(activity(), plan, tmp_path / "run", [count], device="cuda")
    looked = {one for one in seen if one % EVERY == 0 or one == plan.updates}
    waited = {one for one in seen if one > 1 and seen[one] != seen[one - 1]}
    assert waited <= looked
    # the control: what looks is seen to wait
    assert waited


def test_a_gpu_scores_and_samples_as_the_cpu_does(tmp_path, gpu, monkeypatch):
    monkeypatch.setattr(samples, "CHAINS", 20)
    monkeypatch.setattr(samples, "_FEWEST_CHAINS", 20)
    monkeypatch.setitem(evaluate_model.__kwdefaults__, "ais_chains", 40)
    monkeypatch.setitem(evaluate_model.__kwdefaults__, "ais_rungs", 20)
    run = training.train(activity(), quick(), tmp_path / "run")
    there, here = (bb.evaluate(run, device=device) for device in ("cuda", "cpu"))
    assert (there["device"], here["device"]) == ("pretend:0", "cpu")
    for name, one in here["log_likelihood"]["log_partition"].items():
        other = there["log_likelihood"]["log_partition"][name]
        assert other["value"] == pytest.approx(one["value"], abs=1e-3), name
    for sampler, options in (
        ("gibbs", {"sweeps": 5, "anneal": 5}),
        ("trajectory", {"chains": 4, "warm_up": 4}),
    ):
        drawn = [
            bb.sample(run, 20, sampler=sampler, device=device, **options)
            for device in ("cuda", "cpu")
        ]
        # a state differs only where its probability and its uniform agree to rounding
        assert (drawn[0].states != drawn[1].states).mean() < 0.05
        assert drawn[0].step("sample").options["device"] == "pretend:0"


def copies_of(gpu, work) -> int:
    before = gpu.copies.total()
    work()
    return gpu.copies.total() - before


def test_annealing_and_sampling_wait_as_often_however_long_they_are(tmp_path, gpu):
    run = training.train(activity(), quick(), tmp_path / "run")
    model, field = run.best.to(DEVICE), torch.zeros(8)

    def anneal(rungs: int) -> None:
        forward_log_partition(model, field, 0, chains=40, rungs=rungs)

    def draw(sweeps: int) -> None:
        bb.sample(run, 10, sampler="gibbs", sweeps=sweeps, anneal=sweeps, device="cuda")

    annealed, drawn = (
        [copies_of(gpu, partial(work, n)) for n in (10, 20)] for work in (anneal, draw)
    )
    assert annealed[0] == annealed[1]
    assert drawn[0] == drawn[1]
    assert min(annealed + drawn) > 0


def test_assemblies_that_are_on_or_off_stay_on_the_cpu(gpu):
    plan = make_plan("assemblies")
    assert choice.device_for("auto", plan, 10**6) == torch.device("cpu")
    with pytest.raises(InputError, match="be cpu or auto where chains go by moves"):
        choice.device_for("cuda", plan, 10)
