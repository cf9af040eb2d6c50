"""Plans of runs that another version wrote: one to read them by, and whether to go on with them."""

from __future__ import annotations

from typing import Any

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.training.plan import TrainingPlan

ADDED: dict[str, dict[str, Any]] = {
    "0.1.0": {
        "preset": "binary",
        "hidden": 100,
        "hidden_kind": "bernoulli",
        "seed": 0,
        "updates": 2000,
        "batch": 1000,
        "chains": 1000,
        "sweeps": 10,
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "final_learning_rate": None,
        "decay_from": 0.25,
        "potential_rate": None,
        "longest_step": None,
        "momentum": 0.0,
        "centred": True,
        "l1": 0.0,
        "l1_by_unit": False,
        "l1_warmup": 0.0,
        "l1_choices": None,
        "l1_trial": 0.05,
        "l2": 0.0,
        "normalised": False,
        "release": 0.0,
        "weights_from": "noise",
        "averaging": 0.0,
        "weight_std": 0.01,
        "checkpoints": 30,
        "score_every": 25,
        "late_restarts": 0,
        "patience": None,
        "ais_chains": 500,
        "ais_rungs": 500,
    },
    "0.2.0": {"assemblies": False},
    "0.3.0": {
        "context": None,
        "context_hidden": False,
        "self_history": None,
        "window": 50,
        "states": 8,
        "past_lags": 1,
        "past_s": 0.1,
        "past_axes": None,
        "anchor": None,
        "fixed_precisions": False,
        "chains_by": "gibbs",
    },
}
"""Hyperparameters by the version that brought them, with the value that was in effect before.

A run that does not tell one was trained with that value, whatever the default is today: so what is
written here never changes, and a new hyperparameter is entered with the value that leaves a
training as it was. Those of 0.1.0 stand with its defaults.
"""


def past_plan(told: Any, file: object) -> TrainingPlan:
    """Return the plan of a run, to read it by: what is unknown today is left out.

    Parameters
    ----------
    told
        Hyperparameter to value, as run.json has it.
    file
        run.json, for messages.

    Raises
    ------
    InputError
        If it is no plan at all.
    """
    if not isinstance(told, dict):
        raise bad_input("plan", "be a JSON object of hyperparameters", repr(told), file=file)
    before = {name: value for added in ADDED.values() for name, value in added.items()}
    if told.get("weights_from") == "assemblies":
        # that recipe never knew another
        before["chains_by"] = "moves"
    values = {name: told.get(name, before[name]) for name in TrainingPlan.model_fields}
    try:
        return TrainingPlan(**values)
    except InputError:
        # what was a value then is none today; the model is there all the same
        values = {k: tuple(one) if isinstance(one, list) else one for k, one in values.items()}
        return TrainingPlan.model_construct(**values)


def plan_to_go_on(told: Any, wrote: str, file: object) -> TrainingPlan:
    """Return the plan of a run that is trained on, if it means today what it meant then.

    Parameters
    ----------
    told, file
        As in `past_plan`.
    wrote
        The version of boltzbrain that began the run.

    Raises
    ------
    InputError
        If a hyperparameter is gone, is missing, or has a value that is none today.
    """
    plan = past_plan(told, file)
    then = f"(boltzbrain {wrote} began it: go on with that version, or train anew)"
    for name, value in told.items():
        if name not in TrainingPlan.model_fields:
            must = f"be a hyperparameter of this boltzbrain to go on with the training {then}"
            raise bad_input(name, must, value, file=file)
    for version, added in ADDED.items():
        for name in added:
            if name not in told and _numbers(version) <= _numbers(wrote):
                must = f"be in the plan to go on with the training {then}"
                raise bad_input(name, must, "a plan without it", file=file)
    try:
        return TrainingPlan(**plan.model_dump())
    except InputError as error:
        name = error.argument or "plan"
        must = f"have a value of this boltzbrain to go on with the training {then}"
        raise bad_input(name, must, f"one of then: {error}", file=file) from None


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version as numbers, "0.10.0" after "0.9.1"; of an unknown one nothing is new."""
    parts = version.split(".")[:3]
    return tuple(map(int, parts)) if all(one.isdigit() for one in parts) else (1 << 30,)
