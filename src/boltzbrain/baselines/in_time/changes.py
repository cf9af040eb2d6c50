"""Which couplings to the past change with the state, beside what states at other times give."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.baselines.in_time.by_state.regression import StateRegression
from boltzbrain.baselines.in_time.model import InTime
from boltzbrain.baselines.in_time.regression import PastRegression, Penalties, Point
from boltzbrain.foundations.random import Generator
from boltzbrain.model.context.chain import Floats
from boltzbrain.model.context.past import Past
from boltzbrain.model.context.sequences import Sequences

SURROGATES = 3
QUANTILE = 0.999
"""Of the changes of the surrogates: beyond it a pair is said to change."""
_PASSES = 10


def changing_couplings(
    model: InTime, train: Sequences, generator: Generator, *, surrogates: int = SURROGATES
) -> dict[str, Any] | None:
    """Return how many couplings change with the state, or None where the model has none that do.

    Models whose states share the sign of a coupling are asked nothing: they are not fitted by these
    penalties.

    The change of a pair is the root mean square, over the states as often as they are held, of what
    a state adds to its couplings. It is fitted anew beside posteriors that are shifted circularly
    over the training bins, so that states are as long and as often but at other times.

    Parameters
    ----------
    model
        A model whose states add to the couplings.
    train
        The bins that it was fitted to.
    generator
        Moves on.
    surrogates
        Number of shifts.
    """
    law = model.from_past
    chosen = model.fit.chosen
    if law is None or law.change is None or "change_l2" not in chosen:
        return None
    regression = PastRegression(train, law.past.axes.shape[1])
    double = torch.float64
    point = Point(
        model.fields, law.weights.to(double), law.own.to(double), law.first.to(double),
        torch.zeros(law.change.shape, dtype=double),
        torch.zeros(law.own_change.shape, dtype=double),
    )  # fmt: skip
    penalties = Penalties(float(chosen["l2"]), float(chosen["change_l2"]))

    def sizes(posterior: NDArray[np.float64]) -> Floats:
        solved = StateRegression(regression, point, penalties)
        solved.climb(posterior, _PASSES)
        assert solved.point.change is not None
        return _sizes(solved.point.change, law.past, posterior.mean(axis=0))

    posterior = model.posterior(train)
    own = sizes(posterior)
    lags = 1 + generator.integers(max(1, len(train) - 1), surrogates)
    others = np.concatenate([sizes(np.roll(posterior, lag, axis=0)) for lag in lags.tolist()])
    threshold = float(np.quantile(others, QUANTILE))
    return {
        "pairs": len(own),
        "threshold": threshold,
        "changing": int((own > threshold).sum()),
        # of few pairs the surrogates' quantile is but their largest value
        "expected": max(1 - QUANTILE, 1 / (1 + len(others))) * len(own),
        "surrogates": surrogates,
    }


def _sizes(change: torch.Tensor, past: Past, share: Floats) -> Floats:
    """Return the change of every pair of two neurons, (pair,)."""
    total = sum(
        weight * (past.couplings(one.to(torch.float32)) ** 2).sum(dim=0)
        for one, weight in zip(change, share.tolist(), strict=True)
    )
    assert isinstance(total, torch.Tensor)
    found: Floats = total.sqrt()[~torch.eye(len(total), dtype=torch.bool)].to(torch.float64).numpy()
    return found
