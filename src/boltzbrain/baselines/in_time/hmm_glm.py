"""Hidden states and the past together, fitted by expectation and maximisation."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from boltzbrain.baselines.in_time.by_state.regression import StateRegression
from boltzbrain.baselines.in_time.choosing import Candidate, choose
from boltzbrain.baselines.in_time.history import LARGE, fit_history, point_of
from boltzbrain.baselines.in_time.hmm import (
    SETTLED,
    STARTS,
    climb_from_blocks,
    law_of,
    log_prior,
    piece_bins_of,
)
from boltzbrain.baselines.in_time.model import HmmGlm
from boltzbrain.baselines.in_time.regression import PastRegression, Penalties, Point
from boltzbrain.baselines.protocol import Fit, Trial
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Chain, smoothed
from boltzbrain.model.context.sequences import Sequences

STATES = (1, 2, 4, 8)
CHANGES = (100.0, 1000.0)
"""Penalties on what a state adds to the weights; without one a state only shifts the rates."""
ROUNDS, PASSES = 15, 4
"""Most rounds of expectation and maximisation, and steps of L-BFGS in each."""


def fit_states(
    regression: PastRegression,
    train: Sequences,
    chain: Chain,
    point: Point,
    penalties: Penalties,
    *,
    rounds: int = ROUNDS,
    passes: int = PASSES,
) -> tuple[HmmGlm, Point, list[float]]:
    """Climb from a chain and parameters by expectation and maximisation.

    Parameters
    ----------
    regression, train
        The training bins.
    chain, point
        Where to start.
    penalties
        On the parameters.
    rounds, passes
        See `ROUNDS`.

    Returns
    -------
    HmmGlm
        The model, the most occupied state first.
    Point
        Its parameters, in the same order of states.
    list
        The penalised log-likelihood before each round, which never falls.
    """
    course: list[float] = []
    here = StateRegression(regression, point, penalties)
    found = smoothed(chain, here.emission(), train.edges)
    for _ in range(rounds):
        course.append(float(found.score.sum()) + log_prior(chain) + here.log_prior())
        if len(course) > 1 and course[-1] - course[-2] < SETTLED * abs(course[-1]):
            break
        chain = law_of(found, train.edges)
        here.climb(found.posterior, passes)
        found = smoothed(chain, here.emission(), train.edges)
    held = found.posterior.mean(axis=0)
    order = np.argsort(-held, kind="stable")
    point = _in_order(here.point, torch.from_numpy(order))
    model = HmmGlm(
        Fit("", 0, 0.0, {}), chain.reordered(order), held[order], point.fields,
        regression.law(point), piece_bins_of(train), train.bin_width_s,
    )  # fmt: skip
    return model, point, course


def _in_order(point: Point, order: torch.Tensor) -> Point:
    change, own = point.change, point.own_change
    return Point(
        point.fields[order], point.weights, point.own, point.first,
        None if change is None else change[order], None if own is None else own[order],
    )  # fmt: skip


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """Return hyperparameters that are in use: an infinite penalty leaves nothing to penalise."""
    return {name: value for name, value in values.items() if math.isfinite(value)}


def fit_hmm_glm(
    train: Sequences,
    validation: Sequences,
    generator: Generator,
    *,
    states: Sequence[int] = STATES,
    changes: Sequence[float] = CHANGES,
    starts: int = STARTS,
    rounds: int = ROUNDS,
) -> HmmGlm:
    """Fit models of more and more states, each with the past, and choose by the validation bins.

    The regression on the past gives axes, penalty and first weights; the hidden Markov model of so
    many states, fitted without weights, the first states. States shift rates only, until at the
    number that is chosen they may change the weights as well: those on the neuron's own past above
    300 neurons, else all.

    Parameters
    ----------
    train, validation
        The bins.
    generator
        Moves on.
    states
        Numbers of states to try, from few to many, up to the second that is worse in a row.
    changes
        Penalties on what a state adds to the weights, to try.
    starts
        Random starts of each hidden Markov model.
    rounds
        See `ROUNDS`.
    """
    started = time.monotonic()
    alone = fit_history(train, validation, generator)
    regression = PastRegression(train, int(alone.fit.chosen["axes"]))
    weights = float(alone.fit.chosen["l2"])
    first = point_of(alone)
    points: dict[int, tuple[Chain, Point]] = {}
    spent = alone.fit.updates

    def fitted(number: int) -> Candidate[HmmGlm]:
        nonlocal spent
        hidden, _, _ = climb_from_blocks(train, number, generator, starts=starts)
        # the rates of the states, less what the past says of them already
        shrunk = first.fields + 0.5 * (hidden.fields - first.fields) if number > 1 else first.fields
        begin = regression.with_states(first, shrunk)
        model, point, course = fit_states(
            regression, train, hidden.chain, begin, Penalties(weights), rounds=rounds
        )
        spent += len(course)
        points[number] = model.chain, point
        values = {"states": float(number), "change_l2": math.inf}
        return Candidate(values, model, model.predictive(validation))

    found = choose("states", states, lambda number: fitted(int(number)), validation)
    number = int(found.best.values["states"])
    kind = "own" if train.states.shape[1] > LARGE else "all"
    for change in sorted(changes, reverse=True) if number > 1 else ():
        chain, point = points[number]
        begin = regression.with_states(point, point.fields, kind)
        model, _, course = fit_states(
            regression, train, chain, begin, Penalties(weights, change), rounds=rounds
        )
        spent += len(course)
        values = {"states": float(number), "change_l2": change}
        found = found.or_better(Candidate(values, model, model.predictive(validation)))
    best, trials = found.best.model, found.trials()
    fit = Fit(
        "expectation and maximisation, L-BFGS in each round",
        spent,
        time.monotonic() - started,
        {**_finite(found.best.values), "l2": weights, "axes": float(alone.fit.chosen["axes"])},
        "log P of a validation bin given earlier ones, nats; the fewest states within a standard "
        "error of the best",
        tuple(Trial(_finite(one.values), one.score) for one in trials),
        found.at_end(states),
    )
    return HmmGlm(
        fit, best.chain, best.occupancy, best.fields, best.from_past, best.piece_bins,
        best.bin_width_s,
    )  # fmt: skip
