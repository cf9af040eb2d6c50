"""Going on with a stopped training: what is given again must be what it was started with."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltzbrain.foundations.checks import bad_input
from boltzbrain.foundations.disk.folders import one_writer
from boltzbrain.foundations.showing.display import Display
from boltzbrain.preparing.preparation import Preparation
from boltzbrain.preparing.prepare import prepare
from boltzbrain.training.plan import make_plan

if TYPE_CHECKING:
    from boltzbrain.data.activity import Activity
    from boltzbrain.training.run.run import TrainingRun


def places(
    recording: list[str] | None, folder: Path | None, resume: bool, kind: str
) -> tuple[list[str] | None, Path]:
    """Return the recordings given to a command and its folder, which --resume lets stand for them.

    Parameters
    ----------
    recording, folder
        As given.
    resume
        Whether to go on with what the folder holds.
    kind
        "run" or "sweep": the default folder, which holds KIND.json.

    Raises
    ------
    InputError
        If two folders are given, or one that is not there.
    """
    name = recording[0] if recording and len(recording) == 1 else None
    given = None if name is None else Path(name)
    if resume and given is not None and (given / f"{kind}.json").is_file():
        if folder is not None and folder.resolve() != given.resolve():
            raise bad_input(
                "--out", f"be left out where the folder of a {kind} is given", str(folder)
            )
        return None, given
    if resume and folder is None and given is not None and not given.exists():
        # here, as reading is no part of --help
        from boltzbrain.readers.containers.remote import is_address

        if not is_address(name):
            raise bad_input(
                f"the {kind} folder", "exist", "no such folder, and no such recording", file=given
            )
    return recording, folder or Path(kind)


def go_on(
    folder: Path,
    recording: Sequence[str] | None,
    preparation: Preparation,
    values: dict[str, Any],
    device: str = "auto",
) -> TrainingRun:
    """Resume the run in a folder; what is given again must be what it was started with."""
    display = Display()
    with display.stage("opening the run"):
        from boltzbrain.training.run.run import TrainingRun
        from boltzbrain.training.train import resume

        run = TrainingRun.open(folder)
    require_same_plan(run, values)
    if preparation.given and not recording:
        raise bad_input(
            preparation.flags[0],
            "be left out when resuming from the run folder alone, which holds the activity",
            "it without the recording",
        )
    with one_writer(folder, "fit --resume") if recording else contextlib.nullcontext():
        if recording:
            require_same_activity(
                folder, run.activity(), run.plan.seed, recording, preparation, display
            )
        with display.stage("training") as stage:
            return resume(folder, (stage.show,), device=device)


def require_same_plan(run: TrainingRun, values: dict[str, Any]) -> None:
    """Refuse hyperparameters that differ from those of the run."""
    if not values:
        return
    plan = run.plan
    started = {name: "none" if one is None else one for name, one in plan.model_dump().items()}
    given = make_plan(**{**started, **values})
    for name in values:
        mine, its = getattr(given, name), getattr(plan, name)
        if mine != its:
            raise bad_input(
                name,
                f"be what the run was started with ({its}) or be left out",
                mine,
                file=run.folder,
            )


def require_same_activity(
    folder: Path,
    theirs: Activity,
    seed: int,
    recording: Sequence[str],
    preparation: Preparation,
    display: Display,
) -> None:
    """Refuse a recording, or options on it, that give another activity than that of the folder."""
    import numpy as np

    from boltzbrain.readers.fingerprint import is_same_recording

    mine = prepare(preparation, recording, seed, display)
    if not is_same_recording(mine.source, theirs.source):
        raise bad_input(
            "sha256",
            f"be that of the recording that {folder} was started with ({theirs.source.path}, "
            f"{theirs.source.sha256[:12]}...)",
            f"{mine.source.sha256[:12]}...",
            file=mine.source.path,
        )
    same = all(
        np.array_equal(getattr(mine, name), getattr(theirs, name))
        for name in ("states", "segment", "fold")
    )
    if not same or mine.bin_width_s != theirs.bin_width_s:
        raise bad_input(
            "the options on the recording",
            "give the activity that it was started with "
            f"({theirs.n_neurons} neurons, {theirs.n_bins} bins), or be left out with it",
            f"another one ({mine.n_neurons} neurons, {mine.n_bins} bins)",
            file=folder,
        )
