"""Hidden states of a model with time, described: occupancy, dwell times, groups of neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.in_time.changes import changing_couplings
from boltzbrain.baselines.in_time.model import InTime
from boltzbrain.baselines.in_time.states import (
    WithStates,
    describe_states,
    group_neurons,
    state_arrays,
)
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.context.sequences import Sequences


def found_states(
    model: WithStates, activity: Activity, generator: Generator
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what evaluation.json and baselines.h5 hold of the states of a model.

    Parameters
    ----------
    model
        A model of more than one state.
    activity
        What it was fitted to and is scored on.
    generator
        Moves on.
    """
    train, test = (Sequences.of_fold(activity, fold) for fold in ("train", "test"))
    told, arrays = describe_states(model, test), state_arrays(model, test)
    posterior = model.posterior(train)
    active = correlate(torch.from_numpy(train.states), torch.from_numpy(posterior)).T.numpy()
    groups = group_neurons(active, posterior.sum(axis=0), generator)
    told["groups"] = {
        "number": len(groups.profile),
        "sizes": np.bincount(groups.label).tolist(),
        "bic": groups.bic.tolist(),
    }
    arrays["states/group"] = groups.label.astype(np.int32)
    arrays["states/profile"] = groups.profile
    changing = changing_couplings(model, train, generator) if isinstance(model, InTime) else None
    if changing is not None:
        told["couplings"] = changing
    return told, arrays
