"""The state between two updates of a training of on/off units, and the update itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains
from boltzbrain.training.assemblies.ascent import FactoredAscent
from boltzbrain.training.assemblies.factors import corrected, couplings_wanted, first_model
from boltzbrain.training.assemblies.find import Components, find_components
from boltzbrain.training.chains.movers import ByMoves
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import MEAN_MEMBERS, Checkpoint
from boltzbrain.training.update.base_state import BaseState

_REMIX_EVERY = 50
_REMIX_UNTIL = 0.6
"""Share of the updates after which the mixing rests."""
_LOOKS = 20
"""Steps of the chains by which couplings are looked at before they are taken back."""
_SETTLE_FROM = 0.7
"""Share of the updates after which members rest, too. A unit is on too often, or too rarely, where
its potential lags behind them."""

_BINS_PER_UNIT = 4
"""Least bins that a settling step looks at: what a unit brings along is told by two slopes."""


class AssemblyState(BaseState):
    """Parameters, chains and proposals of a training that starts from units that are on or off.

    An update moves every chain by h given v, moves of all hidden units, and v given h
    (`sampling.moves`), and the parameters by one step (`assemblies.ascent`). Chains start at
    training bins. In the last updates fields and potentials move beside the means of the members,
    and their own means are kept.

    Parameters
    ----------
    plan
        Every hyperparameter; `hidden` is the most units there may be.
    data
        (bin, neuron) uint8 training states.
    checkpoint
        Where to go on from; a new training where None.
    found
        The components that are on or off, if they are known.

    Raises
    ------
    InputError
        If no component of the data is on or off.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        data: Tensor,
        checkpoint: Checkpoint | None,
        found: Components | None = None,
    ) -> None:
        super().__init__(plan, data)
        if checkpoint is not None:
            self.restore(checkpoint)
            return
        if found is None:
            found = find_components(data.cpu(), plan.hidden, plan.seed)
        if not found.on.shape[1]:
            raise bad_input("assemblies", "be on or off in the training bins", "graded activity")
        self.update, self.interventions, self.running_score = 0, Interventions(), None
        model, factors = first_model(data.cpu(), found)
        self.ascent = FactoredAscent(model, factors, plan)
        self._wanted = torch.from_numpy(couplings_wanted(found))
        stream = Generator.from_seed(plan.seed, "chains")
        rows = stream.integers(len(data), plan.chains)
        visible = data[torch.from_numpy(rows)].clone()
        self.chains = Chains(visible, model.sample_hidden(visible, stream), stream)
        self.mean = {name: value.clone() for name, value in self.ascent.parameters.items()}
        self.mover = ByMoves(plan, data)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint, its interventions included."""
        self.update, self.interventions = checkpoint.update, checkpoint.interventions
        tensors = checkpoint.optimizer
        self.ascent = FactoredAscent.restored(checkpoint.live, tensors, self.plan)
        self.chains, self.running_score = checkpoint.chains, checkpoint.running_score
        self._wanted = tensors["wanted/couplings"].clone()
        self.mover = ByMoves(self.plan, self.data)
        self.mover.restore(tensors)
        layers = (checkpoint.model.visible, checkpoint.model.hidden)
        self.mean = {
            f"{prefix}.{name}": value.clone()
            for prefix, layer in zip(("visible", "hidden"), layers, strict=True)
            for name, value in layer.parameters().items()
        }
        self.mean["members"] = tensors[MEAN_MEMBERS].clone()

    @property
    def live(self) -> RBM:
        """The model that the steps move."""
        return self.ascent.model

    @property
    def model(self) -> RBM:
        """The model to use: the running mean of the parameters where the plan averages."""
        return self.ascent.built(self.mean) if self.plan.averaging else self.live

    def step(self) -> None:
        """Do one update."""
        plan = self.plan
        self.batch = self.data[self._next_bins()]
        self.chains = self.mover.move(self.live, self.chains, self.update)
        self.update += 1
        stream = Generator.from_seed(plan.seed, "natural", self.update)
        settled = self.update - round(_SETTLE_FROM * plan.updates)
        if settled > 0:
            self._settle(settled, stream)
            return
        divisor = self.interventions.rate_divisor
        self.ascent.step(self.batch, self.chains.visible, self.update, stream, divisor)
        if self.update % _REMIX_EVERY == 0 and self.update <= _REMIX_UNTIL * plan.updates:
            self._remix()
        self._average(self.ascent.parameters)

    def _settle(self, settled: int, stream: Generator) -> None:
        """Do the update that is so many-th of the last ones."""
        ascent, plan = self.ascent, self.plan
        if settled == 1 and plan.averaging:
            ascent.put(self.mean)
        batch = self.batch
        more = min(_BINS_PER_UNIT * len(self.live.hidden), len(self.data)) - len(batch)
        if more > 0:
            rows = torch.from_numpy(stream.integers(len(self.data), more))
            batch = torch.cat([batch, self.data[rows]])
        share = 1.0 - (settled - 1) / (plan.updates - round(_SETTLE_FROM * plan.updates))
        ascent.settle(batch, self.chains, share / self.interventions.rate_divisor, stream)
        if plan.averaging:
            # the k-th counts k times
            for name, value in self.mean.items():
                value.lerp_(ascent.parameters[name], 2.0 / (settled + 1.0))

    def _remix(self) -> None:
        """Take back what the units have come to do to each other."""
        ascent = self.ascent
        inputs = self.live.inputs_to_hidden(self.data)
        stream = Generator.from_seed(self.plan.seed, "couplings", self.update)
        moving, drawn = replace(self.chains, generator=stream), []
        for _ in range(_LOOKS):
            # no update at which proposals are made anew: a look changes nothing of the training
            moving = self.mover.move(self.live, moving, self.update + 1)
            drawn.append(moving.hidden)
        wanted = self._wanted.numpy()
        change = corrected(self.live, ascent.factors, inputs, wanted, torch.cat(drawn))
        for name, value in ascent.remix(change, self.data, self.chains.visible).items():
            self.mean[name].add_(value)

    def _optimizer_tensors(self) -> Mapping[str, Tensor]:
        """Return the state of the optimiser, the factors and the proposals."""
        return {
            **self.ascent.tensors(),
            MEAN_MEMBERS: self.mean["members"],
            "wanted/couplings": self._wanted,
            **self.mover.tensors(),
        }
