"""Methods of a lower room that a higher room keeps: `recording.binarize(...)`, `model.sample(...)`.

A class states the method, its options and what it promises; who keeps it is told by the top of the
house (`boltzbrain/__init__`), so that no room imports what lies above it. What is kept is imported
when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

_KEEPERS: dict[str, str] = {}


def hang(keepers: Mapping[str, str]) -> None:
    """Say who keeps which method: ``Class.method`` to ``room.module:function``."""
    _KEEPERS.update(keepers)


def keepers() -> Mapping[str, str]:
    """Return who keeps which method, as `hang` was told."""
    return dict(_KEEPERS)


def keeps(method: str) -> bool:
    """Say whether there is a keeper of a method."""
    return method in _KEEPERS


def keeper(method: str) -> Callable[..., Any]:
    """Return the function behind a method; it takes the object first."""
    module, _, name = _KEEPERS[method].partition(":")
    function: Callable[..., Any] = getattr(import_module(f"boltzbrain.{module}"), name)
    return function
