"""The log-partition function by annealed importance sampling, forwards and backwards.

Annealed importance sampling (Neal, Statistics and Computing 11:125, 2001) carries chains from the
independent model, whose constant is known, to the model itself along a ladder of rungs t from 0 to
1: fields (1 - t) b0 + t b, weights t W, hidden parameters as they are. Between two rungs a chain
gains the log-weight F_lower(v) - F_upper(v), with each rung's own free energy, and log Z is that of
the independent model plus the log of the mean weight.

Forwards the estimate of Z is unbiased, so that of log Z lies below the truth on average; backwards,
from independent samples of the model, it lies above it (Burda, Grosse and Salakhutdinov, AISTATS
2015). The pair brackets log Z in expectation, and only if those samples are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from boltzbrain.foundations.checks import bad_input, has_shape, whole_number_in
from boltzbrain.foundations.random import Generator
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.annealing import AnnealedPath, ModelPath, schedule_along
from boltzbrain.sampling.enumeration import exact_log_partition

__all__ = [
    "LARGEST_GAP",
    "RELIABLE_FRACTION",
    "LogPartition",
    "annealed_along",
    "annealed_back_along",
    "annealed_importance",
    "annealed_importance_backward",
    "bootstrap_log_mean",
    "disagreement",
    "effective_sample_size",
    "exact_log_partition",
    "log_mean_exp",
]

RELIABLE_FRACTION = 0.1
"""An effective sample size below this fraction of the chains is called unreliable."""

LARGEST_GAP = 1.0
"""A forward/backward gap above this many nats per bin is called unreliable."""

_RESAMPLES = 500
_BLOCK = 1 << 20


def log_mean_exp(log_weights: Tensor) -> float:
    """Return the log of the mean of exp(log_weights) over the chains."""
    return float(torch.logsumexp(log_weights.to(torch.float64), dim=0)) - math.log(len(log_weights))


def effective_sample_size(log_weights: Tensor) -> float:
    """Return (sum w)**2 / sum w**2, between 1 and the number of weights."""
    logs = log_weights.to(torch.float64)
    return math.exp(2 * float(torch.logsumexp(logs, 0)) - float(torch.logsumexp(2 * logs, 0)))


def bootstrap_log_mean(log_weights: Tensor, generator: Generator) -> float:
    """Return the standard error of `log_mean_exp` by bootstrap over the chains."""
    logs = log_weights.to("cpu", torch.float64)
    weights = torch.exp(logs - logs.max())
    count = len(weights)
    # a few resamples at a time, so that many chains need little memory
    block = max(1, _BLOCK // count)
    means = []
    for first in range(0, _RESAMPLES, block):
        resamples = min(block, _RESAMPLES - first)
        chosen = torch.from_numpy(generator.integers(count, resamples * count))
        means.append(weights[chosen].reshape(resamples, count).mean(dim=1))
    return float(torch.cat(means).clamp_min(1e-300).log().std())


@dataclass(frozen=True, eq=False)
class LogPartition:
    """An estimate of log Z with what is needed to judge it.

    Attributes
    ----------
    value
        The estimate, in nats.
    stderr
        Its standard error, by bootstrap over the chains on log Z, in nats.
    effective_sample_size
        How many equally weighted chains would say as much, at most `chains`: (sum w)**2 / sum w**2
        of annealed chains; what it is elsewhere stands where the estimate is made.
    log_weights
        (chain,) float64, log-weight of each chain: log Z plus noise (forward), -log Z plus noise
        (backward).
    method
        How it was made: "forward", "backward", "running", or the method of a `Ladder`.
    """

    value: float
    stderr: float
    effective_sample_size: float
    log_weights: Tensor
    method: str

    @property
    def chains(self) -> int:
        """Number of chains."""
        return len(self.log_weights)

    @property
    def reliable(self) -> bool:
        """Whether the effective sample size is at least `RELIABLE_FRACTION` of the chains."""
        return self.warning is None

    @property
    def warning(self) -> str | None:
        """What makes the estimate unreliable, in words, or None."""
        return few_chains(f"the {self.method} estimate", self.effective_sample_size, self.chains)


def few_chains(what: str, effective: float, chains: int) -> str | None:
    """Say in words that too few chains carry an estimate of log Z, or return None.

    Parameters
    ----------
    what
        The estimate, in words.
    effective, chains
        Its effective sample size and the number of its chains.
    """
    if effective >= RELIABLE_FRACTION * chains:
        return None
    return (
        f"unreliable: the effective sample size of {what} is {effective:.1f} of {chains} chains, "
        f"below {RELIABLE_FRACTION:.0%}"
    )


def disagreement(forward: LogPartition, backward: LogPartition) -> str | None:
    """Say in words that two estimates lie more than `LARGEST_GAP` apart, or return None.

    A difference of log Z is the same difference of the log-likelihood of every bin.
    """
    gap = abs(backward.value - forward.value)
    if gap <= LARGEST_GAP:
        return None
    return (
        f"unreliable: the {forward.method} and {backward.method} estimates of log Z lie "
        f"{gap:.2f} nats per bin apart, more than {LARGEST_GAP:g}"
    )


def _prepared(
    model: RBM, rungs: int, visible_field: Tensor | None, device: torch.device | str | None
) -> tuple[RBM, Tensor | None]:
    """Check the options of both directions and move the model to the device."""
    whole_number_in("rungs", rungs, low=2)
    if visible_field is not None:
        has_shape("visible_field", visible_field, (len(model.visible),))
    if device is not None:
        model = model.to(torch.device(device))
    if visible_field is not None:
        visible_field = visible_field.to(model.weights.device)
    return model, visible_field


def annealed_importance(
    model: RBM,
    generator: Generator,
    *,
    chains: int = 1000,
    rungs: int = 1000,
    visible_field: Tensor | None = None,
    device: torch.device | str | None = None,
) -> LogPartition:
    """Estimate log Z by annealing chains from the independent model to the model.

    Parameters
    ----------
    model
        Any RBM whose layers can be sampled without weights.
    generator
        Moves on.
    chains
        Number of chains, at least 10.
    rungs
        Rungs of the ladder, both ends included, at least 2; beyond a few dozen their places are
        chosen by a short pilot run.
    visible_field
        Field of the visible units of the independent model, (visible,), best that of the data's
        rates; the model's own where None. From its own fields a model with several modes may only
        ever be annealed into one of them, which no effective sample size tells.
    device
        Where to compute; where the model is if None.

    Returns
    -------
    LogPartition
        Method "forward".

    Raises
    ------
    InputError
        If an option is out of range.
    """
    whole_number_in("chains", chains, low=10)
    model, visible_field = _prepared(model, rungs, visible_field, device)
    path = AnnealedPath(model.independent(visible_field), model)
    return annealed_along(path, generator, chains=chains, rungs=rungs)


def annealed_along(
    path: ModelPath, generator: Generator, *, chains: int = 1000, rungs: int = 1000
) -> LogPartition:
    """Estimate log Z at the end of any path; see `annealed_importance`."""
    whole_number_in("chains", chains, low=10)
    whole_number_in("rungs", rungs, low=2)
    ts = schedule_along(path, generator, rungs)
    _, gains = path.climb(path.start(chains, generator), ts, generator)
    log_weights = path.log_partition_start() + gains.sum(dim=0).cpu()
    return LogPartition(
        log_mean_exp(log_weights),
        bootstrap_log_mean(log_weights, generator),
        effective_sample_size(log_weights),
        log_weights,
        "forward",
    )


def annealed_importance_backward(
    model: RBM,
    samples: Tensor,
    generator: Generator,
    *,
    rungs: int = 1000,
    visible_field: Tensor | None = None,
    device: torch.device | str | None = None,
) -> LogPartition:
    """Estimate log Z by annealing samples of the model back to the independent model.

    Parameters
    ----------
    model
        The model that `samples` come from.
    samples
        (chain, visible) independent, well-mixed visible states, at least 10. From samples that are
        not, the estimate may lie on either side of log Z.
    generator
        Moves on.
    rungs, visible_field, device
        As in `annealed_importance`.

    Returns
    -------
    LogPartition
        Method "backward".

    Raises
    ------
    InputError
        If an option is out of range or the samples do not fit the model.
    """
    has_shape("samples", samples, (None, len(model.visible)))
    if len(samples) < 10:
        raise bad_input("samples", "hold at least 10 chains", len(samples))
    model, visible_field = _prepared(model, rungs, visible_field, device)
    path = AnnealedPath(model.independent(visible_field), model)
    return annealed_back_along(path, samples.to(model.weights.device), generator, rungs=rungs)


def annealed_back_along(
    path: ModelPath, samples: Tensor, generator: Generator, *, rungs: int = 1000
) -> LogPartition:
    """Estimate log Z at the end of any path from samples; see `annealed_importance_backward`."""
    ts = schedule_along(path, generator, rungs)
    _, gains = path.climb(samples, ts[::-1], generator)
    log_weights = gains.sum(dim=0).cpu() - path.log_partition_start()
    return LogPartition(
        -log_mean_exp(log_weights),
        bootstrap_log_mean(log_weights, generator),
        effective_sample_size(log_weights),
        log_weights,
        "backward",
    )
