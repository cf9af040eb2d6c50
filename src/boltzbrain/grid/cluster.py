"""A sweep on the workers of a Dask scheduler."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from boltzbrain.foundations.checks import bad_input, extra
from boltzbrain.grid.one_run import complete

PATIENCE = "20s"
"""How long a scheduler may take to answer."""


def on_cluster(
    scheduler: str,
    folder: str,
    names: Sequence[str],
    full: bool,
    device: str,
    work: Callable[..., dict[str, Any]] = complete,
) -> Iterator[tuple[str, dict[str, Any] | None, BaseException | None]]:
    """Do runs on the workers of a scheduler; give each as it ends, its scores or what went wrong.

    Raises
    ------
    InputError
        If Dask is not installed, or the scheduler does not answer.
    """
    distributed = extra("distributed", "sweep")
    try:
        client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise bad_input(
            "scheduler", "be the address of a Dask scheduler that answers", f"{error}"
        ) from error
    with client:
        futures = {
            client.submit(
                work, folder, name, full=full, device=device, pure=False, priority=-place,
            ): name
            for place, name in enumerate(names)
        }  # fmt: skip
        for future in distributed.as_completed(list(futures), loop=client.loop):
            failure = future.exception()
            yield futures[future], None if failure else future.result(), failure
