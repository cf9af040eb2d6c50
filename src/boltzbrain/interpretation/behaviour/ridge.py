"""Linear models with a squared penalty, for very many targets of one set of features at once.

The model is that of scikit-learn's `Ridge`, its penalty chosen as `GridSearchCV` does it over the
same inner folds; here all permutations of a target are columns that share one decomposition of the
features, which makes the null cost little more than the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PENALTIES = 10.0 ** np.arange(-2.0, 5.0)
"""Penalties that are tried, in units of the mean eigenvalue of the features' covariance."""
INNER = 5
"""Folds by which the penalty is chosen, within what trains."""


@dataclass(frozen=True)
class _Solved:
    """Centred features of some rows, decomposed by the smaller of their two products."""

    mean: Floats
    features: Floats
    vectors: Floats
    values: Floats
    primal: bool

    @classmethod
    def of(cls, features: Floats) -> _Solved:
        mean = features.mean(axis=0)
        centred = features - mean
        primal = centred.shape[0] > centred.shape[1]
        product = centred.T @ centred if primal else centred @ centred.T
        values, vectors = np.linalg.eigh(product)
        keep = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
        return cls(mean, centred, vectors[:, keep], values[keep], primal)

    def coefficients(self, targets: Floats) -> Floats:
        """Return what predictions are made of, (vector, target), for centred targets."""
        rows = self.features.T @ targets if self.primal else targets
        product: Floats = self.vectors.T @ rows
        return product

    def seen(self, features: Floats) -> Floats:
        """Return new features as the vectors see them, (row, vector)."""
        centred = features - self.mean
        found: Floats = (centred if self.primal else centred @ self.features.T) @ self.vectors
        return found


@dataclass(frozen=True)
class Ridge:
    """Features that train and others to be predicted, decomposed once.

    Attributes
    ----------
    whole
        The features that train.
    parts
        For each inner fold: its rows, the others decomposed, and itself as they see it.
    other
        (row, vector) the features to be predicted.
    penalties
        (penalty,) in the units of the eigenvalues.
    """

    whole: _Solved
    parts: tuple[tuple[NDArray[np.bool_], _Solved, Floats], ...]
    other: Floats
    penalties: Floats

    @classmethod
    def of(cls, train: NDArray[Any], inner: NDArray[np.int64], other: NDArray[Any]) -> Ridge:
        """Decompose features, each scaled by its spread in training.

        Parameters
        ----------
        train
            (row, feature) that train.
        inner
            (row,) inner fold of each, by which the penalty is chosen.
        other
            (row, feature) to be predicted.
        """
        train = train.astype(np.float64)
        spread = train.std(axis=0)
        scale = np.where(spread > 1e-9, spread, np.inf)
        scaled, others = train / scale, other.astype(np.float64) / scale
        whole = _Solved.of(scaled)
        parts = []
        for fold in np.unique(inner):
            mine = inner == fold
            if mine.all():
                continue
            rest = _Solved.of(scaled[~mine])
            parts.append((mine, rest, rest.seen(scaled[mine])))
        mean = float(whole.values.sum()) / max(min(scaled.shape), 1)
        return cls(whole, tuple(parts), whole.seen(others), PENALTIES * max(mean, 1e-12))

    def predict(self, targets: Floats, together: int) -> tuple[Floats, Floats]:
        """Return predictions of the other rows, and the penalty of each target.

        Parameters
        ----------
        targets
            (row, target) of what trains.
        together
            So many neighbouring targets have one penalty, chosen by their squared errors.

        Returns
        -------
        predictions
            (other row, target).
        penalties
            (target / together,), as `PENALTIES` has them.
        """
        errors = np.zeros((len(self.penalties), targets.shape[1]))
        for mine, rest, seen in self.parts:
            mean = targets[~mine].mean(axis=0)
            product = rest.coefficients(targets[~mine] - mean)
            for row, penalty in enumerate(self.penalties):
                guess = seen @ (product / (rest.values + penalty)[:, None])
                errors[row] += ((targets[mine] - mean - guess) ** 2).sum(axis=0)
        groups = targets.shape[1] // together
        best = errors.reshape(len(errors), groups, together).sum(axis=2).argmin(axis=0)
        penalty = np.repeat(self.penalties[best], together)
        mean = targets.mean(axis=0)
        product = self.whole.coefficients(targets - mean)
        shrunk = product / (self.whole.values[:, None] + penalty[None, :])
        return self.other @ shrunk + mean, PENALTIES[best]


def inner_folds(rows: int) -> NDArray[np.int64]:
    """Return the inner fold of rows in order of time, (row,): tenths of them, by fives."""
    return np.asarray(np.arange(rows) * 2 * INNER // max(rows, 1) % INNER, dtype=np.int64)
