"""Many tests at once: false discoveries, and the smallest effect that would have been seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
"""Share of false discoveries among what is called tuned."""
POWER = 0.8

_FEW_BEYOND, _ENOUGH_DRAWS, _TAIL, _LEAST = 10, 200, 0.1, 1e-12

Floats = NDArray[np.float64]


def false_discoveries(p_values: Floats) -> Floats:
    """Return the q-value of each test (Benjamini and Hochberg, by SciPy)."""
    from scipy.stats import false_discovery_control

    if not len(p_values):
        return p_values
    return np.asarray(false_discovery_control(p_values), dtype=np.float64)


def tail_p_values(beyond: Floats, observed: Floats, null: NDArray[np.float32]) -> Floats:
    """Return p-values, those of few draws beyond them read off the tail of the null.

    A p-value of n draws is never below 1 / (n + 1), which no correction for many tests survives.
    Where fewer than ten draws are as large, the upper tenth of the null is taken for a generalised
    Pareto law with a tail no lighter than the exponential's, fitted by its moments (after
    Knijnenburg et al., Bioinformatics 25:i161, 2009). Larger p-values are those of the draws.

    Parameters
    ----------
    beyond
        (unit,) how many draws were as large or larger.
    observed
        (unit,) the statistic.
    null
        (unit, draw) the statistic under the null, NaN where it was not drawn.
    """
    drawn = np.isfinite(null).sum(axis=1)
    p_values: Floats = (1 + beyond) / (1 + drawn)
    for unit in np.flatnonzero((beyond < _FEW_BEYOND) & (drawn >= _ENOUGH_DRAWS)).tolist():
        row = null[unit][np.isfinite(null[unit])].astype(np.float64)
        edge = float(np.quantile(row, 1 - _TAIL))
        excess = row[row > edge] - edge
        mean = float(excess.mean()) if len(excess) else 0.0
        spread = float(excess.var()) if len(excess) else 0.0
        if not (mean > 0 and spread > 0 and observed[unit] > edge):
            continue
        shape = min((mean**2 / spread - 1) / 2, 0.0)
        ratio = (float(observed[unit]) - edge) / (mean * (1 + shape))
        tail = np.exp(-ratio) if shape > -1e-6 else (1 - shape * ratio) ** (1 / shape)
        p_values[unit] = min(p_values[unit], max(len(excess) / len(row) * float(tail), _LEAST))
    return p_values


def smallest_effects(null_mean: Floats, of: int, p_values: Floats, q_values: Floats) -> Floats:
    """Return the smallest share of variance that would have been seen in four of five recordings.

    The null tells how many independent samples a test has: k predictors explain by chance k / (n -
    1) of the variance of n samples. Of so many samples the F test of k predictors is taken, at the
    p-value that the q-value asks for: the largest that was called tuned, or 0.05 over the number
    of tests where none was.

    Parameters
    ----------
    null_mean
        (unit,) mean share of variance explained under the null.
    of
        Number of predictors k.
    p_values, q_values
        (unit,) of the tests.

    Returns
    -------
    NDArray
        (unit,), 1 where not even all of the variance would have been seen.
    """
    from scipy.stats import f as f_law
    from scipy.stats import ncf

    tuned = q_values <= LEVEL
    level = float(p_values[tuned].max()) if tuned.any() else LEVEL / max(len(p_values), 1)
    samples = 1.0 + of / np.maximum(null_mean, 1e-6)
    rest = np.maximum(samples - 1.0 - of, 1.0)
    critical = f_law.isf(level, of, rest)
    low, high = np.zeros(len(samples)), np.ones(len(samples)) - 1e-9
    for _ in range(40):
        middle = (low + high) / 2
        with np.errstate(all="ignore"):
            seen = ncf.sf(critical, of, rest, samples * middle / (1 - middle))
        # so far out that the law cannot be computed, it is seen
        enough = ~(seen < POWER)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.minimum(high, 1.0)
