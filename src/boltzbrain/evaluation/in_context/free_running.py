"""What a model with a context generates by itself, bin after bin, beside the recording.

Nothing of the recording is seen, so that errors of the context add up: a context that tells the
next bin well may lose what is slow within a few bins of its own. Covariances are central and off
the diagonal, at lag 0 and between bins of a piece (Quiroz Monnens et al., eLife 13:RP98489, compare
them so, from raw moments).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.evaluation.statistics.kept import Kept
from boltzbrain.foundations.checks import Undefined
from boltzbrain.foundations.progress import SILENT, Teller
from boltzbrain.foundations.random import Generator
from boltzbrain.kernels.dispatch import correlate
from boltzbrain.model.context.contextual import ContextualRBM
from boltzbrain.model.context.sequences import Sequences
from boltzbrain.sampling.rows.free_run import free_run, no_longer

LONGEST_PIECE = 200
"""Bins of the longest piece that is generated."""

LAGS = (0, 1, 2, 4, 8)
_MOST_NEURONS = 2000
_KEPT = 2000
"""Bins of the run that are kept for the viewer."""


def covariances_at(given: Sequences, lag: int, every: int = 1) -> NDArray[np.float64]:
    """Return cov(v_i at t, v_j at t + lag) within pieces, of every so many-th neuron.

    Examples
    --------
    >>> states = np.array([[1, 0], [0, 1], [0, 0], [1, 1]], dtype=np.uint8)
    >>> covariances_at(Sequences(states, np.array([0, 0, 1, 1]), 0.1), 1)[0].tolist()
    [-0.25, 0.0]
    """
    states = torch.from_numpy(np.ascontiguousarray(given.states[:, ::every]))
    last = len(states) - lag
    same = torch.from_numpy(np.asarray(given.label[:last] == given.label[lag:]))
    first, later = states[:last][same], states[lag:][same].to(torch.float32)
    count = max(len(first), 1)
    both = correlate(first, later).to(torch.float64) / count
    means = [one.mean(dim=0, dtype=torch.float64) for one in (first, later)]
    found: NDArray[np.float64] = (both - torch.outer(*means)).numpy()
    return found


def free_run_agreement(
    model: ContextualRBM,
    activity: Activity,
    seed: int,
    tell: Teller = SILENT,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Compare a free run as long as the training fold, in pieces like its own, with the test fold.

    Parameters
    ----------
    model
        The model.
    activity
        States and folds, with test bins.
    seed
        Seed of the run.
    tell
        Told the bins.
    kept
        Gets the first bins of the run, ``free_run/states`` in bits, and the number of the piece of
        each, ``free_run/piece``.

    Returns
    -------
    dict
        ``rates_pearson``, and ``covariances``: of every lag (bins, as a word) ``pearson`` over
        pairs of neurons and ``ceiling``, that of the training fold with the test fold.
    """
    train, test = (Sequences.of_fold(activity, fold) for fold in ("train", "test"))
    layout = no_longer(train, LONGEST_PIECE)
    generator = Generator.from_seed(seed, "evaluation", "free run")
    drawn = free_run(model, layout, generator, tell=tell)
    if kept is not None:
        kept["free_run/states"] = np.packbits(drawn.states[:_KEPT], axis=1)
        kept["free_run/piece"] = drawn.label[:_KEPT]
    every = -(-activity.n_neurons // _MOST_NEURONS)
    rates = [one.states.mean(axis=0, dtype=np.float64) for one in (drawn, test)]
    found: dict[str, Any] = {"rates_pearson": _pearson(*rates), "covariances": {}}
    for lag in LAGS:
        if not (test.label[: len(test) - lag] == test.label[lag:]).any():
            continue
        of = [_off_diagonal(covariances_at(one, lag, every)) for one in (drawn, test, layout)]
        found["covariances"][str(lag)] = {
            "pearson": _pearson(of[0], of[1]),
            "ceiling": _pearson(of[2], of[1]),
        }
    return found


def words_of(found: Mapping[str, Any]) -> str:
    """Return the agreement at the shortest lag of time in a few words; empty where there is none.

    Examples
    --------
    >>> words_of({"covariances": {"1": {"pearson": 0.31, "ceiling": 0.6}}})
    'run freely, covariances a bin apart correlate by 0.31 with those of test (training: 0.60)'
    """
    one = found.get("covariances", {}).get("1")
    if one is None or one["pearson"] is None or one["ceiling"] is None:
        return ""
    return (
        f"run freely, covariances a bin apart correlate by {one['pearson']:.2f} with those of test "
        f"(training: {one['ceiling']:.2f})"
    )


def _off_diagonal(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    kept: NDArray[np.float64] = matrix[~np.eye(len(matrix), dtype=bool)]
    return kept


def _pearson(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | Undefined:
    if len(one) < 2 or not one.std() or not other.std():
        return Undefined("one of them does not vary")
    return float(np.corrcoef(one, other)[0, 1])
