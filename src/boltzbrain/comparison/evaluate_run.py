"""The whole evaluation of a run: its model alone, and beside the baselines that are asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from boltzbrain.baselines.protocol import Fit
from boltzbrain.comparison.compare import check_baselines, compare_baselines, write_baselines
from boltzbrain.comparison.keep import earlier_evaluation, with_baselines_of
from boltzbrain.comparison.rbms import Trained
from boltzbrain.evaluation.evaluate import evaluate_model
from boltzbrain.evaluation.results import plain, write_evaluation
from boltzbrain.evaluation.samples import samples_of, write_samples
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.training.run.run import TrainingRun


def evaluate_run(
    run: TrainingRun,
    *,
    seed: int | None = None,
    full: bool = False,
    baselines: Sequence[str] = (),
    callbacks: Sequence[Callback] = (),
) -> dict[str, Any]:
    """Score the chosen model of a run; write evaluation.json and samples.h5 into its folder.

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
    callbacks
        Told about progress.

    Raises
    ------
    InputError
        If the training has not ended, a file cannot be written, a baseline is unknown or has no
        validation or test bins.
    """
    plan, activity, trajectory = run.plan, run.activity(), run.trajectory()
    names = check_baselines(baselines, activity)
    path = run.folder / "evaluation.json"
    earlier = earlier_evaluation(path)
    model = trajectory[-1]
    seed = plan.seed if seed is None else seed
    started = time.monotonic()
    tell = Teller(callbacks)
    by_moves = plan.weights_from == "assemblies"
    train = torch.from_numpy(activity.states_of("train"))
    samples = samples_of(model, train, seed, by_moves=by_moves, tell=tell.phase("samples"))
    drawing = time.monotonic() - started
    write_samples(run.folder / "samples.h5", samples)
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
        callbacks=callbacks,
    )
    result["seconds"] += drawing
    if names:
        rbm = _beside(run, model, result["log_likelihood"])
        compared = compare_baselines(rbm, activity, names, seed, tell=tell.phase("baselines"))
        found = plain(compared.figures)
        reasons = {f"baselines.{path}": words for path, words in found.pop("reasons").items()}
        result["baselines"], result["reasons"] = found, {**result["reasons"], **reasons}
    result = with_baselines_of(result, earlier)
    if names:
        keep = [name for name in result["baselines"] if name not in compared.figures]
        write_baselines(run.folder / "baselines.h5", compared, keep)
    write_evaluation(path, result)
    return result


def _beside(run: TrainingRun, model: RBM, scores: Mapping[str, Any]) -> Trained:
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
    return Trained(fit, model, estimate, tuple(scores["unreliable"]))
