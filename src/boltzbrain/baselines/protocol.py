"""What a baseline says of itself: how it was fitted, which scores it can give, and those scores.

A baseline is asked only for what it `gives`; anything else is refused by name. So one suite and one
table serve all of them, and nobody has to know which model is which.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.checks import InputError, Undefined, bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.sampling.partition import LogPartition

SCORES = (
    "log_likelihood", "bound", "conditional", "reconstruction", "samples", "couplings",
    "assemblies",
)  # fmt: skip
"""What can be asked for, each by the method of its name."""


@dataclass(frozen=True)
class Trial:
    """One choice of hyperparameters that was tried, and its score on the validation fold.

    Attributes
    ----------
    values
        Hyperparameters by name.
    score
        Undefined where no model came of them.
    """

    values: Mapping[str, float]
    score: float | Undefined


@dataclass(frozen=True)
class Fit:
    """How a baseline was fitted.

    Attributes
    ----------
    optimiser
        In words.
    updates
        Steps or evaluations in all, every trial included.
    seconds
        Of the whole fit, trials included.
    chosen
        Hyperparameters by name.
    score
        What the trials were judged by, in words; empty where nothing was chosen.
    trials
        The grid.
    grid_edge
        Whether a chosen hyperparameter lies at the edge of what was tried, so that a better one may
        lie beyond.
    """

    optimiser: str
    updates: int
    seconds: float
    chosen: Mapping[str, float]
    score: str = ""
    trials: tuple[Trial, ...] = ()
    grid_edge: bool = False

    def describe(self) -> dict[str, Any]:
        """Return what a result says about the fit."""
        return {
            "optimiser": self.optimiser,
            "updates": self.updates,
            "seconds": self.seconds,
            "chosen": dict(self.chosen),
            "judged_by": self.score,
            "grid": [{**trial.values, "score": trial.score} for trial in self.trials],
            "grid_edge": self.grid_edge,
        }


@dataclass(frozen=True)
class Unfitted:
    """A baseline of which no model came.

    Attributes
    ----------
    title
        Its name in words.
    fit
        What was tried.
    reason
        Why there is none.
    """

    title: str
    fit: Fit
    reason: str


@dataclass(frozen=True, eq=False)
class Baseline(ABC):
    """A fitted model beside the RBM.

    Attributes
    ----------
    fit
        How it was fitted.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    gives: ClassVar[frozenset[str]]
    uses_time: ClassVar[bool] = False
    """Whether `predictive` rests on earlier bins."""

    fit: Fit

    def _cannot(self, score: str) -> InputError:
        return bad_input(f"the baseline {self.name}", f"be one that gives {score}", "one without")

    def log_likelihood(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return log P(v) of every bin, (bin,) nats, of which `log_partition` has the error."""
        raise self._cannot("log_likelihood")

    def predictive(self, given: Sequences) -> NDArray[np.float64]:
        """Return log P(v_t | earlier bins of the piece) of every bin, (bin,) nats.

        Filtered, never smoothed. A model without time answers with `log_likelihood`.
        """
        return self.log_likelihood(given.states)

    def log_partition(self) -> LogPartition | None:
        """Return the estimate of log Z in `log_likelihood`; None where it is exact."""
        return None

    def doubts(self) -> list[str]:
        """Say in words why `log_likelihood` must not be trusted: no sentence, no doubt."""
        return []

    def bound(
        self, states: NDArray[np.uint8], generator: Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return two lower bounds on log P(v) of every bin, (bin,) nats: the ELBO, and the tighter.

        The generator moves on.
        """
        raise self._cannot("bound")

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron given all others alone, (bin, neuron)."""
        raise self._cannot("conditional")

    def reconstruction(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron from the bin, its own state too, (bin, neuron)."""
        raise self._cannot("reconstruction")

    def samples(self, n: int, generator: Generator) -> NDArray[np.uint8]:
        """Return generated states (n, neuron), one of each chain; the generator moves on."""
        raise self._cannot("samples")

    def couplings(self) -> Tensor:
        """Return the coupling of every pair in states of {0, 1}, (neuron, neuron)."""
        raise self._cannot("couplings")

    def assemblies(self) -> NDArray[np.float64]:
        """Return the weight of every neuron in every latent variable, (neuron, latent)."""
        raise self._cannot("assemblies")
