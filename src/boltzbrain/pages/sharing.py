"""Work shared among processes that are forked: they have what is in memory, and import nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from boltzbrain.kernels.machine import cores

T = TypeVar("T")
R = TypeVar("R")

PATIENCE_S = 120.0
"""How long nothing may come of any process before its work is done here."""


def shared(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return what a function makes of every item, on all cores where the system forks safely.

    Processes are forked on Linux alone: elsewhere what the system's libraries hold does not survive
    it, and a process that starts afresh takes as long to import matplotlib as it would save. What a
    process does not give, as it was killed or its work failed, is done here, so that an error is
    raised where it can be read.

    Parameters
    ----------
    work
        Uses NumPy and matplotlib alone: threads of OpenMP do not survive a fork.
    items
        What it is called with, each with no effect on the others.
    """
    processes = min(cores(), len(items))
    found: dict[int, R] = {}
    if processes > 1 and sys.platform == "linux":
        _collect(work, items, processes, found)
    return [found[place] if place in found else work(item) for place, item in enumerate(items)]


def _collect(
    work: Callable[[T], R], items: Sequence[T], processes: int, found: dict[int, R]
) -> None:
    """Fill in what processes give, each of which takes the next item that none has taken."""
    context = multiprocessing.get_context("fork")
    taken = context.Value("i", 0)
    started: dict[Connection[Any, Any], BaseProcess] = {}
    try:
        for _ in range(processes):
            mine, theirs = context.Pipe(duplex=False)
            given = (work, items, taken, theirs, (mine, *started))
            process = context.Process(target=_give, args=given, daemon=True)
            with warnings.catch_warnings():
                # threads that wait hold no lock that the work needs
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            started[mine] = process
        while started and (ready := wait(list(started), PATIENCE_S)):
            for connection in [one for one in started if one in ready]:
                try:
                    place, result = connection.recv()
                    found[place] = result
                except (EOFError, OSError):  # ended, or killed while it sent
                    started.pop(connection).join()
    finally:
        for left in started.values():
            left.kill()


def _give(
    work: Callable[[T], R],
    items: Sequence[T],
    taken: Any,
    to: Connection[Any, Any],
    ends_of_parent: Sequence[Connection[Any, Any]],
) -> None:
    """Work on items until none is left; leave without what a process does at its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its processes itself
    for end in ends_of_parent:
        end.close()  # else what is sent to a parent that was killed waits for ever
    with suppress(Exception):  # done again, and told, by the parent
        while True:
            with taken.get_lock():
                place = taken.value
                taken.value += 1
            if place >= len(items):
                break
            to.send((place, work(items[place])))
    # whatever the process holds of others (a GPU, open files) is left as it is
    os._exit(0)
