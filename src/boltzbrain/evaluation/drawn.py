"""Samples of the model of a run, as an activity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.data.behaviour.trials import no_trials
from boltzbrain.data.steps import Source, Step
from boltzbrain.evaluation.in_context.free_running import LONGEST_PIECE
from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.foundations.progress import Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.devices import words_of
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.sampling.draw import CHAINS, draw
from boltzbrain.sampling.rows.free_run import SWEEPS, free_run, no_longer
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

    A model with a context generates bin after bin, in segments like the pieces of its training fold
    (`sampling.rows.free_run`), and nothing of the recording is seen.

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
    if run.plan.context is not None:
        return _generated(run, n, seed, sampler, update, device, options)
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
        covariates={},
        trials=no_trials(),
        steps=(*activity.steps, Step("sample", facts)),
        source=Source("boltzbrain run", str(run.folder), "", facts),
    )


def _generated(
    run: TrainingRun,
    n: int,
    seed: int,
    sampler: str | None,
    update: int | None,
    device: str,
    options: Mapping[str, Any],
) -> Activity:
    own = {"sweeps", "callbacks"}
    told = {"sampler": sampler, **options}
    for name in sorted(name for name, value in told.items() if name not in own and value):
        must = "be left out for a run with a context, which generates bin after bin"
        raise bad_input(name, must, told[name], file=run.folder)
    whole_number_in("n", n, low=1)
    sweeps = whole_number_in("sweeps", options.get("sweeps") or SWEEPS, low=1)
    activity = run.activity()
    number = run.chosen_update if update is None else whole_number_in("update", update, low=1)
    layout = _like(no_longer(Sequences.of_fold(activity, "train"), LONGEST_PIECE), n)
    place = device_for(device, run.plan, activity.n_neurons, chains=len(layout.edges) - 1)
    generator = Generator.from_seed(seed, "sample", "free run")
    model = run.in_context(number).to(place)
    tell = Teller(options.get("callbacks", ())).phase("bins")
    drawn = free_run(model, layout, generator, sweeps=sweeps, tell=tell)
    facts = {"update": number, "device": words_of(place), "context": run.plan.context_told,
             "sampler": "bin after bin", "sweeps": sweeps}  # fmt: skip
    epoch = None if layout.epoch is None else layout.epoch.astype(np.int32)
    return replace(
        activity,
        states=drawn.states,
        segment=layout.label.astype(np.int32),
        fold=np.zeros(n, dtype=np.int8),
        epoch=epoch,
        epoch_names=() if epoch is None else activity.epoch_names,
        covariates=_known_of(activity, layout),
        trials=no_trials(),
        steps=(*activity.steps, Step("sample", facts)),
        source=Source("boltzbrain run", str(run.folder), "", facts),
    )


def _known_of(activity: Activity, layout: Sequences) -> dict[str, BinnedCovariate]:
    """Return the covariates in the recorded bins that a layout was made of."""
    known = layout.behaviour
    if known is None:
        return {}
    return {
        name: replace(one, values=one.values[known.bins])
        for name, one in activity.covariates.items()
    }


def _like(layout: Sequences, n: int) -> Sequences:
    """Return room for n bins in pieces like given ones, from the first one again after the last."""
    cycle, row = np.divmod(np.arange(n), len(layout))
    parts = layout.in_segment, layout.epoch
    in_segment, epoch = (None if one is None else one[row] for one in parts)
    return Sequences(
        np.zeros((n, layout.states.shape[1]), dtype=np.uint8),
        layout.label[row] + cycle * (int(layout.label.max()) + 1),
        layout.bin_width_s,
        in_segment=in_segment,
        epoch=epoch,
        behaviour=None if layout.behaviour is None else layout.behaviour.taking(row),
    )
