"""The plan of a student, its first model, and the hidden samples that it is drawn to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from boltzbrain.alignment.calibration import calibrated
from boltzbrain.alignment.folder import StudyFolder, Task
from boltzbrain.alignment.register import Neurons, midline_of
from boltzbrain.alignment.starts import Start, start_of
from boltzbrain.data.activity import Activity
from boltzbrain.foundations.disk.files import sha256
from boltzbrain.foundations.random import Generator
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.training.anchor import Anchor
from boltzbrain.training.plan import PRESETS, TrainingPlan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.update.anchored import read_samples, write_samples

SAMPLES = 20_000
"""Hidden samples that a teacher gives at least: every training bin once, or several times."""
_CHECKPOINTS = 6
_LEAST_UPDATES = 100
_BINS = 2000
"""Hidden samples that set the first fields."""


def write_hidden(study: StudyFolder, animal: str) -> None:
    """Draw h given every training bin of a teacher, and write the samples if they are not there."""
    path = study.samples_path(animal)
    if path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    run = study.run(animal)
    states = torch.from_numpy(run.activity().states_of("train"))
    stream = Generator.from_seed(study.asked["seed"], "samples", animal)
    rounds = max(1, -(-SAMPLES // len(states)))
    model = run.best
    write_samples(path, torch.cat([model.sample_hidden(states, stream) for _ in range(rounds)]))


def student_plan(
    teacher: TrainingRun, samples: Path, run: Path, *, latent: float, updates: int | None, seed: int
) -> TrainingPlan:
    """Return the plan of a student: that of its teacher as far as it starts from a model.

    The L1 penalty is that which the teacher's training chose; hidden precisions rest, as the
    samples have the scale of the teacher's; activity is not normalised.

    Parameters
    ----------
    teacher
        A finished run.
    samples
        The file of its hidden samples.
    run
        Folder of the student, from which the plan tells the file.
    latent
        Share of the second term.
    updates
        Of the training; half the teacher's if None.
    seed
        Of every stream.
    """
    plan, model = teacher.plan, teacher.best
    penalties = teacher.penalties_at(teacher.chosen_update)
    onward = plan.model_dump()
    if plan.weights_from == "assemblies":
        # a recipe of moves: its neighbour climbs by sweeps
        onward |= {**PRESETS["compositional"], "preset": "compositional", "chains_by": "gibbs"}
    count = max(_LEAST_UPDATES, plan.updates // 2) if updates is None else updates
    place = Path(os.path.relpath(samples, run))
    changed: dict[str, Any] = {
        "hidden": len(model.hidden),
        "hidden_kind": model.hidden.kind,
        "weights_from": "noise",
        "assemblies": False,
        "normalised": False,
        "fixed_precisions": True,
        "l1": penalties.l1 if plan.weights_from != "assemblies" else 0.0,
        "l1_choices": None,
        "l1_warmup": 0.0,
        "late_restarts": 0,
        "updates": count,
        "checkpoints": min(plan.checkpoints, _CHECKPOINTS),
        "score_every": None,
        "patience": None,
        "seed": seed,
        "anchor": Anchor(samples=place.as_posix(), sha256=sha256(samples), weight=latent),
    }
    return TrainingPlan(**{**onward, **changed})


def own_plan(run: TrainingRun, seed: int) -> TrainingPlan:
    """Return the plan by which the other animals are trained: that of the given run."""
    return TrainingPlan(**{**run.plan.model_dump(), "seed": seed, "anchor": None})


@dataclass(frozen=True, eq=False)
class Pair:
    """A teacher and a receiver, with what a student of the one begins with.

    Attributes
    ----------
    model
        The teacher's.
    hidden
        (sample, hidden) its hidden samples.
    giver, taker
        Neurons of both.
    activity
        Of the receiver.
    """

    model: RBM
    hidden: Tensor
    giver: Neurons
    taker: Neurons
    activity: Activity

    @classmethod
    def of(cls, study: StudyFolder, teacher: str, receiver: str) -> Pair:
        """Read a pair of a study."""
        return cls(
            study.run(teacher).best,
            read_samples(study.samples_path(teacher)),
            study.neurons(teacher),
            study.neurons(receiver),
            study.activity(receiver),
        )

    def start(self, study: StudyFolder, taker: Neurons | None = None) -> Start:
        """Return the first weights of the receiver's neurons, or of ones told to lie elsewhere."""
        weights = self.model.weights.to(torch.float64).numpy()
        return start_of(study.register, self.giver, weights, taker or self.taker)

    def begun(self, start: Start, std: float, generator: Generator) -> RBM:
        """Return the calibrated model of a start."""
        train = torch.from_numpy(self.activity.states_of("train"))
        rates = torch.sigmoid(independent_field(train))
        some = self.hidden[:: max(1, len(self.hidden) // _BINS)]
        weights = torch.from_numpy(start.with_noise(std, generator).weights)
        return calibrated(self.model, weights, rates, some)


def altered(study: StudyFolder, task: Task, pair: Pair) -> Start:
    """Return the first weights of a task before any neuron is left blind."""
    stream = Generator.from_seed(study.asked["seed"], "control", task.kind, task.receiver)
    if task.kind == "shuffled":
        return pair.start(study, pair.taker.shuffled(stream))
    if task.kind == "within":
        return pair.start(study, pair.taker.shuffled_within_regions(stream))
    if task.kind == "mirrored":
        axis = study.frame.mirror_axes[0]
        return pair.start(study, pair.taker.mirrored(axis, midline_of(pair.giver, axis)))
    start = pair.start(study)
    if task.kind == "units":
        units = start.weights.shape[1]
        # a cyclic shift of a random order leaves no unit at its place
        order = stream.permutation(units)
        turned = np.empty(units, dtype=np.int64)
        turned[order] = np.roll(order, 1)
        return start.with_units(turned)
    return start


def blind_half(study: StudyFolder, receiver: str, count: int) -> NDArray[np.bool_]:
    """Return which half of a receiver's neurons is not started from the teacher, (neuron,) bool."""
    stream = Generator.from_seed(study.asked["seed"], "blind", receiver)
    blind = np.zeros(count, dtype=np.bool_)
    blind[stream.permutation(count)[: count // 2]] = True
    return blind
