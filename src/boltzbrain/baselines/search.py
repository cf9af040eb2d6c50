"""Search along a grid of a hyperparameter, and a little beyond it where the best lies at its edge.

A best value at the edge of a grid says that the grid ends too early. So the search goes on by
itself, in the ratio of the last two values, and what still lies at an edge then is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from boltzbrain.baselines.protocol import Trial

BEYOND = 2
"""Most values to try beyond either end of a grid."""

Model = TypeVar("Model")


@dataclass(frozen=True, eq=False)
class Tried(Generic[Model]):
    """A value of a hyperparameter, its score on the validation fold, and the model fitted by it."""

    value: float
    score: float
    model: Model


def search(
    values: Sequence[float],
    fit: Callable[[float, Model | None], Tried[Model]],
    *,
    beyond: int = BEYOND,
) -> Tried[Model]:
    """Try the values one after the other, up to the first that is worse, and return the best.

    Where the last one is the best, or the first, the search goes on beyond that end up to the first
    that is worse. A single value is a choice and no grid: nothing is tried beside it.

    Parameters
    ----------
    values
        In the order to try them, at least one, above 0.
    fit
        Fits a model by a value, starting from the model of a value near it if there is one.
    beyond
        Most values to try beyond either end.
    """
    first = fit(values[0], None)
    if len(values) == 1:
        return first
    best = _follow([*values[1:], *beyond_edge(values[-1], values, beyond)], first, fit)
    return (
        best if best is not first else _follow(beyond_edge(values[0], values, beyond), first, fit)
    )


def _follow(
    values: Sequence[float], start: Tried[Model], fit: Callable[[float, Model | None], Tried[Model]]
) -> Tried[Model]:
    """Return the best from `start` on, up to the first value that is worse."""
    best = start
    for value in values:
        found = fit(value, best.model)
        if found.score < best.score:
            break
        best = found
    return best


def beyond_edge(best: float, values: Sequence[float], number: int = BEYOND) -> list[float]:
    """Return what to try beyond the end of a grid, in the ratio of its last two; none elsewhere.

    Examples
    --------
    >>> beyond_edge(8.0, (1.0, 2.0, 8.0)), beyond_edge(1.0, (1.0, 2.0, 8.0))
    ([32.0, 128.0], [0.5, 0.25])
    >>> beyond_edge(2.0, (1.0, 2.0, 8.0)), beyond_edge(2.0, (2.0,))
    ([], [])
    """
    if len(values) < 2:
        return []
    for last, before in ((values[0], values[1]), (values[-1], values[-2])):
        if best == last:
            return [last * (last / before) ** step for step in range(1, number + 1)]
    return []


def lies_at_edge(chosen: Mapping[str, float], trials: Sequence[Trial]) -> bool:
    """Return whether a chosen value is the least or the greatest of those that were tried.

    A hyperparameter of which one value was tried has no edge.
    """
    for name, value in chosen.items():
        tried = {trial.values[name] for trial in trials if name in trial.values}
        if len(tried) > 1 and value in (min(tried), max(tried)):
            return True
    return False
