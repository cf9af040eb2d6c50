"""What long work tells of itself, whoever listens."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Stage(Protocol):
    """One piece of long work that is shown to somebody."""

    def update(self, done: int, total: int) -> None:
        """Tell how many units are done and planned."""
        ...


class Stages(Protocol):
    """Where stages show themselves."""

    def stage(self, title: str, unit: str = "") -> AbstractContextManager[Stage]:
        """Open a stage; without a `unit` it has no total and only shows that it lives."""
        ...
