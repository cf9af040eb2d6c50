"""The whole evaluation of a run: its model alone, and beside the baselines that are asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from boltzbrain.baselines.protocol import Fit
from boltzbrain.comparison.compare import check_baselines, compare_baselines, write_baselines
from boltzbrain.comparison.controls import time_controls
from boltzbrain.comparison.keep import earlier_evaluation, with_baselines_of, with_controls_of
from boltzbrain.comparison.rbms import Trained, TrainedInContext
from boltzbrain.comparison.states import found_states
from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.details import write_details
from boltzbrain.evaluation.evaluate import evaluate_model
from boltzbrain.evaluation.in_context.free_running import free_run_agreement
from boltzbrain.evaluation.in_context.predict import (
    Predicted,
    predicted,
    predictive_in_context,
    samples_given_context,
)
from boltzbrain.evaluation.in_context.split import gain_split
from boltzbrain.evaluation.partitions import forward_log_partition
from boltzbrain.evaluation.results import plain, write_evaluation
from boltzbrain.evaluation.samples import CHAINS, samples_of, write_samples
from boltzbrain.evaluation.scores import Evaluation
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.foundations.disk.folders import one_writer, together
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.cpu.threads import unshared
from boltzbrain.kernels.devices import words_of
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.training.device import device_for
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.run.started_from import started_from


def evaluate_run(
    run: TrainingRun,
    *,
    seed: int | None = None,
    full: bool = False,
    baselines: Sequence[str] = (),
    controls: bool = False,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> Evaluation:
    """Score the chosen model of a run; write evaluation.json and samples.h5 into its folder.

    They appear together, or not at all.

    Parameters
    ----------
    run
        A finished run.
    seed
        Seed of every stream used; that of the plan where None.
    full
        Fit logistic regression to every neuron and not to 50 of them.
    baselines
        Names of `comparison.compare.NAMES` to fit beside the model; they add ``baselines`` to the
        result, and baselines.h5 to the folder. Others of the evaluation before are kept where they
        stand beside the same model of the same data, and else left out with a warning.
    controls
        Fit the controls of models with time, see `comparison.controls.time_controls`; those of the
        evaluation before are kept where they are of the same data.
    device
        Where log Z is estimated and samples are drawn, as of `training.device.device_for`.
    callbacks
        Told about progress.

    Raises
    ------
    InputError
        If there is no such device, the training has not ended, the folder is being written or
        cannot be, a baseline is unknown or has no validation or test bins.
    """
    with one_writer(run.folder, "evaluate"), unshared(run.weights):
        return Evaluation(_evaluated(run, seed, full, baselines, controls, device, callbacks))


def _evaluated(
    run: TrainingRun,
    seed: int | None,
    full: bool,
    baselines: Sequence[str],
    controls: bool,
    device: str,
    callbacks: Sequence[Callback],
) -> dict[str, Any]:
    plan, activity = run.plan, run.activity()
    there = device_for(device, plan, activity.n_neurons, chains=CHAINS)
    names = check_baselines(baselines, activity, controls=controls)
    earlier = earlier_evaluation(run.folder / "evaluation.json")
    seed = plan.seed if seed is None else seed
    started = time.monotonic()
    tell = Teller(callbacks)
    by_moves = plan.weights_from == "assemblies"
    contextual = None if plan.context is None else run.in_context().to(there)
    if contextual is None:
        trajectory = run.trajectory()
        model, moved = trajectory[-1], trajectory[-1].to(there)
        samples = samples_of(moved, activity, seed, by_moves=by_moves, tell=tell.phase("samples"))
    else:
        model, trajectory = contextual.at_mean(activity).to("cpu"), []
        samples = samples_given_context(contextual, activity, seed, tell.phase("samples"))
    drawing = time.monotonic() - started
    shown: Kept = {}
    result = evaluate_model(
        model,
        activity,
        seed=seed,
        chosen_update=run.chosen_update,
        samples=samples,
        checkpoints=trajectory,
        penalties=run.penalties_at(run.chosen_update),
        full=full,
        by_moves=by_moves,
        device=there,
        callbacks=callbacks,
        kept=shown,
    )
    found = None
    if contextual is not None and len(activity.bins_of("test")):
        found = predicted(contextual, activity, seed, tell.phase("bins in context"))
        _put_in_context(result, found, run, activity, model, seed)
        if found.states is not None and len(found.states.chain) > 1:
            generator = Generator.from_seed(seed, "evaluation", "states")
            told, arrays = found_states(found.states, activity, generator)
            _put(result, "predictive.states", told)
            shown.update(arrays)
        free = free_run_agreement(contextual, activity, seed, tell.phase("free run"), shown)
        _put(result, "predictive.free_run", free)
    result["seconds"] += drawing
    result["device"] = words_of(there)
    if names:
        rbm = _beside(run, model, result["log_likelihood"], found)
        compared = compare_baselines(rbm, activity, names, seed, tell=tell.phase("baselines"))
        _put(result, "baselines", compared.figures)
    if controls:
        told = time_controls(activity, seed, tell=tell.phase("controls"))
        _put(result, "predictive.controls", told)
    result["belongs"] = {"run": run.id}
    result = with_controls_of(with_baselines_of(result, earlier), earlier)
    with together(run.folder) as place:
        samples_file = place("samples.h5")
        write_samples(samples_file, samples, partial(write_details, kept=shown))
        beside = {"samples.h5": sha256(samples_file)}
        kept = run.folder / "baselines.h5"
        before = {} if earlier is None else earlier.get("belongs", {}).get("sha256", {})
        if names:
            keep = [name for name in result["baselines"] if name not in compared.figures]
            baselines_file = place(kept.name)
            old = (kept, before.get(kept.name)) if keep else None
            write_baselines(baselines_file, compared, keep, before=old)
            beside[kept.name] = sha256(baselines_file)
        elif "baselines" in result and kept.is_file():
            beside[kept.name] = before.get(kept.name) or sha256(kept)
        result["belongs"]["sha256"] = beside
        write_evaluation(place("evaluation.json"), result)
    return result


def _put(result: dict[str, Any], path: str, figures: Mapping[str, Any]) -> None:
    """Put figures at a dotted path of a result, and why some are undefined among its reasons."""
    told = plain(figures)
    reasons = {f"{path}.{name}": why for name, why in told.pop("reasons").items()}
    *above, last = path.split(".")
    place = result
    for name in above:
        place = place[name]
    place[last] = told
    result["reasons"] = {**result["reasons"], **reasons}


def _put_in_context(
    result: dict[str, Any],
    found: Predicted,
    run: TrainingRun,
    activity: Activity,
    model: RBM,
    seed: int,
) -> None:
    """Put what a model with a context says of the test bins in place of what it says without."""
    forward = result["log_likelihood"]["log_partition"]["forward"]["value"]
    began = started_from(run, activity)
    start: tuple[RBM, float] | Undefined
    if isinstance(began, Undefined):
        start = began
    else:
        field = independent_field(torch.from_numpy(activity.states_of("train")))
        start = began[1], forward_log_partition(began[1], field, seed).value
    told = predictive_in_context(found, activity, (model, forward), start)
    result["reasons"] = {
        path: why for path, why in result["reasons"].items() if not path.startswith("predictive.")
    }
    _put(result, "predictive", {"context": run.plan.context_told, **told})
    if found.states is None and run.plan.context != "assemblies":
        split = gain_split(run.in_context(), run.plan, found, activity, start)
        _put(result, "predictive.split", split)


def _beside(
    run: TrainingRun, model: RBM, scores: Mapping[str, Any], found: Predicted | None = None
) -> Trained:
    """Return the model of a run, with its scores, as the baselines are beside which it stands."""
    log, forward = run.log(), scores["log_partition"]["forward"]
    fit = Fit(
        f"persistent contrastive divergence by the recipe `{run.plan.preset}`",
        int(log["update"].iloc[-1]),
        float(log["seconds"].iloc[-1]),
        {"update": run.chosen_update, "hidden": run.plan.hidden},
        "log-likelihood, nats per validation bin",
    )
    estimate = LogPartition(
        forward["value"],
        forward["stderr"],
        forward["effective_sample_size"],
        torch.empty(0),
        "forward",
    )
    doubts = tuple(scores["unreliable"])
    if found is None:
        return Trained(fit, model, estimate, doubts)
    doubts = (*doubts, *found.partitions.warnings)
    return TrainedInContext(fit, model, estimate, doubts, found.scores, found.states)
