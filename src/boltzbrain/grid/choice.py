"""The rules by which one model of a sweep is chosen, on validation scores alone.

Two models that were scored on the same bins share the ups and downs of those bins, so what tells
them apart is the error of the difference of their scores, which is far below that of either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.clusters import stderr_of_sums
from boltzbrain.foundations.checks import Undefined, bad_input, one_of
from boltzbrain.foundations.showing.numbers import value_words

RULES = ("best", "one-stderr")


@dataclass(frozen=True)
class Choice:
    """The chosen run of a sweep.

    Attributes
    ----------
    row
        Its row of the table, column to value.
    rule
        The rule.
    reason
        Why, in a sentence.
    """

    row: dict[str, Any]
    rule: str
    reason: str


@dataclass(frozen=True)
class FoldScores:
    """The scores of one run on the bins of the validation fold, as far as a comparison needs them.

    Attributes
    ----------
    sums
        (cluster,) sum of the log-likelihoods of the bins of each cluster.
    sizes
        (cluster,) bins of each cluster.
    log_partition_stderr
        Standard error of log Z, which all bins share.
    """

    sums: NDArray[np.float64]
    sizes: NDArray[np.int64]
    log_partition_stderr: float


def grid_points(table: pd.DataFrame, axes: Sequence[str]) -> pd.DataFrame:
    """Return one row per point of the grid that has a finished run, seeds pooled.

    Parameters
    ----------
    table
        One row per run: the axes, ``seed``, ``status``, ``validation_nats_per_bin``,
        ``validation_stderr``.
    axes
        Names of the columns that make a point of the grid.

    Returns
    -------
    pandas.DataFrame
        The axes, ``runs``, ``validation_nats_per_bin`` and ``validation_stderr``, `pooled`.
    """
    rows = []
    finished = table[(table["status"] == "finished") & table["validation_nats_per_bin"].notna()]
    for _, part in finished.groupby(list(axes), sort=False, dropna=False):
        score, error = pooled(part["validation_nats_per_bin"], part["validation_stderr"])
        rows.append(
            {
                **{name: part[name].iloc[0] for name in axes},
                "runs": len(part),
                "validation_nats_per_bin": score,
                "validation_stderr": error,
            }
        )
    return pd.DataFrame(
        rows, columns=[*axes, "runs", "validation_nats_per_bin", "validation_stderr"]
    )


def pooled(scores: pd.Series[Any], errors: pd.Series[Any]) -> tuple[float, float]:
    """Return the mean over the seeds of a point and its standard error.

    The error is that over the bins, which the seeds share, and that of the mean over seeds
    together.

    Parameters
    ----------
    scores, errors
        (seed,) scores in nats per bin, and the standard error of each.
    """
    values = scores.astype(float)
    of_seeds = 0.0 if len(values) < 2 else float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()), math.hypot(float(errors.astype(float).mean()), of_seeds)


def choose(
    table: pd.DataFrame,
    axes: Sequence[str],
    scores: Mapping[str, FoldScores],
    rule: str = "best",
) -> Choice:
    """Choose a run of a sweep by the validation scores.

    Parameters
    ----------
    table
        As in `grid_points`; ``hidden`` must be one of its columns, and so must ``run``. ``l1``,
        where it is no axis, is the penalty of each training, chosen by it; ``unreliable`` says in
        words what to doubt of its scores.
    axes
        As in `grid_points`.
    scores
        Column ``run`` to the scores of that run's bins, for the finished ones.
    rule
        "best": the point of the grid with the highest mean validation score over seeds.
        "one-stderr": the one with the fewest hidden units among those at most one standard error
        below the best, and of these the one with the highest score (Breiman, Friedman, Olshen and
        Stone, Classification and Regression Trees, 1984, section 3.4.3). The error is that of the
        difference from the best (`stderr_of_difference`).
        Of the seeds of that point, the one with the highest validation score.

    Raises
    ------
    InputError
        If the rule is unknown or no run has a validation score.
    """
    one_of("rule", rule, RULES)
    points = grid_points(table, axes)
    if not len(points):
        raise bad_input(
            "the sweep", "have a finished run with a validation score to choose from", "none"
        )
    score = "validation_nats_per_bin"
    order = points.sort_values([score, "hidden"], ascending=[False, True], kind="stable")
    best = order.iloc[0]
    errors = [stderr_of_difference(table, axes, best, one, scores) for _, one in order.iterrows()]
    order = order.assign(behind=best[score] - order[score], behind_stderr=errors)
    within = order[order["behind"] <= order["behind_stderr"]]
    chosen = order.iloc[0]
    if rule == "one-stderr":
        chosen = within.sort_values(["hidden", score], ascending=[True, False], kind="stable").iloc[
            0
        ]
    of_point = _runs_of(table, axes, chosen).sort_values(score, ascending=False, kind="stable")
    row = {str(name): value for name, value in of_point.iloc[0].to_dict().items()}
    reason = _reason(rule, axes, points, best, chosen, len(within))
    if "l1" in row and "l1" not in axes:
        reason += f" The L1 penalty of its training is {value_words(row['l1'])}."
    if not pd.isna(row.get("unreliable")):
        reason += f" Beware: {row['unreliable']}."
    return Choice(row, rule, reason)


def stderr_of_difference(
    table: pd.DataFrame,
    axes: Sequence[str],
    one: pd.Series[Any],
    other: pd.Series[Any],
    scores: Mapping[str, FoldScores],
) -> float:
    """Return the standard error of the difference of the mean scores of two points of the grid.

    It is that of the paired difference over the bins of the validation fold, clustered by segment
    or stretch of time, together with the spread over seeds of each point; a single seed tells of no
    spread, and the error of its log Z stands in. Where the fold has a single cluster there is no
    clustered error, and that of the two scores as if unpaired is taken, which is too large. A point
    differs from itself by 0, for sure.

    Parameters
    ----------
    table, axes, scores
        As in `choose`.
    one, other
        Rows of `grid_points`.
    """
    if one.name == other.name:
        return 0.0
    sums, variance = [], 0.0
    for point in (one, other):
        runs = _runs_of(table, axes, point)
        of_runs = [scores[name] for name in runs["run"]]
        sums.append(np.mean([run.sums for run in of_runs], axis=0))
        if len(runs) > 1:
            variance += float(runs["validation_nats_per_bin"].var(ddof=1)) / len(runs)
        else:
            variance += of_runs[0].log_partition_stderr ** 2
    of_bins = stderr_of_sums(sums[0] - sums[1], of_runs[0].sizes)
    if isinstance(of_bins, Undefined):
        return math.hypot(float(one["validation_stderr"]), float(other["validation_stderr"]))
    return math.hypot(of_bins, math.sqrt(variance))


def _runs_of(table: pd.DataFrame, axes: Sequence[str], point: pd.Series[Any]) -> pd.DataFrame:
    """Return the finished runs of a point of the grid."""
    scored = (table["status"] == "finished") & table["validation_nats_per_bin"].notna()
    return table[scored & at_point(table, {name: point[name] for name in axes})]


def _figure(point: pd.Series[Any]) -> str:
    """Return the validation score of a point of the grid with its standard error."""
    return f"{point['validation_nats_per_bin']:.2f} ± {point['validation_stderr']:.2f}"


def at_point(table: pd.DataFrame, point: Mapping[str, Any]) -> pd.Series[bool]:
    """Return which rows of a table have the values of a point; none is a value like any other.

    Parameters
    ----------
    table
        One row per run.
    point
        Column to value.
    """
    found = pd.Series(data=True, index=table.index)
    for name, value in point.items():
        # what is missing equals nothing; one by one, as a column may hold tuples
        equal = pd.Series([bool(one == value) for one in table[name]], index=table.index)
        found &= table[name].isna() if pd.isna(value) else equal
    return found


def _reason(
    rule: str,
    axes: Sequence[str],
    points: pd.DataFrame,
    best: pd.Series[Any],
    chosen: pd.Series[Any],
    within: int,
) -> str:
    named = point_words({name: chosen[name] for name in axes})
    seeds = f", mean of {int(chosen['runs'])} seeds" if chosen["runs"] > 1 else ""
    text = f"{named} has a validation score of {_figure(chosen)} nats per bin{seeds}"
    if rule == "best":
        others = within - 1
        near = (
            "no other point of the grid lies"
            if others == 0
            else f"{others} other point{'s' if others > 1 else ''} of the grid "
            + ("lie" if others > 1 else "lies")
        )
        return (
            f"{text}, the highest of {len(points)} on the grid; {near} within one standard error "
            "of their difference."
        )
    top = point_words({name: best[name] for name in axes})
    behind, error = float(chosen["behind"]), float(chosen["behind_stderr"])
    if behind == 0:
        return (
            f"{text}, the highest; no point with fewer hidden units is within one standard error."
        )
    return (
        f"{text}: the fewest hidden units within one standard error of the best, {_figure(best)} "
        f"({top}); it is {behind:.2f} behind, with an error of the difference of {error:.2f}."
    )


def point_words(values: dict[str, Any]) -> str:
    """Return a point of the grid in words.

    Examples
    --------
    >>> point_words({"hidden": 50, "l1": 0.001, "patience": None})
    'hidden 50, l1 0.001, patience none'
    """
    return ", ".join(
        f"{name.replace('_', ' ')} {value_words(value)}" for name, value in values.items()
    )
