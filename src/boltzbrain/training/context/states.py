"""Training with hidden states: expectation of the states, and maximisation by chains of each.

Generalised expectation and maximisation (Dempster, Laird and Rubin 1977): the probabilities of the
states of a bin given its whole piece rest while the parameters climb, and are found anew every
twentieth of the training, from log Z of every state by annealing and forward-backward passes. For
a step every bin of the batch draws its state from them, and is held against a chain of that state:
in expectation the gradient of the expected log-likelihood, whose parts by state are those of labels
that are seen. Every state has chains of its own.

States must start apart, or stay alike for ever, and rates alone do not tell states of which only
the couplings differ: `training.context.seek` says where they begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from boltzbrain.baselines.in_time.hmm import law_of
from boltzbrain.baselines.in_time.regression import PSEUDO_BINS
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.context.chain import Chain, Floats, smoothed
from boltzbrain.model.context.contextual import Contexts
from boltzbrain.model.context.labelled import Tabled
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.context.states import HiddenStates
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains, start_chains
from boltzbrain.sampling.rows.estimate import jackknifed
from boltzbrain.training.context.annealed_states import anneal_states
from boltzbrain.training.context.seek import seek_states
from boltzbrain.training.context.state import ContextState
from boltzbrain.training.health.convergence import Convergence
from boltzbrain.training.health.in_context import assess_in_context
from boltzbrain.training.health.symptoms import Symptom, symptom
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.update.first_weights import at_rates

FIRST, EVERY = 0.4, 0.05
"""Shares of the updates before the first expectation, and between two. Weights and offsets must
follow the states that were sought before these are asked of them: too early, and states of equal
rates are lost."""
ROUNDS = 5
"""Forward-backward passes of an expectation, each with the law of the states of the one before."""
LEAST_CHAINS = 48
"""Of a state; the chains of the plan are shared out evenly where that gives more."""
CHAINS, RUNGS = 30, 100
"""Of log Z of a state at an expectation."""
APART = 2.0
"""Standard deviation of the first hidden offsets: a unit is on more easily in some states than in
others. From none, units would come to serve all states alike, and be slow to part."""
_BINS = 2000
"""About so many bins of a state set its first visible offsets."""
_POSTERIOR = "states.posterior"


def states_alike(field: Tensor, states: int, hidden: int) -> HiddenStates:
    """Return states that move no field yet, and are held alike.

    Parameters
    ----------
    field
        (neuron,) float64 log-odds of independent neurons.
    states, hidden
        Numbers of states and of hidden units.
    """
    even = torch.full((states,), 1.0 / states, dtype=torch.float64)
    rate = torch.sigmoid(field)
    return HiddenStates(
        torch.zeros((states, len(field))),
        (PSEUDO_BINS * rate * (1 - rate)).to(torch.float32),
        torch.zeros((states, hidden)),
        initial=even,
        transition=even.expand(states, -1).clone(),
        occupancy=even.clone(),
        feet=field.to(torch.float32).expand(states, -1).clone(),
        silence=torch.zeros(states, dtype=torch.float64),
    )


class StatesState(ContextState):
    """The state of a training with the context `states`."""

    def __init__(
        self,
        plan: TrainingPlan,
        train: Sequences,
        contexts: Contexts | None,
        device: torch.device,
        checkpoint: Checkpoint | None,
        start: RBM | None = None,
    ) -> None:
        super().__init__(plan, train, contexts, device, checkpoint, start)
        if checkpoint is None:
            self._seek(start is not None)

    def _begun_offsets(self, contexts: Contexts, bare: RBM) -> Offsets | None:
        return None

    def _begun_chains(self, model: RBM, stream: Generator) -> Chains:
        each = max(LEAST_CHAINS, self.plan.chains // self.plan.states)
        return start_chains(model, each * self.plan.states, stream)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint, its interventions included."""
        super().restore(checkpoint)
        self._posterior = checkpoint.optimizer[_POSTERIOR].cpu()

    def _optimizer_tensors(self) -> Mapping[str, Tensor]:
        """Return the state of both optimisers, and the probabilities of the states."""
        return {**super()._optimizer_tensors(), _POSTERIOR: self._posterior}

    @property
    def _states(self) -> HiddenStates:
        found = self.live_contexts.states
        assert found is not None
        return found

    def step(self) -> None:
        """Do one update."""
        first, every = (max(1, round(share * self.plan.updates)) for share in (FIRST, EVERY))
        if self.update >= first and (self.update - first) % every == 0:
            self._expect()
        super().step()

    def _seek(self, started: bool) -> None:
        """Find states to start from, and move the visible fields there.

        Parameters
        ----------
        started
            Whether there are weights, which move the rates, too.
        """
        plan, train, model = self.plan, self.train, self.live
        generator = Generator.from_seed(plan.seed, "states")
        self._take_states(*seek_states(train, plan.states, generator))
        held, feet = self._posterior.argmax(dim=1), self._states.feet.to(torch.float64)
        field = model.visible.parameters()["field"]
        table = (feet - self._live.foot).to(field)
        stream = Generator.from_seed(plan.seed, "states", "apart")
        apart = APART * stream.normal((plan.states, plan.hidden)).to(field)
        if plan.states == 1:
            apart.zero_()
        for state in range(plan.states) if started else ():
            bins = (held == state).nonzero()[:, 0].to(field.device)
            if len(bins):
                some = self.data[bins[:: -(-len(bins) // _BINS)]]
                rates = torch.sigmoid(feet[state]).to(field.device)
                beside = Offsets(hidden=apart[state].expand(len(some), -1))
                there = at_rates(model, some, rates, generator, beside)
                table[state] = there.visible.parameters()["field"] - field
        for name, value in (("states.visible", table), ("states.hidden", apart)):
            for values in (self._learnt[name], self.mean[f"context.{name}"]):
                values.copy_(value)

    def _expect(self) -> None:
        """Find the probabilities of the states of every bin, and the law of the states, anew."""
        model, contexts = self.model, self.contexts
        states = contexts.states
        assert states is not None
        generator = Generator.from_seed(self.plan.seed, "expectation", self.update)
        logs = anneal_states(model, contexts, CHAINS, RUNGS, generator)
        states = states.given_partitions(model, jackknifed(logs)[0])
        emission, chain = states.emission(self.train.states, model), states.chain
        found = smoothed(chain, emission, self.train.edges)
        for _ in range(ROUNDS - 1):
            chain = law_of(found, self.train.edges)
            found = smoothed(chain, emission, self.train.edges)
        self._take_states(law_of(found, self.train.edges), found.posterior, states.silence)

    def _take_states(self, chain: Chain, posterior: Floats, silence: Tensor | None = None) -> None:
        """Take probabilities of the states of every bin, and what follows from them alone."""
        weights = torch.from_numpy(posterior)
        active = correlate(torch.from_numpy(self.train.states), weights).T
        held = weights.sum(dim=0)[:, None]
        overall = active.sum(dim=0) / len(posterior)
        overall = overall.clamp(0.5 / len(posterior), 1 - 0.5 / len(posterior))
        rates = (active + PSEUDO_BINS * overall) / (held + PSEUDO_BINS)
        states = replace(
            self._states,
            initial=torch.from_numpy(chain.initial),
            transition=torch.from_numpy(chain.transition),
            occupancy=weights.mean(dim=0),
            feet=torch.logit(rates).to(torch.float32),
        )
        if silence is not None:
            states = replace(states, silence=silence)
        self._live = self._live.with_states(states)
        self._posterior = weights.to(torch.float32)

    def _draw(self, bins: slice | Tensor, generator: Generator) -> Tensor:
        """Draw a state of training bins, (bin,) int64."""
        states = self.plan.states
        weights = self._posterior.to(self.data.device)[bins].to(torch.float64).cumsum(dim=1)
        chance = generator.uniform((1, len(weights)))[0].to(weights.device)
        return (chance[:, None] > weights).sum(dim=1).clamp_max(states - 1)

    def _against_of(self, label: Tensor) -> Tensor:
        """Return the numbers of chains of the states of bins, each as often as the others."""
        each = len(self.chains) // self.plan.states
        order = torch.argsort(label, stable=True)
        first = torch.searchsorted(label[order].contiguous(), label)
        rank = torch.empty_like(label)
        rank[order] = torch.arange(len(label), device=label.device)
        return label * each + (rank - first + self.update) % each

    def _offsets(self, bins: slice | Tensor) -> Offsets:
        """Return offsets of training bins, whose states are drawn."""
        self._label = self._draw(bins, Generator.from_seed(self.plan.seed, "states", self.update))
        return self._states.rows_of(self._label, self.ascent.model)

    def _moved(self, bins: slice | Tensor, offsets: Offsets) -> Tensor:
        """Move the chains of all states, and return one of the state of each bin."""
        stream, states = self.chains.generator.copy(), self.plan.states
        each = len(self.chains) // states
        of_chain = torch.arange(states, device=self.data.device).repeat_interleave(each)
        laws = self._states.rows_of(of_chain, self.ascent.model)
        sweeps = self.plan.sweeps
        visible, hidden = self.ascent.model.sweep(self.chains.visible, stream, sweeps, laws)
        moved = self._rescued(Chains(visible, hidden, stream, self.chains.sweeps + sweeps))
        self.chains = replace(moved, hidden=moved.hidden[:, :0])
        self._against = self._against_of(self._label)
        return self.chains.visible[self._against]

    def _labels_of(self, one: Tabled, bins: slice | Tensor) -> Tensor:
        return self._label

    def _bins_of(self, one: Tabled) -> Tensor:
        return self._posterior.sum(dim=0).to(self.data.device)

    def symptom(self) -> Symptom | None:
        """Return what is wrong after the last update, or None."""
        offsets = self._states.rows_of(self._label, self.ascent.model)
        chains = self.chains.visible[self._against]
        return symptom(self.live, self.batch, chains, self.plan, self.update, offsets)

    def assessed(self, generator: Generator) -> Convergence:
        """Judge the model by training bins and by chains of their states."""
        label = self._draw(slice(None), generator.child("states"))
        states = self.contexts.states
        assert states is not None
        return assess_in_context(
            self.model,
            self.data,
            self.chains.visible[self._against_of(label)],
            states.rows_of(label, self.model),
            penalties=self.penalties,
            generator=generator,
        )
