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
from scipy.optimize import minimize
from torch import Tensor

from boltzbrain.baselines.logistic_loops import logistic_loss, packed_bins
from boltzbrain.baselines.protocol import Baseline, Fit, Trial
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import sum_active_rows
from boltzbrain.model.independent import independent_field

PENALTIES = (1000.0, 300.0, 100.0, 30.0, 10.0, 3.0)
"""L2 penalties on the weights, of the summed negative log-likelihood: penalty / 2 * sum w**2."""

_EDGE_SHARE = 0.05


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
        Most iterations of L-BFGS for each penalty.
    """
    problem = _Problem(train, neurons)
    point = problem.start()
    best = np.full(len(neurons), -np.inf)
    kept, chosen = point.copy(), np.zeros(len(neurons))
    open_ones = np.arange(len(neurons))
    trials = []
    for penalty in penalties:
        point[:, open_ones] = problem.solve(point[:, open_ones], open_ones, penalty, iterations)
        weights, field = _tensors(point[:, open_ones])
        scores = _scores(torch.from_numpy(validation), neurons[open_ones], weights, field)
        better = scores > best[open_ones]
        open_ones = open_ones[better]
        best[open_ones], chosen[open_ones] = scores[better], penalty
        kept[:, open_ones] = point[:, open_ones]
        trials.append(Trial({"l2": penalty}, float(best.sum())))
        if not len(open_ones):
            break
    weights, field = _tensors(kept)
    return LogisticFit(neurons, weights, field, chosen, tuple(trials), problem.evaluations)


class _Problem:
    """The penalised log-likelihoods of all targets on the training fold."""

    def __init__(self, train: NDArray[np.uint8], neurons: NDArray[np.int64]) -> None:
        self.states = torch.from_numpy(train)
        self.neurons = torch.from_numpy(neurons)
        self.words = packed_bins(train)
        self.mean = torch.from_numpy(train.mean(axis=0, dtype=np.float64))
        self.evaluations = 0

    def start(self) -> NDArray[np.float64]:
        """Return no weights and the log-odds of the rates, (neuron + 1, target)."""
        point = np.zeros((len(self.mean) + 1, len(self.neurons)))
        point[-1] = independent_field(self.states[:, self.neurons]).numpy()
        return point

    def solve(
        self,
        point: NDArray[np.float64],
        targets: NDArray[np.int64],
        penalty: float,
        iterations: int,
    ) -> NDArray[np.float64]:
        """Return the best weights and fields of some targets, from a starting point.

        L-BFGS runs on all targets at once, in coordinates in which the diagonal of the Hessian at
        the start is about 1 and the field is that at the mean activity of the other neurons.
        """
        mean, mine = self.mean, self.neurons[torch.from_numpy(targets)]
        own, bins = (mine, torch.arange(len(targets))), len(self.words)
        rate = mean[mine].clamp(0.5 / bins, None)
        spread = bins * rate * (1 - rate).clamp(0.5 / bins, None)
        variance = (mean * (1 - mean))[:, None]
        scale = torch.cat(
            (1 / torch.sqrt(variance * spread + penalty), 1 / torch.sqrt(spread)[None])
        )

        def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            both = torch.from_numpy(flat).reshape(scale.shape) * scale
            weights, field = both[:-1], both[-1] - mean @ both[:-1]
            found = logistic_loss(
                self.words,
                mine.numpy(),
                weights.to(torch.float32).numpy(),
                field.to(torch.float32).numpy(),
            )
            total = torch.from_numpy(found.field)
            slope = torch.empty_like(both)
            slope[:-1] = torch.from_numpy(found.weights)
            slope[:-1] += penalty * weights - mean[:, None] * total
            slope[:-1][own] = 0.0
            slope[-1] = total
            value = float(found.value.sum()) + penalty / 2 * float((weights**2).sum())
            return value, (slope * scale).numpy().reshape(-1)

        centred = torch.from_numpy(point).clone()
        centred[-1] += mean @ centred[:-1]
        found = minimize(
            loss, (centred / scale).numpy().reshape(-1), jac=True, method="L-BFGS-B",
            options={"maxiter": iterations, "ftol": 1e-6, "gtol": 1e-2},
        )  # fmt: skip
        self.evaluations += int(found.nfev)
        solved = torch.from_numpy(found.x).reshape(scale.shape) * scale
        solved[-1] -= mean @ solved[:-1]
        result: NDArray[np.float64] = solved.numpy()
        return result


def _tensors(point: NDArray[np.float64]) -> tuple[Tensor, Tensor]:
    both = torch.from_numpy(point).to(torch.float32)
    return both[:-1].contiguous(), both[-1].contiguous()


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
