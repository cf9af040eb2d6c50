"""A training that follows its validation score: the running estimate, patience, and its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.progress import Progress
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.enumeration import exact_log_partition
from boltzbrain.sampling.synthetic import random_model
from boltzbrain.training import train as training
from boltzbrain.training.plan import make_plan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.score.likelihood_log import LikelihoodLog
from boltzbrain.training.score.running import RunningScore
from boltzbrain.training.train import resume, train
from boltzbrain.training.update.gradient import parameters_of
from boltzbrain.training.update.state import State
from helpers.activities import activity_of

SMALL: dict[str, Any] = {
    "hidden": 4, "updates": 200, "batch": 100, "chains": 100, "sweeps": 4, "learning_rate": 0.3,
    "checkpoints": 5, "ais_chains": 100, "ais_rungs": 60, "averaging": 0.9, "score_every": 10,
    "weight_std": 0.1,
}  # fmt: skip
COMPOSITIONAL: dict[str, Any] = {
    **SMALL, "hidden_kind": "drelu", "optimizer": "rmsprop", "normalised": True, "averaging": 0.0,
    "learning_rate": 0.01, "final_learning_rate": 0.001, "l1_trial": 0.2,
    "l1_choices": (0.0003, 0.003),
}  # fmt: skip


@pytest.fixture(scope="module")
def activity() -> Activity:
    teacher = random_model("bernoulli", 10, 3, Generator.from_seed(2), weight_std=1.0)
    return activity_of(teacher.sample(600, seed=3, sweeps=60, anneal=20).numpy(), segment_bins=10)


def running(run: TrainingRun) -> pd.DataFrame:
    return pd.read_csv(run.running_path).set_index("update")


def stop_at(update: int) -> Callable[[Progress], None]:
    def callback(progress: Progress) -> None:
        if progress.done == update and progress.phase == "training":
            raise KeyboardInterrupt

    return callback


def test_scores_along_training_are_exact_within_their_errors(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 standard errors of log Z over some 25 dependent scores: false alarm below 2e-3."""
    exact: dict[int, float] = {}
    follow = RunningScore.followed

    def seen(self: RunningScore, model: Any, update: int, bins: Any, plan: Any) -> RunningScore:
        exact[update] = exact_log_partition(model)
        return follow(self, model, update, bins, plan)

    monkeypatch.setattr(RunningScore, "followed", seen)
    run = train(activity, make_plan(**SMALL), tmp_path / "run")
    found = running(run)
    kept = {one.update for one in run.checkpoints()}
    assert set(found.index) == kept | set(range(10, 201, 10))
    assert not found["annealed"].any()
    gap = found["log_partition"] - pd.Series(exact)
    assert (gap.abs() < 4 * found["log_partition_stderr"] + 1e-5).all()
    # the control: the model moves by far more than the errors
    assert np.ptp(list(exact.values())) > 20 * found["log_partition_stderr"].max()
    states = torch.from_numpy(activity.states_of("validation"))
    for update in kept:
        model = run.load(update).model
        score = float(-model.free_energy(states).mean()) - found["log_partition"][update]
        assert found["validation_nats_per_bin"][update] == pytest.approx(score, abs=1e-4)
    assert set(run.log()["running_resets"]) == {0}


def test_following_changes_nothing_else(activity: Activity, tmp_path: Path) -> None:
    plan = make_plan(**{**SMALL, "score_every": 25})
    followed = train(activity, plan, tmp_path / "with")
    alone = train(activity, make_plan(**{**SMALL, "score_every": "none"}), tmp_path / "without")
    one, two = (parameters_of(run.load(200).live) for run in (followed, alone))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    logs = [run.log().drop(columns="seconds") for run in (followed, alone)]
    assert logs[0].drop(columns="running_resets").equals(logs[1])
    assert not alone.running_path.exists()


