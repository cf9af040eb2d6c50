"""Triton functions that draw units from their total inputs, for use inside kernels.

A draw takes the words that `foundations.random` names: a tile whose first column is a multiple of
four computes each Philox block once and deals its four words to four neighbouring columns. Binary
units are drawn in float32, the rare outcome against its own probability as in `kernels.cpu.draws`;
real-valued units in float64 with the tables and formulas of `kernels.cpu.rectified`. The module
needs Triton, and an NVIDIA GPU or ``TRITON_INTERPRET=1``.
"""

# Triton infers the types inside its functions, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, untyped-decorator"

from __future__ import annotations

import math

import triton
import triton.language as tl

from boltzbrain.foundations.numerics import FAR
from boltzbrain.kernels.cpu import rectified

_PER_UNIT = tl.constexpr(float(rectified.PER_UNIT))
_LOW, _HIGH = tl.constexpr(rectified.LOW), tl.constexpr(rectified.HIGH)
_ROOT_LOW = tl.constexpr(rectified.ROOT_LOW)
_NODES, _QUANTILE_NODES = (
    tl.constexpr(len(rectified.TABLE)),
    tl.constexpr(len(rectified.QUANTILES)),
)
_DEPTH = tl.constexpr(rectified._DEPTH)
_FAR = tl.constexpr(FAR)
_LOG_ROOT_TWO_PI = tl.constexpr(0.5 * math.log(2.0 * math.pi))
_LOG_HALF = tl.constexpr(math.log(0.5))
_LOG2_E = tl.constexpr(math.log2(math.e))


@triton.jit
def draw_words(row, block, key, draw):
    """Return the words of one draw, uint32 (row, 4 x block).

    `row` (row, 1) and `block` (1, block) are uint32 counters; `key` and `draw` are uint64 scalars.
    """
    zero = row * 0 + block * 0
    low, high = (draw & 0xFFFFFFFF).to(tl.uint32), (draw >> 32).to(tl.uint32)
    w0, w1, w2, w3 = tl.philox(key, zero + block, zero + row, zero + low, zero + high)
    return tl.interleave(tl.interleave(w0, w2), tl.interleave(w1, w3))


@triton.jit
def _exp_of(value):
    """Return exp of float32 values from 0 to 64 to a few units in the last place."""
    whole = tl.floor(value * _LOG2_E + 0.5)
    fraction = tl.fma(value, tl.full(value.shape, _LOG2_E, tl.float32), -whole)
    scale = ((whole.to(tl.int32) + 127) << 23).to(tl.float32, bitcast=True)
    return tl.exp2(fraction) * scale


@triton.jit
def draw_binary(total, words):
    """Return where a unit of total input `total`, float32, is 1; see `kernels.cpu.draws`."""
    negative = total < 0.0
    rare = tl.where(negative, words, words ^ 0xFFFFFFFF).to(tl.float32) + 0.5
    size = _exp_of(tl.minimum(tl.abs(total), 64.0))
    return (tl.fma(rare, size, rare) < 4294967296.0) == negative


@triton.jit
def _uniform(words):
    """Return (word + 1/2) / 2**32, float64."""
    return (words.to(tl.float64) + 0.5) * (1.0 / 4294967296.0)


@triton.jit
def _fraction(x):
    """Return 1/(x + 2/(x + ...)) for x of at least `FAR`."""
    tail = tl.zeros_like(x)
    for back in tl.static_range(_DEPTH + 1):
        tail = (_DEPTH + 1 - back) / (x + tail)
    return tail


@triton.jit
def _joined(table, place, nodes: tl.constexpr):
    """Return the cubic through the values and slopes of the two nodes around `place`."""
    inside = (place >= 0.0) & (place < nodes - 1)
    node = tl.where(inside, place, 0.0).to(tl.int32)
    t = place - node.to(tl.float64)
    left, rise_left = tl.load(table + 2 * node), tl.load(table + 2 * node + 1)
    right, rise_right = tl.load(table + 2 * node + 2), tl.load(table + 2 * node + 3)
    jump = right - left
    bend = 3.0 * jump - 2.0 * rise_left - rise_right
    twist = rise_left + rise_right - 2.0 * jump
    return tl.where(inside, left + t * (rise_left + t * (bend + t * twist)), float("nan"))


