"""Chance with the memory of time kept: what is shifted, swapped or permuted, and what stays.

Activity and behaviour both remember, so that two series that know nothing of each other go together
by chance far more often than independent samples would (Harris, "Nonsense correlations in
neuroscience", bioRxiv 2020.11.29.402719). Each way leaves both as they are, and breaks only when
they go together:

- ``shifts``: within each segment the series is moved in a circle. It holds where the series is
  much the same throughout; a slow drift has too few independent shifts.
- ``segments``: whole segments are swapped among neighbours, of ten at most, so that what drifts
  over longer times stays; what every segment does alike at the same place in it does not count.
- ``sessions``: whole sessions are swapped, each with its own drift.
- trials: their labels are permuted among neighbours, of ten at most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boltzbrain.data.activity import stretches
from boltzbrain.data.clusters import ENOUGH
from boltzbrain.foundations.checks import bad_input, one_of
from boltzbrain.foundations.random import Generator

WAYS = ("auto", "shifts", "segments", "sessions")
BLOCK = 10
"""Trials or segments that follow each other and are permuted among themselves."""
FEWEST_SESSIONS = 5
_MOST_UNLIKE = 2.0


def permuted_in_blocks(
    number: int, draws: int, generator: Generator, block: int = BLOCK
) -> NDArray[np.int64]:
    """Return orders of a number of things, (draw, thing), each permuted in blocks of neighbours.

    The blocks begin elsewhere in every draw, so that no two neighbours are always apart.

    Examples
    --------
    >>> orders = permuted_in_blocks(25, 3, Generator.from_seed(0))
    >>> bool((np.sort(orders, axis=1) == np.arange(25)).all())
    True
    >>> bool((np.abs(orders - np.arange(25)) < 10).all())
    True
    """
    if number == 0:
        return np.empty((draws, 0), dtype=np.int64)
    keys = generator.uniform((draws, number)).numpy()
    begins = generator.integers(block, draws)
    keys += (np.arange(number)[None, :] + begins[:, None]) // block * 2.0
    return np.argsort(keys, axis=1).astype(np.int64)


@dataclass(frozen=True)
class SeriesNull:
    """How a series is broken from the activity.

    Attributes
    ----------
    way
        "shifts", "segments" or "sessions".
    first, length
        (piece,) first bin and number of bins of each segment, or session.
    """

    way: str
    first: NDArray[np.int64]
    length: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        segment: NDArray[np.int32],
        way: str = "auto",
        sessions: NDArray[np.int32] | None = None,
    ) -> SeriesNull:
        """Return the null of an activity's bins.

        Parameters
        ----------
        segment
            (bin,) segment of each.
        way
            One of `WAYS`; "auto" swaps segments where there are 20 or more of like length, and
            shifts within them where not.
        sessions
            (bin,) session of each bin, for "sessions".

        Raises
        ------
        InputError
            If there are fewer than five sessions, or a session is in several pieces.
        """
        one_of("null", way, WAYS)
        first, length = stretches(segment)
        if way == "sessions":
            known = 0 if sessions is None else len(np.unique(sessions))
            if sessions is None or known < FEWEST_SESSIONS:
                must = f"have {FEWEST_SESSIONS} sessions or more to swap (epochs tell them)"
                raise bad_input("null", must, f"{known}")
            return cls(way, *stretches(sessions))
        alike = float(length.max()) <= _MOST_UNLIKE * float(np.median(length))
        if way == "auto":
            way = "segments" if len(first) >= ENOUGH and alike else "shifts"
        return cls(way, first, length)

    @property
    def words(self) -> str:
        """What is done, for a caption."""
        return {
            "shifts": "moved in a circle within each segment",
            "segments": f"whole segments swapped among {BLOCK} neighbours",
            "sessions": "whole sessions swapped",
        }[self.way]

    def draw(self, generator: Generator, *, anywhere: bool = False) -> NDArray[np.int64]:
        """Return from which bin each bin takes the series, (bin,).

        Parameters
        ----------
        generator
            Moves on.
        anywhere
            Whether a shift may be as short as it comes: where each of several series is moved and
            they are held against each other, and not against one that rests.
        """
        pieces = len(self.first)
        piece = np.repeat(np.arange(pieces), self.length)
        place = np.arange(int(self.length.sum())) - np.repeat(self.first, self.length)
        if self.way == "shifts":
            # nearer than an eighth it would still be much the same
            least = 0 * self.length if anywhere else self.length // 8
            span = np.maximum(self.length - 2 * least, 1)
            by = least + (generator.uniform((1, pieces)).numpy()[0] * span).astype(np.int64)
            within: NDArray[np.int64] = (place + by[piece]) % self.length[piece]
            return np.asarray(self.first[piece] + within, dtype=np.int64)
        if self.way == "segments":
            order = permuted_in_blocks(pieces, 1, generator)[0]
            other = order[piece]
            turned: NDArray[np.int64] = self.first[other] + place % self.length[other]
            return turned
        other = generator.permutation(pieces)[piece]
        # a longer session is pressed onto a shorter one
        share: NDArray[np.int64] = place * self.length[other] // self.length[piece]
        return np.asarray(self.first[other] + share, dtype=np.int64)
