"""A sweep: every run of a grid in processes side by side, and the choice of one model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boltzbrain.data.activity import Activity
from boltzbrain.data.recording import Recording
from boltzbrain.foundations.checks import (
    TrainingFailedError,
    bad_input,
    one_of,
    whole_number_in,
)
from boltzbrain.foundations.disk.folders import given_path, one_writer
from boltzbrain.foundations.progress import Callback, Teller, warn_of_old_callback
from boltzbrain.foundations.showing.display import showing
from boltzbrain.grid.choice import RULES, choose
from boltzbrain.grid.folder import SweepFolder
from boltzbrain.grid.one_run import fold_scores
from boltzbrain.grid.page import SweepPage, write_sweep_page
from boltzbrain.grid.points import Grid
from boltzbrain.grid.workers import completed, require_device
from boltzbrain.model.layers.layer import KINDS
from boltzbrain.preparing.folds.given import activity_of
from boltzbrain.training.run.run import TrainingRun
from boltzbrain.training.sizes import require_sizes


def sweep(
    activity: Activity | Recording,
    out: str | Path = "sweep",
    *,
    preset: str = "binary",
    seeds: int = 1,
    seed: int = 0,
    rule: str = "best",
    full: bool | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    callback: Callback | None = None,
    **values: Any,
) -> SweepFolder:
    """Train a grid of models in processes side by side and choose one by the validation fold.

    Processes are spawned: in a script, call it under ``if __name__ == "__main__"``.

    Parameters
    ----------
    activity
        What every model sees, with a validation fold; or a recording, as of `fit`.
    out
        The folder of the sweep, made here.
    preset
        The recipe.
    seeds
        Trainings of every point of the grid, with the seeds `seed`, `seed` + 1 and so on.
    seed
        The first seed.
    rule
        "best": the highest validation score; "one-stderr": the fewest hidden units within one
        standard error of it (`grid.choice`).
    full
        Evaluate every run whole and show the figures over the grid; for real-valued hidden units
        if None.
    workers, scheduler, device, callbacks, progress, callback
        As in `resume_sweep`.
    **values
        Fields of `TrainingPlan`, a list where several values are tried: ``hidden=[25, 50, 100]``.

    Returns
    -------
    SweepFolder
        ``table()`` has one row per run, ``choice`` says which one was chosen and why, ``chosen`` is
        that run.

    Raises
    ------
    InputError
        If a value is not one of the plan, the activity has no validation fold, the folder holds a
        sweep, or the scheduler cannot be reached.
    TrainingFailedError
        If every run failed.
    """
    callbacks = _with_old(callbacks, callback)
    require_device(device, scheduler)
    with one_writer(given_path("out", out), "sweep"):
        started = start_sweep(
            activity, out, preset=preset, seeds=seeds, seed=seed, rule=rule, full=full, **values
        )
        with showing(progress, "sweep", callbacks) as told:
            return run_sweep(
                started, workers=workers, scheduler=scheduler, device=device, callbacks=told
            )


def resume_sweep(
    folder: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
    callback: Callback | None = None,
) -> SweepFolder:
    """Go on with a sweep that was stopped; what becomes of failed runs stands in `run_sweep`.

    Parameters
    ----------
    folder
        Its folder; nothing else is needed.
    workers
        Processes side by side, of one thread each; as many as there are cores if None, and 0 does
        all in this process.
    scheduler
        Address of a Dask scheduler, whose workers must reach the folder under the same name;
        processes of this machine if None.
    device
        "cpu", "cuda", "cuda:1" and so on; "auto" takes GPUs if there are any and they pay. Each
        process takes a GPU of its own as far as there are enough, and there are as many processes
        as GPUs if `workers` is None.
    callbacks
        Called with a `foundations.progress.Progress` before the first run and after every run.
    progress
        Show how far it is, in the notebook or on stderr.
    callback
        Deprecated: one callback.

    Raises
    ------
    InputError
        If the folder holds no sweep, or the scheduler cannot be reached.
    TrainingFailedError
        If every run failed.
    """
    callbacks = _with_old(callbacks, callback)
    opened = SweepFolder.open(given_path("folder", folder))
    with showing(progress, "sweep", callbacks) as told:
        return run_sweep(
            opened, workers=workers, scheduler=scheduler, device=device, callbacks=told
        )


def _with_old(callbacks: Sequence[Callback], callback: Callback | None) -> Sequence[Callback]:
    """Return the callbacks with the one that 0.1.0 took."""
    if callback is None:
        return callbacks
    warn_of_old_callback(stacklevel=4)
    return (*callbacks, callback)


def start_sweep(
    activity: Activity | Recording,
    out: str | Path,
    *,
    preset: str = "binary",
    seeds: int = 1,
    seed: int = 0,
    rule: str = "best",
    full: bool | None = None,
    **values: Any,
) -> SweepFolder:
    """Make the folder of a sweep; `run_sweep` does the work.

    Parameters are those of `sweep`.

    Raises
    ------
    InputError
        If a value is not one of the plan, the activity has no validation fold, or the folder holds
        a sweep.
    """
    one_of("rule", rule, RULES)
    if not isinstance(activity, Activity):
        activity = activity_of(activity, seed)
    grid = Grid.of(preset, values, seeds=seeds, seed=seed)
    for one in grid.runs:
        require_sizes(one.plan, activity.n_neurons)
    for fold in ("train", "validation"):
        if not len(activity.bins_of(fold)):
            raise bad_input(
                f"{fold} fold", "hold at least one bin to choose a model by", 0,
                file=activity.source.path,
            )  # fmt: skip
    if full is None:
        # units that have a scale are the real-valued ones
        full = any(KINDS[run.plan.hidden_kind].scale_powers for run in grid.runs)
    asked = {
        "preset": preset,
        "values": {
            name: list(value) if isinstance(value, (list, tuple)) else value
            for name, value in values.items()
            if value is not None
        },
        "seeds": seeds,
        "seed": seed,
        "rule": rule,
        "full": full,
    }
    with one_writer(Path(out), "sweep"):
        return SweepFolder.create(Path(out), activity, asked)


def run_sweep(
    sweep: SweepFolder,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    device: str = "auto",
    callbacks: Sequence[Callback] = (),
) -> SweepFolder:
    """Do every run of a sweep that is not done yet, then choose a model and write the page.

    A run that fails is reported in the table and leaves the others alone. One that broke off, for
    want of room on the disk for instance, is gone on with when the sweep is resumed. One whose
    training failed by itself would do so again, as it repeats bit for bit: it stays failed, with
    its reason, and is not trained again.

    Parameters
    ----------
    sweep
        The sweep.
    workers
        Processes side by side, of one thread each; as many as there are cores if None, and 0 does
        all in this process.
    scheduler
        Address of a Dask scheduler, whose workers must reach the folder under the same name;
        processes of this machine if None.
    device
        As in `resume_sweep`.
    callbacks
        Called before the first run and after every run.

    Raises
    ------
    InputError
        If the scheduler cannot be reached, or Dask is not installed for it, an option is out of
        range, or the folder is being written.
    TrainingFailedError
        If every run failed.
    """
    with one_writer(sweep.folder, "sweep"):
        return _run(sweep, workers, scheduler, device, callbacks)


def _run(
    sweep: SweepFolder,
    workers: int | None,
    scheduler: str | None,
    device: str,
    callbacks: Sequence[Callback],
) -> SweepFolder:
    require_device(device, scheduler)
    if workers is not None:
        whole_number_in("workers", workers, low=0)
        if scheduler is not None:
            raise bad_input("workers", "be left out with a scheduler, which has its own", workers)
    grid, full = sweep.grid, bool(sweep.asked["full"])
    done: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}

    teller = Teller(callbacks, "training and scoring", "runs")

    def tell(name: str | None) -> None:
        scores = [
            (one["validation_nats_per_bin"], one["validation_stderr"]) for one in done.values()
        ]
        facts = {
            "failed": len(failed),
            "name": name,
            "error": None if name is None else failed.get(name),
            "best": max(scores, default=None),
        }
        teller(len(done) + len(failed), len(grid.runs), facts=facts)

    sweep.write_table(done, failed)
    tell(None)
    for name, scores, error in completed(sweep, grid, full, workers, scheduler, device):
        if scores is None:
            failed[name] = error
        else:
            done[name] = scores
        sweep.write_table(done, failed)
        tell(name)
    if not done:
        first = next(iter(failed.items()))
        raise TrainingFailedError(f"{sweep.folder}: every run failed; {first[0]}: {first[1]}")
    _conclude(sweep, done, failed)
    return sweep


def _conclude(sweep: SweepFolder, done: dict[str, dict[str, Any]], failed: dict[str, str]) -> None:
    table = sweep.write_table(done, failed)
    axes = list(sweep.grid.axes)
    scores = {f"runs/{name}": fold_scores(one) for name, one in done.items()}
    choice = sweep.write_choice(choose(table, axes, scores, sweep.asked["rule"]))
    info = sweep.info
    page = SweepPage(
        title=Path(info["data"]["recording"]).name,
        neurons=info["data"]["neurons"],
        table=table,
        axes=axes,
        logs={f"runs/{name}": TrainingRun(sweep.run_folder(name)).log() for name in done},
        curves={f"runs/{name}": one["curve"] for name, one in done.items()},
        figures={f"runs/{name}": one["figures"] for name, one in done.items() if one["figures"]},
        choice=choice,
        version=info["environment"]["boltzbrain"],
    )
    write_sweep_page(page, sweep.folder / "sweep.html")
