"""The state between two updates of a training, and the update itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import advance, start_chains
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.health.symptoms import EVERY, Symptom, rescued, symptom
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.score.running import RunningScore
from boltzbrain.training.update.first_weights import at_rates, component_weights
from boltzbrain.training.update.gradient import Ascent, parameters_of, with_parameters
from boltzbrain.training.update.normalisation import held
from boltzbrain.training.update.penalties import Penalties

_BINS = 2000
"""About so many bins set the first potentials."""


class State:
    """Parameters, optimiser, chains, course and running score after some number of updates.

    Parameters
    ----------
    plan
        Every hyperparameter.
    data
        (bin, neuron) uint8 training states, on the device to train on.
    field
        Fields of the independent model, (neuron,).
    checkpoint
        Where to go on from; a new training where None.
    """

    def __init__(
        self, plan: TrainingPlan, data: Tensor, field: Tensor, checkpoint: Checkpoint | None
    ) -> None:
        self.plan, self.data = plan, data
        self.batch = data[:0]
        self._epoch: tuple[int, int] | None = None
        self._order = np.empty(0, dtype=np.int64)
        if checkpoint is not None:
            self.restore(checkpoint)
            return
        self.update, self.interventions = 0, Interventions()
        self.ascent = Ascent(_first_model(plan, data, field), plan)
        self.chains = start_chains(
            self.ascent.model, plan.chains, Generator.from_seed(plan.seed, "chains")
        )
        self.mean = {name: value.clone() for name, value in self.ascent.parameters.items()}
        self.running_score: RunningScore | None = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint, its interventions included."""
        self.update, self.interventions = checkpoint.update, checkpoint.interventions
        self.ascent = Ascent(checkpoint.live.to(self.data.device), self.plan)
        self.ascent.restore_optimizer(checkpoint.optimizer)
        chains, device = checkpoint.chains, self.data.device
        self.chains = replace(
            chains, visible=chains.visible.to(device), hidden=chains.hidden.to(device)
        )
        self.mean = parameters_of(checkpoint.model.to(device))
        self.running_score = checkpoint.running_score

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last update."""
        return self.plan.rate_at(max(self.update, 1)) / self.interventions.rate_divisor

    @property
    def model(self) -> RBM:
        """The model to use: the running mean of the parameters where the plan averages."""
        live = self.ascent.model
        return with_parameters(live, self.mean) if self.plan.averaging else live

    @property
    def penalties(self) -> Penalties:
        """Penalties of the last update."""
        return self.plan.penalties_at(max(self.update, 1), self.interventions.l1)

    def step(self) -> None:
        """Do one update."""
        self.batch = self._next_batch()
        self.chains = advance(self.ascent.model, self.chains, self.plan.sweeps)
        self.update += 1
        if self.update % EVERY == 0:
            self.chains = rescued(self.chains, self.batch, self.plan.seed, self.update)
        if self.plan.released_at(self.update) and not self.plan.released_at(self.update - 1):
            self._release()
        self.ascent.step(
            self.batch,
            self.chains.visible,
            self.update,
            rate_divisor=self.interventions.rate_divisor,
            l1=self.interventions.l1,
        )
        if self.plan.averaging:
            # the mean of few updates must not remember the first, random, parameters
            keep = min(self.plan.averaging, 1.0 - 1.0 / (1.0 + 0.1 * self.update))
            for name, value in self.mean.items():
                value.lerp_(self.ascent.parameters[name], 1.0 - keep)

    def _release(self) -> None:
        """Put the weights to 0 for good that the L1 penalty holds there."""
        if not self.penalties.l1:
            return
        weights = self.ascent.parameters["weights"]
        mean = self.mean["weights"] if self.plan.averaging else weights
        idle = self.ascent.idle_weights(
            mean,
            self.update,
            rate_divisor=self.interventions.rate_divisor,
            l1=self.interventions.l1,
        )
        # some are 0 for the moment only: what is 0 from here on stays so
        weights.copy_(torch.where(weights == 0, mean, weights).masked_fill_(idle, 0.0))
        mean.masked_fill_(idle, 0.0)

    @property
    def finite(self) -> bool:
        """Whether every weight is a finite number."""
        return bool(torch.isfinite(self.ascent.model.weights).all())

    def symptom(self) -> Symptom | None:
        """Return what is wrong after the last update, or None."""
        batch, chains = self.batch, self.chains.visible
        return symptom(self.ascent.model, batch, chains, self.plan, self.update)

    def checkpoint(self, row: Mapping[str, Any], seconds: float) -> Checkpoint:
        """Return this state as a checkpoint."""
        return Checkpoint(
            self.update,
            self.model,
            self.ascent.model,
            self.chains,
            self.ascent.optimizer_tensors(),
            seconds,
            row,
            self.interventions,
            self.running_score,
        )

    def _next_batch(self) -> Tensor:
        """Return the training bins of an update: every bin once per epoch, in random order."""
        count = len(self.data)
        size = min(self.plan.batch * self.interventions.batch_factor, count)
        if size == count:
            return self.data
        epoch, place = divmod(self.update, count // size)
        if self._epoch != (epoch, size):
            generator = Generator.from_seed(self.plan.seed, "batch", epoch)
            self._epoch, self._order = (epoch, size), generator.permutation(count)
        chosen = self._order[place * size : (place + 1) * size]
        return self.data[torch.from_numpy(chosen).to(self.data.device)]


def _first_model(plan: TrainingPlan, data: Tensor, field: Tensor) -> RBM:
    """Return fields from the rates and small random weights, or weights from the data."""
    generator = Generator.from_seed(plan.seed, "weights")
    weights = plan.weight_std * generator.normal((len(field), plan.hidden))
    if plan.weights_from == "data":
        weights = weights + component_weights(data.cpu(), plan.hidden, plan.seed)
    hidden: Layer = KINDS[plan.hidden_kind].standard(plan.hidden)
    model = RBM(Bernoulli(field.to(torch.float32)), hidden, weights).to(data.device)
    some = data[:: max(1, len(data) // _BINS)]
    if plan.normalised:
        model = held(model, some)
    if plan.weights_from == "data":
        model = at_rates(model, some, torch.sigmoid(field).to(data.device), generator)
    return model
