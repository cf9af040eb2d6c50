"""A judgement, and the figures of evaluation.json that one rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["good", "fair", "poor", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """A judgement: how good, and one or two sentences with the figures that it rests on."""

    level: Level
    text: str


def at_most(level: Level, most: Level) -> Level:
    """Return a level, lowered to another where it is better; "unknown" stays."""
    order: tuple[Level, ...] = ("poor", "fair", "good")
    if level == "unknown":
        return level
    return min(level, most, key=order.index)


def figure_at(evaluation: Mapping[str, Any], path: str) -> float | None:
    """Return the figure under a dotted path, or None where it is null or absent."""
    value: Any = evaluation
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return None if value is None else float(value)


def reason_at(evaluation: Mapping[str, Any], path: str) -> str:
    """Return why a figure is null, in brackets after a space, or nothing."""
    reason = evaluation.get("reasons", {}).get(path)
    return f" ({reason})" if reason else ""
