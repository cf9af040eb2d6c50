"""Means and covariances of rectified units given their inputs, eight units at a time.

The moments of `kernels.cpu.rectified.respond_each`, of float32 inputs. There the mean z of the
half-normal law is a difference of large numbers in its tail; here log Psi and its derivative -z
come from Taylor polynomials about nodes every 1/32, right to some 1e-15 of max(1, |log Psi|) and of
z. By z' = z (z + x) - 1 the coefficients about a node follow from the z there alone.
"""

# numba infers the types of the loops, so they carry none.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated, assignment"

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.foundations.numerics import FAR, half_normal
from boltzbrain.kernels.compiling import compiled
from boltzbrain.kernels.cpu.doubles.rectified import law_of
from boltzbrain.kernels.cpu.doubles.vectors import (
    LANES,
    all_of,
    below,
    bits_of_marks,
    both,
    exp_of,
    floor_of,
    four_from,
    fused_eight,
    load_eight,
    log_of,
    pick,
    put_eight,
    size_of,
    store_rounded,
    whole_bits,
)
from boltzbrain.kernels.cpu.rectified import BLOCK, respond_each
from boltzbrain.kernels.cpu.threads import share

_PER_UNIT, _COEFFICIENTS = 32, 8
_TOP = math.nextafter(FAR, math.inf)
_HALF_LOG = 0.5 * math.log(2.0 * math.pi)
_FRACTIONS, _SURE = 400, 1.0
"""Depth of the continued fraction that gives z at nodes from `_SURE` on, where it has converged."""


def _taylor() -> NDArray[np.float64]:
    """Return (node, coefficient) of log Psi about the nodes from -FAR to FAR."""
    count = round(2 * FAR * _PER_UNIT) + 1
    x = torch.linspace(-FAR, FAR, count, dtype=torch.float64)
    law = half_normal(x)
    at, tail = x.clamp(min=_SURE), torch.zeros_like(x)
    for number in range(_FRACTIONS, 0, -1):
        tail = number / (at + tail)
    means = [torch.where(x < _SURE, law.mean, tail)]
    for order in range(_COEFFICIENTS - 2):
        square = sum(means[k] * means[order - k] for k in range(order + 1))
        before = means[order - 1] if order else torch.tensor(-1.0, dtype=torch.float64)
        means.append((square + x * means[order] + before) / (order + 1))
    rest = [-mean / (order + 1) for order, mean in enumerate(means)]
    return torch.stack([law.log_psi, *rest], dim=1).numpy()


TAYLOR = _taylor()


@njit(inline="always")
def _near(x, taylor):
    """Return log Psi(x) and the mean of the half-normal law up to `FAR`; beyond it anything."""
    # what is no number is below nothing, and above nothing
    above = below(all_of(-FAR), x)
    inside = pick(both(above, below(x, all_of(_TOP))), x, all_of(0.0))
    place = (inside + FAR) * float(_PER_UNIT)
    node = floor_of(place + 0.5)
    t = (place - node) * (1.0 / _PER_UNIT)
    at = whole_bits(node * float(_COEFFICIENTS))
    c0, c1, c2, c3 = four_from(taylor, at)
    c4, c5, c6, c7 = four_from(taylor, at + np.uint64(4))
    log_norm = fused_eight(t, c7, c6)
    log_norm = fused_eight(t, log_norm, c5)
    log_norm = fused_eight(t, log_norm, c4)
    log_norm = fused_eight(t, log_norm, c3)
    log_norm = fused_eight(t, log_norm, c2)
    log_norm = fused_eight(t, log_norm, c1)
    log_norm = fused_eight(t, log_norm, c0)
    slope = fused_eight(t, c7 * 7.0, c6 * 6.0)
    slope = fused_eight(t, slope, c5 * 5.0)
    slope = fused_eight(t, slope, c4 * 4.0)
    slope = fused_eight(t, slope, c3 * 3.0)
    slope = fused_eight(t, slope, c2 * 2.0)
    slope = fused_eight(t, slope, c1)
    closed = fused_eight(x * 0.5, x, all_of(_HALF_LOG))
    return pick(above, log_norm, closed), all_of(0.0) - pick(above, slope, x)


