"""How many entries of a vector take part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
