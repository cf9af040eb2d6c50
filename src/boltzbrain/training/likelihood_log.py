"""The likelihood along training: one row of log.csv for each kept checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import mean_states, sum_active_rows
from boltzbrain.model.rbm import RBM
from boltzbrain.recordings.activity import Activity, FoldName
from boltzbrain.sampling.partition import annealed_importance
from boltzbrain.training.plan import TrainingPlan


def independent_field(states: Tensor) -> Tensor:
    """Return the fields of the independent model with the rates of the states, (unit,) float64.

    The rate of a neuron active in n of T bins is (n + 1/2) / (T + 1), Jeffreys' estimate, so that a
    silent neuron has a finite field.
    """
    # torch's own sum would first make an int64 copy of the states, 8 times their size
    active = (mean_states(states, torch.float64) * len(states)).round()
    return torch.logit((active + 0.5) / (len(states) + 1.0))


@dataclass(frozen=True)
class LikelihoodLog:
    """Scores models on the training and validation folds.

    Attributes
    ----------
    states
        Fold name to (bin, neuron) uint8, for the folds that have bins.
    field
        Fields of the independent model, (neuron,) float64: the lowest rung of the estimate.
    plan
        Chains, rungs and seed of the estimate.
    """

    states: dict[str, Tensor]
    field: Tensor
    plan: TrainingPlan

    @classmethod
    def of(cls, activity: Activity, plan: TrainingPlan) -> LikelihoodLog:
        """Build the log of an activity; the test fold is never touched."""
        names: tuple[FoldName, FoldName] = ("train", "validation")
        folds: dict[str, Tensor] = {
            name: torch.from_numpy(activity.states_of(name))
            for name in names
            if len(activity.bins_of(name))
        }
        return cls(folds, independent_field(folds["train"]), plan)

    def row(self, model: RBM, update: int) -> dict[str, Any]:
        """Return the likelihood of a model on each fold, nats per bin, and the estimate's error."""
        estimate = annealed_importance(
            model,
            Generator.from_seed(self.plan.seed, "ais", update),
            chains=self.plan.ais_chains,
            rungs=self.plan.ais_rungs,
            visible_field=self.field,
        )
        row: dict[str, Any] = {
            "update": update,
            "log_partition": estimate.value,
            "log_partition_stderr": estimate.stderr,
            "effective_sample_size": estimate.effective_sample_size,
            "weight_std": float(model.weights.std()),
        }
        normalisation = torch.nn.functional.softplus(self.field).sum()
        for name, states in self.states.items():
            scores = -model.free_energy(states) - estimate.value
            # as a sum over active neurons: the states in float64 would be 8 times their size
            independent = sum_active_rows(states, self.field[:, None])[:, 0] - normalisation
            row[f"{name}_nats_per_bin"] = float(scores.mean())
            row[f"{name}_independent"] = float(independent.mean())
            row[f"{name}_stderr"] = math.hypot(
                float(scores.std()) / math.sqrt(len(scores)), estimate.stderr
            )
        return row

    def error_between(self, one: RBM, other: RBM) -> float:
        """Return the standard error of two models' difference on the validation fold, nats per bin.

        Over bins, each with both models, so that what makes a bin unlikely for both drops out; that
        of log Z is not in it.
        """
        states = self.states["validation"]
        apart = one.free_energy(states) - other.free_energy(states)
        return float(apart.std()) / math.sqrt(len(apart))
