"""What the processes of a pool do in tests, which import it by its name; a sweep without them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numba

from boltzbrain.grid.one_run import complete


def work(folder, name, *, full, device):
    """Leave a mark, then do what the name of the run begins with; return what is seen here."""
    marks = Path(folder)
    (marks / f"{name}.{os.getpid()}").touch()
    match name.partition("-")[0]:
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "once":  # is killed the first time only
            if len(list(marks.glob(f"{name}.*"))) == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        case "fails":
            raise ValueError("a fault of its own")
        case "waits":
            time.sleep(60)
    time.sleep(0.2)
    return {
        "threads": [os.environ["OMP_NUM_THREADS"], numba.get_num_threads()],
        "pid": os.getpid(),
        "asked": [full, device],
    }


def one_after_another(folder, names, full, device, _workers, work=complete):
    """Do runs as `grid.workers.on_this_machine` does, in this process."""
    for name in names:
        try:
            yield name, work(folder, name, full=full, device=device), None
        except Exception as failure:
            yield name, None, failure


def exit_at_once(*_):
    """End the process before it has begun."""
    os._exit(1)
