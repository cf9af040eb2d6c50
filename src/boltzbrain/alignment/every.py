"""What is done to every animal of a study by itself, side by side: training, evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from boltzbrain.alignment.folder import FILE, StudyFolder
from boltzbrain.alignment.work import complete
from boltzbrain.comparison.evaluate_run import evaluate_run
from boltzbrain.data.activity import Activity
from boltzbrain.data.activity_file import write_activity
from boltzbrain.foundations.checks import TrainingFailedError
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.foundations.disk.folders import given_path
from boltzbrain.foundations.progress import Callback, Teller
from boltzbrain.grid.workers import completed_by
from boltzbrain.interpretation.choices import Choices
from boltzbrain.interpretation.interpret import interpret_run
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.folder import environment
from boltzbrain.training.run.run import TrainingRun


def write_animals(folder: Path, activities: Mapping[str, Activity]) -> list[dict[str, Any]]:
    """Write the activity of every animal; return what study.json says of them."""
    (folder / "activities").mkdir(parents=True, exist_ok=True)
    animals = []
    for name, activity in activities.items():
        path = folder / "activities" / f"{name}.h5"
        write_activity(path, activity)
        animals.append(
            {
                "name": name,
                "recording": activity.source.path,
                "recording_sha256": activity.source.sha256,
                "activity_sha256": sha256(path),
                "neurons": activity.n_neurons,
                "bins": activity.n_bins,
                "regions": sorted(activity.regions),
            }
        )
    return animals


def start_fits(
    folder: Path,
    activities: Mapping[str, Activity],
    plan: TrainingPlan,
    groups: Sequence[str] = (),
) -> StudyFolder:
    """Make the folder of a study whose animals are trained by one plan, each by itself.

    Parameters
    ----------
    folder
        The folder.
    activities
        Animal to its activity.
    plan
        How all are trained.
    groups
        The group of each animal, if they have one.
    """
    animals = write_animals(folder, activities)
    for one, group in zip(animals, groups, strict=False):
        one["group"] = group
    content = {
        "asked": {"plan": plan.model_dump()},
        "animals": animals,
        "environment": environment(),
    }
    return StudyFolder.create(folder, content)


def evaluate_one(folder: str, name: str, *, full: bool, device: str = "auto") -> dict[str, Any]:
    """Evaluate the own run of an animal, in a process of its own."""
    del full
    found = evaluate_run(TrainingRun.open(Path(folder) / name), device=device)
    return {"gain": found["log_likelihood"]["gain"]}


def interpret_one(
    folder: str,
    name: str,
    *,
    choices: Mapping[str, Any],
    seed: int | None = None,
    full: bool = False,
    device: str = "auto",
) -> dict[str, Any]:
    """Interpret the own run of an animal, in a process of its own."""
    del full, device
    run = TrainingRun.open(Path(folder) / name)
    found = interpret_run(run, Choices(**choices), seed=seed)
    return {"assemblies": found.summary["assemblies"]}


def runs_to_compare(
    places: Iterable[TrainingRun | str | Path],
) -> tuple[list[TrainingRun], list[str]]:
    """Return runs, and those of the animals of studies among them, and their groups.

    Returns
    -------
    list, list
        The groups are empty unless every place is a study that tells them.
    """
    runs: list[TrainingRun] = []
    groups: list[str] = []
    for one in places:
        place = one.folder if isinstance(one, TrainingRun) else given_path("run", one)
        if (place / FILE).is_file():
            study = StudyFolder.open(place)
            runs += [TrainingRun.open(place / "runs" / name) for name in study.animals]
            groups += study.groups
        else:
            runs.append(TrainingRun.open(place))
    return runs, groups if len(groups) == len(runs) else []


def in_parallel(
    study: StudyFolder,
    work: Callable[..., dict[str, Any]] = complete,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> dict[str, dict[str, Any]]:
    """Do something to every animal of a study in the processes that sweeps use.

    Parameters
    ----------
    study
        The study.
    work
        `work.complete`, which trains and scores, `evaluate_one`, or `interpret_one` with choices.
    workers, scheduler, device, callbacks
        As of `grid.workers.completed_by`.

    Returns
    -------
    dict
        What `work` returned, by animal.

    Raises
    ------
    TrainingFailedError
        If one failed; the others are done all the same.
    """
    names = [f"runs/{name}" for name in study.animals]
    teller = Teller(callbacks, "animals", "animals")
    done: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    places = completed_by(
        work, study.folder, names, workers=workers, scheduler=scheduler, device=device
    )
    for name, found, error in places:
        animal = name.partition("/")[2]
        if found is None:
            failed[animal] = error
        else:
            done[animal] = found
        facts = {"failed": len(failed), "name": name, "error": error or None, "best": None}
        teller(len(done) + len(failed), len(names), facts=facts)
    if failed:
        name, error = next(iter(failed.items()))
        raise TrainingFailedError(f"{study.folder}: {name}: {error}")
    if work is complete:
        study.update(status="fitted")
    return {name: done[name] for name in study.animals}
