"""What is said of many units at once: how many of them take part, and which stand together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

from boltzbrain.foundations.checks import has_shape


def participation_ratio(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Return (sum x**2)**2 / sum x**4, the effective number of entries that are not 0, from 1 to n.

    0 where all entries are 0. Van der Plas et al. 2023, eq. 19, with no further factor.

    Examples
    --------
    >>> participation_ratio(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])).tolist()
    [2.0, 1.0, 0.0]
    """
    # the scale is taken out first: fourth powers of small weights would vanish
    top = np.abs(values).max(axis=axis, keepdims=True)
    scaled = values / np.where(top > 0, top, 1.0)
    squares = np.square(scaled)
    fourth = np.square(squares).sum(axis=axis)
    result: NDArray[np.float64] = np.square(squares.sum(axis=axis)) / np.where(
        fourth > 0, fourth, 1.0
    )
    return result


def order_by_activity(activity: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the units in the order of Ward's clustering of their correlations over time.

    Van der Plas et al. 2023, 'Sorting of HUs'.

    Parameters
    ----------
    activity
        (bin, unit); units that never vary come last.
    """
    has_shape("activity", activity, (None, None))
    # not the standard deviation, which rounding lifts off 0 where all values are one
    varying = np.flatnonzero(np.ptp(activity, axis=0) > 0) if len(activity) else np.arange(0)
    still = np.setdiff1d(np.arange(activity.shape[1]), varying)
    if len(varying) < 3:
        return np.concatenate((varying, still))
    correlation = np.asarray(np.corrcoef(activity[:, varying].astype(np.float64), rowvar=False))
    leaves = leaves_list(linkage(correlation, method="ward"))
    return np.concatenate((varying[leaves], still)).astype(np.int64)
