"""Logistic regression of all neurons on the past.

L-BFGS runs on all neurons at once, in units in which the diagonal of the Hessian is about 1; along
the axes of the past it has little beside its diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor
from torch.nn.functional import softplus

from boltzbrain.baselines.in_time.bernoulli import scores_and_slopes
from boltzbrain.foundations.memory import VALUES, slices
from boltzbrain.model.context.from_past import FromThePast
from boltzbrain.model.context.past import SECONDS, fit_past, raw_traces
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field

PSEUDO_BINS = 20.0
"""Bins at the rate of the whole fold that are added to those of every state."""
OWN_PENALTY = 30.0
"""L2 penalty on a neuron's weights on itself and on the offset of first bins."""


@dataclass(frozen=True)
class Penalties:
    """L2 penalties, of the summed negative log-likelihood: penalty / 2 x sum of squares.

    Attributes
    ----------
    weights
        On the weights that all states share.
    change
        On what a state adds to them, and to the neuron's own history; None where it adds nothing.
    pseudo_bins
        See `PSEUDO_BINS`.
    """

    weights: float
    change: float | None = None
    pseudo_bins: float = PSEUDO_BINS


@dataclass(frozen=True, eq=False)
class Point:
    """Parameters of the regression.

    Attributes
    ----------
    fields
        (state, neuron) float64.
    weights, own, first
        As in `FromThePast`.
    change, own_change
        The same; None where a state adds nothing.
    """

    fields: Tensor
    weights: Tensor
    own: Tensor
    first: Tensor
    change: Tensor | None = None
    own_change: Tensor | None = None

    def parts(self) -> list[Tensor]:
        """Return the parameters one after another, each (row, neuron)."""
        neurons = self.fields.shape[1]
        given = [self.fields, self.weights, self.own, self.first, self.change, self.own_change]
        return [one.reshape(-1, neurons) for one in given if one is not None]

    def of(self, rows: Tensor) -> Point:
        """Return parameters of this shape from (row, neuron)."""
        given = [self.fields, self.weights, self.own, self.first, self.change, self.own_change]
        made: list[Tensor | None] = []
        start = 0
        for one in given:
            if one is None:
                made.append(None)
                continue
            number = one.numel() // one.shape[-1]
            made.append(rows[start : start + number].reshape(one.shape))
            start += number
        fields, weights, own, first, *changes = made
        assert fields is not None
        assert weights is not None
        assert own is not None
        assert first is not None
        return Point(fields, weights, own, first, *changes)


