"""The mover that a plan asks for."""

from __future__ import annotations

from torch import Tensor

from boltzbrain.training.chains.movers import ByGibbs, ByMoves, Mover
from boltzbrain.training.chains.trajectory import ByTrajectory
from boltzbrain.training.plan import TrainingPlan


def mover_of(plan: TrainingPlan, data: Tensor, field: Tensor | None = None) -> Mover:
    """Return what moves the chains of a plan.

    Parameters
    ----------
    plan
        Every hyperparameter.
    data
        (bin, neuron) uint8 training states.
    field
        (neuron,) visible fields of the independent model, for a training that begins; None where
        its mover is to be restored.
    """
    if plan.chains_by == "trajectory":
        return ByTrajectory(plan, field)
    return ByMoves(plan, data) if plan.chains_by == "moves" else ByGibbs(plan)
