"""Behaviour bin by bin: the value of a covariate, or of a column of the trial of the bin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.behaviour.covariates import BinnedCovariate
from boltzbrain.data.behaviour.trials import columns_of, is_labels


@dataclass(frozen=True, eq=False)
class BehaviourOfBins:
    """Behaviour in some bins of an activity.

    Attributes
    ----------
    covariates, trials
        Those of the activity.
    bins
        (bin,) their numbers in the activity.

    Examples
    --------
    >>> trials = pd.DataFrame({"first_bin": [1, 3], "stop_bin": [3, 5], "side": ["left", "right"]})
    >>> known = BehaviourOfBins({}, trials, np.arange(6))
    >>> known.names, known.values("side").tolist(), known.places().tolist()
    (('side',), ['', 'left', 'left', 'right', 'right', ''], [-1, 0, 1, 0, 1, -1])
    """

    covariates: Mapping[str, BinnedCovariate]
    trials: pd.DataFrame
    bins: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of the trials, then covariates."""
        columns = columns_of(self.trials) if len(self.trials) else []
        return (*columns, *self.covariates)

    def of_trials(self, name: str) -> bool:
        """Return whether a name is a column of the trials; of one that is both, it is."""
        return bool(len(self.trials)) and name in columns_of(self.trials)

    def values(self, name: str) -> NDArray[Any]:
        """Return the value in every bin, (bin,): float64 with NaN, or labels with "", for none."""
        if not self.of_trials(name):
            return self.covariates[name].values[self.bins]
        column, trial = self.trials[name], self._trial()
        if is_labels(column):
            return np.append(column.to_numpy(dtype=object), "")[trial]
        return np.append(column.to_numpy(dtype=np.float64), np.nan)[trial]

    def places(self) -> NDArray[np.int64]:
        """Return how many bins every bin lies after the first of its trial, (bin,), -1 for none."""
        trial = self._trial()
        first = np.append(self.trials["first_bin"].to_numpy(np.int64), 0)[trial]
        return np.where(trial < 0, -1, self.bins - first)

    def _trial(self) -> NDArray[np.int64]:
        """Return the row of the trial of every bin, (bin,), the last where several hold it."""
        edges = self.trials[["first_bin", "stop_bin"]].to_numpy(np.int64)
        rows = np.full(1 + max(int(self.bins.max(initial=0)), int(edges.max(initial=0))), -1)
        for row, (first, stop) in enumerate(edges.tolist()):
            rows[first:stop] = row
        return rows[self.bins]

    def taking(self, rows: NDArray[np.int64]) -> BehaviourOfBins:
        """Return the behaviour of some of these bins."""
        return replace(self, bins=self.bins[rows])
