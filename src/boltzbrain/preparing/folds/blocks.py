"""Folds as stretches of time that take turns, with a gap wherever the fold changes.

The recording is cut into up to ten rounds of equal length, and each round holds a piece of training
bins, a held-out block, a second piece of training bins and the other held-out block. So a drift of
the rates, or a change of the animal's state, falls on every fold alike, which one long block at
the end would not give; and the blocks are the clusters from which the error of a score is had.

The default gap is 2 s: the population count of spikes forgets itself in some tenths of a second,
and the fluorescence of slow calcium indicators in about 2 s, so that bins beside a gap share
little but the slow state that no gap of a useful length removes. A gap is taken out of the training
bins. There are as many rounds as leave every held-out block at least five gaps long (one, if none
does), so that the gaps, four to a round, cost at most four fifths of a held-out share.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import GAP, TEST, TRAIN, VALIDATION
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.random import Generator
from boltzbrain.preparing.preparation import DEFAULT_GAP_S, LARGEST_GAP_SHARE

MOST_ROUNDS = 10
GAPS_PER_BLOCK = 5


def gap_of(gap_s: float | None, bins: int, bin_width_s: float) -> int:
    """Return the bins of a gap of so many seconds, by default 2 s or a hundredth of the recording.

    A gap longer than the recording gives as many bins as the recording has.
    """
    if gap_s is None:
        gap_s = min(DEFAULT_GAP_S, LARGEST_GAP_SHARE * bins * bin_width_s)
    return math.ceil(min(gap_s / bin_width_s, float(bins)) - 1e-6)


def block_folds(
    bins: int,
    bin_width_s: float,
    *,
    validation: float,
    test: float,
    gap_s: float | None,
    generator: Generator,
) -> tuple[NDArray[np.int8], dict[str, Any]]:
    """Return the fold of every bin and what was chosen.

    The lengths of the two training pieces of a round, which held-out block comes first, and whether
    the whole runs forwards or backwards are drawn at random.

    Parameters
    ----------
    bins, bin_width_s
        Number of bins, and seconds per bin.
    validation, test
        Shares of the bins.
    gap_s
        Seconds; None for the smaller of 2 s and a hundredth of the recording.
    generator
        One draw is taken.

    Returns
    -------
    tuple
        (bin,) int8 folds with -1 in gaps; and ``gap_s``, ``gap_bins``, ``rounds``.

    Raises
    ------
    InputError
        If the recording is too short for the shares or the gap.
    """
    gap = gap_of(gap_s, bins, bin_width_s)
    asked = gap * bin_width_s if gap_s is None else gap_s
    smaller = min(validation, test)
    block = max(1, GAPS_PER_BLOCK * gap)
    rounds = int(np.clip(math.floor(bins * smaller / block), 1, MOST_ROUNDS))
    edges = np.linspace(0, bins, rounds + 1).round().astype(np.int64)
    draw = generator.uniform((2, rounds + 1)).numpy()
    fold = np.full(bins, TRAIN, dtype=np.int8)
    for number in range(rounds):
        start, stop = int(edges[number]), int(edges[number + 1])
        length = stop - start
        held_out = [(VALIDATION, round(validation * length)), (TEST, round(test * length))]
        training = length - held_out[0][1] - held_out[1][1]
        least = max(2 * gap + 1, training // 4)
        if min(held_out[0][1], held_out[1][1]) < 1 or training < 2 * (2 * gap + 1):
            raise bad_input(
                "gap_s" if gap else "the recording",
                f"fit into {bins} bins of {bin_width_s:g} s with folds of {validation:g} and "
                f"{test:g}: at most {max(0, (training - 2) // 4) * bin_width_s:g} s of gap"
                if gap
                else "be long enough for three folds",
                asked if gap else f"{bins} bins",
            )
        if draw[0, number] < 0.5:
            held_out.reverse()
        piece = least + int(draw[1, number] * (training - 2 * least + 1))
        first = start + piece
        second = stop - held_out[1][1]
        _hold_out(fold, first, first + held_out[0][1], held_out[0][0], gap)
        _hold_out(fold, second, stop, held_out[1][0], gap)
    if draw[0, rounds] < 0.5:
        fold = fold[::-1].copy()
    return fold, {"gap_s": gap * bin_width_s, "gap_bins": gap, "rounds": rounds}


def _hold_out(fold: NDArray[np.int8], first: int, stop: int, code: int, gap: int) -> None:
    """Write a held-out block with its gaps into the training bins on both sides."""
    fold[max(0, first - gap) : first] = GAP
    fold[first:stop] = code
    fold[stop : stop + gap] = GAP
