"""Samples of the model of a run, as an activity."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.steps import Source, Step
from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.kernels.devices import words_of
from boltzbrain.sampling.draw import CHAINS, draw
from boltzbrain.training.device import device_for
from boltzbrain.training.run.run import TrainingRun


def draw_of_run(
    run: TrainingRun,
    n: int,
    *,
    seed: int,
    sampler: str | None = None,
    update: int | None = None,
    device: str = "auto",
    **options: Any,
) -> Activity:
    """Draw samples of a trained model; as they do not follow in time, each is a segment.

    Parameters
    ----------
    run
        A finished run.
    n, seed, sampler, update, device
        As of `api.sample`.
    **options
        The others of `sampling.draw.draw`.

    Raises
    ------
    InputError
        If the run holds no such model or an option is out of range.
    """
    if sampler is None:
        # along the checkpoints of a training of on/off assemblies none of them would switch
        sampler = "moves" if run.plan.weights_from == "assemblies" else "trajectory"
    activity = run.activity()
    number = run.chosen_update if update is None else whole_number_in("update", update, low=1)
    along = sampler == "trajectory"
    models = run.trajectory(number) if along else [run.model(number)]
    chains = n if sampler == "gibbs" else options.get("chains") or CHAINS
    place = device_for(device, run.plan, activity.n_neurons, chains=chains)
    if sampler == "moves" and place.type != "cpu":
        if device != "auto":
            must = "be cpu or auto for the sampler moves, which has no GPU kernel"
            raise bad_input("device", must, device)
        place = torch.device("cpu")
    states = torch.from_numpy(activity.states_of("train"))
    models = [one.to(place) for one in models]
    found = draw(models, states, n, seed=seed, sampler=sampler, **options)
    facts = {"update": number, "device": words_of(place), **found.facts}
    return replace(
        activity,
        states=found.states.to("cpu").numpy().astype(np.uint8),
        segment=np.arange(n, dtype=np.int32),
        fold=np.zeros(n, dtype=np.int8),
        epoch=None,
        epoch_names=(),
        steps=(*activity.steps, Step("sample", facts)),
        source=Source("boltzbrain run", str(run.folder), "", facts),
    )
