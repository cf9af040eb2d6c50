"""What the validation fold decides in a training: the L1 penalty, the end, and the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from torch import Tensor

from boltzbrain.data.clusters import Clusters
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.score.likelihood_log import error_over_bins
from boltzbrain.training.score.running import RunningScore

Row = Mapping[str, Any]
"""A row of log.csv."""


def is_choosing(plan: TrainingPlan, chosen: float | None) -> bool:
    """Return whether the L1 penalty is still to be chosen."""
    return plan.l1_choices is not None and chosen is None


def choose_penalty(
    plan: TrainingPlan, rows: Sequence[Row], scores_at: Callable[[Row], Tensor]
) -> Row | None:
    """Return the row of the trial whose L1 penalty is taken; None if no trial has ended yet.

    That is the largest penalty whose score is within one standard error of the best (Hastie,
    Tibshirani and Friedman, The Elements of Statistical Learning, 2009, section 7.10), the error of
    the best score itself over the bins, taken as independent; where they are not, the rule keeps
    nearer to the best than it says. The error of the paired difference would be right if trials
    were whole trainings; they are stages of one, too short to show how a small penalty overfits,
    and it would take the smallest.

    Running scores have no say in it: every trial ends with a checkpoint, whose annealed estimate is
    at hand.

    Parameters
    ----------
    plan
        The plan, with its trials.
    rows
        Rows of the kept checkpoints, by update.
    scores_at
        Gives the log-likelihood of every validation bin, (bin,), under the model of a row.
    """
    length = plan.trial_length
    ends = range(length, plan.trial_updates + 1, length)
    trials = [row for row in rows if row["update"] in ends]
    if not trials:
        return None
    best = max(trials, key=_score)
    top = scores_at(best)
    error = math.hypot(float(top.std()) / math.sqrt(len(top)), best["log_partition_stderr"])
    # the sparsest that is as good, as far as the fold can tell: the one-standard-error rule
    return next(row for row in reversed(trials) if _score(row) >= _score(best) - error)


def _score(row: Row) -> float:
    return float(row["validation_nats_per_bin"])


def candidates(plan: TrainingPlan, rows: Sequence[Row]) -> list[Row]:
    """Return the rows among which the model is chosen: those of the trials only without a choice.

    Without a validation fold nothing is tried.
    """
    tried = plan.l1_choices is not None and any("validation_nats_per_bin" in row for row in rows)
    return [row for row in rows if not tried or row["update"] > plan.trial_updates]


def latest_as_good(
    plan: TrainingPlan,
    rows: Sequence[Row],
    scores_at: Callable[[Row], Tensor],
    clusters: Clusters | None,
) -> Row:
    """Return the row of the latest model that is as good as the best, within one standard error.

    Later ones have forgotten more of the noise of large steps, which the likelihood of real bins
    does not show: what it shows is the only reason to go back to an earlier one. The error is that
    of the difference between the two scores over the bins, clustered, with those of both partition
    functions. Without a validation fold the last is taken.

    Parameters
    ----------
    plan, rows, scores_at
        As in `choose_penalty`.
    clusters
        Clusters of the validation bins; None without a validation fold.
    """
    among = candidates(plan, rows)
    if clusters is None or "validation_nats_per_bin" not in among[-1]:
        return among[-1]
    best = max(among, key=_score)
    top = scores_at(best)
    for row in reversed(among):
        if row is best:
            break
        behind = top - scores_at(row)
        error = math.hypot(
            error_over_bins(behind, clusters),
            best["log_partition_stderr"],
            row["log_partition_stderr"],
        )
        if float(behind.mean()) <= error:
            return row
    return best


def out_of_patience(
    plan: TrainingPlan, rows: Sequence[Row], running_score: RunningScore | None
) -> bool:
    """Return whether the best validation score lies `patience` updates or more before the newest.

    Running scores count where there are any, else those of the kept checkpoints. Trials of the L1
    penalty do not count.

    Parameters
    ----------
    plan
        The plan.
    rows
        Rows of the kept checkpoints, by update.
    running_score
        The running scores.
    """
    if plan.patience is None:
        return False
    table = pd.DataFrame(list(rows)) if running_score is None else running_score.frame()
    if "validation_nats_per_bin" not in table:
        return False
    scores = table[["update", "validation_nats_per_bin"]].to_numpy(dtype=float)
    scores = scores[scores[:, 0] > plan.trial_updates]
    if not len(scores):
        return False
    return bool(scores[-1, 0] - scores[scores[:, 1].argmax(), 0] >= plan.patience)
