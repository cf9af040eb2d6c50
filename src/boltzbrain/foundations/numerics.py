"""Stable functions: the log-likelihood of binary states, and the normal law cut off at zero.

With Psi(x) = integral over z >= 0 of exp(-z**2 / 2 - x z) dz = sqrt(pi / 2) erfcx(x / sqrt 2), the
density exp(-z**2 / 2 - x z) / Psi(x) on z >= 0 is that of a normal variable of mean -x and variance
1 given that it is positive. Its cumulants are the derivatives of log Psi at x with alternating sign
(Tubiana, Cocco and Monasson, eLife 8:e39397, 2019, use the same function for dReLU units).

All of these work in float64, whatever they are given: in float32 x**2 / 2 and 1 / Psi(x) - x lose
their digits long before the values of interest are reached, and the special functions of float32
are no faster. The caller rounds the answer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

FAR = 8.0
"""From here on the continued fraction replaces differences that cancel."""

_DEPTH = 12
_LOG_HALF_PI = 0.5 * math.log(0.5 * math.pi)
_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


def log_psi(x: Tensor) -> Tensor:
    """Return log Psi(x), float64, for any finite x.

    Psi(x) = sqrt(pi / 2) erfcx(x / sqrt 2) for x >= 0, and for x < 0 by reflection
    Psi(x) = sqrt(2 pi) exp(x**2 / 2) - Psi(-x), so that nothing overflows. The relative error is a
    few units in the last place of max(1, |log Psi|).

    Examples
    --------
    >>> [round(value, 4) for value in log_psi(torch.tensor([0.0, 1e6, -1e6])).tolist()]
    [0.2258, -13.8155, 500000000000.9189]
    """
    x = x.to(torch.float64)
    negative = x < 0
    # not abs(): its derivative at 0 is 0
    size = torch.where(negative, -x, x)
    scaled = torch.special.erfcx(size * _ROOT_HALF)
    half_square = 0.5 * size * size
    reflected = half_square + _LOG_TWO_PI + torch.log1p(-0.5 * torch.exp(-half_square) * scaled)
    return torch.where(negative, reflected, torch.log(scaled) + _LOG_HALF_PI)


class HalfNormal(NamedTuple):
    """log Psi(x), mean and variance of the normal variable of mean -x and variance 1 cut at 0."""

    log_psi: Tensor
    mean: Tensor
    variance: Tensor


def half_normal(x: Tensor) -> HalfNormal:
    """Return log Psi, the mean -d log Psi / dx and the variance d**2 log Psi / dx**2, float64.

    Below `FAR` the mean is r - x and the variance 1 - (r - x) r with r = 1 / Psi(x). Above, both
    would cancel, and Laplace's continued fraction r = x + 1/(x + 2/(x + 3/(x + ...))) gives them
    without a difference of large numbers: with q = 2/(x + 3/(x + ...)) the mean is m = 1 / (x + q)
    and the variance m (q - m). The relative error of both is below 1e-11 everywhere.

    Examples
    --------
    >>> _, mean, variance = half_normal(torch.tensor([1e6]))
    >>> round(mean.item() * 1e6, 9), round(variance.item() * 1e12, 9)
    (1.0, 1.0)
    """
    x = x.to(torch.float64)
    log_norm = log_psi(x)
    inverse = torch.exp(-log_norm)
    near_mean = inverse - x
    far = x.clamp(min=FAR)
    fraction = _fraction(far, 2)
    far_mean = 1.0 / (far + fraction)
    is_far = x > FAR
    return HalfNormal(
        log_norm,
        torch.where(is_far, far_mean, near_mean),
        torch.where(is_far, far_mean * (fraction - far_mean), 1.0 - near_mean * inverse),
    )


def half_normal_quantile(x: Tensor, survival: Tensor) -> Tensor:
    """Return the z >= 0 above which a share `survival` of the half-normal law lies, float64.

    It solves Q(x + z) = survival * Q(x) with Q the upper tail of the standard normal law: by the
    inverse of Q below `FAR`; above, where Q(x) has no digits left and z is nearly exponential of
    rate x, by two Newton steps on log Q from the root of z**2 / 2 + x z = -log(survival). The error
    is below 1e-8 of the value for survival up to 1 - 1e-6.

    Parameters
    ----------
    x
        Minus the mean of the uncut normal variable, in units of its standard deviation.
    survival
        In the open interval (0, 1), same shape; a uniform draw makes z a sample.
    """
    x, survival = x.to(torch.float64), survival.to(torch.float64)
    above = 0.5 * torch.erfc(x.clamp(max=FAR) * _ROOT_HALF)
    result: Tensor = (-torch.special.ndtri(survival * above) - x).clamp(min=0.0)
    is_far = x > FAR
    # a GPU is not asked, since the answer would have to be waited for
    if x.device.type == "cpu" and not bool(is_far.any()):
        return result
    return torch.where(is_far, _far_quantile(x.clamp(min=FAR), -torch.log(survival)), result)


def _far_quantile(x: Tensor, exponent: Tensor) -> Tensor:
    inverse = x + _fraction(x, 1)
    z: Tensor = 2.0 * exponent / (x + torch.sqrt(x * x + 2.0 * exponent))
    for _ in range(2):
        beyond = x + z
        inverse_beyond = beyond + _fraction(beyond, 1)
        excess = exponent - z * (x + 0.5 * z) - torch.log(inverse_beyond / inverse)
        z = z + excess / inverse_beyond
    return z


def _fraction(x: Tensor, first: int) -> Tensor:
    """Return first/(x + (first + 1)/(x + ...)) for x of at least `FAR`."""
    tail = torch.zeros_like(x)
    for number in range(first + _DEPTH, first - 1, -1):
        tail = number / (x + tail)
    return tail


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
