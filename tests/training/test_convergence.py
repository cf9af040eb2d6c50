"""Convergence is judged, trouble is noticed and mended, and the course does not depend on kills."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from boltzbrain.cli.summaries.results import convergence_line
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import TrainingFailedError
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.rbm import RBM
from boltzbrain.pages.verdicts import score as score_verdicts
from boltzbrain.sampling.enumeration import exact_log_partition, exact_samples
from boltzbrain.sampling.gibbs import Chains, advance, start_chains
from boltzbrain.sampling.synthetic import random_model, simulate_assemblies
from boltzbrain.training import train as training
from boltzbrain.training.health.convergence import (
    NEGLIGIBLE,
    Convergence,
    assess,
    idle_units,
    without_pull,
)
from boltzbrain.training.health.restarts import MENDS, Interventions, Restart
from boltzbrain.training.health.symptoms import Symptom, rescued, symptom
from boltzbrain.training.plan import make_plan
from boltzbrain.training.run.checkpoints import read_checkpoint
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.gradient import Ascent, parameters_of
from boltzbrain.training.update.penalties import Penalties
from boltzbrain.training.update.state import State
from helpers.activities import activity_of

SMALL: dict[str, Any] = {
    "hidden": 3,
    "updates": 320,
    "batch": 50,
    "chains": 20,
    "sweeps": 1,
    "checkpoints": 4,
    "learning_rate": 0.2,
    "weight_std": 0.1,
    "ais_chains": 20,
    "ais_rungs": 10,
}


def model_of(kind: str = "bernoulli") -> RBM:
    return random_model(
        kind, 12, 4, Generator.from_seed(5, kind), weight_std=0.6, visible_mean=-1.5
    )


def samples(model: RBM, n: int) -> torch.Tensor:
    return model.sample(n, seed=4, sweeps=100, anneal=20)


def judged(model: RBM, states: torch.Tensor, chains: Chains | None = None) -> Convergence:
    if chains is None:
        chains = advance(model, start_chains(model, 100, Generator.from_seed(1)), 50)
    return assess(
        model,
        states,
        chains,
        penalties=Penalties(),
        generator=Generator.from_seed(2),
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_model_of_its_own_samples_has_converged(kind: str) -> None:
    """False alarms: an entry is off by 3 errors in 1 of 60 draws (10 groups), 1 of 20 may be."""
    model = model_of(kind)
    # weak enough that the chains of every kind forget within some sweeps
    model = replace(model, weights=0.5 * model.weights)
    assert judged(model, samples(model, 3000)).complaints() == []


def test_each_condition_can_fail() -> None:
    model = model_of()
    states = samples(model, 3000)
    shifted = replace(model, visible=Bernoulli(model.visible.parameters()["field"] + 0.4))
    assert "<v>" in judged(shifted, states).complaints()[0]
    turned = replace(model, weights=-model.weights)
    assert judged(turned, states).within["vh"] < 0.95
    wide = replace(model, weights=4 * model.weights)
    assert any("weights" in one for one in judged(wide, states).complaints())
    weights = model.weights.clone()
    weights[:, 0] = 0.0
    assert judged(replace(model, weights=weights), states).idle == 0.25
    # two modes that no chain leaves: two hidden units that can only be on together
    torn = RBM(Bernoulli(torch.full((12,), -15.0)), Bernoulli(torch.full((2,), -25.0)),
               torch.full((12, 2), 10.0))  # fmt: skip
    chains = start_chains(torn, 100, Generator.from_seed(3))
    visible = chains.visible.clone()
    visible[::2] = 1
    found = judged(torn, states, replace(chains, visible=visible))
    assert found.r_hat is None or found.r_hat > 1.1
    # then nothing else that the chains say counts
    assert not any("training bins" in one for one in found.complaints())


@pytest.mark.parametrize(("rise", "status"), [(0.0, "converged"), (0.7, "not")])
def test_assemblies_that_sweeps_never_switch_are_judged(rise: float, status: str) -> None:
    """By sweeps both would fail alike: chains stay on, or off, as the data were."""
    size = 300
    odds = -size * math.log(2 / (1 + math.e**-3)) - 0.5
    right = RBM(Bernoulli(torch.full((size,), -3.0)), Bernoulli(torch.tensor([odds])),
                torch.linspace(2.9, 3.1, size)[:, None])  # fmt: skip
    states = exact_samples(right, 3000, Generator.from_seed(6))
    generator = Generator.from_seed(7)
    visible = states[:200]
    chains = Chains(visible, right.sample_hidden(visible, generator), generator)
    swept = advance(right, chains, 100).hidden
    assert bool((swept == chains.hidden).all())
    model = replace(right, hidden=Bernoulli(torch.tensor([odds + rise])))
    found = judged(model, states, chains)
    assert found.r_hat is not None
    assert found.r_hat < 1.1
    # the rates of all neurons are right or off together, by .17 of the bins on
    assert (found.complaints() == []) == (status == "converged")
    if status == "not":
        assert "<v>" in found.complaints()[0]


def test_chains_that_stray_start_again_as_copies_of_others() -> None:
    batch = torch.zeros(5, 40, dtype=torch.uint8)
    batch[:, :3] = 1
    states = torch.eye(40, dtype=torch.uint8)
    hidden = torch.arange(40.0)[:, None]
    chains = Chains(states, hidden, Generator.from_seed(0))
    assert rescued(chains, batch, 0, 25) is chains
    others = torch.arange(40) != 4
    gone = states.clone()
    gone[4, :12] = 1  # more than twice 3 and 5
    found = rescued(Chains(gone, hidden, Generator.from_seed(0)), batch, 0, 25)
    assert torch.equal(found.visible[others], states[others])
    other = int(found.hidden[4, 0])
    assert other != 4
    assert torch.equal(found.visible[4], states[other])
    # three of forty are more than 5 %: a divergence, which must stay to be seen
    gone[:3, :12] = 1
    many = Chains(gone, hidden, Generator.from_seed(0))
    assert rescued(many, batch, 0, 25) is many


def test_what_the_penalties_hold_apart_is_taken_back() -> None:
    """At the maximum of the penalised likelihood <v h> differs by l1 sign(w) + l2 w."""
    weights = torch.tensor([0.5, -0.5, 0.0, 0.0, 0.0, 0.5, 0.001, 0.001], dtype=torch.float64)
    apart = torch.tensor([0.12, -0.12, 0.02, -0.05, 0.04, 0.0, -0.02, 0.05], dtype=torch.float64)
    penalties, column = Penalties(l1=0.02, l2=0.2), weights[:, None]
    most = penalties.l1_of_units(column)
    pull = penalties.pull(column)
    left = without_pull(apart[:, None], column, pull, most, NEGLIGIBLE)[:, 0]
    wanted = torch.tensor([0, 0, 0, -0.03, 0.02, -0.12, 0, 0.03], dtype=torch.float64)
    assert torch.allclose(left, wanted)
    # released, only weights of exactly 0 are still held
    pull = replace(penalties, released=True).pull(column)
    left = without_pull(apart[:, None], column, pull, most, 0.0)[:, 0]
    wanted = torch.tensor([0.02, -0.02, 0, -0.03, 0.02, -0.1, -0.0202, 0.0498], dtype=torch.float64)
    assert torch.allclose(left, wanted)


def test_a_unit_has_the_penalty_of_its_own_weights() -> None:
    """Proportional to sum |w| of the unit, on average l1, and the one of the optimiser."""
    weights = torch.tensor([[0.1, -0.4, 0.0], [-0.1, 0.4, 0.2]], dtype=torch.float64)
    penalties = Penalties(0.3, 0.5, by_unit=True)
    wanted = torch.tensor([0.15, 0.6, 0.15], dtype=torch.float64)
    assert torch.allclose(penalties.l1_of_units(weights), wanted)
    assert torch.allclose(penalties.pull(weights), wanted * weights.sign() + 0.5 * weights)
    assert penalties.l1_of_units(torch.zeros(2, 3)).tolist() == pytest.approx([0.3] * 3)
    assert Penalties(0.3).l1_of_units(weights).tolist() == [0.3] * 3

    # the gradient is the same everywhere, so that the units differ by their thresholds alone
    plan = make_plan(
        "compositional", hidden=3, l1=0.3, l1_warmup=0.0, normalised=False, release=0.0
    )
    model = RBM(Bernoulli(torch.zeros(2)), KINDS["drelu"].standard(3), weights.float())
    ascent = Ascent(model, plan)
    states = torch.tensor([[0, 1], [1, 0]], dtype=torch.uint8)
    ascent.step(states, states, plan.updates)
    shrunk = weights.float() - ascent.model.weights
    width = 1e-6  # of RMSprop without any gradient
    expected = plan.rate_at(plan.updates) * wanted.float() / width
    assert torch.allclose(shrunk.abs(), torch.minimum(expected, weights.float().abs()))


def test_weights_that_the_penalty_holds_at_0_are_told_from_the_others() -> None:
    """Steps of noise and the pull back leave |w| at rate s / (2 l1) on average: 10 %, 5 sigma."""
    rate, l1, spread, noise = 1e-3, 0.1, 0.5, Generator.from_seed(0, "noise")
    plan = make_plan("compositional", hidden=50, l1=l1, l1_warmup=0.0, learning_rate=rate,
                     final_learning_rate=rate, l1_by_unit=False)  # fmt: skip
    model = RBM(Bernoulli(torch.zeros(40)), KINDS["drelu"].standard(50), torch.zeros(40, 50))
    ascent = Ascent(model, plan)
    gradient = {name: torch.zeros_like(value) for name, value in ascent.parameters.items()}
    held, drawn = torch.full((50,), rate * l1), torch.zeros(40, 50)
    sizes = []
    for update in range(1500):
        gradient["weights"] = spread * noise.normal((40, 50))
        # the first unit has a reason to have weights: twice what the penalty takes
        gradient["weights"][:, 0] += 2 * l1
        ascent.optimiser.step(gradient, dict.fromkeys(gradient, rate), {"weights": held})
        if update >= 500:
            sizes.append(float(ascent.parameters["weights"][:, 1:].abs().mean()))
            drawn += ascent.parameters["weights"] / 1000
    assert np.mean(sizes) == pytest.approx(rate * spread / (2 * l1), rel=0.1)
    idle = ascent.idle_weights(drawn, 1)
    assert not idle[:, 0].any()
    assert idle[:, 1:].double().mean() > 0.95
    # without the mean a third lies beyond, as of every exponential law
    live = ascent.idle_weights(ascent.parameters["weights"], 1)[:, 1:]
    assert live.double().mean() == pytest.approx(1 - np.exp(-1), abs=0.06)
    # steps that a restart has made smaller leave less noise
    slower = ascent.idle_weights(drawn, 1, rate_divisor=10.0)
    assert torch.equal(slower, drawn.abs() <= rate * ascent.optimiser.spread("weights") / (20 * l1))
    assert slower.double().mean() < 0.5 * idle.double().mean()
    # nothing is known of the noise before the first update
    fresh = Ascent(model, plan).idle_weights(drawn, 1)
    assert fresh.all(), "weights of 0"


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam"])
def test_released_weights_are_not_shrunk_and_zeros_stay(
    activity: Activity, tmp_path: Path, optimizer: str
) -> None:
    # the running mean of gradients of adam would move weights that were put to 0
    plan = make_plan(
        **{**CHOOSING, "optimizer": optimizer}, momentum=0.9, release=0.4, averaging=0.9
    )
    run = train(activity, plan, tmp_path / "run")
    last = run.load(plan.updates)
    first = next(one.update for one in run.checkpoints() if plan.released_at(one.update))
    there = run.load(first)
    assert first < plan.updates
    for kept in (there, last):
        assert torch.equal(kept.live.weights == 0, there.live.weights == 0)
        assert (kept.model.weights[kept.live.weights == 0] == 0).all()
    assert 0 < int((last.live.weights == 0).sum()) < last.live.weights.numel()

    # the step of a weight that is not 0 is the one without a penalty
    steps = []
    for penalty in (last.interventions.l1, 0.0):
        ascent = Ascent(last.live, plan)
        ascent.restore_optimizer(last.optimizer)
        states = torch.from_numpy(activity.states)
        ascent.step(states[:200], states[200:400], plan.updates, l1=penalty)
        steps.append(ascent.model.weights)
    away = last.live.weights != 0
    assert torch.equal(steps[0][away], steps[1][away])
    assert (steps[0][~away] == 0).all()
    assert not (steps[1][~away] == 0).all()


@pytest.mark.parametrize("optimizer", ["rmsprop", "sgd"])
@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if KINDS[kind].scale_powers))
def test_natural_steps_mean_the_same_at_every_scale(kind: str, optimizer: str) -> None:
    """h -> s h divides parameters by s**p; so does it what a step makes of them."""
    scale, model = 3.0, model_of(kind)
    layer = model.hidden
    powers = layer.scale_powers
    wider = RBM(
        model.visible,
        layer.with_parameters(
            {name: value / scale ** powers[name] for name, value in layer.parameters().items()}
        ),
        model.weights / scale,
    )
    states = samples(model, 400)

    def stepped(first: RBM, rate: float | str) -> dict[str, torch.Tensor]:
        plan = make_plan(
            "compositional", hidden=4, potential_rate=rate, normalised=False, l1=0.0, release=0.0,
            optimizer=optimizer,
        )  # fmt: skip
        ascent = Ascent(first, plan)
        ascent.step(states[:200], states[200:], 1)
        return ascent.model.hidden.parameters()

    def apart(rate: float | str) -> float:
        one, other = stepped(model, rate), stepped(wider, rate)
        return max(
            float((other[name] * scale ** powers[name] / value - 1).abs().max())
            for name, value in one.items()
        )

    assert apart(10.0) < 1e-3
    assert apart("none") > 3e-3, "plain steps are of another length in other units"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_idle_units_are_those_that_say_nothing(kind: str) -> None:
    model = model_of(kind)
    inputs = model.inputs_to_hidden(samples(model, 500))
    assert not idle_units(model.hidden, inputs).any()
    inputs[:, 1] = 0.7
    assert idle_units(model.hidden, inputs).tolist() == [False, True, False, False]
    if not model.hidden.scale_powers:
        inputs[:, 2] += 50.0
        assert idle_units(model.hidden, inputs).tolist() == [False, True, True, False]


def test_symptoms() -> None:
    plan = make_plan(**SMALL)
    model = model_of()
    states = samples(model, 200)

    def found(changed: RBM, chains: torch.Tensor = states, update: int = 200) -> str:
        seen = symptom(changed, states, chains, plan, update)
        return "" if seen is None else f"{seen.kind}: {seen.reason}"

    assert found(model) == ""
    broken = model.weights.clone()
    broken[0, 0] = torch.nan
    assert "finite numbers" in found(replace(model, weights=broken))
    assert "run away" in found(replace(model, weights=100 * model.weights))
    assert "active neurons" in found(model, torch.ones_like(states))
    assert "active neurons" in found(model, torch.zeros_like(states))
    few = 0 * states
    few[::10] = 1
    assert found(model, torch.maximum(states, few)) == ""  # 12 neurons: none has twice as many
    assert "vanish" in found(replace(model, weights=0.01 * model.weights))
    assert found(replace(model, weights=0.01 * model.weights), update=50) == ""  # not grown yet
    idle = model.weights.clone()
    idle[:, 0] = 0.0
    from_data = make_plan(**{**SMALL, "weights_from": "data"})
    seen = symptom(replace(model, weights=idle), states, states, from_data, 200)
    assert seen is not None
    assert "collapsed: 25%" in seen.reason
    # noise that has not grown is no dead unit, but one that has grown and is always on is
    assert found(replace(model, weights=idle)) == ""
    field = model.hidden.parameters()["field"].clone()
    field[0] = 50.0
    on = model.hidden.with_parameters({"field": field})
    assert "collapse: collapsed: 25%" in found(replace(model, hidden=on))


def test_the_course_knows_what_lies_on_it() -> None:
    first = Interventions().restarted(Restart(620, 500, "diverged"))
    second = first.restarted(Restart(560, 400, "diverged"))
    assert second.includes(Interventions(), 400)
    assert not second.includes(Interventions(), 500)
    assert first.includes(Interventions(), 500)
    assert second.includes(first, 400)
    assert not second.includes(first, 540)
    assert not first.includes(second, 410)
    assert Interventions.from_json(second.to_json()) == second
    assert (Interventions().rate_divisor, Interventions().batch_factor) == (1.0, 1)
    assert (second.rate_divisor, second.batch_factor) == MENDS[1]


@pytest.fixture(scope="module")
def activity() -> Activity:
    return activity_of(samples(model_of(), 500).numpy())


def poison(monkeypatch: pytest.MonkeyPatch, *when: tuple[int, int]) -> None:
    """Make the weights leave the data at (restarts so far, update): trouble that is sure."""
    step = State.step

    def poisoned(state: State) -> None:
        step(state)
        if (len(state.interventions.restarts), state.update) in when:
            state.ascent.parameters["visible.field"].fill_(30.0)

    monkeypatch.setattr(State, "step", poisoned)


def same(first: TrainingRun, second: TrainingRun) -> bool:
    ends = [run.load(run.checkpoints()[-1].update) for run in (first, second)]
    one, two = (parameters_of(end.live) | parameters_of(end.model) for end in ends)
    return (
        all(torch.equal(one[name], two[name]) for name in one)
        and torch.equal(ends[0].chains.visible, ends[1].chains.visible)
        and first.info["convergence"] == second.info["convergence"]
        and first.log().drop(columns="seconds").equals(second.log().drop(columns="seconds"))
        and first.checkpoints()[-1].update == second.checkpoints()[-1].update
        and len(first.checkpoints()) == len(second.checkpoints())
    )


def test_a_divergence_is_noticed_and_mended(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, (0, 130), (1, 210), (2, 210))
    told: list[int] = []
    run = train(
        activity, make_plan(**SMALL), tmp_path / "run",
        [lambda progress: told.append(len(progress.facts["restarts"]))],
    )  # fmt: skip
    history = run.info["convergence"]["history"]
    assert [one["back_to"] for one in history] == [100, 200, 100]
    assert all(one["update"] - at <= 50 for one, at in zip(history, (130, 210, 210), strict=True))
    assert run.info["convergence"]["restarts"] == 3
    assert run.info["convergence"]["status"] in ("recovered", "failed")
    assert max(told) == 3
    log = run.log().set_index("update")
    assert log.loc[320, "restarts"] == 3
    assert log.loc[320, "learning_rate"] == pytest.approx(
        make_plan(**SMALL).rate_at(320) / MENDS[2][0]
    )
    assert not (run.folder / "checkpoints" / "good0.h5").exists()


@pytest.mark.parametrize("stops", [(120, 205, 300), (140, 150, 160, 215, 230, 250)])
def test_a_killed_training_takes_the_same_course(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: tuple[int, ...]
) -> None:
    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.05)
    poison(monkeypatch, (0, 130), (1, 210))
    plan = make_plan(**SMALL, averaging=0.9)
    whole = train(activity, plan, tmp_path / "whole")

    def stop_at(update: int) -> Callable[[Progress], None]:
        def callback(progress: Progress) -> None:
            if progress.done >= update:
                raise KeyboardInterrupt

        return callback

    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "cut", [stop_at(stops[0])])
    # rolling checkpoints are rare, so that a resumed training has to go through trouble again
    monkeypatch.setattr(training, "ROLLING_SECONDS", 1e9)
    for update in stops[1:]:
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "cut", [stop_at(update)])
    assert same(whole, resume(tmp_path / "cut"))


def test_a_training_that_cannot_be_saved_keeps_its_last_good_checkpoint(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, *((restarts, 130) for restarts in range(len(MENDS) + 1)))
    with pytest.raises(TrainingFailedError, match="update 100, is intact") as first:
        train(activity, make_plan(**SMALL), tmp_path / "run")
    assert "smaller learning rate" in str(first.value)
    run = TrainingRun.open(tmp_path / "run")
    assert run.info["status"] == "failed"
    assert run.info["convergence"]["status"] == "failed"
    assert run.info["convergence"]["restarts"] == len(MENDS)
    good = max((read_checkpoint(path) for path in run.good_paths), key=lambda one: one.update)
    assert good.update == 100
    assert all(bool(one.isfinite().all()) for one in parameters_of(good.live).values())
    for one in run.checkpoints():
        assert one.update < 130
    with pytest.raises(TrainingFailedError) as again:
        resume(tmp_path / "run")
    assert str(again.value) == str(first.value)


def test_a_learning_rate_that_is_too_large_is_recovered_from(tmp_path: Path) -> None:
    """Nothing is injected here: dReLU units with steps that throw the chains off the data."""
    teacher = random_model("drelu", 12, 4, Generator.from_seed(5), weight_std=0.6)
    plan = make_plan(**{**SMALL, "learning_rate": 40.0}, hidden_kind="drelu")
    run = train(activity_of(samples(teacher, 500).numpy()), plan, tmp_path / "run")
    assert 1 <= run.info["convergence"]["restarts"] <= len(MENDS)
    assert run.log()["learning_rate"].iloc[-1] < plan.rate_at(320)


CHOOSING: dict[str, Any] = {
    **SMALL,
    "hidden_kind": "drelu",
    "optimizer": "rmsprop",
    "normalised": True,
    "learning_rate": 0.01,
    "final_learning_rate": 0.001,
    "updates": 180,
    "l1_trial": 40 / 180,
    "l1_choices": (0.0003, 0.001, 0.003),
}


def test_the_penalty_is_chosen_on_the_validation_fold(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(activity, make_plan(**CHOOSING), tmp_path / "run")
    log = run.log().set_index("update")
    assert log.loc[[40, 80, 120], "l1"].tolist() == [0.0003, 0.001, 0.003]
    trials = log.loc[[40, 80, 120]]
    top = trials.loc[trials["validation_nats_per_bin"].idxmax()]
    enough = top["validation_nats_per_bin"] - top["validation_stderr"]
    best = trials.index[trials["validation_nats_per_bin"] >= enough].max()
    assert set(log.loc[121:, "l1"]) == {log.loc[best, "l1"]}
    assert run.chosen_update > 120
    assert run.penalties_at(run.chosen_update).l1 == log.loc[best, "l1"]
    assert run.info["convergence"]["l1"] == log.loc[best, "l1"]

    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.05)

    def stop_at(update: int) -> Callable[[Progress], None]:
        def callback(progress: Progress) -> None:
            if progress.done == update:
                raise KeyboardInterrupt

        return callback

    with pytest.raises(KeyboardInterrupt):
        train(activity, make_plan(**CHOOSING), tmp_path / "cut", [stop_at(50)])
    for update in (120, 121, 150):
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "cut", [stop_at(update)])
    assert same(run, resume(tmp_path / "cut"))


def test_after_a_collapse_the_next_smaller_penalty_is_taken(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Symptom] = []

    def look(state: State) -> Symptom | None:
        return found.pop() if state.update == 150 and found else None

    monkeypatch.setattr(State, "symptom", look)
    plan = make_plan(**{**CHOOSING, "l1_choices": (1e-5, 1e-3, 2e-3)})
    # scores that make the last the best, so that there is a smaller one
    monkeypatch.setattr(
        training.LikelihoodLog, "row", lambda self, model, update, estimate: {
            "update": update, "validation_nats_per_bin": -200.0 + update,
            "validation_independent": -300.0, "validation_stderr": 0.0, "log_partition": 0.0,
            "log_partition_stderr": 0.0, "validation_gain_stderr": 0.0,
        },
    )  # fmt: skip
    found.append(Symptom("collapse", "collapse on purpose"))
    run = train(activity, plan, tmp_path / "collapse")
    assert run.info["convergence"]["history"][0]["reason"] == "collapse on purpose"
    assert run.penalties_at(run.chosen_update).l1 == 1e-3
    # below the smallest it is halved
    found += 3 * [Symptom("collapse", "collapse on purpose")]
    run = train(activity, plan, tmp_path / "collapses")
    assert run.penalties_at(run.chosen_update).l1 == 5e-6
    found.append(Symptom("divergence", "divergence on purpose"))
    run = train(activity, plan, tmp_path / "divergence")
    assert run.penalties_at(run.chosen_update).l1 == 2e-3


def test_a_training_that_has_not_converged_at_its_end_goes_back_once(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = training.convergence_of
    monkeypatch.setattr(training, "convergence_of", lambda state: {
        **before(state), "status": "failed", "reason": f"on purpose at {state.learning_rate:.2g}",
    })  # fmt: skip
    plan = make_plan(**{**CHOOSING, "checkpoints": 6}, release=0.3, averaging=0.9, late_restarts=1)
    run = train(activity, plan, tmp_path / "run")
    told = run.info["convergence"]
    assert told["status"] == "failed"
    assert told["reason"] == f"on purpose at {plan.rate_at(180) / MENDS[0][0]:.2g}"
    (restart,) = told["history"]
    assert restart["update"] == plan.updates
    assert restart["back_to"] == 80, "the last checkpoint of the first half"
    assert "had not converged: on purpose" in score_verdicts.convergence(told).text
    log = run.log().set_index("update")
    assert log.loc[80, "learning_rate"] == plan.rate_at(80)
    assert log.loc[180, "learning_rate"] == pytest.approx(plan.rate_at(180) / MENDS[0][0])
    assert log.loc[180, "l1"] == told["l1"]

    def stop_at(update: int, restarts: int) -> Callable[[Progress], None]:
        def callback(progress: Progress) -> None:
            if (progress.done, len(progress.facts["restarts"])) == (update, restarts):
                raise KeyboardInterrupt

        return callback

    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.05)
    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "cut", [stop_at(180, 0)])
    for update in (82, 180):
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "cut", [stop_at(update, 1)])
    assert same(run, resume(tmp_path / "cut"))
    # without, and for a training that has converged, the end is the end
    assert (
        train(activity, make_plan(**CHOOSING), tmp_path / "without").info["convergence"]["restarts"]
        == 0
    )


def test_a_trial_that_collapses_is_given_up_and_the_run_says_so(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Symptom] = [Symptom("collapse", "collapsed on purpose")]
    monkeypatch.setattr(
        State, "symptom", lambda state: found.pop() if state.update == 100 and found else None
    )
    run = train(activity, make_plan(**CHOOSING), tmp_path / "run")
    told = run.info["convergence"]
    assert told["l1"] in CHOOSING["l1_choices"][:2]
    assert set(run.log().set_index("update").loc[101:, "l1"]) == {told["l1"]}
    assert told["restarts"] == 0
    assert told["abandoned"]["update"] == 100
    assert told["abandoned"]["back_to"] in (40, 80)
    assert (
        "given up at update 100: it collapsed on purpose" in score_verdicts.convergence(told).text
    )
    assert "a larger L1 penalty was given up" in convergence_line(told)
    interventions = run.load(run.chosen_update).interventions
    assert Interventions.from_json(interventions.to_json()) == interventions


def test_weights_put_to_zero_at_the_end_count_in_log_z(activity: Activity, tmp_path: Path) -> None:
    """A running mean is not 0 where the live weight is: without it the model is another."""
    plan = make_plan(
        **{**CHOOSING, "l1_choices": (0.02, 0.04), "ais_chains": 1000, "ais_rungs": 200},
        averaging=0.9,
    )
    run = train(activity, plan, tmp_path / "run")
    assert 0 < int((run.best.weights == 0).sum()) < run.best.weights.numel()
    row = run.log().set_index("update").loc[run.chosen_update]
    exact = exact_log_partition(run.best)
    assert abs(row["log_partition"] - exact) < 5 * row["log_partition_stderr"]
    bins = torch.from_numpy(activity.states_of("train"))
    scored = -float(run.best.free_energy(bins).mean()) - row["log_partition"]
    assert scored == pytest.approx(row["train_nats_per_bin"], abs=1e-4)


def test_without_validation_the_penalty_is_that_of_the_plan(
    activity: Activity, tmp_path: Path
) -> None:
    everything = replace(activity, fold=np.zeros_like(activity.fold))
    run = train(everything, make_plan(**CHOOSING, l1=0.0008), tmp_path / "run")
    assert set(run.log()["l1"]) == {0.0008}


def test_the_finished_model_is_in_the_sign_gauge(activity: Activity, tmp_path: Path) -> None:
    run = train(
        activity, make_plan(**CHOOSING, seed=3, averaging=0.0, release=0.2), tmp_path / "run"
    )
    assert float(run.best.weights.sum(dim=0).min()) >= 0
    live = run.load(run.chosen_update).live
    assert float(live.weights.sum(dim=0).min()) < 0, "nothing was turned: choose another seed"
    states = torch.from_numpy(activity.states)
    row = run.log().set_index("update").loc[run.chosen_update]
    bins = torch.from_numpy(activity.states_of("train"))
    scored = -float(run.best.free_energy(bins).mean()) - row["log_partition"]
    assert scored == pytest.approx(row["train_nats_per_bin"], abs=1e-4)
    # a hidden unit of another size has another constant, and nothing else
    apart = run.best.free_energy(states) - live.free_energy(states)
    assert float(apart.std()) < 1e-3
    inputs = run.best.inputs_to_hidden(torch.from_numpy(activity.states_of("train")))
    layer = run.best.hidden
    spread = layer.mean(inputs).var(dim=0, correction=0) + layer.variance(inputs).mean(dim=0)
    assert torch.allclose(spread, torch.ones(3), atol=1e-3)


def test_the_page_says_how_it_went() -> None:
    found: dict[str, Any] = {
        "status": "converged", "restarts": 0, "reason": None, "history": [],
        "within": {"v": 1.0, "h": 0.99, "vh": 0.97}, "idle_units": 0.02, "r_hat": 1.03,
    }  # fmt: skip
    good = score_verdicts.convergence(found)
    assert good.level == "good"
    assert "97% of ⟨vh⟩" in good.text
    assert "1.03" in good.text
    restart = {"update": 130, "back_to": 100, "reason": "diverged: the chains left"}
    mended = score_verdicts.convergence({**found, "status": "recovered", "history": [restart]})
    assert mended.level == "fair"
    assert "At update 130 it diverged: the chains left, and went on from update 100" in mended.text
    failed = score_verdicts.convergence({**found, "status": "failed", "reason": "split R-hat is 2"})
    assert (failed.level, "split R-hat is 2" in failed.text) == ("poor", True)
    assert score_verdicts.convergence(None).level == "unknown"


def test_a_short_compositional_training_converges(tmp_path: Path) -> None:
    """One of the trainings of `proofs/convergence.py`, with fewer neurons and updates."""
    truth = simulate_assemblies(
        Generator.from_seed(0, "short"),
        neurons=150, assemblies=4, bins=1500, sizes=(15, 25), overlap=0.1,
    )  # fmt: skip
    folds = truth.activity().split(by="blocks", validation=0.15, test=0.05, seed=0)
    plan = make_plan("compositional", hidden=8, updates=800, ais_chains=100, ais_rungs=100)
    found = train(folds, plan, tmp_path / "run").info["convergence"]
    assert found["status"] in ("converged", "recovered"), found["reason"]
