"""One call that reads a model: couplings, assemblies, regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.results import require_of_run, samples_of
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.foundations.memory import require_size
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.interpretation.assemblies.find import find_assemblies, positions
from boltzbrain.interpretation.assemblies.returning import find_returning
from boltzbrain.interpretation.behaviour.find import find_behaviour
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.common_drive import find_common_drive
from boltzbrain.interpretation.couplings.find import find_couplings, find_norms, pairs_under
from boltzbrain.interpretation.couplings.returning import find_returning_couplings
from boltzbrain.interpretation.file import (
    Entries,
    Entry,
    Interpretation,
    position_entry,
    read_interpretation,
    write_interpretation,
)
from boltzbrain.interpretation.in_silico.kept_clamps import clamp_entries, find_clamps
from boltzbrain.interpretation.in_time.find import find_in_time
from boltzbrain.interpretation.regions.find import find_region_maps
from boltzbrain.kernels.cpu.threads import unshared
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.rbm import RBM
from boltzbrain.training.run.repeated import HALVES, repeats_of
from boltzbrain.training.run.run import TrainingRun

FILE = "interpretation.h5"


def interpret_model(
    model: RBM,
    activity: Activity,
    choices: Choices | None = None,
    *,
    seed: int = 0,
    members: NDArray[np.bool_] | None = None,
    along: Sequence[tuple[int, Callable[[], RBM]]] = (),
    in_context: ContextualRBM | None = None,
    samples: NDArray[np.uint8] | None = None,
    callbacks: Sequence[Callback] = (),
) -> Interpretation:
    """Read couplings, assemblies and regions out of a model.

    Parameters
    ----------
    model
        Two-valued visible units, one per neuron.
    activity
        What it was trained on; its training bins are the data reference.
    choices
        The options; the defaults if None.
    seed
        Seed of every stream used.
    members
        (neuron, hidden) members that training knows; else, and for another rule than the default,
        they are chosen by the sizes of weights.
    along
        Update and how to get its model, for the norms along training; the model alone if empty.
    in_context
        The model with its context, if it has one: what behaviour is compared with.
    samples
        (sample, neuron) that the model generated, for clamps of models too large to be summed;
        training bins stand for them if None.
    callbacks
        Told about progress.

    Raises
    ------
    InputError
        If the model does not fit the activity, its training fold is empty, or there is no such
        atlas.
    """
    choices = choices or Choices()
    if len(model.visible) != activity.n_neurons:
        raise bad_input(
            "model.visible", f"have one unit per neuron ({activity.n_neurons})", len(model.visible)
        )
    if activity.n_neurons < 2:
        raise bad_input(
            "the model",
            "have two neurons or more, as couplings are between neurons",
            f"{activity.n_neurons}",
            file=activity.source.path,
        )
    states = activity.states_of("train")
    if not len(states):
        raise bad_input("train fold", "hold at least one bin", 0, file=activity.source.path)
    regions = choices.regions_of(activity)
    require_size("triplets", choices.triplets, each_bytes=32.0)
    require_size("spread_samples", choices.spread_samples, each_bytes=float(activity.n_neurons))
    require_size("shuffles", choices.shuffles, each_bytes=8.0, steps=1.0)
    require_size("behaviour_draws", choices.behaviour_draws, each_bytes=8.0, steps=1.0)
    generator = Generator.from_seed(seed, "interpretation")
    tell = Teller(callbacks)
    entries, of_couplings, pairs = find_couplings(model, states, choices, generator, tell)
    norms, of_norms = find_norms(
        along or [(0, lambda: model)], choices, generator.child("norms"), tell
    )
    finding = tell.phase("assemblies")
    finding(0, 1)
    assemblies, of_assemblies, _ = find_assemblies(
        model, activity, regions, choices, generator, members
    )
    clamps, of_clamps = clamp_entries(
        find_clamps(model, states, samples, generator.child("clamped"))
    )
    finding(1, 1)
    entries |= norms | assemblies | clamps | _neurons(activity, choices)
    summary: dict[str, Any] = {
        "options": {**choices.model_dump(), "seed": seed},
        "couplings": {**of_couplings, "norms": of_norms},
        "assemblies": of_assemblies,
        "clamped": of_clamps,
        "regions": None,
    }
    reasons = {"regions": "the recording names no regions"}
    if regions is not None and len(regions.names):
        spread = entries.get("couplings/r_pairs")
        maps, of_regions, reasons = find_region_maps(
            pairs,
            None if spread is None else spread.values.astype(np.float64),
            regions,
            states,
            choices,
            generator,
            tell,
        )
        entries |= maps
        summary["regions"] = of_regions or None
    of_behaviour, told, why = find_behaviour(
        in_context or model,
        activity,
        choices,
        generator.child("behaviour"),
        tell.phase("behaviour"),
    )
    entries |= of_behaviour
    summary["behaviour"] = told
    return Interpretation(entries, {**summary, "reasons": {**reasons, **why}})


def interpret_run(
    run: TrainingRun,
    choices: Choices | None = None,
    *,
    seed: int | None = None,
    callbacks: Sequence[Callback] = (),
) -> Interpretation:
    """Read the chosen model of a run; write interpretation.h5 into its folder.

    Parameters
    ----------
    run
        A finished run.
    choices, callbacks
        As in `interpret_model`.
    seed
        That of the plan if None.

    Raises
    ------
    InputError
        If the training has not ended, the folder is being written or cannot be.
    """
    with one_writer(run.folder, "interpret"), unshared(run.weights):
        return _interpreted(run, choices or Choices(), seed, callbacks)


def interpretation_of(run: TrainingRun) -> Interpretation:
    """Read what was read out of a run, which must be out of its chosen model.

    Raises
    ------
    InputError
        If the file is missing, damaged, or of another run or update.
    """
    path = run.folder / FILE
    found = read_interpretation(path)
    told, update = found.summary.get("run"), found.summary["chosen_update"]
    require_of_run(run, told, update, path, "boltzbrain interpret")
    return found


def _interpreted(
    run: TrainingRun, choices: Choices, seed: int | None, callbacks: Sequence[Callback]
) -> Interpretation:
    chosen = run.chosen_update
    kept = [one.update for one in run.checkpoints() if one.update <= chosen]
    places = np.linspace(0, len(kept) - 1, min(choices.checkpoints, len(kept)))
    updates = sorted({kept[place] for place in places.round().astype(int).tolist()} | {chosen})
    activity, seed = run.activity(), run.plan.seed if seed is None else seed
    model = None if run.plan.context is None else run.in_context()
    samples = samples_of(run)
    found = interpret_model(
        run.at_mean_context(),
        activity,
        choices,
        seed=seed,
        members=run.members(chosen),
        along=[(update, _loader(run, update)) for update in updates],
        in_context=model,
        samples=None if samples is None else samples.states,
        callbacks=callbacks,
    )
    entries, summary = dict(found.entries), {**found.summary, "in_time": None}
    summary["common_drive"] = None
    if model is not None:
        more, summary["common_drive"], why = find_common_drive(run, activity, choices)
        entries |= more
        summary["reasons"] = {**summary["reasons"], **why}
        generator = Generator.from_seed(seed, "interpretation", "in time")
        tell = Teller(callbacks).phase("in time")
        more, summary["in_time"] = find_in_time(model, activity, generator, tell)
        entries |= more
    summary["assemblies"] = {**summary["assemblies"], "returning": None}
    summary["couplings"] = {**summary["couplings"], "returning": None}
    again = {one.folder.name: one for one in repeats_of(run) if _converged(one)}
    if again:
        models = {name: one.at_mean_context() for name, one in again.items()}
        first, second = HALVES
        both = first in again and second in again
        states = activity.states_of("train")
        generator = Generator.from_seed(seed, "interpretation", "repeats")
        more, told = find_returning(
            run.at_mean_context(),
            list(models.values()),
            states,
            generator,
            (models[first], models[second]) if both else None,
        )
        entries |= more
        summary["assemblies"] = {**summary["assemblies"], "returning": told}
        if "couplings/partners" in entries:
            pairs = {
                name: pairs_under(one, "data", states, choices) for name, one in models.items()
            }
            more, summary["couplings"]["returning"] = find_returning_couplings(
                entries["couplings/partners"].values,
                found.pairs("data"),
                list(pairs.values()),
                generator.child("couplings"),
                (pairs[first], pairs[second]) if both else None,
            )
            entries |= more
    found = Interpretation(entries, {"run": run.id, "chosen_update": chosen, **summary})
    write_interpretation(run.folder / FILE, found)
    return found


def _converged(run: TrainingRun) -> bool:
    return bool(run.info["convergence"]["status"] != "failed")


def _loader(run: TrainingRun, update: int) -> Callable[[], RBM]:
    return lambda: run.at_mean_context(update)


def _neurons(activity: Activity, choices: Choices) -> Entries:
    """Return what is known of every neuron."""
    regions = choices.regions_of(activity)
    labels = [""] * activity.n_neurons if regions is None else regions.labels().tolist()
    xyz = positions(activity)
    known = np.isfinite(xyz).all(axis=1)
    names = [str(name) for name in activity.neurons["id"]]
    rates = activity.states_of("train").mean(axis=0, dtype=np.float64)
    placed = {"neurons/xyz_um": position_entry(xyz[known])} if known.any() else {}
    return {
        "neurons/id": Entry(np.array(names, dtype=object), "(neuron,) names in the recording"),
        "neurons/region": Entry(
            np.array(labels, dtype=object), "(neuron,) first region of the atlas, empty for none"
        ),
        "neurons/rate": Entry(rates, "(neuron,) fraction of training bins in which it is active"),
        "neurons/positioned": Entry(
            known.astype(np.uint8), "(neuron,) 1 where the position is known"
        ),
        **placed,
    }
