"""Logistic regression on the past in hidden states, each bin weighted by their posterior.

What a state adds to the weights is drawn to 0 by a penalty of its own: a Gaussian prior around the
weights that all states share, which are learnt with it. A bin costs as much as the states that it
may be in: one or two, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.baselines.in_time.by_state.weighted_pass import scores, slopes
from boltzbrain.baselines.in_time.regression import OWN_PENALTY, PastRegression, Penalties, Point
from boltzbrain.baselines.side_by_side import Floats, Numbers, SideBySide
from boltzbrain.foundations.memory import VALUES, slices

NEGLIGIBLE = 1e-6
"""Probability of a state in a bin below which the bin is not counted to it."""
_ROUNDING = 1e-7
"""Of losses whose odds are summed in float32."""


@dataclass(frozen=True, eq=False)
class _Held:
    """Bins of a slice that count to a state, and their weights."""

    bins: Tensor
    weight: Tensor


class StateRegression:
    """Parameters on their way, from round to round of expectation and maximisation.

    Parameters
    ----------
    given
        The training bins.
    point
        Where to start.
    penalties
        On the parameters.
    """

    def __init__(self, given: PastRegression, point: Point, penalties: Penalties) -> None:
        self.given, self.penalties, self.point = given, penalties, point
        self._search: SideBySide | None = None
        self._curvature = np.empty(0)

    def climb(self, posterior: NDArray[np.float64], passes: int) -> None:
        """Take steps up the log-likelihood of the bins, each in its states.

        Parameters
        ----------
        posterior
            (bin, state) weight of each bin in each state.
        passes
            Passes over the bins, beside one at the point where the parameters are.
        """
        held, shape = self._held(posterior), self.point
        tried = torch.cat([one.to(torch.float64) for one in shape.parts()]).T.contiguous().numpy()
        if self._search is None:
            # kept from round to round, so that what is known of the curvature stays true
            self._search = SideBySide(*tried.shape, rounding=_ROUNDING)
            unit = torch.cat(self.given.units(shape, posterior, self.penalties))
            self._curvature = (1 / unit.square()).T.contiguous().numpy()

        def losses(points: Floats, asked: Numbers) -> tuple[Floats, Floats]:
            tried[asked] = points
            value, slope = self._loss(shape.of(torch.from_numpy(tried).T.contiguous()), held)
            return value.numpy()[asked], torch.cat(slope.parts()).numpy().T[asked]

        found = self._search.minimise(
            losses, tried.copy(), np.arange(len(tried)),
            curvature=self._curvature, iterations=passes + 1, precision=0.0,
        )  # fmt: skip
        self.point = shape.of(torch.from_numpy(found).T.contiguous())

    def log_prior(self) -> float:
        """Return what the penalties and the pseudo-bins add to the log-likelihood."""
        return -float(self._penalty(self.point)[0].sum())

    def emission(self) -> NDArray[np.float64]:
        """Return log P of every training bin given each state and the past, (bin, state) nats."""
        given, point = self.given, self.point
        law, fields, result = given.law(point), point.fields.to(torch.float32), []
        for part in self._parts():
            traces, seen = given.traces[part], given.seen[part]
            shared, each = law.shared(seen, given.begins[part]), []
            for state, field in enumerate(fields):
                odds, own = law.in_state(state, shared, seen)
                each.append(scores(odds, field, own, traces, given.states[part]))
            result.append(torch.stack(each, dim=1))
        found: NDArray[np.float64] = torch.cat(result).numpy()
        return found

    def _parts(self) -> list[slice]:
        bins, neurons = self.given.states.shape
        return list(slices(bins, neurons, VALUES))

    def _held(self, posterior: NDArray[np.float64]) -> list[list[_Held]]:
        """Return what each state holds of each slice."""
        whole = torch.from_numpy(posterior).to(torch.float32)
        found = []
        for part in self._parts():
            each = []
            for weight in whole[part].T:
                bins = torch.nonzero(weight > NEGLIGIBLE)[:, 0]
                each.append(_Held(bins, weight[bins]))
            found.append(each)
        return found

    def _loss(self, point: Point, held: list[list[_Held]]) -> tuple[Tensor, Point]:
        """Return the penalised negative log-likelihood of every neuron, and its slope."""
        value, slope = self._penalty(point)
        law, fields = self.given.law(point), point.fields.to(torch.float32)
        for part, each in zip(self._parts(), held, strict=True):
            seen, begins = self.given.seen[part], self.given.begins[part]
            near = self.given.traces[part], self.given.states[part]
            if law.change is None:
                odds = law.shared(seen, begins)
                residual = torch.zeros_like(odds)
            for state, (field, one) in enumerate(zip(fields, each, strict=True)):
                if law.change is not None:
                    mine, first = seen[one.bins], begins[one.bins]
                    odds = mine @ (law.weights + law.change[state])
                    odds[first] += law.first
                    residual = torch.zeros_like(odds)
                own = law.own + law.own_change[state]
                lost, by_field, by_own = slopes(
                    odds, field, own, *near, one.bins, one.weight, residual
                )
                value += lost
                slope.fields[state] += by_field
                slope.own.add_(by_own)
                if slope.own_change is not None:
                    slope.own_change[state] += by_own
                if slope.change is not None:
                    by_weight = (mine.T @ residual).to(torch.float64)
                    slope.change[state] += by_weight
                    slope.weights.add_(by_weight)
                    slope.first.add_(residual[first].sum(dim=0))
            if slope.change is None:
                slope.weights.add_(seen.T @ residual)
                slope.first.add_(residual[begins].sum(dim=0))
        return value, slope

    def _penalty(self, point: Point) -> tuple[Tensor, Point]:
        """Return what the penalties and pseudo-bins take off for every neuron, and their slope."""
        pulls = self.penalties
        rows = sum(map(len, point.parts()))
        slope = point.of(torch.zeros((rows, len(self.given.rates)), dtype=torch.float64))
        pulled = [
            (slope.weights, point.weights, pulls.weights),
            (slope.own, point.own, OWN_PENALTY),
            (slope.first, point.first[None], OWN_PENALTY),
            (slope.change, point.change, pulls.change or 0.0),
            (slope.own_change, point.own_change, pulls.change or 0.0),
        ]
        bins, rates = pulls.pseudo_bins, self.given.rates
        value = bins * (softplus(point.fields) - rates * point.fields).sum(dim=0)
        slope.fields.add_(bins * (torch.sigmoid(point.fields) - rates))
        for one, at, pull in pulled:
            if one is not None and at is not None:
                one.add_(pull * at.reshape(one.shape))
                value += pull / 2 * (at**2).flatten(0, -2).sum(dim=0)
        return value, slope
