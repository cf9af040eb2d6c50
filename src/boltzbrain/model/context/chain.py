"""Hidden states that follow each other: forward and backward along a piece, in the log domain.

The forward pass is that of Rabiner, Proc. IEEE 77:257 (1989), with logarithms of the filtered
probabilities in place of scaled ones. Sums over states are taken of plain numbers where these are
far from the smallest there are, and of logarithms where not: a state that the last bins made
impossible but for exp(-1000) counts as what it is, as hundreds of neurons soon say otherwise.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from boltzbrain.foundations.compiling.cache import kept
from boltzbrain.foundations.random import Generator

Floats = NDArray[np.float64]

_GROUPS = 16
"""Pieces are summed over in so many groups, whatever the number of cores."""
_SMALL, _LARGE = 1e-200, 600.0


@dataclass(frozen=True, eq=False)
class Chain:
    """The law of hidden states.

    Attributes
    ----------
    initial
        (state,) probabilities in the first bin of a piece.
    transition
        (state, state) probabilities of the next state, a row for each present one.
    """

    initial: Floats
    transition: Floats

    def __len__(self) -> int:
        """Return the number of states."""
        return len(self.initial)

    def dwell_bins(self) -> Floats:
        """Return how many bins a stay in each state takes on average, (state,)."""
        leaving = np.maximum(1.0 - np.diag(self.transition), np.finfo(np.float64).eps)
        result: Floats = 1.0 / leaving
        return result

    def next_states(
        self, before: NDArray[np.int64] | None, count: int, generator: Generator
    ) -> NDArray[np.int64]:
        """Draw the states of the next bin of so many pieces, (piece,).

        Parameters
        ----------
        before
            (piece,) those of the bin before; None for the first bin.
        count
            Number of pieces.
        generator
            Moves on.
        """
        chance = generator.uniform((1, count))[0].numpy()
        if before is None:
            table = np.cumsum(self.initial)[None]
        else:
            table = np.cumsum(self.transition, axis=1)[before]
        found: NDArray[np.int64] = (chance[:, None] > table).sum(axis=1)
        return np.minimum(found, len(self) - 1)

    def reordered(self, order: NDArray[np.int64]) -> Chain:
        """Return the chain with its states in another order."""
        return Chain(self.initial[order], self.transition[np.ix_(order, order)])


@dataclass(frozen=True, eq=False)
class Smoothed:
    """What all bins of each piece say of its states.

    Attributes
    ----------
    score
        (bin,) log P(v_t | earlier bins of the piece), nats.
    posterior
        (bin, state) probability of each state given the whole piece.
    transitions
        (state, state) expected number of steps from one state to another.
    """

    score: Floats
    posterior: Floats
    transitions: Floats


def filtered(chain: Chain, emission: Floats, edges: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return what earlier bins say: log P(v_t | earlier), (bin,), and log P(s_t | v up to t).

    Parameters
    ----------
    chain
        The law of the states.
    emission
        (bin, state) log P(v_t | state, past).
    edges
        First bin of every piece, and the number of bins.
    """
    score, log_filtered = np.empty(len(emission)), np.empty(emission.shape)
    _forward(*_given(chain, emission), edges, score, log_filtered)
    return score, log_filtered


def ahead(chain: Chain, log_filtered: Floats, edges: NDArray[np.int64]) -> Floats:
    """Return P(s_t | earlier bins of the piece), (bin, state), from log P(s_t | v up to t)."""
    result = np.empty_like(log_filtered)
    result[1:] = np.exp(log_filtered[:-1]) @ chain.transition
    result[edges[:-1]] = chain.initial
    return result


def smoothed(chain: Chain, emission: Floats, edges: NDArray[np.int64]) -> Smoothed:
    """Return scores, posteriors and expected transitions; parameters as in `filtered`."""
    score, log_filtered = filtered(chain, emission, edges)
    posterior = np.empty(emission.shape)
    bounds = np.linspace(0, len(edges) - 1, _GROUPS + 1).round().astype(np.int64)
    counts = np.zeros((_GROUPS, len(chain), len(chain)))
    given = _given(chain, emission)
    _backward(*given, edges, bounds, score, log_filtered, posterior, counts)
    return Smoothed(score, posterior, counts.sum(axis=0))


def _given(chain: Chain, emission: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    with np.errstate(divide="ignore"):
        logs = np.log(chain.initial), np.log(chain.transition)
    transition = np.ascontiguousarray(chain.transition, dtype=np.float64)
    return np.ascontiguousarray(emission, dtype=np.float64), logs[0], transition, logs[1]


@kept
def _log_sum(values: Any) -> Any:
    top = values.max()
    if top == -np.inf:
        return top
    return top + np.log(np.exp(values - top).sum())


@functools.partial(kept, parallel=True)
def _forward(
    emission: Any, log_initial: Any, transition: Any, log_transition: Any, edges: Any, score: Any,
    log_filtered: Any,
) -> None:  # fmt: skip
    states = emission.shape[1]
    for piece in prange(len(edges) - 1):
        likely = np.empty(states)
        joint = np.empty(states)
        for bin_ in range(edges[piece], edges[piece + 1]):
            if bin_ == edges[piece]:
                joint[:] = log_initial
            else:
                joint[:] = 0.0
                for one in range(states):
                    weight = likely[one]
                    if weight > 0.0:
                        for other in range(states):
                            joint[other] += weight * transition[one, other]
                for other in range(states):
                    if joint[other] > _SMALL:
                        joint[other] = np.log(joint[other])
                    else:
                        joint[other] = _log_sum(log_filtered[bin_ - 1] + log_transition[:, other])
            joint += emission[bin_]
            total = _log_sum(joint)
            score[bin_] = total
            log_filtered[bin_] = joint - total
            likely[:] = np.exp(log_filtered[bin_])


@functools.partial(kept, parallel=True)
def _backward(
    emission: Any, log_initial: Any, transition: Any, log_transition: Any, edges: Any, bounds: Any,
    score: Any, log_filtered: Any, posterior: Any, counts: Any,
) -> None:  # fmt: skip
    states = emission.shape[1]
    for group in prange(len(bounds) - 1):
        later = np.empty(states)
        ahead = np.empty(states)
        share = np.empty(states)
        for piece in range(bounds[group], bounds[group + 1]):
            later[:] = 0.0
            for bin_ in range(edges[piece + 1] - 1, edges[piece] - 1, -1):
                if bin_ < edges[piece + 1] - 1:
                    # log P(v from here on | state) less that of what came
                    ahead[:] = emission[bin_ + 1] + later - score[bin_ + 1]
                    top = ahead.max()
                    share[:] = np.exp(ahead - top)
                    for one in range(states):
                        total = 0.0
                        for other in range(states):
                            total += transition[one, other] * share[other]
                        if total > _SMALL:
                            later[one] = top + np.log(total)
                        else:
                            later[one] = _log_sum(log_transition[one] + ahead)
                        before = log_filtered[bin_, one] + top
                        if before < _LARGE:
                            scale = np.exp(before)
                            for other in range(states):
                                counts[group, one, other] += (
                                    scale * transition[one, other] * share[other]
                                )
                        else:
                            for other in range(states):
                                counts[group, one, other] += np.exp(
                                    before - top + log_transition[one, other] + ahead[other]
                                )
                for one in range(states):
                    posterior[bin_, one] = np.exp(log_filtered[bin_, one] + later[one])
