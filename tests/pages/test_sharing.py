"""Work shared among processes: in order, and done here where a process does not give it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boltzbrain.pages import sharing
from boltzbrain.pages.sharing import shared

FORKS = sys.platform == "linux"


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setattr(sharing, "cores", lambda: 2)


def test_results_come_in_the_order_of_the_items_and_from_two_processes(two, tmp_path):
    def work(item):
        (tmp_path / str(os.getpid())).touch()
        deadline = time.monotonic() + 60
        # a machine with other work may let one of them begin much later
        while FORKS and len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        return item**2, os.getpid()

    found = shared(work, range(9))
    assert [one for one, _ in found] == [item**2 for item in range(9)]
    assert len({process for _, process in found} - {os.getpid()}) == (2 if FORKS else 0)


def test_on_one_core_nothing_is_forked(monkeypatch):
    monkeypatch.setattr(sharing, "cores", lambda: 1)
    assert shared(lambda _: os.getpid(), range(3)) == [os.getpid()] * 3


def test_an_error_is_raised_here(two):
    def work(item):
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        shared(work, range(6))


def test_what_a_killed_process_leaves_is_done_here(two):
    here = os.getpid()

    def work(item):
        if item == 1 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    assert shared(work, range(6)) == list(range(6))


def test_a_process_that_hangs_is_not_waited_for(two, monkeypatch):
    monkeypatch.setattr(sharing, "PATIENCE_S", 0.3)
    here = os.getpid()

    def work(item):
        if item == 1 and os.getpid() != here:
            time.sleep(60)
        return item

    began = time.monotonic()
    assert shared(work, range(4)) == list(range(4))
    assert time.monotonic() - began < 20


@pytest.mark.skipif(not FORKS, reason="processes are forked on Linux alone")
def test_no_process_outlives_a_parent_that_was_killed(tmp_path):
    program = f"""
import os, pathlib, signal, time
from boltzbrain.pages import sharing

sharing.cores = lambda: 2
folder = pathlib.Path({str(tmp_path)!r})

def work(item):
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    if item == 0:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(0.1)
    return bytes(10_000_000)  # more than a pipe holds

sharing.shared(work, range(4))
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    started = [int(one.name) for one in tmp_path.iterdir()]
    assert len(started) == 2
    deadline = time.monotonic() + 20
    while any(map(_runs, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, started))


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