def test_what_is_told_is_the_newest_score(activity: Activity, tmp_path: Path) -> None:
    told: list[Progress] = []
    run = train(activity, make_plan(**SMALL), tmp_path / "run", [told.append])
    found, log = running(run), run.log().set_index("update")
    last = {one.done: one.facts["validation"] for one in told if one.phase == "training"}
    assert last[200] is not None
    assert (last[200].by, last[200].update) == ("annealing", 200)
    assert last[200].nats_per_bin == pytest.approx(log["validation_nats_per_bin"][200])
    between = last[137]
    assert between is not None
    assert (between.by, between.update) == ("running", 130)
    assert between.nats_per_bin == pytest.approx(found["validation_nats_per_bin"][130])
    assert between.stderr == pytest.approx(found["validation_stderr"][130])
    gain = between.nats_per_bin - log["validation_independent"][200]
    assert between.gain == pytest.approx(gain)
    assert between.gain_stderr == pytest.approx(found["validation_gain_stderr"][130])
    assert last[200].gain_stderr == pytest.approx(log["validation_gain_stderr"][200])


def same(first: TrainingRun, second: TrainingRun) -> None:
    names = [[one.update for one in run.checkpoints()] for run in (first, second)]
    assert names[0] == names[1]
    ends = [run.load(names[0][-1]) for run in (first, second)]
    one, two = (parameters_of(end.live) | parameters_of(end.model) for end in ends)
    for end, tensors in zip(ends, (one, two), strict=True):
        assert end.running_score is not None
        tensors |= end.running_score.tensors() | parameters_of(end.running_score.running.model)
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert first.running_path.read_bytes() == second.running_path.read_bytes()
    logs = [run.log().drop(columns="seconds") for run in (first, second)]
    assert logs[0].equals(logs[1])
    assert first.info["convergence"] == second.info["convergence"]
    assert first.chosen_update == second.chosen_update


@pytest.fixture(scope="module", params=[SMALL, COMPOSITIONAL], ids=["binary", "compositional"])
def whole(
    request: pytest.FixtureRequest, activity: Activity, tmp_path_factory: pytest.TempPathFactory
) -> TrainingRun:
    """A training that nothing stopped."""
    return train(activity, make_plan(**request.param), tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("rolling", [0.0, 1e9], ids=["rolling", "kept"])
def test_a_killed_training_gives_the_same_scores(
    activity: Activity,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: TrainingRun,
    rolling: float,
) -> None:
    monkeypatch.setattr(training, "ROLLING_SECONDS", rolling)
    with pytest.raises(KeyboardInterrupt):
        train(activity, whole.plan, tmp_path / "cut", [stop_at(25)])
    for update in (40, 81, 93, 160):
        with pytest.raises(KeyboardInterrupt):
            resume(tmp_path / "cut", [stop_at(update)])
    same(whole, resume(tmp_path / "cut"))


def test_a_restart_drops_the_scores_it_left_behind(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, seen = State.step, []

    def poisoned(state: State) -> None:
        step(state)
        if not state.interventions.restarts and state.update == 165:
            state.ascent.parameters["visible.field"].fill_(30.0)

    monkeypatch.setattr(State, "step", poisoned)

    def look(progress: Progress) -> None:
        if progress.phase == "training" and progress.facts["validation"] is not None:
            seen.append((len(progress.facts["restarts"]), progress.facts["validation"].update))

    plan = make_plan(**SMALL)
    run = train(activity, plan, tmp_path / "run", [look])
    restart = run.info["convergence"]["history"][0]
    assert restart["back_to"] == 100
    assert (0, 160) in seen, "nothing was scored before the restart: no control"
    after = [update for restarts, update in seen if restarts]
    assert after[0] <= 100
    found = running(run)
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique
    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "cut", [stop_at(158)])
    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "cut", [stop_at(100)])
    same(run, resume(tmp_path / "cut"))


def test_scores_of_all_trials_are_kept_when_a_penalty_is_chosen(
    activity: Activity, tmp_path: Path
) -> None:
    run = train(activity, make_plan(**COMPOSITIONAL), tmp_path / "run")
    found = running(run)
    assert set(range(10, 201, 10)) <= set(found.index)
    assert found.index.is_monotonic_increasing
    assert found.index.is_unique
    log = run.log().set_index("update")
    at = found.loc[log.index, "log_partition"]
    assert (at - log["log_partition"]).abs().max() < 1.0


