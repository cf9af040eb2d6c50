"""The rules by which one model of a sweep is chosen, on validation scores alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from boltzbrain.foundations.checks import bad_input, one_of

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
        The axes, ``runs``, ``validation_nats_per_bin`` (mean over seeds) and
        ``validation_stderr``: that of the bins, which the seeds share, and of the mean over seeds
        together.
    """
    rows = []
    finished = table[(table["status"] == "finished") & table["validation_nats_per_bin"].notna()]
    for _, part in finished.groupby(list(axes), sort=False, dropna=False):
        scores = part["validation_nats_per_bin"].astype(float)
        of_seeds = 0.0 if len(part) < 2 else float(scores.std(ddof=1)) / math.sqrt(len(part))
        rows.append(
            {
                **{name: part[name].iloc[0] for name in axes},
                "runs": len(part),
                "validation_nats_per_bin": float(scores.mean()),
                "validation_stderr": math.hypot(
                    float(part["validation_stderr"].astype(float).mean()), of_seeds
                ),
            }
        )
    return pd.DataFrame(
        rows, columns=[*axes, "runs", "validation_nats_per_bin", "validation_stderr"]
    )


def choose(table: pd.DataFrame, axes: Sequence[str], rule: str = "best") -> Choice:
    """Choose a run of a sweep by the validation scores.

    Parameters
    ----------
    table
        As in `grid_points`; ``hidden`` must be one of its columns.
    axes
        As in `grid_points`.
    rule
        "best": the point of the grid with the highest mean validation score over seeds.
        "one-stderr": the one with the fewest hidden units among those at most one standard error
        below the best, and of these the one with the highest score (Breiman, Friedman, Olshen and
        Stone, Classification and Regression Trees, 1984, section 3.4.3).
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
    best = chosen = order.iloc[0]
    error = float(best["validation_stderr"])
    within = order[order[score] >= best[score] - error]
    if rule == "one-stderr":
        chosen = within.sort_values(["hidden", score], ascending=[True, False], kind="stable").iloc[
            0
        ]
    same = (table[list(axes)] == chosen[list(axes)]).all(axis=1) & (table["status"] == "finished")
    of_point = table[same].sort_values(score, ascending=False, kind="stable")
    row = {str(name): value for name, value in of_point.iloc[0].to_dict().items()}
    return Choice(row, rule, _reason(rule, axes, points, best, chosen, len(within)))


def _reason(
    rule: str,
    axes: Sequence[str],
    points: pd.DataFrame,
    best: pd.Series[Any],
    chosen: pd.Series[Any],
    within: int,
) -> str:
    score, error = "validation_nats_per_bin", float(best["validation_stderr"])
    named = point_words({name: chosen[name] for name in axes})
    seeds = f", mean of {int(chosen['runs'])} seeds" if chosen["runs"] > 1 else ""
    text = f"{named} has a validation score of {chosen[score]:.2f} nats per bin{seeds}"
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
            f"({error:.2f})."
        )
    top = point_words({name: best[name] for name in axes})
    return (
        f"{text}: the fewest hidden units within one standard error ({error:.2f}) of the best, "
        f"{best[score]:.2f} ({top})."
    )


def point_words(values: dict[str, Any]) -> str:
    """Return a point of the grid in words.

    Examples
    --------
    >>> point_words({"hidden": 50, "l1": 0.001})
    'hidden 50, l1 0.001'
    """
    return ", ".join(
        f"{name.replace('_', ' ')} {value:g}"
        if isinstance(value, (int, float))
        else f"{name.replace('_', ' ')} {value}"
        for name, value in values.items()
    )
