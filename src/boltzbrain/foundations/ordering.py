"""An order of units in which those of like activity stand together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage

from boltzbrain.foundations.checks import has_shape


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
