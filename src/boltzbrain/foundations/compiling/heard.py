"""Who hears that a loop is being compiled; without Numba, which takes a second to import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_listeners: list[Callable[[bool], None]] = []


@contextmanager
def hearing(listener: Callable[[bool], None]) -> Iterator[None]:
    """Tell a listener of loops that are compiled meanwhile, as on the first use on a machine.

    Parameters
    ----------
    listener
        Called with True as a compilation begins and with False as it ends; they may be nested.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(begins: bool) -> None:
    """Tell everybody that a compilation begins or ends."""
    for listener in tuple(_listeners):
        listener(begins)
