"""A training run: the folder that holds everything that came out of one fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.doors import keeper
from boltzbrain.foundations.showing.told import SelfTold
from boltzbrain.model.context.contextual import Contexts, ContextualRBM
from boltzbrain.model.rbm import RBM
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.checkpoints import (
    MEAN_MEMBERS,
    Checkpoint,
    Owner,
    read_checkpoint,
    read_model,
    write_checkpoint,
)
from boltzbrain.training.run.folder import FolderKind
from boltzbrain.training.run.past_plans import past_plan, plan_to_go_on
from boltzbrain.training.update.penalties import Penalties

RUN = FolderKind("run", "boltzbrain fit", below="checkpoints", fixed=("plan", "data"))


@dataclass(frozen=True)
class CheckpointFile:
    """Where the checkpoint of one update lies."""

    update: int
    path: Path


@dataclass(frozen=True, repr=False)
class TrainingRun(SelfTold):
    """A run folder; everything is read from it when asked for.

    Attributes
    ----------
    folder
        The folder with run.json, activity.h5, log.csv and checkpoints/.
    """

    folder: Path

    @classmethod
    def create(
        cls,
        folder: Path,
        activity: Activity,
        plan: TrainingPlan,
        device: str = "cpu",
        start: TrainingRun | None = None,
    ) -> TrainingRun:
        """Make the folder and write what the training starts from, and on which device.

        `start` is the run whose weights it begins with, if there is one.

        Raises
        ------
        InputError
            If the folder already holds a run, or cannot be written.
        """
        RUN.begin(
            folder,
            activity,
            {
                "status": "started",
                "chosen_update": None,
                "devices": [device],
                "plan": plan.model_dump(),
                "plan_sha256": plan.digest(),
                **({} if start is None else {"from": start._known_as()}),
            },
        )
        return cls(folder)

    @classmethod
    def open(cls, folder: Path | str) -> TrainingRun:
        """Open an existing run.

        Raises
        ------
        InputError
            If the folder holds no run of a version that this package reads.
        """
        run = cls(Path(folder))
        RUN.require(run.folder)
        return run

    @property
    def info(self) -> dict[str, Any]:
        """The content of run.json."""
        return RUN.read(self.folder)

    @property
    def id(self) -> str | None:
        """What ties to the run the files in its folder; runs of 0.1.0 have none."""
        told = self.info.get("id")
        return None if told is None else str(told)

    def _known_as(self) -> dict[str, Any]:
        """Return what run.json of a run that starts from this one says of it."""
        return {"folder": str(self.folder), "run": self.id, "update": self.chosen_update}

    @property
    def devices(self) -> list[str]:
        """The devices of the training, one after another; earlier versions knew the CPU only."""
        return list(self.info.get("devices", ["cpu"]))

    @property
    def weights(self) -> int:
        """Number of weights of the model, or the most that it may have."""
        info = self.info
        return int(info["data"].get("neurons") or 0) * int(info["plan"].get("hidden") or 0)

    def _owner(self) -> Owner:
        """Return what a checkpoint must say to be one of this run."""
        info = self.info
        plan, neurons = info["plan"], info["data"].get("neurons")
        # on/off assemblies: `hidden` is the most units there may be
        hidden = None if plan.get("weights_from") == "assemblies" else plan.get("hidden")
        return Owner(info.get("id"), (neurons, hidden), self.folder / RUN.file)

    def write(self, path: Path, checkpoint: Checkpoint) -> None:
        """Write a checkpoint of this run, whole or not at all."""
        write_checkpoint(path, checkpoint, run=self.id)

    def read(self, path: Path) -> Checkpoint:
        """Read a checkpoint, which must be one of this run.

        Raises
        ------
        InputError
            If it is of another run, or cannot be read.
        """
        return read_checkpoint(path, owner=self._owner())

    def update_info(self, **changes: Any) -> None:
        """Replace top-level entries of run.json."""
        RUN.replace(self.folder, {**self.info, **changes})

    @property
    def plan(self) -> TrainingPlan:
        """The plan of the training.

        Where another version wrote the run, hyperparameters that are gone are left out, and those
        that are new have the value that was in effect then.
        """
        return past_plan(self.info.get("plan"), self.folder / RUN.file)

    def plan_to_go_on(self) -> TrainingPlan:
        """Return the plan, to train on.

        Raises
        ------
        InputError
            If another version wrote the run, with a hyperparameter that is gone today.
        """
        info = self.info
        wrote = str(info.get("environment", {}).get("boltzbrain", "unknown"))
        return plan_to_go_on(info.get("plan"), wrote, self.folder / RUN.file)

    def activity(self) -> Activity:
        """Return what the model saw."""
        return RUN.activity(self.folder)

    def checkpoints(self) -> list[CheckpointFile]:
        """Return the kept checkpoints, by update."""
        files = (self.folder / "checkpoints").glob("[0-9]*.h5")
        return sorted(
            (CheckpointFile(int(path.stem), path) for path in files), key=lambda one: one.update
        )

    def checkpoint_path(self, update: int) -> Path:
        """Return where the checkpoint of an update lies."""
        return self.folder / "checkpoints" / f"{update:07d}.h5"

    @property
    def resume_path(self) -> Path:
        """Where the rolling checkpoint lies."""
        return self.folder / "checkpoints" / "resume.h5"

    def load(self, update: int) -> Checkpoint:
        """Return the checkpoint of an update.

        Raises
        ------
        InputError
            If there is none.
        """
        path = self._kept_path(update)
        return read_checkpoint(path, owner=self._owner(), update=update)

    def members(self, update: int) -> NDArray[np.bool_] | None:
        """Return the neurons that training made members of each hidden unit, (neuron, hidden).

        None where the recipe knows no members (`training.assemblies` does). Errors as `load`.
        """
        if self.plan.weights_from != "assemblies":
            return None
        told = self.load(update).optimizer[MEAN_MEMBERS]
        found: NDArray[np.bool_] = told.cpu().numpy() != 0
        return found

    def model(self, update: int) -> RBM:
        """Return the model of the checkpoint of an update, without its chains.

        Raises
        ------
        InputError
            As of `load`; and if the model has a context, without which it is none.
        """
        model, contexts = self._read(update)
        if contexts is not None:
            must = "be of a model without a context here (see run.in_context, run.at_mean_context)"
            raise bad_input("run", must, ",".join(contexts.names), file=self.folder)
        return model

    def in_context(self, update: int | None = None) -> ContextualRBM:
        """Return the model of a kept checkpoint, the chosen one if None, with its context.

        Raises
        ------
        InputError
            As of `load`; and if the model has no context.
        """
        model, contexts = self._read(update)
        if contexts is None:
            must = "be of a model with a context (TrainingRun.model gives one without)"
            raise bad_input("run", must, "none", file=self.folder)
        return ContextualRBM(model, contexts)

    def at_mean_context(self, update: int | None = None) -> RBM:
        """Return a kept model, the chosen one if None; one with a context at its training mean.

        The weights are the same for all bins. Errors as of `load`.
        """
        model, found = self._read(update)
        return model if found is None else ContextualRBM(model, found).at_mean(self.activity())

    def _read(self, update: int | None) -> tuple[RBM, Contexts | None]:
        number = self.chosen_update if update is None else update
        return read_model(self._kept_path(number), self._owner(), number)

    def _kept_path(self, update: int) -> Path:
        path = self.checkpoint_path(update)
        if not path.exists():
            kept = ", ".join(str(one.update) for one in self.checkpoints()) or "none"
            raise bad_input(
                "update", f"be one of the kept checkpoints: {kept}", update, file=self.folder
            )
        return path

    @property
    def running_path(self) -> Path:
        """Where the running scores of the validation fold lie, where there are any."""
        return self.folder / "running.csv"

    @property
    def good_paths(self) -> tuple[Path, Path]:
        """Where the two checkpoints lie to which a training that goes wrong goes back."""
        folder = self.folder / "checkpoints"
        return folder / "good0.h5", folder / "good1.h5"

    def newest(self) -> Checkpoint | None:
        """Return the checkpoint to go on from, or None if there is none yet.

        That is the newest kept one or the rolling one; where a restart left kept ones behind, the
        newest of the course that the rolling one is on.
        """
        rolling = self.read(self.resume_path) if self.resume_path.exists() else None
        for one in reversed(self.checkpoints()):
            if rolling is not None and one.update <= rolling.update:
                break
            kept = self.load(one.update)
            if rolling is None or rolling.interventions.includes(kept.interventions, kept.update):
                return kept
        return rolling

    def left_over(self) -> list[Path]:
        """Return what a killed process left that is of no use: what is half written, and passing.

        The passing checkpoints are among it once the training has ended.
        """
        folders = (self.folder, self.folder / "checkpoints")
        partial = [one for folder in folders for one in folder.glob(".*.partial")]
        passing = (self.resume_path, *self.good_paths)
        ended = self.info["status"] == "finished"
        return partial + [one for one in passing if ended and one.exists()]

    def remove_left_over(self) -> None:
        """Remove that; what a training goes on from is not touched."""
        for path in self.left_over():
            path.unlink(missing_ok=True)

    @property
    def chosen_update(self) -> int:
        """The latest update that is as good as the best on the validation fold, within one error.

        Raises
        ------
        InputError
            If the training has not ended.
        """
        chosen, status = self.info["chosen_update"], self.info["status"]
        if chosen is None:
            onward = "train anew with other options" if status == "failed" else "go on with it"
            command = "boltzbrain fit" + ("" if status == "failed" else " --resume")
            raise bad_input(
                "run",
                f"be a finished training ({onward}: `{command}`)",
                f"status {status}",
                file=self.folder,
            )
        return int(chosen)

    def penalties_at(self, update: int) -> Penalties:
        """Return the penalties at the checkpoint of an update, the L1 penalty chosen or planned."""
        return self.plan.penalties_at(update, self.load(update).interventions.l1)

    @property
    def evaluation(self) -> Any:
        """What `boltzbrain.evaluate` wrote, an `evaluation.scores.Evaluation`.

        Raises
        ------
        InputError
            If there is none, or it is of another model than the chosen one.
        """
        return keeper("TrainingRun.evaluation")(self)

    @property
    def interpretation(self) -> Any:
        """What `boltzbrain.interpret` wrote, an `Interpretation`; errors as of `evaluation`."""
        return keeper("TrainingRun.interpretation")(self)

    def __dir__(self) -> list[str]:
        files = {"evaluation": "evaluation.json", "interpretation": "interpretation.h5"}
        there = {name for name, file in files.items() if (self.folder / file).is_file()}
        return sorted(set(super().__dir__()) - (files.keys() - there))

    @property
    def best(self) -> RBM:
        """The model of the chosen update."""
        return self.model(self.chosen_update)

    def trajectory(self, update: int | None = None) -> list[RBM]:
        """Return the models of the kept checkpoints up to an update, that of the update last.

        All hidden units have the signs of the last model, which does not change what the others
        say of activity.

        Parameters
        ----------
        update
            A kept checkpoint; the chosen one if None.

        Raises
        ------
        InputError
            If there is no such checkpoint, or the training has not ended.
        """
        last = self.chosen_update if update is None else update
        models = [self.model(last)]
        for one in reversed(self.checkpoints()):
            if one.update < last:
                models.append(self.model(one.update).signed_like(models[-1]))
        return models[::-1]

    def transform(self, recording: Recording, **options: Any) -> Any:
        """Return what the model says of every bin of a recording: hidden means, log P.

        Options (``epochs``, ``missing``, ``update``, ``out``), errors and what is returned are
        those of `boltzbrain.evaluation.new_data.transform.transform`.
        """
        return keeper("TrainingRun.transform")(self, recording, **options)

    def log(self) -> pd.DataFrame:
        """Return log.csv, one row per kept checkpoint."""
        path = self.folder / "log.csv"
        try:
            log = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise bad_input("log.csv", "be a whole csv", error, file=path) from error
        kept = {one.update for one in self.checkpoints()}
        if log.isna().any(axis=None) or not kept <= set(log.get("update", ())):
            got = f"{len(log)} rows for {len(kept)} checkpoints"
            raise bad_input("log.csv", "have a whole row for every checkpoint", got, file=path)
        return log
