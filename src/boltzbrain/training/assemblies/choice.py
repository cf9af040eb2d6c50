"""Whether a recording is one of assemblies that are on or off, and the plan to train it by."""

from __future__ import annotations

import torch

from boltzbrain.data.activity import Activity
from boltzbrain.training.assemblies.find import Components, find_components
from boltzbrain.training.plan import TrainingPlan, make_plan

RECIPE = "assemblies"
FEWEST_NEURONS = 2000
"""With fewer neurons `compositional` converges itself, and more assemblies are too small to be told
on from off; at 2,000 it is 12 of 800 planted ones (`proofs/convergence.py`)."""
LEAST_SHARE = 0.3
"""Share of the memberships in components that components which are on or off must have; the recipe
trains graded ones beside them (`proofs/harder_fish.py`)."""


def plan_for(activity: Activity, plan: TrainingPlan) -> tuple[TrainingPlan, Components | None]:
    """Return the plan itself, or the recipe of assemblies where it asks for it and the data do.

    What the plan says otherwise than its own recipe is kept. With the recipe of assemblies come the
    components that are on or off.

    Parameters
    ----------
    activity
        With a training fold.
    plan
        The plan.
    """
    asked = plan.weights_from == RECIPE
    if not asked and (not plan.assemblies or activity.n_neurons < FEWEST_NEURONS):
        return plan, None
    found = find_components(torch.from_numpy(activity.states_of("train")), plan.hidden, plan.seed)
    if asked:
        return plan, found
    if found.share < LEAST_SHARE:
        return plan, None
    recipe = make_plan(plan.preset).model_dump()
    given = {name: value for name, value in plan.model_dump().items() if value != recipe[name]}
    return TrainingPlan(**{**given, "preset": RECIPE}), found
