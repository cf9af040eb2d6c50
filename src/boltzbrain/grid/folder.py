"""The folder of a sweep: what is asked for, the runs, the table and the choice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from boltzbrain.data.activity import Activity
from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.files import FileFormat, atomic_write, read_ours, write_ours
from boltzbrain.foundations.showing.told import SelfTold
from boltzbrain.grid.choice import Choice
from boltzbrain.grid.points import ALWAYS, Grid, GridRun
from boltzbrain.training.plan import TrainingPlan
from boltzbrain.training.run.folder import FolderKind
from boltzbrain.training.run.past_plans import past_plan, plan_to_go_on
from boltzbrain.training.run.run import TrainingRun

SWEEP = FolderKind(
    "sweep", "boltzbrain sweep", below="runs", fixed=("asked", "axes", "plans", "data")
)
CHOICE = FileFormat("boltzbrain sweep choice", what="choice.json")

SCORE_COLUMNS = (
    "seed",
    "update",
    "validation_nats_per_bin",
    "validation_stderr",
    "test_nats_per_bin",
    "test_gain_over_independent",
    "test_stderr",
    "seconds",
    "status",
)

"""``test_stderr`` is the error of the gain over independent neurons, bins and log Z together."""

LAST_COLUMNS = ("run", "error", "unreliable", "test_nats_stderr")
"""``unreliable`` says in words what to doubt; the last is the error of ``test_nats_per_bin``."""


@dataclass(frozen=True, repr=False)
class SweepFolder(SelfTold):
    """A sweep; everything is read from its folder when asked for.

    Attributes
    ----------
    folder
        The folder with sweep.json, activity.h5, runs/, table.csv, choice.json and sweep.html.
    """

    folder: Path

    @classmethod
    def create(cls, folder: Path, activity: Activity, asked: dict[str, Any]) -> SweepFolder:
        """Make the folder and write what every model sees and what is asked for.

        `asked` holds preset, values, seeds, seed, rule and full: what makes the grid and the table.

        Raises
        ------
        InputError
            If the folder already holds a sweep, or cannot be written.
        """
        grid = _grid_of(asked)
        plans = {one.name: one.plan.model_dump() for one in grid.runs}
        SWEEP.begin(folder, activity, {"asked": asked, "axes": list(grid.axes), "plans": plans})
        return cls(folder)

    @classmethod
    def open(cls, folder: Path | str) -> SweepFolder:
        """Open an existing sweep.

        Raises
        ------
        InputError
            If the folder holds no sweep of a version that this package reads.
        """
        SWEEP.require(Path(folder))
        return cls(Path(folder))

    @property
    def info(self) -> dict[str, Any]:
        """The content of sweep.json."""
        return SWEEP.read(self.folder)

    @property
    def asked(self) -> dict[str, Any]:
        """What the sweep was started with."""
        asked: dict[str, Any] = self.info["asked"]
        return asked

    @property
    def grid(self) -> Grid:
        """The grid, as it was when the sweep began."""
        info, file = self.info, self.folder / SWEEP.file
        if "plans" not in info:
            # 0.1.0 wrote none; its recipes are those of today, as a test says
            return _grid_of(info["asked"])
        runs = [GridRun(name, past_plan(told, file)) for name, told in info["plans"].items()]
        axes = [name for name in info["axes"] if name in TrainingPlan.model_fields]
        return Grid.from_runs(axes, runs)

    def plan_to_train(self, name: str) -> TrainingPlan:
        """Return the plan of a run that is not begun yet.

        Raises
        ------
        InputError
            If another version began the sweep, with a hyperparameter that is gone today.
        """
        info = self.info
        if "plans" not in info:
            return next(one.plan for one in self.grid.runs if one.name == name)
        wrote = str(info.get("environment", {}).get("boltzbrain", "unknown"))
        return plan_to_go_on(info["plans"][name], wrote, self.folder / SWEEP.file)

    def table(self) -> pd.DataFrame:
        """Return table.csv."""
        return pd.read_csv(self.folder / "table.csv")

    @property
    def choice(self) -> dict[str, Any]:
        """The content of choice.json.

        Raises
        ------
        InputError
            If the sweep is not finished, or the choice is that of another.
        """
        path = self.folder / "choice.json"
        if not path.is_file():
            raise bad_input(
                "sweep",
                "be finished (go on with `boltzbrain sweep --resume`)",
                "no choice.json",
                file=self.folder,
            )
        choice, mine = read_ours(path, CHOICE), self.info.get("id")
        if choice.get("sweep", mine) != mine:
            raise bad_input("choice.json", "be of this sweep", "that of another", file=self.folder)
        return choice

    @property
    def chosen(self) -> TrainingRun:
        """The chosen run."""
        return TrainingRun.open(self.folder / self.choice["run"])

    def activity(self) -> Activity:
        """Return what every model sees."""
        return SWEEP.activity(self.folder)

    def run_folder(self, name: str) -> Path:
        """Return where a run lies."""
        return self.folder / "runs" / name

    def write_table(self, done: dict[str, dict[str, Any]], failed: dict[str, str]) -> pd.DataFrame:
        """Write table.csv: one row per run of the grid, in its order.

        Parameters
        ----------
        done
            Name of a run to its scores.
        failed
            Name of a run to what went wrong.

        Returns
        -------
        pandas.DataFrame
            The table: ``hidden``, ``l1``, `SCORE_COLUMNS`, the other axes of the grid and
            `LAST_COLUMNS`. What a run does not have is empty, and so is an L1 penalty that its
            training is still to choose.
        """
        grid = self.grid
        rows = []
        for one in grid.runs:
            scores = done.get(one.name, {})
            status = "finished" if scores else "failed" if one.name in failed else "waiting"
            row = {name: getattr(one.plan, name) for name in (*ALWAYS, *grid.axes)}
            if one.plan.l1_choices is not None:
                row["l1"] = scores.get("l1")
            row |= {name: scores.get(name) for name in (*SCORE_COLUMNS, *LAST_COLUMNS)}
            row |= {"seed": one.plan.seed, "status": status}
            rows.append(row | {"run": f"runs/{one.name}", "error": failed.get(one.name)})
        others = [name for name in grid.axes if name not in ALWAYS]
        columns = [*ALWAYS, *SCORE_COLUMNS, *others, *LAST_COLUMNS]
        table = pd.DataFrame(rows, columns=columns)
        table["update"] = table["update"].astype("Int64")
        with atomic_write(self.folder / "table.csv") as temporary:
            table.to_csv(temporary, index=False)
        return table

    def write_choice(self, choice: Choice) -> dict[str, Any]:
        """Write choice.json: the chosen run, its scores and why it was chosen; return it."""
        kept = {
            name: None if pd.isna(value) else value.item() if hasattr(value, "item") else value
            for name, value in choice.row.items()
            if name not in ("status", "error", "seconds")
        }
        content = {
            **CHOICE.told,
            "sweep": self.info.get("id"),
            **kept,
            "rule": choice.rule,
            "reason": choice.reason,
        }
        write_ours(self.folder / "choice.json", CHOICE, content)
        return content


def _grid_of(asked: dict[str, Any]) -> Grid:
    return Grid.of(asked["preset"], asked["values"], seeds=asked["seeds"], seed=asked["seed"])