@triton.jit
def _log_psi(x, table):
    near = tl.minimum(tl.maximum(x, _LOW), _HIGH - 1.0 / _PER_UNIT)
    middle = _joined(table, (near - _LOW) * _PER_UNIT, _NODES)
    far = tl.maximum(x, _HIGH)
    high = -tl.log(far + _fraction(far))
    low = tl.minimum(x, _LOW)
    return tl.where(
        x < _LOW, 0.5 * low * low + _LOG_ROOT_TWO_PI, tl.where(x >= _HIGH, high, middle)
    )


@triton.jit
def _log_complement(log_share):
    """Return log(1 - exp(log_share)) for a negative number, near 0 too."""
    share = tl.exp(log_share)
    below = share < 1.0
    # the rounding of exp and of the logarithm of its result cancel (Kahan's expm1)
    ratio = log_share / tl.where(below, tl.log(tl.where(below, share, 0.5)), log_share)
    return tl.log(tl.where(below, (1.0 - share) * ratio, -log_share))


@triton.jit
def _upper_quantile(log_share, quantiles):
    """Return the y above which a standard normal variable lies with probability exp(log_share)."""
    lower = log_share > _LOG_HALF
    log_share = tl.where(lower, _log_complement(log_share), log_share)
    place = (tl.sqrt(-2.0 * log_share) - _ROOT_LOW) * _PER_UNIT
    y = _joined(quantiles, place, _QUANTILE_NODES)
    return tl.where(lower, -y, y)


@triton.jit
def _size(x, log_norm, log_uniform, quantiles):
    """Return the half-normal value above which a share exp(log_uniform) lies."""
    is_far = x >= _FAR
    near = tl.minimum(x, _FAR)
    # log Q(x), which is 0 to rounding below the table
    log_tail = tl.where(x < _LOW, 0.0, log_norm - 0.5 * near * near - _LOG_ROOT_TWO_PI)
    log_share = tl.minimum(log_uniform + tl.where(is_far, 0.0, log_tail), log_uniform)
    near_size = tl.maximum(_upper_quantile(log_share, quantiles) - near, 0.0)
    far = tl.maximum(x, _FAR)
    inverse = far + _fraction(far)
    z = -2.0 * log_uniform / (far + tl.sqrt(far * far - 2.0 * log_uniform))
    for _ in tl.static_range(2):
        beyond = far + z
        inverse_beyond = beyond + _fraction(beyond)
        excess = -log_uniform - z * (far + 0.5 * z) - tl.log(inverse_beyond / inverse)
        z += excess / inverse_beyond
    # a chain that diverged has inputs without a value
    return tl.where(x == x, tl.where(is_far, z, near_size), x)


@triton.jit
def draw_gaussian(total, root, words, quantiles):
    """Return a normal variable of mean total / root**2 and deviation 1 / root, float64."""
    noise = -_upper_quantile(tl.log(_uniform(words)), quantiles)
    return (total / root + noise) / root


@triton.jit
def draw_half(total, root, words, table, quantiles):
    """Draw a ReLU unit of total input `total` and precision root**2, float64."""
    x = -total / root
    return _size(x, _log_psi(x, table), tl.log(_uniform(words)), quantiles) / root


@triton.jit
def draw_two_sided(inputs, plus, minus, root_plus, root_minus, sides, sizes, table, quantiles):
    """Draw a dReLU unit: a half by the words `sides`, then a size on it, float64."""
    x_plus, x_minus = -(inputs + plus) / root_plus, (inputs - minus) / root_minus
    norm_plus, norm_minus = _log_psi(x_plus, table), _log_psi(x_minus, table)
    log_odds = norm_plus - norm_minus - tl.log(root_plus) + tl.log(root_minus)
    negative = _uniform(sides) * (1.0 + tl.exp(tl.minimum(-log_odds, 700.0))) >= 1.0
    x, norm = tl.where(negative, x_minus, x_plus), tl.where(negative, norm_minus, norm_plus)
    root = tl.where(negative, root_minus, root_plus)
    size = _size(x, norm, tl.log(_uniform(sizes)), quantiles) / root
    return tl.where(negative, -size, size)
