"""What an estimate of log Z of many rows is: of each and of their mean, with errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from boltzbrain.foundations.showing.told import Brief
from boltzbrain.sampling.partition import LARGEST_GAP, few_chains


@dataclass(frozen=True, eq=False, repr=False)
class RowPartitions(Brief):
    """log Z of every row of offsets.

    The mean over rows is what a mean log-likelihood needs. The score of one bin needs that of its
    row: beside the spread of scores over bins a row's own error is small, and where rows are
    annealed apart it is noise of its own in each, which an error over clusters of bins holds
    already. What all rows share is no part of that: `stderr` is reported beside it.

    Attributes
    ----------
    values
        (row,) float64, nats.
    errors
        (row,) float64, standard error of each, without what all share.
    stderr
        Standard error of their mean, all included.
    shared
        The part of it that is the same in every row: of the reference's log Z.
    method
        "exact", "annealed" (every row finely), or with some annealed finely that tell the others:
        "coarse" (all are annealed coarsely) or "reference" (none).
    annealed
        Rows that were annealed finely.
    effective_share
        Mean over the annealed rows of (E - 1) / (S - 1), with S chains a row and their effective
        sample size E = (sum w)**2 / sum w**2: 1 where all weigh alike, 0 where one carries the row.
        None where nothing is annealed.
    spread
        Standard deviation of what is not known of the rows that others tell; None elsewhere.
    gap, gap_stderr
        What a bridge of the ways forth and back (`sampling.bridge`), all rows together, adds to
        log Z, and its standard error; None where no row was annealed back.
    doubts
        What else makes the estimate unreliable, in words.
    """

    values: Tensor
    errors: Tensor
    stderr: float
    method: str
    shared: float = 0.0
    annealed: int = 0
    effective_share: float | None = None
    spread: float | None = None
    gap: float | None = None
    gap_stderr: float | None = None
    doubts: tuple[str, ...] = field(default=())

    @property
    def mean(self) -> float:
        """Mean of log Z over the rows."""
        return float(self.values.mean())

    @property
    def warnings(self) -> list[str]:
        """What makes the estimate unreliable, in words: no sentence, no doubt."""
        said = list(self.doubts)
        if self.effective_share is not None:
            said += filter(None, [few_chains("log Z of the bins", 100 * self.effective_share, 100)])
        if self.gap is not None and abs(self.gap) > LARGEST_GAP:
            said.append(
                "unreliable: annealing back moves log Z of the bins by "
                f"{self.gap:.2f} nats per bin, more than {LARGEST_GAP:g}"
            )
        return said


def jackknifed(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the log of the mean weight of each row without its bias, and the standard error.

    The log of a mean over S chains lies low by about relvar(w) / 2S on average. The jackknife
    (Quenouille, Biometrika 43:353, 1956) takes that away: S theta - (S - 1) mean(theta_-s), with
    theta_-s the estimate without chain s; the squared error is (S - 1) / S times the sum of squares
    of theta_-s about their mean (Tukey, Annals of Mathematical Statistics 29:614, 1958).

    Parameters
    ----------
    log_weights
        (row, chain), at least two chains.
    """
    logs = log_weights.to(torch.float64)
    chains = logs.shape[1]
    whole = torch.logsumexp(logs, dim=1) - math.log(chains)
    without = torch.stack(
        [
            torch.logsumexp(torch.cat([logs[:, :one], logs[:, one + 1 :]], dim=1), dim=1)
            for one in range(chains)
        ]
    ) - math.log(chains - 1)
    middle = without.mean(dim=0)
    squares = (without - middle).square().sum(dim=0)
    return chains * whole - (chains - 1) * middle, ((chains - 1) / chains * squares).sqrt()


class Told(NamedTuple):
    """Rows told by some of them.

    Attributes
    ----------
    values, errors
        (row,) float64; of the rows measured, their own.
    variance
        Squared error of the mean over all rows.
    spread
        Standard deviation of what the columns do not tell of a row.
    """

    values: Tensor
    errors: Tensor
    variance: float
    spread: float


def told_by_some(columns: Tensor, some: Tensor, measured: Tensor, noise: Tensor) -> Told:
    """Fit the rows measured by columns that are known of all, and tell the others.

    By least squares (Cochran, Sampling Techniques, 1977, chapter 7). Rows drawn at random make the
    error of the mean that of the rows left out, however their bins hang together in time.

    Parameters
    ----------
    columns
        (row, column) float64, the first of ones.
    some
        (measured,) numbers of the rows measured, drawn at random and none twice.
    measured, noise
        Their values and the standard errors of these, (measured,) float64.
    """
    scaled = columns / columns.abs().amax(dim=0)
    slopes: Tensor = torch.linalg.lstsq(scaled[some], measured[:, None], driver="gelsd").solution
    values = (scaled @ slopes)[:, 0]
    left = measured - values[some]
    variance = float(left.square().sum()) / (len(some) - columns.shape[1])
    # what is left adds up to 0, so that the mean over the rows stays
    values[some] = measured
    errors = torch.full_like(values, math.sqrt(variance))
    errors[some] = noise
    of_mean = variance * (1 / len(some) - 1 / len(values))
    of_mean += float(noise.square().mean()) / len(values)
    return Told(values, errors, of_mean, math.sqrt(variance))


def effective_shares(log_weights: Tensor) -> Tensor:
    """Return what `RowPartitions.effective_share` is the mean of, (row,) float64."""
    logs = log_weights.to(torch.float64)
    size = (2 * torch.logsumexp(logs, dim=1) - torch.logsumexp(2 * logs, dim=1)).exp()
    return (size - 1) / (logs.shape[1] - 1)
