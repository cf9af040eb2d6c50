"""The likelihood along a training with a context: log Z of every scored bin.

Each chain anneals from the model of its bin without weights, whose log Z is exact and which is
fitted to the data by itself, so that the way is short. Of the bins of a fold some are scored, each
by a few chains, the bias of the log of their mean weight taken off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.data.activity import Activity, FoldName
from boltzbrain.data.clusters import Clusters, clusters_of
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.sampling.rows.annealed import RowPaths
from boltzbrain.sampling.rows.estimate import effective_shares, jackknifed
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.score.likelihood_log import LikelihoodLog

CHAINS, RUNGS = 4, 60
"""Chains and rungs of every bin."""


@dataclass(frozen=True, eq=False)
class BinPartitions(LogPartition):
    """Estimates of log Z of the scored bins; `value` is their mean over the last fold.

    Attributes
    ----------
    bins
        Fold name to log Z of every scored bin, (bin,) float64.
    offsets
        Fold name to the offsets of every scored bin.
    """

    bins: Mapping[FoldName, Tensor] = field(default_factory=dict)
    offsets: Mapping[FoldName, Offsets] = field(default_factory=dict)


def anneal_bins(model: RBM, offsets: Offsets, foot: Tensor, generator: Generator) -> Tensor:
    """Return log-weights of the chains of every bin, (bin, chain) float64: its log Z plus noise.

    Parameters
    ----------
    model
        The model.
    offsets
        A row for every bin.
    foot
        (neuron,) visible fields of the model without weights.
    generator
        Moves on.
    """
    paths = RowPaths(model, offsets, foot)
    ts = torch.linspace(0, 1, RUNGS, dtype=torch.float64).tolist()
    rows = torch.arange(len(offsets), device=model.weights.device)
    parts = [
        paths.climb(rows[part], CHAINS, ts, generator)[0]
        for part in slices(len(rows), CHAINS * model.weights.shape[0], VALUES)
    ]
    return torch.cat(parts)


@dataclass(frozen=True)
class ContextLog(LikelihoodLog):
    """Scores models with a context on some training and validation bins.

    Attributes
    ----------
    sequences
        Fold name to all its bins.
    rows
        Fold name to those of them that are scored, whose states are in `states`.
    """

    most: ClassVar[Mapping[FoldName, int | None]] = {"train": 250, "validation": 1000}
    """Bins of a fold that are scored along the training; of more, some are taken evenly."""

    sequences: Mapping[FoldName, Sequences]
    rows: Mapping[FoldName, Tensor]

    @classmethod
    def of(
        cls, activity: Activity, plan: TrainingPlan, device: torch.device | str = "cpu"
    ) -> ContextLog:
        """Build the log of an activity; the test fold is never touched."""
        sequences: dict[FoldName, Sequences] = {}
        rows: dict[FoldName, Tensor] = {}
        states: dict[FoldName, Tensor] = {}
        clusters: dict[FoldName, Clusters] = {}
        for name, most in cls.most.items():
            bins = activity.bins_of(name)
            if not len(bins):
                continue
            some = _evenly(len(bins), most)
            sequences[name] = Sequences.of_fold(activity, name)
            rows[name] = torch.from_numpy(some)
            states[name] = torch.from_numpy(activity.states[bins[some]]).to(device)
            clusters[name] = clusters_of(activity, bins[some])
        base = independent_field(torch.from_numpy(sequences["train"].states))
        return cls(states, base, clusters, plan, sequences, rows)

    def estimate(self, model: RBM, update: int, contexts: Contexts | None = None) -> LogPartition:
        """Return log Z of every scored bin of a model with its context."""
        assert contexts is not None
        found: dict[FoldName, Tensor] = {}
        beside: dict[FoldName, Offsets] = {}
        logs, errors = torch.empty(0), torch.empty(0)
        for name, states in self.states.items():
            generator = Generator.from_seed(self.plan.seed, "ais", update, name)
            offsets = contexts.offsets(self.sequences[name], model)[
                self.rows[name].to(states.device)
            ]
            logs = anneal_bins(model, offsets, contexts.foot, generator)
            found[name], errors = (one.to(states.device) for one in jackknifed(logs))
            beside[name] = offsets
        last = found[name]
        return BinPartitions(
            float(last.mean()),
            float(errors.square().sum().sqrt()) / len(errors),
            float(effective_shares(logs).mean()) * logs.numel(),
            logs.flatten(),
            "forward",
            found,
            beside,
        )

    def scores(self, name: FoldName, model: RBM, estimate: LogPartition) -> Tensor:
        """Return log P(v) given the context of every scored bin of a fold, (bin,) float64 nats."""
        assert isinstance(estimate, BinPartitions)
        free = model.free_energy(self.states[name], estimate.offsets[name])
        return -free - estimate.bins[name]

    def scores_at(self, row: Mapping[str, Any], model: RBM, contexts: Contexts | None) -> Tensor:
        """Return that of the validation bins, of the model of a row of log.csv."""
        return self.scores("validation", model, self.estimate(model, int(row["update"]), contexts))


def _evenly(count: int, most: int | None) -> NDArray[np.int64]:
    if most is None or count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)
