"""What callbacks are told: one record for all work, and what 0.1.0 called its parts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from boltzbrain.foundations import progress as module
from boltzbrain.foundations.progress import SILENT, Progress, Teller
from boltzbrain.model import RBM, Bernoulli, ReLU


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def small_model() -> RBM:
    return RBM(Bernoulli(torch.zeros(3)), ReLU(torch.zeros(2), torch.ones(2)), torch.zeros(3, 2))


def test_rate_and_time_left_are_those_of_the_phase_and_seconds_those_of_the_work(clock):
    seen = []
    whole = Teller([seen.append], before=50.0)
    clock[0] += 10
    phase = whole.phase("second", "cells")
    phase(0, 8)
    clock[0] += 4
    phase(2, 8)
    assert seen == [
        Progress("second", 0, 8, "cells", 60.0),
        Progress("second", 2, 8, "cells", 64.0, 0.5),
    ]
    for done in (3, 4, 5):
        clock[0] += 1
        phase(done, 8)
    assert seen[-1] == Progress("second", 5, 8, "cells", 67.0, 1.0, 3.0)


def test_a_part_counts_on_from_the_phase_that_it_belongs_to(clock):
    seen = []
    phase = Teller([seen.append], "samples")
    clock[0] += 1
    phase.part(3, 10)(2, 4)
    phase.part(3, 10).part(4, 6)(1, 2)
    assert [(one.done, one.total) for one in seen] == [(5, 10), (8, 10)]
    assert seen[0].rate == 5.0


def test_units_worked_and_not_units_done_make_the_rate_of_work_that_goes_back(clock):
    seen = []
    training = Teller([seen.append], "training", "updates")
    for worked in (10, 20, 30, 40):
        clock[0] += 2
        training(1000, 1100, worked=worked)
    training(1000, 1100, worked=40, name="scoring")
    assert (seen[-1].phase, seen[-1].rate, seen[-1].seconds_left) == ("scoring", 5.0, 20.0)


def test_nobody_need_listen():
    SILENT.phase("any").part(1, 3)(1, 2)


def test_names_of_0_1_0_work_and_name_the_new_one():
    told = Progress("training", 3, 9, "updates", 1.0, facts={"validation": 5, "restarts": ()})
    for old, new, value in (
        ("update", "done", 3),
        ("updates", "total", 9),
        ("updates_per_second", "rate", 0.0),
        ("validation", r"facts\['validation'\]", 5),
        ("restarts", r"facts\['restarts'\]", ()),
    ):
        with pytest.warns(DeprecationWarning, match=f"progress.{old} is .* use progress.{new}"):
            assert getattr(told, old) == value
    with pytest.raises(AttributeError, match="best"):
        told.best  # noqa: B018


def test_a_callback_of_two_numbers_works_with_a_warning():
    old, new = [], []
    with pytest.warns(DeprecationWarning, match="use callbacks"):
        first = small_model().sample(
            5, sweeps=25, anneal=3, callback=lambda done, total: old.append((done, total))
        )
    second = small_model().sample(5, sweeps=25, anneal=3, callbacks=[new.append])
    np.testing.assert_array_equal(first, second)
    assert old == [(one.done, one.total) for one in new]
    assert old[-1] == (28, 28)
    assert {(one.phase, one.unit) for one in new} == {("sampling", "sweeps")}


def within_two(seen, ends):
    """Return whether every shown estimate lies within a factor of two of the truth, and the share.

    `ends` are the seconds of the clock at each call and at the end.
    """
    shown = [
        (one.seconds_left, ends[-1] - at)
        for one, at in zip(seen, ends[:-1], strict=True)
        if one.seconds_left is not None and one.done < one.total
    ]
    assert all(truth / 2 <= left <= truth * 2 for left, truth in shown), shown
    return len(shown) / len(seen)


@pytest.mark.parametrize("first", [1.0, 60.0, 4000.0])
@pytest.mark.parametrize("second", [1.0, 30.0])
@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_first_units_that_compile_do_not_spoil_the_time_left(clock, first, second, jitter):
    generator = np.random.default_rng(0)
    seen, at = [], []
    phase = Teller([seen.append]).phase("sampling")
    for done in range(1, 201):
        unit = {1: first, 2: second}.get(done, 1.0)
        clock[0] += unit * (1 + jitter * generator.uniform(-1, 1))
        at.append(clock[0])
        phase(done, 200)
    assert within_two(seen, [*at, clock[0]]) > 0.9
    assert all(one.seconds_left is None for one in seen[:3])


def test_nothing_is_shown_while_the_units_do_not_agree(clock):
    seen = []
    phase = Teller([seen.append]).phase("sampling")
    for done in range(1, 12):
        clock[0] += 3.0**done
        phase(done, 20)
    assert all(one.seconds_left is None for one in seen)


def test_the_pace_of_many_units_is_kept_in_little_room(clock):
    seen = []
    phase = Teller([seen.append]).phase("sampling")
    for done in range(1, 20_001):
        clock[0] += 0.01
        phase(done, 40_000)
    assert seen[-1].seconds_left == pytest.approx(200.0)
    assert len(phase.pace._marks[""]._marks) <= 512
