"""The log-partition function from samples of every rung of a ladder: bridges between neighbours.

Between neighbours p and q with unnormalised q/p = exp(x), x = F_p(v) - F_q(v), the estimate of
log Z_q / Z_p of least variance is Bennett's acceptance ratio (Journal of Computational Physics
22:245, 1976; Meng and Wong, Statistica Sinica 6:831, 1996): with n_p states v of p and n_q states u
of q it is log r = c + log(n_q / n_p), where c solves

    sum_v sigmoid(x(v) - c) = sum_u sigmoid(c - x(u)).

The constants of the pairs add up to log Z of the highest rung minus that of the lowest, which is
exact. Columns of a ladder are independent, but the states within one are not, so the error comes
from a bootstrap over columns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.sampling.exchange import Exchange
from boltzbrain.sampling.ladder import Ladder
from boltzbrain.sampling.partition import LogPartition

_RESAMPLES = 500
_HALVINGS = 200


@dataclass(frozen=True, eq=False)
class Bridge:
    """The bridge between one pair of neighbours.

    Attributes
    ----------
    value
        log Z of the upper rung minus that of the lower, in nats.
    residual, slope
        (chain,) float64: each column's part of the equation that is solved, and of its derivative.
    """

    value: float
    residual: Tensor
    slope: Tensor


def bridge(below: Tensor, above: Tensor) -> Bridge:
    """Solve for the ratio of the constants of two neighbours.

    Parameters
    ----------
    below, above
        (sample, chain) float64, F of the lower minus F of the upper rung, of states of the lower
        and of the upper rung.
    """
    shift = math.log(above.numel() / below.numel())
    low = min(float(below.min()), float(above.min())) - 1.0
    high = max(float(below.max()), float(above.max())) + 1.0
    # the difference of the two sums falls monotonically in c
    low, high = low - abs(shift) - 40.0, high + abs(shift) + 40.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        excess = torch.sigmoid(below - middle).sum() - torch.sigmoid(middle - above).sum()
        low, high = (middle, high) if excess > 0 else (low, middle)
    root = 0.5 * (low + high)
    up, down = torch.sigmoid(below - root), torch.sigmoid(root - above)
    residual = up.sum(dim=0) - down.sum(dim=0)
    slope = (up * (1 - up)).sum(dim=0) + (down * (1 - down)).sum(dim=0)
    return Bridge(root + shift, residual, slope)


def bridge_log_partition(
    ladder: Ladder, exchanges: Sequence[Exchange], generator: Generator
) -> LogPartition:
    """Estimate log Z of the highest rung from the steps of a ladder.

    Parameters
    ----------
    ladder
        The ladder that was run.
    exchanges
        What its steps gave, those before it was in equilibrium left out; each pair of neighbours
        must have been proposed.
    generator
        Moves on.

    Returns
    -------
    LogPartition
        Method "trajectory", "annealing" or "temperature": the ladder's. `log_weights` are the
        columns' own estimates to first order, and the effective sample size is the number of
        columns over 1 plus their number times the squared error, which is (sum w)**2 / sum w**2 of
        weights with that error.

    Raises
    ------
    InputError
        If a pair was never proposed or there are fewer than 10 columns.
    """
    by_pair: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for exchange in exchanges:
        for row, pair in enumerate(exchange.pairs):
            by_pair.setdefault(pair, []).append((exchange.below[row], exchange.above[row]))
    if len(by_pair) != len(ladder) - 1:
        raise bad_input("exchanges", f"hold all {len(ladder) - 1} pairs of rungs", len(by_pair))
    chains = int(exchanges[0].below.shape[1])
    if chains < 10:
        raise bad_input("replicas", "have at least 10 chains", chains)
    value = ladder.rungs[0].log_partition_independent()
    counts = _bootstrap_counts(chains, generator)
    shifts = torch.zeros(_RESAMPLES, dtype=torch.float64)
    influence = torch.zeros(chains, dtype=torch.float64)
    for seen in by_pair.values():
        below, above = (torch.stack(side).cpu() for side in zip(*seen, strict=True))
        solved = bridge(below, above)
        value += solved.value
        # one Newton step from the root moves it to where the resampled columns put it
        shifts += (counts @ solved.residual) / (counts @ solved.slope).clamp_min(1e-300)
        influence += chains * solved.residual / solved.slope.sum().clamp_min(1e-300)
    error = float(shifts.std())
    return LogPartition(
        value, error, chains / (1 + chains * error**2), value + influence, ladder.method
    )


def _bootstrap_counts(chains: int, generator: Generator) -> Tensor:
    """Return how often each column is drawn in each resample, (resample, chain) float64."""
    chosen = torch.from_numpy(generator.integers(chains, _RESAMPLES * chains))
    counts = torch.zeros((_RESAMPLES, chains), dtype=torch.float64)
    ones = torch.ones((_RESAMPLES, chains), dtype=torch.float64)
    return counts.scatter_add_(1, chosen.reshape(_RESAMPLES, chains), ones)
