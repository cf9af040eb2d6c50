"""The run that a training with a context began with, without one itself."""

from __future__ import annotations

import numpy as np

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import InputError, Undefined
from boltzbrain.model.rbm import RBM
from boltzbrain.training.run.run import TrainingRun


def started_from(run: TrainingRun, activity: Activity) -> tuple[TrainingRun, RBM] | Undefined:
    """Return the run that a training began with, and its model then; or why there is none.

    Its folds must be the same, so that both have seen the same bins.
    """
    told = run.info.get("from")
    if told is None:
        return Undefined("the training began with no other run (fit --from)")
    try:
        before = TrainingRun.open(told["folder"])
        model, same = before.model(told["update"]), before.activity()
    except InputError as error:
        return Undefined(f"the run that the training began with is not there: {error}")
    if before.id != told["run"]:
        return Undefined(f"{before.folder} is another run than the one the training began with")
    if not np.array_equal(same.fold, activity.fold):
        return Undefined("the run that the training began with has other folds")
    return before, model
