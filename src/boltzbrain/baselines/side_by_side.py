"""L-BFGS on many independent problems side by side, which share each evaluation.

Every problem has a history (Nocedal, Math. Comput. 35:773, 1980) and a step of its own, and leaves
when it has converged: the losses are then asked of fewer. None waits for another: where a step
gained too little, it is tried again, shorter, while the others take their next one. What was learnt
of the curvature is kept from one search to the next, whose losses are alike, or differ by a known
quadratic term.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Losses = Callable[[Floats, Numbers], tuple[Floats, Floats]]
"""Values (asked,) and slopes (asked, entry) at points (asked, entry) of the problems named."""

_HISTORY = 10
_ENOUGH, _SHORTEST, _LONGEST = 1e-4, 0.1, 0.5
"""Share of the decrease that the slope promises, and bounds of the next step where it is missed."""


class SideBySide:
    """A search for the minima of convex losses, and what it knows of their curvature.

    Parameters
    ----------
    problems, entries
        How many there are, and of how many numbers a point consists.
    rounding
        Share of a loss that its rounding hides: a step that rises by less is taken.
    """

    def __init__(self, problems: int, entries: int, *, rounding: float = 0.0) -> None:
        self.evaluations, self.rounding = 0, rounding
        self._moved = np.zeros((problems, _HISTORY, entries))
        self._turned = np.zeros((problems, _HISTORY, entries))
        self._inverse = np.zeros((problems, _HISTORY))
        self._number = np.zeros(problems, dtype=np.int64)

    def add_square(self, change: Floats) -> None:
        """Tell that ``change / 2 * point**2`` (entry,) was added to all losses."""
        for place in range(_HISTORY):
            self._turned[:, place] += change * self._moved[:, place]
        curvature = np.einsum("nij,nij->ni", self._moved, self._turned)
        self._inverse = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=curvature > 0)

    def minimise(
        self,
        losses: Losses,
        start: Floats,
        problems: Numbers,
        *,
        curvature: Floats,
        iterations: int,
        precision: float,
    ) -> Floats:
        """Return the minima of some of the problems, (problem, entry).

        Parameters
        ----------
        losses
            Of these problems.
        start
            (problem, entry) where the search begins.
        problems
            (problem,) which of all they are.
        curvature
            (problem, entry) about the second derivatives.
        iterations
            Most evaluations.
        precision
            A problem is done when a step decreases its loss by less than this share of it.
        """
        found, point = start.copy(), start
        left = np.arange(len(problems))
        value, slope = losses(point, left)
        self.evaluations += 1
        step = np.ones(len(left))
        for _ in range(iterations - 1):
            direction = self._direction(slope, problems[left], curvature[left])
            promised = step * np.einsum("ni,ni->n", slope, direction)
            tried = point + step[:, None] * direction
            new_value, new_slope = losses(tried, left)
            self.evaluations += 1
            taken = new_value <= value + _ENOUGH * promised + self.rounding * np.abs(value)
            gained = np.where(taken, value - new_value, -promised)
            self._learn(problems[left[taken]], (tried - point)[taken], (new_slope - slope)[taken])
            point = np.where(taken[:, None], tried, point)
            # the minimum of a parabola through both values and the first slope
            above = 2 * (new_value - value - promised)
            shorter = np.divide(-promised, above, out=np.ones_like(above), where=above > 0)
            step = np.where(taken, 1.0, step * np.clip(shorter, _SHORTEST, _LONGEST))
            value = np.where(taken, new_value, value)
            slope = np.where(taken[:, None], new_slope, slope)
            found[left] = point
            stays = gained > precision * np.abs(value)
            if not stays.any():
                break
            left, step, value = left[stays], step[stays], value[stays]
            point, slope = point[stays], slope[stays]
        return found

    def _learn(self, problems: Numbers, moved: Floats, turned: Floats) -> None:
        curvature = np.einsum("ni,ni->n", moved, turned)
        usable = curvature > 0
        problems = problems[usable]
        place = self._number[problems] % _HISTORY
        self._moved[problems, place] = moved[usable]
        self._turned[problems, place] = turned[usable]
        self._inverse[problems, place] = 1 / curvature[usable]
        self._number[problems] += 1

    def _direction(self, slope: Floats, problems: Numbers, curvature: Floats) -> Floats:
        """Return the way down from here by what is known of the curvature, (problem, entry)."""
        number = self._number[problems]
        towards, shares = -slope, []
        for back in range(1, _HISTORY + 1):
            place = (number - back) % _HISTORY
            share = self._inverse[problems, place] * np.einsum(
                "ni,ni->n", self._moved[problems, place], towards
            )
            towards -= share[:, None] * self._turned[problems, place]
            shares.append(share)
        towards /= curvature
        last = (number - 1) % _HISTORY
        turned, inverse = self._turned[problems, last], self._inverse[problems, last]
        stretched = np.einsum("ni,ni->n", turned, turned / curvature) * inverse
        # never longer than told: the last step may have gone along a valley
        towards /= np.maximum(stretched, 1.0)[:, None]
        for back in range(_HISTORY, 0, -1):
            place = (number - back) % _HISTORY
            share = shares[back - 1] - self._inverse[problems, place] * np.einsum(
                "ni,ni->n", self._turned[problems, place], towards
            )
            towards += share[:, None] * self._moved[problems, place]
        return towards