@njit(inline="always")
def _half_moments(x, taylor):
    """Return log Psi(x), and the mean of z, z**2, z**3 and z**4 of the half-normal law."""
    log_norm, one = _near(x, taylor)
    two = all_of(1.0) - x * one
    three = one * 2.0 - x * two
    four = two * 3.0 - x * three
    far = below(all_of(FAR), x)
    if bits_of_marks(far) != np.uint64(0):
        at, ratio = pick(far, x, all_of(FAR)), all_of(0.0)
        for number in range(16, 4, -1):
            ratio = all_of(float(number)) / (at + ratio)
        of_four = all_of(4.0) / (at + ratio)
        of_three = all_of(3.0) / (at + of_four)
        of_two = all_of(2.0) / (at + of_three)
        far_one = all_of(1.0) / (at + of_two)
        log_norm = pick(far, all_of(0.0) - log_of(at + far_one), log_norm)
        one, of_two = pick(far, far_one, one), of_two * far_one
        two, of_three = pick(far, of_two, two), of_three * of_two
        three, four = pick(far, of_three, three), pick(far, of_four * of_three, four)
    return log_norm, one, two, three, four


@njit(inline="always")
def _add(totals, place, value):
    """Add eight numbers to those that lie from `place` on."""
    at = np.uint64(place)
    put_eight(totals, at, load_eight(totals, at) + value)


@compiled
def _respond_eights(
    inputs, columns, law, deep, taylor, samples, first, count, mean, by_input, totals
):  # fmt: skip
    """Find the moments of `count` groups of eight units from group `first` on; flat float32.

    `law` is that of `law_of`; `totals`, (14, columns) flat, are added to in the order of
    the samples.
    """
    fields, roots, log_roots, two_sided, _ = law
    nothing = all_of(0.0)
    for begin in range(0, samples, BLOCK):
        for unit in range(LANES * first, LANES * (first + count), LANES):
            here = np.uint64(unit)
            there = here + np.uint64(columns) if two_sided else here
            field, other_field = load_eight(fields, here), load_eight(fields, there)
            scale = all_of(1.0) / load_eight(roots, here)
            other = all_of(1.0) / load_eight(roots, there)
            odds = load_eight(log_roots, there) - load_eight(log_roots, here)
            for row in range(begin, min(begin + BLOCK, samples)):
                at = np.uint64(row * columns + unit)
                value = load_eight(inputs, at)
                norm, z1, z2, z3, z4 = _half_moments(nothing - (value + field) * scale, taylor)
                width = scale * scale
                p1, p2 = z1 * scale, z2 * width
                p3, p4 = z3 * (width * scale), z4 * (width * width)
                q1, q2, q3, q4 = nothing, nothing, nothing, nothing
                if two_sided:
                    other_norm, z1, z2, z3, z4 = _half_moments(
                        (value - other_field) * other, taylor
                    )
                    log_odds = norm - other_norm + odds
                    size = size_of(log_odds)
                    size = pick(below(size, all_of(700.0)), size, all_of(700.0))
                    ratio = exp_of(nothing - size)
                    large = all_of(1.0) / (ratio + 1.0)
                    small = ratio * large
                    likely = below(nothing, log_odds)
                    share_of, rest = pick(likely, large, small), pick(likely, small, large)
                    width = other * other
                    q1, q2 = z1 * other * rest, z2 * width * rest
                    q3, q4 = z3 * (width * other) * rest, z4 * (width * width) * rest
                    p1, p2, p3, p4 = p1 * share_of, p2 * share_of, p3 * share_of, p4 * share_of
                one, two = p1 - q1, p2 + q2
                store_rounded(mean, at, one, nothing)
                _add(totals, unit, p1)
                _add(totals, columns + unit, p2)
                _add(totals, 2 * columns + unit, q1)
                _add(totals, 3 * columns + unit, q2)
                if deep:
                    # covariances of h, and of both halves and their squares, with h and h**2
                    slope, tilt = two - one * one, p3 - q3 - one * two
                    store_rounded(by_input, at, slope, nothing)
                    store_rounded(by_input, at + np.uint64(samples * columns), tilt, nothing)
                    _add(totals, 4 * columns + unit, value * slope)
                    _add(totals, 5 * columns + unit, value * tilt)
                    _add(totals, 6 * columns + unit, p2 - p1 * one)
                    _add(totals, 7 * columns + unit, p3 - p1 * two)
                    _add(totals, 8 * columns + unit, p3 - p2 * one)
                    _add(totals, 9 * columns + unit, p4 - p2 * two)
                    _add(totals, 10 * columns + unit, nothing - (q2 + q1 * one))
                    _add(totals, 11 * columns + unit, q3 - q1 * two)
                    _add(totals, 12 * columns + unit, nothing - (q3 + q2 * one))
                    _add(totals, 13 * columns + unit, q4 - q2 * two)


