"""Assemblies that follow each other as a context: the recurrent temporal RBM.

The hidden fields of a bin are c + U (r_{t-1} - rbar), with r_t = <h_t | v_t> of the bin under its
own fields, and rbar a constant that lets U = 0 be the RBM itself (Sutskever, Hinton and Taylor,
NIPS 2008; Quiroz Monnens et al., eLife 13:RP98489, on recordings). r follows from the bins so far,
so that every bin has an exactly normalised law, whatever the kind of the hidden units. Beside it a
neuron's own last bins may move its field: what it owes itself is then not read as an assembly's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.context import Context, Running
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import RBM


@dataclass(frozen=True, eq=False)
class Pieces:
    """The bins of pieces by their place, so that all pieces are gone through side by side.

    Attributes
    ----------
    first, sizes
        (piece,) first bin and number of bins of every piece, the longest first.
    """

    first: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, edges: NDArray[np.int64]) -> tuple[Pieces, NDArray[np.int64]]:
        """Return them from first bins and the number of bins, and the order of the pieces."""
        sizes = np.diff(edges)
        order = np.argsort(-sizes, kind="stable")
        return cls(edges[:-1][order], sizes[order]), order

    def __len__(self) -> int:
        """Return the number of places."""
        return int(self.sizes.max(initial=0))

    def at(self, place: int) -> Tensor:
        """Return the bins at a place, those of the first pieces, (piece,) int64."""
        return torch.from_numpy(self.first[: int((self.sizes > place).sum())] + place)


@dataclass(frozen=True, eq=False, repr=False)
class FollowingAssemblies(Context):
    """The hidden fields follow the hidden units of the bin before.

    Attributes
    ----------
    recurrence
        U, (hidden, hidden): from the mean of each unit (column) to the field of each (row).
    first
        (hidden,) offsets in the first bin of a piece.
    centre
        rbar, (hidden,).
    own
        (lag, neuron) offsets of a neuron's field by its own bin before, the one before that, and so
        on; of no lag where it has none.
    """

    name: ClassVar[str] = "assemblies"
    learnt: ClassVar[tuple[str, ...]] = ("recurrence", "first", "centre", "own")

    recurrence: Tensor
    first: Tensor
    centre: Tensor
    own: Tensor

    def offsets(self, given: Sequences, rbm: RBM) -> Offsets:
        """Return the offsets of hidden fields, and of visible ones by a neuron's own past."""
        heard = given.states if given.heard is None else given.heard
        states = torch.from_numpy(heard).to(rbm.weights.device)
        begins = torch.ones(len(given.edges) - 1, dtype=torch.bool)
        hidden, _ = self.filtered(rbm.inputs_to_hidden(states), rbm.hidden, given.edges, begins)
        return Offsets(self.by_own(states, given.place, rbm), hidden)

    def filtered(
        self, inputs: Tensor, layer: Layer, edges: NDArray[np.int64], begins: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the offsets of hidden fields and the means r, (bin, hidden) each.

        Parameters
        ----------
        inputs
            v W of every bin, (bin, hidden).
        layer
            The hidden layer.
        edges
            First bin of every piece, and the number of bins.
        begins
            (piece,) whether its first bin is the first of a piece of the data; where not, nothing
            moves its fields.
        """
        pieces, order = Pieces.of(edges)
        recurrence, first, centre = (
            one.to(inputs) for one in (self.recurrence, self.first, self.centre)
        )
        offsets, means = torch.empty_like(inputs), torch.empty_like(inputs)
        starts = begins[torch.from_numpy(order)].to(inputs.device)
        shift = torch.where(starts[:, None], first, torch.zeros_like(first))
        before = means[:0]
        for place in range(len(pieces)):
            bins = pieces.at(place).to(inputs.device)
            if place:
                shift = (before[: len(bins)] - centre) @ recurrence.T
            before = layer.mean(inputs[bins] + shift)
            offsets[bins], means[bins] = shift, before
        return offsets, means

    def by_own(self, states: Tensor, place: NDArray[np.int64], rbm: RBM) -> Tensor | None:
        """Return what a neuron's own bins add to its field, (bin, visible), None without lags.

        `place` is that of every bin in its piece.
        """
        if not len(self.own):
            return None
        own, where = self.own.to(rbm.weights), torch.from_numpy(place).to(states.device)
        total = torch.zeros(states.shape, dtype=own.dtype, device=states.device)
        for lag, weights in enumerate(own, start=1):
            there = (where[lag:] >= lag)[:, None]
            total[lag:] += torch.where(there, states[:-lag] * weights, torch.zeros_like(weights))
        return total

    def running(self, layout: Sequences, rbm: RBM, pieces: int, generator: Generator) -> Running:
        """Return the offsets of pieces by their own bins."""
        return _RunningAssemblies(self, rbm)

    def tensors(self) -> dict[str, Tensor]:
        """Return U and the others."""
        return {name: getattr(self, name) for name in self.learnt}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Self:
        """Return the context that `tensors` and `facts` gave."""
        return cls(*(tensors[name] for name in cls.learnt))

    def flipped(self, units: Tensor) -> Self:
        """Return the context of hidden units in their new signs."""
        sign = torch.where(units.to(self.first.device), -1.0, 1.0).to(self.first)
        return self.moved(
            {
                "recurrence": sign[:, None] * self.recurrence * sign,
                "first": sign * self.first,
                "centre": sign * self.centre,
            }
        )

    def words(self) -> str:
        """Say how many units and lags there are."""
        lags = f"{len(self.own)} own bins before" if len(self.own) else "no own history"
        size = float(self.recurrence.abs().max()) if self.recurrence.numel() else 0.0
        return f"{len(self.first)} units after each other, |U| up to {size:.2g}; {lags}"


class _RunningAssemblies:
    """The hidden means of pieces that are generated."""

    def __init__(self, context: FollowingAssemblies, rbm: RBM) -> None:
        self.context, self.rbm = context, rbm
        self._hidden: Tensor | None = None
        self._means: Tensor | None = None
        self._seen: list[Tensor] = []

    def offsets(self, bins: NDArray[np.int64]) -> Offsets:
        context, weights = self.context, self.rbm.weights
        if self._means is None:
            self._hidden = context.first.to(weights).expand(len(bins), -1)
        else:
            centre, recurrence = context.centre.to(weights), context.recurrence.to(weights)
            self._hidden = (self._means[: len(bins)] - centre) @ recurrence.T
        visible = None
        if len(context.own):
            visible = weights.new_zeros((len(bins), len(weights)))
            for own, states in zip(context.own.to(weights), reversed(self._seen), strict=False):
                visible += states[: len(bins)] * own
        return Offsets(visible, self._hidden)

    def see(self, states: Tensor) -> None:
        assert self._hidden is not None
        inputs = self.rbm.inputs_to_hidden(states)
        self._means = self.rbm.hidden.mean(inputs + self._hidden)
        self._seen = [*self._seen, states][-len(self.context.own) or len(self._seen) + 1 :]
