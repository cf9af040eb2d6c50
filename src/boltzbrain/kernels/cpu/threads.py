"""One pool of threads for all compiled loops; each call shares its samples among them.

The loops release Python's lock, so plain threads run them side by side. Numba's own parallel loops
are not used: they take three times as long to compile, and the layer that they fall back on where
OpenMP is absent aborts the process when two threads enter it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from numba import config

from boltzbrain.kernels.machine import cores

SMALL = 20_000
"""Models with at most so many weights are too small for PyTorch to share an operation."""

_pool: ThreadPoolExecutor | None = None
_limits: list[int] = []
"""Of the loops, where they differ from PyTorch's; the innermost counts."""


def thread_count() -> int:
    """Return the number of threads: PyTorch's, at most NUMBA_NUM_THREADS and the cores granted."""
    allowed: int = vars(config)["NUMBA_NUM_THREADS"]
    threads = _limits[-1] if _limits else torch.get_num_threads()
    return max(1, min(threads, allowed, cores()))


@contextmanager
def one_thread(loops: int = 1) -> Iterator[None]:
    """Keep PyTorch's operations in one thread, and compiled loops in so many."""
    before = torch.get_num_threads()
    _limits.append(loops)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _limits.pop()


@contextmanager
def unshared(weights: int) -> Iterator[None]:
    """Keep PyTorch's own operations in one thread while a small model is worked on.

    A small operation gains nothing by a second thread, and waits for it: where PyTorch was loaded
    with spinning threads, beside a busy neighbour, a hundred times as long as it takes. Compiled
    loops go on with all threads.

    Parameters
    ----------
    weights
        Weights of the model; above `SMALL` nothing changes.
    """
    if weights > SMALL:
        yield
        return
    with one_thread(loops=thread_count()):
        yield


def share(task: Callable[[int, int], object], total: int, *, least: int, most: int) -> None:
    """Call ``task(first, count)`` on stretches that cover range(total), on all threads.

    Parameters
    ----------
    task
        Must not depend on how the range is cut.
    total
        Number of items.
    least, most
        Bounds on the items of a stretch; `least` items are too few to be worth a thread.
    """
    threads = thread_count()
    stretches = min(max(threads, -(-total // most)), max(1, total // least))
    if threads > 1 and stretches > threads:
        stretches = -(-stretches // threads) * threads
    edges = [total * number // stretches for number in range(stretches + 1)]
    pieces = [(first, last - first) for first, last in itertools.pairwise(edges)]
    if threads == 1 or len(pieces) == 1:
        for first, count in pieces:
            task(first, count)
        return
    waiting = iter(pieces)

    def work() -> None:
        # next() of one iterator hands every piece to exactly one thread
        for first, count in waiting:
            task(first, count)

    helpers = [_threads().submit(work) for _ in range(min(threads, len(pieces)) - 1)]
    try:
        work()
    finally:
        for helper in helpers:
            helper.result()


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="boltzbrain")
    return _pool


def _forget() -> None:
    # the threads of a pool do not survive a fork
    global _pool
    _pool = None


if torch.get_num_threads() > cores():
    # PyTorch counts the cores of the machine, also where a container has a share of them only
    torch.set_num_threads(cores())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
