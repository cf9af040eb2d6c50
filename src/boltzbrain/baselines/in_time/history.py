"""Regression of every neuron on its own past and on that of all: what the last bins tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from boltzbrain.baselines.in_time.hmm import piece_bins_of
from boltzbrain.baselines.in_time.model import History
from boltzbrain.baselines.in_time.regression import PastRegression, Penalties, Point
from boltzbrain.baselines.protocol import Fit, Trial
from boltzbrain.baselines.search import Tried, lies_at_edge, search
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Chain
from boltzbrain.model.context.past import SECONDS
from boltzbrain.model.context.sequences import Sequences

PENALTIES = (1000.0, 300.0, 100.0)
LARGE, RANK = 300, 30
"""Above so many neurons the past is seen along so many axes only; up to it along all, too."""
ITERATIONS = 40


def ranks_of(neurons: int, traces: int = 2) -> tuple[int, ...]:
    """Return the numbers of axes to try, fewest first.

    Examples
    --------
    >>> ranks_of(1000), ranks_of(100), ranks_of(10)
    ((30,), (30, 200), (20,))
    """
    return (
        (RANK,)
        if neurons > LARGE
        else tuple(sorted({min(RANK, traces * neurons), traces * neurons}))
    )


def history_of(
    regression: PastRegression, point: Point, train: Sequences, fit: Fit | None = None
) -> History:
    """Return the model of parameters of one state."""
    one = Chain(np.ones(1), np.ones((1, 1)))
    return History(
        fit or Fit("", 0, 0.0, {}), one, np.ones(1), point.fields, regression.law(point),
        piece_bins_of(train), train.bin_width_s,
    )  # fmt: skip


def fit_at(
    regression: PastRegression,
    penalty: float,
    start: Point | None = None,
    *,
    iterations: int = ITERATIONS,
) -> Point:
    """Fit one state at a penalty, from a point near it if there is one."""
    begin = regression.start() if start is None else start
    return regression.solve(begin, Penalties(penalty), iterations)[0]


def fit_history(
    train: Sequences,
    validation: Sequences,
    generator: Generator,
    *,
    penalties: Sequence[float] = PENALTIES,
    ranks: Sequence[int] | None = None,
    seconds: tuple[float, ...] = SECONDS,
    lags: int = 1,
) -> History:
    """Fit the regression, penalty and number of axes chosen by the validation bins.

    Parameters
    ----------
    train, validation
        The bins.
    generator
        Not used: nothing is drawn.
    penalties
        L2 penalties on the weights, from strong to weak; see `baselines.search.search`.
    ranks
        Numbers of axes to try; those of `ranks_of` where None.
    seconds, lags
        Of the traces, see `model.context.past`.
    """
    started = time.monotonic()
    trials: list[Trial] = []
    evaluations = 0
    best: tuple[Tried[Point], PastRegression, Mapping[str, float]] | None = None
    traces = len(seconds) + lags - 1
    for rank in ranks_of(train.states.shape[1], traces) if ranks is None else ranks:
        regression = PastRegression(train, rank, seconds, lags)

        def tried(
            penalty: float,
            near: Point | None,
            regression: PastRegression = regression,
            rank: int = rank,
        ) -> Tried[Point]:
            point = fit_at(regression, penalty, near)
            score = float(history_of(regression, point, train).predictive(validation).mean())
            trials.append(Trial({"l2": penalty, "axes": rank}, score))
            return Tried(penalty, score, point)

        found = search(penalties, tried)
        evaluations += regression.evaluations
        if best is None or found.score > best[0].score:
            best = found, regression, {"l2": found.value, "axes": rank}
    assert best is not None
    found, regression, chosen = best
    fit = Fit(
        "L-BFGS on all neurons at once, along the axes of the past",
        evaluations,
        time.monotonic() - started,
        chosen,
        "log P of a validation bin given earlier ones, nats",
        tuple(trials),
        lies_at_edge({"l2": found.value}, trials),
    )
    return history_of(regression, found.model, train, fit)


def point_of(model: History) -> Point:
    """Return the parameters of a model of one state, to start another from."""
    law, double = model.from_past, torch.float64
    assert law is not None
    return Point(
        model.fields, law.weights.to(double), law.own.to(double), law.first.to(double)
    )  # fmt: skip
