"""A Ctrl-C that Python drops ends the work all the same."""

import signal
import sys
import threading
import weakref

import pytest

import boltzbrain as bb
from boltzbrain.cli.commands import pages
from boltzbrain.cli.main import main
from boltzbrain.foundations.progress import SILENT
from boltzbrain.foundations.showing.display import Stage, showing
from boltzbrain.foundations.stopping import stoppable
from boltzbrain.training.plan import make_plan
from boltzbrain.training.train import train
from helpers.command_line import write_small


class Short:
    """Something whose life ends."""


def _press_at_the_end(_):
    signal.raise_signal(signal.SIGINT)


def press_where_it_is_dropped():
    short = Short()
    reference = weakref.ref(short, _press_at_the_end)
    del short
    assert reference() is None


@pytest.fixture(autouse=True)
def dropped(monkeypatch):
    """What Python has dropped; and Ctrl-C is as in a program of its own."""
    found = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: found.append(told.exc_type))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield found
    signal.signal(signal.SIGINT, before)


def in_turn(*steps, within=stoppable):
    """Take steps of a piece of work."""
    with within():
        for step in steps:
            step()


def tell():
    SILENT(1, 2)


def test_python_by_itself_drops_it(dropped):
    press_where_it_is_dropped()
    tell()
    assert dropped == [KeyboardInterrupt]


def test_the_next_thing_that_is_told_raises_it(dropped):
    reached = []
    with pytest.raises(KeyboardInterrupt):
        in_turn(
            press_where_it_is_dropped, lambda: reached.append(1), tell, lambda: reached.append(2)
        )
    assert (dropped, reached) == ([KeyboardInterrupt], [1])
    tell()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_anything_told_the_end_of_the_work_raises_it(dropped):
    reached = []
    with pytest.raises(KeyboardInterrupt):
        in_turn(
            press_where_it_is_dropped,
            lambda: reached.append(1),
            within=lambda: showing(False, "reading", ()),
        )
    assert (dropped, reached) == ([KeyboardInterrupt], [1])


def test_one_that_is_not_dropped_is_raised_once_and_at_once(dropped):
    reached = []
    with pytest.raises(KeyboardInterrupt):
        in_turn(lambda: in_turn(lambda: _press_at_the_end(None), lambda: reached.append(1)))
    tell()
    assert (dropped, reached) == ([], [])


def test_a_failure_of_the_work_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        in_turn(press_where_it_is_dropped, lambda: 1 // 0)
    tell()


def test_the_handler_of_somebody_else_stays():
    told = []
    signal.signal(signal.SIGINT, lambda *_: told.append(1))
    in_turn(lambda: _press_at_the_end(None), tell)
    assert told == [1]


def test_another_thread_is_not_the_one_that_is_stopped():
    done = []
    thread = threading.Thread(target=lambda: in_turn(tell, lambda: done.append(1)))
    with pytest.raises(KeyboardInterrupt):
        in_turn(press_where_it_is_dropped, thread.start, thread.join, tell)
    assert done == [1]


def _press_at_the_third(progress):
    if progress.done == 3:
        press_where_it_is_dropped()


@pytest.mark.parametrize("shown", [True, False])
def test_a_training_stops_at_the_next_update(tmp_path, dropped, shown):
    states = bb.from_states([[0, 1], [1, 0], [1, 1], [0, 0]] * 50, 0.02)
    told = [_press_at_the_third]
    with pytest.raises(KeyboardInterrupt) as stopped:
        bb.fit(states, out=tmp_path / "run", hidden=2, updates=500, callbacks=told, progress=shown)
    assert dropped == [KeyboardInterrupt]
    assert "resume" in stopped.value.__notes__[0]
    assert bb.TrainingRun.open(tmp_path / "run").info["chosen_update"] is None


def test_a_training_that_nobody_shows_stops_too(tmp_path, dropped):
    counts = [[0, 1], [1, 0], [1, 1], [0, 0]] * 50
    activity = bb.from_states(counts, 0.02).binarize().split(seed=0)
    plan = make_plan(hidden=2, updates=500)
    with pytest.raises(KeyboardInterrupt):
        train(activity, plan, tmp_path / "run", [_press_at_the_third])
    assert dropped == [KeyboardInterrupt]


def test_a_command_in_which_nothing_is_told_stops_too(dropped, monkeypatch, capsys):
    monkeypatch.setattr(pages, "open_runs", lambda *_: press_where_it_is_dropped())
    monkeypatch.setattr("boltzbrain.pages.methods.methods", lambda _: "")
    with pytest.raises(SystemExit) as left:
        main(["methods", "run"])
    assert (left.value.code, dropped) == (130, [KeyboardInterrupt])
    assert capsys.readouterr().err.splitlines()[-1] == "Stopped."


def test_a_command_stops_and_tells_how_it_goes_on(tmp_path, dropped, monkeypatch, capsys):
    recording = write_small(tmp_path / "small.npz")
    monkeypatch.setattr(Stage, "show", lambda _, progress: _press_at_the_third(progress))
    with pytest.raises(SystemExit) as left:
        main(["fit", str(recording), "-o", str(tmp_path / "run"), "--hidden", "2"])
    assert (left.value.code, dropped) == (130, [KeyboardInterrupt])
    assert "boltzbrain fit --resume" in capsys.readouterr().err
