"""What the earlier bins of a piece are to the next one: traces of every neuron, and their axes.

A trace is a running mean of a neuron's states before the bin, with weights that fall
exponentially: one of the last bin alone, one of 100 ms; or it is the one bin so many bins back.
Traces are standardised by the training
bins and 0 in the first bin of a piece, which has an offset of its own. Of many neurons only the
directions in which the traces vary most are kept (reduced-rank regression, Izenman, J. Multivar.
Anal. 5:248, 1975, with the axes fixed beforehand): weights on them cost no more than some tens of
neurons do, and the Hessian of their regression is nearly diagonal.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numba import prange
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from boltzbrain.foundations.compiling.cache import kept
from boltzbrain.model.context.sequences import Sequences

SECONDS = (0.0, 0.1)
"""Time constants of the traces; 0 is the last bin alone."""

_LEAST_SPREAD = 1e-3


@functools.partial(kept, parallel=True)
def _fill(states: Any, edges: Any, keep: Any, traces: Any) -> None:
    for piece in prange(len(edges) - 1):
        for bin_ in range(edges[piece] + 1, edges[piece + 1]):
            for trace in range(len(keep)):
                old, new = keep[trace], np.float32(1.0) - keep[trace]
                for neuron in range(states.shape[1]):
                    traces[bin_, trace, neuron] = (
                        old * traces[bin_ - 1, trace, neuron] + new * states[bin_ - 1, neuron]
                    )
            for trace in range(len(keep), traces.shape[1]):
                back = bin_ - (trace - len(keep) + 2)
                if back >= edges[piece]:
                    for neuron in range(states.shape[1]):
                        traces[bin_, trace, neuron] = states[back, neuron]


def raw_traces(given: Sequences, seconds: Sequence[float] = SECONDS, lags: int = 1) -> Tensor:
    """Return the running means of earlier bins, (bin, trace, neuron) float32.

    With more than one lag, those bins alone follow: the one before the last, and so on.

    Examples
    --------
    >>> states = np.array([[1], [0], [0]], dtype=np.uint8)
    >>> given = Sequences(states, np.array([0, 0, 0]), 0.1)
    >>> [round(value, 3) for value in raw_traces(given, (0.0, 0.1)).flatten().tolist()]
    [0.0, 0.0, 1.0, 0.632, 0.0, 0.233]
    """
    keep = keeps(seconds, given.bin_width_s)
    shape = (len(given), len(keep) + lags - 1, given.states.shape[1])
    traces = np.zeros(shape, dtype=np.float32)
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
    lags
        Bins before that are seen alone, the last one by the time constant 0.
    """

    mean: Tensor
    spread: Tensor
    axes: Tensor
    seconds: tuple[float, ...] = SECONDS
    lags: int = 1

    def traces(self, given: Sequences) -> Tensor:
        """Return the standardised traces, 0 in first bins, (bin, trace, neuron) float32."""
        return self.standardised(raw_traces(given, self.seconds, self.lags), given)

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
        self._last: Tensor | None = None

    def traces(self, pieces: int) -> Tensor:
        """Return the standardised traces of the first so many pieces, (piece, trace, neuron)."""
        raw = self._raw[:pieces]
        if not self._begun:
            return torch.zeros_like(raw)
        return (raw - self.past.mean) / self.past.spread

    def see(self, states: Tensor) -> None:
        """Take in the bin that the first pieces, as many as states, have come to."""
        pieces = len(states)
        here, means = states.float(), len(self._keep)
        back = self._raw[:pieces, means:]
        if self.past.lags > 1:
            # each bin comes one further back, the last one first
            last = torch.zeros_like(here) if self._last is None else self._last[:pieces]
            back = torch.cat([last[:, None], back[:, :-1]], dim=1)
        added = (1 - self._keep) * here[:, None]
        mean = self._keep * self._raw[:pieces, :means] + added
        self._raw[:pieces] = torch.cat([mean, back], dim=1)
        self._begun, self._last = True, here


def keeps(seconds: Sequence[float], bin_width_s: float) -> list[float]:
    """Return the share of each trace that the next bin keeps."""
    return [math.exp(-bin_width_s / one) if one > 0 else 0.0 for one in seconds]


def _through(flat: Tensor, vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return flat^T flat v, (feature,)."""
    given = torch.from_numpy(vector.reshape(-1).astype(np.float32))
    result: NDArray[np.float64] = (flat.T @ (flat @ given)).to(torch.float64).numpy()
    return result


def fit_past(
    traces: Tensor,
    given: Sequences,
    rank: int,
    seconds: tuple[float, ...] = SECONDS,
    lags: int = 1,
) -> tuple[Past, Tensor]:
    """Find standard units and the axes of greatest variance; standardise the traces in place.

    Parameters
    ----------
    traces
        Of `raw_traces` of the training bins.
    given
        These bins.
    rank
        Number of axes; at most the traces of all neurons.
    seconds, lags
        Those of the traces.

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
    past = Past(inside.mean(dim=0), spread, torch.empty(0), seconds, lags)
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
    return Past(past.mean, spread, kept, seconds, lags), values[order].clamp_min(0.0)