class PastRegression:
    """The training bins, ready to be regressed on their past."""

    def __init__(
        self,
        train: Sequences,
        rank: int,
        seconds: tuple[float, ...] = SECONDS,
        lags: int = 1,
    ) -> None:
        traces = raw_traces(train, seconds, lags)
        self.past, self.squares = fit_past(traces, train, rank, seconds, lags)
        self.traces, self.seen = traces, self.past.seen(traces)
        self.states = torch.from_numpy(train.states)
        self.begins = torch.from_numpy(train.begins)
        self.rates = torch.sigmoid(independent_field(self.states))
        self.evaluations = 0

    def start(self) -> Point:
        """Return one state, rates alone."""
        neurons, double = len(self.rates), torch.float64
        return Point(
            torch.logit(self.rates)[None],
            torch.zeros((self.past.axes.shape[1], neurons), dtype=double),
            torch.zeros((len(self.past.mean), neurons), dtype=double),
            torch.zeros(neurons, dtype=double),
        )

    def with_states(self, point: Point, fields: Tensor, change: str = "none") -> Point:
        """Return parameters with so many states, that add to nothing ("none"), "own" or "all"."""
        states = len(fields)
        double = torch.float64
        return Point(
            fields.to(double), point.weights, point.own, point.first,
            torch.zeros((states, *point.weights.shape), dtype=double) if change == "all" else None,
            None if change == "none" else torch.zeros((states, *point.own.shape), dtype=double),
        )  # fmt: skip

    def law(self, point: Point) -> FromThePast:
        """Return what the past adds by these parameters."""
        single = torch.float32
        own_change = point.own_change
        if own_change is None:
            own_change = torch.zeros((len(point.fields), *point.own.shape))
        return FromThePast(
            self.past, point.first.to(single), point.own.to(single), point.weights.to(single),
            own_change.to(single), None if point.change is None else point.change.to(single),
        )  # fmt: skip

    def solve(self, point: Point, penalties: Penalties, iterations: int) -> tuple[Point, float]:
        """Climb from a point of one state; return the end, and the penalised log-likelihood there.

        Parameters
        ----------
        point
            Where to start.
        penalties
            On the parameters.
        iterations
            Most iterations of L-BFGS.
        """
        every_bin = np.ones((len(self.states), 1))
        scale = torch.cat(self.units(point, every_bin, penalties))

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            self.evaluations += 1
            here = point.of(torch.from_numpy(flat).reshape(scale.shape) * scale)
            value, slope = self._loss(here, penalties)
            return value, (torch.cat(slope) * scale).numpy().reshape(-1)

        start = torch.cat([one.to(torch.float64) for one in point.parts()])
        found = minimize(
            loss, (start / scale).numpy().reshape(-1), jac=True, method="L-BFGS-B",
            options={"maxiter": iterations, "ftol": 1e-6, "gtol": 1e-3},
        )  # fmt: skip
        return point.of(torch.from_numpy(found.x).reshape(scale.shape) * scale), -float(found.fun)

    def units(
        self, point: Point, posterior: NDArray[np.float64], penalties: Penalties
    ) -> list[Tensor]:
        """Return 1 / sqrt of the diagonal of the Hessian near the rates, in the order of parts."""
        variance = (self.rates * (1 - self.rates)).clamp_min(1e-4)
        held = torch.from_numpy(posterior.sum(axis=0))[:, None]
        share = held / held.sum()
        bins, squares = float(len(self.states)), self.squares[:, None]
        firsts = float(self.begins.sum())
        curves = [
            (held + penalties.pseudo_bins) * variance,
            squares * variance + penalties.weights,
            (bins * variance + OWN_PENALTY).expand(len(point.own), -1),
            (firsts * variance + OWN_PENALTY)[None],
        ]
        pull = penalties.change or 0.0
        if point.change is not None:
            curves.append((share[:, None] * squares * variance + pull).flatten(0, 1))
        if point.own_change is not None:
            each = share[:, None] * bins * variance + pull
            curves.append(each.expand(-1, len(point.own), -1).flatten(0, 1))
        return [1 / torch.sqrt(curve) for curve in curves]

    def _loss(self, point: Point, penalties: Penalties) -> tuple[float, list[Tensor]]:
        """Return the penalised negative log-likelihood and its slope, in the order of parts."""
        law, field = self.law(point), point.fields[0].to(torch.float32)
        slope = point.of(torch.zeros((sum(map(len, point.parts())), len(field))))
        value, weight = 0.0, torch.ones(len(self.states))
        for part in slices(len(self.states), self.states.shape[1], VALUES):
            traces, seen, begins = self.traces[part], self.seen[part], self.begins[part]
            odds, own = law.in_state(0, law.shared(seen, begins), seen)
            score, residual, by_field, by_own = scores_and_slopes(
                odds, field, own, traces, self.states[part], weight[part]
            )
            value -= float(weight[part].to(torch.float64) @ score)
            slope.fields[0] += by_field
            slope.own.add_(by_own)
            slope.weights.add_(seen.T @ residual)
            slope.first.add_(residual[begins].sum(dim=0))
        for one, at, pull in (
            (slope.weights, point.weights, penalties.weights),
            (slope.own, point.own, OWN_PENALTY),
            (slope.first, point.first, OWN_PENALTY),
        ):
            one.add_(pull * at.to(torch.float32))
            value += pull / 2 * float((at**2).sum())
        prior, rates = penalties.pseudo_bins, self.rates
        value += prior * float((softplus(point.fields) - rates * point.fields).sum())
        slope.fields.add_((prior * (torch.sigmoid(point.fields) - rates)).to(torch.float32))
        return value, [one.to(torch.float64) for one in slope.parts()]
