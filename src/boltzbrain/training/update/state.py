"""The state between two updates of a training, and the update itself."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.sampling.gibbs import Chains, start_chains
from boltzbrain.training.chains.choice import mover_of
from boltzbrain.training.chains.movers import Step
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.health.symptoms import EVERY, rescued
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.update.anchored import AnchoredSamples
from boltzbrain.training.update.base_state import BaseState
from boltzbrain.training.update.directions import exact_chains, model_along_directions
from boltzbrain.training.update.first_weights import at_rates, component_weights
from boltzbrain.training.update.gradient import (
    Ascent,
    Through,
    parameters_of,
    with_parameters,
)
from boltzbrain.training.update.normalisation import held

_BINS = 2000
"""About so many bins set the first potentials."""


class State(BaseState):
    """The state of a training whose parameters all follow one gradient.

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
    anchored
        Hidden samples to draw the hidden units to, if there are any.
    begin
        The model that a new training begins with, as it is.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        data: Tensor,
        field: Tensor,
        checkpoint: Checkpoint | None,
        *,
        anchored: AnchoredSamples | None = None,
        begin: RBM | None = None,
    ) -> None:
        super().__init__(plan, data)
        self.anchored = anchored
        if checkpoint is not None:
            self.restore(checkpoint)
            return
        self.update, self.interventions = 0, Interventions()
        first = first_model(plan, data, field) if begin is None else begin.to(data.device)
        self.ascent = Ascent(first, plan)
        self.mover = mover_of(plan, data, field)
        stream, live = Generator.from_seed(plan.seed, "chains"), self.ascent.model
        starts = exact_chains if plan.weights_from == "directions" else start_chains
        self.chains = self.mover.begin(live, starts(live, plan.chains, stream))
        self.mean = {name: value.clone() for name, value in self.ascent.parameters.items()}
        self.running_score = None

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint, its interventions included."""
        checkpoint = checkpoint.to(self.data.device)
        self.update, self.interventions = checkpoint.update, checkpoint.interventions
        self.ascent = Ascent(checkpoint.live, self.plan)
        self.ascent.restore_optimizer(checkpoint.optimizer)
        self.chains = checkpoint.chains
        self.mover = mover_of(self.plan, self.data)
        self.mover.restore(checkpoint.optimizer)
        self.mean = parameters_of(checkpoint.model)
        self.running_score = checkpoint.running_score

    @property
    def live(self) -> RBM:
        """The model that the steps move."""
        return self.ascent.model

    @property
    def model(self) -> RBM:
        """The model to use: the running mean of the parameters where the plan averages."""
        live = self.ascent.model
        return with_parameters(live, self.mean) if self.plan.averaging else live

    def step(self) -> None:
        """Do one update."""
        self.batch = self.data[self._next_bins()]
        moved = self.mover.move(self.ascent.model, self.chains, self.update)
        self.chains = self._rescued(moved)
        self._climb(self.chains.visible)
        self._average(self.ascent.parameters)

    def _rescued(self, chains: Chains) -> Chains:
        """Return moved chains, some started anew if it is time; the update is counted here."""
        self.update += 1
        if self.update % EVERY:
            return chains
        return rescued(chains, self.batch, self.plan.seed, self.update)

    def _climb(
        self, chains: Tensor, offsets: Offsets | None = None, through: Through | None = None
    ) -> tuple[Moments, Moments]:
        """Step along the gradient of the batch against chains, (chain, visible)."""
        if self.plan.released_at(self.update) and not self.plan.released_at(self.update - 1):
            self._release()
        return self.ascent.step(
            self.batch,
            chains,
            self.update,
            rate_divisor=self.interventions.rate_divisor,
            l1=self.interventions.l1,
            offsets=offsets,
            through=through,
            anchor=self._anchor(),
        )

    def _anchor(self) -> tuple[Tensor, float] | None:
        """Return the hidden samples of the update and their share of the objective."""
        one = self.anchored
        return None if one is None else (one.at(self.update), one.weight)

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

    def _judging(self) -> tuple[Step, str] | None:
        """Return what moves chains of the finished model."""
        return self.mover.judging(self.model)

    def _optimizer_tensors(self) -> Mapping[str, Tensor]:
        """Return the state of the optimiser, and of what moves the chains."""
        return {**self.ascent.optimizer_tensors(), **self.mover.tensors()}


def first_model(
    plan: TrainingPlan,
    data: Tensor,
    field: Tensor,
    offsets: Offsets | None = None,
    start: RBM | None = None,
) -> RBM:
    """Return fields from the rates and small random weights, or weights from the data.

    Parameters
    ----------
    plan
        Every hyperparameter.
    data
        (bin, neuron) uint8 training states, on the device to train on.
    field
        (neuron,) visible fields without weights.
    offsets
        A row for every bin.
    start
        The model to take weights and hidden units of; its visible fields go to where neurons keep
        their rates under the offsets.
    """
    if plan.weights_from == "directions" and start is None:
        return model_along_directions(plan, data, field)
    generator = Generator.from_seed(plan.seed, "weights")
    rows = slice(None, None, max(1, len(data) // _BINS))
    some, beside = data[rows], None if offsets is None else offsets[rows]
    if start is not None:
        model = start.to(data.device)
    else:
        weights = plan.weight_std * generator.normal((len(field), plan.hidden))
        if plan.weights_from == "data":
            weights = weights + component_weights(data.cpu(), plan.hidden, plan.seed)
        hidden: Layer = KINDS[plan.hidden_kind].standard(plan.hidden)
        model = RBM(Bernoulli(field.to(torch.float32)), hidden, weights).to(data.device)
        if plan.normalised:
            model = held(model, some)
    if plan.weights_from == "data" or start is not None:
        wanted = field if offsets is None else independent_field(data)
        rates = torch.sigmoid(wanted).to(data.device)
        model = at_rates(model, some, rates, generator, beside)
    return model
