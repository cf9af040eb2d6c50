"""What every state between two updates of a training has, whatever moves its parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.chains.movers import Step
from boltzbrain.training.health.convergence import Convergence, assess
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.health.symptoms import Symptom, symptom
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.score.running import RunningScore
from boltzbrain.training.update.anchored import AnchoredSamples
from boltzbrain.training.update.penalties import Penalties


class BaseState(ABC):
    """Parameters, optimiser, chains, course and running score after some number of updates.

    Parameters
    ----------
    plan
        Every hyperparameter.
    data
        (bin, neuron) uint8 training states, on the device to train on.
    """

    update: int
    interventions: Interventions
    chains: Chains
    mean: dict[str, Tensor]
    """Running mean of the parameters."""
    running_score: RunningScore | None
    anchored: AnchoredSamples | None = None
    """Hidden samples that the hidden units are drawn to."""

    def __init__(self, plan: TrainingPlan, data: Tensor) -> None:
        self.plan, self.data = plan, data
        self.batch = data[:0]
        self._epoch: tuple[int, int] | None = None
        self._order = np.empty(0, dtype=np.int64)

    @abstractmethod
    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint, its interventions included."""

    @abstractmethod
    def step(self) -> None:
        """Do one update."""

    @property
    @abstractmethod
    def live(self) -> RBM:
        """The model that the steps move."""

    @property
    @abstractmethod
    def model(self) -> RBM:
        """The model to use: the running mean of the parameters where the plan averages."""

    @abstractmethod
    def _optimizer_tensors(self) -> Mapping[str, Tensor]:
        """Return what a checkpoint keeps beside models and chains, name to tensor."""

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last update."""
        return self.plan.rate_at(max(self.update, 1)) / self.interventions.rate_divisor

    @property
    def penalties(self) -> Penalties:
        """Penalties of the last update."""
        return self.plan.penalties_at(max(self.update, 1), self.interventions.l1)

    @property
    def finite(self) -> bool:
        """Whether every weight is a finite number; of a GPU it is, until symptoms are looked for.

        To ask after every update, the host would have to wait for it.
        """
        weights = self.live.weights
        return weights.device.type != "cpu" or bool(torch.isfinite(weights).all())

    def symptom(self) -> Symptom | None:
        """Return what is wrong after the last update, or None."""
        return symptom(self.live, self.batch, self.chains.visible, self.plan, self.update)

    def checkpoint(self, row: Mapping[str, Any], seconds: float) -> Checkpoint:
        """Return this state as a checkpoint."""
        return Checkpoint(
            self.update,
            self.model,
            self.live,
            self.chains,
            self._optimizer_tensors(),
            seconds,
            row,
            self.interventions,
            self.running_score,
            self.contexts,
            self.live_contexts,
        )

    @property
    def contexts(self) -> Contexts | None:
        """What gives every bin an offset of the fields, to use with `model`; None without."""
        return None

    @property
    def live_contexts(self) -> Contexts | None:
        """Those that the steps move."""
        return self.contexts

    def assessed(self, generator: Generator) -> Convergence:
        """Judge the model by the training bins and by its chains; `generator` is for that alone."""
        one = self.anchored
        return assess(
            self.model,
            self.data,
            self.chains,
            penalties=self.penalties,
            generator=generator,
            anchor=None if one is None else (one.hidden, one.weight),
            by=self._judging(),
        )

    def _judging(self) -> tuple[Step, str] | None:
        """Return how chains of the finished model move, and that in words; None: as any do."""
        return None

    def _average(self, parameters: Mapping[str, Tensor]) -> None:
        """Take the parameters into their running mean where the plan averages."""
        if self.plan.averaging:
            # the mean of few updates must not remember the first, random, parameters
            keep = min(self.plan.averaging, 1.0 - 1.0 / (1.0 + 0.1 * self.update))
            for name, value in self.mean.items():
                value.lerp_(parameters[name], 1.0 - keep)

    def _next_bins(self) -> slice | Tensor:
        """Return the training bins of an update: every bin once per epoch, in random order."""
        count = len(self.data)
        size = min(self.plan.batch * self.interventions.batch_factor, count)
        if size == count:
            return slice(None)
        epoch, place = divmod(self.update, count // size)
        if self._epoch != (epoch, size):
            generator = Generator.from_seed(self.plan.seed, "batch", epoch)
            self._epoch, self._order = (epoch, size), generator.permutation(count)
        chosen = self._order[place * size : (place + 1) * size]
        return torch.from_numpy(chosen).to(self.data.device)
