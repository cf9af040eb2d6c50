"""What the earlier bins of a piece are to the next one: traces of every neuron, and their axes.

A trace is a running mean of a neuron's states before the bin, with weights that fall
exponentially: one of the last bin alone, one of 100 ms. Traces are standardised by the training
bins and 0 in the first bin of a piece, which has an offset of its own. Of many neurons only the
directions in which the traces vary most are kept (reduced-rank regression, Izenman, J. Multivar.
Anal. 5:248, 1975, with the axes fixed beforehand): weights on them cost no more than some tens of
neurons do, and the Hessian of their regression is nearly diagonal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import njit, prange
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from boltzbrain.model.context.sequences import Sequences

SECONDS = (0.0, 0.1)
"""Time constants of the traces; 0 is the last bin alone."""

_LEAST_SPREAD = 1e-3


@njit(parallel=True, cache=True)
def _fill(states: Any, edges: Any, keep: Any, traces: Any) -> None:
    for piece in prange(len(edges) - 1):
        for bin_ in range(edges[piece] + 1, edges[piece + 1]):
            for trace in range(len(keep)):
                old, new = keep[trace], np.float32(1.0) - keep[trace]
                for neuron in range(states.shape[1]):
                    traces[bin_, trace, neuron] = (
                        old * traces[bin_ - 1, trace, neuron] + new * states[bin_ - 1, neuron]
                    )


def raw_traces(given: Sequences, seconds: Sequence[float] = SECONDS) -> Tensor:
    """Return the running means of earlier bins, (bin, trace, neuron) float32.

    Examples
    --------
    >>> states = np.array([[1], [0], [0]], dtype=np.uint8)
    >>> given = Sequences(states, np.array([0, 0, 0]), 0.1)
    >>> [round(value, 3) for value in raw_traces(given, (0.0, 0.1)).flatten().tolist()]
    [0.0, 0.0, 1.0, 0.632, 0.0, 0.233]
    """
    keep = keeps(seconds, given.bin_width_s)
    traces = np.zeros((len(given), len(keep), given.states.shape[1]), dtype=np.float32)
    heard = given.states if given.heard is None else given.heard
    _fill(heard, given.edges, np.array(keep, dtype=np.float32), traces)
    return torch.from_numpy(traces)


@dataclass(frozen=True, eq=False)
class Past:
    """How traces are standardised, and along which axes they are seen.

    Attributes
    ----------
    mean, spread
        (trace, neuron) float32, of the training bins that are not the first of a piece.
    axes
        (trace x neuron, axis) float32, orthonormal.
    seconds
        Time constants.
    """

    mean: Tensor
    spread: Tensor
    axes: Tensor
    seconds: tuple[float, ...] = SECONDS

    def traces(self, given: Sequences) -> Tensor:
        """Return the standardised traces, 0 in first bins, (bin, trace, neuron) float32."""
        return self.standardised(raw_traces(given, self.seconds), given)

    def standardised(self, traces: Tensor, given: Sequences) -> Tensor:
        """Return traces as `raw_traces` gives them in standard units, 0 in first bins, in place."""
        traces.sub_(self.mean).div_(self.spread)
        traces[torch.from_numpy(given.begins)] = 0.0
        return traces

    def seen(self, traces: Tensor) -> Tensor:
        """Return standardised traces along the axes, (bin, axis) float32."""
        return traces.flatten(1) @ self.axes

    def couplings(self, weights: Tensor) -> Tensor:
        """Return weights (axis, neuron) as those of every source, (trace, source, neuron).

        In units of log-odds per standard deviation of a trace.
        """
        return (self.axes @ weights).reshape(*self.mean.shape, -1)


class RunningTraces:
    """The traces of pieces that are generated bin by bin, side by side.

    Parameters
    ----------
    past
        Units of the traces.
    pieces
        How many begin.
    bin_width_s
        Seconds per bin.
    """

    def __init__(self, past: Past, pieces: int, bin_width_s: float) -> None:
        self.past = past
        self._raw = torch.zeros((pieces, *past.mean.shape))
        self._keep = torch.tensor(keeps(past.seconds, bin_width_s), dtype=torch.float32)[:, None]
        self._begun = False

    def traces(self, pieces: int) -> Tensor:
        """Return the standardised traces of the first so many pieces, (piece, trace, neuron)."""
        raw = self._raw[:pieces]
        if not self._begun:
            return torch.zeros_like(raw)
        return (raw - self.past.mean) / self.past.spread

    def see(self, states: Tensor) -> None:
        """Take in the bin that the first pieces, as many as states, have come to."""
        pieces = len(states)
        added = (1 - self._keep) * states[:, None].float()
        self._raw[:pieces] = self._keep * self._raw[:pieces] + added
        self._begun = True


def keeps(seconds: Sequence[float], bin_width_s: float) -> list[float]:
    """Return the share of each trace that the next bin keeps."""
    return [math.exp(-bin_width_s / one) if one > 0 else 0.0 for one in seconds]


def _through(flat: Tensor, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return flat^T flat v, (feature,)."""
    given = torch.from_numpy(vector.reshape(-1).astype(np.float32))
    result: NDArray[np.float64] = (flat.T @ (flat @ given)).to(torch.float64).numpy()
    return result


def fit_past(traces: Tensor, given: Sequences, rank: int) -> tuple[Past, Tensor]:
    """Find standard units and the axes of greatest variance; standardise the traces in place.

    Parameters
    ----------
    traces
        Of `raw_traces` of the training bins.
    given
        These bins.
    rank
        Number of axes; at most twice the neurons.

    Returns
    -------
    Past
        With axes in falling order of variance.
    Tensor
        (axis,) float64 sum of squares of the traces along each.
    """
    later = torch.from_numpy(~given.begins)
    inside = traces[later] if bool(later.any()) else traces
    spread = inside.std(dim=0, correction=0).clamp_min(_LEAST_SPREAD)
    past = Past(inside.mean(dim=0), spread, torch.empty(0))
    flat = past.standardised(traces, given).flatten(1)
    features = flat.shape[1]
    rank = min(rank, features)
    if rank < features // 4:
        # by products with the traces alone: of many neurons their squares would not fit
        squares = LinearOperator(
            (features, features), lambda v: _through(flat, v), dtype=np.dtype(np.float64)
        )
        # a start that is given, as ARPACK would draw one
        found = eigsh(squares, rank, v0=np.ones(features), tol=1e-4)
        values, axes = (torch.from_numpy(part.copy()) for part in found)
    else:
        values, axes = torch.linalg.eigh((flat.T @ flat).to(torch.float64))
    order = torch.argsort(values, descending=True)[:rank]
    kept = axes[:, order].to(torch.float32).contiguous()
    return Past(past.mean, spread, kept), values[order].clamp_min(0.0)
