"""A figure that does not exist, and why: what stands in a result in the place of NaN."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Undefined:
    """A figure that does not exist, and why."""

    reason: str
