"""The processes of a sweep: all runs are done, whatever happens to some, and none is left over."""

from __future__ import annotations

import multiprocessing
import os
from types import SimpleNamespace

import psutil
import pytest

from boltzbrain.grid.workers import completed, on_this_machine, told
from helpers.working import exit_at_once, work


@pytest.fixture
def forked(monkeypatch):
    """Fork the processes of one that has imported what they need, for which each takes seconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["boltzbrain.grid.workers", "helpers.working"])
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: context)


def outcomes(folder, names, workers=2):
    found = on_this_machine(str(folder), names, True, "cpu", workers, work)
    return {name: (scores, failure) for name, scores, failure in found}


def test_every_run_has_one_thread_and_a_process_apart(tmp_path):
    before = dict(os.environ)
    found = outcomes(tmp_path, ["a", "b", "c"])
    assert all(scores["threads"] == ["1", 1] for scores, _ in found.values())
    assert os.getpid() not in {scores["pid"] for scores, _ in found.values()}
    assert found["a"][0]["asked"] == [True, "cpu"]
    assert dict(os.environ) == before


def test_no_workers_are_this_process_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("boltzbrain.grid.workers.complete", work)
    plan = SimpleNamespace(hidden=1, updates=1)
    runs = [SimpleNamespace(plan=plan, name=name) for name in ("a", "b")]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    sweep, grid = SimpleNamespace(folder=tmp_path), SimpleNamespace(runs=runs)
    found = list(completed(sweep, grid, True, 0, None, "cpu"))
    assert [(name, failure) for name, _, failure in found] == [("a", ""), ("b", "")]
    assert {scores["pid"] for _, scores, _ in found} == {os.getpid()}
    assert found[0][1]["asked"] == [True, "cpu"]


def test_a_run_that_fails_leaves_the_others_alone(tmp_path, forked):
    found = outcomes(tmp_path, ["fails-1", "a"])
    assert told(found["fails-1"][1]) == "ValueError: a fault of its own"
    assert found["a"][1] is None


@pytest.mark.parametrize(
    ("names", "workers"), [(["dies-1", "a", "b"], 2), (["a", "b", "once-1", "c"], 3)]
)
def test_a_run_whose_process_is_killed_is_tried_again_alone(tmp_path, names, workers, forked):
    found = outcomes(tmp_path, names, workers)
    assert sorted(found) == sorted(names)
    for name, (scores, failure) in found.items():
        if name.startswith("dies"):
            assert "its process was killed" in told(failure)
            assert len(list(tmp_path.glob(f"{name}.*"))) >= 2
        else:
            assert failure is None
            assert scores["asked"] == [True, "cpu"]


def test_processes_that_cannot_begin_are_told_with_the_way_out(tmp_path, monkeypatch, forked):
    # as of a script that begins itself anew in every process
    monkeypatch.setattr("boltzbrain.grid.workers._begin", exit_at_once)
    found = outcomes(tmp_path, ["a", "b"])
    assert all("if __name__ ==" in told(failure) for _, failure in found.values())


def test_no_process_outlives_a_sweep_that_is_given_up(tmp_path, forked):
    found = on_this_machine(str(tmp_path), ["a", "waits-1", "waits-2"], True, "cpu", 2, work)
    assert next(found)[0] == "a"
    at_work = multiprocessing.active_children()
    assert len(at_work) == 2
    found.close()
    assert not any(psutil.pid_exists(one.pid) for one in at_work)
    assert multiprocessing.active_children() == []
