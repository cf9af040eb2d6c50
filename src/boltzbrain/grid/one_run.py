"""One run of a sweep: trained, or gone on with, and scored; it runs in a process of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from boltzbrain.data.activity import Activity
from boltzbrain.data.clusters import clusters_of
from boltzbrain.evaluation.in_context.predict import predicted
from boltzbrain.evaluation.in_context.rows import mean_over_bins
from boltzbrain.evaluation.likelihood import (
    independent_log_likelihood,
    likelihoods,
    log_likelihood,
)
from boltzbrain.evaluation.partitions import CHAINS, forward_log_partition
from boltzbrain.evaluation.results import plain, read_evaluation
from boltzbrain.foundations.checks import Undefined, bad_input
from boltzbrain.foundations.disk.files import FileFormat, read_ours, write_ours
from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.foundations.units import participation_ratio
from boltzbrain.grid.choice import FoldScores
from boltzbrain.grid.folder import SweepFolder
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import few_chains
from boltzbrain.training.context.annealed_states import log_for
from boltzbrain.training.device import device_for
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.score.likelihood_log import error_over_bins
from boltzbrain.training.train import resume, train

SCORES = "scores.json"
FORMAT = FileFormat("boltzbrain sweep scores", newest=3, what=SCORES)

NRMSE = ("v", "h", "vh", "vv", "hh")
"""The normalised errors of a whole evaluation, as evaluation.json names them."""

PATIENCE_S = 60.0
"""How long a worker of a sweep that was killed may still write a run: it ends as it notices."""


def complete(folder: str, name: str, *, full: bool, device: str = "auto") -> dict[str, Any]:
    """Train and score one run of a sweep, or whatever of it is still to do.

    Parameters
    ----------
    folder
        The folder of the sweep; it must be reachable under this name.
    name
        Name of the run.
    full
        Whether to run the whole of `evaluate`.
    device
        As of `training.device.device_for`.

    Returns
    -------
    dict
        The content of the run's scores.json.

    Raises
    ------
    InputError
        If a file is damaged or cannot be written, or the run is none of the sweep.
    TrainingFailedError
        If the training goes wrong and no restart mends it, now or before.
    """
    # runs lie side by side, one on each core: a second thread would only get in the way, and the
    # scores must not depend on where a run was done
    torch.set_num_threads(1)
    sweep = SweepFolder(Path(folder))
    place = sweep.run_folder(name)
    with one_writer(place, "sweep", patience_s=PATIENCE_S):
        begun = (place / "run.json").exists()
        if begun:
            run = TrainingRun.open(place)
            _require_of(sweep, run, name)
        if begun and (place / SCORES).exists():
            scores = read_ours(place / SCORES, FORMAT)
            # those of an older version, or of a run that was here before, are made again
            if scores["version"] == FORMAT.newest and scores.get("run", run.id) == run.id:
                return scores
        if begun:
            run = resume(place, device=device)
        else:
            activity, plan = sweep.activity(), sweep.plan_to_train(name)
            run = train(activity, plan, place, device=device)
        scores = score(run, full=full, device=device)
        write_ours(place / SCORES, FORMAT, scores)
        return scores


def _require_of(sweep: SweepFolder, run: TrainingRun, name: str) -> None:
    """Refuse a run that is none of the sweep in whose folder it lies."""
    mine, its = sweep.info, run.info
    plans = mine.get("plans")
    same_data = mine["data"]["sha256"] == its["data"]["sha256"]
    if not same_data:
        # another version of HDF5 may write the same activity in other bytes
        one, other = sweep.activity(), run.activity()
        same_data = all(
            np.array_equal(getattr(one, key), getattr(other, key))
            for key in ("states", "segment", "fold")
        )
    if not same_data or (plans is not None and plans[name] != its["plan"]):
        got = "one of another plan" if same_data else "one of other data"
        raise bad_input("the run", f"be one of the sweep in {sweep.folder}", got, file=run.folder)


def score(run: TrainingRun, *, full: bool, device: str = "auto") -> dict[str, Any]:
    """Score a finished run on its test fold, at the chosen update and at every checkpoint.

    The test fold plays no part in the choice of a model.

    Parameters
    ----------
    run
        The run.
    full
        Run the whole of `evaluate` and keep from it what a grid is looked at for.
    device
        Where log Z is estimated.

    Returns
    -------
    dict
        In the types of JSON: the columns of the sweep's table (``l1`` is the penalty of the
        training, planned or chosen by it), ``validation_clusters`` (what `fold_scores` reads),
        ``curve`` (lists: ``update``, ``test_gain_over_independent``, ``test_stderr``) and
        ``figures``.
    """
    activity, chosen, plan = run.activity(), run.chosen_update, run.plan
    checkpoint, log = run.load(chosen), run.log()
    model, row = checkpoint.model, log[log["update"] == chosen].iloc[-1]
    given = None if checkpoint.contexts is None else ContextualRBM(model, checkpoint.contexts)
    figures: dict[str, Any] = {}
    if full:
        from boltzbrain.comparison.evaluate_run import evaluate_run

        evaluate_run(run, device=device)
        # from the file, so that a whole evaluation and one that was read again are one
        found = read_evaluation(run.folder / "evaluation.json")
        scores = found["log_likelihood"]
        figures = _figures(found, model)
    if given is not None:
        scores = plain(_given_context(given, activity, plan.seed))
    elif not full:
        field = independent_field(torch.from_numpy(activity.states_of("train")))
        there = model.to(device_for(device, plan, activity.n_neurons, chains=CHAINS))
        estimate = forward_log_partition(there, field, plan.seed)
        scores = plain(likelihoods(model, {"forward": estimate}, activity))
    validation = few_chains(
        "the validation score", float(row["effective_sample_size"]), plan.ais_chains
    )
    doubts = [] if validation is None else [validation]
    return {
        **FORMAT.told,
        "run": run.id,
        "l1": plan.l1 if checkpoint.interventions.l1 is None else checkpoint.interventions.l1,
        "update": chosen,
        "validation_nats_per_bin": float(row["validation_nats_per_bin"]),
        "validation_stderr": float(row["validation_stderr"]),
        "validation_clusters": _validation_clusters(model, row, activity)
        if given is None
        else _clusters_given(given, row, activity, plan),
        "test_nats_per_bin": scores["test"]["nats_per_bin"],
        "test_nats_stderr": _with_log_partition(scores["test"]["stderr"], scores),
        "test_gain_over_independent": scores["gain"]["value"],
        "test_stderr": _with_log_partition(scores["gain"]["stderr"], scores),
        "unreliable": "; ".join([*doubts, *scores["unreliable"]]) or None,
        "seconds": float(run.info["seconds"]),
        # of bins that have a log Z each, one checkpoint costs as much as a whole score
        "curve": _test_curve(run, activity if given is None else None),
        "figures": figures,
    }


def _with_log_partition(error: float | None, scores: Mapping[str, Any]) -> float | None:
    """Return an error over bins together with that of log Z, which all bins share."""
    return (
        None if error is None else math.hypot(error, scores["log_partition"]["forward"]["stderr"])
    )


def _validation_clusters(
    model: RBM, row: pd.Series[Any], activity: Activity
) -> dict[str, float | list[float] | list[int]]:
    """Return the scores of the validation bins, summed over each of their clusters."""
    bins = activity.bins_of("validation")
    clusters = clusters_of(activity, bins)
    scores = log_likelihood(model, float(row["log_partition"]), activity.states[bins])
    return {
        "sums": np.bincount(clusters.label, scores, minlength=clusters.number).tolist(),
        "sizes": clusters.sizes.tolist(),
        "log_partition_stderr": float(row["log_partition_stderr"]),
    }


def fold_scores(scores: Mapping[str, Any]) -> FoldScores:
    """Return what a choice needs of the content of a scores.json."""
    found = scores["validation_clusters"]
    return FoldScores(
        np.array(found["sums"], dtype=np.float64),
        np.array(found["sizes"], dtype=np.int64),
        found["log_partition_stderr"],
    )


def _given_context(model: ContextualRBM, activity: Activity, seed: int) -> dict[str, Any]:
    """Return what `score` takes of `likelihoods`, of test bins given their context."""
    bins = activity.bins_of("test")
    if not len(bins):
        none = Undefined("the test fold has no bins")
        pair = {"value": none, "stderr": none}
        found, partitions = {"nats_per_bin": none, "stderr": none}, None
    else:
        told = predicted(model, activity, seed)
        partitions, clusters = told.partitions, clusters_of(activity, bins)
        field = independent_field(torch.from_numpy(activity.states_of("train")))
        less = independent_log_likelihood(field, activity.states[bins])
        pair = mean_over_bins(told.scores - less, clusters, partitions)
        whole = mean_over_bins(told.scores, clusters, partitions)
        found = {"nats_per_bin": whole["value"], "stderr": whole["stderr"]}
    return {
        "test": found,
        "gain": {name: pair[name] for name in ("value", "stderr")},
        # it is in the errors over bins already, or small beside them
        "log_partition": {"forward": {"stderr": 0.0 if partitions is None else partitions.stderr}},
        "unreliable": [] if partitions is None else partitions.warnings,
    }


def _clusters_given(
    model: ContextualRBM, row: pd.Series[Any], activity: Activity, plan: TrainingPlan
) -> dict[str, float | list[float] | list[int]]:
    """Return what `_validation_clusters` does, of the bins that the training scored."""
    log = log_for(plan).of(activity, plan)
    scores = log.scores_at({"update": row["update"]}, model.rbm, model.contexts).numpy()
    clusters = log.clusters["validation"]
    return {
        "sums": np.bincount(clusters.label, scores, minlength=clusters.number).tolist(),
        "sizes": clusters.sizes.tolist(),
        "log_partition_stderr": float(row["log_partition_stderr"]),
    }


def _test_curve(run: TrainingRun, activity: Activity | None) -> dict[str, list[float] | list[int]]:
    """Return the test gain at every checkpoint, with log Z as the training estimated it."""
    found: dict[str, Any] = {"update": [], "test_gain_over_independent": [], "test_stderr": []}
    if activity is None or not len(bins := activity.bins_of("test")):
        return found
    states, clusters = activity.states[bins], clusters_of(activity, bins)
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    independent, log = independent_log_likelihood(field, states), run.log().set_index("update")
    for one in run.checkpoints():
        value = float(log["log_partition"][one.update])
        scores = log_likelihood(run.model(one.update), value, states)
        gains = scores - independent
        error = error_over_bins(torch.from_numpy(gains), clusters)
        found["update"].append(one.update)
        found["test_gain_over_independent"].append(float(gains.mean()))
        found["test_stderr"].append(
            math.hypot(error, float(log["log_partition_stderr"][one.update]))
        )
    return found


def _figures(found: Mapping[str, Any], model: RBM) -> dict[str, Any]:
    """Return what heat maps over a grid show, name to value or None."""
    weights = model.weights.to("cpu", torch.float64).numpy()
    return {
        **{f"nrmse_{name}": found["statistics"]["nrmse"][name] for name in NRMSE},
        "reconstruction": found["reconstruction"]["rbm"]["median_nllh"],
        "assembly_size": float(participation_ratio(weights, axis=0).mean()),
        "time_constant_s": found["dynamics"]["hidden"]["time_constant_s"],
    }
