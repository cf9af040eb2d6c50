"""log Z of every hidden state along a training, and the score of bins given earlier ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from boltzbrain.data.activity import FoldName
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.sampling.rows.annealed import RowPaths
from boltzbrain.sampling.rows.estimate import effective_shares, jackknifed
from boltzbrain.training.context.likelihood import ContextLog
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.score.likelihood_log import LikelihoodLog

LEAST_CHAINS = 20
"""Of a state; those of the plan's estimate are shared out where that gives more."""


def anneal_states(
    model: RBM, contexts: Contexts, chains: int, rungs: int, generator: Generator
) -> Tensor:
    """Return log-weights of the chains of every state, (state, chain) float64: log Z plus noise.

    Each anneals from the independent neurons of its own state.
    """
    states = contexts.states
    assert states is not None
    feet = states.feet.to(contexts.foot) - contexts.foot
    paths = RowPaths(model, states.rows(model), contexts.foot, feet)
    ts = torch.linspace(0, 1, rungs, dtype=torch.float64).tolist()
    rows = torch.arange(len(states), device=model.weights.device)
    return paths.climb(rows, chains, ts, generator)[0]


@dataclass(frozen=True, eq=False)
class StatePartitions(LogPartition):
    """Estimates of log Z of the states; `value` is their mean, as often as each is held.

    Attributes
    ----------
    values
        (state,) float64.
    bins
        Fold name to log P of every bin given earlier ones, (bin,) float64 nats.
    """

    values: Tensor = field(default_factory=lambda: torch.empty(0))
    bins: Mapping[FoldName, Tensor] = field(default_factory=dict)


class StatesLog(ContextLog):
    """Scores models with hidden states on all training and validation bins."""

    most: ClassVar[Mapping[FoldName, int | None]] = {"train": None, "validation": None}

    def estimate(
        self, model: RBM, update: int, contexts: Contexts | None = None
    ) -> StatePartitions:
        """Return log Z of every state, and the scores that follow."""
        assert contexts is not None
        states = contexts.states
        assert states is not None
        chains = max(LEAST_CHAINS, self.plan.ais_chains // len(states))
        generator = Generator.from_seed(self.plan.seed, "ais", update)
        logs = anneal_states(model, contexts, chains, self.plan.ais_rungs, generator)
        values, errors = jackknifed(logs)
        known = states.given_partitions(model, values)
        held = states.occupancy
        return StatePartitions(
            float(held @ values),
            float((held * errors).square().sum().sqrt()),
            float(held @ effective_shares(logs)) * logs.numel(),
            logs.flatten(),
            "forward",
            values,
            {
                name: torch.from_numpy(known.predictive(one, model)).to(self.states[name].device)
                for name, one in self.sequences.items()
            },
        )

    def scores(self, name: FoldName, model: RBM, estimate: LogPartition) -> Tensor:
        """Return log P(v) given earlier bins of every bin of a fold, (bin,) float64 nats."""
        assert isinstance(estimate, StatePartitions)
        return estimate.bins[name]

    def told(
        self, contexts: Contexts | None, model: RBM, estimate: LogPartition
    ) -> Contexts | None:
        """Return the contexts with log Z of the states as it was estimated."""
        assert contexts is not None
        assert isinstance(estimate, StatePartitions)
        states = contexts.states
        assert states is not None
        return contexts.with_states(states.given_partitions(model, estimate.values))


def log_for(plan: TrainingPlan) -> type[LikelihoodLog]:
    """Return what scores the models of a training."""
    if plan.context is None:
        return LikelihoodLog
    return StatesLog if plan.context == "states" else ContextLog
