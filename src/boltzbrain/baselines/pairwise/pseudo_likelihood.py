"""The pairwise model by pseudo-likelihood: all neurons given all others, at once.

The sum over neurons of log P(v_i | rest) needs no log-partition (Besag, The Statistician 24:179,
1975); each coupling stands in two of its terms. One pass over the bins gives all of them: states
are sparse and binary, so both products are sums of a few rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from boltzbrain.baselines.pairwise.model import Pairwise
from boltzbrain.baselines.protocol import Trial
from boltzbrain.baselines.search import Tried, search
from boltzbrain.foundations.memory import VALUES, rows_at_once
from boltzbrain.foundations.numerics import bernoulli_log_likelihood
from boltzbrain.kernels.dispatch import correlate, sum_active_rows
from boltzbrain.model.independent import independent_field

PENALTIES = (1800.0, 1000.0, 560.0, 320.0, 180.0, 100.0, 56.0, 32.0, 18.0, 10.0)
"""L2 penalties to try. Every fit of the pairwise model here maximises the log-(pseudo-)likelihood
summed over bins less penalty / 2 * sum over pairs J**2, J of states in {0, 1}."""


def log_pseudo_likelihood(log_odds: Tensor, states: Tensor) -> Tensor:
    """Return the sum over neurons of log P(v_i | rest), (bin,) float64 nats.

    Parameters
    ----------
    log_odds
        (bin, neuron) log-odds of every neuron given all others.
    states
        (bin, neuron) uint8.
    """
    odds = log_odds.to(torch.float64)
    return bernoulli_log_likelihood(odds, states).sum(dim=1)


def fit_pseudo_likelihood(
    states: NDArray[np.uint8],
    penalty: float,
    *,
    start: Pairwise | None = None,
    iterations: int = 200,
    tolerance: float = 1e-7,
) -> tuple[Pairwise, int]:
    """Maximise the pseudo-likelihood with an L2 penalty by L-BFGS.

    It runs in coordinates in which the diagonal of the Hessian at the start is about 1 and a
    neuron's field is that at the mean activity of the others.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    penalty
        See `PENALTIES`; 0 for none.
    start
        Where to start; independent neurons where None.
    iterations
        Most iterations.
    tolerance
        Ends where an iteration lowers the loss by less than this share of it.

    Returns
    -------
    Pairwise, int
        The model, and the evaluations of the loss.
    """
    visible = torch.from_numpy(states)
    bins, neurons = states.shape
    first, second = np.triu_indices(neurons, 1)
    above, below = first * neurons + second, second * neurons + first
    mean = states.mean(axis=0, dtype=np.float64)
    rate = np.clip(mean, 0.5 / bins, 1 - 0.5 / bins)
    variance = rate * (1 - rate)
    stretch = 1 / np.sqrt(2 * bins * variance[first] * variance[second] + penalty)
    own = 1 / np.sqrt(bins * variance)
    step = rows_at_once(neurons, VALUES)

    def full(pairs: NDArray[np.float64]) -> Tensor:
        square = np.zeros(neurons * neurons, dtype=np.float32)
        square[above] = square[below] = pairs
        return torch.from_numpy(square.reshape(neurons, neurons))

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        pairs = point[neurons:] * stretch
        couplings = full(pairs)
        pull = couplings.to(torch.float64).numpy() @ mean
        field = torch.from_numpy(point[:neurons] * own - pull).to(torch.float32)
        value = 0.5 * penalty * float(pairs @ pairs)
        both, total = np.zeros((neurons, neurons)), np.zeros(neurons)
        for part in visible.split(step):
            odds = sum_active_rows(part, couplings).add_(field)
            value -= float(bernoulli_log_likelihood(odds, part).sum(dtype=torch.float64))
            residual = torch.sigmoid(odds).sub_(part)
            both += correlate(part, residual).numpy()
            total += residual.sum(dim=0, dtype=torch.float64).numpy()
        both -= mean[:, None] * total
        flat = both.reshape(-1)
        slope = (flat[above] + flat[below] + penalty * pairs) * stretch
        return value, np.concatenate((total * own, slope))

    if start is None:
        point = np.concatenate((independent_field(visible).numpy() / own, np.zeros(len(first))))
    else:
        couplings = start.couplings.to(torch.float64).numpy()
        field = start.field.numpy() + couplings @ mean
        point = np.concatenate((field / own, couplings[first, second] / stretch))
    found = minimize(
        loss, point, jac=True, method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": tolerance, "gtol": 1e-9},
    )  # fmt: skip
    solved = full(found.x[neurons:] * stretch)
    field = found.x[:neurons] * own - solved.to(torch.float64).numpy() @ mean
    return Pairwise.of(torch.from_numpy(field), solved), int(found.nfev)


def choose_pseudo_likelihood(
    train: NDArray[np.uint8],
    validation: NDArray[np.uint8],
    *,
    penalties: Sequence[float] = PENALTIES,
    iterations: int = 200,
) -> tuple[Pairwise, float, list[Trial], int]:
    """Choose the penalty on the validation fold, from strong to weak, see `baselines.search`.

    Parameters
    ----------
    train, validation
        (bin, neuron) uint8, at least one bin each.
    penalties
        To try, falling; each fit starts from the best before.
    iterations
        Most iterations of each fit.

    Returns
    -------
    Pairwise, float, list, int
        The model, its penalty, what was tried with its validation score in nats per bin, and the
        evaluations of the loss.
    """
    trials, evaluations = [], 0
    held_out = torch.from_numpy(validation)

    def fit(penalty: float, near: Pairwise | None) -> Tried[Pairwise]:
        nonlocal evaluations
        model, spent = fit_pseudo_likelihood(train, penalty, start=near, iterations=iterations)
        evaluations += spent
        score = float(log_pseudo_likelihood(model.log_odds(held_out), held_out).mean())
        trials.append(Trial({"l2": penalty}, score))
        return Tried(penalty, score, model)

    best = search(penalties, fit)
    return best.model, best.value, trials, evaluations
