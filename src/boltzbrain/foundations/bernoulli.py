"""The log-likelihood of binary states, stated once for all who score them."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def bernoulli_log_likelihood(log_odds: Tensor, states: Tensor) -> Tensor:
    """Return log P(v) = v h - log(1 + exp(h)) of every state, in the shape of both together.

    Parameters
    ----------
    log_odds
        h, float32 or float64, in which it is computed.
    states
        v in {0, 1}, or its mean, of which the result is linear.

    Examples
    --------
    >>> import torch
    >>> bernoulli_log_likelihood(torch.tensor([0.0, 1e3, -1e3]), torch.tensor([1, 1, 1])).tolist()
    [-0.6931471824645996, 0.0, -1000.0]
    """
    return states * log_odds - softplus(log_odds, threshold=80.0)
