"""A study in which no animal is the standard: rounds of training on the samples of all of them.

The students of the first animal are where it begins, since something must say which unit is which.
In every round the hidden samples of all animals are pooled, the same number of each, drawn anew by
the models of the round before, and every animal is trained on with the pool as its anchor.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from boltzbrain.alignment.folder import StudyFolder
from boltzbrain.alignment.students import SAMPLES, student_plan
from boltzbrain.foundations.random import Generator
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import train
from boltzbrain.training.update.anchored import write_samples


def round_names(study: StudyFolder, number: int) -> list[str]:
    """Return the folders of the runs of a round, counted from 1."""
    return [f"rounds/{number}-{name}" for name in study.animals]


def latest(study: StudyFolder, animal: str, number: int | None = None) -> TrainingRun:
    """Return the run of an animal after a round, the last if None; after round 0, where it begins.

    Raises
    ------
    InputError
        If it is not trained yet.
    """
    done = study.rounds if number is None else number
    if done:
        return TrainingRun.open(study.folder / f"rounds/{done}-{animal}")
    first = study.animals[0]
    return study.run(first) if animal == first else study.student(first, animal)


def write_pool(study: StudyFolder, number: int) -> None:
    """Draw the hidden samples that a round is anchored to, and write them if they are not there."""
    path = study.samples_path(f"round-{number}")
    if path.exists():
        return
    each = -(-SAMPLES // len(study.animals))
    parts = []
    for name in study.animals:
        stream = Generator.from_seed(study.asked["seed"], "pool", number, name)
        states = torch.from_numpy(study.activity(name).states_of("train"))
        picked = states[torch.from_numpy(stream.integers(len(states), each))]
        parts.append(latest(study, name, number - 1).best.sample_hidden(picked, stream))
    write_samples(path, torch.cat(parts))


def train_round(study: StudyFolder, place: Path, device: str) -> TrainingRun:
    """Train an animal for one round."""
    told, _, animal = place.name.partition("-")
    before = latest(study, animal, int(told) - 1)
    plan = round_plan(study, place, int(told))
    return train(
        study.activity(animal), plan, place, device=device, start=before, begin=before.best
    )


def round_plan(study: StudyFolder, place: Path, number: int) -> TrainingPlan:
    """Return the plan of a round: a share of a student's updates, in steps of one size."""
    asked = study.asked
    plan = student_plan(
        study.run(study.animals[0]),
        study.samples_path(f"round-{number}"),
        place,
        latent=asked["latent"],
        updates=asked["updates"],
        seed=asked["seed"] + number,
    )
    last = plan.final_learning_rate or plan.learning_rate
    changed: dict[str, Any] = {
        "updates": max(1, plan.updates // study.rounds),
        "learning_rate": math.sqrt(plan.learning_rate * last),
        "final_learning_rate": None,
        "checkpoints": 1,
        "release": 0.0,
    }
    return TrainingPlan(**{**plan.model_dump(), **changed})
