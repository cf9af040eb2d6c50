"""The likelihood along training: one row of log.csv for each kept checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from boltzbrain.data.activity import Activity, FoldName
from boltzbrain.data.clusters import Clusters, clustered_stderr, clusters_of
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.moves.annealing import annealed_by_moves
from boltzbrain.sampling.partition import LogPartition, annealed_importance
from boltzbrain.training.plan import TrainingPlan


def error_over_bins(scores: Tensor, clusters: Clusters) -> float:
    """Return the standard error of the mean of scores (bin,), clustered.

    Where there are fewer than two clusters the bins are taken as independent; the error of a single
    bin is 0.
    """
    values = scores.to("cpu", torch.float64).numpy()
    error = clustered_stderr(values, clusters)
    if isinstance(error, Undefined):
        return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return error


def independent_scores(field: Tensor, states: Tensor) -> Tensor:
    """Return log P(v) of independent neurons, (bin,) in nats.

    Parameters
    ----------
    field
        (neuron,) float64 log-odds of a spike.
    states
        (bin, neuron) uint8.
    """
    # as a sum over active neurons: the states in float64 would be 8 times their size
    normalisation = torch.nn.functional.softplus(field).sum()
    return sum_active_rows(states, field[:, None])[:, 0] - normalisation


@dataclass(frozen=True)
class LikelihoodLog:
    """Scores models on the training and validation folds.

    Attributes
    ----------
    states
        Fold name to (bin, neuron) uint8, for the folds that have bins, on the device of the models.
    field
        Fields of the independent model, (neuron,) float64: the lowest rung of the estimate.
    clusters
        Fold name to what the error over its bins is computed over.
    plan
        Chains, rungs and seed of the estimate.
    """

    states: dict[FoldName, Tensor]
    field: Tensor
    clusters: dict[FoldName, Clusters]
    plan: TrainingPlan

    @classmethod
    def of(
        cls, activity: Activity, plan: TrainingPlan, device: torch.device | str = "cpu"
    ) -> LikelihoodLog:
        """Build the log of an activity; the test fold is never touched."""
        names: tuple[FoldName, FoldName] = ("train", "validation")
        bins = {name: activity.bins_of(name) for name in names if len(activity.bins_of(name))}
        folds: dict[FoldName, Tensor] = {
            name: torch.from_numpy(activity.states[one]) for name, one in bins.items()
        }
        clusters: dict[FoldName, Clusters] = {
            name: clusters_of(activity, one) for name, one in bins.items()
        }
        field = independent_field(folds["train"])
        return cls({name: one.to(device) for name, one in folds.items()}, field, clusters, plan)

    @property
    def validated(self) -> bool:
        """Whether there is a validation fold."""
        return "validation" in self.states

    @cached_property
    def independent_scores(self) -> dict[FoldName, Tensor]:
        """Score of every bin (bin,) of each fold under the independent model, in nats."""
        return {
            name: independent_scores(self.field.to(one.device), one)
            for name, one in self.states.items()
        }

    @cached_property
    def independent(self) -> dict[FoldName, float]:
        """Score of the independent model on each fold, nats per bin."""
        return {name: float(scores.mean()) for name, scores in self.independent_scores.items()}

    def estimate(self, model: RBM, update: int, contexts: Contexts | None = None) -> LogPartition:
        """Return log Z of a model by annealed importance sampling; it has no context here."""
        generator = Generator.from_seed(self.plan.seed, "ais", update)
        chains, rungs = self.plan.ais_chains, self.plan.ais_rungs
        if self.plan.weights_from == "assemblies":
            states = self.states["train"]
            return annealed_by_moves(model, states, generator, chains=chains, rungs=rungs)
        return annealed_importance(
            model, generator, chains=chains, rungs=rungs, visible_field=self.field
        )

    def told(
        self, contexts: Contexts | None, model: RBM, estimate: LogPartition
    ) -> Contexts | None:
        """Return contexts with what they keep of an estimate; nothing of one log Z, or of bins."""
        return contexts

    def scores(self, name: FoldName, model: RBM, estimate: LogPartition) -> Tensor:
        """Return log P(v) of every bin of a fold, (bin,) float64 nats."""
        return -model.free_energy(self.states[name]) - estimate.value

    def scores_at(self, row: Mapping[str, Any], model: RBM, contexts: Contexts | None) -> Tensor:
        """Return that of the validation bins, of the model of a row of log.csv."""
        return -model.free_energy(self.states["validation"]) - float(row["log_partition"])

    def row(self, model: RBM, update: int, estimate: LogPartition) -> dict[str, Any]:
        """Return the likelihood of a model on each fold, nats per bin, with its standard error.

        The error is that over bins, clustered by segment or stretch of time, and that of log Z
        together. That of the gain over the independent model is paired: over the differences.
        """
        row: dict[str, Any] = {
            "update": update,
            "log_partition": estimate.value,
            "log_partition_stderr": estimate.stderr,
            "effective_sample_size": estimate.effective_sample_size,
            "weight_std": float(model.weights.std()),
        }
        for name in self.states:
            scores = self.scores(name, model, estimate)
            independent = self.independent_scores[name]
            clusters = self.clusters[name]
            row[f"{name}_nats_per_bin"] = float(scores.mean())
            row[f"{name}_independent"] = float(independent.mean())
            for what, values in (("stderr", scores), ("gain_stderr", scores - independent)):
                row[f"{name}_{what}"] = math.hypot(
                    error_over_bins(values, clusters), estimate.stderr
                )
        return row
