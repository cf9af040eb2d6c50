"""Assemblies that lie within others: on only while these are, with members among theirs.

Shared members couple such a pair by tens of nats, which forbids the inner one without the outer, as
the data do. So this coupling is left as it is, and each of the two is compared where the other does
not blur it: the inner one while the outer is on, the outer one while the inner is off.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Marks = NDArray[np.bool_]

_INSIDE = 0.9
"""Share of the on-bins of the inner one in which the outer one is on, at least."""
_SHARED = 0.5
"""Share of its members that are the outer one's, at least; by chance it is the outer one's share of
the neurons."""


def nested(on: Marks, members: Marks) -> Marks:
    """Return which units lie within which others, (inner, outer) bool.

    Parameters
    ----------
    on
        (bin, unit) on-bins.
    members
        (neuron, unit).
    """
    bins, neurons = on.sum(axis=0), members.sum(axis=0)
    together = on.T.astype(np.int64) @ on
    shared = members.T.astype(np.int64) @ members
    inside = together >= _INSIDE * bins[:, None]
    inside &= shared >= _SHARED * neurons[:, None]
    # of two that are the same the one with fewer bins, or else the later, is the inner one
    order = np.lexsort((np.arange(len(bins)), -bins))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    result: Marks = inside & (rank[:, None] > rank[None, :])
    return result


def where_it_counts(on: Marks, inside: Marks) -> Marks:
    """Return in which bins a unit's being on is compared with its being off, (bin, unit) bool.

    Those in which all are on within which it lies, and none is that lies within it.

    Parameters
    ----------
    on
        (bin, unit).
    inside
        (inner, outer), of `nested`.
    """
    off = (~on).astype(np.int64)
    result: Marks = (off @ inside.T.astype(np.int64) == 0) & (on.astype(np.int64) @ inside == 0)
    return result
