"""Couplings to the past of one sign in all states: excitatory, inhibitory or none.

The one-hot prior of Li et al. (ICLR 2024, arXiv 2310.15263) has a density that is unbounded where
a coupling is surely of one kind. Here the sign of a pair is found by two fits, of couplings that
are at least 0 and at most 0, and a penalty on the length of all couplings of a pair, over states
and traces, leaves none where they tell too little: given signs and posteriors a convex problem,
solved by accelerated proximal steps (Beck and Teboulle, SIAM J. Imaging Sci. 2:183, 2009).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.in_time.bernoulli import scores_and_slopes
from boltzbrain.baselines.in_time.choosing import Candidate, choose
from boltzbrain.baselines.in_time.hmm import (
    SETTLED,
    STARTS,
    climb_from_blocks,
    law_of,
    piece_bins_of,
)
from boltzbrain.baselines.in_time.model import HmmSigns
from boltzbrain.baselines.in_time.regression import OWN_PENALTY, PSEUDO_BINS
from boltzbrain.baselines.protocol import Fit, Unfitted
from boltzbrain.baselines.search import lies_at_edge
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Chain, smoothed
from boltzbrain.model.context.from_past import FromThePast
from boltzbrain.model.context.past import Past, fit_past, raw_traces
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.model.independent import independent_field

MOST_NEURONS = 200
STATES = (1, 2, 4)
PENALTIES = (30.0, 10.0, 3.0)
"""On the length of all couplings of a pair, of the summed negative log-likelihood."""
ROUNDS, STEPS, SIGN_STEPS = 10, 30, 60


@dataclass(frozen=True, eq=False)
class _Point:
    """Parameters: fields (state, neuron), own (trace, neuron), first (neuron,), and couplings.

    Couplings are (state, trace, source, neuron), in units of standardised traces.
    """

    fields: Tensor
    own: Tensor
    first: Tensor
    couplings: Tensor


class _Problem:
    def __init__(self, train: Sequences) -> None:
        traces = raw_traces(train)
        found, _ = fit_past(traces, train, 1)
        kinds, neurons = found.mean.shape
        self.train, self.traces, self.flat = train, traces, traces.flatten(1)
        # every trace is an axis of its own: signs are of pairs of neurons
        self.past = Past(found.mean, found.spread, torch.eye(kinds * neurons))
        self.states, self.begins = torch.from_numpy(train.states), torch.from_numpy(train.begins)
        self.rates = torch.sigmoid(independent_field(self.states)).to(torch.float32)
        self.steps = 0
        # bounds on the curvature: the largest eigenvalue of the traces, a quarter at most each bin
        top = float(torch.linalg.matrix_norm(self.flat, 2)) ** 2
        self.curve = 0.25 * top + OWN_PENALTY

    def start(self, fields: Tensor) -> _Point:
        kinds, neurons = self.past.mean.shape
        return _Point(
            fields.to(torch.float32), torch.zeros((kinds, neurons)), torch.zeros(neurons),
            torch.zeros((len(fields), kinds, neurons, neurons)),
        )  # fmt: skip

    def law(self, point: _Point) -> FromThePast:
        change = point.couplings.flatten(1, 2)
        kinds, neurons = self.past.mean.shape
        return FromThePast(
            self.past, point.first, point.own, torch.zeros((kinds * neurons, neurons)),
            torch.zeros((len(change), kinds, neurons)), change,
        )  # fmt: skip

    def slope(self, point: _Point, weight: Tensor) -> _Point:
        """Return the slope of the weighted negative log-likelihood with its smooth penalties."""
        self.steps += 1
        law = self.law(point)
        fields, couplings = torch.zeros_like(point.fields), torch.zeros_like(point.couplings)
        own, first = OWN_PENALTY * point.own, OWN_PENALTY * point.first
        shared = law.shared(self.flat, self.begins)
        for state, field in enumerate(point.fields):
            odds, weights = law.in_state(state, shared, self.flat)
            here = weight[:, state].contiguous()
            _, residual, by_field, by_own = scores_and_slopes(
                odds, field, weights, self.traces, self.states, here
            )
            fields[state] = by_field + PSEUDO_BINS * (torch.sigmoid(field) - self.rates)
            own = own + by_own.to(torch.float32)
            first = first + residual[self.begins].sum(dim=0)
            couplings[state] = (self.flat.T @ residual).reshape(couplings.shape[1:])
        return _Point(fields, own, first, couplings)

    def solve(
        self, point: _Point, weight: Tensor, sign: Tensor, penalty: float, steps: int
    ) -> _Point:
        """Take accelerated proximal steps from a point, couplings of the signs (source, neuron)."""
        bins = float(len(self.states))
        ahead, old, pace = point, point, 1.0
        for _ in range(steps):
            slope = self.slope(ahead, weight)
            # fields and own weights are few and steep: steps of their own
            new = _Point(
                ahead.fields - slope.fields / (0.25 * weight.sum(dim=0)[:, None] + PSEUDO_BINS),
                ahead.own - slope.own / self.curve,
                ahead.first - slope.first / (0.25 * bins + OWN_PENALTY),
                _proximal(ahead.couplings - slope.couplings / self.curve, sign,
                          penalty / self.curve),
            )  # fmt: skip
            faster = (1 + (1 + 4 * pace**2) ** 0.5) / 2
            push, pace = (pace - 1) / faster, faster
            ahead, old = _beyond(new, old, push), new
        return old


def _beyond(new: _Point, old: _Point, push: float) -> _Point:
    return _Point(
        *(
            one + push * (one - before)
            for one, before in (
                (new.fields, old.fields), (new.own, old.own), (new.first, old.first),
                (new.couplings, old.couplings),
            )
        )
    )  # fmt: skip


def _proximal(couplings: Tensor, sign: Tensor, pull: float) -> Tensor:
    """Keep what has the sign of its pair, shortened as a whole by `pull`; own ones are 0.

    Examples
    --------
    >>> couplings = torch.tensor([[[[0.0, 3.0], [-2.0, 0.0]]], [[[0.0, 4.0], [1.0, 0.0]]]])
    >>> sign = torch.tensor([[1.0, 1.0], [-1.0, 1.0]])
    >>> short = _proximal(couplings, sign, 1.0)[:, 0]
    >>> wanted = torch.tensor([[[0.0, 2.4], [-1.0, 0.0]], [[0.0, 3.2], [0.0, 0.0]]])
    >>> torch.allclose(short, wanted)
    True
    """
    kept = torch.clamp_min(couplings * sign, 0.0)
    length = kept.pow(2).sum(dim=(0, 1)).sqrt()
    shrunk = kept * (1 - pull / length.clamp_min(1e-12)).clamp_min(0.0)
    return shrunk * sign * (1 - torch.eye(len(sign)))


def find_signs(problem: _Problem, penalty: float) -> Tensor:
    """Return the sign of every pair, (source, neuron): the longer of two fits of one state."""
    neurons = len(problem.rates)
    start = problem.start(torch.logit(problem.rates)[None])
    every_bin, ones = torch.ones((len(problem.states), 1)), torch.ones((neurons, neurons))
    up, down = (
        problem.solve(start, every_bin, sign * ones, penalty, SIGN_STEPS).couplings.pow(2)
        for sign in (1.0, -1.0)
    )
    longer = up.sum(dim=(0, 1)) >= down.sum(dim=(0, 1))
    return torch.where(longer, 1.0, -1.0)


def fit_hmm_signs(
    train: Sequences,
    validation: Sequences,
    generator: Generator,
    *,
    states: Sequence[int] = STATES,
    penalties: Sequence[float] = PENALTIES,
    rounds: int = ROUNDS,
    starts: int = STARTS,
) -> HmmSigns | Unfitted:
    """Fit HMM-GLMs whose couplings to the past keep their sign; choose by the validation bins.

    The penalty is chosen with one state, the number of states at it.

    Parameters
    ----------
    train, validation
        The bins, of at most `MOST_NEURONS` neurons: with more no model comes of it.
    generator
        Moves on.
    states, penalties
        To try.
    rounds
        Rounds of expectation and maximisation.
    starts
        Random starts of each hidden Markov model.
    """
    started = time.monotonic()
    neurons = train.states.shape[1]
    optimiser = "expectation and maximisation, accelerated proximal steps in each round"
    if neurons > MOST_NEURONS:
        reason = f"{HmmSigns.title}: for at most {MOST_NEURONS} neurons; there are {neurons}"
        return Unfitted(HmmSigns.title, Fit(optimiser, 0, 0.0, {}), reason)
    problem = _Problem(train)

    def fitted(number: int, penalty: float, sign: Tensor) -> Candidate[HmmSigns]:
        hidden, _, _ = climb_from_blocks(train, number, generator, starts=starts)
        point, chain = problem.start(hidden.fields), hidden.chain
        posterior, last = hidden.posterior(train), -np.inf
        for _ in range(rounds if number > 1 else 3):
            weight = torch.from_numpy(posterior).to(torch.float32)
            point = problem.solve(point, weight, sign, penalty, STEPS)
            model = _model(problem, chain, posterior, point)
            found = smoothed(chain, model.emission(train), train.edges)
            chain, posterior = law_of(found, train.edges), found.posterior
            here = float(found.score.sum())
            if here - last < SETTLED * abs(here):
                break
            last = here
        model = _model(problem, chain, posterior, point)
        values = {"states": float(number), "group_penalty": penalty}
        return Candidate(values, model, model.predictive(validation))

    alone = [
        (fitted(1, penalty, sign), sign)
        for penalty in penalties
        for sign in (find_signs(problem, penalty),)
    ]
    first, sign = max(alone, key=lambda one: one[0].score)
    penalty = first.values["group_penalty"]
    found = choose(
        "states",
        states,
        lambda number: first if number == 1 else fitted(int(number), penalty, sign),
        validation,
    )
    trials = {tuple(one.values.items()): one for one in (*[one for one, _ in alone], *found.tried)}
    fit = Fit(
        optimiser,
        problem.steps,
        time.monotonic() - started,
        found.best.values,
        "log P of a validation bin given earlier ones, nats; the fewest states within a standard "
        "error of the best",
        tuple(one.trial() for one in trials.values()),
        found.at_end(states)
        or lies_at_edge({"group_penalty": penalty}, [one.trial() for one, _ in alone]),
    )
    best = found.best.model
    return HmmSigns(
        fit, best.chain, best.occupancy, best.fields, best.from_past, best.piece_bins,
        best.bin_width_s,
    )  # fmt: skip


def _model(
    problem: _Problem, chain: Chain, posterior: NDArray[np.float64], point: _Point
) -> HmmSigns:
    train = problem.train
    return HmmSigns(
        Fit("", 0, 0.0, {}), chain, posterior.mean(axis=0), point.fields.to(torch.float64),
        problem.law(point), piece_bins_of(train), train.bin_width_s,
    )  # fmt: skip
