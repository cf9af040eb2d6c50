"""Principal axes of binary activity, found without forming its covariance matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from boltzbrain.evaluation.statistics.agreement import kolmogorov_smirnov
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.kernels.dispatch import sum_active_rows

_BASIS, _PRECISION = 40, 1e-5
"""Vectors that the axes are sought among, and the relative precision of their variance.

An axis that many others nearly match in variance would take minutes to the last digit.
"""


@dataclass(frozen=True)
class PrincipalAxes:
    """The directions in which the training fold varies most.

    Attributes
    ----------
    mean
        (neuron,) rates of the training fold, subtracted before projecting.
    axes
        (neuron, axis) unit vectors by falling variance; the largest entry of each is positive.
    fractions
        (axis,) share of the total variance.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    fractions: NDArray[np.float64]

    def project(self, states: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the coordinates of states (bin, neuron), (bin, axis)."""
        axes = torch.from_numpy(np.ascontiguousarray(self.axes))
        found: NDArray[np.float64] = sum_active_rows(torch.from_numpy(states), axes).numpy()
        return found - self.mean @ self.axes


def principal_axes(states: NDArray[np.uint8], number: int = 2) -> PrincipalAxes:
    """Find the principal axes of binary activity without forming its covariance matrix.

    Parameters
    ----------
    states
        (bin, neuron) uint8 of the training fold.
    number
        Axes to find, fewer where there are not as many neurons or varying bins.
    """
    neurons = states.shape[1]
    mean = states.mean(axis=0, dtype=np.float64)
    active = _active(states)
    variance = float(np.sum(mean * (1 - mean)))

    def times_covariance(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        flat = vector.reshape(-1)
        projected = active @ flat - mean @ flat
        product: NDArray[np.float64] = active.T @ projected - mean * projected.sum()
        return product / len(states)

    number = min(number, neurons)
    if variance == 0:
        return PrincipalAxes(mean, np.eye(neurons, number), np.zeros(number))
    if neurons <= max(number + 1, 50):
        values, axes = np.linalg.eigh(
            np.column_stack([times_covariance(unit) for unit in np.eye(neurons)])
        )
        values, axes = values[-number:], axes[:, -number:]
    else:
        operator = LinearOperator(
            (neurons, neurons), matvec=times_covariance, dtype=np.dtype(np.float64)
        )
        start = np.sqrt(mean * (1 - mean))
        values, axes = eigsh(operator, k=number, v0=start, ncv=_BASIS, tol=_PRECISION)
    order = np.argsort(values)[::-1]
    axes = axes[:, order]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(number)]
    fractions = np.clip(values[order], 0, None) / variance
    return PrincipalAxes(mean, axes * np.where(largest < 0, -1.0, 1.0), fractions)


def compare_projections(
    train: NDArray[np.uint8],
    test: NDArray[np.uint8],
    generated: NDArray[np.uint8],
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Compare the distributions of bins along each of the two principal axes of the training fold.

    Parameters
    ----------
    train, test, generated
        (bin, neuron) uint8 states; those of the test fold may be empty.
    kept
        Gets what the figure shows.

    Returns
    -------
    dict
        ``kolmogorov_smirnov``, the greatest difference of the distribution functions along any of
        the axes, generated-vs-test and under ``ceiling`` train-vs-test.
    """
    if not len(test):
        if kept is not None:
            keep_projections(kept, principal_axes(train), train, generated)
        nothing = Undefined("the test fold has no bins")
        return {"kolmogorov_smirnov": nothing, "ceiling": {"kolmogorov_smirnov": nothing}}
    axes = principal_axes(train)
    mine: Kept = {} if kept is None else kept
    keep_projections(mine, axes, test, generated)
    of_test = mine["projection/recorded"]

    def furthest(of_states: NDArray[np.float64]) -> float:
        return max(
            kolmogorov_smirnov(of_test[:, axis], of_states[:, axis])
            for axis in range(of_test.shape[1])
        )

    return {
        "kolmogorov_smirnov": furthest(mine["projection/generated"]),
        "ceiling": {"kolmogorov_smirnov": furthest(axes.project(train))},
    }


def keep_projections(
    kept: Kept, axes: PrincipalAxes, recorded: NDArray[np.uint8], generated: NDArray[np.uint8]
) -> None:
    """Keep the coordinates of recorded and generated bins along the axes, and their shares."""
    kept["projection/fractions"] = axes.fractions
    kept["projection/recorded"] = axes.project(recorded)
    kept["projection/generated"] = axes.project(generated)


def _active(states: NDArray[np.uint8]) -> sparse.csr_array:
    """Return states as a sparse array of ones, several times as fast as SciPy makes one."""
    bins, neurons = states.shape
    place = np.flatnonzero(np.ascontiguousarray(states).view(np.bool_))
    ends = np.searchsorted(place, np.arange(bins + 1) * neurons)
    return sparse.csr_array(
        (np.ones(len(place)), place % max(neurons, 1), ends), shape=(bins, neurons)
    )
