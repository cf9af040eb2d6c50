"""Plans of other versions: each is read, and only what means the same today is gone on with."""

from __future__ import annotations

import pytest

from boltzbrain.foundations.checks import InputError
from boltzbrain.training.plan import PRESETS, TrainingPlan, make_plan
from boltzbrain.training.run import past_plans
from boltzbrain.training.run.past_plans import ADDED, past_plan, plan_to_go_on


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_of_today_comes_back(preset):
    plan = make_plan(preset)
    assert past_plan(plan.model_dump(mode="json"), "run.json") == plan
    assert plan_to_go_on(plan.model_dump(mode="json"), "0.1.0", "run.json") == plan


def test_whoever_adds_a_hyperparameter_says_what_was_in_effect_before():
    told = [name for added in ADDED.values() for name in added]
    assert set(TrainingPlan.model_fields) <= set(told)
    assert len(told) == len(set(told))
    # a training of before is what such a plan says
    TrainingPlan(**{name: value for added in ADDED.values() for name, value in added.items()})


def test_what_is_missing_is_not_the_default_of_today(monkeypatch):
    told = make_plan("binary").model_dump()
    del told["sweeps"]
    monkeypatch.setattr(TrainingPlan.model_fields["sweeps"], "default", 77)
    TrainingPlan.model_rebuild(force=True)
    try:
        assert TrainingPlan().sweeps == 77
        assert past_plan(told, "run.json").sweeps == 10
    finally:
        monkeypatch.undo()
        TrainingPlan.model_rebuild(force=True)


def test_a_hyperparameter_that_is_gone_is_left_out_but_not_gone_on_with():
    plan = make_plan("binary")
    told = {**plan.model_dump(), "temperature": 2.0}
    assert past_plan(told, "run.json") == plan
    with pytest.raises(InputError, match=r"json: temperature must .*boltzbrain 0\.0\.9.*got 2\.0"):
        plan_to_go_on(told, "0.0.9", "run.json")


def test_a_hyperparameter_that_is_new_was_not_in_effect(monkeypatch):
    told = make_plan("binary").model_dump()
    del told["patience"]
    # a file that lacks what its own version wrote is none to go on with
    with pytest.raises(InputError, match=r"run\.json: patience must be in the plan"):
        plan_to_go_on(told, "0.1.0", "run.json")
    older = {name: value for name, value in ADDED["0.1.0"].items() if name != "patience"}
    added = {**ADDED, "0.1.0": older, "0.10.0": {"patience": 5}}
    monkeypatch.setattr(past_plans, "ADDED", added)
    assert plan_to_go_on(told, "0.9.1", "run.json").patience == 5


@pytest.mark.parametrize("name", ["optimizer", "hidden_kind"])
def test_a_value_that_is_none_today_is_read_but_not_gone_on_with(name):
    told = {**make_plan("compositional").model_dump(mode="json"), name: "of_old"}
    plan = past_plan(told, "run.json")
    assert getattr(plan, name) == "of_old"
    assert plan.l1_choices == make_plan("compositional").l1_choices
    with pytest.raises(InputError, match=rf"{name}.*of_old"):
        plan_to_go_on(told, "0.1.0", "run.json")


@pytest.mark.parametrize("told", [None, [], "binary"])
def test_what_is_no_plan_is_refused(told):
    with pytest.raises(InputError, match=r"run\.json: plan must be a JSON object"):
        past_plan(told, "run.json")
