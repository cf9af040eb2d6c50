"""Hidden states as a context: RBMs that share their weights and follow each other in a chain.

P(v_1..v_T) = sum over paths s of P(s_1) prod_t P(s_t | s_t-1) P(v_t | s_t), where P(v | s) is the
RBM with the fields b + o_s of the visible and c + q_s of the hidden units: which neurons are
driven, and which assemblies can switch on, so that couplings differ between states. A bin is told
by a sum over states of what earlier bins of its piece say of them (forward pass,
`model.context.chain`); the states of a piece given all of it are for the eye and for training.
Log Z is needed of every state, and of no bin: what is kept is log P of a bin without a spike, which
is the same however the hidden units are turned or scaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.memory import slices
from boltzbrain.foundations.random import Generator
from boltzbrain.foundations.showing.told import counted
from boltzbrain.model.context.chain import Chain, Floats, ahead, filtered, smoothed
from boltzbrain.model.context.context import Running
from boltzbrain.model.context.labelled import Tabled
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HiddenStates(Tabled):
    """The label of a bin is a state that is not seen.

    Attributes
    ----------
    initial, transition
        The law of the states, see `model.context.chain.Chain`; float64.
    occupancy
        (state,) float64 share of the training bins that each state holds.
    feet
        (state, neuron) float32 visible fields of each state's model without its weights, fitted to
        its bins by itself: where annealing begins.
    silence
        (state,) float64 log P of a bin without a spike in each state: log Z as it was estimated.
    """

    name: ClassVar[str] = "states"

    initial: Tensor
    transition: Tensor
    occupancy: Tensor
    feet: Tensor
    silence: Tensor

    def __len__(self) -> int:
        """Return the number of states."""
        return len(self.visible)

    @property
    def chain(self) -> Chain:
        """The law of the states."""
        return Chain(self.initial.numpy(), self.transition.numpy())

    def offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Refuse: a bin has the offsets of a state that is not seen.

        Raises
        ------
        InputError
            Always.
        """
        must = "be asked of a context whose labels are seen (HiddenStates.rows has those of states)"
        raise bad_input("offsets of bins", must, "hidden states")

    def rows(self, rbm: RBM) -> Offsets:
        """Return the offsets of every state, a row each."""
        return self.rows_of(torch.arange(len(self)), rbm)

    def mean_row(self, rbm: RBM) -> Offsets:
        """Return the mean of the offsets, states as often as they are held."""
        share = self.occupancy[None]

        def mean(table: Tensor) -> Tensor:
            return (share.to(table) @ table).to(rbm.weights)

        hidden = None if self.hidden is None else mean(self.hidden)
        return Offsets(mean(self.visible), hidden)

    def models(self, rbm: RBM) -> list[RBM]:
        """Return the RBM of every state, its offsets in its fields."""
        return [rbm.with_fields_moved(row) for row in self.rows(rbm).rows()]

    def emission(self, states: NDArray[np.uint8], rbm: RBM) -> Floats:
        """Return log P(v_t | state), (bin, state) nats."""
        result = np.empty((len(states), len(self)))
        here = rbm.weights.device
        still = torch.zeros((1, len(rbm.visible)), dtype=torch.uint8, device=here)
        for number, model in enumerate(self.models(rbm)):
            base = float(self.silence[number]) + float(model.free_energy(still))
            for part in slices(*states.shape):
                free = model.free_energy(torch.from_numpy(states[part]).to(here))
                result[part, number] = base - free.cpu().numpy()
        return result

    def given_partitions(self, rbm: RBM, values: Tensor) -> Self:
        """Return these states with log Z of each, (state,) float64, as it was estimated anew."""
        still = torch.zeros((1, len(rbm.visible)), dtype=torch.uint8, device=rbm.weights.device)
        free = [float(model.free_energy(still)) for model in self.models(rbm)]
        logs = -torch.tensor(free, dtype=torch.float64) - values.cpu()
        return replace(self, silence=logs)

    def filtered(self, given: Sequences, rbm: RBM) -> tuple[Floats, Floats]:
        """Return what the bins of a piece say so far.

        log P(v_t | earlier bins), (bin,) nats, and the probability of each state given these and
        the bin itself, (bin, state).
        """
        emission = self.emission(given.states, rbm)
        score, log_filtered = filtered(self.chain, emission, given.edges)
        return score, np.exp(log_filtered)

    def predictive(self, given: Sequences, rbm: RBM) -> Floats:
        """Return log P(v_t | earlier bins of the piece), (bin,) nats."""
        return filtered(self.chain, self.emission(given.states, rbm), given.edges)[0]

    def expected(self, given: Sequences, rbm: RBM) -> Floats:
        """Return the probability of each state given the earlier bins of the piece, (bin, state).

        The bin itself is not seen.
        """
        emission = self.emission(given.states, rbm)
        return ahead(self.chain, filtered(self.chain, emission, given.edges)[1], given.edges)

    def posterior(self, given: Sequences, rbm: RBM) -> Floats:
        """Return the probability of each state given the whole piece, (bin, state).

        It has seen the bin itself: for figures, never for a prediction.
        """
        emission = self.emission(given.states, rbm)
        return smoothed(self.chain, emission, given.edges).posterior

    def without_time(self, states: NDArray[np.uint8], rbm: RBM) -> Floats:
        """Return log P(v) of every bin, states as often as they are held, (bin,) nats."""
        joint = self.emission(states, rbm) + np.log(self.occupancy.numpy())
        found: Floats = torch.logsumexp(torch.from_numpy(joint), dim=1).numpy()
        return found

    def running(self, layout: Sequences, rbm: RBM, pieces: int, generator: Generator) -> Running:
        """Return the offsets of states that are drawn."""
        return _RunningStates(self, rbm, generator)

    def reordered(self, order: NDArray[np.int64]) -> Self:
        """Return the same context with its states in another order."""
        places = torch.from_numpy(order)
        chain = self.chain.reordered(order)
        return replace(
            self,
            visible=self.visible[places],
            hidden=None if self.hidden is None else self.hidden[places],
            initial=torch.from_numpy(chain.initial),
            transition=torch.from_numpy(chain.transition),
            occupancy=self.occupancy[places],
            feet=self.feet[places],
            silence=self.silence[places],
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return the offsets of the states, and their law."""
        return {**super().tensors(), **{name: getattr(self, name) for name in _OWN}}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Self:
        """Return the context that `tensors` and `facts` gave."""
        own = {name: tensors[name] for name in _OWN}
        hidden = tensors.get("hidden")
        names = tuple(facts["names"])
        return cls(tensors["visible"], tensors["prior"], hidden, names, **own)

    def words(self) -> str:
        """Say how many states there are, and how long they stay."""
        stays = ", ".join(f"{one:.3g}" for one in self.chain.dwell_bins())
        return f"{counted(len(self), 'hidden state')}, which stay {stays} bins"


_OWN = ("initial", "transition", "occupancy", "feet", "silence")


class _RunningStates:
    """States of pieces that are generated, drawn bin by bin, whatever is generated."""

    def __init__(self, context: HiddenStates, rbm: RBM, generator: Generator) -> None:
        self.context, self.rbm, self.generator = context, rbm, generator
        self.chain = context.chain
        self._before: NDArray[np.int64] | None = None

    def offsets(self, bins: NDArray[np.int64]) -> Offsets:
        before = None if self._before is None else self._before[: len(bins)]
        here = self.chain.next_states(before, len(bins), self.generator)
        self._before = here
        return self.context.rows_of(torch.from_numpy(here), self.rbm)

    def see(self, states: Tensor) -> None:
        """Nothing follows from it."""
