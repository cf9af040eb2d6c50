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

WORKER_BYTES = 150e6
"""What a process that has imported PyTorch takes at least."""

PATIENCE = "20s"
"""How long a scheduler may take to answer."""


def completed(
    sweep: SweepFolder, grid: Grid, full: bool, workers: int | None, scheduler: str | None
) -> Iterator[tuple[str, dict[str, Any] | None, str]]:
    """Give each run as it ends: its name, its scores or None, and what went wrong."""
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
    with _client(workers, scheduler) as client:
        futures = {
            client.submit(
                complete, folder, run.name, full=full, pure=False, priority=-place,
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