def test_patience_ends_a_training_that_no_longer_gains(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(activity, fold=activity.fold.copy())
    few.fold[np.flatnonzero(few.fold == 0)[60:]] = -1  # few bins are soon learned by heart
    eager = {**SMALL, "hidden": 20, "updates": 3000, "learning_rate": 0.5, "patience": 100}
    run = train(few, make_plan(**eager), tmp_path / "run")
    last = run.info["updates_done"]
    assert last < 3000
    found = running(run)["validation_nats_per_bin"]
    assert last - found.idxmax() >= 100
    assert (found[found.index > found.idxmax()] < found.max()).all()
    assert last - found.idxmax() < 110
    # the last model is kept, annealed, and the choice is by annealing as ever
    log = run.log().set_index("update")["validation_nats_per_bin"]
    assert log.index[-1] == last
    assert log.idxmax() <= run.chosen_update
    # killed on the way it ends at the same update
    monkeypatch.setattr(training, "ROLLING_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(few, make_plan(**eager), tmp_path / "cut", [stop_at(last - 15)])
    same(run, resume(tmp_path / "cut"))


def test_annealing_has_the_last_word_on_the_end(
    activity: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running estimate that strays must not end a training."""
    follow = RunningScore.followed

    def astray(self: RunningScore, model: Any, update: int, bins: Any, plan: Any) -> RunningScore:
        if update == 30:
            # log Z too high by 9 nats: no score from here on reaches those before
            wrong = replace(self.running, settled=self.running.settled + 9.0)
            self = replace(self, running=wrong)
        return follow(self, model, update, bins, plan)

    monkeypatch.setattr(RunningScore, "followed", astray)
    plan = make_plan(**{**SMALL, "checkpoints": 1, "patience": 50})
    run = train(activity, plan, tmp_path / "run")
    log, found = run.log().set_index("update"), running(run)
    checked = log.index[0]
    assert checked in (60, 70)
    assert run.info["updates_done"] > checked
    assert log["running_resets"][checked] == 1
    # what was scored before is struck out, and the annealed score stands in
    assert found.index[0] == checked
    assert found["annealed"][checked] == 1
    # the control: with no check it would have been the end
    monkeypatch.setattr(RunningScore, "checked", lambda self, *_: self)
    unchecked = train(activity, plan, tmp_path / "unchecked")
    assert unchecked.info["updates_done"] == checked


def test_without_a_validation_fold_there_is_nothing_to_follow(
    activity: Activity, tmp_path: Path
) -> None:
    everything = replace(activity, fold=np.zeros_like(activity.fold))
    run = train(everything, make_plan(**SMALL, patience=10), tmp_path / "run")
    assert "running_resets" not in run.log()
    assert not run.running_path.exists()
    assert run.info["updates_done"] == 200


def test_the_error_of_a_checkpoint_is_clustered(activity: Activity) -> None:
    doubled = np.repeat(activity.states, 10, axis=0)
    log = LikelihoodLog.of(activity_of(doubled, segment_bins=10), make_plan(**SMALL))
    model = random_model("bernoulli", 10, 3, Generator.from_seed(2), weight_std=1.0)
    once = LikelihoodLog.of(activity, make_plan(**SMALL))
    rows = [one.row(model, 1, replace(one.estimate(model, 1), stderr=0.0)) for one in (log, once)]
    # every bin ten times over, within its segment, tells nothing new
    scores = -model.free_energy(once.states["validation"])
    assert rows[0]["validation_stderr"] == pytest.approx(
        float(scores.std(correction=1)) / len(scores) ** 0.5, rel=0.01
    )
    # the error of the gain is that of the differences, not of the score
    gains = scores - once.independent_scores["validation"]
    assert rows[0]["validation_gain_stderr"] == pytest.approx(
        float(gains.std(correction=1)) / len(gains) ** 0.5, rel=0.01
    )
    assert abs(rows[0]["validation_gain_stderr"] / rows[0]["validation_stderr"] - 1) > 0.02
