"""The same training again: with other seeds, and on each half of the recording.

Two trainings that explain a recording equally well need not have the same assemblies. What belongs
to the recording comes back; `interpret` says which does, from the runs that lie in ``repeats/``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boltzbrain.data.activity import GAP, TRAIN, Activity
from boltzbrain.data.steps import Step
from boltzbrain.foundations.checks import bad_input, whole_number_in
from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.foundations.showing.display import showing
from boltzbrain.grid.workers import completed_by, require_device
from boltzbrain.training.run.repeated import HALVES, REPEATS, repeats_of
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import resume, train

FEWEST_WITH_HALVES = 3
_SEEDS_OF_HALVES = 1001
"""Added to the seed of the run: a half that began at the weights of the run, or of the other half,
would end near them whatever the bins say."""
_HALF = "half_of_training_bins"


def repeat(
    run: TrainingRun | str | Path,
    times: int = 5,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> list[TrainingRun]:
    """Train a model again, each time in a run folder of its own in ``repeats/`` of the run.

    From three times on the last two train on the first and on the second half of the training bins,
    in time; all others on all of them; the seed is another each time. Those that are there already
    are kept, and one that was stopped goes on.

    Parameters
    ----------
    run
        A finished run, or its folder.
    times
        How many trainings there are to be.
    workers, scheduler, device, callbacks, progress
        As of `boltzbrain.sweep`; 0 workers are this process itself.

    Returns
    -------
    list
        The runs that ended, in order.

    Raises
    ------
    InputError
        If the run is not finished or is anchored to another animal's, or a training failed.
    """
    whole_number_in("times", times, low=1, high=1000)
    run = run if isinstance(run, TrainingRun) else TrainingRun.open(run)
    require_device(device, scheduler)
    if run.plan.anchor is not None:
        raise bad_input("run", "be a training by itself to be repeated", "a student of another")
    names = names_of(times)
    run.chosen_update  # noqa: B018  # refuses a run that is not finished
    failed: dict[str, str] = {}
    with (
        one_writer(run.folder, "fit --repeats"),
        showing(progress, "repeating", callbacks) as shown,
    ):
        (run.folder / REPEATS).mkdir(exist_ok=True)
        teller = Teller(shown, "repeating", "trainings")
        teller(0, times)
        done = completed_by(
            complete, run.folder, names, workers=workers, scheduler=scheduler, device=device
        )
        for number, (name, _, error) in enumerate(done, start=1):
            if error:
                failed[name] = error
            teller(number, times)
    if failed:
        name, error = next(iter(failed.items()))
        must = "all come to an end; the others are kept, and the same command tries these again"
        raise bad_input("repeats", must, f"{name}: {error}", file=run.folder)
    return repeats_of(run)


def names_of(times: int) -> list[str]:
    """Return the names of so many repeats.

    Examples
    --------
    >>> names_of(2), names_of(5)
    (['seed-1', 'seed-2'], ['seed-1', 'seed-2', 'seed-3', 'half-1', 'half-2'])
    """
    halves = list(HALVES) if times >= FEWEST_WITH_HALVES else []
    return [*(f"seed-{number}" for number in range(1, times - len(halves) + 1)), *halves]


def complete(folder: str, name: str, *, full: bool, device: str = "auto") -> dict[str, Any]:
    """Train one repeat of a run, or whatever of it is still to do; it runs in a process of its own.

    Parameters
    ----------
    folder
        The folder of the run.
    name
        One of `names_of`.
    full, device
        As of `one_run.complete`; nothing is evaluated.
    """
    torch.set_num_threads(1)
    run = TrainingRun.open(folder)
    place = Path(folder) / REPEATS / name
    if (place / "run.json").is_file():
        resume(place, device=device)
        return {}
    activity, plan = run.activity(), run.plan
    if name in HALVES:
        activity = half_of(activity, HALVES.index(name))
        more = _SEEDS_OF_HALVES + HALVES.index(name)
    else:
        more = int(name.removeprefix("seed-"))
    plan = plan.model_copy(update={"seed": plan.seed + more})
    train(activity, plan, place, device=device)
    return {}


def half_of(activity: Activity, which: int) -> Activity:
    """Return an activity of which the first (0) or the second half (1) of the training bins train.

    The other half is left out.
    """
    training = np.flatnonzero(activity.fold == TRAIN)
    other = np.array_split(training, len(HALVES))[1 - which]
    fold = activity.fold.copy()
    fold[other] = GAP
    return replace(
        activity,
        fold=fold,
        steps=(*activity.steps, Step(_HALF, {"half": which + 1, "left_out": len(other)})),
    )
