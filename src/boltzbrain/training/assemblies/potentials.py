"""Potentials of dReLU units that are on or off, each by quadrature over its own state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

Floats = NDArray[np.float64]

_NODES = 161
_STIFFNESS, _LEAST_STIFFNESS = 5.0, 25.0
"""Precision of the upper side: so many times the curvature that the members put there, and more."""
_PRECISIONS = (1.0, 1e6)


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
