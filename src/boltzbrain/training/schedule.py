"""What changes along a training: learning rates, and when checkpoints are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RATES = ("learning_rate", "final_learning_rate")
"""Names of the first and of the last learning rate in a plan."""


def last_rate(recipe: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, float]:
    """Return the last learning rate by its name where only the first is given, at a recipe's ratio.

    Parameters
    ----------
    recipe
        Hyperparameter to value, both rates among them.
    given
        What was given beside.

    Examples
    --------
    >>> last_rate({"learning_rate": 0.5, "final_learning_rate": 0.02}, {"learning_rate": 1.0})
    {'final_learning_rate': 0.04}
    """
    first, last = RATES
    found = None if last in given else scaled(recipe[first], recipe[last], given.get(first))
    return {} if found is None else {last: found}


def scaled(first: float, last: float | None, asked: Any) -> float | None:
    """Return a last learning rate at the ratio of two, where only the first is asked for.

    None where there is nothing to scale, or what was asked for is no number.

    Examples
    --------
    >>> scaled(0.5, 0.02, 1.0), scaled(0.5, 0.02, None)
    (0.04, None)
    """
    if last is None or not isinstance(asked, (int, float, str)):
        return None
    try:
        return float(last * float(asked) / first)
    except ValueError:
        return None


def decayed(first: float, last: float, share: float) -> float:
    """Return a rate on its geometric way from the first to the last, both at shares 0 and 1.

    Examples
    --------
    >>> decayed(1.0, 0.01, 0.5)
    0.1
    """
    return float(first * (last / first) ** min(share, 1.0))


def kept_updates(updates: int, count: int, trials: int, length: int) -> list[int]:
    """Return the updates after which a checkpoint is kept, see `TrainingPlan.checkpoint_updates`.

    Parameters
    ----------
    updates
        Of the whole training.
    count
        Checkpoints after the trials.
    trials
        Updates that choose the L1 penalty.
    length
        Those of one trial.

    Examples
    --------
    >>> kept_updates(1000, 4, 0, 50), kept_updates(1000, 2, 100, 50)
    ([1, 10, 100, 1000], [50, 100, 150, 1000])
    """
    after = updates - trials
    first = min(length, after) if trials else 1
    steps = (
        {after}
        if count == 1
        else {round(first * (after / first) ** (number / (count - 1))) for number in range(count)}
    )
    ends = set(range(length, trials + 1, length))
    return sorted({trials + step for step in steps} | ends)
