"""A set of bins to compute statistics of: states, and the clusters for their errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, FoldName
from boltzbrain.data.clusters import clusters_of
from boltzbrain.data.timescale import population_count
from boltzbrain.evaluation.samples import Samples
from boltzbrain.foundations.checks import has_shape
from boltzbrain.foundations.moments import Packed, pack

_SAMPLE_CLUSTERS = 50


@dataclass(frozen=True)
class BinSet:
    """Bins of one fold, or generated samples.

    Attributes
    ----------
    states
        (bin, neuron) uint8.
    cluster
        (bin,) int64 from 0; bins of different clusters are taken as independent.
    """

    states: NDArray[np.uint8]
    cluster: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse lengths that disagree."""
        has_shape("cluster", self.cluster, (len(self.states),))

    @classmethod
    def of_fold(cls, activity: Activity, fold: FoldName) -> BinSet:
        """Take the bins of a fold, clustered by segment or stretch."""
        bins = activity.bins_of(fold)
        return cls(activity.states[bins], clusters_of(activity, bins).label)

    @classmethod
    def of_samples(cls, samples: Samples) -> BinSet:
        """Take generated samples, clustered by groups of chains (about 50 groups)."""
        chains = np.unique(samples.chain, return_inverse=True)[1]
        number = int(chains.max(initial=0)) + 1
        return cls(samples.states, chains * min(_SAMPLE_CLUSTERS, number) // number)

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.states)

    @property
    def clusters(self) -> int:
        """Number of clusters."""
        return int(self.cluster.max(initial=-1)) + 1

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Population count of every bin, (bin,)."""
        return population_count(self.states)

    @cached_property
    def packed(self) -> Packed:
        """The states, packed by cluster."""
        return pack(self.states, self.cluster)
