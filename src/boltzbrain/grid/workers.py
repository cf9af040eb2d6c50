"""The processes of a sweep: a Dask cluster, on this machine or another, and what it gives back."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

from boltzbrain.foundations.checks import InputError, TrainingFailedError, bad_input
from boltzbrain.foundations.memory import require_size
from boltzbrain.grid.folder import SweepFolder
from boltzbrain.grid.one_run import complete
from boltzbrain.grid.points import Grid
from boltzbrain.kernels.devices import device_of, gpus, take_turn
from boltzbrain.training.device import device_for

WORKER_BYTES = 150e6
"""What a process that has imported PyTorch takes at least."""

PATIENCE = "20s"
"""How long a scheduler may take to answer."""


def completed(
    sweep: SweepFolder,
    grid: Grid,
    full: bool,
    workers: int | None,
    scheduler: str | None,
    device: str,
) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """Give each run as it ends: its name, its scores or None, and what went wrong.

    The processes of this machine take its GPUs in turn, and there are as many of them as GPUs where
    these do the work and nobody asks for another number. Of another scheduler's workers each takes
    the first GPU that it sees.
    """
    try:
        from distributed import as_completed
    except ImportError as error:
        raise bad_input(
            "dask", "be installed for a sweep: pip install 'boltzbrain[sweep]'", error
        ) from error
    if workers is not None:
        require_size("workers", workers, each_bytes=WORKER_BYTES)
    # long runs first: the last to end would otherwise be a large one, alone
    order = sorted(grid.runs, key=lambda run: (-run.plan.hidden * run.plan.updates, run.name))
    folder = str(sweep.folder.resolve())
    if workers is None and scheduler is None:
        workers = workers_for(grid, device, sweep.info["data"]["neurons"])
    with _client(workers, scheduler) as client:
        futures = {
            client.submit(
                _complete, folder, run.name, full=full, device=device, pure=False, priority=-place,
            ): run.name
            for place, run in enumerate(order)
        }  # fmt: skip
        for future in as_completed(list(futures), loop=client.loop):
            failure = future.exception()
            if failure is None:
                yield futures[future], future.result(), ""
            else:
                # the table must not depend on where the sweep lies
                yield futures[future], None, _told(failure).replace(f"{folder}{os.sep}", "")


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


def _complete(folder: str, name: str, *, full: bool, device: str) -> dict[str, Any]:
    """Do one run in a process of the cluster, on the GPU whose turn it is."""
    from distributed import get_worker

    number = get_worker().name
    if device != "cpu" and isinstance(number, int):
        take_turn(number)
    return complete(folder, name, full=full, device=device)


def _told(error: BaseException) -> str:
    """Return what went wrong, in one line."""
    known = isinstance(error, (InputError, TrainingFailedError))
    text = " ".join(str(error).split())
    return text if known else f"{type(error).__name__}: {text}"


@contextlib.contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    """Connect to a scheduler, or to a cluster on this machine that ends with the block."""
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            raise bad_input(
                "scheduler", "be the address of a Dask scheduler that answers", f"{error}"
            ) from error
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=os.cpu_count() if workers is None else workers,
            threads_per_worker=1,
            processes=True,
            # None would take the port 8787, and warn where that is in use, though nothing is shown
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,
            # a run that needs much memory is the user's choice, not to be killed half way
            memory_limit=0,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client
