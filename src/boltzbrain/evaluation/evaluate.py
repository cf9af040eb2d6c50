"""One call that scores a model: likelihood on every fold, and what it generates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.bins import BinSet
from boltzbrain.evaluation.conditional import conditional_scores, conditionals
from boltzbrain.evaluation.dynamics.compare import compare_dynamics
from boltzbrain.evaluation.likelihood import FOLD_NAMES, likelihoods, predictive_scores
from boltzbrain.evaluation.partitions import log_partitions, log_partitions_by_moves
from boltzbrain.evaluation.reconstruction import GLM_NEURONS, reconstruction_scores
from boltzbrain.evaluation.results import plain
from boltzbrain.evaluation.samples import Samples, samples_of
from boltzbrain.evaluation.statistics.compare import compare_statistics
from boltzbrain.evaluation.statistics.energies import compare_energies, energies, keep_energies
from boltzbrain.evaluation.statistics.hidden_statistics import compare_hidden
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.evaluation.statistics.projection import compare_projections
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.rbm import RBM
from boltzbrain.training.update.penalties import Penalties


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
    by_moves: bool = False,
    device: torch.device | str = "cpu",
    callbacks: Sequence[Callback] = (),
    kept: Kept | None = None,
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
    by_moves
        Estimate log Z and draw samples by chains that switch hidden units with all their neurons.
    device
        Where log Z is estimated and samples are drawn; the rest is done on the CPU.
    callbacks
        Told about progress.
    kept
        Gets what the figures of the page show, see `evaluation.details`.

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
    tell = Teller(callbacks)
    folds = [BinSet.of_fold(activity, fold) for fold in FOLD_NAMES]
    states = torch.from_numpy(folds[0].states)
    there, model = model.to(device), model.to("cpu")
    if by_moves:
        estimates = log_partitions_by_moves(there, states, seed, tell=tell.phase("log-partition"))
    else:
        estimates = log_partitions(
            there,
            independent_field(states),
            seed,
            checkpoints=[one.to(device) for one in checkpoints],
            chains=ais_chains,
            rungs=ais_rungs,
            tell=tell.phase("log-partition"),
        )
    if samples is None:
        samples = samples_of(there, activity, seed, by_moves=by_moves, tell=tell.phase("samples"))
    scores = likelihoods(model, estimates, activity)
    result = {
        "log_likelihood": scores,
        "predictive": predictive_scores(scores),
        **_findings(
            model,
            activity,
            folds,
            samples,
            seed,
            penalties or Penalties(),
            full,
            tell.phase("statistics"),
            kept,
        ),
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
    folds: Sequence[BinSet],
    samples: Samples,
    seed: int,
    penalties: Penalties,
    full: bool,
    tell: Teller,
    kept: Kept | None,
) -> dict[str, Any]:
    """Return everything but the likelihood: statistics, conditionals, dynamics and the rest."""
    train, validation, test = folds
    generated = BinSet.of_samples(samples)
    sets = (train.states, test.states, generated.states)
    steps = 6
    tell(0, steps)
    statistics = compare_statistics(train, test, generated, seed, kept)
    tell(1, steps)
    of_sets = [energies(model, one) for one in sets]
    statistics["energy"] = compare_energies(*of_sets)
    if kept is not None:
        keep_energies(kept, *of_sets)
    statistics["projection"] = compare_projections(*sets, kept)
    statistics["mean_activity"] = _mean_activity(test.states, generated.states)
    hidden = compare_hidden(model, *sets, penalties, kept)
    statistics["hidden"] = hidden["hidden"]
    statistics["nrmse"] = {
        "v": statistics["rates"]["normalised_rmse"],
        "vv": statistics["covariances"]["normalised_rmse"],
        **hidden["nrmse"],
    }
    tell(2, steps)
    found = conditionals(model, test, seed) if len(test) else None
    scores = conditional_scores(found, independent_field(torch.from_numpy(train.states)))
    statistics["h_eff"] = scores["h_eff"]
    tell(3, steps)
    reconstruction = reconstruction_scores(
        model,
        train.states,
        validation.states,
        test.states,
        neurons=None if full else GLM_NEURONS,
        seed=seed,
        kept=kept,
    )
    tell(5, steps)
    dynamics = compare_dynamics(model, activity, samples, seed, kept)
    tell(steps, steps)
    return {
        "statistics": statistics,
        "reconstruction": reconstruction,
        "conditional": scores["conditional"],
        "dynamics": dynamics,
    }


def _mean_activity(test: NDArray[np.uint8], generated: NDArray[np.uint8]) -> dict[str, Any]:
    """Return the share of active neurons and bins of the test fold and of generated activity."""
    return {
        "test": float(test.mean()) if len(test) else Undefined("the test fold has no bins"),
        "generated": float(generated.mean()),
    }
