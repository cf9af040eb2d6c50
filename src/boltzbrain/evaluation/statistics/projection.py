"""Principal axes of binary activity, found without forming its covariance matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh


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
        coordinates = np.asarray(sparse.csr_array(states) @ self.axes, dtype=np.float64)
        return coordinates - self.mean @ self.axes


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
    active = sparse.csr_array(states, dtype=np.float64)
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
        values, axes = eigsh(operator, k=number, v0=start)
    order = np.argsort(values)[::-1]
    axes = axes[:, order]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(number)]
    fractions = np.clip(values[order], 0, None) / variance
    return PrincipalAxes(mean, axes * np.where(largest < 0, -1.0, 1.0), fractions)
