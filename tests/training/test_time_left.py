"""The time left of a training: on a clock of known costs, what is shown is true within two."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from boltzbrain.foundations import progress
from boltzbrain.training.plan import make_plan
from boltzbrain.training.run.logs import TrainingLogs
from boltzbrain.training.train import train
from boltzbrain.training.update.state import State
from helpers.activities import activity_of

UPDATES = 300
COSTS = {
    # seconds of the first update and of the others, of the first score and of the others
    "slow to compile": (60.0, 0.1, 20.0, 0.5),
    "scores take the time": (5.0, 0.01, 30.0, 8.0),
    "updates take the time": (5.0, 2.0, 1.0, 0.1),
    "no compiling": (0.1, 0.1, 0.5, 0.5),
    "a first score slower than all the rest": (1.0, 0.1, 900.0, 0.1),
}


@pytest.mark.parametrize("costs", COSTS.values(), ids=COSTS.keys())
def test_what_is_shown_is_within_a_factor_of_two(costs, tmp_path, monkeypatch):
    first, update, first_score, score = costs
    now, done = [1000.0], {"step": 0, "keep": 0}
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def costing(owner, name, expensive, cheap):
        work = getattr(owner, name)

        def worked(*args):
            now[0] += cheap if done[name] else expensive
            done[name] += 1
            return work(*args)

        monkeypatch.setattr(owner, name, worked)

    costing(State, "step", first, update)
    costing(TrainingLogs, "keep", first_score, score)
    told = []
    states = np.random.default_rng(0).random((250, 5)) < 0.3
    activity = activity_of(states.astype(np.uint8), segment_bins=10)
    plan = make_plan(
        hidden=3, updates=UPDATES, batch=50, chains=20, sweeps=1, checkpoints=20, ais_chains=10,
        ais_rungs=10, late_restarts=0, learning_rate=0.001,
    )  # fmt: skip
    train(activity, plan, tmp_path / "run", [lambda one: told.append((one, now[0]))])
    end = now[0]
    shown = [(one, end - at) for one, at in told if one.seconds_left is not None]
    for one, left in shown:
        if left > 0:
            assert left / 2 <= one.seconds_left <= 2 * left, (one.done, one.phase)
    assert len(shown) > 0.7 * len(told)
    assert all(one.seconds_left is None for one, _ in told[:3])
    assert done["keep"] == len(plan.checkpoint_updates())
