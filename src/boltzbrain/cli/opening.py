"""Opening the runs that a command works on: what to mind of them is said first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from boltzbrain.cli.summaries.results import convergence_line
from boltzbrain.cli.terminal import note
from boltzbrain.foundations.showing.display import Display


def open_runs(display: Display, folders: Sequence[Path]) -> None:
    """Open runs, and say of those that did not converge that they did not, and why.

    Raises
    ------
    InputError
        If a folder holds no run.
    """
    with display.stage("opening the run" + ("s" if len(folders) > 1 else "")):
        from boltzbrain.training.run.run import TrainingRun

        runs = [TrainingRun.open(folder) for folder in folders]
    for run in runs:
        found = run.info.get("convergence")
        if found is not None and found["status"] == "failed":
            note(
                f"Warning: {run.folder}: the training has {convergence_line(found)}. "
                "What follows is of a model that has not settled"
            )
