"""Where the repeats of a run lie: other trainings of the same model, each in a run folder."""

from __future__ import annotations

from boltzbrain.training.run.run import TrainingRun

REPEATS = "repeats"
"""Folder of the repeats, in that of the run."""
HALVES = ("half-1", "half-2")
"""Names of those that train on the first and on the second half of the training bins."""


def repeats_of(run: TrainingRun) -> list[TrainingRun]:
    """Return the finished repeats of a run, by name; none where it was not repeated."""
    place = run.folder / REPEATS
    folders = sorted(place.iterdir()) if place.is_dir() else []
    runs = [TrainingRun.open(one) for one in folders if (one / "run.json").is_file()]
    return [one for one in runs if one.info["status"] == "finished"]
