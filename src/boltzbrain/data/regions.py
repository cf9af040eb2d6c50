"""Which neurons lie in which regions of an atlas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from boltzbrain.foundations.showing.told import Brief

NO_TEXT = frozenset({"", "nan", "n/a", "na", "none", "null", "unknown", "<na>", "nat"})
"""Words that stand for a missing text, lower case."""


@dataclass(frozen=True, repr=False)
class Regions(Brief):
    """Membership of neurons in the regions of one atlas; a neuron may lie in several or none.

    Attributes
    ----------
    names
        One name per region, unique.
    membership
        Sparse (neuron, region) matrix of 0 and 1, uint8.
    hemisphere
        One of "left", "right", "" per region.
    """

    names: tuple[str, ...]
    membership: sparse.csr_array
    hemisphere: tuple[str, ...]

    @classmethod
    def from_labels(cls, labels: NDArray[np.str_] | list[str]) -> Regions:
        """Build the simple case, one label per neuron; an empty label is no region.

        Nor is a word for a missing text, as tables write it: nan, none, null and their like.

        Examples
        --------
        >>> regions = Regions.from_labels(["VISp", "CA1", "nan", "VISp"])
        >>> regions.names, regions.counts().tolist(), regions.labels().tolist()
        (('CA1', 'VISp'), [1, 2], ['VISp', 'CA1', '', 'VISp'])
        """
        told = np.asarray(labels, dtype=np.str_)
        missing = [one.strip().lower() in NO_TEXT for one in told.tolist()]
        text = np.where(missing, "", told)
        names = sorted(set(text.tolist()) - {""})
        column = {name: number for number, name in enumerate(names)}
        rows = np.flatnonzero(text != "")
        columns = np.array([column[name] for name in text[rows].tolist()], dtype=np.int64)
        membership = sparse.csr_array(
            (np.ones(len(rows), dtype=np.uint8), (rows, columns)), shape=(len(text), len(names))
        )
        return cls(tuple(names), membership, ("",) * len(names))

    def counts(self) -> NDArray[np.int64]:
        """Return the number of neurons in each region, (region,)."""
        return np.asarray(self.membership.sum(axis=0, dtype=np.int64)).ravel()

    def labels(self) -> NDArray[np.str_]:
        """Return one name per neuron: its first region by number, "" where it has none."""
        result = [""] * self.membership.shape[0]
        indptr, indices = self.membership.indptr, self.membership.indices
        for neuron in range(len(result)):
            mine = indices[indptr[neuron] : indptr[neuron + 1]]
            if len(mine):
                result[neuron] = self.names[int(mine.min())]
        return np.asarray(result, dtype=np.str_)

    def select(self, neurons: NDArray[Any]) -> Regions:
        """Return the regions of the given neurons (indices or mask); every region is kept."""
        return Regions(self.names, sparse.csr_array(self.membership[neurons]), self.hemisphere)
