"""Logistic regression of some neurons on all others, many at once.

The states are sparse and binary, so that products with them are sums of a few rows, and all target
neurons share each pass over the data (`baselines.logistic_loops`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.baselines.logistic_loops import listed_bins, logistic_loss
from boltzbrain.baselines.protocol import Baseline, Fit, Trial
from boltzbrain.baselines.side_by_side import SideBySide
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.independent import independent_field

PENALTIES = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0)
"""L2 penalties on the weights, of the summed negative log-likelihood: penalty / 2 * sum w**2."""

_EDGE_SHARE = 0.05
_PRECISION = 1e-6
"""Share of a loss below which a step towards its minimum is the last one."""


@dataclass(frozen=True)
class LogisticFit:
    """Logistic regressions of some neurons on all others.

    Attributes
    ----------
    neurons
        (target,) neurons that are predicted.
    weights
        (neuron, target); a neuron's weight on itself is 0.
    field
        (target,) log-odds where all other neurons are silent.
    penalties
        (target,) chosen L2 penalty.
    trials
        Each penalty that was tried with the validation score at which it left the neurons, summed
        over them, each with its best penalty so far, nats per bin.
    evaluations
        Evaluations of the loss in all.
    """

    neurons: NDArray[np.int64]
    weights: Tensor
    field: Tensor
    penalties: NDArray[np.float64]
    trials: tuple[Trial, ...] = ()
    evaluations: int = 0

    def log_odds(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of each target given all other neurons, (bin, target)."""
        odds = sum_active_rows(torch.from_numpy(states), self.weights) + self.field
        result: NDArray[np.float32] = odds.numpy()
        return result

    def log_likelihood(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the mean log-likelihood of each target over bins, (target,) nats per bin."""
        return _scores(torch.from_numpy(states), self.neurons, self.weights, self.field)


def _scores(
    states: Tensor, neurons: NDArray[np.int64], weights: Tensor, field: Tensor
) -> NDArray[np.float64]:
    logits = (sum_active_rows(states, weights) + field).to(torch.float64)
    active = states[:, torch.from_numpy(neurons)].to(torch.float64)
    scores = bernoulli_log_likelihood(logits, active)
    result: NDArray[np.float64] = scores.mean(dim=0).numpy()
    return result


def fit_logistic(
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    neurons: NDArray[np.int64],
    *,
    penalties: Sequence[float] = PENALTIES,
    iterations: int = 200,
) -> LogisticFit:
    """Fit logistic regressions and choose each neuron's penalty on the validation fold.

    Parameters
    ----------
    train, validation
        (bin, neuron) uint8, at least one bin each.
    neurons
        (target,) neurons to predict from all others.
    penalties
        L2 penalties to try, from strong to weak; each fit starts from the one before.
    iterations
        Most evaluations of the loss for each penalty.
    """
    problem = _Problem(train, neurons)
    points = problem.start()
    best = np.full(len(neurons), -np.inf)
    kept, chosen = points.copy(), np.zeros(len(neurons))
    open_ones = np.arange(len(neurons))
    trials = []
    for penalty in penalties:
        points[open_ones] = problem.solve(points[open_ones], open_ones, penalty, iterations)
        weights, field = problem.tensors(points[open_ones])
        scores = _scores(torch.from_numpy(validation), neurons[open_ones], weights, field)
        better = scores > best[open_ones]
        open_ones = open_ones[better]
        best[open_ones], chosen[open_ones] = scores[better], penalty
        kept[open_ones] = points[open_ones]
        trials.append(Trial({"l2": penalty}, float(best.sum())))
        if not len(open_ones):
            break
    weights, field = problem.tensors(kept)
    evaluations = problem.search.evaluations
    return LogisticFit(neurons, weights, field, chosen, tuple(trials), evaluations)


class _Problem:
    """The penalised log-likelihoods of all targets on the training fold.

    Points are (target, neuron + 1): the weights, and the log-odds at the mean activity of the other
    neurons. So the field and the weights are about independent.
    """

    def __init__(self, train: NDArray[np.uint8], neurons: NDArray[np.int64]) -> None:
        self.neurons = neurons
        self.listed = listed_bins(train)
        self.active = train[:, neurons]
        self.mean = train.mean(axis=0, dtype=np.float64)
        self.search = SideBySide(len(neurons), len(self.mean) + 1)
        self.penalty = 0.0

    def start(self) -> NDArray[np.float64]:
        """Return no weights and the log-odds of the rates."""
        point = np.zeros((len(self.neurons), len(self.mean) + 1))
        point[:, -1] = independent_field(torch.from_numpy(self.active)).numpy()
        return point

    def tensors(self, points: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
        """Return points as weights (neuron, target) and fields (target,)."""
        field = points[:, -1] - points[:, :-1] @ self.mean
        return torch.from_numpy(_single(points[:, :-1].T)), torch.from_numpy(_single(field))

    def solve(
        self,
        points: NDArray[np.float64],
        targets: NDArray[np.int64],
        penalty: float,
        iterations: int,
    ) -> NDArray[np.float64]:
        """Return the best points of some targets, from starting points.

        The second derivatives are taken to be those at the rates, of independent neurons.
        """
        mean, bins = self.mean, len(self.active)
        rate = np.maximum(mean[self.neurons[targets]], 0.5 / bins)
        spread = bins * rate * np.maximum(1 - rate, 0.5 / bins)
        curvature = spread[:, None] * np.append(mean * (1 - mean), 1.0)
        curvature[:, :-1] += penalty
        self.search.add_square(np.append(np.full(len(mean), penalty - self.penalty), 0.0))
        self.penalty = penalty

        def losses(
            tried: NDArray[np.float64], of: NDArray[np.int64]
        ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            asked = targets[of]
            weights, field = self.tensors(tried)
            found = logistic_loss(
                self.listed, self.active[:, asked], weights.numpy(), field.numpy()
            )
            slope = np.empty_like(tried)
            slope[:, :-1] = found.weights.T
            slope[:, :-1] += penalty * tried[:, :-1] - found.field[:, None] * mean
            slope[np.arange(len(of)), self.neurons[asked]] = 0.0
            slope[:, -1] = found.field
            return found.value + penalty / 2 * np.square(tried[:, :-1]).sum(axis=1), slope

        return self.search.minimise(
            losses, points, targets,
            curvature=curvature, iterations=iterations, precision=_PRECISION,
        )  # fmt: skip


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Logistic(Baseline):
    """Every neuron by logistic regression on all others, the GLM of the zebrafish paper.

    No one distribution has all these conditionals, so there is no likelihood of a whole bin.
    """

    name: ClassVar[str] = "glm"
    title: ClassVar[str] = "logistic GLM"
    gives: ClassVar[frozenset[str]] = frozenset({"conditional", "couplings"})

    model: LogisticFit

    def conditional(self, states: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the log-odds of every neuron given all others, (bin, neuron)."""
        return self.model.log_odds(states)

    def couplings(self) -> Tensor:
        """Return the mean of both weights of every pair, (neuron, neuron)."""
        return (self.model.weights + self.model.weights.T) / 2


def fit_glm(
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    generator: Generator,
    *,
    penalties: Sequence[float] = PENALTIES,
) -> Logistic:
    """Fit logistic regression to every neuron; see `fit_logistic`.

    Each neuron has a choice of its own, so some always lie at an edge of the grid: it is called too
    short where more than a twentieth do.
    """
    started = time.monotonic()
    found = fit_logistic(train, validation, np.arange(train.shape[1]), penalties=penalties)
    strongest, weakest = (float(np.mean(found.penalties == pick(penalties))) for pick in (max, min))
    fit = Fit(
        "L-BFGS on all neurons at once, each with its own penalty",
        found.evaluations,
        time.monotonic() - started,
        {
            "median_l2": float(np.median(found.penalties)),
            "share_at_strongest": strongest,
            "share_at_weakest": weakest,
        },
        "nats per validation bin, summed over neurons, each with its best penalty so far",
        found.trials,
        len(penalties) > 1 and max(strongest, weakest) > _EDGE_SHARE,
    )
    return Logistic(fit, found)
