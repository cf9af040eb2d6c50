"""One training of a study, with its scores; it runs in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from boltzbrain.alignment.consensus import latest, train_round
from boltzbrain.alignment.folder import StudyFolder, Task
from boltzbrain.alignment.scores import (
    Places,
    blind_scores,
    nothing,
    spatial_correlation,
    value_of,
)
from boltzbrain.alignment.starts import start_of
from boltzbrain.alignment.students import (
    Pair,
    altered,
    blind_half,
    own_plan,
    student_plan,
)
from boltzbrain.alignment.translation import translated_rates
from boltzbrain.data.clusters import clustered_stderr, clusters_of
from boltzbrain.evaluation.likelihood import log_likelihood
from boltzbrain.evaluation.partitions import forward_log_partition
from boltzbrain.evaluation.results import plain
from boltzbrain.foundations.checks import TrainingFailedError, Undefined
from boltzbrain.foundations.disk.files import FileFormat, read_ours, write_ours
from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.foundations.random import Generator
from boltzbrain.grid.one_run import PATIENCE_S
from boltzbrain.model.independent import independent_field
from boltzbrain.model.rbm import RBM
from boltzbrain.sampling.gibbs import Chains, advance
from boltzbrain.sampling.partition import LogPartition
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.train import resume, train

SCORES = "scores.json"
FORMAT = FileFormat("boltzbrain study scores", what=SCORES)
_KL_SWEEPS, _KL_CHAINS = 200, 500


def complete(folder: str, name: str, *, full: bool, device: str = "auto") -> dict[str, Any]:
    """Train and score one run of a study, or whatever of it is still to do.

    Parameters
    ----------
    folder
        The folder of the study.
    name
        The folder of the run in it: runs/ANIMAL, KIND/RECEIVER-of-TEACHER or rounds/N-ANIMAL.
    full
        Whether to score what is only told, too.
    device
        As of `training.device.device_for`.

    Returns
    -------
    dict
        The content of the run's scores.json.
    """
    torch.set_num_threads(1)
    study = StudyFolder(Path(folder))
    place = study.folder / name
    with one_writer(place, "align", patience_s=PATIENCE_S):
        path = place / SCORES
        if path.exists():
            scores = read_ours(path, FORMAT)
            if scores["study"] == study.info["id"]:
                return scores
        kind = name.partition("/")[0]
        found: dict[str, Any]
        if kind == "runs":
            run = _own(study, place, device)
            found = {"likelihood": _likelihood(run)}
        elif kind == "rounds":
            run = (
                resume(place, device=device) if _begun(place) else train_round(study, place, device)
            )
            found = {"likelihood": _likelihood(run)}
        else:
            task = next(one for one in study.tasks() if one.name == name)
            pair = Pair.of(study, task.teacher, task.receiver)
            try:
                run = _student(study, task, pair, place, device)
                found = _scores(study, task, pair, run)
            except TrainingFailedError as error:
                # a pair that nothing can be made of is a finding, and leaves the others alone
                told = str(error).removeprefix(f"{place}: ")
                found = {"failed": f"the training of {name} failed: {told}"}
        del full
        scores = {**FORMAT.told, "study": study.info["id"], **plain(found)}
        write_ours(path, FORMAT, scores)
        return scores


def _own(study: StudyFolder, place: Path, device: str) -> TrainingRun:
    """Train the own model of an animal."""
    if _begun(place):
        return resume(place, device=device)
    if study.asked.get("plan") is not None:
        plan = TrainingPlan(**study.asked["plan"])
    else:
        first = study.run(study.animals[0])
        plan = own_plan(first, first.plan.seed)
    return train(study.activity(place.name), plan, place, device=device)


def _student(study: StudyFolder, task: Task, pair: Pair, place: Path, device: str) -> TrainingRun:
    """Train a student."""
    if _begun(place):
        return resume(place, device=device)
    asked = study.asked
    teacher = study.run(task.teacher)
    plan = student_plan(
        teacher,
        study.samples_path(task.teacher),
        place,
        latent=0.0 if task.kind == "plain" else asked["latent"],
        updates=asked["updates"],
        seed=asked["seed"],
    )
    stream = Generator.from_seed(asked["seed"], "start", task.kind, task.teacher, task.receiver)
    start = altered(study, task, pair)
    if task.kind != "students":
        start = start.without(blind_half(study, task.receiver, len(pair.taker)))
    first = pair.begun(start, plan.weight_std, stream)
    return train(pair.activity, plan, place, device=device, start=teacher, begin=first)


def _begun(place: Path) -> bool:
    """Return whether a training has a checkpoint to go on from; what has none is taken away."""
    if not (place / "run.json").exists():
        return False
    run = TrainingRun.open(place)
    if run.newest() is not None or run.info["status"] == "finished":
        return True
    # killed before it had kept its first model, which a resumed training would not find
    (place / "run.json").unlink()
    for name in ("checkpoints", "activity.h5"):
        one = place / name
        shutil.rmtree(one) if one.is_dir() else one.unlink(missing_ok=True)
    return False


def _likelihood(run: TrainingRun) -> dict[str, Any]:
    """Return the log-likelihood of the test bins with log Z, and the score of every bin."""
    activity, model = run.activity(), run.best
    field = independent_field(torch.from_numpy(activity.states_of("train")))
    estimate = forward_log_partition(model, field, run.plan.seed)
    bins = activity.bins_of("test")
    if not len(bins):
        none: Any = nothing("the test fold has no bins")
        return {"test": none, "log_partition": estimate.value, "bins": []}
    scores = log_likelihood(model, estimate.value, activity.states[bins])
    return {
        "test": value_of(float(scores.mean()), _error(run, scores, estimate)),
        "log_partition": estimate.value,
        "log_partition_stderr": estimate.stderr,
        "bins": scores.tolist(),
    }


def _error(
    run: TrainingRun, scores: np.ndarray[Any, np.dtype[np.float64]], estimate: LogPartition
) -> float | Undefined:
    activity = run.activity()
    error = clustered_stderr(scores, clusters_of(activity, activity.bins_of("test")))
    return error if isinstance(error, Undefined) else float(np.hypot(error, estimate.stderr))


def _scores(study: StudyFolder, task: Task, pair: Pair, run: TrainingRun) -> dict[str, Any]:
    """Score a student: what its kind is trained for."""
    start, model = altered(study, task, pair), run.best
    found: dict[str, Any] = {"start": start.told, "updates": run.chosen_update}
    if task.kind != "students":
        blind = blind_half(study, task.receiver, len(pair.taker)) & start.started
        weights = model.weights.to(torch.float64).numpy()
        same, other, units, which = blind_scores(weights, start.weights, blind)
        found |= {"blind_half": same, "other_units": other, "units": units, "found": which}
    width = start.told.get("kernel_um")
    spatial = Spatial(study, task.teacher, task.receiver, pair.model, width)
    found["spatial_correlation"] = spatial.of(model)
    if task.kind == "students":
        found["likelihood"] = _likelihood(run)
        found["divergence"] = _divergence(study, task, pair, model, found["likelihood"])
        found["untrained"] = _untrained(study, task, pair, spatial)
    return found


class Spatial:
    """The spatial correlation of translated test bins of one animal.

    Parameters
    ----------
    study
        The study.
    source, target
        Whose bins, and the animal that they are told in.
    giver
        The model of the source.
    width_um
        Of the smoothing by positions.
    """

    def __init__(
        self, study: StudyFolder, source: str, target: str, giver: RBM, width_um: float | None
    ) -> None:
        self.giver, self.seed = giver, study.asked["seed"]
        activity = study.activity(source)
        bins = activity.bins_of("test")
        self.states = activity.states[bins]
        self.clusters = clusters_of(activity, bins) if len(bins) else None
        self.places = Places(study.register, study.neurons(source), study.neurons(target), width_um)

    def of(self, model: RBM) -> dict[str, Any]:
        """Return that of a model of the target."""
        if self.clusters is None:
            return nothing("the test fold of the teacher has no bins")
        stream = Generator.from_seed(self.seed, "spatial")
        rates, _ = translated_rates(self.giver, model, self.states, stream)
        return spatial_correlation(self.places, self.states, rates, self.clusters, stream)


def spatial_of_models(study: StudyFolder, source: str, target: str) -> dict[str, Any]:
    """Return the spatial correlation of two animals of a study without a teacher."""
    one, other = (latest(study, name).best for name in (source, target))
    weights = one.weights.to(torch.float64).numpy()
    start = start_of(study.register, study.neurons(source), weights, study.neurons(target))
    width = start.told.get("kernel_um")
    return Spatial(study, source, target, one, width).of(other)


def _untrained(study: StudyFolder, task: Task, pair: Pair, spatial: Spatial) -> dict[str, Any]:
    """Return the spatial correlation of calibrated starts without training, and of controls."""
    found = {}
    for kind in ("students", "shuffled", "within", "mirrored", "units"):
        if kind in ("within", "mirrored") and not study.has_control(kind):
            continue
        stream = Generator.from_seed(study.asked["seed"], "untrained", kind)
        one = Task(kind, task.teacher, task.receiver)
        start = altered(study, one, pair)
        name = "start" if kind == "students" else kind
        found[name] = spatial.of(pair.begun(start, 0.0, stream))
    return found


def _divergence(
    study: StudyFolder, task: Task, pair: Pair, model: RBM, likelihood: dict[str, Any]
) -> dict[str, Any]:
    """Return KL(P_T(h) || P_S(h)) by chains of the teacher, nats."""
    run = study.run(task.teacher)
    told = read_ours(run.folder / SCORES, FORMAT)["likelihood"]
    bins = torch.from_numpy(run.activity().states_of("train"))
    stream = Generator.from_seed(study.asked["seed"], "divergence")
    picked = bins[torch.from_numpy(stream.integers(len(bins), _KL_CHAINS))]
    chains = Chains(picked, pair.model.sample_hidden(picked, stream), stream)
    hidden = advance(pair.model, chains, _KL_SWEEPS).hidden
    apart = model.free_energy_of_hidden(hidden) - pair.model.free_energy_of_hidden(hidden)
    value = float(apart.mean()) + likelihood["log_partition"] - told["log_partition"]
    error = float(apart.std()) / len(apart) ** 0.5
    return value_of(value, error)
