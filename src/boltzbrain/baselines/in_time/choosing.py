"""Choice by the validation bins where more always seems a little better: one standard error.

A score that creeps up with every state says little: the simplest model is taken whose score lies
within a standard error, paired bin by bin, of the best (Breiman, Friedman, Olshen and Stone 1984).
That there is more than one state at all is asked to be clear by two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from boltzbrain.baselines.protocol import Trial
from boltzbrain.data.clusters import (
    ENOUGH,
    Clusters,
    clustered_stderr,
    memory_s,
    stretches_of,
)
from boltzbrain.foundations.checks import Undefined
from boltzbrain.model.context.chain import Floats
from boltzbrain.model.context.sequences import Sequences

Model = TypeVar("Model")

ALONE_ERRORS = 2.0
"""Standard errors within which one state does as well as any number."""


@dataclass(frozen=True, eq=False)
class Candidate(Generic[Model]):
    """A model that was fitted, its hyperparameters, and log P of every validation bin, nats."""

    values: Mapping[str, float]
    model: Model
    scores: Floats

    @property
    def score(self) -> float:
        """Mean over the validation bins."""
        return float(self.scores.mean())

    def trial(self) -> Trial:
        """Return what is told of it."""
        return Trial(self.values, self.score)


@dataclass(frozen=True, eq=False)
class Choice(Generic[Model]):
    """The best candidate, and all that were tried."""

    best: Candidate[Model]
    tried: tuple[Candidate[Model], ...]

    def or_better(self, other: Candidate[Model]) -> Choice[Model]:
        """Return the choice with one more candidate, taken if its score is higher."""
        best = other if other.score > self.best.score else self.best
        return replace(self, best=best, tried=(*self.tried, other))

    def trials(self) -> tuple[Trial, ...]:
        """Return what was tried."""
        return tuple(one.trial() for one in self.tried)

    def at_end(self, values: Sequence[float]) -> bool:
        """Return whether the best number is the last that could be tried."""
        return len(values) > 1 and self.best.values["states"] == max(values)


def paired_stderr(one: Floats, other: Floats, given: Sequences) -> float | Undefined:
    """Return the standard error of the mean difference of two scores of the same bins.

    Pieces are taken as independent, or stretches of them where there are few, as
    `data.clusters.stretches_of` cuts them.
    """
    pieces, label = np.unique(given.label, return_inverse=True)
    clusters = Clusters(label.astype(np.int64), "segment", None)
    if len(pieces) < ENOUGH:
        memory = memory_s(given.states, given.label, given.bin_width_s)
        clusters = stretches_of(clusters.label, given.place, given.bin_width_s, memory)
    return clustered_stderr(one - other, clusters)


def choose(
    name: str,
    values: Sequence[float],
    fit: Callable[[float], Candidate[Model]],
    validation: Sequences,
) -> Choice[Model]:
    """Try values from simple to rich, up to the second in a row that is worse; take by the rule.

    Parameters
    ----------
    name
        Of the hyperparameter.
    values
        From simple to rich, at least one.
    fit
        Fits the model of a value.
    validation
        The bins that it is scored on.
    """
    tried: list[Candidate[Model]] = []
    worse = 0
    for value in sorted(values):
        one = fit(value)
        best = max((other.score for other in tried), default=-np.inf)
        tried.append(one)
        worse = worse + 1 if one.score < best else 0
        if worse > 1:
            break
    top = max(tried, key=lambda one: one.score)
    for one in sorted(tried, key=lambda one: one.values[name]):
        error = paired_stderr(top.scores, one.scores, validation)
        room = 0.0 if isinstance(error, Undefined) else error
        if one.values[name] == 1:
            room *= ALONE_ERRORS
        if one is top or top.score - one.score <= room:
            return Choice(one, tuple(tried))
    raise AssertionError  # the best lies within its own error
