"""A training run: the folder that holds everything that came out of one fit."""

from __future__ import annotations

import contextlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from boltzbrain.foundations.checks import InputError, bad_input
from boltzbrain.foundations.files import atomic_write, sha256
from boltzbrain.model.rbm import RBM
from boltzbrain.recordings.activity import Activity
from boltzbrain.recordings.store import read_activity, write_activity
from boltzbrain.training.checkpoints import Checkpoint, read_checkpoint
from boltzbrain.training.penalties import Penalties
from boltzbrain.training.plan import TrainingPlan

FORMAT, VERSION = "boltzbrain run", 1


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all; a NaN or infinity is an error."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class CheckpointFile:
    """Where the checkpoint of one update lies."""

    update: int
    path: Path


@dataclass(frozen=True)
class TrainingRun:
    """A run folder; everything is read from it when asked for.

    Attributes
    ----------
    folder
        The folder with run.json, activity.h5, log.csv and checkpoints/.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path, activity: Activity, plan: TrainingPlan) -> TrainingRun:
        """Make the folder and write what the training starts from.

        Raises
        ------
        InputError
            If the folder already holds a run, or cannot be written.
        """
        require_no_run(folder)
        try:
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{folder}: the output folder must be one that can be made; got {error}"
            ) from error
        run = cls(folder)
        try:
            run._write_start(activity, plan)
        except BaseException:
            # without run.json it is no run: leave nothing behind
            (folder / "activity.h5").unlink(missing_ok=True)
            for empty in (folder / "checkpoints", folder):
                with contextlib.suppress(OSError):
                    empty.rmdir()
            raise
        return run

    def _write_start(self, activity: Activity, plan: TrainingPlan) -> None:
        """Write activity.h5, then run.json: where that is, the run has begun."""
        folder = self.folder
        write_activity(folder / "activity.h5", activity)
        write_json(
            folder / "run.json",
            {
                "format": FORMAT,
                "version": VERSION,
                "status": "started",
                "chosen_update": None,
                "plan": plan.model_dump(),
                "plan_sha256": plan.digest(),
                "data": {
                    "sha256": sha256(folder / "activity.h5"),
                    "recording": activity.source.path,
                    "recording_sha256": activity.source.sha256,
                    "neurons": activity.n_neurons,
                    "bins": activity.n_bins,
                },
                "environment": environment(),
            },
        )

    @classmethod
    def open(cls, folder: Path | str) -> TrainingRun:
        """Open an existing run.

        Raises
        ------
        InputError
            If the folder holds no run of a version that this package reads.
        """
        run = cls(Path(folder))
        if not (run.folder / "run.json").is_file():
            got = "no run.json in it" if run.folder.is_dir() else "no such folder"
            raise bad_input(
                "run folder", "be a folder that `boltzbrain fit` wrote", got, file=run.folder
            )
        info = run.info
        if info.get("format") != FORMAT or info.get("version") != VERSION:
            raise bad_input(
                "format",
                f"be '{FORMAT}' version {VERSION}",
                f"{info.get('format')} {info.get('version')}",
                file=run.folder / "run.json",
            )
        return run

    @property
    def info(self) -> dict[str, Any]:
        """The content of run.json."""
        path = self.folder / "run.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise bad_input("run.json", "be whole JSON", error, file=path) from error
        if not isinstance(content, dict):
            raise bad_input("run.json", "be a JSON object", type(content).__name__, file=path)
        return content

    def update_info(self, **changes: Any) -> None:
        """Replace top-level entries of run.json."""
        write_json(self.folder / "run.json", {**self.info, **changes})

    @property
    def plan(self) -> TrainingPlan:
        """The plan of the training."""
        return TrainingPlan(**self.info["plan"])

    def activity(self) -> Activity:
        """Return what the model saw."""
        return read_activity(self.folder / "activity.h5")

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
        path = self.checkpoint_path(update)
        if not path.exists():
            kept = ", ".join(str(one.update) for one in self.checkpoints()) or "none"
            raise bad_input(
                "update", f"be one of the kept checkpoints: {kept}", update, file=self.folder
            )
        return read_checkpoint(path)

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
        rolling = read_checkpoint(self.resume_path) if self.resume_path.exists() else None
        for one in reversed(self.checkpoints()):
            if rolling is not None and one.update <= rolling.update:
                break
            kept = read_checkpoint(one.path)
            if rolling is None or rolling.course.includes(kept.course, kept.update):
                return kept
        return rolling

    def remove_passing(self) -> None:
        """Remove the checkpoints that only a training that goes on needs."""
        for path in (self.resume_path, *self.good_paths):
            path.unlink(missing_ok=True)

    def remove_partial(self) -> None:
        """Remove what a killed process left half written; the whole files are not touched."""
        for folder in (self.folder, self.folder / "checkpoints"):
            for partial in folder.glob(".*.partial"):
                partial.unlink(missing_ok=True)

    @property
    def chosen_update(self) -> int:
        """The latest update that is as good as the best on the validation fold, within one error.

        Raises
        ------
        InputError
            If the training has not ended.
        """
        chosen = self.info["chosen_update"]
        if chosen is None:
            raise bad_input(
                "run",
                "be a finished training (go on with `boltzbrain fit --resume`)",
                f"status {self.info['status']}",
                file=self.folder,
            )
        return int(chosen)

    def penalties_at(self, update: int) -> Penalties:
        """Return the penalties at the checkpoint of an update, the L1 penalty chosen or planned.

        Raises
        ------
        InputError
            If there is no such checkpoint.
        """
        return self.plan.penalties_at(update, self.load(update).course.l1)

    @property
    def best(self) -> RBM:
        """The model of the chosen update."""
        return self.load(self.chosen_update).model

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
        models = [self.load(last).model]
        for one in reversed(self.checkpoints()):
            if one.update < last:
                models.append(RBM.load(one.path).signed_like(models[-1]))
        return models[::-1]

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


def require_no_run(folder: Path) -> None:
    """Refuse an output folder that already holds a run.

    Raises
    ------
    InputError
        If there is a run.json in the folder.
    """
    if (folder / "run.json").exists():
        raise bad_input(
            "output folder",
            "hold no run yet (use --resume, or another folder)",
            "a run (run.json)",
            file=folder,
        )


def environment() -> dict[str, Any]:
    """Return the versions and the machine that a result depends on."""
    return {
        "boltzbrain": version("boltzbrain"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
