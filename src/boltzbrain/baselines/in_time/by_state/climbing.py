"""L-BFGS of many problems side by side, each with a step and a memory of its own.

Given the states and the past, neurons are independent: the regression is as many problems as there
are neurons, and one pass over the bins serves them all. So each has its own curvature (Nocedal,
Math. Comput. 35:773, 1980) and step, and none waits for another: where a step gained too little, it
is tried again, shorter, in the pass in which the others take their next one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MEMORY = 6
"""Steps that are remembered."""
_GAIN = 1e-4
"""Share of what the slope promises that a step must gain."""
_ROUNDING = 1e-7
"""Of the value, that float32 does not tell."""

Loss = Callable[[Tensor], tuple[Tensor, Tensor]]


class Climber:
    """A point of (row, problem), in units in which the curvature of every row is about 1.

    What is known of the curvature is kept from one call of `descend` to the next, where the loss
    is another one, but alike.
    """

    def __init__(self, point: Tensor) -> None:
        self.point = point
        # the last step is the newest; those of a problem that has fewer are 0
        self._steps = torch.zeros((MEMORY, *point.shape), dtype=point.dtype)
        self._changes = torch.zeros_like(self._steps)
        self._bends = torch.zeros((MEMORY, point.shape[1]), dtype=point.dtype)
        self._size = torch.ones(point.shape[1], dtype=point.dtype)

    def descend(self, loss: Loss, passes: int) -> Tensor:
        """Take so many steps down, and return the values there, (problem,), none above its first.

        Parameters
        ----------
        loss
            Returns (problem,) values and (row, problem) slopes at a point.
        passes
            Calls of it, beside the first.
        """
        value, slope = loss(self.point)
        way = self._way(slope)
        for _ in range(passes):
            size = self._size
            reached = self.point + size * way
            new_value, new_slope = loss(reached)
            promised = size * (way * slope).sum(dim=0)
            gained = new_value - value <= _GAIN * promised + _ROUNDING * value.abs()
            self._remember(gained, reached - self.point, new_slope - slope)
            # the lowest point of the parabola through both values and the first slope
            bend = 2 * (new_value - value - promised)
            shorter = size * (-promised / bend).clamp(0.1, 0.5)
            self.point = torch.where(gained, reached, self.point)
            value = torch.where(gained, new_value, value)
            slope = torch.where(gained, new_slope, slope)
            way = torch.where(gained, self._way(slope), way)
            self._size = torch.where(gained, 1.0, shorter)
        return value

    def _way(self, slope: Tensor) -> Tensor:
        """Return the direction of each problem's next step."""
        way, shares = -slope, []
        kept = list(zip(self._steps, self._changes, self._bends, strict=True))
        for step, change, bend in reversed(kept):
            shares.append(bend * (step * way).sum(dim=0))
            way = way - shares[-1] * change
        way = way * self._unit()
        for (step, change, bend), share in zip(kept, reversed(shares), strict=True):
            way = way + step * (share - bend * (change * way).sum(dim=0))
        return way

    def _unit(self) -> Tensor:
        """Return the step that a slope of 1 tells, by the last change of it."""
        bend = self._bends[-1] * (self._changes[-1] ** 2).sum(dim=0)
        return torch.where(bend > 0, 1 / bend, 1.0)

    def _remember(self, gained: Tensor, step: Tensor, change: Tensor) -> None:
        along = (step * change).sum(dim=0)
        known = gained & (along > 1e-10 * (change * change).sum(dim=0))
        for name, new in (("_steps", step), ("_changes", change), ("_bends", 1 / along)):
            old = getattr(self, name)
            setattr(self, name, torch.where(known, torch.cat([old[1:], new[None]]), old))
