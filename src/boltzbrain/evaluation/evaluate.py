"""One call that scores a model: likelihood on every fold, and what it generates."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from boltzbrain.baselines.protocol import Fit
from boltzbrain.evaluation.baselines import check_baselines, compare_baselines, write_baselines
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.conditional import conditional_scores, conditionals
from boltzbrain.evaluation.dynamics.compare import compare_dynamics
from boltzbrain.evaluation.energies import compare_energies, energies
from boltzbrain.evaluation.hidden_statistics import compare_hidden
from boltzbrain.evaluation.hopfield import Trained
from boltzbrain.evaluation.kept import earlier_evaluation, with_baselines_of
from boltzbrain.evaluation.likelihood import FOLD_NAMES, likelihoods
from boltzbrain.evaluation.partitions import log_partitions
from boltzbrain.evaluation.reconstruction import GLM_NEURONS, reconstruction_scores
from boltzbrain.evaluation.results import plain, write_evaluation
from boltzbrain.evaluation.samples import Samples, draw_samples, write_samples
from boltzbrain.evaluation.statistics import compare_statistics
from boltzbrain.foundations.checks import bad_input
from boltzbrain.model.discrete import Bernoulli
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.recordings.activity import Activity
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.training.penalties import Penalties
from boltzbrain.training.run import TrainingRun


@dataclass(frozen=True)
class EvaluationProgress:
    """What a callback is told.

    Attributes
    ----------
    phase
        "log-partition", "samples", "statistics" or "baselines".
    done, total
        Steps of the phase.
    seconds
        Seconds since the evaluation began.
    """

    phase: str
    done: int
    total: int
    seconds: float


Callback = Callable[[EvaluationProgress], None]


def _teller(callbacks: Sequence[Callback], started: float) -> Callable[[str, int, int], None]:
    """Return what tells the callbacks a phase and its steps, with the seconds since `started`."""

    def tell(phase: str, done: int, total: int) -> None:
        for callback in callbacks:
            callback(EvaluationProgress(phase, done, total, time.monotonic() - started))

    return tell


def evaluate_model(
    model: RBM,
    activity: Activity,
    *,
    seed: int = 0,
    chosen_update: int | None = None,
    samples: Samples | None = None,
    checkpoints: Sequence[RBM] = (),
    ais_chains: int | None = None,
    ais_rungs: int = 1000,
    penalties: Penalties | None = None,
    full: bool = False,
    callbacks: Sequence[Callback] = (),
) -> dict[str, Any]:
    """Score a model on the folds of an activity.

    Parameters
    ----------
    model
        Model with Bernoulli visible units, one per neuron.
    activity
        States and folds.
    seed
        Seed of every stream used.
    chosen_update
        The update that the model comes from, for the record.
    samples
        Generated activity; drawn here where None.
    checkpoints
        Models along the training, the last of them the model; without them log Z is estimated by
        annealing alone.
    ais_chains, ais_rungs
        Chains and rungs of the estimates of log Z, see `evaluation.partitions.log_partitions`.
    penalties
        Penalties on the weights that the model was trained with, which shift <v h>; none where
        None.
    full
        Fit logistic regression to every neuron and not to 50 of them.
    callbacks
        Told about progress.

    Returns
    -------
    dict
        The content of evaluation.json in the types of JSON; every undefined figure is None, and
        ``reasons`` says why by its dotted path.

    Raises
    ------
    InputError
        If the model does not fit the activity, or its training fold is empty.
    """
    if not isinstance(model.visible, Bernoulli):
        raise bad_input("model.visible", "be of kind bernoulli", model.visible.kind)
    if len(model.visible) != activity.n_neurons:
        raise bad_input(
            "model.visible", f"have one unit per neuron ({activity.n_neurons})", len(model.visible)
        )
    if not len(activity.bins_of("train")):
        raise bad_input("train fold", "hold at least one bin", 0, file=activity.source.path)
    started = time.monotonic()
    tell = _teller(callbacks, started)
    estimates = log_partitions(
        model,
        independent_field(torch.from_numpy(activity.states_of("train"))),
        seed,
        checkpoints=checkpoints,
        chains=ais_chains,
        rungs=ais_rungs,
        tell=partial(tell, "log-partition"),
    )
    if samples is None:
        samples = draw_samples(
            model,
            seed,
            at_least=len(activity.bins_of("train")),
            progress=partial(tell, "samples"),
        )
    result = {
        "log_likelihood": likelihoods(model, estimates, activity),
        **_findings(model, activity, samples, seed, penalties or Penalties(), full, tell),
        "weights": {
            "std": float(model.weights.to(torch.float64).std(correction=0)),
            "zero_fraction": float((model.weights == 0).to(torch.float64).mean()),
        },
        "activity": {
            "neurons": activity.n_neurons,
            "bins": activity.n_bins,
            "mean_activity": float(activity.states.mean()),
        },
        "chosen_update": chosen_update,
    }
    return plain({**result, "seconds": time.monotonic() - started})


def _findings(
    model: RBM,
    activity: Activity,
    samples: Samples,
    seed: int,
    penalties: Penalties,
    full: bool,
    tell: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """Return everything but the likelihood: statistics, conditionals, dynamics and the rest."""
    train, validation, test = (BinSet.of_fold(activity, fold) for fold in FOLD_NAMES)
    generated = BinSet.of_samples(samples)
    sets = (train.states, test.states, generated.states)
    phase, steps = "statistics", 6
    tell(phase, 0, steps)
    statistics = compare_statistics(train, test, generated, seed)
    tell(phase, 1, steps)
    statistics["energy"] = compare_energies(*(energies(model, one) for one in sets))
    hidden = compare_hidden(model, *sets, penalties)
    statistics["hidden"] = hidden["hidden"]
    statistics["nrmse"] = {
        "v": statistics["rates"]["normalised_rmse"],
        "vv": statistics["covariances"]["normalised_rmse"],
        **hidden["nrmse"],
    }
    tell(phase, 2, steps)
    found = conditionals(model, test, seed) if len(test) else None
    scores = conditional_scores(found, independent_field(torch.from_numpy(train.states)))
    statistics["h_eff"] = scores["h_eff"]
    tell(phase, 3, steps)
    reconstruction = reconstruction_scores(
        model,
        train.states,
        validation.states,
        test.states,
        neurons=None if full else GLM_NEURONS,
        seed=seed,
    )
    tell(phase, 5, steps)
    dynamics = compare_dynamics(model, activity, samples, seed)
    tell(phase, steps, steps)
    return {
        "statistics": statistics,
        "reconstruction": reconstruction,
        "conditional": scores["conditional"],
        "dynamics": dynamics,
    }


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
        Names of `evaluation.baselines.NAMES` to fit beside the model; they add ``baselines`` to the
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

    tell = _teller(callbacks, started)
    bins = len(activity.bins_of("train"))
    samples = draw_samples(model, seed, at_least=bins, progress=partial(tell, "samples"))
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
        callbacks=callbacks,
    )
    result["seconds"] += drawing
    if names:
        rbm = _beside(run, model, result["log_likelihood"])
        compared = compare_baselines(rbm, activity, names, seed, tell=partial(tell, "baselines"))
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
