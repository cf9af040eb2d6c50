"""A set of bins to compute statistics of: states, and the clusters for their errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity, FoldName
from boltzbrain.data.clusters import clusters_of
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

    @staticmethod
    def of_fold(activity: Activity, fold: FoldName) -> BinSet:
        """Take the bins of a fold, clustered by segment or stretch."""
        return _Fold(activity, fold)

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
    def packed(self) -> Packed:
        """The states, packed by cluster."""
        return pack(self.states, self.cluster)


class _Fold(BinSet):
    """The bins of a fold, taken out of the activity when they are first asked for.

    Those of a training fold are as large as the recording, and a page may need none of them.
    """

    def __init__(self, activity: Activity, fold: FoldName) -> None:
        self.__dict__.update(_activity=activity, _bins=activity.bins_of(fold))

    def __len__(self) -> int:
        return len(self.__dict__["_bins"])

    @cached_property
    def states(self) -> NDArray[np.uint8]:
        activity: Activity = self.__dict__["_activity"]
        states: NDArray[np.uint8] = activity.states[self.__dict__["_bins"]]
        return states

    @cached_property
    def cluster(self) -> NDArray[np.int64]:
        return clusters_of(self.__dict__["_activity"], self.__dict__["_bins"]).label
