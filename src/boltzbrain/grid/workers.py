"""The processes of a sweep on this machine, and what they give back."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from boltzbrain.foundations.checks import InputError, TrainingFailedError
from boltzbrain.foundations.memory import require_size
from boltzbrain.grid.folder import SweepFolder
from boltzbrain.grid.one_run import complete
from boltzbrain.grid.points import Grid
from boltzbrain.kernels.devices import device_of, gpus, take_turn
from boltzbrain.kernels.machine import cores
from boltzbrain.training.device import device_for

WORKER_BYTES = 150e6
"""What a process that has imported PyTorch takes at least."""

MOST_WORKERS = 61 if sys.platform == "win32" else 1024
"""Most processes of a pool: Windows waits for no more at once."""

PATIENCE_S = 10.0
"""How long a process that is asked to end may take."""

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
_KILLED = "its process was killed, as for want of memory; --resume tries it again"
_NOT_BEGUN = (
    'its process ended before it began; in a script, call sweep under if __name__ == "__main__"'
)

Scores = dict[str, Any]
Outcome = tuple[str, Scores | None, BaseException | None]
"""Name of a run, its scores or None, and what went wrong."""


def completed(
    sweep: SweepFolder,
    grid: Grid,
    full: bool,
    workers: int | None,
    scheduler: str | None,
    device: str,
) -> Iterator[tuple[str, Scores | None, str]]:
    """Give each run as it ends: its name, its scores or None, and what went wrong.

    The processes of this machine take its GPUs in turn, and there are as many of them as GPUs where
    these do the work and nobody asks for another number. No workers are this process itself. Of a
    scheduler's workers each takes the first GPU that it sees.

    Raises
    ------
    InputError
        If the scheduler cannot be reached, or Dask is not installed for it.
    """
    if workers:
        require_size("workers", workers, each_bytes=WORKER_BYTES)
    # long runs first: the last to end would otherwise be a large one, alone
    order = sorted(grid.runs, key=lambda run: (-run.plan.hidden * run.plan.updates, run.name))
    names = [run.name for run in order]
    folder = str(sweep.folder.resolve())
    if scheduler is not None:
        from boltzbrain.grid.cluster import on_cluster

        found = on_cluster(scheduler, folder, names, full, device)
    elif workers == 0:
        found = _here(folder, names, full, device, complete)
    else:
        number = workers or workers_for(grid, device, sweep.info["data"]["neurons"]) or cores()
        found = on_this_machine(folder, names, full, device, number)
    # the table must not depend on where the sweep lies
    here = f"{folder}{os.sep}"
    for name, scores, failure in found:
        yield name, scores, "" if failure is None else told(failure).replace(here, "")


def completed_by(
    work: Callable[..., Scores],
    folder: Path,
    names: Sequence[str],
    *,
    workers: int | None,
    scheduler: str | None,
    device: str,
) -> Iterator[tuple[str, Scores | None, str]]:
    """Give what `work` makes of each name as it ends, as `completed` does of the runs of a grid.

    Parameters
    ----------
    work
        Called as `one_run.complete` is, in a process of its own.
    folder
        What it works in.
    names
        The first to be begun first.
    workers, scheduler, device
        As of `completed`; as many workers as cores if None, and 0 does it all in this process.

    Raises
    ------
    InputError
        As of `completed`.
    """
    if workers:
        require_size("workers", workers, each_bytes=WORKER_BYTES)
    place = str(folder.resolve())
    if scheduler is not None:
        from boltzbrain.grid.cluster import on_cluster

        found = on_cluster(scheduler, place, names, False, device, work)
    elif workers == 0:
        found = _here(place, names, False, device, work)
    else:
        found = on_this_machine(place, names, False, device, workers or cores(), work)
    for name, scores, failure in found:
        error = "" if failure is None else told(failure).replace(f"{place}{os.sep}", "")
        yield name, scores, error


def _here(
    folder: str, names: Sequence[str], full: bool, device: str, work: Callable[..., Scores]
) -> Iterator[Outcome]:
    """Do runs in this process, one after another."""
    threads = torch.get_num_threads()
    for name in names:
        try:
            yield name, work(folder, name, full=full, device=device), None
        except (InputError, TrainingFailedError) as error:
            yield name, None, error
        finally:
            torch.set_num_threads(threads)


def on_this_machine(
    folder: str,
    names: Sequence[str],
    full: bool,
    device: str,
    workers: int,
    work: Callable[..., Scores] = complete,
) -> Iterator[Outcome]:
    """Do runs in processes of this machine; give each as it ends, its scores or what went wrong.

    A process that is killed takes all processes of its pool with it. What they were doing is done
    again in halves, until a run whose process is killed is alone; that one fails.
    """

    def pool(some: Sequence[str], processes: int) -> Iterator[Outcome]:
        return _pool(folder, some, full, device, processes, work)

    left = list(names)
    while left:
        broken = set()
        for outcome in pool(left, workers):
            if isinstance(outcome[2], BrokenProcessPool):
                broken.add(outcome[0])
            else:
                yield outcome
        # at most so many were at work, the first of those that were left; the others had not begun
        left = [name for name in left if name in broken]
        yield from _halved(left[:workers], pool)
        left = left[workers:]


def _halved(
    names: Sequence[str], pool: Callable[[Sequence[str], int], Iterator[Outcome]]
) -> Iterator[Outcome]:
    """Do runs of which one or more break their pool, so that the others are done side by side."""
    half = max(1, len(names) // 2)
    for part in (names[:half], names[half:]):
        broken = []
        for outcome in pool(part, len(part)) if part else ():
            if isinstance(outcome[2], BrokenProcessPool) and len(part) > 1:
                broken.append(outcome[0])
            else:
                yield outcome
        if broken:
            yield from _halved(broken, pool)


def _pool(
    folder: str,
    names: Sequence[str],
    full: bool,
    device: str,
    workers: int,
    work: Callable[..., Scores],
) -> Iterator[Outcome]:
    """Do runs in one pool, the first to be given first; its processes end with it."""
    context = multiprocessing.get_context("spawn")
    turn, begun = context.Value("i", 0), context.SimpleQueue()
    processes = min(workers, len(names), MOST_WORKERS)
    pool = ProcessPoolExecutor(
        processes, context, initializer=_begin, initargs=(turn, begun, device)
    )
    futures: dict[Future[Scores], str] = {}
    try:
        with _environment(_ONE_THREAD):
            for name in names:
                try:
                    futures[pool.submit(work, folder, name, full=full, device=device)] = name
                except BrokenProcessPool:
                    break
        for future in as_completed(futures):
            failure = future.exception()
            if isinstance(failure, BrokenProcessPool):
                failure = BrokenProcessPool(_NOT_BEGUN if begun.empty() else _KILLED)
            yield futures[future], None if failure else future.result(), failure
        for name in names[len(futures) :]:
            yield name, None, BrokenProcessPool(_NOT_BEGUN if begun.empty() else _KILLED)
    finally:
        # from Python 3.14 on, terminate_workers does this
        mine = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        _end(mine)


def _end(processes: Sequence[BaseProcess]) -> None:
    """End processes that may be at work on what nobody waits for any more."""
    for one in processes:
        one.terminate()
    for one in processes:
        one.join(PATIENCE_S)
        if one.is_alive():
            one.kill()


def _begin(turn: Any, begun: Any, device: str) -> None:
    """Prepare a process of the pool: its GPU, and its end if that of the sweep comes first."""
    # the sweep itself is told of Ctrl-C, and ends its processes
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    with turn.get_lock():
        number = turn.value
        turn.value += 1
    begun.put(os.getpid())
    if device != "cpu":
        take_turn(number)


def _follow() -> None:
    """End this process when the one that began it is gone, as after a kill."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables that processes begun within inherit."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def require_device(device: str, scheduler: str | None) -> None:
    """Refuse a device that this machine lacks; what the workers of a scheduler have, they know.

    Raises
    ------
    InputError
        If it does.
    """
    if scheduler is None:
        device_of(device, 0.0)


def workers_for(grid: Grid, device: str, neurons: int) -> int | None:
    """Return how many processes there are unless another number is asked for; None for all cores.

    Parameters
    ----------
    grid
        The runs.
    device
        As it was asked for.
    neurons
        Number of neurons.
    """
    places = {device_for(device, run.plan, neurons) for run in grid.runs}
    if all(place.type == "cpu" for place in places):
        return None
    return 1 if device.startswith("cuda:") else gpus()


def told(error: BaseException) -> str:
    """Return what went wrong, in one line."""
    known = isinstance(error, (InputError, TrainingFailedError, BrokenProcessPool))
    text = " ".join(str(error).split())
    return text if known else f"{type(error).__name__}: {text}"
