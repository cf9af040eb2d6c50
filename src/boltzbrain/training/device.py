"""On which device the model of a plan is trained, scored and sampled from."""

from __future__ import annotations

import torch

from boltzbrain.foundations.checks import bad_input
from boltzbrain.kernels.devices import device_of
from boltzbrain.training.plan import TrainingPlan


def device_for(
    asked: str, plan: TrainingPlan, neurons: int, *, chains: int | None = None
) -> torch.device:
    """Return the device for the model of a plan.

    Parameters
    ----------
    asked
        As of `kernels.devices.device_of`.
    plan
        The plan. For moves of single hidden units there is a kernel for the CPU alone.
    neurons
        Number of neurons.
    chains
        Chains side by side; those of the plan if None.

    Raises
    ------
    InputError
        If there is no such device, or it cannot do the work.
    """
    products = float(plan.chains if chains is None else chains) * neurons * plan.hidden
    device = device_of(asked, products)
    if plan.chains_by != "moves" or device.type == "cpu":
        return device
    if asked != "auto":
        must = "be cpu or auto where chains go by moves, which have no GPU kernel"
        raise bad_input("device", must, asked)
    return torch.device("cpu")
