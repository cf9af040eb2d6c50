"""How long work will take, from how long its units took: told only when that is known."""

from __future__ import annotations

import math
from collections.abc import Mapping

UNIT = ""
"""The kind of work that the units themselves are."""

_MOST_MARKS = 512


class _Marks:
    """Units and seconds of one kind of work, each time that some were done."""

    def __init__(self) -> None:
        self._marks = [(0, 0.0)]

    def add(self, units: int, seconds: float) -> None:
        done, spent = self._marks[-1]
        self._marks.append((done + units, spent + seconds))
        if len(self._marks) > _MOST_MARKS:
            self._marks = [*self._marks[:-1:2], self._marks[-1]]

    def _from(self, share: float, first: int) -> int:
        """Return the first mark, from `first` on, at which a share of the units was done."""
        least = self._marks[first][0] + share * (self._marks[-1][0] - self._marks[first][0])
        return next(at for at in range(first, len(self._marks)) if self._marks[at][0] >= least)

    def _cost(self, first: int, last: int) -> float:
        (units, seconds), (more, later) = self._marks[first], self._marks[last]
        return (later - seconds) / (more - units)

    def bounds(self) -> tuple[float, float]:
        """Return the least and the most seconds that a further unit is expected to take.

        The first half of the units is left out: compiling and warming up lie there. What follows is
        taken in two parts, which are the bounds; from too few units only the upper one is known.
        """
        last = len(self._marks) - 1
        if last < 1:
            return 0.0, math.inf
        half = self._from(0.5, 0)
        if half == last:
            return 0.0, self._cost(last - 1, last)
        middle = self._from(0.5, half)
        if middle == last:
            return 0.0, self._cost(half, last)
        parts = self._cost(half, middle), self._cost(middle, last)
        return min(parts), max(parts)

    def rate(self) -> float | None:
        """Return units per second over the later half of them, None where none took any time."""
        last = len(self._marks) - 1
        if last < 1:
            return None
        half = self._from(0.5, 0)
        cost = self._cost(0 if half == last else half, last)
        return 1 / cost if cost > 0 else None


class Pace:
    """The pace of a piece of work: of its units, and of what is done between them.

    Parameters
    ----------
    now
        Seconds of the clock that all further times are of.
    """

    def __init__(self, now: float) -> None:
        self._doing, self._since, self._done = UNIT, now, 0
        self._marks = {UNIT: _Marks()}

    def told(self, kind: str, done: int, now: float) -> None:
        """Take note that `done` units are done, and that work of a kind begins now.

        Parameters
        ----------
        kind
            `UNIT`, or the name of what is done between units, such as a score.
        done
            Units that are done.
        now
            Seconds of the clock.
        """
        more, spent = done - self._done, now - self._since
        if self._doing == kind == UNIT and more <= 0:
            return  # within a unit
        if self._doing != UNIT:
            self._marks.setdefault(self._doing, _Marks()).add(1, spent)
        elif more > 0:
            self._marks[UNIT].add(more, spent)
        self._doing, self._since, self._done = kind, now, done

    def rate(self) -> float | None:
        """Return units per second, what is done between them left out; None before the first."""
        return self._marks[UNIT].rate()

    def seconds_left(self, to_come: Mapping[str, int]) -> float | None:
        """Return the seconds that the units to come will take, None until that is known.

        It is known when its bounds lie within a factor of two; their geometric mean is told.

        Parameters
        ----------
        to_come
            Units of each kind.
        """
        bounds = [
            (count, *self._marks.get(kind, _Marks()).bounds())
            for kind, count in to_come.items()
            if count > 0
        ]
        low = sum(count * least for count, least, _ in bounds)
        high = sum(count * most for count, _, most in bounds)
        return math.sqrt(low * high) if high <= 2 * low else None
