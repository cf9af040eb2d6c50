"""A finished run without a context as the start of one with a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import bad_input
from boltzbrain.model.rbm import RBM
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.run import TrainingRun


def values_from(run: TrainingRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters of a training that starts from a run, with what must be the run's.

    Parameters
    ----------
    run
        The run to start from.
    values
        What was asked for, which stands.
    """
    plan = run.plan
    own = {"preset": plan.preset, "hidden": plan.hidden, "hidden_kind": plan.hidden_kind}
    return own | {name: value for name, value in values.items() if value is not None}


def model_to_start_from(run: TrainingRun, activity: Activity, plan: TrainingPlan) -> RBM:
    """Return the chosen model of a run, whose weights and hidden units are to be taken.

    Raises
    ------
    InputError
        If the plan has no context, the run is not finished or has a context itself, or its neurons
        or hidden units are others.
    """
    if plan.context is None:
        must = "be left out without a context: a finished training is not gone on with"
        raise bad_input("from", must, run.folder)
    if run.plan.context is not None:
        must = "be a run without a context, whose weights one with a context begins with"
        raise bad_input("from", must, f"one with {run.plan.context_told}", file=run.folder)
    model = run.best
    here, there = activity.neurons["id"].tolist(), run.activity().neurons["id"].tolist()
    if here != there:
        must = "be of the same neurons, in one order (the same folds keep the same ones)"
        raise bad_input("from", must, f"{len(there)} in {run.folder}, here {len(here)}")
    for name, mine, its in (
        ("hidden", plan.hidden, len(model.hidden)),
        ("hidden_kind", plan.hidden_kind, model.hidden.kind),
    ):
        if mine != its:
            raise bad_input(name, f"be that of the run to start from, {its}", mine, file=run.folder)
    return model
