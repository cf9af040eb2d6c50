"""A unit's law by its definition alone: sums and adaptive quadrature of exp(-E(h) + I h)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.special import erfcx, ndtr

Function = Callable[[float], float]
Statistics = Callable[[float], dict[str, float]]


@dataclass(frozen=True)
class Law:
    """Moments of one unit: `size` is <|h|>; `statistics` maps to <T> and <|T|>."""

    log_partition: float
    mean: float
    variance: float
    size: float
    statistics: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Half:
    """exp(total h - precision h**2 / 2) on h >= 0, or on all h; u is the distance from its peak."""

    total: float
    precision: float
    whole_line: bool = False

    @property
    def peak(self) -> float:
        peak = self.total / self.precision
        return peak if self.whole_line else max(peak, 0.0)

    @property
    def slope(self) -> float:
        return 0.0 if self.whole_line else min(self.total, 0.0)

    def integrate(self, function: Function) -> float:
        """Return the integral of function(h), weighted relative to the weight at the peak."""
        slope, precision = self.slope, self.precision
        # the weight has fallen by exp(-60) at this distance
        reach = 120.0 / (-slope + math.sqrt(slope * slope + 120.0 * precision))
        low = -reach if self.whole_line else -min(reach, self.peak)

        def weighted(u: float) -> float:
            return function(self.peak + u) * math.exp((slope - 0.5 * precision * u) * u)

        # pieces, so that the quadrature cannot overlook the peak
        edges = np.concatenate([np.linspace(low, 0.0, 4), np.linspace(0.0, reach, 5)[1:]])
        return sum(
            float(quad(weighted, a, b, epsabs=0.0, epsrel=1e-11, limit=200)[0])
            for a, b in itertools.pairwise(edges)
            if a < b
        )

    @property
    def log_weight(self) -> float:
        return self.total * self.peak - 0.5 * self.precision * self.peak**2

    def survival(self, h: np.ndarray) -> np.ndarray:
        """Return the probability above h >= 0 in closed form, stable in both tails."""
        x = -self.total / math.sqrt(self.precision)
        z = h * math.sqrt(self.precision)
        if self.whole_line or x < 0:
            return ndtr(-(x + z)) / (1.0 if self.whole_line else ndtr(-x))
        root = math.sqrt(0.5)
        return np.exp(-x * z - 0.5 * z * z) * erfcx((x + z) * root) / erfcx(x * root)


def halves(kind: str, parameters: Mapping[str, float], input: float) -> list[tuple[int, Half]]:
    """Return the pieces of a real-valued kind with the sign of h on each."""
    p = parameters
    if kind == "gaussian":
        return [(1, Half(p["field"] + input, p["precision"], whole_line=True))]
    if kind == "relu":
        return [(1, Half(p["field"] + input, p["precision"]))]
    return [
        (1, Half(p["field_plus"] + input, p["precision_plus"])),
        (-1, Half(p["field_minus"] - input, p["precision_minus"])),
    ]


def statistics_of(kind: str) -> Statistics:
    """Return h -> the derivative of -E(h) by each parameter."""
    if kind in ("bernoulli", "ising"):
        return lambda h: {"field": h}
    if kind in ("gaussian", "relu"):
        return lambda h: {"field": h, "precision": -0.5 * h * h}
    return lambda h: {
        "field_plus": max(h, 0.0),
        "field_minus": max(-h, 0.0),
        "precision_plus": -0.5 * max(h, 0.0) ** 2,
        "precision_minus": -0.5 * max(-h, 0.0) ** 2,
    }


def law(kind: str, parameters: Mapping[str, float], input: float) -> Law:
    """Return the moments of a unit of any kind given its input."""
    statistics = statistics_of(kind)
    if kind in ("bernoulli", "ising"):
        states = (0.0, 1.0) if kind == "bernoulli" else (-1.0, 1.0)
        exponents = [(parameters["field"] + input) * state for state in states]
        top = max(exponents)
        norm = sum(math.exp(value - top) for value in exponents)
        shares = [math.exp(value - top) / norm for value in exponents]

        def expect(function: Function) -> float:
            return sum(share * function(h) for share, h in zip(shares, states, strict=True))
    else:
        pieces = halves(kind, parameters, input)
        top = max(half.log_weight for _, half in pieces)
        scales = [math.exp(half.log_weight - top) for _, half in pieces]

        def total(function: Function) -> float:
            return sum(
                scale * half.integrate(mirrored(function, sign))
                for scale, (sign, half) in zip(scales, pieces, strict=True)
            )

        norm = total(lambda _: 1.0)

        def expect(function: Function) -> float:
            return total(function) / norm

    mean = expect(lambda h: h)
    return Law(
        top + math.log(norm),
        mean,
        expect(lambda h: (h - mean) ** 2),
        expect(abs),
        {name: pair(statistics, name, expect) for name in statistics(0.0)},
    )


def mirrored(function: Function, sign: int) -> Function:
    return lambda size: function(sign * size)


def pair(
    statistics: Statistics, name: str, expect: Callable[[Function], float]
) -> tuple[float, float]:
    """Return <T> and <|T|> of one statistic."""
    return expect(lambda h: statistics(h)[name]), expect(lambda h: abs(statistics(h)[name]))


def distribution_function(
    kind: str, parameters: Mapping[str, float], input: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the exact distribution function of a real-valued unit given its input."""
    pieces = halves(kind, parameters, input)
    if len(pieces) == 1:
        return lambda h: 1.0 - pieces[0][1].survival(h)
    top = max(half.log_weight for _, half in pieces)
    weights = [
        math.exp(half.log_weight - top) * half.integrate(lambda _: 1.0) for _, half in pieces
    ]
    shares = [weight / sum(weights) for weight in weights]
    (_, plus), (_, minus) = pieces
    return lambda h: np.where(
        h > 0,
        1.0 - shares[0] * plus.survival(np.maximum(h, 0.0)),
        shares[1] * minus.survival(np.maximum(-h, 0.0)),
    )
