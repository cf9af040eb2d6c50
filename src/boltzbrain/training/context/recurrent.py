"""Training where assemblies follow each other: windows of bins, and the gradient through time.

Per piece, with r_t the hidden means, e_t = r_t less that of the chain of the bin, and D the
derivative of the log-likelihood of later bins by r_t, backwards from D = 0 at the last bin,

    q_t = Gamma''(I_t) D_t,   D_{t-1} = U^T (e_t + q_t),
    dW += v_t q_t^T,   dU = (e_t + q_t)(r_{t-1} - rbar)^T beyond first bins,   d first = e_t + q_t,

and parameters of the hidden units gain D_t times the derivative of r_t by them. An update takes
windows of consecutive bins, each after some bins that carry r alone; D is 0 at its end.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.contextual import added
from boltzbrain.model.context.recurrent import FollowingAssemblies, Pieces
from boltzbrain.model.layers.layer import Layer
from boltzbrain.model.offsets import Offsets
from boltzbrain.model.rbm import Moments
from boltzbrain.training.context.state import ContextState
from boltzbrain.training.update.gradient import Through

BURN_IN = 20
"""Bins before a window that carry the hidden means into it."""
_CENTRE_SHARE = 0.02
"""Share of the way to the means of a batch that the centre goes in an update."""
_STEP = 1e-3


class RecurrentState(ContextState):
    """The state of a training with the context `assemblies`, others beside it."""

    def _windows(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return first bin, end, and first bin of the burn-in of every window of the fold."""
        edges, length = self.train.edges, self.plan.window
        first = [np.arange(one, two, length) for one, two in itertools.pairwise(edges)]
        begin = np.repeat(edges[:-1], [len(one) for one in first])
        starts = np.concatenate(first)
        ends = np.minimum(starts + length, np.repeat(edges[1:], [len(one) for one in first]))
        return starts, ends, np.maximum(starts - BURN_IN, begin)

    def _next_bins(self) -> Tensor:
        """Return the bins of the windows of an update: every window once per epoch."""
        starts, ends, burn = self._windows()
        size = min(self.plan.batch * self.interventions.batch_factor, len(self.data))
        count = max(1, min(round(size / float((ends - starts).mean())), len(starts)))
        epoch, place = divmod(self.update, max(1, len(starts) // count))
        if self._epoch != (epoch, count):
            generator = Generator.from_seed(self.plan.seed, "batch", epoch)
            self._epoch, self._order = (epoch, count), generator.permutation(len(starts))
        chosen = np.sort(self._order[place * count : (place + 1) * count])
        self._rows = torch.from_numpy(_ranges(burn[chosen], ends[chosen]))
        sizes = ends[chosen] - burn[chosen]
        self._edges = np.concatenate(([0], np.cumsum(sizes)))
        where = np.arange(len(self._rows)) - np.repeat(self._edges[:-1], sizes)
        self._kept = torch.from_numpy(where >= np.repeat(starts[chosen] - burn[chosen], sizes))
        self._begins = torch.from_numpy(self.train.begins[burn[chosen]])
        self._window = np.concatenate(([0], np.cumsum(ends[chosen] - starts[chosen])))
        return self._rows[self._kept].to(self.data.device)

    @property
    def _assemblies(self) -> FollowingAssemblies:
        (found,) = (one for one in self.live_contexts.parts if isinstance(one, FollowingAssemblies))
        return found

    def _offsets(self, bins: slice | Tensor) -> Offsets:
        """Return the offsets of training bins; of all, or of those of the update's windows."""
        model, context = self.ascent.model, self._assemblies
        if isinstance(bins, slice):
            return self.live_contexts.offsets(self.train, model)
        states = self.data[self._rows.to(self.data.device)]
        hidden, self._means = context.filtered(
            model.inputs_to_hidden(states), model.hidden, self._edges, self._begins
        )
        kept = self._kept.to(self.data.device)
        own = context.by_own(states, self.train.place[self._rows.numpy()], model)
        parts = [Offsets(None if own is None else own[kept], hidden[kept])]
        if self._still is not None or self._labels:
            parts.append(super()._offsets(bins))
        return added(parts)

    def _through(self, offsets: Offsets) -> Through:
        """Return what the gradient of weights and hidden units gains by later bins."""
        model, context = self.ascent.model, self._assemblies
        inputs = model.inputs_to_hidden(self.batch, offsets)

        def found(data: Moments, chains: Moments) -> tuple[Tensor, dict[str, Tensor]]:
            apart = data.means - chains.means
            slope = model.hidden.variance(inputs)
            later = through_time(apart, slope, context.recurrence, self._window)
            pull = slope * later
            self._total = apart + pull
            return pull, by_parameters(model.hidden, inputs, later)

        return found

    def _gradient(self, bins: slice | Tensor, data: Moments, chains: Moments) -> dict[str, Tensor]:
        """Return the gradient of what is learnt of the contexts."""
        assert isinstance(bins, Tensor)
        context, count, total = self._assemblies, len(bins), self._total
        place = self.train.place[bins.cpu().numpy()]
        kept, device = self._kept.nonzero()[:, 0], total.device
        first = torch.from_numpy(place == 0)
        later = (~first).nonzero()[:, 0]
        before = self._means[(kept[later] - 1).to(device)] - context.centre.to(device)
        later, first = later.to(device), first.to(device)
        own = torch.zeros_like(context.own)
        apart = data.states.to(total.dtype) - chains.states.to(total.dtype)
        for lag in range(1, len(own) + 1):
            there = torch.from_numpy(np.flatnonzero(place >= lag)).to(device)
            own[lag - 1] = (apart[there] * self.data[bins[there] - lag]).sum(dim=0) / count
        l2 = self.plan.l2
        found = {
            "recurrence": total[later].T @ before / count - l2 * context.recurrence,
            "first": total[first].sum(dim=0) / count,
            "centre": torch.zeros_like(context.centre),
            "own": own - l2 * context.own,
        }
        self._recentred = self._means.mean(dim=0)
        named = {f"{context.name}.{name}": value for name, value in found.items()}
        return {**super()._gradient(bins, data, chains), **named}

    def step(self) -> None:
        """Do one update, and let the centre follow the means, the law of every bin as it was."""
        super().step()
        context, hidden = self._assemblies, self.ascent.model.hidden
        change = _CENTRE_SHARE * (self._recentred - context.centre)
        shift = context.recurrence @ change
        self._learnt[f"{context.name}.centre"].add_(change)
        self._learnt[f"{context.name}.first"].sub_(shift)
        for name, sign in hidden.input_shift.items():
            self.ascent.parameters[f"hidden.{name}"].add_(shift, alpha=sign)


def through_time(
    apart: Tensor, slope: Tensor, recurrence: Tensor, edges: NDArray[np.int64]
) -> Tensor:
    """Return D, the derivative of the log-likelihood of later bins by the means, (bin, hidden).

    Parameters
    ----------
    apart, slope
        e_t and Gamma''(I_t), (bin, hidden).
    recurrence
        U, (hidden, hidden).
    edges
        First bin of every window, and the number of bins.
    """
    pieces, _ = Pieces.of(edges)
    found, recurrence = torch.zeros_like(apart), recurrence.to(apart)
    for place in range(len(pieces) - 1, 0, -1):
        bins = pieces.at(place).to(apart.device)
        found[bins - 1] = (apart[bins] + slope[bins] * found[bins]) @ recurrence
    return found


def by_parameters(layer: Layer, inputs: Tensor, later: Tensor) -> dict[str, Tensor]:
    """Return the mean over bins of D times the derivative of <h> by each parameter, (unit,).

    That is the derivative of the mean statistic by the input, here by central differences.
    """
    exact, here = layer.to(torch.float64), inputs.to(torch.float64)
    high, low = exact.mean_statistics(here + _STEP), exact.mean_statistics(here - _STEP)
    return {
        name: (later * (high[name] - low[name]) / (2 * _STEP)).mean(dim=0).to(layer.dtype)
        for name in high
    }


def _ranges(first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers from each first to before each last, one range after the other."""
    sizes = last - first
    begin = np.repeat(first - np.concatenate(([0], np.cumsum(sizes)[:-1])), sizes)
    return np.arange(int(sizes.sum())) + begin
