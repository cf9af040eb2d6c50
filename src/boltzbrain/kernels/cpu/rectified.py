"""Log-partitions and draws of rectified units for the CPU; `model.layers.rectified` specifies them.

log Psi (see `foundations.numerics`) and the quantile of the normal law come from tables of values
and slopes every 1/64, joined by cubics. Their errors are below 1e-10 and 1e-9, far less than what
float32 holds; beyond the tables the tails have closed forms. Arithmetic is float64.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.numerics import FAR, half_normal, log_psi
from boltzbrain.kernels.compiling import compiled

PER_UNIT = 64
LOW, HIGH = -8.0, 16.0
"""Ends of the table of log Psi(x)."""
ROOT_LOW, ROOT_HIGH = 1.0, 11.5
"""Ends of the table of the quantile by s = sqrt(-2 log share); shares from 0.6 to 2e-29."""
_LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
_LOG_HALF, _ROOT_HALF = math.log(0.5), math.sqrt(0.5)
_DEPTH = 12
BLOCK = 256
"""Samples whose inputs stay in the cache while one unit after the other is summed."""


def _grid(low: float, high: float) -> Tensor:
    return torch.linspace(low, high, round((high - low) * PER_UNIT) + 1, dtype=torch.float64)


def _log_psi_table() -> NDArray[np.float64]:
    """Return (node, 2): log Psi, and its slope times the distance of two nodes."""
    law = half_normal(_grid(LOW, HIGH))
    return torch.stack((law.log_psi, -law.mean / PER_UNIT), dim=1).numpy()


def _quantile_table() -> NDArray[np.float64]:
    """Return (node, 2): the y with log Q(y) = -s**2 / 2, and its slope s / r(y) by s likewise."""
    s = _grid(ROOT_LOW, ROOT_HIGH)
    y = -torch.special.ndtri(torch.exp(-0.5 * s * s))
    slope = s * torch.exp(log_psi(y))
    return torch.stack((y, slope / PER_UNIT), dim=1).numpy()


TABLE, QUANTILES = _log_psi_table(), _quantile_table()


@njit(inline="always")
def _fraction(x):
    """Return 1/(x + 2/(x + ...)) for x of at least `FAR`."""
    tail = 0.0
    for number in range(_DEPTH + 1, 0, -1):
        tail = number / (x + tail)
    return tail


@njit(inline="always")
def _joined(table, place):
    """Return the cubic through the values and slopes of the two nodes around `place`."""
    if not 0.0 <= place < len(table) - 1:
        return math.nan  # a chain that diverged has inputs without a value
    node = int(place)
    t = place - node
    left, rise_left = table[node, 0], table[node, 1]
    jump, rise_right = table[node + 1, 0] - left, table[node + 1, 1]
    bend = 3.0 * jump - 2.0 * rise_left - rise_right
    twist = rise_left + rise_right - 2.0 * jump
    return left + t * (rise_left + t * (bend + t * twist))


@njit(inline="always")
def log_psi_at(x, table):
    """Return log Psi(x) from the table, or beyond it in closed form."""
    if x < LOW:
        return 0.5 * x * x + _LOG_ROOT_TWO_PI
    if x >= HIGH:
        return -math.log(x + _fraction(x))
    return _joined(table, (x - LOW) * PER_UNIT)


@njit(inline="always")
def _upper_quantile(log_share, quantiles):
    """Return the y above which a standard normal variable lies with probability exp(log_share)."""
    lower = log_share > _LOG_HALF
    if lower:
        log_share = math.log(-math.expm1(log_share))
    y = _joined(quantiles, (math.sqrt(-2.0 * log_share) - ROOT_LOW) * PER_UNIT)
    return -y if lower else y


@njit(inline="always")
def size_at(x, log_norm, uniform, quantiles):
    """Return the half-normal value above which a share `uniform` lies."""
    log_uniform = math.log(uniform)
    if x < FAR:
        log_share = log_uniform + log_norm - 0.5 * x * x - _LOG_ROOT_TWO_PI
        return max(_upper_quantile(min(log_share, log_uniform), quantiles) - x, 0.0)
    inverse = x + _fraction(x)
    z = -2.0 * log_uniform / (x + math.sqrt(x * x - 2.0 * log_uniform))
    for _ in range(2):
        beyond = x + z
        inverse_beyond = beyond + _fraction(beyond)
        excess = -log_uniform - z * (x + 0.5 * z) - math.log(inverse_beyond / inverse)
        z += excess / inverse_beyond
    return z


@njit(inline="always")
def draw_unit(
    value, unit, fields, roots, log_roots, two_sided, side, size, table, quantiles
):  # fmt: skip
    """Draw a unit given its input and a random word for its side and for its size."""
    scale = 2.0**-32
    sign, root = 1.0, roots[0, unit]
    x = -(value + fields[0, unit]) / root
    log_norm = log_psi_at(x, table)
    if two_sided:
        other_root = roots[1, unit]
        other_x = (value - fields[1, unit]) / other_root
        other_norm = log_psi_at(other_x, table)
        log_odds = log_norm - other_norm - log_roots[0, unit] + log_roots[1, unit]
        uniform = (np.float64(side) + 0.5) * scale
        if uniform * (1.0 + math.exp(min(-log_odds, 700.0))) >= 1.0:
            sign, root, x, log_norm = -1.0, other_root, other_x, other_norm
    uniform = (np.float64(size) + 0.5) * scale
    return sign * size_at(x, log_norm, uniform, quantiles) / root


@njit(inline="always")
def partition_unit(value, unit, fields, roots, log_roots, two_sided, table):
    """Return the log-partition of a unit given its input."""
    x = -(value + fields[0, unit]) / roots[0, unit]
    total = log_psi_at(x, table) - log_roots[0, unit]
    if two_sided:
        x = (value - fields[1, unit]) / roots[1, unit]
        other = log_psi_at(x, table) - log_roots[1, unit]
        total = max(total, other) + math.log1p(math.exp(-abs(total - other)))
    return total


@njit(inline="always")
def _half_moments(x):
    """Return log Psi(x), and the mean of z, z**2, z**3 and z**4 of the half-normal law.

    Below `FAR` by the recurrence of the moments from the mean; above, where it cancels, by the
    continued fraction for the ratio of a moment to the one before.
    """
    if x < FAR:
        tail = 0.5 * math.erfc(x * _ROOT_HALF)
        half_square = 0.5 * x * x
        one = math.exp(-half_square - _LOG_ROOT_TWO_PI) / tail - x
        two = 1.0 - x * one
        three = 2.0 * one - x * two
        log_norm = math.log(tail) + half_square + _LOG_ROOT_TWO_PI
        return log_norm, (one, two, three, 3.0 * two - x * three)
    ratio = 0.0
    for number in range(_DEPTH + 4, 4, -1):
        ratio = number / (x + ratio)
    four = 4.0 / (x + ratio)
    three = 3.0 / (x + four)
    two = 2.0 / (x + three)
    one = 1.0 / (x + two)
    log_norm = -math.log(x + one)
    two *= one
    three *= two
    return log_norm, (one, two, three, four * three)


@njit(inline="always")
def _scaled(moments, share_of, scale):
    """Return the moments of h from those in units of its width, times the half's probability."""
    first = share_of * scale
    second = first * scale
    third = second * scale
    return first * moments[0], second * moments[1], third * moments[2], third * scale * moments[3]