class Response(NamedTuple):
    """How rectified units answer inputs.

    Attributes
    ----------
    mean
        <h> given each input, (sample, unit), in the type of the inputs.
    by_input
        Derivatives of <h> and <h**2> by the input, (2, sample, unit), likewise. They and the
        covariances are differences of raw moments in float64: their error is some 1e-15 of these.
    moments
        (half, 2, unit) float64: averages over the samples of <h_plus> and <h_plus**2>, then of
        h_minus; the second half is 0 for a ReLU.
    by_scale
        (2, unit) float64: averages of the input times `by_input`.
    covariances
        (half, power, 2, unit) float64: averages of the covariances of h_plus and h_plus**2, then of
        h_minus, with h and h**2.
    """

    mean: Tensor
    by_input: Tensor
    moments: Tensor
    by_scale: Tensor
    covariances: Tensor


def respond_rectified(inputs: Tensor, fields: Tensor, roots: Tensor, *, deep: bool) -> Response:
    """Return how ReLU or dReLU units answer inputs.

    Parameters
    ----------
    inputs
        (sample, unit), at least one sample.
    fields, roots
        Parameters of the units.
    deep
        Whether derivatives are wanted; without them `by_input` has no samples, and `by_scale` and
        `covariances` are 0.
    """
    samples, units = inputs.shape
    mean = torch.empty(inputs.shape, dtype=inputs.dtype)
    by_input = torch.empty((2, samples if deep else 0, units), dtype=inputs.dtype)
    averages = torch.zeros((14, units), dtype=torch.float64)
    given = inputs.detach().contiguous().numpy()
    law = law_of(fields, roots)
    found = mean.numpy(), by_input.numpy(), averages.numpy()
    groups = units // LANES if inputs.dtype == torch.float32 else 0
    whole = LANES * groups
    if groups:
        lines = given.reshape(-1), units, law, deep, TAYLOR, samples
        flat = tuple(part.reshape(-1) for part in found)

        def task(first: int, count: int) -> None:
            _respond_eights(*lines, first, count, *flat)

        # units are shared out, not samples, so that sums do not depend on the number of threads
        share(task, groups, least=1 + 2500 // max(1, samples), most=groups)
        averages[:, :whole] /= samples

    def rest(first: int, count: int) -> None:
        respond_each(given, *law[:4], deep, whole + first, count, *found)

    if whole < units:
        share(rest, units - whole, least=1 + 2000 // max(1, samples), most=units + 1)
    return Response(
        mean,
        by_input,
        averages[:4].reshape(2, 2, units),
        averages[4:6],
        averages[6:].reshape(2, 2, 2, units),
    )
