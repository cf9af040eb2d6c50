"""Folds with statistics that are alike: the data split of the zebrafish paper.

Van der Plas et al. 2023 ('Train / test data split') cut a recording into 10 chronological segments
of equal length, and of the 120 ways to hold out three of them took the one whose training and test
statistics differ by the 10th percentile of all: not the best split, but none of the bad ones, in
which the animal changed its state.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import GAP, TEST, TRAIN, VALIDATION
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.moments import coincidences, draw_tuples, pack
from boltzbrain.foundations.random import Generator

PARTS = 10
PERCENTILE = 10.0
MOST_PAIRS = 200_000


def dissimilarities(
    states: NDArray[np.uint8],
    part: NDArray[np.int64],
    held_out: list[tuple[int, ...]],
    generator: Generator,
) -> NDArray[np.float64]:
    """Return how much the held-out bins differ from the rest, for each way to choose them, (way,).

    The mean of two root mean squared differences, that of the rates and that of the covariances of
    pairs of neurons (all, or a uniform sample of 200,000), each divided by its mean over the ways.
    How the paper puts the two together is not said.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    part
        (bin,) part of each bin, from 0.
    held_out
        The parts held out, for each way.
    generator
        Moves on where pairs are drawn.
    """
    packed = pack(states, part)
    neurons = states.shape[1]
    single = coincidences(packed, np.arange(neurons)[:, None], by_group=True)
    pairs = np.zeros((0, 2), dtype=np.int64)
    if neurons > 1:
        pairs = draw_tuples(neurons, 2, MOST_PAIRS, generator)
    double = coincidences(packed, pairs, by_group=True)
    figures = np.zeros((len(held_out), 2))
    for row, parts in enumerate(held_out):
        out = np.isin(np.arange(len(packed.sizes)), parts)
        rates, covariances = [], []
        for chosen in (~out, out):
            bins = float(packed.sizes[chosen].sum())
            mean = single[:, chosen].sum(axis=1) / bins
            both = double[:, chosen].sum(axis=1) / bins
            rates.append(mean)
            covariances.append(both - mean[pairs[:, 0]] * mean[pairs[:, 1]])
        figures[row, 0] = np.sqrt(np.mean((rates[0] - rates[1]) ** 2))
        if len(pairs):
            figures[row, 1] = np.sqrt(np.mean((covariances[0] - covariances[1]) ** 2))
    scale = figures.mean(axis=0)
    result: NDArray[np.float64] = (figures / np.where(scale > 0, scale, 1.0)).mean(axis=1)
    return result


def folds_of_like_statistics(
    states: NDArray[np.uint8],
    edges: NDArray[np.int64],
    gap: int,
    *,
    validation: float,
    test: float,
    generator: Generator,
) -> tuple[NDArray[np.int8], dict[str, Any]]:
    """Return the fold of every bin and what was chosen.

    As many of the 10 parts as the shares of validation and test make up are held out. The paper has
    no validation fold: here the first piece of each held-out part validates and the rest tests, or
    the other way round, by a draw.

    Parameters
    ----------
    states
        (bin, neuron) uint8.
    edges
        Bins at which a part or a held-out piece may begin and end, ascending, from 0 to the number
        of bins: every bin, or the ends of trials.
    gap
        Bins left out of the training bins beside each held-out part, and of the test fold beside
        validation bins.
    validation, test
        Shares of the bins.
    generator
        Moves on.

    Returns
    -------
    tuple
        (bin,) int8 folds with -1 in gaps; and ``parts_held_out`` (from 0), ``dissimilarity``,
        ``ways``, ``percentile``.

    Raises
    ------
    InputError
        If the recording is too short.
    """
    bins = len(states)
    cuts = _nearest(edges, np.linspace(0, bins, PARTS + 1))
    number = int(np.clip(round(PARTS * (validation + test)), 1, PARTS - 1))
    if np.diff(cuts).min() < max(2, 3 * gap):
        raise bad_input(
            "the recording",
            f"be long enough for {PARTS} parts of at least {max(2, 3 * gap)} bins",
            f"parts of {int(np.diff(cuts).min())} bins",
        )
    part = np.repeat(np.arange(PARTS), np.diff(cuts))
    ways = list(itertools.combinations(range(PARTS), number))
    differ = dissimilarities(states, part, ways, generator)
    rank = round(PERCENTILE / 100 * (len(ways) - 1))
    chosen = int(np.argsort(differ, kind="stable")[rank])
    fold = np.full(bins, TRAIN, dtype=np.int8)
    for one in ways[chosen]:
        first, stop = int(cuts[one]), int(cuts[one + 1])
        fold[max(0, first - gap) : first] = GAP
        fold[stop : stop + gap] = GAP
    draw = generator.uniform((1, number))[0].tolist()
    for one, turn in zip(ways[chosen], draw, strict=True):
        first, stop = int(cuts[one]), int(cuts[one + 1])
        codes = (VALIDATION, TEST) if turn < 0.5 else (TEST, VALIDATION)
        share = (validation if turn < 0.5 else test) / (validation + test)
        inside = edges[(edges > first) & (edges < stop)]
        if not len(inside):
            raise bad_input(
                "the recording", f"have at least two segments in each of {PARTS} parts", "one"
            )
        middle = int(_nearest(inside, np.array([first + share * (stop - first)]))[0])
        fold[first:middle], fold[middle:stop] = codes
    turns = (fold[1:] != fold[:-1]) & (fold[1:] > TRAIN) & (fold[:-1] > TRAIN)
    for one in (np.flatnonzero(turns) + 1).tolist():
        fold[one : one + gap] = GAP
    return fold, {
        "parts_held_out": list(ways[chosen]),
        "dissimilarity": float(differ[chosen]),
        "ways": len(ways),
        "percentile": PERCENTILE,
        "gap_bins": gap,
    }


def _nearest(edges: NDArray[np.int64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the edge nearest to each wanted place."""
    after = np.clip(np.searchsorted(edges, wanted), 1, max(1, len(edges) - 1))
    after = np.minimum(after, len(edges) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(edges[before] - wanted) <= np.abs(edges[after] - wanted)
    result: NDArray[np.int64] = np.where(nearer, edges[before], edges[after]).astype(np.int64)
    return result
