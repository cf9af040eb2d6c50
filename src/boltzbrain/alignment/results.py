"""What study.json says of every pair, gathered from the scores of its trainings."""

from __future__ import annotations

from typing import Any

import numpy as np

from boltzbrain.alignment.folder import CONTROLS, StudyFolder, Task
from boltzbrain.alignment.scores import nothing, value_of
from boltzbrain.alignment.work import FORMAT, SCORES, spatial_of_models
from boltzbrain.data.clusters import clustered_stderr, clusters_of
from boltzbrain.foundations.disk.files import read_ours

NOT_REFITTED = "its control was not refitted: one is per receiver (--controls all refits every one)"


def gathered(study: StudyFolder) -> dict[str, Any]:
    """Return the entries of study.json that tell what was found."""
    tasks = set(study.tasks())
    own = {name: _read(study, f"runs/{name}") for name in study.animals}
    pairs = []
    for teacher, receiver in study.pairs():
        student, blind = (
            _read(study, Task(kind, teacher, receiver).name) for kind in ("students", "blind")
        )
        controls = {
            kind: _read(study, Task(kind, teacher, receiver).name)
            for kind in CONTROLS
            if Task(kind, teacher, receiver) in tasks
        }
        shuffled = controls.get("shuffled")
        units = list(zip(blind.get("units", []), blind.get("found", []), strict=True))
        pairs.append(
            {
                "teacher": teacher,
                "receiver": receiver,
                "log_likelihood": _figure(student.get("likelihood", student), "test"),
                "blind_half": _figure(blind, "blind_half"),
                "blind_half_shuffled": nothing(NOT_REFITTED)
                if shuffled is None
                else _figure(shuffled, "blind_half"),
                "spatial_correlation": _figure(student, "spatial_correlation"),
                "blind_half_other_units": _figure(blind, "other_units"),
                "over_own_model": _paired(study, receiver, student, own[receiver]),
                "divergence": _figure(student, "divergence"),
                "controls": {
                    kind: {
                        name: _figure(one, name) for name in ("blind_half", "spatial_correlation")
                    }
                    for kind, one in controls.items()
                },
                "untrained": student.get("untrained", {}),
                "start": student.get("start", {}),
                "units": blind.get("units", []),
                "units_not_found": [
                    unit
                    for unit, (value, found) in enumerate(units)
                    if value is not None and not found
                ],
                "units_without_place": [unit for unit, one in enumerate(units) if one[0] is None],
            }
        )
    if study.rounds:
        pairs = _agreed(study, {one["receiver"]: one for one in pairs}, own)
    return {
        "pairs": pairs,
        "found": {"own": {name: one["likelihood"]["test"] for name, one in own.items()}},
    }


def _agreed(
    study: StudyFolder, begun: dict[str, dict[str, Any]], own: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return every ordered pair under the models that no animal is the standard of.

    The blind half is that of the students with which it began: of the first animal alone.
    """
    first = study.animals[0]
    scores = {name: _read(study, f"rounds/{study.rounds}-{name}") for name in study.animals}
    empty: dict[str, Any] = {
        name: nothing(f"the blind half is of students of {first} alone, where the rounds begin")
        for name in ("blind_half", "blind_half_shuffled", "blind_half_other_units")
    }
    found = []
    for teacher in study.animals:
        for receiver in study.animals:
            if teacher == receiver:
                continue
            started = begun[receiver] if teacher == first else {}
            told = {
                "controls": {}, "untrained": {}, "start": {}, "units": [], "units_not_found": [],
                "units_without_place": [], **empty, **started,
            }  # fmt: skip
            found.append(
                {
                    **told,
                    "teacher": teacher,
                    "receiver": receiver,
                    "log_likelihood": scores[receiver]["likelihood"]["test"],
                    "spatial_correlation": spatial_of_models(study, teacher, receiver),
                    "over_own_model": _paired(study, receiver, scores[receiver], own[receiver]),
                    "divergence": nothing("no animal is the standard"),
                }
            )
    return found


def _read(study: StudyFolder, name: str) -> dict[str, Any]:
    return read_ours(study.folder / name / SCORES, FORMAT)


def _figure(scores: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a figure of a training, null with the reason where that failed."""
    if "failed" in scores:
        return nothing(scores["failed"])
    found: dict[str, Any] = scores[name]
    return found


def _paired(
    study: StudyFolder, receiver: str, student: dict[str, Any], own: dict[str, Any]
) -> dict[str, Any]:
    """Return the student's log-likelihood over that of the receiver's own model, nats per bin."""
    if "failed" in student:
        return nothing(student["failed"])
    mine, its = student["likelihood"], own["likelihood"]
    if not mine["bins"]:
        return nothing("the test fold has no bins")
    activity = study.activity(receiver)
    apart = np.array(mine["bins"]) - np.array(its["bins"])
    error = clustered_stderr(apart, clusters_of(activity, activity.bins_of("test")))
    if isinstance(error, float):
        errors = (error, mine["log_partition_stderr"], its["log_partition_stderr"])
        error = float(np.sqrt(np.square(errors).sum()))
    return value_of(float(apart.mean()), error)