@compiled
def respond_each(
    inputs, fields, roots, log_roots, two_sided, deep, first, count, mean, by_input, averages
):  # fmt: skip
    """Find means, derivatives and averages of the units from `first` on; see `respond_rectified`.

    `averages`, (14, unit), are 0 before.
    """
    samples = inputs.shape[0]
    for begin in range(0, samples, BLOCK):
        end = min(begin + BLOCK, samples)
        for unit in range(first, first + count):
            total = averages[:, unit]
            for row in range(begin, end):
                value = np.float64(inputs[row, unit])
                scale, share_of = 1.0 / roots[0, unit], 1.0
                norm, plus = _half_moments(-(value + fields[0, unit]) * scale)
                q1, q2, q3, q4 = 0.0, 0.0, 0.0, 0.0
                if two_sided:
                    other = 1.0 / roots[1, unit]
                    other_norm, minus = _half_moments((value - fields[1, unit]) * other)
                    log_odds = norm - other_norm - log_roots[0, unit] + log_roots[1, unit]
                    share_of = 1.0 / (1.0 + math.exp(min(-log_odds, 700.0)))
                    rest = 1.0 / (1.0 + math.exp(min(log_odds, 700.0)))
                    q1, q2, q3, q4 = _scaled(minus, rest, other)
                p1, p2, p3, p4 = _scaled(plus, share_of, scale)
                one, two = p1 - q1, p2 + q2
                mean[row, unit] = one
                total[0] += p1
                total[1] += p2
                total[2] += q1
                total[3] += q2
                if deep:
                    # covariances of h, and of both halves and their squares, with h and h**2
                    slope, tilt = two - one * one, p3 - q3 - one * two
                    by_input[0, row, unit], by_input[1, row, unit] = slope, tilt
                    total[4] += value * slope
                    total[5] += value * tilt
                    total[6] += p2 - p1 * one
                    total[7] += p3 - p1 * two
                    total[8] += p3 - p2 * one
                    total[9] += p4 - p2 * two
                    total[10] -= q2 + q1 * one
                    total[11] += q3 - q1 * two
                    total[12] -= q3 + q2 * one
                    total[13] += q4 - q2 * two
    averages[:, first : first + count] /= samples


def rows_worth(inputs: Tensor) -> int:
    """Return how many rows are worth a thread."""
    return 1 + 2000 // max(1, inputs.shape[1])
