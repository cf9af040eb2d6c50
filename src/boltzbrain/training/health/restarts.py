"""What a training has been through: the L1 penalty that was chosen, and the restarts.

Everything here follows from the state of the training, never from a clock, and is kept in every
checkpoint, so that a training that is killed and resumed takes the same course.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

MENDS: tuple[tuple[float, int], ...] = ((3.0, 1), (10.0, 1), (10.0, 2), (30.0, 4))
"""What each restart divides the learning rate by, and what it multiplies the batch by."""


@dataclass(frozen=True)
class Restart:
    """One return to an earlier checkpoint.

    Attributes
    ----------
    update
        When the trouble was noticed.
    back_to
        Update of the checkpoint that the training went back to.
    reason
        What was wrong.
    """

    update: int
    back_to: int
    reason: str


@dataclass(frozen=True)
class Interventions:
    """What was done to a training: its state beside its parameters and chains.

    Attributes
    ----------
    restarts
        In the order in which they happened.
    l1
        The L1 penalty chosen on the validation fold; None before, and without a choice.
    abandoned
        The trial of an L1 penalty that ended in a collapse, as a larger one would have.
    """

    restarts: tuple[Restart, ...] = ()
    l1: float | None = None
    abandoned: Restart | None = None

    @property
    def rate_divisor(self) -> float:
        """What the learning rates of the plan are divided by."""
        return MENDS[len(self.restarts) - 1][0] if self.restarts else 1.0

    @property
    def batch_factor(self) -> int:
        """What the batch of the plan is multiplied by."""
        return MENDS[len(self.restarts) - 1][1] if self.restarts else 1

    @property
    def exhausted(self) -> bool:
        """Whether there is no restart left."""
        return len(self.restarts) == len(MENDS)

    def restarted(self, restart: Restart) -> Interventions:
        """Return the interventions after one more restart."""
        return replace(self, restarts=(*self.restarts, restart))

    def includes(self, earlier: Interventions, update: int) -> bool:
        """Return whether a checkpoint taken at `update` of another course lies on this one.

        It does not if a later restart went back to before it.
        """
        seen = len(earlier.restarts)
        return self.restarts[:seen] == earlier.restarts and all(
            update <= one.back_to for one in self.restarts[seen:]
        )

    def to_json(self) -> dict[str, Any]:
        """Return them in the types of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Interventions:
        """Return the interventions that `to_json` gave."""
        restarts = tuple(Restart(**one) for one in content.get("restarts", ()))
        abandoned = content.get("abandoned")
        return cls(restarts, content.get("l1"), abandoned and Restart(**abandoned))
