"""How the past moves the log-odds of every neuron: weights on the traces of all, and on its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.model.context.past import Past
from boltzbrain.model.context.sequences import Sequences


@dataclass(frozen=True, eq=False)
class FromThePast:
    """How the past moves the log-odds of every neuron.

    Attributes
    ----------
    past
        The traces and their axes.
    first
        (neuron,) added in the first bin of a piece.
    own
        (trace, neuron) weights on the neuron's own traces.
    weights
        (axis, neuron) on the traces of all neurons.
    own_change
        (state, trace, neuron) what a state adds to `own`.
    change
        (state, axis, neuron) what a state adds to `weights`; None where it adds nothing.
    """

    past: Past
    first: Tensor
    own: Tensor
    weights: Tensor
    own_change: Tensor
    change: Tensor | None = None

    def shared(self, seen: Tensor, begins: Tensor) -> Tensor:
        """Return what the traces of all neurons add in every state, (bin, neuron)."""
        added = seen @ self.weights
        added[begins] += self.first
        return added

    def in_state(self, state: int, shared: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same in one state, and its weights on own traces, (trace, neuron)."""
        own = self.own + self.own_change[state]
        return (shared if self.change is None else shared + seen @ self.change[state]), own

    def odds(self, given: Sequences) -> Tensor:
        """Return what the past adds to the log-odds where states add nothing, (bin, neuron)."""
        traces, begins = self.past.traces(given), torch.from_numpy(given.begins)
        bins, neurons = given.states.shape
        found = torch.empty((bins, neurons))
        for part in slices(bins, neurons, VALUES):
            found[part] = self.odds_of(traces[part], begins[part])
        return found

    def odds_of(self, traces: Tensor, begins: Tensor) -> Tensor:
        """Return the same of standardised traces, (bin, trace, neuron), of which some begin."""
        added = self.shared(self.past.seen(traces), begins)
        for trace, own in enumerate(self.own):
            added.addcmul_(traces[:, trace], own)
        return added

    def couplings(self) -> Tensor:
        """Return the weights of every source, own ones 0, (trace, source, neuron)."""
        return _without_own(self.past.couplings(self.weights))

    def changes(self) -> Tensor | None:
        """Return what each state adds to `couplings`, (state, trace, source, neuron), if it does.

        None where it adds nothing.
        """
        if self.change is None:
            return None
        return torch.stack([_without_own(self.past.couplings(one)) for one in self.change])


def _without_own(couplings: Tensor) -> Tensor:
    for one in couplings:
        one.fill_diagonal_(0.0)
    return couplings
