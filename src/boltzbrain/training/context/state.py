"""The state between two updates of a training with a context, and the update itself.

Every bin has a law of its own, so every training bin has a chain of its own, which moves when the
bin is in the batch. With the offsets given, the gradient of weights, fields and potentials is that
of an RBM without a context, the statistics of each bin held against those of its own chain. What is
learnt of the context itself follows the same differences: of a label, their mean over its bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import Contexts, added
from boltzbrain.model.context.labelled import Labelled, Tabled
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.layers.discrete import Bernoulli
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM, Moments
from boltzbrain.sampling.gibbs import Chains, start_chains
from boltzbrain.training.health.convergence import Convergence
from boltzbrain.training.health.in_context import assess_in_context
from boltzbrain.training.health.restarts import Interventions
from boltzbrain.training.health.symptoms import Symptom, symptom
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import Checkpoint
from boltzbrain.training.update.base_state import BaseState
from boltzbrain.training.update.gradient import Ascent, Through
from boltzbrain.training.update.optimiser import Optimiser
from boltzbrain.training.update.state import State, first_model

_VISITS, _MOST = 20, 10
"""Updates between two visits of a bin up to which its chain moves by the sweeps of the plan, and
the most times those sweeps beyond: it must come to where the model has gone meanwhile."""
HIDDEN_PRIOR = 5.0
"""Curvature of the log of the Gaussian prior that draws the hidden offsets of a label to 0."""


class ContextState(State):
    """The state of a training with a context.

    Parameters
    ----------
    plan
        Every hyperparameter; `chains` has no part.
    train
        The training bins.
    contexts
        As they are fitted beforehand; not needed to go on from a checkpoint.
    device
        Where to train.
    checkpoint
        Where to go on from; a new training where None.
    start
        The model whose weights and hidden units a new training begins with, if there is one.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        train: Sequences,
        contexts: Contexts | None,
        device: torch.device,
        checkpoint: Checkpoint | None,
        start: RBM | None = None,
    ) -> None:
        BaseState.__init__(self, plan, torch.from_numpy(train.states).to(device))
        self.train = train
        if checkpoint is not None:
            self.restore(checkpoint)
            return
        assert contexts is not None
        self.update, self.interventions, self.running_score = 0, Interventions(), None
        visible = Bernoulli(contexts.foot.to(torch.float32))
        hidden = KINDS[plan.hidden_kind].standard(plan.hidden)
        bare = RBM(visible, hidden, torch.zeros((len(visible), plan.hidden))).to(device)
        beside = self._begun_offsets(contexts, bare)
        model = first_model(plan, self.data, contexts.foot, beside, start)
        self.ascent = Ascent(model, plan)
        self._take(contexts, contexts)
        stream = Generator.from_seed(plan.seed, "chains")
        # which weights draw the chains, and which offsets, is forgotten after some visits
        begun = self._begun_chains(model, stream)
        self.chains = replace(begun, hidden=begun.hidden[:, :0])
        self.mean = {name: value.clone() for name, value in self._parameters().items()}

    def _begun_offsets(self, contexts: Contexts, bare: RBM) -> Offsets | None:
        """Return the offsets of training bins at the start, None where nothing is moved yet."""
        return contexts.offsets(self.train, bare)

    def _begun_chains(self, model: RBM, stream: Generator) -> Chains:
        """Start the chains."""
        return start_chains(model, len(self.data), stream, self._offsets(slice(None)))

    def _take(self, live: Contexts, averaged: Contexts) -> None:
        """Take contexts: offsets that rest are summed once, what is learnt gets an optimiser."""
        device, rbm = self.data.device, self.ascent.model
        self._live = live
        self._learnt = {name: one.to(device).clone() for name, one in live.learnt().items()}
        self._averages = {name: one.to(device).clone() for name, one in averaged.learnt().items()}
        rests = [one for one in live.parts if not one.learnt]
        still = [one.offsets(self.train, rbm) for one in rests]
        self._still = added(still) if still else None
        self._labels: dict[str, Tensor] = {
            one.key: torch.from_numpy(one.labels(self.train)).to(device)
            for one in live.parts
            if isinstance(one, Labelled)
        }
        plan = self.plan
        self._optimiser = Optimiser(self._learnt, plan.optimizer, plan.momentum, plan.longest_step)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go to a checkpoint, its interventions included."""
        super().restore(checkpoint)
        assert checkpoint.contexts is not None
        self._take(checkpoint.live_contexts or checkpoint.contexts, checkpoint.contexts)
        self._optimiser.restore(_within(checkpoint.optimizer))
        self.mean |= {_OF + name: value for name, value in self._averages.items()}

    def _parameters(self) -> dict[str, Tensor]:
        """Return everything that is averaged."""
        learnt = {_OF + name: value for name, value in self._learnt.items()}
        return {**self.ascent.parameters, **learnt}

    @property
    def live_contexts(self) -> Contexts:
        """The contexts that the steps move."""
        return self._live.moved(self._learnt)

    @property
    def contexts(self) -> Contexts:
        """The contexts to use with `model`."""
        if not self.plan.averaging:
            return self.live_contexts
        return self._live.moved({name: self.mean[_OF + name] for name in self._learnt})

    def _offsets(self, bins: slice | Tensor) -> Offsets:
        """Return the offsets of training bins under the live contexts."""
        parts = [] if self._still is None else [self._still[bins]]
        parts += [
            one.rows_of(self._labels[one.key][bins], self.ascent.model)
            for one in self.live_contexts.parts
            if isinstance(one, Labelled)
        ]
        return added(parts)

    @property
    def sweeps(self) -> int:
        """Sweeps of a chain when it moves."""
        size = min(self.plan.batch * self.interventions.batch_factor, len(self.data))
        times = -(-len(self.data) // (_VISITS * size))
        return self.plan.sweeps * min(max(times, 1), _MOST)

    def step(self) -> None:
        """Do one update."""
        bins = self._next_bins()
        self.batch, self._bins = self.data[bins], bins
        offsets = self._offsets(bins)
        data, chains = self._climb(self._moved(bins, offsets), offsets, self._through(offsets))
        if self._learnt:
            gradient = self._gradient(bins, data, chains)
            rates = dict.fromkeys(gradient, self.learning_rate)
            self._optimiser.step(gradient, rates, {})
        self._average(self._parameters())

    def _moved(self, bins: slice | Tensor, offsets: Offsets) -> Tensor:
        """Move chains, and return a state of the law of each bin, (bin, visible)."""
        stream = self.chains.generator.copy()
        visible, hidden = self.ascent.model.sweep(
            self.chains.visible[bins], stream, self.sweeps, offsets
        )
        moved = self._rescued(Chains(visible, hidden, stream, self.chains.sweeps + self.sweeps))
        self.chains.visible[bins] = moved.visible
        self.chains = replace(self.chains, generator=stream, sweeps=moved.sweeps)
        return moved.visible

    def _through(self, offsets: Offsets) -> Through | None:
        """Return what the gradient of the model gains by later bins; nothing here."""
        return None

    def _gradient(self, bins: slice | Tensor, data: Moments, chains: Moments) -> dict[str, Tensor]:
        """Return the gradient of what is learnt of the contexts."""
        apart = {
            "visible": data.states.to(data.means.dtype) - chains.states.to(data.means.dtype),
            "hidden": data.means - chains.means,
        }
        gradient = {}
        for one in self._live.parts:
            if not isinstance(one, Tabled):
                continue
            count, label = len(one.visible), self._labels_of(one, bins)
            fold = self._bins_of(one).clamp_min(1)[:, None]
            prior = one.prior.to(label.device)
            priors = {"visible": prior, "hidden": prior.new_tensor(HIDDEN_PRIOR)}
            for name in one.learnt:
                table = self._learnt.get(f"{one.key}.{name}")
                if table is not None:
                    gradient[f"{one.key}.{name}"] = (
                        mean_by_label(apart[name], label, count) - priors[name] * table / fold
                    )
        return gradient

    def _labels_of(self, one: Tabled, bins: slice | Tensor) -> Tensor:
        """Return the labels of training bins, (bin,) int64, -1 where a bin has none."""
        return self._labels[one.key][bins]

    def _bins_of(self, one: Tabled) -> Tensor:
        """Return the number of training bins of every label, (label,)."""
        whole = self._labels[one.key]
        return torch.bincount(whole[whole >= 0], minlength=len(one.visible))

    def symptom(self) -> Symptom | None:
        """Return what is wrong after the last update, or None."""
        chains = self.chains.visible[self._bins]
        offsets = self._offsets(self._bins)
        return symptom(self.live, self.batch, chains, self.plan, self.update, offsets)

    def assessed(self, generator: Generator) -> Convergence:
        """Judge the model by the training bins and by the chains of some of them."""
        offsets = self.contexts.offsets(self.train, self.model)
        return assess_in_context(
            self.model,
            self.data,
            self.chains.visible,
            offsets,
            penalties=self.penalties,
            generator=generator,
        )

    def _optimizer_tensors(self) -> Mapping[str, Tensor]:
        """Return the state of both optimisers; what moves chains of bins keeps nothing."""
        own = self._optimiser.tensors() if self._learnt else {}
        return {
            **self.ascent.optimizer_tensors(),
            **{_OF + name: value for name, value in own.items()},
        }


_OF = "context."


def mean_by_label(values: Tensor, label: Tensor, labels: int) -> Tensor:
    """Return the mean over the bins of every label, 0 where there is none, (label, unit).

    Of data minus model of every bin it is the gradient of the mean log-likelihood of the bins of
    the label, by their own offsets: rare ones learn as fast as others.

    Parameters
    ----------
    values
        (bin, unit).
    label
        (bin,) int64, -1 where a bin has none.
    labels
        Number of labels.
    """
    bins = torch.bincount(label[label >= 0], minlength=labels).clamp_min(1)[:, None]
    # the last row takes the bins without a label
    total = values.new_zeros((labels + 1, values.shape[1]))
    total.index_add_(0, torch.where(label < 0, labels, label), values)
    return total[:labels] / bins


def _within(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = {name.removeprefix(_OF): value for name, value in tensors.items() if name.startswith(_OF)}
    return own or {"all/count": torch.zeros(())}
