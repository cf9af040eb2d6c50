"""Chains that are exchanged with models along the trajectory of the training.

What a model of clustered data has learnt, its own Gibbs sweeps do not cross. The models before it
did: each differs little from the one before, down to the independent model, of which every sweep is
an independent sample. So some of them are kept as rungs of a ladder, every chain of the live model
has a companion on each, and neighbours swap states by their energies: parallel tempering along the
training (Béreux, Decelle, Furtlehner, Rosset and Seoane, ICLR 2025, arXiv 2405.15376, who sample
finished models so). The live model becomes a rung where too few exchanges with the last are
accepted, and rungs are left out whose neighbours exchange without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.model.layers.layer import KINDS, Layer
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.exchange import Exchange, exchange_step, replicas_from, start_replicas
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.ladder import Ladder, annealing_ladder, distance_of
from boltzbrain.sampling.running import snapshot
from boltzbrain.training.chains.movers import Mover, Step
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.update.directions import exact_chains, without_small
from boltzbrain.training.update.gradient import parameters_of

LEAST_ACCEPTANCE = 0.3
"""Accepted exchanges of the live model with the last rung below which it becomes a rung."""
ENOUGH = 0.4
"""Accepted exchanges of two rungs at which none is needed between them."""
_RUNG, _STATES, _STEPS, _WIDTH = "rungs/", "rungs/states", "rungs/steps", "rungs/neurons"


class Rungs:
    """The lower rungs of a ladder whose highest is the live model, and the states on them.

    Parameters
    ----------
    models
        Lowest first, the first without weights; none of them changes.
    visible
        (rung, chain, visible) uint8.
    steps
        Exchanges so far: they take every second pair in turn.
    exact
        Whether the second rung has few hidden units with weights, whose states can all be summed:
        it is drawn anew each time and never left out.
    """

    def __init__(
        self, models: list[RBM], visible: Tensor, steps: int = 0, *, exact: bool = False
    ) -> None:
        self.models, self.visible, self.steps, self.exact = models, visible, steps, exact

    def __len__(self) -> int:
        """Return the number of rungs."""
        return len(self.models)

    def exchanged(self, model: RBM, visible: Tensor, stream: Generator) -> tuple[Tensor, Exchange]:
        """Swap states between neighbours, then sweep the lower ones.

        Parameters
        ----------
        model
            The highest rung.
        visible
            (chain, visible) states on it.
        stream
            Moves on.

        Returns
        -------
        visible
            Its states, not swept yet.
        exchange
            What was proposed.
        """
        ladder = Ladder((*self.models, model), "trajectory")
        replicas = replicas_from(torch.cat([self.visible, visible[None]]), stream)
        replicas, exchange = exchange_step(ladder, replace(replicas, steps=self.steps), sweeps=0)
        stream.counter = replicas.generator.counter
        self.steps = replicas.steps
        moved = []
        for number, rung in enumerate(self.models):
            if self.exact and number == 1:
                drawn = exact_chains(rung, len(visible), stream)
                stream.counter = drawn.generator.counter
                moved.append(drawn.visible)
            else:
                moved.append(rung.sweep(replicas.visible[number], stream)[0])
        self.visible = torch.stack(moved)
        return replicas.visible[-1], exchange

    def grow(self, model: RBM, visible: Tensor, accepted: float, stream: Generator) -> None:
        """Make the highest rung one of the lower ones, with others below it if it lies far away.

        Parameters
        ----------
        model, visible
            As of `exchanged`.
        accepted
            Exchanges that it accepts with the last of the lower ones.
        stream
            Moves on.
        """
        last, top = self.models[-1], snapshot(model)
        count = int(np.ceil(distance_of(accepted) / distance_of(LEAST_ACCEPTANCE)))
        between = [last.mixed(top, step / count) for step in range(1, count)]
        added = [one.sweep(visible, stream)[0] for one in between] + [visible.clone()]
        self.models = [*self.models, *between, top]
        self.visible = torch.cat([self.visible, torch.stack(added)])
        self._thin()

    def _thin(self) -> None:
        """Leave out rungs whose neighbours exchange without them, the ends excepted."""
        place = len(self.models) - 2
        while place > self.exact:
            below, above = place - 1, place + 1
            pair = Ladder((self.models[0], self.models[below], self.models[above]), "trajectory")
            gains = [pair.log_weight(1, self.visible[one]) for one in (below, above)]
            if acceptance(*gains) > ENOUGH:
                del self.models[place]
                self.visible = torch.cat([self.visible[:place], self.visible[above:]])
            place -= 1

    def tensors(self) -> dict[str, Tensor]:
        """Return them as tensors, name to tensor; states are packed, eight to a byte."""
        packed = np.packbits(self.visible.cpu().numpy(), axis=-1)
        return {
            _STATES: torch.from_numpy(packed),
            _STEPS: torch.tensor(self.steps),
            _WIDTH: torch.tensor(self.visible.shape[-1]),
            **{
                f"{_RUNG}{number}/{name}": value
                for number, model in enumerate(self.models)
                for name, value in parameters_of(model).items()
            },
        }

    @classmethod
    def restored(
        cls, tensors: Mapping[str, Tensor], hidden_kind: str, *, exact: bool = False
    ) -> Rungs:
        """Return those that `tensors` gave.

        Raises
        ------
        InputError
            If there are none.
        """
        if _STATES not in tensors:
            raise bad_input("checkpoint", "hold the rungs of its chains", "none")
        packed, width = tensors[_STATES], int(tensors[_WIDTH])
        states = np.unpackbits(packed.cpu().numpy(), axis=-1, count=width)
        models: list[RBM] = []
        while (start := f"{_RUNG}{len(models)}/") + "weights" in tensors:
            mine = {
                name.removeprefix(start): value.clone()
                for name, value in tensors.items()
                if name.startswith(start)
            }
            models.append(
                RBM(
                    _layer("bernoulli", "visible.", mine),
                    _layer(hidden_kind, "hidden.", mine),
                    mine["weights"],
                )
            )
        visible = torch.from_numpy(states).to(packed.device)
        return cls(models, visible, int(tensors[_STEPS]), exact=exact)


def acceptance(below: Tensor, above: Tensor) -> float:
    """Return the expected share of accepted exchanges.

    Parameters
    ----------
    below, above
        F of the lower minus F of the upper rung, of states of the lower and of the upper one,
        (chain,).
    """
    return float((below - above).clamp(max=0.0).exp().mean())


class ByTrajectory(Mover):
    """Sweeps of the live model, its chains exchanged with rungs along the training.

    An update proposes every second exchange and sweeps each rung once.

    Parameters
    ----------
    plan
        Every hyperparameter.
    field
        (neuron,) visible fields of the independent model; None where it is to be restored.
    """

    rungs: Rungs

    def __init__(self, plan: TrainingPlan, field: Tensor | None) -> None:
        super().__init__(plan)
        self._field = field
        self._exact = plan.weights_from == "directions"

    def begin(self, model: RBM, chains: Chains) -> Chains:
        """Lay rungs from the independent model to the first one, and fill them."""
        stream = Generator.from_seed(self.plan.seed, "rungs")
        if self._exact:
            lowest, first = snapshot(model.independent(self._field)), without_small(model)
            states = [one.sweep(chains.visible, stream)[0] for one in (lowest, first)]
            self.rungs = Rungs([lowest, first], torch.stack(states), exact=True)
            return chains
        ladder = annealing_ladder(
            snapshot(model), stream, acceptance=LEAST_ACCEPTANCE, visible_field=self._field
        )
        filled = start_replicas(ladder, len(chains), stream).visible
        self.rungs = Rungs(list(ladder.rungs[:-1]), filled[:-1])
        return replace(chains, visible=filled[-1], hidden=model.sample_hidden(filled[-1], stream))

    def move(self, model: RBM, chains: Chains, update: int) -> Chains:
        """Exchange with the rungs and sweep; the live model becomes one if it lies far from all."""
        stream = chains.generator.copy()
        visible, exchange = self.rungs.exchanged(model, chains.visible, stream)
        if exchange.pairs[-1] == len(self.rungs) - 1:
            accepted = acceptance(exchange.below[-1], exchange.above[-1])
            if accepted < LEAST_ACCEPTANCE:
                self.rungs.grow(model, visible, accepted, stream)
        return advance(model, replace(chains, visible=visible, generator=stream), self.plan.sweeps)

    def tensors(self) -> dict[str, Tensor]:
        """Return the rungs and their states."""
        return self.rungs.tensors()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back the rungs and their states."""
        self.rungs = Rungs.restored(tensors, self.plan.hidden_kind, exact=self._exact)

    def judging(self, model: RBM) -> tuple[Step, str]:
        """Return steps along the rungs of the training, which stay as they are."""
        mine = self.rungs
        rungs = Rungs(mine.models, mine.visible, mine.steps, exact=mine.exact)

        def step(chains: Chains) -> Chains:
            stream = chains.generator.copy()
            rungs.visible = rungs.visible[:, : len(chains)]
            visible, _ = rungs.exchanged(model, chains.visible, stream)
            return advance(model, replace(chains, visible=visible, generator=stream), 1)

        return step, f"exchange along {len(rungs)} models of the training"


def _layer(kind: str, prefix: str, parameters: Mapping[str, Tensor]) -> Layer:
    of_kind = KINDS[kind]
    return of_kind(
        **{
            name.removeprefix(prefix): value
            for name, value in parameters.items()
            if name.startswith(prefix)
        }
    )
