"""Ctrl-C, and the stop button of a notebook, of which Python by itself loses some."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_pressed = False


def _press(number: int, frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    signal.default_int_handler(number, frame)


@contextmanager
def stoppable() -> Iterator[None]:
    """Make sure that Ctrl-C ends the work in this context.

    Python raises `KeyboardInterrupt` wherever the program happens to be. Where that is the end of
    an object's life, such as the callback of a weak reference, the exception is printed and
    dropped, and the work would go on for hours. Here it is remembered: the next `raise_if_pressed`
    raises it again, or else the end of the outermost of such contexts does. One that was caught
    within, by whoever, is raised again as well.

    Whoever has a handler of his own for the signal keeps it, and so does another thread.

    Raises
    ------
    KeyboardInterrupt
        At the end of the outermost context, where none has left it and the work has ended since.
    """
    global _pressed
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _press)
    try:
        yield
        raise_if_pressed()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _pressed = False


def raise_if_pressed() -> None:
    """Raise the `KeyboardInterrupt` that was dropped, or caught, in the present `stoppable`.

    Raises
    ------
    KeyboardInterrupt
        Once for all times that the key was pressed.
    """
    global _pressed
    if _pressed and threading.current_thread() is threading.main_thread():
        _pressed = False
        raise KeyboardInterrupt
