"""The pairwise and K-pairwise models: pseudo-likelihood, then maximum likelihood by chains.

The penalty of the pseudo-likelihood is chosen on the validation fold. From that model chains climb
the likelihood itself (`baselines.pairwise.likelihood`), for each of a few penalties, of which the
validation log-likelihood chooses; its log-partition is estimated as an RBM's is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.pairwise.likelihood import CHAINS, UPDATES, Climbed, climb_likelihood
from boltzbrain.baselines.pairwise.model import Pairwise, draw_pairwise
from boltzbrain.baselines.pairwise.pseudo_likelihood import PENALTIES, choose_pseudo_likelihood
from boltzbrain.baselines.protocol import Baseline, Fit, Trial
from boltzbrain.baselines.search import Tried, lies_at_edge, search
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.sampling.partition import LogPartition, disagreement

FACTORS = (2.0, 1.4, 1.0, 0.7)
"""Penalties of the likelihood to try, in units of half that of the pseudo-likelihood: a coupling
stands in two terms of the one and in one of the other."""

_TRIAL_CHAINS, _TRIAL_RUNGS = 300, 300
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class PairwiseBaseline(Baseline):
    """The pairwise model of maximum penalised likelihood.

    Attributes
    ----------
    model
        The model.
    forward
        log Z by annealing from independent neurons of the training rates: the one that is used.
    backward
        log Z by annealing the persistent chains back, to check it.
    """

    name: ClassVar[str] = "ising"
    title: ClassVar[str] = "pairwise Ising"
    gives: ClassVar[frozenset[str]] = frozenset(
        {"log_likelihood", "conditional", "samples", "couplings"}
    )

    model: Pairwise
    forward: LogPartition
    backward: LogPartition

    def log_likelihood(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return log P(v) of every bin, (bin,) nats."""
        weights = self.model.log_weight(torch.from_numpy(states)) - self.forward.value
        result: NDArray[np.float64] = weights.numpy()
        return result

    def log_partition(self) -> LogPartition:
        """Return the estimate of log Z by annealing."""
        return self.forward

    def doubts(self) -> list[str]:
        """Say in words why log Z must not be trusted, as `evaluation.partitions.unreliable`."""
        words = (
            self.forward.warning,
            self.backward.warning,
            disagreement(self.forward, self.backward),
        )
        return [one for one in words if one is not None]

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of the model, exact, (bin, neuron)."""
        result: NDArray[np.float32] = self.model.log_odds(torch.from_numpy(states)).numpy()
        return result

    def samples(self, n: int, generator: Generator) -> NDArray[np.uint8]:
        """Return generated states (n, neuron), each of an annealed chain of its own."""
        result: NDArray[np.uint8] = draw_pairwise(self.model, n, generator).numpy()
        return result

    def couplings(self) -> Tensor:
        """Return J, (neuron, neuron)."""
        return self.model.couplings


@dataclass(frozen=True, eq=False)
class KPairwiseBaseline(PairwiseBaseline):
    """The K-pairwise model of maximum penalised likelihood."""

    name: ClassVar[str] = "kpairwise"
    title: ClassVar[str] = "K-pairwise"


def fit_pairwise(
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    generator: Generator,
    *,
    penalties: Sequence[float] = PENALTIES,
    factors: Sequence[float] = FACTORS,
    chains: int = CHAINS,
    updates: int = UPDATES,
    rungs: int = 1000,
    count: bool = False,
) -> PairwiseBaseline:
    """Fit the pairwise model, both its penalties chosen on the validation fold.

    Parameters
    ----------
    train, validation
        (bin, neuron) uint8, at least one bin each.
    generator
        Moves on.
    penalties
        Of the pseudo-likelihood, falling; see `pseudo_likelihood.PENALTIES`.
    factors
        Of the likelihood, falling; see `FACTORS`. Each climb goes on from the best before, up
        to the first that is worse, and beyond the grid where its edge is the best.
    chains, updates
        Of each climb; see `climb_likelihood`.
    rungs
        Of the last estimate of log Z; those that choose have 300.
    count
        Fit the K-pairwise model, which has a potential of the population count as well.
    """
    started = time.monotonic()
    model, strength, trials, evaluations = choose_pseudo_likelihood(
        train, validation, penalties=penalties
    )
    base = independent_field(torch.from_numpy(train))
    held_out = torch.from_numpy(validation)

    def fit(factor: float, near: Climbed | None) -> Tried[Climbed]:
        nonlocal evaluations
        penalty = max(factor * strength / 2, _ROUNDING * len(train))
        per_bin = penalty / len(train)
        start, states = (model, chains) if near is None else (near.model, near.chains)
        found = climb_likelihood(
            start, train, penalty, generator, chains=states, updates=updates, count=count
        )
        evaluations += updates
        estimate = found.model.log_partition(
            generator, chains=_TRIAL_CHAINS, rungs=_TRIAL_RUNGS, base=base
        )
        score = float(found.model.log_weight(held_out).mean()) - estimate.value
        trials.append(Trial({"l2_per_bin": per_bin}, score))
        return Tried(per_bin, score, found)

    best = search(factors, fit)
    found = best.model
    forward = found.model.log_partition(generator, rungs=rungs, base=base)
    backward = found.model.log_partition_backward(
        found.chains[:500], generator, rungs=rungs, base=base
    )
    chosen = {"l2": strength, "l2_per_bin": best.value}
    told = Fit(
        f"L-BFGS on the log-pseudo-likelihood, then {updates} natural-gradient updates by {chains} "
        f"persistent chains for each penalty of the likelihood",
        evaluations,
        time.monotonic() - started,
        chosen,
        "nats per validation bin: log-pseudo-likelihood (l2), log-likelihood (l2_per_bin)",
        tuple(trials),
        lies_at_edge(chosen, trials),
    )
    return (KPairwiseBaseline if count else PairwiseBaseline)(told, found.model, forward, backward)
