"""Potentials of dReLU units, on or off or graded, each by quadrature over its own state."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logsumexp

Floats = NDArray[np.float64]

_NODES = 161
_STIFFNESS, _LEAST_STIFFNESS = 5.0, 25.0
"""Precision of the upper side: so many times the curvature that the members put there, and more."""
_PRECISIONS = (1.0, 1e6)
_KINKS = (-0.5, 0.0, 0.5, 1.0)
"""Where the kink of a graded unit may lie, in standard deviations."""
_REACH, _GRADED_NODES = 3.0, 1001
"""How far beyond the values a graded unit's law is looked at, so that none of it runs away."""
_EFFORT: Any = {"maxiter": 5000, "maxfun": 20_000}


class Potential(NamedTuple):
    """Parameters of one dReLU unit."""

    field_plus: float
    field_minus: float
    precision_plus: float
    precision_minus: float


def on_off_potential(off: Floats, weights: Floats, level: float, share: float) -> Potential:
    """Return the potential by which a unit peaks at -level and level, and is up in a given share.

    All other units are off. With S(h) = sum_i softplus(off_i + (h + level) w_i), the law of h is
    exp{S(h) - E(h)}: the fields put its peaks at the levels, the precision of the upper side keeps
    that peak narrow, and that of the lower side decides how often the unit is up. The kink lies at
    0, midway, as nearer to a level it would have to be far sharper.

    Parameters
    ----------
    off
        (member,) log-odds with the unit at -level.
    weights
        (member,).
    level
        Above 0.
    share
        Between 0 and 1.
    """

    def sums(h: Floats) -> Floats:
        total: Floats = np.logaddexp(0.0, off + np.multiply.outer(h + level, weights)).sum(axis=-1)
        return total

    def slope(h: float) -> tuple[float, float]:
        active = expit(off + (h + level) * weights)
        return float(weights @ active), float(weights**2 @ (active * (1 - active)))

    upper, bend = slope(level)
    lower, _ = slope(-level)
    precision_plus = _STIFFNESS * bend + _LEAST_STIFFNESS
    field_plus = precision_plus * level - upper
    sizes = np.linspace(0.0, 2.0 * level, _NODES)
    above = sums(sizes) + field_plus * sizes - 0.5 * precision_plus * sizes**2
    under = sums(-sizes)
    wanted = logsumexp(above) - np.log(share / (1 - share))

    def excess(log_precision: float) -> float:
        precision = np.exp(log_precision)
        field = precision * level + lower
        return float(logsumexp(under + field * sizes - 0.5 * precision * sizes**2) - wanted)

    ends = np.log(_PRECISIONS)
    if excess(ends[0]) >= 0 or excess(ends[1]) <= 0:
        log_precision = float(ends[0] if excess(ends[0]) >= 0 else ends[1])
    else:
        log_precision = float(brentq(excess, *ends))
    precision_minus = float(np.exp(log_precision))
    return Potential(field_plus, precision_minus * level + lower, precision_plus, precision_minus)


def graded_potential(base: Floats, weights: Floats, values: Floats) -> tuple[Potential, float]:
    """Return the likeliest potential of a unit that took given values, and where its kink lies.

    All other units are at their means. With S(h) = sum_i softplus(base_i + h w_i), the law of h is
    exp{S(h) - E(h)} / Z, an exponential family whose likelihood is concave. S bends as the
    activity of the members does, and two half parabolas may not follow it where hundreds of neurons
    follow the unit: the kink goes where the likelihood is largest.

    Parameters
    ----------
    base
        (member,) log-odds with the unit at value 0.
    weights
        (member,).
    values
        (bin,) of mean 0 and variance 1.

    Returns
    -------
    potential
        Of h less the kink.
    kink
        In units of the values.
    """
    reach = _REACH * float(np.abs(values).max())
    h = np.linspace(-reach, reach, _GRADED_NODES)
    total = np.logaddexp(0.0, base + np.multiply.outer(h, weights)).sum(axis=-1)
    tried = [(*_likeliest(h - kink, total, values - kink), kink) for kink in _KINKS]
    _, potential, kink = min(tried, key=lambda one: one[0])
    return potential, kink


def _likeliest(h: Floats, total: Floats, values: Floats) -> tuple[float, Potential]:
    """Return the mean loss of values, and the potential at which it is least."""
    of_grid, wanted = _statistics(h), _statistics(values).mean(axis=1)

    def loss(given: Floats) -> tuple[float, Floats]:
        # precisions by their logarithms, which keeps them above 0
        parameters = np.append(given[:2], np.exp(given[2:]))
        log_p = total + parameters @ of_grid
        log_z = float(logsumexp(log_p))
        slope = of_grid @ np.exp(log_p - log_z) - wanted
        slope[2:] *= parameters[2:]
        return log_z - float(parameters @ wanted), slope

    first = np.gradient(total, h)
    bend = np.gradient(first, h)
    at = int(np.abs(h).argmin())
    above, below = ((h > 0) & (h < values.max())), ((h < 0) & (h > values.min()))
    upper, lower = (float(bend[side].max(initial=0.0)) + 1.0 for side in (above, below))
    start = np.array([-first[at], first[at], np.log(upper), np.log(lower)])
    done = minimize(loss, start, jac=True, method="L-BFGS-B", options=_EFFORT)
    plus, minus, *logs = done.x.tolist()
    return float(done.fun), Potential(plus, minus, *np.exp(logs).tolist())


def _statistics(h: Floats) -> Floats:
    """Return what multiplies the four parameters, (parameter, value)."""
    up, down = np.maximum(h, 0.0), np.maximum(-h, 0.0)
    return np.stack([up, down, -0.5 * up**2, -0.5 * down**2])
